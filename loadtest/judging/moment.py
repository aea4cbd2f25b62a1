"""What a run is like while it goes on: the fleet, the workers, and the verdict on the generator so far; pure.

Plugins ask for it (`loadtest.plugins.contract.RunAccess.moment`), and so does Locust's page. It is made when somebody
asks, from what the workers reported last.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec

from evidence.histogram import Histogram
from evidence.run_model import Generator
from loadtest.judging.generator import gather, judge
from loadtest.measuring.sampler import Health
from loadtest.measuring.worker_state import WorkerState

__all__ = ["Moment", "WorkerMoment", "generator_so_far", "worker_moment"]


class WorkerMoment(msgspec.Struct, kw_only=True):
    """One worker at the moment."""

    name: str
    stations: int = 0
    """Connections that are up."""
    booted: int = 0
    charging: int = 0
    calls: int = 0
    """CALLs since the start of the run."""
    calls_per_s: float | None = None
    cpu_seconds: float = 0.0
    """Processor time since the start of the run."""
    lag: dict[int, int] = {}
    """How late its timers ran since the start of the run: counts by bucket of `Histogram`, µs."""
    lag_ms_p99: float | None = None
    longest_stall_ms: float = 0.0
    rss: int = 0
    """Bytes of memory, the most so far."""
    descriptors: float = 0.0
    """Share of the files that it may open, the most so far."""
    missed: int = 0
    """Reports that are known to exist and have not come."""
    left: bool = False
    """Whether it has ended."""


class Moment(msgspec.Struct, kw_only=True):
    """A run at one moment."""

    window: str = ""
    elapsed: float = 0.0
    """Seconds since the start of the run."""
    wanted: int = 0
    """Stations that were asked for."""
    connected: int = 0
    booted: int = 0
    charging: int = 0
    """Stations with a transaction, connected or not."""
    waiting: int = 0
    """CALLs of the stations that had no answer yet when the latest second was over."""
    workers: list[WorkerMoment] = []
    generator: Generator = msgspec.field(default_factory=lambda: Generator(verdict="VALID", reasons=[]))
    """As the run would be judged if it ended now, without what only its end can tell."""


def worker_moment(state: WorkerState) -> WorkerMoment:
    """Boil down what the master knows of one worker."""
    one = WorkerMoment(
        name=state.name,
        stations=state.stations,
        booted=state.booted,
        charging=state.charging,
        calls=state.calls,
        calls_per_s=state.rate,
        missed=state.missed,
        left=state.left is not None,
    )
    if not state.health:
        return one
    health = msgspec.convert(state.health, Health)
    lag = Histogram()
    for window in health.windows.values():
        one.cpu_seconds += window.cpu
        one.longest_stall_ms = max(one.longest_stall_ms, window.longest_stall * 1000)
        lag.merge(window.lag)
    one.lag = dict(lag.counts)
    one.lag_ms_p99 = lag.percentile(99) / 1000 if lag.counts else None
    one.rss = health.rss
    one.descriptors = health.descriptors / max(health.descriptor_limit, 1)
    return one


def generator_so_far(
    states: Iterable[tuple[str, WorkerState]], *, now: float, interval: float, **known: Any
) -> Generator:
    """Judge the generator while the run goes on; the arguments are those of `gather`."""
    facts = gather(states, now=now, interval=interval, **known)
    for worker in facts.workers:
        # Last reports come at the end.
        worker.complete = not worker.left
        worker.estimated_loss = worker.estimated_loss if worker.left else 0
    return judge(facts)
