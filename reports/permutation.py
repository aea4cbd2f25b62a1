"""Whether two groups of runs differ by more than chance: a permutation test over all their figures at once.

If nothing changed, each way to deal the runs into two groups of these sizes is as likely as the one that happened. So
the question is how many of those ways would show a difference as large, in any figure (Westfall and Young's maxT): the
answer holds for all figures together, however many there are and however much they depend on one another. With few
runs there are few ways, and no difference however large can be told from chance; `least_chance` says how few.
"""

from __future__ import annotations

import math
import random
from collections.abc import Iterable, Sequence
from itertools import combinations
from typing import Final

import msgspec

__all__ = ["ALPHA", "Sample", "chances", "enough_runs", "least_chance"]

ALPHA: Final = 0.01
"""Chance of a false alarm that a whole comparison may have."""
_MOST_WAYS: Final = 2000
_SEED: Final = 1
"""Of the ways that are drawn where there are too many: the same runs give the same answer."""
_SAME: Final = 1e-9


class Sample(msgspec.Struct, frozen=True):
    """One figure of every run, those of the base first; a higher value is a worse one."""

    values: tuple[float, ...]
    fuzz: float
    """A spread below which differences do not count, in the unit of the values."""


def least_chance(bases: int, news: int) -> float:
    """Return the smallest chance that so many runs can show."""
    return 1 / math.comb(bases + news, bases)


def enough_runs() -> int:
    """Return how many runs of each group can show a difference."""
    return next(n for n in range(1, 99) if least_chance(n, n) <= ALPHA)


def chances(samples: Sequence[Sample], bases: int, *, worse: bool) -> list[float]:
    """Return for each figure the chance of a shift as large in any of them; `worse` looks up, else down."""
    if not samples:
        return []
    runs = len(samples[0].values)
    sign = 1.0 if worse else -1.0
    seen = [sign * _shift(sample, frozenset(range(bases))) for sample in samples]
    highest = sorted(max(sign * _shift(sample, group) for sample in samples) for group in _ways(runs, bases))
    return [sum(high >= shift - _SAME for high in highest) / len(highest) for shift in seen]


def _ways(runs: int, bases: int) -> Iterable[frozenset[int]]:
    """Yield every way to choose the base, or as many as can be tried, with the one that happened among them."""
    if math.comb(runs, bases) <= _MOST_WAYS:
        yield from map(frozenset, combinations(range(runs), bases))
        return
    draw = random.Random(_SEED)  # noqa: S311 - no secret
    yield frozenset(range(bases))
    for _ in range(_MOST_WAYS - 1):
        yield frozenset(draw.sample(range(runs), bases))


def _shift(sample: Sample, base: frozenset[int]) -> float:
    """Return by how many spreads within the groups their means differ."""
    before = [value for place, value in enumerate(sample.values) if place in base]
    after = [value for place, value in enumerate(sample.values) if place not in base]
    one, two = math.fsum(before) / len(before), math.fsum(after) / len(after)
    squares = math.fsum((value - one) ** 2 for value in before) + math.fsum((value - two) ** 2 for value in after)
    spread = math.sqrt(squares / max(len(sample.values) - 2, 1))
    return (two - one) / (spread + sample.fuzz)
