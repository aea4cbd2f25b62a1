"""The stations that a storm leaves alone, and how they fare meanwhile."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import msgspec
import pytest

from evidence.plugin_results import StormResult
from evidence.vocabulary import MEASURE, TO_CSMS
from loadtest.judging.slo import Figures, judge, threshold
from loadtest.measuring.recorder import Recorder
from loadtest.plugins.contract import RunAccess
from loadtest.plugins.quantities import QUANTITIES
from loadtest.plugins.storms.neighbours import CALLS, Neighbours, StruckCalls, slower
from loadtest.plugins.storms.plugin import StormPlugin
from loadtest.plugins.storms.process import KIND, StormProcess
from loadtest.timing.backoff import Backoff, parse_backoff
from loadtest.workload.storms import Blackout, LbDrain, write_storm
from ocppj.errors import UsageError
from tests.loadtest.fleet_harness import FleetHarness, charging


class Run:
    """A run whose recorder and clock the test moves; of its 100 stations a storm strikes 40."""

    def __init__(self, folder: Path, storm: LbDrain) -> None:
        self.now = 0.0
        self.started = time.time()
        self.recorder = Recorder(clock=lambda: self.now, wall=self.started)
        self.struck = StruckCalls()
        self.recorder.before_take.append(self._tell)
        self.plugin = StormPlugin([storm], backoff=parse_backoff("none"), seed=3)
        self.plugin.begin(
            RunAccess(
                order=lambda _: None,
                folder=folder,
                url="ws://127.0.0.1:1",
                stations=100,
                started=self.started,
                clock=lambda: self.now,
                target=lambda: 100,
            )
        )

    def _tell(self) -> None:
        if (taken := self.struck.take()) is not None:
            self.recorder.note(CALLS, *taken)

    def second(self, *, neighbours_ms: float, struck_ms: float | None = None) -> None:
        """Let a second pass in which 60 neighbours, and 40 struck stations, each send a CALL."""
        for number in range(60):
            self.call((neighbours_ms + number / 10) / 1000)
        for _ in range(40 if struck_ms is not None else 0):
            assert struck_ms is not None
            self.call(struck_ms / 1000)
            self.struck.add(struck_ms / 1000, "accepted")
        self.now += 1.0
        self.plugin.delta(self.recorder.take())
        self.plugin.beat(self.now, MEASURE)

    def call(self, seconds: float) -> None:
        self.recorder.call("1.6", "Heartbeat", TO_CSMS, "accepted", seconds, seconds)

    def result(self) -> StormResult:
        (found,) = self.plugin.conclude().fields["storms"]
        return msgspec.convert(found, StormResult)


def judged(run: Run, line: str) -> tuple[float | None, bool]:
    quantities = {f"storm {name}": pair for name, pair in run.plugin.conclude().quantities.items()}
    figures = Figures(
        window=lambda _: {}, seconds={}, requested=1, connected=1, booted=1, lost=0, calls=1, faults={}, connections={},
        plugins=quantities,
    )  # fmt: skip
    (result,) = judge([threshold(line, quantities=QUANTITIES)], figures)
    return result.value, result.passed


def stormy(folder: Path, *, during_ms: float) -> Run:
    run = Run(folder, LbDrain(at=10.0, share=0.4))
    for _ in range(12):
        run.second(neighbours_ms=20.0, struck_ms=20.0)
    run.plugin.note("w", [KIND, 1, {"struck": {0: 40}}])
    for _ in range(20):
        run.second(neighbours_ms=during_ms, struck_ms=9000.0)
    return run


def test_neighbours_that_wait_are_found_among_struck_stations_that_wait_longer(tmp_path: Path) -> None:
    run = stormy(tmp_path, during_ms=60.0)
    found = run.result().neighbours
    assert found.stations == 60
    assert found.before.p95_ms == pytest.approx(25.7, rel=0.02)
    assert found.during.p95_ms == pytest.approx(65.7, rel=0.02)
    assert found.slower == pytest.approx(65.7 / 25.7, rel=0.03)
    value, passed = judged(run, "neighbours.p95 <= 1.2 * before")
    assert value == found.slower
    assert not passed


def test_neighbours_that_feel_nothing_are_no_fault_though_struck_stations_wait(tmp_path: Path) -> None:
    run = stormy(tmp_path, during_ms=20.0)
    value, passed = judged(run, "neighbours.p95 <= 1.2 * before")
    assert value == pytest.approx(1.0, abs=0.02)
    assert passed


def test_the_curve_of_the_neighbours_stands_in_the_time_of_the_storm(tmp_path: Path) -> None:
    curve = stormy(tmp_path, during_ms=60.0).result().neighbours.curve
    assert curve[0]["t"] < 0
    assert {row["p95_ms"] < 30 for row in curve if row["t"] < 0} == {True}
    assert {row["p95_ms"] > 60 for row in curve if row["t"] > 1} == {True}


def test_a_storm_that_strikes_everybody_has_no_neighbours(tmp_path: Path) -> None:
    run = Run(tmp_path, LbDrain(at=3.0))
    for _ in range(5):
        run.second(neighbours_ms=20.0)
    run.plugin.note("w", [KIND, 1, {"struck": {0: 100}}])
    for _ in range(12):
        run.second(neighbours_ms=20.0)
    assert run.result().neighbours.stations == 0
    assert judged(run, "neighbours.p95 <= 1.2 * before") == (None, False)


def test_too_few_calls_show_nothing() -> None:
    neighbours = Neighbours()
    recorder = Recorder(clock=lambda: 5.0, wall=1000.0)
    for _ in range(19):
        recorder.call("1.6", "Heartbeat", TO_CSMS, "accepted", 0.01, 0.01)
    neighbours.add(recorder.take(), 3)
    told = {name: neighbours.part(0.0, 9.0).told(9.0) for name in ("before", "during")}
    assert told["before"]["calls"] == 19
    assert slower(told, 95.0) is None


def test_failed_calls_of_struck_stations_are_none_of_the_neighbours() -> None:
    neighbours, struck = Neighbours(), StruckCalls()
    recorder = Recorder(clock=lambda: 50.0, wall=1000.0)
    recorder.before_take.append(lambda: recorder.note(CALLS, *(struck.take() or ({}, 0))))
    for outcome in ("timeout", "timeout", "accepted"):
        recorder.call("1.6", "Heartbeat", TO_CSMS, outcome, 30.0, 30.0)
    recorder.call("1.6", "Heartbeat", TO_CSMS, "lost", 1.0, 1.0)
    struck.add(30.0, "timeout")
    struck.add(30.0, "timeout")
    struck.add(30.0, "accepted")
    neighbours.add(recorder.take(), 3)
    assert neighbours.part(0.0, 9.0).told(9.0) == {
        "calls": 1,
        "calls_per_s": 0.111,
        "failed_share": 1.0,
        "p50_ms": None,
        "p95_ms": None,
        "p99_ms": None,
    }


def test_a_process_tells_the_calls_of_struck_stations_in_the_report_that_has_those_calls() -> None:
    harness = FleetHarness(profile=charging(20.0, 5.0), backoff=Backoff("fixed", 1.0, 0.0, 0)).start().run(30.0)
    harness.recorder.take()
    process = StormProcess(
        harness.timers,
        harness.recorder,
        7,
        {harness.station.lease.identity: harness.station},
        find_target=lambda *_: None,
        clock=harness.clock,
    )
    storm: dict[str, Any] = write_storm(Blackout(down=2.0))
    process.order({"kind": KIND, "number": 1, "storm": storm, "delay": 0.0, "total": 1})
    harness.run(6.0)
    delta = harness.recorder.take()
    notes = [note for note in delta["notes"] if note[0] == CALLS]
    counted = sum(sum(note[1].values()) + note[2] for note in notes)
    ended = sum(sum(row[5].values()) for rows in delta["windows"].values() for row in rows if row[2] == TO_CSMS)
    assert 0 < counted <= ended
    assert any(row[1] == "BootNotification" for rows in delta["windows"].values() for row in rows)
    process.close()
    assert harness.recorder.before_take == []


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        ("neighbours.p95 <= 1.2", "needs a unit"),
        ("neighbours.p95 <= 20 %", "not a unit"),
        ("neighbours.p90 <= 1.2 * before", "unknown"),
    ],
)
def test_an_objective_about_neighbours_compares_with_what_was_before(line: str, complaint: str) -> None:
    with pytest.raises(UsageError, match=complaint):
        threshold(line, quantities=QUANTITIES)


@pytest.mark.parametrize(
    "line", ["neighbours.p95 <= 1.2 * before", "neighbours p95 <= 1.2*before", "storm neighbours-p95 <= 1.2 x before"]
)
def test_the_objective_may_be_written_in_several_ways(line: str) -> None:
    expression = threshold(line, quantities=QUANTITIES).expression
    assert (expression.metric, expression.limit) == ("storm neighbours-p95", 1.2)
    assert expression.holds(1.2)
    assert not expression.holds(1.21)
