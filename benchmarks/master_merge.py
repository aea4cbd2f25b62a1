"""What a master needs for its workers: `python -m benchmarks.master_merge [WORKERS...]`.

Simulated workers record CALLs with the recorder of real ones, and make Locust's `worker_report` of them once a second:
Plugstorm's numbered reports and Locust's own statistics, packed as they travel. A real master unpacks them, merges
both, acknowledges, and does what is due once a second. Only the master's processor time counts.
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

# Locust first: it changes the modules that the others use.
import locust  # noqa: F401 - see above
import msgspec
from locust.event import Events
from locust.rpc.protocol import Message
from locust.stats import RequestStats, setup_distributed_stats_event_listeners

from evidence.vocabulary import MEASURE, TO_CSMS
from loadtest.cluster.delivery import Report, ReportQueue
from loadtest.cluster.master import MasterEnd
from loadtest.judging.settings import Settings
from loadtest.measuring.recorder import Recorder
from loadtest.measuring.sampler import Sampler
from ocppj.outcomes import Outcome

__all__ = ["Row", "main", "measure"]

_ACTIONS: Final = (
    "Heartbeat",
    "MeterValues",
    "StatusNotification",
    "Authorize",
    "StartTransaction",
    "StopTransaction",
    "BootNotification",
    "DataTransfer",
)
_CALLS: Final = 1000
"""A second and worker: what 15,000 stations with a real day send, or 1,000 busy ones."""
_SECONDS: Final = 10
_STATIONS: Final = 4000
"""A worker."""
_KINDS: Final = 16
"""Workers that live each its own life; the others send what one of them sends, under their own names."""


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """One number of workers."""

    workers: int
    calls_per_s: int
    core: float
    """Share of one core, of the master."""
    ms_per_report: float
    report_kb: float


def _pack(kind: str, data: dict[str, Any], name: str) -> bytes:
    # Locust has no types there.
    message: Any = Message(kind, data, name)  # type: ignore[no-untyped-call]  # see above
    packed: bytes = message.serialize()
    return packed


class _Worker:
    """One simulated worker."""

    def __init__(self, number: int) -> None:
        self.recorder = Recorder()
        self.recorder.window(MEASURE)
        self.recorder.connected(_STATIONS)
        self.recorder.booted(_STATIONS)
        self.sampler = Sampler(self.recorder)
        self.queue = ReportQueue(self.recorder, self.sampler.snapshot, time.monotonic, run=1)
        self._stats = RequestStats()
        self._draw = random.Random(number)  # noqa: S311 - no secret

    def second(self, names: Sequence[str]) -> list[bytes]:
        """Live for a second, and write what workers of these names send who live alike."""
        for place in range(_CALLS):
            service = self._draw.lognormvariate(-4, 0.6)
            outcome = Outcome.ACCEPTED if place % 50 else Outcome.REJECTED
            action = _ACTIONS[place % len(_ACTIONS)]
            self.recorder.call("1.6", action, TO_CSMS, outcome, service, service * 1.1)
            self._stats.log_request("OCPP 1.6", action, round(service * 1000), 0)
        self.sampler.probe()
        self.sampler.sample()
        reports = self.queue.reports()
        data = {
            "stats": self._stats.serialize_stats(),
            "stats_total": self._stats.total.get_stripped_report(),
            "errors": {},
            "user_classes_count": {"ChargePoint16": _STATIONS},
            "user_count": _STATIONS,
            "plugstorm": reports,
        }
        for report in reports:
            self.queue.acked({"run": 1, "upto": report["seq"]})
        beat = {"state": "running", "current_cpu_usage": 50, "current_memory_usage": 1 << 28}
        return [
            _pack(kind, content, name) for name in names for kind, content in (("heartbeat", beat), ("stats", data))
        ]


class _Master:
    """A master without sockets: everything that it does with what has come."""

    def __init__(self, out: Path, workers: Sequence[str]) -> None:
        self._events: Any = Events()  # type: ignore[no-untyped-call]  # as in _pack
        self._stats = RequestStats()
        setup_distributed_stats_event_listeners(self._events, self._stats)
        names = {worker: f"worker {number}" for number, worker in enumerate(workers, 1)}
        settings = Settings(url="ws://127.0.0.1:1", ocpp=["1.6"], out=str(out), live=False, warm_up=0.0)
        self._end = MasterEnd(settings, self._send, workers=lambda: list(names), name=names.__getitem__)
        self._end.target = _STATIONS * len(workers)
        self._end.begin()
        self._end.spawned = True

    @staticmethod
    def _send(worker: str, message: dict[str, Any]) -> None:
        _pack("plugstorm_down", message, worker)

    def take(self, packed: bytes) -> None:
        """Take one message, as Locust's master and its listeners do."""
        message = Message.unserialize(packed)  # type: ignore[no-untyped-call]  # as in _pack
        if message.type != "stats":
            return
        reports: list[Report] = message.data["plugstorm"]
        self._events.worker_report.fire(client_id=message.node_id, data=message.data)
        for report in reports:
            self._end.receive(message.node_id, report)

    def beat(self) -> None:
        """Do what is due once a second."""
        self._end.beat()


def measure(workers: int, seconds: int = _SECONDS) -> Row:
    """Run a master with so many workers, second by second."""
    with tempfile.TemporaryDirectory() as folder:
        names = [f"vm_{number:032x}" for number in range(workers)]
        fleet = [_Worker(number) for number in range(min(workers, _KINDS))]
        master = _Master(Path(folder) / "run", names)
        spent, size = 0.0, 0
        for second in range(seconds):
            began = time.monotonic()
            packed = [
                message for place, worker in enumerate(fleet) for message in worker.second(names[place :: len(fleet)])
            ]
            before = time.process_time()
            for message in packed:
                master.take(message)
            master.beat()
            # The first second makes what later ones find.
            spent += time.process_time() - before if second else 0.0
            size = sum(map(len, packed))
            time.sleep(max(0.0, began + 1 - time.monotonic()))
    core = spent / (seconds - 1)
    return Row(
        workers=workers,
        calls_per_s=workers * _CALLS,
        core=core,
        ms_per_report=core * 1000 / workers,
        report_kb=size / workers / 1000,
    )


def main(words: Sequence[str]) -> int:
    """Print a row for each number of workers: of a table, or as JSON for `plugstorm bench --scale`."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.master_merge")
    parser.add_argument("workers", nargs="*", type=int, default=[16, 64, 256])
    parser.add_argument("--seconds", type=int, default=_SECONDS)
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args(words)
    if given.json:
        for workers in given.workers:
            sys.stdout.write(msgspec.json.encode(measure(workers, given.seconds)).decode() + "\n")
            sys.stdout.flush()
        return 0
    sys.stdout.write("| workers | CALL/s | master, share of a core | ms for a report | kB a report |\n")
    sys.stdout.write("| --- | --- | --- | --- | --- |\n")
    for workers in given.workers:
        row = measure(workers, given.seconds)
        sys.stdout.write(
            f"| {row.workers} | {row.calls_per_s:,} | {row.core:.0%} | {row.ms_per_report:.2f} | {row.report_kb:.1f} "
            "|\n"
        )
        sys.stdout.flush()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
