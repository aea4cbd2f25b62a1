"""How far a figure of one run may be off by chance, so that a comparison does not cry wolf.

Answers of neighbouring moments are alike: one stall of the CSMS makes a thousand slow answers, and they are one
event, not a thousand. So the spread is taken between the intervals of a log, not between single answers.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

import msgspec

from evidence.histogram import Histogram, bucket_index
from reports.histograms import merge

__all__ = ["Range", "Z", "quantile_range", "share_differs", "spread_of_mean"]

Z: Final = 3.0
"""Standard errors that count as chance."""
_FEW_BLOCKS = 5
_LEAST_BEYOND = 5


class Range(msgspec.Struct, frozen=True):
    """A figure with the range in which it may lie by chance."""

    value: float
    low: float
    high: float


def quantile_range(intervals: Sequence[Histogram], percentile: float) -> Range | None:
    """Give a percentile in ms with its range (Woodruff's interval with the log's intervals as clusters).

    None where fewer than five values lie beyond it.
    """
    total = merge(intervals)
    n, q = total.count, percentile / 100
    if n * (1 - q) < _LEAST_BEYOND:
        return None
    value = total.percentile(percentile)
    spread = Z * max(_binomial(n, q), _between(intervals, bucket_index(value), n))
    wanted = (max(q - spread, 0.0) * 100, min(q + spread, 1.0) * 100)
    low, high = total.percentiles(wanted)
    return Range(value / 1000, low / 1000, high / 1000)


def _binomial(n: int, q: float) -> float:
    return math.sqrt(q * (1 - q) / n)


def _between(intervals: Sequence[Histogram], threshold: int, n: int) -> float:
    """Estimate the standard error of the share above a bucket from how it differs between intervals."""
    blocks = [(sum(c for index, c in block.counts.items() if index > threshold), block.count) for block in intervals]
    if len(blocks) < _FEW_BLOCKS:
        return 0.0
    share = sum(above for above, _ in blocks) / n
    squares = math.fsum((above - share * size) ** 2 for above, size in blocks)
    return math.sqrt(squares * len(blocks) / (len(blocks) - 1)) / n


def spread_of_mean(values: Sequence[float]) -> Range | None:
    """Give the mean of what was counted second by second with its range; None for too few seconds."""
    n = len(values)
    if n < _FEW_BLOCKS:
        return None
    mean = math.fsum(values) / n
    error = Z * math.sqrt(math.fsum((value - mean) ** 2 for value in values) / (n - 1) / n)
    return Range(mean, mean - error, mean + error)


def share_differs(before: tuple[int, int], after: tuple[int, int]) -> bool:
    """Return whether two shares, each an amount of a total, differ by more than chance."""
    (x, n), (y, m) = before, after
    if not n or not m:
        return False
    pooled = (x + y) / (n + m)
    error = math.sqrt(pooled * (1 - pooled) * (1 / n + 1 / m))
    return abs(x / n - y / m) > Z * error
