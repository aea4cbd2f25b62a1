from __future__ import annotations

from typing import Any

import msgspec
import pytest

from evidence.run_model import Generator, InteropRun, LoadRun, RunTarget, SloResult, Stations
from evidence.verdicts import RunVerdict, Verdict, run_verdict
from reports import words
from reports.facts import facts
from reports.headline import Tone, headline
from tests.reports.report_builders import make_case


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "–"),
        (float("nan"), "–"),
        (0, "0 ms"),
        (0.0004, "0.4 µs"),
        (0.83, "830 µs"),
        (1, "1 ms"),
        (12.345, "12.3 ms"),
        (999.6, "1,000 ms"),
        (1000, "1 s"),
        (30_000, "30 s"),
    ],
)
def test_latency_is_written_in_the_unit_that_fits(value: float | None, text: str) -> None:
    assert words.milliseconds(value) == text


@pytest.mark.parametrize(
    ("share", "text"),
    [
        (0, "0 %"),
        (1, "100 %"),
        (0.5, "50 %"),
        (0.123, "12.3 %"),
        (0.00001, "< 0.1 %"),
        (0.99999, "> 99.9 %"),
        (float("inf"), "–"),
    ],
)
def test_share_that_is_neither_none_nor_all_never_reads_so(share: float, text: str) -> None:
    assert words.percent(share) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(None, "–"), (0.182, "182 ms"), (34.5, "34.5 s"), (125.4, "2 min 05 s"), (7260, "2 h 01 min"), (-1, "0 ms")],
)
def test_length_of_time_is_written_as_people_say_it(seconds: float | None, text: str) -> None:
    assert words.duration(seconds) == text


def test_nested_settings_become_pairs_of_name_and_value() -> None:
    nested = {"a_b": 1.5, "on": True, "none": None, "deep": {"x": [1], "y": {}}, "workers": [{"n": 1}, {"n": 2}]}
    assert facts(nested) == (
        ("a b", "1.5"),
        ("on", "yes"),
        ("deep · x", "[1]"),
        ("deep · y", "{}"),
        ("workers 1 · n", "1"),
        ("workers 2 · n", "2"),
    )


def test_settings_of_any_depth_end() -> None:
    deep: Any = "bottom"
    for _ in range(400):
        deep = {"k": [deep]}
    assert len(facts({"deep": deep})) == 1


COMMON: dict[str, Any] = {
    "tool": {},
    "target": RunTarget(url="ws://x", ocpp=["1.6"]),
    "started": "2026-03-02T09:00:00Z",
    "finished": "2026-03-02T09:00:30Z",
    "seed": None,
    "environment": {},
}


def interop(*verdicts: Verdict, **fields: Any) -> InteropRun:
    cases = [make_case(f"C{number}", verdict) for number, verdict in enumerate(verdicts)]
    return InteropRun(**{**COMMON, "verdict": run_verdict(verdicts), "counts": {}, "cases": cases, **fields})


OK, FAILED, NON_STRICT = Verdict.OK, Verdict.FAILED, Verdict.NON_STRICT


@pytest.mark.parametrize(
    ("verdicts", "tone", "word", "sentence"),
    [
        ([OK, OK], Tone.GOOD, "Passed", "This CSMS broke no rule in 2 cases."),
        ([OK, NON_STRICT], Tone.MIXED, "Passed", "This CSMS broke no rule in 2 cases."),
        ([OK, FAILED], Tone.BAD, "Failed", "This CSMS broke the specification in 1 of 2 cases."),
        (
            [FAILED, Verdict.NOT_APPLICABLE],
            Tone.BAD,
            "Failed",
            "This CSMS broke the specification in 1 of 1 case.",
        ),
        (
            [OK, Verdict.XPASS],
            Tone.BAD,
            "Failed",
            "No rule was broken in 2 cases, but the declared expectations no longer hold.",
        ),
        ([OK, Verdict.XFAIL], Tone.GOOD, "Passed", "This CSMS broke no rule in 1 case."),
        ([Verdict.XFAIL], Tone.GOOD, "Passed", "All 1 case fail as declared."),
        (
            [OK, Verdict.INCONCLUSIVE],
            Tone.UNKNOWN,
            "No conclusion",
            "1 of 2 cases could not be judged. The others found no broken rule.",
        ),
        ([Verdict.INCONCLUSIVE], Tone.UNKNOWN, "No conclusion", "1 of 1 case could not be judged."),
        (
            [Verdict.NOT_APPLICABLE] * 3,
            Tone.UNKNOWN,
            "No conclusion",
            "None of the 3 cases could be run here, so nothing is known about this CSMS.",
        ),
        (
            [],
            Tone.UNKNOWN,
            "No conclusion",
            "No case was run, so nothing is known about this CSMS.",
        ),
    ],
)
def test_interop_headline_is_one_sentence(verdicts: list[Verdict], tone: Tone, word: str, sentence: str) -> None:
    head = headline(interop(*verdicts))
    assert (head.tone, head.word, head.sentence) == (tone, word, sentence)


def test_interrupted_run_says_so_first() -> None:
    head = headline(interop(OK, FAILED, interrupted=True))
    assert head.remarks[0] == "The run was interrupted; the report shows what had finished by then."


def test_remarks_name_what_the_sentence_leaves_out() -> None:
    remarks = " ".join(headline(interop(FAILED, Verdict.INCONCLUSIVE, Verdict.XPASS, Verdict.XPASS)).remarks)
    assert "1 case could not be judged" in remarks
    assert "2 cases declared as failing pass now" in remarks


LOAD = LoadRun(
    **COMMON,
    verdict=RunVerdict.PASSED,
    stations=Stations(requested=200, connected_peak=200, booted=200, lost=0),
    calls=[],
    throughput={"calls_total": 9000.0},
    generator=Generator(verdict="VALID", reasons=[]),
)
MET, MISSED = SloResult(expr="a", value=1, passed=True), SloResult(expr="b", value=None, passed=False)


@pytest.mark.parametrize(
    ("fields", "tone", "sentence"),
    [
        ({}, Tone.GOOD, "200 stations made 9,000 calls in 30 s; no SLO was set."),
        ({"slo": [MET]}, Tone.GOOD, "200 stations made 9,000 calls in 30 s; the one SLO was met."),
        ({"slo": [MET] * 3}, Tone.GOOD, "200 stations made 9,000 calls in 30 s; all 3 SLOs were met."),
        (
            {"slo": [MET, MISSED], "verdict": RunVerdict.FAILED},
            Tone.BAD,
            "200 stations made 9,000 calls in 30 s; 1 of 2 SLOs was missed.",
        ),
        (
            {"verdict": RunVerdict.INVALID},
            Tone.UNKNOWN,
            "The load generator could not generate the requested load, so the figures do not describe the CSMS.",
        ),
        (
            {"throughput": {}, "verdict": RunVerdict.INCONCLUSIVE, "finished": "soon"},
            Tone.UNKNOWN,
            "No call was made, so nothing is known about this CSMS.",
        ),
        (
            {"generator": Generator(verdict="DEGRADED", reasons=["lag"])},
            Tone.MIXED,
            "200 stations made 9,000 calls in 30 s; no SLO was set.",
        ),
    ],
)
def test_load_headline_is_one_sentence(fields: dict[str, Any], tone: Tone, sentence: str) -> None:
    head = headline(msgspec.structs.replace(LOAD, **fields))
    assert (head.tone, head.sentence) == (tone, sentence)


def test_missing_stations_are_remarked() -> None:
    run = msgspec.structs.replace(LOAD, stations=Stations(requested=200, connected_peak=150, booted=150, lost=0))
    assert headline(run).remarks == ("Only 150 of 200 stations were connected at the same time.",)
