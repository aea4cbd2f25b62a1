from __future__ import annotations

import random

from evidence.histogram import Histogram
from reports.noise import quantile_range, share_differs, spread_of_mean


def blocks(seed: int, *, stall: float = 1.0, intervals: int = 30, each: int = 60) -> list[Histogram]:
    """Make intervals of lognormal latencies; in every tenth of them everything is `stall` times slower."""
    chance = random.Random(seed)
    made = []
    for number in range(intervals):
        block = Histogram()
        for _ in range(each):
            block.record(int(5000 * chance.lognormvariate(0, 0.4) * (stall if number % 10 == 0 else 1.0)))
        made.append(block)
    return made


def test_range_holds_the_percentile_of_a_run_of_the_same_kind() -> None:
    first = quantile_range(blocks(1), 99)
    assert first is not None
    assert first.low < first.value < first.high
    others = [quantile_range(blocks(seed), 99) for seed in range(2, 30)]
    assert sum(first.low <= other.value <= first.high for other in others if other) >= 27


def test_stall_in_few_intervals_widens_the_range() -> None:
    calm, stalled = quantile_range(blocks(1), 90), quantile_range(blocks(1, stall=5), 90)
    merged = Histogram()
    for block in blocks(1, stall=5):
        merged.merge(block.counts)
    as_one = quantile_range([merged], 90)
    assert calm
    assert stalled
    assert as_one
    assert stalled.high / stalled.low > calm.high / calm.low
    assert stalled.high > as_one.high


def test_percentile_that_rests_on_too_few_values_has_no_range() -> None:
    assert quantile_range(blocks(1, intervals=1, each=60), 99) is None
    assert quantile_range([], 50) is None


def test_more_values_narrow_the_range() -> None:
    few, many = quantile_range(blocks(1, each=30), 50), quantile_range(blocks(1, each=600), 50)
    assert few
    assert many
    assert many.high - many.low < few.high - few.low


def test_mean_of_steady_seconds_is_narrow_and_of_few_seconds_unknown() -> None:
    assert spread_of_mean([100.0] * 4) is None
    steady = spread_of_mean([100.0] * 10)
    assert steady is not None
    assert (steady.low, steady.value, steady.high) == (100, 100, 100)


def test_shares_differ_only_beyond_chance() -> None:
    assert not share_differs((5, 1000), (9, 1000))
    assert share_differs((5, 1000), (40, 1000))
    assert not share_differs((0, 0), (4, 10))
    assert not share_differs((0, 10), (0, 10))
