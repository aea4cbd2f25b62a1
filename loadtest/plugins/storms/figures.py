"""What one storm did, from the counts of all processes: times until all are back, the curve, the costs; pure."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Mapping
from itertools import accumulate
from math import ceil
from operator import itemgetter
from typing import Any, Final

from loadtest.plugins.storms.formula import Expected, distance
from loadtest.plugins.storms.tally import PER_SECOND

__all__ = ["QUANTILES", "Totals"]

QUANTILES: Final[tuple[tuple[str, float], ...]] = (("p50", 0.5), ("p95", 0.95), ("p999", 0.999))
_MOST_ROWS: Final = 900
_SHORT: Final = 20.0
"""Seconds; a shorter storm has five rows a second."""
TOLERANCE: Final = 0.5
"""Seconds in which a station that tries connects, before the curve is said to differ from the formula's."""


class Totals:
    """The counts of one storm; times in seconds since its beginning."""

    def __init__(self) -> None:
        """Start empty."""
        self._counts: dict[str, Counter[Any]] = {}
        self.numbers: Counter[str] = Counter()

    def add(self, news: Mapping[str, Any]) -> None:
        """Add what one process tells."""
        for name, value in news.items():
            if isinstance(value, dict):
                own = self._counts.setdefault(name, Counter())
                for key, count in value.items():
                    own[key] += count
            else:
                self.numbers[name] += value

    def counts(self, name: str) -> Counter[Any]:
        """Return the counts of one name by bucket, second or word."""
        return self._counts.get(name, Counter())

    def total(self, name: str) -> int:
        """Return how many there are in all."""
        return self.counts(name).total()

    def when(self, name: str, share: float) -> float | None:
        """Return when this share of the stations that were hit had come so far; None where it did not."""
        wanted, struck = 0, self.total("struck")
        if not struck:
            return None
        wanted = ceil(share * struck - 1e-9)
        for bucket, count in self._cumulated(name):
            if count >= wanted:
                return (bucket + 1) / PER_SECOND
        return None

    def times_ms(self, name: str) -> dict[str, float | None]:
        """Return the times until 50, 95 and 99.9 % and all had come so far, in ms."""
        times = {word: self.when(name, share) for word, share in (*QUANTILES, ("max", 1.0))}
        return {word: None if at is None else round(at * 1000, 1) for word, at in times.items()}

    def outage_ms(self) -> dict[str, float | None]:
        """Return for how long single stations were away."""
        outages = sorted(self.counts("outage").items())
        total = sum(count for _, count in outages)
        found: dict[str, float | None] = {}
        for word, share in (*QUANTILES, ("max", 1.0)):
            upto = 0
            found[word] = None
            for bucket, count in outages:
                upto += count
                if total and upto >= ceil(share * total - 1e-9):
                    found[word] = (bucket + 1) * 1000 / PER_SECOND
                    break
        return found

    def deviation(self, expected: Expected, tolerance: float = TOLERANCE) -> float | None:
        """Return the largest distance between the curve of the connected and the expected one; None without a curve.

        What lies within `tolerance` seconds counts for nothing.
        """
        struck = self.total("struck")
        if not struck or not self.total("back"):
            return None
        points: list[tuple[float, float]] = []
        before = 0
        for bucket, count in self._cumulated("back"):
            # Both edges of each step: the curve jumps there.
            points += [(bucket / PER_SECOND, before / struck), ((bucket + 1) / PER_SECOND, count / struck)]
            before = count
        return distance(points, expected, tolerance)

    def curve(self, until: float, expected: Expected | None) -> list[dict[str, float]]:
        """Return a row a second, of a long storm fewer and of a short one more."""
        struck = self.total("struck")
        step = 0.2 if until <= _SHORT else float(max(1, ceil(until / _MOST_ROWS)))
        columns = {name: self._cumulated(name) for name in ("struck", "back", "booted", "drained")}
        opened, attempts, queued = self.counts("opened"), self.counts("attempts"), self.counts("queued")
        rows: list[dict[str, float]] = []
        for index in range(int(until / step) + 2):
            at = round(index * step, 3)
            row: dict[str, float] = {"t": at}
            for name, counts in columns.items():
                row[name] = float(_upto(counts, at * PER_SECOND))
            if expected is not None:
                row["expected"] = round(expected.at(at) * struck, 1)
            seconds = range(int(at), int(at) + max(int(step), 1))
            row["connects_per_s"] = float(max(opened[second] for second in seconds))
            row["failed_per_s"] = float(max(attempts[second] for second in seconds))
            row["queued"] = float(max(queued[second] for second in seconds))
            rows.append(row)
        return rows

    @property
    def last_change(self) -> float:
        """Return when something changed last."""
        buckets = [bucket for name in ("struck", "back", "booted", "drained") for bucket in self.counts(name)]
        return (max(buckets) + 1) / PER_SECOND if buckets else 0.0

    def _cumulated(self, name: str) -> list[tuple[int, int]]:
        ordered = sorted(self.counts(name).items())
        return list(zip([bucket for bucket, _ in ordered], accumulate(count for _, count in ordered), strict=True))


def _upto(cumulated: list[tuple[int, int]], bucket: float) -> int:
    found = bisect_left(cumulated, bucket, key=itemgetter(0))
    return cumulated[found - 1][1] if found else 0
