from __future__ import annotations

import base64
import hashlib
import re
from pathlib import Path
from typing import Any

import pytest

from evidence.run_folder import read_run
from evidence.run_model import CallStats, Generator, Percentiles, SloResult, Stations
from evidence.verdicts import RunVerdict, Verdict
from ocppj.errors import UsageError
from reports.html import write_report
from reports.junit import write_junit
from tests.reports.page_reader import Page, page_of
from tests.reports.report_builders import (
    HOSTILE,
    Tape,
    charging_tape,
    every_verdict,
    failed_case,
    finding,
    hostile_case,
    make_case,
    report,
    write_interop,
    write_load,
    write_trace,
)


@pytest.fixture(scope="module")
def interop(tmp_path_factory: pytest.TempPathFactory) -> Page:
    folder = tmp_path_factory.mktemp("interop")
    return page_of(report(write_interop(folder, every_verdict(folder))))


@pytest.fixture(scope="module")
def load(tmp_path_factory: pytest.TempPathFactory) -> Page:
    return page_of(report(write_load(tmp_path_factory.mktemp("load"), seconds=20)))


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Page:
    folder = tmp_path_factory.mktemp("hostile")
    return page_of(report(write_interop(folder, [hostile_case(folder), make_case()])))


@pytest.fixture(params=["interop", "load", "hostile"])
def page(request: pytest.FixtureRequest) -> Page:
    found = request.getfixturevalue(request.param)
    assert isinstance(found, Page)
    return found


# -- every page ------------------------------------------------------------------------------------------------------


def test_page_needs_nothing_from_elsewhere(page: Page) -> None:
    for tag, attributes in page.elements:
        for name in ("src", "srcset", "data", "action", "background", "poster"):
            assert name not in attributes, (tag, name)
        href = attributes.get("href", "#")
        assert href.startswith(("#", "./", "data:,")), href
    assert "url(" not in "".join(page.raw["style"])


def test_only_the_script_and_style_of_the_page_are_allowed_to_work(page: Page) -> None:
    (policy,) = [meta["content"] for meta in page.all("meta", **{"http-equiv": "Content-Security-Policy"})]
    assert policy.startswith("default-src 'none'")
    for kind in ("script", "style"):
        (content,) = page.raw[kind]
        digest = base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()
        assert f"{kind}-src 'sha256-{digest}'" in policy
    assert not [name for _, attributes in page.elements for name in attributes if name.startswith("on")]
    assert not [tag for tag, attributes in page.elements if "style" in attributes]


def test_ids_are_unique_and_links_lead_somewhere(page: Page) -> None:
    ids = [attributes["id"] for _, attributes in page.elements if "id" in attributes]
    assert len(ids) == len(set(ids))
    targets = {attributes["href"][1:] for attributes in page.all("a") if attributes["href"].startswith("#")}
    assert targets <= set(ids)


def test_drawings_have_a_text_alternative_and_charts_a_table(page: Page) -> None:
    for attributes in page.all("svg"):
        assert attributes.get("aria-hidden") == "true" or attributes.get("aria-label")
    figures = len(page.all("figure"))
    assert page.words.count("Figures as a table") == figures


def test_page_has_a_title_with_the_verdict_and_one_heading_a_run(page: Page) -> None:
    assert page.words.strip().startswith(("Failed: interop ", "Passed: load "))
    assert len(page.all("h1")) == len(page.with_class("section", "run")) == 1
    assert page.all("html") == [{"lang": "en"}]


# -- interop ---------------------------------------------------------------------------------------------------------


def test_verdict_stands_first(interop: Page) -> None:
    assert "Failed This CSMS broke the specification in 1 of 10 cases." in interop.words[:2000]
    assert interop.with_class("header", "bad")


def test_cases_that_need_attention_stand_open_and_the_others_folded(interop: Page) -> None:
    cases = interop.with_class("details", "case")
    by_verdict = {case["data-verdict"]: "open" in case for case in cases}
    assert len(cases) == 11
    assert by_verdict == {
        "FAILED": True,
        "XPASS": True,
        "INCONCLUSIVE": True,
        "NON_STRICT": True,
        "XFAIL": True,
        "INFORMATIONAL": True,
        "OK": False,
        "NOT_APPLICABLE": False,
    }


def test_failed_case_tells_its_whole_story(interop: Page) -> None:
    for text in (
        "Authorize, then StartTransaction of an accepted token.",
        "The CSMS SHALL answer with a transaction id and the status of the token.",
        "(required, 1.6 §6.46)",
        '/transactionId: "17" is not of type "integer"',
        "plugstorm interop --select 1.6-TC_003_CSMS",
        '[3, "id-3", {"transactionId": "17", "idTagInfo": {"status": "Acepted"}}]',
        "Frame of the finding",
        "parentIdTag",
    ):
        assert text in interop.words, text


def test_claim_that_nothing_speaks_of_is_listed_as_not_seen(interop: Page) -> None:
    assert "not seen The transaction id is greater than zero" in interop.words


def test_flood_of_findings_does_not_flood_the_page(tmp_path: Path) -> None:
    tape = Tape().open()
    frames = [tape.frame("nonsense " * 200) for _ in range(1000)]
    bad = [finding(Verdict.FAILED, "Every frame is a message", f"frame {frame}", frame) for frame in frames]
    good = [finding(Verdict.OK, "The CSMS answers", "CALLRESULT {}", 3)] * 50
    case = make_case(
        verdict=Verdict.FAILED,
        trace=write_trace(tmp_path, "flood.jsonl", tape),
        findings=good + bad,
        actual=[f"Every frame is a message: frame {frame}" for frame in frames],
    )
    path = report(write_interop(tmp_path, [case]))
    assert path.stat().st_size < 500_000
    assert "and 971 more findings in run.json" in page_of(path).words
    assert write_junit(tmp_path, read_run(tmp_path)).stat().st_size < 10_000


def test_claim_that_holds_many_times_is_listed_once(tmp_path: Path) -> None:
    findings = [finding(Verdict.OK, "Each StatusNotification is answered", "CALLRESULT {}", None)] * 5
    case = make_case(verdict=Verdict.NON_STRICT, findings=findings, expected=[])
    assert page_of(report(write_interop(tmp_path, [case]))).words.count("Each StatusNotification") == 1


def test_profiles_are_a_matrix_of_verdicts(interop: Page) -> None:
    words = interop.words
    for profile in ("Core", "Remote Trigger", "Local Auth List", "Firmware Management", "Wire", "Security"):
        assert profile in words
    assert len(interop.with_class("section", "group")) == 7
    assert {chip["value"] for chip in interop.with_class("button", "chip")} == set(map(str, Verdict))


def test_trace_files_are_linked_from_where_the_page_lies(tmp_path: Path) -> None:
    folder = tmp_path / "runs" / "a b"
    write_interop(folder, [failed_case(folder)])
    out = tmp_path / "site" / "index.html"
    page = page_of(report(folder, out=out))
    assert "./../runs/a%20b/traces/1.6-TC_003_CSMS-1.jsonl" in {link["href"] for link in page.all("a")}


def test_missing_trace_is_said_and_the_rest_is_there(tmp_path: Path) -> None:
    case = make_case(verdict=Verdict.FAILED, reason="it broke", trace="traces/gone.jsonl")
    words = page_of(report(write_interop(tmp_path, [case]))).words
    assert "The trace traces/gone.jsonl cannot be read: No such file or directory." in words
    assert "it broke" in words


def test_run_of_another_tool_without_findings_shows_expected_and_actual(tmp_path: Path) -> None:
    case = make_case(verdict=Verdict.FAILED, expected=["an answer"], actual=["silence"], findings=[], reason="")
    assert "an answer silence" in page_of(report(write_interop(tmp_path, [case]))).words


def test_empty_run_says_that_nothing_is_known(tmp_path: Path) -> None:
    page = page_of(report(write_interop(tmp_path, [])))
    assert "No conclusion No case was run" in page.words
    assert page.with_class("header", "unknown")


def test_interrupted_run_says_so(tmp_path: Path) -> None:
    page = page_of(report(write_interop(tmp_path, [make_case()], interrupted=True)))
    assert "The run was interrupted; the report shows what had finished by then." in page.words


def test_hundred_cases_make_a_page_below_five_megabytes(tmp_path: Path) -> None:
    trace = write_trace(tmp_path, "long.jsonl", charging_tape(60))
    cases = [
        make_case(f"C{number}", Verdict.FAILED if number % 3 == 0 else Verdict.OK, trace=trace, reason="r")
        for number in range(100)
    ]
    path = report(write_interop(tmp_path, cases))
    assert path.stat().st_size < 5_000_000
    text = path.read_text("utf-8")
    assert text.count('<details class="case card"') == 100
    assert text.count('class="sequence"') > 20


# -- hostile ---------------------------------------------------------------------------------------------------------


def test_frames_of_a_hostile_csms_stay_text(hostile: Page) -> None:
    assert len(hostile.all("script")) == 1
    shown = HOSTILE.replace("\x1b", "\\u001b").replace("\x00", "\\u0000").replace("\u202e", "\\u202e")
    assert hostile.words.count(shown) > 8
    assert "alert" not in "".join(hostile.raw["script"])


def test_hidden_characters_never_reach_the_page(hostile: Page) -> None:
    text = "".join(hostile.text) + "".join(value for _, found in hostile.elements for value in found.values())
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f\u202a-\u202e\u2066-\u2069]", text)
    assert r"\ud800" in text


def test_link_to_a_file_never_becomes_a_script(hostile: Page) -> None:
    assert "./javascript%3Aalert%281%29" in {link["href"] for link in hostile.all("a")}


def test_huge_frame_is_cut_with_a_note(hostile: Page) -> None:
    assert "Cut here: the whole frame has 1,000,036 characters." in hostile.words
    assert len("".join(hostile.text)) < 100_000


# -- load ------------------------------------------------------------------------------------------------------------


def test_load_page_shows_each_part_of_the_run(load: Page) -> None:
    for text in (
        "200 stations made",
        "both SLOs were met",
        "p99(Authorize, response) < 250 ms",
        "The load generator kept its own schedule",
        "Throughput",
        "Latency per action",
        "rejected",
        "refused 503",
        "unsolicited",
        "0 lost",
        "spawn rate",
    ):
        assert text in load.words, text
    assert load.with_class("header", "good")


def test_load_page_has_a_curve_for_the_busiest_actions(load: Page) -> None:
    labels = [svg.get("aria-label", "") for svg in load.with_class("svg", "chart")]
    assert sum(label.startswith("Latency of ") for label in labels) == 6
    assert any(label.startswith("Throughput") for label in labels)
    assert any(label.startswith("Stations") for label in labels)


def test_table_of_calls_can_be_sorted_by_its_figures(load: Page) -> None:
    assert len(load.with_class("table", "sortable")) == 1
    keys = [cell["data-key"] for cell in load.all("td") if "data-key" in cell]
    assert len(keys) % 15 == 0
    assert all(float(key) >= -1 for place, key in enumerate(keys) if place % 15 >= 4)


def test_load_run_without_histograms_falls_back_to_run_json(tmp_path: Path) -> None:
    page = page_of(report(write_load(tmp_path, seconds=5, histograms=False)))
    assert "No histogram file was found" in page.words
    assert "accepted only" in page.words


def test_damaged_histogram_file_is_named(tmp_path: Path) -> None:
    write_load(tmp_path, seconds=5)
    (tmp_path / "histograms" / "measure-2.hlog").write_text("Tag=a/b/c/d/service,0.0,1.0,1.0,HISTFAAAAEV42pNpmSz\n")
    (tmp_path / "histograms" / "measure-3.hlog").write_bytes(b"\xff\xfe\x00")
    assert "These files are not readable: measure-2.hlog, measure-3.hlog." in page_of(report(tmp_path)).words


def test_invalid_generator_stands_above_every_figure(tmp_path: Path) -> None:
    generator = Generator(verdict="INVALID", reasons=["No CPU was left."], lag_ms_p99=900.0, details={"workers": []})
    write_load(tmp_path, seconds=5, generator=generator, verdict=RunVerdict.INVALID)
    page = page_of(report(tmp_path))
    assert "Invalid run The load generator could not generate the requested load" in page.words
    assert "No CPU was left." in page.words


EMPTY: dict[str, Any] = {
    "calls": [],
    "timeline": [],
    "windows": [],
    "slo": [],
    "ledger": {},
    "faults": {},
    "connections": {},
    "throughput": {},
    "settings": {},
    "stations": Stations(requested=200, connected_peak=0, booted=0, lost=0),
    "verdict": RunVerdict.INCONCLUSIVE,
    "interrupted": True,
}


def test_load_run_that_measured_nothing_still_makes_a_page(tmp_path: Path) -> None:
    page = page_of(report(write_load(tmp_path, seconds=1, histograms=False, **EMPTY)))
    assert "No call was made" in page.words
    assert "Only 0 of 200 stations" in page.words
    assert not page.all("figure")


def test_many_actions_are_cut_to_the_busiest_with_a_note(tmp_path: Path) -> None:
    latency = Percentiles(p50=1, p90=2, p99=3, p999=4, max=5)
    calls = [
        CallStats(
            ocpp="1.6",
            action=f"Action{number}",
            direction="csms-to-station",
            outcome="accepted",
            count=1000 - number,
            response_ms=latency,
        )
        for number in range(20)
    ]
    page = page_of(report(write_load(tmp_path, seconds=2, histograms=False, calls=calls)))
    assert "Only the 14 most frequent of 20 actions are shown; the table below has all." in page.words
    assert "Action0, OCPP 1.6, asked by the CSMS" in page.words
    assert "Action19" in page.words


def test_missed_objective_comes_before_those_that_were_met(tmp_path: Path) -> None:
    slo = [SloResult(expr="met-one", value=1, passed=True), SloResult(expr="missed-one", value=None, passed=False)]
    words = page_of(report(write_load(tmp_path, seconds=2, slo=slo, verdict=RunVerdict.FAILED))).words
    assert words.index("missed-one") < words.index("met-one")
    assert "missed-one no value" in words


# -- several runs, and mistakes --------------------------------------------------------------------------------------


def test_several_runs_share_one_page_beside_them(tmp_path: Path) -> None:
    first = write_interop(tmp_path / "runs" / "one", [make_case()])
    second = write_load(tmp_path / "runs" / "two", seconds=2)
    path = report(first, second)
    assert path == tmp_path / "runs" / "report.html"
    page = page_of(path)
    assert [section["id"] for section in page.with_class("section", "run")] == ["run1", "run2"]
    assert "interop: passed" in page.words
    assert "load: passed" in page.words


def test_two_runs_of_one_kind_are_numbered(tmp_path: Path) -> None:
    folders = [write_interop(tmp_path / name, [make_case()]) for name in ("a", "b")]
    words = page_of(report(*folders)).words
    assert "interop 1: passed" in words
    assert "interop 2: passed" in words


def test_report_written_twice_is_the_same(tmp_path: Path) -> None:
    write_interop(tmp_path, every_verdict(tmp_path))
    first = report(tmp_path).read_bytes()
    assert report(tmp_path).read_bytes() == first


def test_report_of_no_run_is_a_usage_error() -> None:
    with pytest.raises(UsageError, match="No run folder was named"):
        write_report([])


def test_place_that_cannot_be_written_is_a_usage_error(tmp_path: Path) -> None:
    folder = write_interop(tmp_path / "run", [make_case()])
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match="cannot be written"):
        report(folder, out=tmp_path / "file" / "report.html")
