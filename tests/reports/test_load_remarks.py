from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from markupsafe import escape

from evidence.plugin_results import (
    NeighbourSample,
    StormNeighbours,
    StormResult,
    StormStations,
    WatchedSeries,
    WatchResult,
)
from evidence.run_folder import read_run
from evidence.run_model import CallErrors, LoadRun, LostConnections, SloResult, Symptom, WindowResult
from evidence.verdicts import RunVerdict
from reports.headline import Tone, headline
from reports.junit import junit_xml
from reports.load_remarks import load_remarks
from reports.summary import summary_markdown
from tests.reports.report_builders import page_text, write_load

LOST = [
    LostConnections(
        how="closed-by-csms", code=1011, reason="out of memory", after="Heartbeat", count=40, first=25.0, last=26.0
    ),
    LostConnections(how="closed-by-csms", code=1011, reason="out of memory", count=7, first=24.0, last=26.0),
    LostConnections(how="lost", code=1006, reason="ping without pong", count=3, first=31.0, last=31.0),
]


def loaded(folder: Path) -> LoadRun:
    run = read_run(folder)
    assert isinstance(run, LoadRun)
    return run


def test_lost_connections_keep_their_cause_on_the_first_screen_in_the_summary_and_on_the_page(tmp_path: Path) -> None:
    folder = write_load(tmp_path / "run", lost_connections=LOST)
    run = loaded(folder)
    cause = 'the CSMS closed with 1011 "out of memory"'
    assert f"50 connections were lost, the first 24 s after the start: {cause} (47 of them)." in headline(run).remarks
    summary = summary_markdown(run)
    assert (
        '40 connections lost from 25 s to 26 s: the CSMS closed with 1011 "out of memory", while Heartbeat' in summary
    )
    assert "3 connections lost after 31 s: TCP ended without a Close frame (ping without pong)" in summary
    assert str(escape(cause)) in page_text(folder)


SYMPTOM = Symptom(word="stalls", says="the CSMS stood still for 2 s, 31 s after the start", at=31.0)


def test_a_run_that_met_everything_but_shows_a_symptom_is_not_green(tmp_path: Path) -> None:
    met = [SloResult(expr="failed CALLs <= 1 %", value=0.0, passed=True, built_in="failed-calls")]
    run = loaded(write_load(tmp_path / "run", symptoms=[SYMPTOM], slo=met, verdict=RunVerdict.PASSED))
    head = headline(run)
    assert (head.word, head.tone) == ("Passed", Tone.MIXED)
    assert head.sentence.startswith("The CSMS stood still for 2 s, 31 s after the start. 200 stations made ")
    assert head.sentence.endswith("1 built-in objective was met, and no SLO was set.")
    assert '<skipped message="The CSMS stood still for 2 s, 31 s after the start."' in junit_xml(run)


def test_a_symptom_comes_before_the_objective_that_it_made_miss(tmp_path: Path) -> None:
    reason = "9 of 24 charging attempts succeeded"
    missed = [SloResult(expr="x", value=37.5, passed=False, built_in="charging-success", reason=reason)]
    run = loaded(write_load(tmp_path / "run", symptoms=[SYMPTOM], slo=missed, verdict=RunVerdict.FAILED))
    head = headline(run)
    assert (head.word, head.tone) == ("Failed", Tone.BAD)
    assert head.sentence.startswith("The CSMS stood still for 2 s")
    assert head.remarks[0] == f"{reason}."
    assert '<failure message="The CSMS stood still' in junit_xml(run)


def test_of_an_invalid_run_a_symptom_is_told_after_that_it_is_invalid(tmp_path: Path) -> None:
    run = loaded(write_load(tmp_path / "run", symptoms=[SYMPTOM], verdict=RunVerdict.INVALID))
    assert headline(run).sentence.startswith("The load generator could not generate the requested load")
    assert headline(run).remarks[0] == "The CSMS stood still for 2 s, 31 s after the start."


def test_faulty_frames_are_frames_of_the_csms_only(tmp_path: Path) -> None:
    faults = {"late": 2, "slow-reader": 3, "slow-consumer": 4, "transaction-message-undelivered": 5}
    page = page_text(write_load(tmp_path / "run", faults=faults))
    frames, _, rest = page.partition("<h2>Faulty frames of the CSMS</h2>")[2].partition("<h2>")
    unread, _, ours = rest.partition("<h2>")
    assert ("late" in frames, "slow-" in frames, "undelivered" in frames) == (True, False, False)
    assert ("slow-reader" in unread, "slow-consumer" in unread) == (True, True)
    assert "transaction-message-undelivered" in ours


def test_what_callerrors_said_is_in_the_summary_and_on_the_page(tmp_path: Path) -> None:
    told = CallErrors(
        ocpp="1.6",
        action="StartTransaction",
        direction="station-to-csms",
        code="InternalError",
        description="deadlock <detected>",
        count=17,
        first=3.0,
        last=29.0,
    )
    folder = write_load(tmp_path / "run", callerrors=[told])
    sentence = 'StartTransaction was refused 17 times by the CSMS with InternalError "deadlock <detected>" (3 s to 29 s'
    assert sentence in summary_markdown(loaded(folder)).replace("\\", "")
    page = page_text(folder)
    for text in ("<h2>CALLERRORs</h2>", "deadlock &lt;detected&gt;", "StartTransaction, OCPP 1.6", "29 s"):
        assert text in page, text
    assert "<h2>CALLERRORs</h2>" not in page_text(write_load(tmp_path / "none"))


def test_the_first_screen_names_each_storm_and_whether_the_csms_recovered(tmp_path: Path) -> None:
    storms = [
        StormResult(
            storm="lb-drain", at=10.0, stations=StormStations(struck=90), recovered=True, recovery_ms={"max": 4200.0}
        ),
        StormResult(storm="herd", at=20.0, stations=StormStations(struck=8, unrecovered=7), recovered=False),
        StormResult(storm="clock-surge", at=29.0, stations=StormStations(struck=70)),
    ]
    remarks = load_remarks(loaded(write_load(tmp_path / "run", storms=storms, lost_connections=LOST)))
    assert remarks[:3] == [
        "The storm lb-drain struck 90 stations 10 s after the start; the CSMS recovered within 4.2 s.",
        "The storm herd struck 8 stations 20 s after the start; the CSMS did not recover. 7 of them did not come back.",
        "The storm clock-surge struck 70 stations 29 s after the start; whether the CSMS recovered was not judged.",
    ]
    assert remarks[3].endswith("50 of them were lost after the first storm had begun.")


def test_what_a_broker_delivers_wrongly_is_a_sentence_each(tmp_path: Path) -> None:
    faults = {"mqtt-other-dialect": 1, "mqtt-duplicate-delivery": 1200, "unreadable": 3}
    assert load_remarks(loaded(write_load(tmp_path / "run", faults=faults))) == [
        "1 message of the CSMS could not be read, as they are not of the dialect; the log shows the first one.",
        "1,200 messages came with the DUP flag, so the broker may have delivered them twice.",
    ]


def test_the_worst_moment_is_the_one_with_the_largest_share_of_failed_calls(tmp_path: Path) -> None:
    timeline = [{"t": float(t), "calls": 100.0, "errors": 2.0} for t in range(30)]
    timeline += [{"t": 30.0 + t, "calls": 10.0, "errors": 9.0} for t in range(5)]
    remarks = load_remarks(loaded(write_load(tmp_path / "run", timeline=timeline)))
    assert remarks == [
        "The worst moment was 30 s after the start: of 50 calls that ended within 5 s, 45 (90 %) had no proper answer."
    ]


def test_a_run_in_which_hardly_a_call_failed_has_no_worst_moment(tmp_path: Path) -> None:
    timeline = [{"t": float(t), "calls": 100.0, "errors": 0.0 if t else 4.0} for t in range(30)]
    assert load_remarks(loaded(write_load(tmp_path / "run", timeline=timeline))) == []


def test_time_outs_are_in_the_percentiles_of_the_summary(tmp_path: Path) -> None:
    """The accepted ones take some ms, and one CALL in twenty waits for 30 s: so does the p99 that is shown."""
    summary = summary_markdown(loaded(write_load(tmp_path / "run", failing=0.1)))
    row = next(line for line in summary.splitlines() if "Heartbeat" in line)
    cells = [cell.strip() for cell in row.strip("|").split("|")]
    assert "timeout" in cells[3]
    assert cells[5] == cells[7] == "30 s"


def test_stations_that_stay_away_until_the_end_are_named_and_the_goodbye_is_no_bad_moment(tmp_path: Path) -> None:
    timeline = [{"t": float(t), "connected": 20.0 if t < 6 else 3.0, "calls": 9.0, "errors": 0.0} for t in range(20)]
    timeline += [{"t": 20.0, "connected": 0.0, "calls": 90.0, "errors": 90.0}]
    windows = [
        WindowResult(name="measure", start=0.0, seconds=20.4, calls=[]),
        WindowResult(name="cool-down", start=20.4, seconds=1.0, calls=[]),
    ]
    remarks = load_remarks(loaded(write_load(tmp_path / "run", timeline=timeline, windows=windows)))
    assert remarks == ["From 6 s after the start until the end, at most 3 of 20 stations had a connection."]


def test_stations_that_come_back_are_not_left_alone(tmp_path: Path) -> None:
    timeline = [{"t": float(t), "connected": 0.0 if 6 <= t < 15 else 20.0} for t in range(20)]
    assert load_remarks(loaded(write_load(tmp_path / "run", timeline=timeline))) == []


def watched(**fields: Any) -> WatchedSeries:
    given: dict[str, Any] = {"source": "pid 7", "name": "rss", "unit": "MB", "most": 150.0, "growth": 0.45}
    return WatchedSeries(**(given | fields))


@pytest.mark.parametrize(
    ("series", "says"),
    [
        (watched(), "The memory of the CSMS (pid 7) grew by 45 % from the beginning to the end"),
        (watched(), " of the measurement, to 150 MB."),
        (watched(name="fds", unit="", most=900.0), "The number of open files of the CSMS (pid 7) grew by 45 %"),
        (watched(growth=0.1), ""),
        (watched(growth=None), ""),
        (watched(name="cpu", unit="%"), ""),
        (watched(source="http://127.0.0.1:9/metrics", name="requests_total"), ""),
    ],
)  # fmt: skip
def test_a_csms_that_grows_is_named(tmp_path: Path, series: WatchedSeries, says: str) -> None:
    run = loaded(write_load(tmp_path / "run", watch=WatchResult(series=[series])))
    said = [remark for remark in load_remarks(run) if "of the CSMS (" in remark]
    assert len(said) == bool(says)
    assert says in " ".join(said)


@pytest.mark.parametrize(("during", "is_told"), [(90.0, True), (60.0, False), (None, False)])
def test_a_storm_that_slows_its_neighbours_down_is_named(
    tmp_path: Path, during: float | None, *, is_told: bool
) -> None:
    neighbours = StormNeighbours(
        stations=60, before=NeighbourSample(p95_ms=20.0), during=NeighbourSample(p95_ms=during)
    )
    storm = StormResult(storm="lb-drain", stations=StormStations(struck=40), neighbours=neighbours, recovered=True)
    run = loaded(write_load(tmp_path / "run", storms=[storm]))
    said = [remark for remark in load_remarks(run) if "calls of the others took longer" in remark]
    assert len(said) == is_told
    if is_told:
        assert said == [
            "While lb-drain struck 40 stations, calls of the others took longer, too: p95 90 ms instead of 20 ms."
        ]
