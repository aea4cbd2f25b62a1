"""The curve of recovery that the back-off formula promises (OCPP 2.0.1 Part 4 §5.3), as pure functions.

A station that lost its connection at 0 tries at `W + U(0, R)`, and after each failure again after twice the wait. The
first attempt that the CSMS does not refuse succeeds; how that is distributed follows on a grid, without a draw.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Final

import msgspec

from loadtest.plugins.storms.plan import Return
from loadtest.timing.backoff import SHORTEST_WAIT, Backoff
from loadtest.workload.profile import Profile
from loadtest.workload.vendor import NEUTRAL, load_vendor

__all__ = ["Curve", "Expected", "distance", "expected", "first_success", "ways_back"]

_CELLS: Final = 2000


class Curve(msgspec.Struct, frozen=True):
    """The share of stations that are back, at `start`, `start + step`, …; the last one holds for ever."""

    start: float
    step: float
    shares: tuple[float, ...]

    def at(self, seconds: float) -> float:
        """Return the share that is back at a time."""
        place = (seconds - self.start) / self.step
        if place <= 0:
            return 0.0
        whole = int(place)
        if whole + 1 >= len(self.shares):
            return self.shares[-1]
        return self.shares[whole] + (self.shares[whole + 1] - self.shares[whole]) * (place - whole)


@lru_cache(maxsize=64)
def first_success(backoff: Backoff, blocked: float) -> Curve:
    """Return when stations are back that lost their connection at 0 and whose attempts fail before `blocked`."""
    fixed = backoff.kind == "none"
    doublings = backoff.repeat_times if backoff.kind == "spec" else 0
    spread = 0.0 if fixed else backoff.random_range
    waits = [0.0 if fixed else backoff.minimum * (1 << n) for n in range(doublings + 1)]
    if waits[0] + spread < SHORTEST_WAIT:
        waits[0] = SHORTEST_WAIT
    step = (blocked + waits[-1] + spread) * 1.001 / _CELLS
    # A wait without chance is smeared over one cell.
    spread = max(spread, step)
    grid = _Grid(step, blocked)
    attempts = [min(max((cell * step - waits[0]) / spread, 0.0), 1.0) for cell in range(_CELLS + 1)]
    total = [0.0] * (_CELLS + 1)
    for wait in waits[1:]:
        total = [a + b for a, b in zip(total, attempts, strict=True)]
        attempts = grid.wait(attempts, wait, spread)
    # From here on the wait is the same for ever, so that all further attempts follow in one pass.
    total = [a + b for a, b in zip(total, grid.repeat(attempts, waits[-1], spread), strict=True)]
    start = grid.value(total, blocked)
    first = int(blocked / step)
    shares = [min(max(value - start, 0.0), 1.0) for value in total[first:]]
    return Curve(first * step, step, tuple(shares))


class _Grid:
    """Distributions of attempts, cumulated over time; those before `blocked` fail and are followed by another one."""

    def __init__(self, step: float, blocked: float) -> None:
        self._step = step
        self._blocked = blocked / step
        self._last = int(self._blocked)

    def wait(self, attempts: Sequence[float], wait: float, spread: float) -> list[float]:
        """Let everybody who failed wait once more: from `wait` to `wait + spread`."""
        areas = [0.0]
        self._extend(areas, attempts)
        return [self._mean(areas, cell, wait, spread) for cell in range(_CELLS + 1)]

    def repeat(self, attempts: Sequence[float], wait: float, spread: float) -> list[float]:
        """Let everybody who failed wait again and again; returns the attempts given and all that follow."""
        areas, all_ = [0.0], [attempts[0]]
        for cell in range(1, _CELLS + 1):
            # A wait shorter than a cell sees what is known up to here.
            all_.append(attempts[cell] + self._mean(areas, cell, max(wait, self._step), spread))
            areas.append(areas[-1] + self._cell(all_, cell))
        return all_

    def value(self, values: Sequence[float], seconds: float) -> float:
        """Read a distribution between the points of the grid."""
        place = seconds / self._step
        whole = min(int(place), _CELLS - 1)
        return values[whole] + (values[whole + 1] - values[whole]) * (place - whole)

    def _extend(self, areas: list[float], attempts: Sequence[float]) -> None:
        for cell in range(1, _CELLS + 1):
            areas.append(areas[-1] + self._cell(attempts, cell))

    def _cell(self, attempts: Sequence[float], cell: int) -> float:
        """Integrate over the cell that ends at this point; nothing is added to the failed ones after `blocked`."""
        if cell <= self._last:
            return (attempts[cell - 1] + attempts[cell]) / 2
        place = min(self._last, cell)
        following = attempts[min(place + 1, cell)]
        part = self._blocked - self._last
        return attempts[place] + (following - attempts[place]) * part

    def _mean(self, areas: Sequence[float], cell: int, wait: float, spread: float) -> float:
        upto = self._area(areas, cell - wait / self._step)
        return (upto - self._area(areas, cell - (wait + spread) / self._step)) * self._step / spread

    @staticmethod
    def _area(areas: Sequence[float], place: float) -> float:
        if place <= 0:
            return 0.0
        whole = min(int(place), len(areas) - 1)
        if whole + 1 >= len(areas):
            return areas[whole]
        return areas[whole] + (areas[whole + 1] - areas[whole]) * (place - whole)


class Expected(msgspec.Struct, frozen=True):
    """The curve of a whole storm: stations that come back by their back-off, and those that connect at a known time."""

    parts: tuple[tuple[float, float, Curve], ...]
    """Share of the stations, when they lost their connection, and their curve from then on."""
    moments: tuple[float, ...]
    """When each of the others connects, in order."""
    each: float
    """The share that one of those is."""

    def at(self, seconds: float) -> float:
        """Return the share that is back at a time."""
        by_backoff = sum(weight * curve.at(seconds - lost_at) for weight, lost_at, curve in self.parts)
        return by_backoff + self.each * bisect_right(self.moments, seconds)

    def when(self, share: float) -> float:
        """Return when so many are back."""
        low, high = 0.0, 1.0
        while self.at(high) < share - 1e-6 and high < _FOR_EVER:
            high *= 2
        for _ in range(_HALVINGS):
            middle = (low + high) / 2
            low, high = (middle, high) if self.at(middle) < share - 1e-6 else (low, middle)
        return high


_FOR_EVER: Final = 1e7
_HALVINGS: Final = 50


def ways_back(profile: Profile, backoff: Backoff) -> dict[Backoff, float]:
    """Return how the stations of a profile space their connection attempts, with the share of each way in the fleet.

    `backoff` is that of the vendors without a way of their own.
    """
    parts = profile.members or ((profile, 1.0),)
    ways: dict[Backoff, float] = {}
    for part, weight in parts:
        vendors = part.vendors or profile.vendors or {NEUTRAL.name: 1.0}
        for name, share in vendors.items():
            way = load_vendor(name).way_back(backoff)
            whole = sum(vendors.values()) * sum(other for _, other in parts)
            ways[way] = ways.get(way, 0.0) + weight * share / whole
    return ways


def expected(backoff: Backoff | Mapping[Backoff, float], stations: Iterable[Return | None]) -> Expected | None:
    """Return the curve of the stations of a storm; None where one of them comes back in a way that no plan says.

    Where stations differ, `backoff` gives each way back with its share, which add up to 1.
    """
    ways = backoff if isinstance(backoff, Mapping) else {backoff: 1.0}
    groups: Counter[Return] = Counter()
    for one in stations:
        if one is None:
            return None
        groups[one] += 1
    total = groups.total()
    if not total:
        return None
    parts = tuple(
        (share * count / total, one.lost_at, first_success(way, round(one.free_from - one.lost_at, 3)))
        for one, count in sorted(groups.items())
        if not one.at_once
        for way, share in ways.items()
    )
    moments = [one.free_from for one, count in groups.items() if one.at_once for _ in range(count)]
    return Expected(parts, tuple(sorted(moments)), 1 / total)


def distance(measured: Iterable[tuple[float, float]], curve: Expected, tolerance: float) -> float:
    """Return the largest distance between measured shares (seconds, share) and a curve (Kolmogorov and Smirnov).

    What a station needs to connect makes it late: up to `tolerance` seconds to either side do not count.
    """
    return max(
        (_outside(share, curve.at(at - tolerance), curve.at(at + tolerance)) for at, share in measured), default=0.0
    )


def _outside(share: float, low: float, high: float) -> float:
    return max(low - share, share - high, 0.0)
