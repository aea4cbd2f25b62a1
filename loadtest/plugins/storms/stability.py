"""Whether a CSMS is again what it was before a storm: all work is done, no slower, and with no more failures.

One that stays slow and failing though nothing strikes it any more is metastable: retries and reconnects keep it busy.
All functions are pure; seconds are counted from the start of the run.
"""

from __future__ import annotations

from collections import defaultdict
from math import sqrt
from typing import Any, Final, NamedTuple

from evidence.histogram import Histogram
from evidence.vocabulary import TO_CSMS, is_failure
from loadtest.measuring.recorder import Delta
from ocppj.outcomes import Outcome

__all__ = ["LEAST_SECONDS", "Sample", "Seconds", "StormVerdict", "compare"]

LEAST_SECONDS: Final = 3
"""A shorter time shows nothing."""
_LEAST_CALLS: Final = 20
_LESS_WORK: Final = 0.1
_MORE_FAILURES: Final = 0.01
_SLOWER: Final = 2.0
_SLOWER_MS: Final = 50.0
_TIMES_LAG: Final = 2.0
_FEWER_STATIONS: Final = 0.01
_MORE_CONNECTS: Final = 0.01
_SIGMAS: Final = 3.0


class Sample(NamedTuple):
    """What a run was like over some seconds."""

    seconds: int
    calls: int
    failed: int
    offered: int
    """CALLs that fell due in the schedules of the stations."""
    p99_ms: float
    """Response time of the stations' CALLs; 0 where there were none."""
    booted: float
    """Stations, on the average."""
    connects: int
    """Connections opened."""

    @property
    def per_second(self) -> float:
        """CALLs that ended in a second."""
        return self.calls / self.seconds if self.seconds else 0.0

    @property
    def failed_share(self) -> float:
        """Of the CALLs, those without a proper answer."""
        return self.failed / self.calls if self.calls else 0.0

    def told(self) -> dict[str, Any]:
        """Write it as it goes into `run.json`."""
        return {
            "seconds": self.seconds,
            "calls_per_s": round(self.per_second, 3),
            "offered_per_s": round(self.offered / self.seconds, 3) if self.seconds else 0.0,
            "failed_share": round(self.failed_share, 6),
            "p99_ms": round(self.p99_ms, 3),
            "booted": round(self.booted, 1),
            "connects_per_s": round(self.connects / self.seconds, 3) if self.seconds else 0.0,
        }


class StormVerdict(NamedTuple):
    """Whether it recovered, None where that cannot be told, and why."""

    recovered: bool | None
    reasons: tuple[str, ...] = ()


def compare(
    before: Sample, after: Sample, *, struck: int, unrecovered: int, away: int = 0, lag_ms: float = 0.0
) -> StormVerdict:
    """Judge the time after a storm, which struck so many stations, by the time before it.

    Of the `unrecovered`, so many are `away` because they take the loss for the end; the CSMS cannot help that. Nor can
    it help that the load generator was late (`lag_ms`, p99): latencies must have grown by more than that.
    """
    if after.seconds < LEAST_SECONDS:
        return StormVerdict(None, (f"less than {LEAST_SECONDS} s were left after it, before the end or another storm",))
    reasons = []
    if unrecovered - away > struck // 1000:
        reasons.append(f"{unrecovered - away} of {struck} stations are not back")
    if before.seconds < LEAST_SECONDS:
        return StormVerdict(
            False if reasons else None,
            (*reasons, f"less than {LEAST_SECONDS} s were left before it, after the ramp or another storm"),
        )
    if after.booted + away < before.booted * (1 - _FEWER_STATIONS) - 1:
        reasons.append(f"{after.booted:.0f} stations are accepted, {before.booted:.0f} were")
    if after.connects / after.seconds > before.connects / before.seconds + max(struck * _MORE_CONNECTS, 1.0):
        reasons.append(f"stations still reconnect, {after.connects / after.seconds:.1f} a second")
    if before.calls >= _LEAST_CALLS:
        reasons += _work(before, after, lag_ms)
    return StormVerdict(not reasons, tuple(reasons))


def _work(before: Sample, after: Sample, lag_ms: float) -> list[str]:
    reasons = []
    # What falls due changes with the hour; that it is done must not. At the edges of a time a few are under way.
    done = after.calls + _SIGMAS * sqrt(after.offered)
    if done < after.offered * (1 - _LESS_WORK):
        reasons.append(f"{after.calls} CALLs ended of {after.offered} that fell due")
    if after.failed_share > before.failed_share + _MORE_FAILURES:
        reasons.append(f"{after.failed_share:.1%} of the CALLs fail, {before.failed_share:.1%} did")
    if after.p99_ms > max(before.p99_ms * _SLOWER, before.p99_ms + max(_SLOWER_MS, _TIMES_LAG * lag_ms)):
        reasons.append(f"p99 is {after.p99_ms:.0f} ms, it was {before.p99_ms:.0f} ms")
    return reasons


class Seconds:
    """What a run was like in each of its latest seconds."""

    def __init__(self) -> None:
        """Start empty."""
        self._rows: dict[int, list[int]] = {}
        self._calls: defaultdict[int, list[int]] = defaultdict(lambda: [0, 0])
        self._latencies: defaultdict[int, Histogram] = defaultdict(Histogram)
        self._offered: defaultdict[int, int] = defaultdict(int)
        self._faults: defaultdict[int, defaultdict[str, int]] = defaultdict(lambda: defaultdict(int))

    def add(self, delta: Delta, second: int, started: float) -> None:
        """Add what a process recorded, known in this second; `started` is the start of the run since 1970."""
        latencies, calls = self._latencies[second], self._calls[second]
        for entries in delta["windows"].values():
            for _, _, direction, outcome, _, response in entries:
                if direction != TO_CSMS:
                    continue
                calls[0] += (count := sum(response.values()))
                if is_failure(outcome):
                    calls[1] += count
                elif outcome != Outcome.INJECTED:
                    latencies.merge(response)
        for at, *figures in delta["rows"]:
            row = self._rows.setdefault(int(at - started), [0] * len(figures))
            for place, figure in enumerate(figures):
                row[place] += figure
        self._offered[second] += sum(delta["offered"].values())
        for kind, count in delta["faults"].items():
            self._faults[second][kind] += count

    def forget(self, before: float) -> None:
        """Drop the seconds that nobody will ask for."""
        for table in (self._rows, self._calls, self._latencies, self._offered, self._faults):
            for second in [second for second in table if second < before]:
                del table[second]

    def sample(self, since: float, until: float) -> Sample:
        """Return what the run was like between two times; seconds of which a part lies outside are left out."""
        span = range(int(since + 0.999), int(until))
        rows = [self._rows[second] for second in span if second in self._rows]
        latencies = Histogram()
        for second in span:
            if second in self._latencies:
                latencies.merge(self._latencies[second].counts)
        offered = sum(self._offered.get(second, 0) for second in span)
        calls = [self._calls[second] for second in span if second in self._calls]
        sums = [sum(column) for column in zip(*rows, strict=True)] or [0] * 5
        return Sample(
            seconds=len(rows),
            calls=sum(ended for ended, _ in calls),
            failed=sum(failed for _, failed in calls),
            offered=offered,
            p99_ms=latencies.percentile(99) / 1000 if latencies.counts else 0.0,
            booted=sums[3] / len(rows) if rows else 0.0,
            connects=sums[4],
        )

    def faults(self, kind: str, since: float, until: float) -> int:
        """Count a kind of fault between two times."""
        return sum(kinds.get(kind, 0) for second, kinds in self._faults.items() if since <= second <= until)
