"""The load generator judges itself: VALID, DEGRADED, or INVALID when the figures of a run cannot be believed.

`gather` puts together the facts of all workers, `judge` compares them with `LIMITS`. What can be told apart by window
is taken from `measure`, because only that is judged.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final, Literal, NamedTuple

import msgspec

from evidence.histogram import Histogram
from evidence.run_model import Generator
from evidence.vocabulary import MEASURE
from loadtest.measuring.sampler import Health, WindowHealth
from loadtest.measuring.worker_state import WorkerState

__all__ = ["LIMITS", "Facts", "Limit", "WorkerFacts", "gather", "judge", "lag_ms", "worker_facts"]

_MEANINGFUL_STATIONS: Final = 100
"""Below this the memory of one station is lost in the noise of the process."""
_WAITED_MUCH: Final = 0.1
_WAITED_LITTLE: Final = 0.01
"""Enough to be late in 1 % of the time, where the worker has little to do itself."""
_OWN_WORK: Final = 0.6
"""Share of a processor from which on a worker may be late for its own work."""
_STOLEN_MUCH: Final = 0.02


class WorkerFacts(msgspec.Struct, kw_only=True):
    """One worker of a run, as it goes into `run.json`."""

    name: str
    pid: int | None = None
    stations: int = 0
    """Connections, the most at one time."""
    calls: int = 0
    cpu: float | None = None
    """Share of one processor over the window `measure`."""
    busiest: float | None = None
    """The same over its busiest 5 s."""
    waited: float | None = None
    """Share of the time in which it was ready to run and got no processor."""
    stolen: float | None = None
    """Share of the processors of its machine that the host gave to others (steal)."""
    lag_ms_p50: float | None = None
    """How late its timers ran; `plugstorm compare` asks whether a latency grew by more than this did."""
    lag_ms_p90: float | None = None
    lag_ms_p99: float | None = None
    longest_stall_ms: float = 0.0
    rss_kb_per_station: float | None = None
    descriptors: float = 0.0
    """Share of the allowed ones."""
    missed: int = 0
    repeated: int = 0
    resent: int = 0
    miscounted: int = 0
    errors: int = 0
    fences: int = 0
    untraced: int = 0
    """Frames that a trace was to hold and does not."""
    complete: bool = True
    """Whether its last report came."""
    left: bool = False
    """Whether it ended before the run did."""
    estimated_loss: int = 0
    """CALLs that it made and could not report."""
    unended: int = 0
    """CALLs of its stations that have no end in its last figures: they are counted under no outcome."""


class Facts(msgspec.Struct, kw_only=True):
    """Everything that the verdict on the generator follows from."""

    workers: list[WorkerFacts] = []
    calls: int = 0
    seconds: float | None = None
    """Length of the window `measure`; None where a person ended the run before it began."""
    measured: int = 0
    """CALLs that were intended in that window."""
    ports: float = 0.0
    """Share of the local ports of the busiest machine."""
    offered: int = 0
    """CALLs that fell due in that window; 0 where nobody counted them."""
    duplicates: int = 0
    """Identities that were connected twice at one time."""
    waiting: int = 0
    """Stations that never got an identity."""
    errors: int = 0
    """Exceptions of Plugstorm itself in the master."""
    unstarted: float = 0.0
    """Share of the stations that Locust had not started when the window `measure` began."""
    cut_short: float = 0.0
    """Seconds by which the run was shorter than asked for, unless a person ended it."""

    def worst(self, fact: str) -> tuple[float, str]:
        """Return the highest value of a worker's fact, and the name of that worker."""
        values = [(float(getattr(worker, fact) or 0), worker.name) for worker in self.workers]
        return max(values, default=(0.0, ""))

    def sum(self, fact: str) -> int:
        """Add up a worker's fact."""
        return sum(int(getattr(worker, fact)) for worker in self.workers)


class Limit(NamedTuple):
    """One row of the table: a fact, from where on it degrades a run, from where on it makes it invalid."""

    fact: str
    degraded: float | None
    invalid: float | None
    sentence: str
    """For people; may name `{value}`, `{worker}`, `{names}` and `{why}`, and says what to do."""


_MORE = "use more workers (--workers N) or fewer stations"

# A limit is broken by a value that is higher. `None`: the fact alone does not lead to this verdict.
LIMITS: Final = (
    Limit(
        "lag_ms_p99",
        20.0,
        100.0,
        "timers of {worker} ran {value:.0f} ms late or more in 1 % of the time, so latencies are too high: {why}",
    ),
    Limit(
        "longest_stall_ms",
        500.0,
        2000.0,
        "{worker} stalled for {value:.0f} ms, and all its stations with it: {why}",
    ),
    Limit("cpu", 0.80, 0.95, "{worker} used {value:.0%} of a processor core: " + _MORE),
    Limit("shortfall", 0.01, 0.05, "{value:.1%} of the CALLs that were due were never handed to a station: " + _MORE),
    Limit(
        "descriptors",
        0.90,
        0.99,
        "{worker} used {value:.0%} of the files that it may open: raise the limit (ulimit -n) or use more workers",
    ),
    Limit(
        "ports",
        0.85,
        0.98,
        "{value:.0%} of the local ports are in use: add source addresses, or widen net.ipv4.ip_local_port_range",
    ),
    Limit("incomplete", 0, None, "{names} never sent the last figures: about {loss} CALLs are not counted"),
    Limit(
        "unended",
        0,
        None,
        "{value:.0f} CALLs had no end in the last figures of {names}, so no outcome counts them: report this bug",
    ),
    Limit("lost_share", None, 0.01, "about {value:.1%} of all CALLs are missing in the figures: run again"),
    Limit("lost_stations", None, 0.05, "{value:.0%} of the stations were on workers that failed: run again"),
    Limit("left", 0, None, "{names} ended before the run did, so the load fell: find out why and run again"),
    Limit(
        "unstarted",
        0.01,
        None,
        "{value:.0%} of the stations were not started yet when measuring began: take a higher --spawn-rate or a longer "
        "duration",
    ),
    Limit(
        "cut_short", 2.0, None, "the run ended {value:.0f} s too early: see what Locust's log says about its workers"
    ),
    Limit("missed", 0, None, "{value:.0f} reports of workers were lost on the way to the master"),
    Limit(
        "miscounted", None, 0, "the figures differ from the workers' own count by {value:.0f} CALLs: report this bug"
    ),
    Limit("duplicates", None, 0, "{value:.0f} identities were connected twice at one time: a worker had been frozen"),
    Limit("fences", 0, None, "{worker} lost the master and closed its stations: check the network between the two"),
    Limit(
        "untraced",
        0,
        None,
        "{value:.0f} frames are missing in the traces: make room on the disk, or take a smaller --trace-share",
    ),
    Limit("waiting", 0, None, "{value:.0f} stations got no identity: the list of stations is too short"),
    Limit("errors", None, 0, "{value:.0f} errors of Plugstorm itself (see the log): report this bug"),
    Limit(
        "unmeasured",
        None,
        0,
        "no CALL fell into the window measure: take a longer duration, a shorter warm-up, or a busier profile",
    ),
)


def worker_facts(state: WorkerState, *, now: float, interval: float, typical: float = 0.0) -> WorkerFacts:
    """Boil down what the master knows of one worker.

    `interval` is the time between its reports in seconds, `typical` the CALLs a second of an average worker.
    """
    facts = WorkerFacts(
        name=state.name,
        stations=state.most_stations,
        calls=state.calls,
        missed=state.missed,
        repeated=state.repeated,
        resent=state.resent,
        miscounted=state.miscounted,
        complete=state.complete,
        left=state.left is not None,
        estimated_loss=state.estimated_loss(now, interval, typical),
        unended=state.unended,
    )
    if not state.health:
        return facts
    health = msgspec.convert(state.health, Health)
    window = health.windows.get(MEASURE, WindowHealth())
    if window.seconds > 0:
        facts.cpu = window.cpu / window.seconds
        facts.waited = window.waited / window.seconds
        facts.stolen = window.stolen / window.seconds
        facts.busiest = health.busiest or facts.cpu
    if window.lag:
        lags = Histogram(window.lag).percentiles((50, 90, 99))
        facts.lag_ms_p50, facts.lag_ms_p90, facts.lag_ms_p99 = (lag / 1000 for lag in lags)
    facts.longest_stall_ms = window.longest_stall * 1000
    facts.pid = health.pid
    facts.errors = health.errors
    facts.fences = health.fences
    facts.untraced = health.untraced
    facts.descriptors = health.descriptors / max(health.descriptor_limit, 1)
    if health.stations >= _MEANINGFUL_STATIONS:
        facts.rss_kb_per_station = (health.rss - health.rss_idle) / 1024 / health.stations
    return facts


def lag_ms(states: Iterable[WorkerState]) -> float:
    """Return how late the timers of the worst worker were in the measurement, p99 in ms; 0 where nobody knows."""
    windows = (msgspec.convert(state.health, Health).windows.get(MEASURE) for state in states if state.health)
    return max(
        (Histogram(one.lag).percentile(99) / 1000 for one in windows if one is not None and one.lag), default=0.0
    )


def gather(
    states: Iterable[tuple[str, WorkerState]],
    *,
    now: float,
    interval: float,
    source_addresses: int = 1,
    shared_connections: int | None = None,
    **known: Any,
) -> Facts:
    """Put the facts together; `states` come with the name of the machine, `known` are further fields of `Facts`.

    `shared_connections` is how many the stations of a worker share, None where each has its own.
    """
    states = list(states)
    rates = [state.rate for _, state in states if state.rate is not None]
    typical = sum(rates) / max(len(rates), 1)
    workers = []
    sockets: dict[str, int] = {}
    ports: dict[str, int] = {}
    for machine, state in states:
        workers.append(worker_facts(state, now=now, interval=interval, typical=typical))
        own = state.most_stations if shared_connections is None else min(state.most_stations, shared_connections)
        sockets[machine] = sockets.get(machine, 0) + own
        ports[machine] = state.health.get("ports") or ports.get(machine, 1)
    share = max((sockets[m] / (ports[m] * max(source_addresses, 1)) for m in sockets), default=0.0)
    return Facts(workers=workers, ports=share, **known)


def judge(facts: Facts) -> Generator:
    """Judge the generator; pure."""
    invalid: list[str] = []
    degraded: list[str] = []
    broken: dict[bool, list[str]] = {True: [], False: []}
    for limit in LIMITS:
        value, words = _value(facts, limit.fact)
        if limit.invalid is not None and value > limit.invalid:
            invalid.append(_sentence(limit, value, words))
            broken[True].append(limit.fact)
        elif limit.degraded is not None and value > limit.degraded:
            degraded.append(_sentence(limit, value, words))
            broken[False].append(limit.fact)
    verdict: Literal["VALID", "DEGRADED", "INVALID"] = "INVALID" if invalid else "DEGRADED" if degraded else "VALID"
    memory = [worker.rss_kb_per_station for worker in facts.workers if worker.rss_kb_per_station is not None]
    lags = [worker.lag_ms_p99 for worker in facts.workers if worker.lag_ms_p99 is not None]
    shares = [worker.cpu for worker in facts.workers if worker.cpu is not None]
    details = msgspec.to_builtins(facts)
    return Generator(
        verdict=verdict,
        reasons=invalid + degraded,
        lag_ms_p99=max(lags, default=None),
        cpu=max(shares, default=None),
        rss_kb_per_station=max(memory, default=None),
        details=details,
        broken=broken[True] + broken[False],
    )


def _sentence(limit: Limit, value: float, words: dict[str, Any]) -> str:
    text = limit.sentence.format(value=value, **words)
    return f"{text[0].upper()}{text[1:]}."


def _value(facts: Facts, fact: str) -> tuple[float, dict[str, Any]]:
    """Return the value of a row's fact and the words of its sentence."""
    broken = [worker for worker in facts.workers if not worker.complete]
    loss = facts.sum("estimated_loss")
    match fact:
        case "ports" | "duplicates" | "waiting" | "unstarted" | "cut_short":
            return float(getattr(facts, fact)), {}
        case "shortfall":
            # The difference first: 1 - 0.99 is more than 0.01.
            return ((facts.offered - facts.measured) / facts.offered if facts.offered else 0.0), {}
        case "incomplete":
            return float(len(broken)), {"names": _names(broken), "loss": loss}
        case "left":
            left = [worker for worker in facts.workers if worker.left]
            return float(len(left)), {"names": _names(left)}
        case "lost_share":
            loss += facts.sum("unended")
            return loss / max(facts.calls + loss, 1), {}
        case "lost_stations":
            failed = sum(worker.stations for worker in facts.workers if worker.left or not worker.complete)
            return failed / max(facts.sum("stations"), 1), {}
        case "missed" | "miscounted" | "untraced" | "unended":
            return float(facts.sum(fact)), {"names": _names([one for one in facts.workers if getattr(one, fact)])}
        case "errors":
            return float(facts.errors + facts.sum(fact)), {}
        case "unmeasured":
            return float(facts.seconds is not None and not facts.measured), {}
    value, worker = facts.worst(fact)
    return value, {"worker": worker, "why": _why(facts, worker)}


def _names(workers: list[WorkerFacts]) -> str:
    return " and ".join(
        f"{worker.name} (pid {worker.pid}, {worker.stations} stations, {worker.calls} CALLs counted)"
        for worker in workers
    )


def _why(facts: Facts, name: str) -> str:
    """Return what to do: an overloaded worker needs help, a starved one needs other programs to end."""
    worker = next((worker for worker in facts.workers if worker.name == name), None)
    if worker is None:
        return _MORE
    waited, stolen = worker.waited or 0.0, worker.stolen or 0.0
    if stolen > _STOLEN_MUCH and stolen >= waited:
        return f"the host gave {stolen:.0%} of its processors to others (steal), so use a machine of its own"
    idle = worker.cpu is not None and max(worker.cpu, worker.busiest or 0.0) < _OWN_WORK
    if waited > _WAITED_MUCH or (idle and waited > _WAITED_LITTLE):
        return f"it waited for a processor {waited:.0%} of the time, so end other programs or use more machines"
    return _MORE
