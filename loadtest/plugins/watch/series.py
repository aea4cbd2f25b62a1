"""The figures of one source over a run: series of bounded length, their growth, and what objectives ask for; pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import fmean
from types import MappingProxyType
from typing import Any, Final

from loadtest.judging.quantities import Kind, Values
from loadtest.plugins.watch.contract import Reading

__all__ = ["QUANTITIES", "Series", "growth", "quantities_of"]

QUANTITIES: Final[Mapping[str, Kind]] = MappingProxyType(
    {
        "cpu-mean": "share",
        "cpu-max": "share",
        "rss-mean": "memory",
        "rss-max": "memory",
        "*-growth": "share",
        "*-mean": "count",
        "*-max": "count",
    }
)
"""`*` is a process's cpu, rss, fds or threads, or the name of a metric without its labels."""

_MOST_POINTS: Final = 900
_LEAST_FOR_GROWTH: Final = 10
_PARTS: Final = 5
_KB_PER_MB: Final = 1024


class Series:
    """One figure over time; of a counter, its rise in a second."""

    def __init__(self, source: str, first: Reading) -> None:
        """Begin without a point."""
        self.source = source
        self.name = first.name
        self.is_rate = first.is_counter
        self.unit = "/s" if first.is_counter else first.unit
        self.points: list[tuple[float, float]] = []
        self._before: tuple[float, float] | None = None
        self._each = 1
        self._skipped = 0

    @property
    def metric(self) -> str:
        """Its name without labels."""
        return self.name.partition("{")[0]

    def add(self, at: float, value: float) -> None:
        """Take a value at a time in seconds since the start of the run."""
        if self.is_rate:
            before, self._before = self._before, (at, value)
            # A counter that falls has begun again from nothing.
            if before is None or at <= before[0]:
                return
            value = (value - before[1] if value >= before[1] else value) / (at - before[0])
        self._skipped += 1
        if self._skipped < self._each:
            return
        self._skipped = 0
        self.points.append((round(at, 2), round(value, 4)))
        if len(self.points) > _MOST_POINTS:
            # A run of days keeps fewer points and not only its beginning.
            self.points = self.points[::2]
            self._each *= 2

    def values(self, since: float | None, until: float | None) -> list[float]:
        """Return the values of a part of the run."""
        return [value for at, value in self.points if (since is None or at >= since) and (until is None or at < until)]

    def told(self, since: float | None, until: float | None) -> dict[str, Any]:
        """Write it as `run.json` holds it."""
        values = self.values(since, until) or self.values(None, None)
        return {
            "source": self.source,
            "name": self.name,
            "unit": self.unit,
            "is_rate": self.is_rate,
            "mean": round(fmean(values), 4) if values else None,
            "most": max(values, default=None),
            "growth": growth(values),
            "points": self.points,
        }


def growth(values: Sequence[float]) -> float | None:
    """Return by which share the last fifth is higher than the first one; None where that cannot be told."""
    if len(values) < _LEAST_FOR_GROWTH:
        return None
    part = len(values) // _PARTS
    first, last = fmean(values[:part]), fmean(values[-part:])
    return round((last - first) / first, 6) if first > 0 else None


def quantities_of(series: Sequence[Series], since: float | None, until: float | None) -> Values:
    """Return what objectives can be about; of several series with one name the highest value counts."""
    found: dict[str, tuple[float | None, float | None]] = {}
    for one in series:
        values = one.values(since, until)
        if not values:
            continue
        scale = {"%": 0.01, "MB": _KB_PER_MB}.get(one.unit, 1.0)
        figures = {"mean": fmean(values) * scale, "max": max(values) * scale, "growth": growth(values)}
        for word, value in figures.items():
            name = f"{one.metric}-{word}"
            known = found.get(name, (None, None))[0]
            if value is not None:
                found[name] = (value if known is None else max(known, value), None)
    return found
