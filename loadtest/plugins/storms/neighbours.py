"""The stations that a storm leaves alone: how long their CALLs took before it and while it struck the others.

The recorder counts the CALLs of all stations together. The stations in a storm count theirs once more; what is left
when those are taken away are the CALLs of the neighbours.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

from evidence.histogram import Histogram
from evidence.vocabulary import TO_CSMS, is_failure
from loadtest.measuring.recorder import Delta

__all__ = ["CALLS", "PERCENTILES", "Neighbours", "StruckCalls", "neighbours_told", "slower", "worst_of"]

CALLS: Final = "storm-calls"
"""The kind of the notes with the CALLs of stations in a storm: counts by bucket of `Histogram`, and failed ones."""
PERCENTILES: Final = (50.0, 95.0, 99.0)
LEAST_CALLS: Final = 20
"""Fewer show only chance."""
_LEAST_A_SECOND: Final = 3


class StruckCalls:
    """The CALLs of the stations in one storm, in the process where they are."""

    def __init__(self) -> None:
        """Begin without any."""
        self._response = Histogram()
        self._failed = 0

    def add(self, response_s: float, outcome: str) -> None:
        """Count a CALL that ended."""
        if is_failure(outcome):
            self._failed += 1
        else:
            self._response.record(int(response_s * 1e6 + 0.5))

    def take(self) -> tuple[dict[int, int], int] | None:
        """Return what was counted since the last call; None where nothing was."""
        if not self._response.counts and not self._failed:
            return None
        taken = dict(self._response.counts), self._failed
        self._response, self._failed = Histogram(), 0
        return taken


class _Part(NamedTuple):
    """The CALLs of some seconds: of answered ones the response times, and how many failed."""

    response: Histogram
    failed: int

    @property
    def calls(self) -> int:
        return self.response.count + self.failed

    def told(self, seconds: float) -> dict[str, Any]:
        """Write it as it goes into `run.json`."""
        found: dict[str, Any] = {
            "calls": self.calls,
            "calls_per_s": round(self.calls / seconds, 3) if seconds > 0 else 0.0,
            "failed_share": round(self.failed / self.calls, 6) if self.calls else 0.0,
        }
        for percentile in PERCENTILES:
            enough = self.response.count >= LEAST_CALLS
            value = round(self.response.percentile(percentile) / 1000, 3) if enough else None
            found[f"p{percentile:g}_ms"] = value
        return found


class Neighbours:
    """The CALLs of all stations but those in a storm, second by second."""

    def __init__(self) -> None:
        """Begin without any."""
        self._all: defaultdict[int, Histogram] = defaultdict(Histogram)
        self._failed: defaultdict[int, int] = defaultdict(int)

    def add(self, delta: Delta, second: int) -> None:
        """Add what a process recorded, known in this second."""
        counts: defaultdict[int, int] = defaultdict(int)
        failed = 0
        for entries in delta["windows"].values():
            for _, _, direction, outcome, _, response in entries:
                if direction != TO_CSMS:
                    continue
                if is_failure(outcome):
                    failed += sum(response.values())
                    continue
                for bucket, count in response.items():
                    counts[bucket] += count
        for note in delta["notes"]:
            if note[0] == CALLS:
                failed -= note[2]
                for bucket, count in note[1].items():
                    counts[int(bucket)] -= count
        self._all[second].merge({bucket: count for bucket, count in counts.items() if count > 0})
        self._failed[second] += max(failed, 0)

    def forget(self, before: float) -> None:
        """Drop the seconds that nobody will ask for."""
        for table in (self._all, self._failed):
            for second in [second for second in table if second < before]:
                del table[second]

    def part(self, since: float, until: float) -> _Part:
        """Return the CALLs of the whole seconds between two times."""
        span = range(int(since + 0.999), int(until))
        response = Histogram()
        for second in span:
            if second in self._all:
                response.merge(self._all[second].counts)
        return _Part(response, sum(self._failed.get(second, 0) for second in span))

    def curve(self, since: float, until: float, origin: float) -> list[dict[str, float]]:
        """Return p95 in ms for each second that has enough CALLs, `t` counted from `origin`."""
        rows = []
        for second in range(int(since + 0.999), int(until)):
            histogram = self._all.get(second)
            if histogram is not None and histogram.count >= _LEAST_A_SECOND:
                rows.append({"t": round(second - origin, 3), "p95_ms": round(histogram.percentile(95) / 1000, 3)})
        return rows


def neighbours_told(
    neighbours: Neighbours, *, stations: int, before: tuple[float, float], during: tuple[float, float], until: float
) -> dict[str, Any]:
    """Write the neighbours of one storm as `run.json` holds them; empty where it struck everybody.

    `before` and `during` are spans in seconds since the start of the run, and the curve goes on until `until`.
    """
    if stations <= 0:
        return {}
    parts = {"before": before, "during": during}
    told = {name: neighbours.part(*span).told(span[1] - span[0]) for name, span in parts.items()}
    return {
        "stations": stations,
        **told,
        "slower": slower(told, 95.0),
        "curve": neighbours.curve(before[0], until, during[0]),
    }


def slower(told: Mapping[str, Any], percentile: float) -> float | None:
    """Return how many times as long the CALLs of the neighbours took; None where too few were measured."""
    before, during = (told.get(name, {}).get(f"p{percentile:g}_ms") for name in ("before", "during"))
    return round(during / before, 4) if before and during is not None else None


def worst_of(results: Sequence[Mapping[str, Any]], percentile: float) -> float | None:
    """Return the worst of several storms."""
    values = [value for result in results if (value := slower(result.get("neighbours", {}), percentile)) is not None]
    return max(values, default=None)
