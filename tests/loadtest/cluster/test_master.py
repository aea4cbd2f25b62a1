from __future__ import annotations

import logging
import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import gevent
import pytest

from evidence import exit_codes
from evidence.plugin_results import LedgerResult
from evidence.run_folder import read_run
from evidence.run_model import LoadRun
from evidence.vocabulary import COOL_DOWN, MEASURE, OPENED, RAMP, TO_CSMS
from loadtest.cluster.delivery import ReportQueue
from loadtest.cluster.master import MasterEnd
from loadtest.cluster.same_program import PROGRAM
from loadtest.judging.settings import Settings
from loadtest.judging.slo import Threshold
from loadtest.judging.slo_expression import parse
from loadtest.measuring.recorder import Delta, Recorder
from loadtest.plugins.contract import Conclusion, Note, Plugin, RunAccess
from ocppj.errors import UsageError


class Fixture:
    """A master end with two workers that are driven by hand."""

    def __init__(self, out: Path, *, stop: Callable[[], None] = lambda: None, **settings: Any) -> None:
        self.sent: list[tuple[str, dict[str, Any]]] = []
        known = {"url": "ws://127.0.0.1:1", "ocpp": ["1.6"], "out": str(out), "live": False, "flush_timeout": 0.3}
        self.master = MasterEnd(
            Settings(**{**known, **settings}),
            lambda worker, message: self.sent.append((worker, message)),
            workers=lambda: ["host_a", "host_b"],
            name=lambda worker: f"worker {worker[-1]}",
            stop=stop,
        )
        self.recorders = {name: Recorder() for name in ("host_a", "host_b")}
        self.report_queues = {
            name: ReportQueue(recorder, dict, time.monotonic) for name, recorder in self.recorders.items()
        }

    def begin(self) -> None:
        self.master.target = 2
        self.master.begin()
        for report_queue in self.report_queues.values():
            report_queue.begin(1)

    def call(self, worker: str, count: int) -> None:
        for _ in range(count):
            self.recorders[worker].call("1.6", "Heartbeat", TO_CSMS, "accepted", 0.001, 0.001)

    def report(self, worker: str, *, last: bool = False) -> None:
        for report in self.report_queues[worker].reports(last=last):
            self.master.handle(worker, {"kind": "report", "report": report})

    def told(self, worker: str, kind: str) -> list[dict[str, Any]]:
        return [message for to, message in self.sent if to == worker and message["kind"] == kind]


@pytest.fixture
def fixture(tmp_path: Path) -> Fixture:
    return Fixture(tmp_path / "run")


def test_every_worker_hears_of_the_run_and_a_late_one_too(fixture: Fixture, tmp_path: Path) -> None:
    fixture.begin()
    told = [{"kind": "run", "run": 1, "window": RAMP, "folder": str(tmp_path.resolve() / "run")}]
    for worker in ("host_a", "host_b"):
        assert fixture.told(worker, "run") == told
    fixture.master.handle("host_c", {"kind": "hello", "version": PROGRAM})
    assert fixture.told("host_c", "run") == told


@pytest.mark.parametrize("version", ["0.0.9", ""])
def test_a_worker_of_another_version_takes_no_part(fixture: Fixture, version: str) -> None:
    hello = {"kind": "hello"} | ({"version": version} if version else {})
    fixture.master.handle("host_b", hello)
    (refused,) = fixture.told("host_b", "refused")
    assert version in refused["why"]
    assert PROGRAM in refused["why"]
    fixture.begin()
    assert len(fixture.told("host_a", "run")) == 1
    fixture.master.handle("host_b", hello)
    fixture.report("host_b")
    assert {message["kind"] for to, message in fixture.sent if to == "host_b"} == {"refused"}


def test_a_run_that_began_with_a_worker_of_another_version_goes_on_without(fixture: Fixture) -> None:
    fixture.begin()
    fixture.master.handle("host_b", {"kind": "hello", "version": "0.0.9"})
    fixture.call("host_a", 3)
    fixture.report("host_a", last=True)
    fixture.report("host_b", last=True)
    fixture.master.finish()
    assert fixture.master.result is not None
    assert [worker["name"] for worker in fixture.master.result.generator.details["workers"]] == ["worker a"]
    (warning,) = fixture.master.result.warnings
    assert warning.startswith("Worker b takes no part: it is Plugstorm 0.0.9")


def test_before_a_run_a_greeting_has_no_answer(fixture: Fixture) -> None:
    fixture.master.handle("host_a", {"kind": "hello", "version": PROGRAM})
    assert fixture.told("host_a", "run") == []


def test_reports_are_acknowledged(fixture: Fixture) -> None:
    fixture.begin()
    fixture.report("host_a")
    assert fixture.told("host_a", "ack") == [{"kind": "ack", "ack": {"run": 1, "upto": 1}}]


def test_the_window_follows_the_stations_and_is_announced(tmp_path: Path) -> None:
    fixture = Fixture(tmp_path / "run", warm_up=0.0)
    fixture.begin()
    fixture.master.spawned = True
    fixture.master.beat()
    assert fixture.told("host_a", "window") == []
    for worker, recorder in fixture.recorders.items():
        recorder.connection(OPENED)
        recorder.connected(+1)
        recorder.booted(+1)
        fixture.report(worker)
    fixture.master.beat()
    assert fixture.told("host_a", "window") == [{"kind": "window", "window": MEASURE}]
    fixture.master.cool_down()
    fixture.master.cool_down()
    assert [message["window"] for message in fixture.told("host_b", "window")] == [MEASURE, COOL_DOWN]


@pytest.mark.parametrize("jump", [3600.0, -3600.0])
def test_setting_the_wall_clock_moves_no_window_and_breaks_no_objective(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, jump: float
) -> None:
    stopped: list[bool] = []
    slo = [Threshold(expression=parse("lost == 1"), abort=True, delay=600.0)]
    fixture = Fixture(tmp_path / "run", duration=600.0, cool_down=60.0, slo=slo, stop=lambda: stopped.append(True))
    fixture.begin()
    wall = time.time
    monkeypatch.setattr(time, "time", lambda: wall() + jump)
    fixture.call("host_a", 1)
    fixture.report("host_a")
    fixture.master.beat()
    assert fixture.told("host_a", "window") == []
    assert stopped == []
    fixture.master.cool_down()
    for worker in fixture.report_queues:
        fixture.report(worker, last=True)
    fixture.master.finish()
    result = fixture.master.result
    assert result is not None
    assert [window.name for window in result.windows] == [RAMP, COOL_DOWN]
    assert all(0 <= window.start < 600 and window.seconds < 600 for window in result.windows)
    assert 0 <= seconds_between(result) < 600
    assert result.timeline


def seconds_between(result: LoadRun) -> float:
    started, finished = map(datetime.fromisoformat, (result.started, result.finished))
    return (finished - started).total_seconds()


def test_the_end_waits_for_the_last_report_of_every_worker(fixture: Fixture, tmp_path: Path) -> None:
    fixture.begin()
    fixture.call("host_a", 10)
    fixture.report("host_a", last=True)
    fixture.call("host_b", 5)
    ending = gevent.spawn(fixture.master.finish)
    gevent.sleep(0)
    assert fixture.told("host_a", "finish") == []
    assert fixture.told("host_b", "finish") == [{"kind": "finish", "run": 1}]
    assert not ending.dead
    fixture.report("host_b", last=True)
    ending.get(timeout=10)
    assert fixture.master.result is not None
    assert fixture.master.result.throughput["calls_total"] == 15
    assert all(worker["complete"] for worker in fixture.master.result.generator.details["workers"])
    assert read_run(tmp_path / "run").started == fixture.master.result.started


def test_the_end_waits_on_while_stations_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker with many stations needs longer to end them than the end waits for figures that do not come."""
    patience, now = 60.0, 1000.0
    monkeypatch.setattr("loadtest.cluster.master.time", SimpleNamespace(monotonic=lambda: now, time=time.time))
    fixture = Fixture(tmp_path / "run", flush_timeout=patience)
    fixture.begin()
    fixture.report("host_a", last=True)
    stations = 4
    fixture.recorders["host_b"].connected(stations)
    fixture.report("host_b")
    ending = gevent.spawn(fixture.master.finish)
    gevent.sleep(0)
    for _ in range(stations):
        now += patience * 0.9
        fixture.recorders["host_b"].connected(-1)
        fixture.report("host_b")
        gevent.sleep(0)
    assert not ending.dead
    fixture.call("host_b", 5)
    fixture.report("host_b", last=True)
    ending.get(timeout=10)
    assert fixture.master.result is not None
    assert fixture.master.result.throughput["calls_total"] == 5
    assert all(worker["complete"] for worker in fixture.master.result.generator.details["workers"])


def test_calls_without_an_end_in_the_last_figures_are_told(fixture: Fixture) -> None:
    fixture.begin()
    for worker in fixture.recorders:
        fixture.recorders[worker].offered(10)
        fixture.call(worker, 10)
    fixture.recorders["host_b"].offered(3)
    for worker in fixture.report_queues:
        fixture.report(worker, last=True)
    fixture.master.finish()
    assert fixture.master.result is not None
    generator = fixture.master.result.generator
    assert [worker["unended"] for worker in generator.details["workers"]] == [0, 3]
    assert {"unended", "lost_share"} <= set(generator.broken)
    (told,) = [reason for reason in generator.reasons if "so no outcome counts them" in reason]
    assert told.startswith("3 CALLs had no end in the last figures of worker b (pid None, 0 stations, 10 CALLs")


def test_a_worker_that_stays_silent_is_named_when_the_time_is_over(fixture: Fixture) -> None:
    fixture.begin()
    fixture.call("host_a", 10)
    fixture.report("host_a", last=True)
    fixture.master.finish()
    assert fixture.master.result is not None
    assert [reason for reason in fixture.master.result.generator.reasons if "Worker b" in reason]
    assert fixture.master.exit_code == exit_codes.INVALID


class NoteCounter(Plugin):
    """A plugin that counts notes, and does something for others."""

    name = "counter"
    kinds = frozenset({"counted"})

    def __init__(self) -> None:
        self.heard: list[tuple[str, Note]] = []
        self.access: RunAccess | None = None
        self.beats: list[str] = []
        self.calls = 0
        self.stopped = 0

    def begin(self, access: RunAccess) -> None:
        self.access = access

    def note(self, worker: str, note: Note) -> None:
        self.heard.append((worker, note))

    def delta(self, delta: Delta) -> None:
        self.calls += sum(sum(response.values()) for rows in delta["windows"].values() for *_, response in rows)

    def beat(self, elapsed: float, window: str) -> None:
        assert elapsed >= 0
        self.beats.append(window)

    def asked(self, kind: str, request: dict[str, Any]) -> bool:
        return kind == "count" and request["from"] == 1

    def stopping(self) -> None:
        self.stopped += 1

    def conclude(self) -> Conclusion:
        return Conclusion(fields={"ledger": {"judged": len(self.heard)}}, invalid=["one note is missing"])


class Idle(Plugin):
    """A plugin that has a use for nothing."""

    name = "idle"


def test_a_plugin_hears_each_note_once_orders_the_workers_and_writes_into_the_result(tmp_path: Path) -> None:
    counter = NoteCounter()
    fixture = Fixture(tmp_path / "run", plugins=[Idle(), counter])
    fixture.begin()
    assert counter.access is not None
    assert counter.access.folder == tmp_path / "run"
    assert counter.access.ask("count", {"from": 1})
    assert not counter.access.ask("count", {"from": 2})
    counter.access.order({"kind": "check_target", "number": 1})
    for worker in ("host_a", "host_b"):
        assert fixture.told(worker, "order") == [{"kind": "order", "order": {"kind": "check_target", "number": 1}}]
        fixture.recorders[worker].note("counted", 1, "first")
        fixture.recorders[worker].note("ignored", 2)
    fixture.call("host_a", 3)
    fixture.master.beat()
    fixture.report("host_a")
    fixture.report("host_a", last=True)
    fixture.report("host_b", last=True)
    fixture.master.finish()
    assert counter.heard == [("host_a", ["counted", 1, "first"]), ("host_b", ["counted", 1, "first"])]
    assert (counter.beats, counter.stopped, counter.calls) == ([RAMP], 1, 3)
    result = read_run(tmp_path / "run")
    assert isinstance(result, LoadRun)
    assert result.ledger == LedgerResult(judged=2)
    assert result.generator.verdict == "INVALID"
    assert "one note is missing" in result.generator.reasons


def test_an_impatient_person_does_not_wait(tmp_path: Path) -> None:
    fixture = Fixture(tmp_path / "run", flush_timeout=1000.0)
    fixture.begin()
    fixture.master.interrupt()
    ending = gevent.spawn(fixture.master.finish)
    gevent.sleep(0)
    fixture.master.hurry()
    ending.get(timeout=10)
    assert fixture.master.exit_code == exit_codes.INTERRUPTED


def test_ending_twice_writes_once(fixture: Fixture) -> None:
    fixture.begin()
    for worker in fixture.report_queues:
        fixture.report(worker, last=True)
    both = [gevent.spawn(fixture.master.finish) for _ in range(2)]
    gevent.joinall(both, timeout=10, raise_error=True)
    assert fixture.master.result is not None
    fixture.master.finish()


def test_figures_that_come_after_the_end_are_not_lost_silently(
    fixture: Fixture, caplog: pytest.LogCaptureFixture
) -> None:
    fixture.begin()
    for worker in fixture.report_queues:
        fixture.report(worker, last=True)
    fixture.master.finish()
    fixture.report("host_a", last=True)
    assert caplog.messages == []
    fixture.call("host_a", 3)
    with caplog.at_level(logging.WARNING):
        fixture.report("host_a", last=True)
    assert "worker a sent figures for a run that is over; they are in no result." in caplog.messages
    assert fixture.told("host_a", "ack")


def test_a_result_that_cannot_be_written_is_a_usage_error_and_no_crash(fixture: Fixture, tmp_path: Path) -> None:
    fixture.begin()
    for worker in fixture.report_queues:
        fixture.call(worker, 1)
        fixture.report(worker, last=True)
    for folder in ("histograms", "traces"):
        (tmp_path / "run" / folder).rmdir()
    (tmp_path / "run").rmdir()
    (tmp_path / "run").write_text("in the way")
    fixture.master.finish()
    assert fixture.master.exit_code == exit_codes.USAGE


def test_a_master_that_never_ran_leaves_no_folder(fixture: Fixture, tmp_path: Path) -> None:
    assert (tmp_path / "run").is_dir()
    fixture.master.close()
    assert not (tmp_path / "run").exists()


def test_a_full_disk_leaves_the_table_a_message_and_what_could_be_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    fixture = Fixture(tmp_path / "run", live=True)
    fixture.begin()
    for worker in fixture.report_queues:
        fixture.call(worker, 3)
        fixture.report(worker, last=True)

    def full(path: Path, *_: Any, **__: Any) -> None:
        raise UsageError(f"{path} cannot be written: No space left on device")

    monkeypatch.setattr("loadtest.judging.result.write_hlog", full)
    fixture.master.finish()
    said = capsys.readouterr().err
    assert "Verdict: " in said
    assert "ramp.hlog cannot be written: No space left on device; what could not be written is lost" in said
    assert fixture.master.exit_code == exit_codes.USAGE
    run = read_run(tmp_path / "run")
    assert isinstance(run, LoadRun)
    assert run.throughput["calls_total"] == 6


def test_what_is_plainly_wrong_is_said_once_and_kept(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    fixture = Fixture(tmp_path / "run")
    fixture.begin()
    fixture.recorders["host_a"].connected(1)
    fixture.recorders["host_a"].booted(1)
    fixture.recorders["host_a"].connection(OPENED)
    for _ in range(4):
        fixture.recorders["host_a"].call("1.6", "Authorize", TO_CSMS, "rejected", 0.001, 0.001)
    for worker in fixture.report_queues:
        fixture.report(worker)
    with caplog.at_level(logging.WARNING):
        fixture.master.beat()
        fixture.master.beat()
    (sentence,) = [message for message in caplog.messages if "refused every token" in message]
    for worker in fixture.report_queues:
        fixture.report(worker, last=True)
    fixture.master.finish()
    run = read_run(tmp_path / "run")
    assert isinstance(run, LoadRun)
    assert run.warnings == [sentence]


def test_a_run_in_which_nobody_is_connected_any_more_ends_by_itself(tmp_path: Path) -> None:
    stops: list[float] = []
    fixture = Fixture(tmp_path / "run", alone_after=0.2, stop=lambda: stops.append(time.monotonic()))
    fixture.begin()
    fixture.recorders["host_a"].connected(1)
    for worker in fixture.report_queues:
        fixture.report(worker)
    fixture.master.beat()
    gevent.sleep(0.3)
    fixture.master.beat()
    assert stops == []
    fixture.recorders["host_a"].connected(-1)
    fixture.report("host_a", last=True)
    fixture.master.beat()
    gevent.sleep(0.3)
    fixture.master.beat()
    fixture.master.beat()
    assert len(stops) == 1
    fixture.report("host_b", last=True)
    fixture.master.finish()
    run = read_run(tmp_path / "run")
    assert isinstance(run, LoadRun)
    assert "nobody had been connected for 0.2 s" in run.stopped_early


def test_a_storm_that_keeps_every_station_away_ends_no_run(tmp_path: Path) -> None:
    class Away(Plugin):
        name = "away"
        keeps_stations_away = True

    stops: list[float] = []
    fixture = Fixture(tmp_path / "run", alone_after=0.1, plugins=[Away()], stop=lambda: stops.append(0.0))
    fixture.begin()
    fixture.master.beat()
    gevent.sleep(0.2)
    fixture.master.beat()
    assert stops == []
