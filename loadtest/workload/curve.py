"""The curve of a day: how often cars come by the time of the day, and the time of the next one (inversion).

A profile says how many cars are **served** and when; that is what operators publish. A car that finds the place taken
drives on, so more must come than are served: `Rates` works out how many, from the occupancy that the served ones cause.
Rates are constant within a quarter of an hour, and the week repeats.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from itertools import accumulate
from math import floor
from typing import Final

import msgspec

from loadtest.workload.spread import Spread, mean, quantile

__all__ = ["DAY", "DAYS", "WEEK", "Curve", "Rates", "clock_text", "seconds_of_day"]

DAY: Final = 86_400.0
WEEK: Final = 7 * DAY
DAYS: Final = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")

_SLOT: Final = 900.0
_SLOTS_A_DAY: Final = 96
_SLOTS: Final = 7 * _SLOTS_A_DAY
_LENGTHS: Final = (24, 48, 96)
_FULLEST: Final = 0.97
"""Share of the time that a place may be taken at the busiest moment; beyond it hardly any car would find it free."""
_POINTS: Final = 2000
_LONGEST_HISTORY: Final = 2 * DAY
_FIRST_WEEKEND_DAY: Final = 5


class Curve(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Relative rates from midnight on: 24, 48 or 96 numbers that share the day evenly.

    Only their ratios count, and both days have the same scale: a weekend whose numbers add up to half of those of a
    weekday has half of its sessions.
    """

    weekday: tuple[float, ...]
    weekend: tuple[float, ...] | None = None
    """Saturday and Sunday; None is a day like any other."""

    def __post_init__(self) -> None:
        """Refuse what is not a curve."""
        for name in ("weekday", "weekend"):
            rates = getattr(self, name)
            if rates is None:
                continue
            if len(rates) not in _LENGTHS:
                raise ValueError(f"`{name}` has {len(rates)} numbers; write 24, 48 or 96 of them, from midnight on")
            if any(not 0 <= rate < float("inf") for rate in rates):
                raise ValueError(f"`{name}` must have no number below 0")
        if not sum(self.weekday):
            raise ValueError("`weekday` must have a number above 0")

    def day(self, weekday: int) -> tuple[float, ...]:
        """Return the rates of a day, Monday being 0."""
        return self.weekday if weekday < _FIRST_WEEKEND_DAY or self.weekend is None else self.weekend

    def shares(self, weekday: int) -> list[float]:
        """Return the 96 quarters of a day as shares of the sessions of one weekday."""
        rates, total = self.day(weekday), sum(self.weekday) * _SLOTS_A_DAY / len(self.weekday)
        each = _SLOTS_A_DAY // len(rates)
        return [rate / total for rate in rates for _ in range(each)]

    @property
    def peak(self) -> float:
        """When the busiest part of a weekday begins, in seconds of the day."""
        return self.weekday.index(max(self.weekday)) * DAY / len(self.weekday)


class Rates:
    """Arrivals at one place through the week; seconds count from Monday, midnight."""

    __slots__ = ("_cumulated", "busiest", "history", "served")

    def __init__(self, curve: Curve, per_day: float, stays: Sequence[Spread]) -> None:
        """Work out the arrivals that serve `per_day` cars on a weekday; a place is taken for the sum of `stays`.

        Raises `ValueError` where so many cars do not fit.
        """
        self.served = [per_day * share for weekday in range(7) for share in curve.shares(weekday)]
        """Sessions that begin in each quarter of an hour of the week."""
        taken = _occupancy(self.served, stays)
        self.busiest = max(taken)
        if self.busiest > _FULLEST:
            raise ValueError(
                f"`per_day` {per_day:g} does not fit: a place would be taken {self.busiest:.0%} of the time at the "
                f"busiest moment; write fewer sessions, shorter ones, or a flatter curve"
            )
        self.history = min(_LONGEST_HISTORY, quantile(stays[0], 0.999))
        """Seconds before a moment within which nearly all cars came that are there then."""
        offered = [wanted / (1.0 - share) for wanted, share in zip(self.served, taken, strict=True)]
        self._cumulated = [0.0, *accumulate(offered)]

    def expected(self, at: float) -> float:
        """Return how many cars come from Monday, midnight of the first week until `at`."""
        week, rest = divmod(at, WEEK)
        slot = min(int(rest / _SLOT), _SLOTS - 1)
        low, high = self._cumulated[slot], self._cumulated[slot + 1]
        return week * self._cumulated[-1] + low + (high - low) * (rest / _SLOT - slot)

    def when(self, expected: float) -> float:
        """Return the moment until which so many cars are expected: the inverse of `expected`."""
        cumulated = self._cumulated
        week = floor(expected / cumulated[-1])
        rest = expected - week * cumulated[-1]
        slot = min(max(bisect_right(cumulated, rest) - 1, 0), _SLOTS - 1)
        width = cumulated[slot + 1] - cumulated[slot]
        within = (rest - cumulated[slot]) / width if width > 0 else 0.0
        return week * WEEK + (slot + min(within, 1.0)) * _SLOT


def _occupancy(served: Sequence[float], stays: Sequence[Spread]) -> list[float]:
    """Return for each quarter of an hour the share of it in which a place is taken.

    That is the sum over earlier starts of the chance that the car is still there: exact where the starts follow a
    Poisson process that knows nothing of the place, as they do here.
    """
    first, *others = stays
    # Only the longest of the stays is worth its distribution, the others are minutes.
    extra = sum(mean(other) for other in others)
    lengths = sorted(quantile(first, (place + 0.5) / _POINTS) + extra for place in range(_POINTS))

    def there(seconds: float) -> float:
        return 1.0 - bisect_left(lengths, seconds) / _POINTS

    # Of a car that came in the same quarter of an hour one sees half the quarter, on average a third of it later.
    kernel = [there(_SLOT / 3) / 2]
    while len(kernel) < _SLOTS and kernel[-1] > 0:
        age = len(kernel) * _SLOT
        kernel.append((there(age - _SLOT / 2) + 2 * there(age) + there(age + _SLOT / 2)) / 4)
    return [
        sum(served[slot - age] * weight for age, weight in enumerate(kernel))  # before Monday comes Sunday
        for slot in range(_SLOTS)
    ]


def seconds_of_day(text: str | int) -> float:
    """Read `17:00` as seconds since midnight; raises `ValueError`.

    YAML itself reads an unquoted 17:00 as 17 times 60, so a whole number counts as minutes.
    """
    hours, _, minutes = str(text).partition(":")
    if isinstance(text, int) and not isinstance(text, bool):
        hours, minutes = str(text // 60), f"{text % 60:02d}"
    if not (hours.isdecimal() and minutes.isdecimal() and len(minutes) == 2 and int(minutes) < 60 and int(hours) < 24):  # noqa: PLR2004 - a clock
        raise ValueError(f"{text!r} is not a time of day; write it as 17:00")
    return int(hours) * 3600.0 + int(minutes) * 60.0


def clock_text(seconds: float) -> str:
    """Write seconds since Monday, midnight as a person says them."""
    day, rest = divmod(seconds % WEEK, DAY)
    return f"{DAYS[int(day)].capitalize()} {int(rest // 3600):02d}:{int(rest % 3600 // 60):02d}"
