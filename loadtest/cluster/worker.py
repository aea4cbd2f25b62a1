"""The end of the measuring that runs where the stations are: in every worker, and in the one process of a local run.

It owns the recorder, the leases and the sampler, and answers what the master says (`loadtest.cluster.master`).
Messages are dicts with a `kind`; `send` takes those for the master.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import gevent

from loadtest.cluster.delivery import Report, ReportQueue
from loadtest.cluster.leases import LeaseClient
from loadtest.cluster.same_program import PROGRAM
from loadtest.judging.settings import FENCE_AFTER
from loadtest.measuring.recorder import CallTable, Recorder
from loadtest.measuring.sampler import PROBE_EVERY, Sampler

__all__ = ["WorkerEnd"]


class WorkerEnd:
    """One process with stations."""

    def __init__(
        self,
        send: Callable[[dict[str, Any]], None],
        *,
        table: CallTable | None = None,
        stop: Callable[[], bool] = lambda: False,
        refused: Callable[[str], object] = lambda _: None,
        fence_after: float = FENCE_AFTER,
    ) -> None:
        """Send through `send`, and let Locust's `table` show the same CALLs.

        `stop` stops the users when the master ends the run, which must come to `flush`; it tells whether it had to.
        `refused` is called with the reason where the master wants no work of this process.
        """
        self._send = send
        self._stop = stop
        self._refused = refused
        self._timer: Any = None
        self._is_stopping = False
        self._orders: dict[str, Callable[[dict[str, Any]], object]] = {}
        self.folder: str | None = None
        """The run folder, on the machine of the master."""
        self.recorder = Recorder(table)
        self.sampler = Sampler(self.recorder)
        self.report_queue = ReportQueue(self.recorder, self._health, time.monotonic)
        self.leases = LeaseClient(self._send_lease, time.monotonic, gevent.spawn, fence_after=fence_after)

    def start(self) -> None:
        """Begin to watch the event loop, and tell the master that this process is ready for its messages."""
        self._timer = gevent.get_hub().loop.timer(PROBE_EVERY, repeat=PROBE_EVERY)
        self._probe()
        self._send({"kind": "hello", "version": PROGRAM})

    def close(self) -> None:
        """Stop watching."""
        if self._timer is not None:
            self._timer.stop()
            self._timer.close()
            self._timer = None

    def beat(self) -> None:
        """Do what is due once a second."""
        self.sampler.sample()
        self.leases.tick()

    def reports(self) -> list[Report]:
        """Return the reports that are due."""
        return self.report_queue.reports()

    def stopping(self) -> None:
        """Take note that the stations are being stopped; `flush` follows when the last of them has ended."""
        self._is_stopping = True

    def flush(self) -> None:
        """Send the last report; all stations are stopped."""
        self._is_stopping = False
        for report in self.report_queue.reports(last=True):
            self._send({"kind": "report", "report": report})

    def leave(self) -> None:
        """Report that every connection is closed."""
        self.leases.leave()
        self._send({"kind": "leave"})

    def on_order(self, kind: str, callback: Callable[[dict[str, Any]], object]) -> None:
        """Give the orders of one kind (`loadtest.plugins.contract`) to `callback`, which must not block."""
        self._orders[kind] = callback

    def handle(self, message: dict[str, Any]) -> None:
        """Take one message of the master."""
        match message["kind"]:
            case "run":
                if message["run"] != self.report_queue.run:
                    self.report_queue.begin(message["run"])
                    self.folder = message.get("folder")
                    self.sampler.restart()
                self.recorder.window(message["window"])
            case "window":
                self.recorder.window(message["window"])
            case "ack":
                self.report_queue.acked(message["ack"])
            case "lease":
                self.leases.handle(message["lease"])
            case "order":
                order = message["order"]
                if order["kind"] in self._orders:
                    self._orders[order["kind"]](order)
            case "refused":
                self._refused(message["why"])
            case "finish":
                gevent.spawn(self._finish, message["run"])

    def _finish(self, run: int) -> None:
        # The master asks again every second. Until the last station has ended, what it still says is in no report.
        if run == self.report_queue.run and not self._is_stopping and not self._stop():
            self.flush()

    def _send_lease(self, message: dict[str, Any]) -> None:
        self._send({"kind": "lease", "lease": message})

    def _health(self) -> dict[str, Any]:
        self.sampler.health.fences = self.leases.fences
        return self.sampler.snapshot()

    def _probe(self) -> None:
        if self._timer is not None:
            self.sampler.probe()
            # From now on: a stall must not be followed by a volley of probes.
            self._timer.again(self._probe, update=True)
