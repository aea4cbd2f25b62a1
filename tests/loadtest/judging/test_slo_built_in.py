"""The objectives that every load run has, one by one and in their table."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from evidence.run_model import Generator
from evidence.verdicts import RunVerdict
from evidence.vocabulary import MEASURE, TO_CSMS
from loadtest.judging.result import Course, at_end, build_run
from loadtest.judging.settings import Settings
from loadtest.judging.slo import AtEnd, Figures
from loadtest.judging.slo_built_in import BUILT_IN, built_in, judge_built_in, read_objectives
from loadtest.measuring.merged import Latencies, Merged
from loadtest.measuring.recorder import Key, Recorder
from ocppj.errors import UsageError


def calls(**outcomes: int) -> dict[Key, Latencies]:
    merged, recorder = Merged(), Recorder(clock=lambda: 0.0, wall=0.0)
    recorder.window(MEASURE)
    for outcome, count in outcomes.items():
        for _ in range(count):
            recorder.call("1.6", "Heartbeat", TO_CSMS, outcome.replace("_", "-"), 0.01, 0.01, 0.01)
    merged.add(recorder.take(final=True), 0.0)
    return merged.window(MEASURE)


def figures(series: dict[Key, Latencies] | None = None, **fields: Any) -> Figures:
    given: dict[str, Any] = {
        "window": lambda name: series or {} if name == MEASURE else {},
        "seconds": {MEASURE: 10.0},
        "requested": 10,
        "connected": 10,
        "booted": 10,
        "lost": 0,
        "calls": 0,
        "faults": {},
        "connections": {"opened": 10},
    }
    return Figures(**given | fields)


def missed(found: Figures, *off: str) -> dict[str, str]:
    return {one.built_in: one.reason for one in judge_built_in(built_in({}, off), found) if not one.passed}


CASES: dict[str, tuple[Figures, str]] = {
    "csms-answers": (
        figures(at_end=AtEnd(answers=False, why="it refused the connection")),
        "the CSMS did not answer when the run was over: it refused the connection",
    ),
    "lets-stations-in": (figures(booted=0), "the CSMS accepted none of 10 connected stations: it refused them"),
    "stays-accepted": (
        figures(at_end=AtEnd(accepted=9, had_been_accepted=10)),
        "9 of 10 stations that had been accepted were still so at the end",
    ),
    "storms-recovered": (
        figures(plugins={"storm metastable": (1.0, None)}),
        "the CSMS did not recover from 1 storm",
    ),
    "charging-success": (
        figures(plugins={"kpi charging-success": (94.0, 100.0)}),
        "94 of 100 charging attempts succeeded",
    ),
    "own-checks": (
        figures(faults={"late": 9, "check: it answers": 2, "check: in time": 1}),
        'the check "it answers" of your own stations failed 2 times and 1 other checks',
    ),
    "failed-calls": (figures(calls(accepted=98, timeout=2)), "2 of 100 CALLs failed (2 timeout)"),
    "transactions-answered": (
        figures(plugins={"kpi unanswered": (1.0, 67.0)}),
        "1 of 67 transactions got no answer to their start or stop",
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_each_objective_is_missed_with_its_reason_and_can_be_switched_off(name: str) -> None:
    found, reason = CASES[name]
    assert missed(found) == {name: reason}
    assert missed(found, name) == {}


def test_every_objective_has_a_case() -> None:
    assert list(CASES) == [one.name for one in BUILT_IN]


def test_a_good_run_keeps_them_all() -> None:
    found = figures(
        calls(accepted=99, rejected=50, timeout=1),
        at_end=AtEnd(answers=True, accepted=10, had_been_accepted=10),
        plugins={
            "storm metastable": (0.0, None),
            "kpi charging-success": (95.0, 100.0),
            "kpi unanswered": (0.0, 100.0),
        },
    )
    results = judge_built_in(built_in({}), found)
    assert [one.built_in for one in results] == [one.name for one in BUILT_IN if one.name != "own-checks"]
    assert all(one.passed for one in results)


def test_what_did_not_happen_is_not_held_against_the_csms() -> None:
    assert [one.built_in for one in judge_built_in(built_in({}), figures())] == ["lets-stations-in"]


def test_calls_that_a_storm_cut_off_are_not_failures_of_the_csms() -> None:
    cut = calls(accepted=50, lost=25, never_sent=25)
    assert missed(figures(cut)) == {"failed-calls": "50 of 100 CALLs failed (25 lost, 25 never-sent)"}
    assert missed(figures(cut, plugins={"storm metastable": (0.0, None)})) == {}


def test_calls_are_left_out_for_commands_that_were_sent_and_not_for_a_way_to_send_some() -> None:
    cut = calls(accepted=50, lost=25, never_sent=25)
    assert missed(figures(cut, plugins={"command failed": (None, None)})).keys() == {"failed-calls"}
    assert missed(figures(cut, plugins={"command failed": (0.0, 7.0)})) == {}


def test_a_storm_without_an_end_decides_nothing_about_its_stations() -> None:
    end = AtEnd(accepted=1, had_been_accepted=10)
    assert missed(figures(at_end=end, plugins={"storm metastable": (None, None)})) == {}


def test_a_file_lowers_an_objective_or_switches_it_off(tmp_path: Path) -> None:
    path = tmp_path / "slo.yaml"
    path.write_text("objectives: {charging-success: 80 %, failed-calls: off, transactions-answered: 3}\n")
    chosen = {one.name: one for one in built_in(read_objectives(path))}
    assert chosen["charging-success"].text == "charging success >= 80 %"
    assert chosen["transactions-answered"].limit == 3
    assert "failed-calls" not in chosen


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("objectives: {charging-sucess: 80 %}", "did you mean 'charging-success'"),
        ("objectives: {csms-answers: 5}", "expected off"),
        ("objectives: {failed-calls: many}", "objectives.failed-calls"),
    ],
)
def test_a_mistake_names_the_line_and_the_known_word(tmp_path: Path, text: str, complaint: str) -> None:
    path = tmp_path / "slo.yaml"
    path.write_text(text)
    with pytest.raises(UsageError, match=complaint):
        read_objectives(path)


def test_an_unknown_name_on_the_command_line_is_refused() -> None:
    with pytest.raises(UsageError, match="did you mean 'failed-calls'"):
        built_in({}, ["failed-call"])


def run_with(end: AtEnd, generator: Generator, **fields: Any) -> RunVerdict:
    merged = Merged()
    merged.connections["opened"] = 10
    slo = judge_built_in(built_in({}), figures(at_end=end, **fields))
    course = Course(started=0.0, finished=10.0, windows=[(MEASURE, 0.0)])
    return build_run(merged, Settings(url="ws://127.0.0.1/", ocpp=["1.6"]), course, generator, slo).verdict


def test_a_csms_that_is_gone_has_failed_however_the_load_was_generated() -> None:
    invalid = Generator(verdict="INVALID", reasons=["no CALL fell into the window measure"])
    assert run_with(AtEnd(answers=False, why="x"), invalid) is RunVerdict.FAILED
    assert run_with(AtEnd(answers=True), invalid, booted=0) is RunVerdict.FAILED
    assert run_with(AtEnd(answers=True), invalid) is RunVerdict.INVALID


def test_stations_count_as_accepted_at_the_end_by_the_last_seconds_before_they_leave() -> None:
    merged, recorder = Merged(), Recorder()
    delta = recorder.take()
    # A second, CALLs, failed, connected, booted, opened: ten stations, three of them lost, then all told to leave.
    delta["rows"] = [(t, 0, 0, 10, 10 if t < 8 else 7, 0, 0) for t in range(16)] + [(16, 0, 0, 0, 0, 0, 0)]
    merged.add(delta, 0.0)
    course = Course(started=0.0, finished=20.0, stopped=15.2)
    assert at_end(merged, course) == AtEnd(accepted=7, had_been_accepted=10)
    course.wanted = 7
    assert at_end(merged, course) == AtEnd(accepted=7, had_been_accepted=7)
    course.wanted = 0
    assert at_end(merged, course) == AtEnd(accepted=7, had_been_accepted=0)
