"""What has been counted since the start of a run, as metrics hold it; pure.

It hears every delta of every process once, as the merged histograms of the run do, so nothing here is on the hot path.
Each latency goes from its bucket of `Histogram` to a bucket of the metrics, both to three digits.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Mapping
from functools import cache
from typing import Final

from evidence.histogram import highest_in_bucket, lowest_in_bucket
from loadtest.measuring.recorder import Delta, Key
from loadtest.plugins.metrics.families import BOUNDS, Distribution

__all__ = ["MOST_SERIES", "MOST_VALUES", "OTHER", "Totals", "distribution_of"]

MOST_SERIES: Final = 300
"""Combinations of action, version, direction and outcome that are told apart."""
MOST_VALUES: Final = 40
"""Values of any other label that are told apart."""
OTHER: Final = "(other)"

_BOUNDS_US: Final = tuple(round(bound * 1e6) for bound in BOUNDS)


class Totals:
    """The counts of one run."""

    def __init__(self) -> None:
        """Start empty."""
        self.service: dict[Key, Distribution] = {}
        self.response: dict[Key, Distribution] = {}
        self.connects: Counter[str] = Counter()
        self.lost: Counter[str] = Counter()
        self.faults: Counter[str] = Counter()
        self.injected: Counter[str] = Counter()
        self.offered = 0

    def add(self, delta: Delta) -> None:
        """Add what one process recorded."""
        for entries in delta["windows"].values():
            for ocpp, action, direction, outcome, service, response in entries:
                key = self._known((ocpp, action, direction, outcome))
                _add(self.service[key], service)
                _add(self.response[key], response)
        for name in ("faults", "injected"):
            _count(getattr(self, name), delta[name])
        _count(self.connects, delta["connections"])
        for how, _, _, _, number, *_ in delta["lost"]:
            _count(self.lost, {how: number})
        self.offered += sum(delta["offered"].values())

    def _known(self, key: Key) -> Key:
        """Return the series to count under; too many of them would cost more than they tell."""
        if key not in self.response:
            if len(self.response) >= MOST_SERIES:
                key = (key[0], OTHER, key[2], OTHER)
            if key not in self.response:
                self.service[key], self.response[key] = Distribution(), Distribution()
        return key


def distribution_of(counts: Mapping[int, int]) -> Distribution:
    """Return counts by bucket of `Histogram` as the metrics hold them."""
    found = Distribution()
    _add(found, counts)
    return found


@cache
def _slot(index: int) -> tuple[int, float]:
    """Return the bucket of the metrics that a bucket of `Histogram` lies in, and its middle in seconds."""
    lowest = lowest_in_bucket(index)
    return bisect_left(_BOUNDS_US, lowest), (lowest + highest_in_bucket(index)) / 2e6


def _add(distribution: Distribution, counts: Mapping[int, int]) -> None:
    into = distribution.counts
    for index, count in counts.items():
        slot, middle = _slot(index)
        into[slot] += count
        distribution.sum += middle * count


def _count(table: Counter[str], news: Mapping[str, int]) -> None:
    for name, number in news.items():
        table[name if name in table or len(table) < MOST_VALUES else OTHER] += number
