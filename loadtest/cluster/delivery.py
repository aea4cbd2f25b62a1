"""How figures travel from the workers to the master so that the sum is exact, or what is missing is known.

Each worker numbers its reports. The master applies each number once and acknowledges; a report that is not
acknowledged is sent again. At the end the master asks every worker for its last report and waits for it, and each last
report carries the worker's own count of CALLs as a check sum. A local run uses the same two ends without a network.

The messages are dicts of types that msgpack knows. Reports ride on Locust's `report_to_master`; the last one, and
repetitions, are messages of their own.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, NotRequired, TypedDict

from loadtest.measuring.merged import Merged
from loadtest.measuring.recorder import Delta, Recorder
from loadtest.measuring.worker_state import WorkerState

__all__ = ["RESEND_AFTER", "Ack", "Collector", "Report", "ReportQueue"]

RESEND_AFTER: Final = 3.0
"""Seconds without an acknowledgement after which a report is sent again."""
_MOST_UNACKED: Final = 60


class Report(TypedDict):
    """What one worker recorded since its report before."""

    run: int
    seq: int
    """Counts from 1 within a run."""
    delta: Delta
    total: int
    """CALLs of the worker in this run, counted apart from the histograms."""
    stations: int
    """Connections that are up."""
    booted: int
    """Stations that are accepted."""
    charging: int
    """Stations with a transaction."""
    health: dict[str, Any]
    """The generator's facts about itself, each time complete (`loadtest.judging.generator.Health`)."""
    last: NotRequired[bool]
    """Nothing will follow: all stations of the worker are stopped."""


class Ack(TypedDict):
    """The master has every report up to this number."""

    run: int
    upto: int


class ReportQueue:
    """The worker's end: numbers reports and keeps each until it is acknowledged."""

    def __init__(
        self, recorder: Recorder, health: Callable[[], dict[str, Any]], clock: Callable[[], float], run: int = 0
    ) -> None:
        """Report what `recorder` and `health` have; run 0 is the time before the master named one."""
        self._recorder = recorder
        self._health = health
        self._clock = clock
        self._seq = 0
        self._unacked: dict[int, tuple[float, Report]] = {}
        self._closed = False
        self.run = run

    @property
    def unacked(self) -> int:
        """How many reports wait for their acknowledgement."""
        return len(self._unacked)

    def begin(self, run: int) -> None:
        """Begin a run; what was recorded before the master named the first run belongs to that."""
        if run == self.run:
            return
        if self.run or self._recorder.untouched:
            self._recorder.restart()
        self.run = run
        self._seq = 0
        self._closed = False
        self._unacked.clear()

    def reports(self, *, last: bool = False) -> list[Report]:
        """Return what to send now: a new report, and those that should have been acknowledged by now.

        While the master is away for long, figures stay in the recorder instead of piling up as reports.
        """
        now = self._clock()
        due = [report for at, report in self._unacked.values() if last or now - at >= RESEND_AFTER]
        if self.run and (last or len(self._unacked) < _MOST_UNACKED):
            delta = self._recorder.take(final=last)
            if last or not self._closed or delta["windows"] or delta["notes"]:
                due.append(self._new_report(delta, last=last))
            self._closed = self._closed or last
        for report in due:
            self._unacked[report["seq"]] = (now, report)
        return due

    def acked(self, ack: Ack) -> None:
        """Forget what the master has."""
        if ack["run"] == self.run:
            for seq in [seq for seq in self._unacked if seq <= ack["upto"]]:
                del self._unacked[seq]

    def _new_report(self, delta: Delta, *, last: bool) -> Report:
        self._seq += 1
        report = Report(
            run=self.run,
            seq=self._seq,
            delta=delta,
            total=self._recorder.made,
            stations=self._recorder.connected_now,
            booted=self._recorder.booted_now,
            charging=self._recorder.charging_now,
            health=self._health(),
        )
        if last:
            report["last"] = True
        return report


class Collector:
    """The master's end: applies each report of each worker exactly once."""

    def __init__(
        self,
        run: int,
        clock: Callable[[], float],
        merged: Merged | None = None,
        *,
        on_note: Callable[[str, list[Any]], object] = lambda _, __: None,
        on_delta: Callable[[Delta], object] = lambda _: None,
    ) -> None:
        """Begin with no workers.

        `on_note` takes a worker and each note of its stations, `on_delta` everything that was recorded; both once.
        """
        self._on_note = on_note
        self._on_delta = on_delta
        self.run = run
        self.started = clock()
        self.merged = merged or Merged()
        self.workers: dict[str, WorkerState] = {}
        self._clock = clock

    def expect(self, worker: str, name: str) -> WorkerState:
        """Know a worker that takes part, though it has not reported yet; `name` is how people call it."""
        state = self.workers.get(worker)
        if state is None:
            now = self._clock()
            state = WorkerState(name=name, joined=now, heard=now, reported=now)
            self.workers[worker] = state
        return state

    def forget(self, worker: str) -> None:
        """Wait no longer for a worker that takes no part."""
        self.workers.pop(worker, None)

    def hear(self, worker: str) -> None:
        """Note a sign of life."""
        if worker in self.workers:
            self.workers[worker].heard = self._clock()

    def receive(self, worker: str, report: Report, name: str = "") -> Ack | None:
        """Apply a report unless it was applied before; None for one of another run, which nobody waits for."""
        if report["run"] != self.run:
            return None
        state = self.expect(worker, name or worker)
        now = state.heard = self._clock()
        seq = report["seq"]
        if state.has(seq):
            state.repeated += 1
        else:
            state.resent += seq < max(state.ahead, default=0)
            self._apply(state, report, now)
            self._on_delta(report["delta"])
            for note in report["delta"]["notes"]:
                self._on_note(worker, note)
        return Ack(run=self.run, upto=state.upto)

    def knows(self, worker: str, report: Report) -> bool:
        """Return whether a report was applied."""
        state = self.workers.get(worker)
        return report["run"] == self.run and state is not None and state.has(report["seq"])

    def leave(self, worker: str) -> None:
        """Note that a worker ended while the run goes on."""
        if worker in self.workers and self.workers[worker].left is None:
            self.workers[worker].left = self._clock()

    @property
    def incomplete(self) -> list[WorkerState]:
        """Workers whose last report is missing."""
        return [state for state in self.workers.values() if not state.complete]

    @property
    def connected(self) -> int:
        """How many connections were up when the workers reported last."""
        return sum(state.stations for state in self.workers.values())

    @property
    def booted(self) -> int:
        """How many stations were accepted when the workers reported last."""
        return sum(state.booted for state in self.workers.values())

    @property
    def charging(self) -> int:
        """How many stations had a transaction when the workers reported last."""
        return sum(state.charging for state in self.workers.values())

    def _apply(self, state: WorkerState, report: Report, now: float) -> None:
        ended = self.merged.ended
        state.add_calls(self.merged.add(report["delta"], now - self.started), now)
        state.ended += self.merged.ended - ended
        state.asked += sum(report["delta"]["offered"].values())
        state.claimed = max(state.claimed, report["total"])
        state.last = state.last or report.get("last", False)
        state.add_number(report["seq"])
        if report["seq"] == state.upto or state.ahead:
            state.stations = report["stations"]
            state.booted = report["booted"]
            state.charging = report["charging"]
            state.health = report["health"]
        state.most_stations = max(state.most_stations, report["stations"])
