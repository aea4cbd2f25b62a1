"""How a quantity varies from one car to the next, as a profile writes it.

    1.5                                              always the same
    [10min, 20min]                                   evenly between two bounds
    {lognormal: {median: 4h, p90: 11h}, max: 48h}    by its median and the value that nine in ten stay below
    {normals: [{weight: 2, mean: 3, sd: 1}, {mean: 9, sd: 2}], min: 0}

Bounds cut by setting what lies beyond them to the bound, so that median and p90 stay those that are written.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate
from math import exp, isfinite, log
from statistics import NormalDist

import msgspec

from config.errors import ConfigError
from config.quantities import seconds
from loadtest.timing.pacing import Draws

__all__ = ["Lognormal", "Normal", "Quantity", "Spread", "check", "draw", "mean", "number", "quantile", "settled"]

Quantity = float | str
"""A number, in seconds where it is a span of time; or text with a unit: `90s`, `32min`, `4h`, `1h30min`."""

_STANDARD = NormalDist()
_P90 = _STANDARD.inv_cdf(0.9)


class Lognormal(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Values whose logarithm is normal; half of them are below `median`, nine in ten below `p90`."""

    median: Quantity
    p90: Quantity

    def __post_init__(self) -> None:
        """Refuse what has no such shape."""
        _numbers(self, "median", "p90")
        if not 0 < number(self.median) < number(self.p90):
            raise ValueError("`median` must be above 0 and `p90` above `median`")

    def at(self, score: float) -> float:
        """Return the value that lies so many standard deviations of the logarithm above the median."""
        median = number(self.median)
        return median * exp(log(number(self.p90) / median) * score / _P90)


class Normal(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One part of a mixture."""

    mean: Quantity
    sd: Quantity
    weight: float = 1.0

    def __post_init__(self) -> None:
        """Refuse what has no such shape."""
        _numbers(self, "mean", "sd")
        if number(self.sd) <= 0 or not 0 < self.weight < float("inf"):
            raise ValueError("`sd` and `weight` must be above 0")


class Shape(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A distribution with a name, and its bounds."""

    lognormal: Lognormal | None = None
    normals: tuple[Normal, ...] | None = None
    min: Quantity | None = None
    max: Quantity | None = None

    def __post_init__(self) -> None:
        """Refuse two at once, and none."""
        if (self.lognormal is None) == (not self.normals):
            raise ValueError("write either `lognormal` or a list of `normals`")
        _numbers(self, "min", "max")
        if self.min is not None and self.max is not None and number(self.min) > number(self.max):
            raise ValueError("`min` must not be above `max`")


Spread = float | str | tuple[Quantity, Quantity] | Shape


def number(quantity: Quantity) -> float:
    """Read a quantity; raises `ValueError`."""
    return seconds(quantity) if isinstance(quantity, str) else quantity


def _number(quantity: Quantity, name: str) -> float:
    try:
        return number(quantity)
    except ConfigError as error:
        raise ValueError(f"`{name}`: {error}") from None


def check(spread: Spread, name: str, *, least: float = 0.0, most: float = float("inf")) -> None:
    """Raise `ValueError` for a spread that leaves its range or has its bounds the wrong way round."""
    if isinstance(spread, Shape):
        low = number(spread.min) if spread.min is not None else 0.0 if spread.lognormal else -float("inf")
        high = number(spread.max) if spread.max is not None else float("inf")
        if low < least:
            raise ValueError(f"`{name}` needs a `min` of at least {least:g}")
        if high > most:
            raise ValueError(f"`{name}` needs a `max` of at most {most:g}")
        return
    low, high = (_number(part, name) for part in _ends(spread))
    if not least <= low or not high <= most or not isfinite(high):
        bounds = f"from {least:g} up" if most == float("inf") else f"from {least:g} to {most:g}"
        raise ValueError(f"`{name}` must be {bounds}")
    if low > high:
        raise ValueError(f"`{name}` is [{low:g}, {high:g}]; write the lower bound first")


def settled(spread: Spread) -> Spread:
    """Read the units of a spread once, so that drawing finds plain numbers."""
    if isinstance(spread, tuple):
        return number(spread[0]), number(spread[1])
    return spread if isinstance(spread, Shape) else number(spread)


def quantile(spread: Spread, share: float) -> float:
    """Return the value that a share of all stay below; for a mixture it is found by halves."""
    if not isinstance(spread, Shape):
        low, high = (number(part) for part in _ends(spread))
        return low + (high - low) * share
    if spread.lognormal is not None:
        value = spread.lognormal.at(_STANDARD.inv_cdf(_inside(share)))
    else:
        value = _mixed(spread.normals or (), _inside(share))
    return _cut(spread, value)


def draw(spread: Spread, draws: Draws) -> float:
    """Draw one value; one draw for a value, whatever it is drawn from, keeps the streams of stations in step."""
    if isinstance(spread, Shape) and spread.normals:
        return _draw_mixed(spread, spread.normals, draws)
    return quantile(spread, draws.uniform())


def mean(spread: Spread, points: int = 2000) -> float:
    """Return the mean, the bounds included, to about a thousandth."""
    return sum(quantile(spread, (place + 0.5) / points) for place in range(points)) / points


def _draw_mixed(spread: Shape, normals: Sequence[Normal], draws: Draws) -> float:
    # The part, and then the place within it, from one and the same draw: what is left of it is even again.
    shares = list(accumulate(normal.weight for normal in normals))
    point, before = draws.uniform() * shares[-1], 0.0
    for normal, upto in zip(normals, shares, strict=True):
        if point < upto or upto == shares[-1]:
            within = _inside((point - before) / normal.weight)
            return _cut(spread, number(normal.mean) + number(normal.sd) * _STANDARD.inv_cdf(within))
        before = upto
    raise AssertionError


def _mixed(normals: Sequence[Normal], share: float) -> float:
    total = sum(normal.weight for normal in normals)
    parts = [(normal.weight / total, number(normal.mean), number(normal.sd)) for normal in normals]
    low = min(centre - 9 * sd for _, centre, sd in parts)
    high = max(centre + 9 * sd for _, centre, sd in parts)
    for _ in range(60):
        middle = (low + high) / 2
        if sum(weight * _STANDARD.cdf((middle - centre) / sd) for weight, centre, sd in parts) < share:
            low = middle
        else:
            high = middle
    return (low + high) / 2


def _cut(spread: Shape, value: float) -> float:
    if spread.min is not None:
        value = max(value, number(spread.min))
    return value if spread.max is None else min(value, number(spread.max))


def _inside(share: float) -> float:
    """Keep away from the ends, where a normal is infinite."""
    return min(max(share, 1e-9), 1 - 1e-9)


def _ends(spread: float | str | tuple[Quantity, Quantity]) -> tuple[Quantity, Quantity]:
    return spread if isinstance(spread, tuple) else (spread, spread)


def _numbers(owner: msgspec.Struct, *names: str) -> None:
    """Read units once, so that drawing finds plain numbers."""
    for name in names:
        value = getattr(owner, name)
        if value is not None:
            read = _number(value, name)
            if not isfinite(read):
                raise ValueError(f"`{name}` must be a finite number")
            msgspec.structs.force_setattr(owner, name, read)
