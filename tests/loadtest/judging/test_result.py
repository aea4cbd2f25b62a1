from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from evidence import exit_codes
from evidence.histogram import Tag, read_hlog
from evidence.run_folder import RunFolder, read_run
from evidence.run_model import Generator, LoadRun, SloResult
from evidence.verdicts import RunVerdict
from evidence.vocabulary import MEASURE, RAMP, TO_CSMS, WARM_UP
from loadtest.judging.result import Course, build_run, exit_code, measured_seconds, write_result
from loadtest.judging.settings import Settings
from loadtest.measuring.merged import Merged
from loadtest.measuring.recorder import Recorder

STARTED = 1_700_000_000.0
VALID = Generator(verdict="VALID", reasons=[])
INVALID = Generator(verdict="INVALID", reasons=["x"])


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def course() -> Course:
    windows = [(RAMP, STARTED), (WARM_UP, STARTED + 4), (MEASURE, STARTED + 10)]
    return Course(started=STARTED, finished=STARTED + 30, windows=windows, stations=3)


@pytest.fixture
def settings() -> Settings:
    return Settings(
        url="ws://user:hunter2@127.0.0.1:9000/ocpp",
        ocpp=["1.6"],
        stations=5,
        seed=7,
        details={"note": "the password is hunter2"},
        secrets=frozenset({"hunter2"}),
    )


@pytest.fixture
def merged() -> Merged:
    """Half a minute in which a heartbeat takes 10 ms and one of ten times out."""
    clock = Clock()
    recorder = Recorder(clock=clock, wall=STARTED)
    recorder.connection("opened")
    recorder.connected(+3)
    recorder.booted(+2)
    merged = Merged()
    for second in range(30):
        clock.now = float(second)
        recorder.window(RAMP if second < 4 else WARM_UP if second < 10 else MEASURE)
        for n in range(10):
            outcome, latency = ("timeout", 0.5) if n == 9 else ("accepted", 0.010)
            recorder.call("1.6", "Heartbeat", TO_CSMS, outcome, latency, latency, clock.now + latency)
        recorder.call("1.6", "Reset", "csms-to-station", "accepted", 0.001, 0.001, clock.now + 0.001)
        merged.add(recorder.take(), clock.now)
    merged.add(recorder.take(final=True), 30.0)
    return merged


def test_only_the_window_measure_is_in_the_calls(merged: Merged, settings: Settings, course: Course) -> None:
    run = build_run(merged, settings, course, VALID)
    found = {(call.action, call.direction, call.outcome): call for call in run.calls}
    assert {key: call.count for key, call in found.items()} == {
        ("Heartbeat", "station-to-csms", "accepted"): 180,
        ("Heartbeat", "station-to-csms", "timeout"): 20,
        ("Reset", "csms-to-station", "accepted"): 20,
    }
    accepted = found["Heartbeat", "station-to-csms", "accepted"]
    assert accepted.service_ms is not None
    assert accepted.service_ms.p99 == pytest.approx(10, rel=0.001)
    timeout = found["Heartbeat", "station-to-csms", "timeout"]
    assert timeout.response_ms is not None
    assert timeout.response_ms.p50 >= 500


def test_all_windows_together_hold_every_call(merged: Merged, settings: Settings, course: Course) -> None:
    run = build_run(merged, settings, course, VALID)
    assert [(window.name, window.start, window.seconds) for window in run.windows] == [
        (RAMP, 0, 4),
        (WARM_UP, 4, 6),
        (MEASURE, 10, 20),
    ]
    assert sum(call.count for window in run.windows for call in window.calls) == merged.calls == 330
    assert run.throughput["calls_total"] == 330


def test_a_window_that_the_master_did_not_see_is_reported_too(settings: Settings, merged: Merged) -> None:
    course = Course(started=STARTED, finished=STARTED + 30, windows=[(RAMP, STARTED)])
    run = build_run(merged, settings, course, VALID)
    assert sum(call.count for window in run.windows for call in window.calls) == merged.calls


def test_rates_are_those_of_the_window_measure(merged: Merged, settings: Settings, course: Course) -> None:
    throughput = build_run(merged, settings, course, VALID).throughput
    assert measured_seconds(course) == 20
    assert throughput["calls_per_s"] == 10
    assert throughput["accepted_per_s"] == 9
    assert throughput["failed_per_s"] == 1
    assert throughput["commands_per_s"] == 1


def test_stations_and_timeline_come_from_the_seconds(merged: Merged, settings: Settings, course: Course) -> None:
    run = build_run(merged, settings, course, VALID)
    assert (run.stations.requested, run.stations.connected_peak, run.stations.booted) == (5, 3, 2)
    assert len(run.timeline) == 30
    assert run.timeline[5] == {
        "t": 5,
        "connected": 3,
        "booted": 2,
        "calls": 11,
        "errors": 1,
        "opened": 0,
        "waiting": 0,
    }
    assert sum(row["calls"] for row in run.timeline) == 330


def test_a_run_of_many_hours_keeps_its_rates_in_fewer_rows(settings: Settings, course: Course) -> None:
    merged = Merged()
    rows: Any = [(int(STARTED) + second, 7, 0, 5, 5, 0, 0) for second in range(50_000)]
    delta = Recorder().take()
    delta["rows"] = rows
    merged.add(delta, 0.0)
    timeline = build_run(merged, settings, course, VALID).timeline
    assert len(timeline) <= 7200
    assert timeline[-1]["t"] > 49_900
    assert {row["calls"] for row in timeline} == {7.0}


def verdict(settings: Settings, course: Course, merged: Merged | None = None, **changes: Any) -> tuple[str, int]:
    slo = changes.pop("slo", None)
    generator = changes.pop("generator", VALID)
    for name, value in changes.items():
        setattr(course, name, value)
    run = build_run(merged or Merged(), settings, course, generator, slo)
    return run.verdict, exit_code(run)


def test_verdict_and_exit_code_agree(merged: Merged, settings: Settings, course: Course) -> None:
    missed = [SloResult(expr="p99 < 5", value=10, passed=False)]
    assert verdict(settings, course, merged) == (RunVerdict.PASSED, exit_codes.PASSED)
    assert verdict(settings, course, merged, slo=missed) == (RunVerdict.FAILED, exit_codes.FAILED)
    assert verdict(settings, course, merged, slo=missed, generator=INVALID) == (RunVerdict.INVALID, exit_codes.INVALID)
    undecided = [SloResult(expr="p99 < 5", value=1, passed=False, undecided=True, n=4)]
    assert verdict(settings, course, merged, slo=undecided) == (RunVerdict.INCONCLUSIVE, exit_codes.INVALID)
    assert verdict(settings, course, merged, slo=undecided + missed) == (RunVerdict.FAILED, exit_codes.FAILED)


def test_a_csms_that_never_answered_is_unreachable(settings: Settings, course: Course) -> None:
    merged = Merged()
    merged.connections["refused 401"] = 12
    found = verdict(settings, course, merged, generator=INVALID)
    assert found == (RunVerdict.INCONCLUSIVE, exit_codes.UNREACHABLE)


def test_an_interrupted_run_says_so_and_is_judged_by_what_it_has(
    merged: Merged, settings: Settings, course: Course
) -> None:
    assert verdict(settings, course, merged, interrupted=True) == (RunVerdict.PASSED, exit_codes.INTERRUPTED)
    assert verdict(settings, course, Merged(), interrupted=True) == (RunVerdict.INCONCLUSIVE, exit_codes.INTERRUPTED)


def test_the_folder_holds_the_result_without_secrets(
    tmp_path: Path, merged: Merged, settings: Settings, course: Course
) -> None:
    folder = RunFolder.create(tmp_path / "run", "load")
    run = build_run(merged, settings, course, VALID)
    write_result(folder, run, merged, settings, course)
    read = read_run(folder.path)
    assert isinstance(read, LoadRun)
    assert read.windows == run.windows
    text = folder.run_json.read_text()
    assert "hunter2" not in text
    assert json.loads(text)["kind"] == "load"
    assert {path.name for path in folder.histograms.iterdir()} == {"ramp.hlog", "warm-up.hlog", "measure.hlog"}


def test_logs_and_result_tell_the_same(tmp_path: Path, merged: Merged, settings: Settings, course: Course) -> None:
    folder = RunFolder.create(tmp_path / "run", "load")
    run = build_run(merged, settings, course, VALID)
    write_result(folder, run, merged, settings, course)
    counted: dict[tuple[str, str, str, str], int] = {}
    for line in read_hlog(folder.histograms / "measure.hlog"):
        tag = Tag.parse(line.tag)
        if tag.kind == "response":
            key = (tag.ocpp, tag.action, tag.direction, tag.outcome)
            counted[key] = counted.get(key, 0) + line.histogram.count
    assert counted == {(call.ocpp, call.action, call.direction, call.outcome): call.count for call in run.calls}
