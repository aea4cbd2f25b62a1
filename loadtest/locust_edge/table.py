"""Locust's own statistics, fed once a second from what was recorded instead of by an event for each CALL.

Locust's event and its two statistics entries cost as much as everything else that happens in Python for a CALL. While
only Locust itself listens to its `request` event, the same numbers get there in sums; as soon as somebody else listens
(a locustfile, a plugin), the event is fired for each CALL again. Locust's table shows every CALL either way.

The module imports Locust, which monkey-patches the process.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

from locust import stats as locust_stats
from locust.env import Environment

from evidence.histogram import highest_in_bucket, lowest_in_bucket

__all__ = ["LocustTable"]

_LOCUSTS_OWN = 1
"""Locust's runner listens to the event itself."""


class LocustTable:
    """The statistics of one Locust environment."""

    def __init__(self, environment: Environment) -> None:
        """Feed the statistics of an environment whose runner exists."""
        self._event: Any = environment.events.request
        self._stats: Any = environment.stats

    @property
    def fire(self) -> Callable[..., Any]:
        """The event, for one CALL."""
        fire: Callable[..., Any] = self._event.fire
        return fire

    @property
    def alone(self) -> bool:
        """Whether nobody but Locust listens."""
        return len(self._event._handlers) <= _LOCUSTS_OWN  # noqa: SLF001 - Locust has no other way to tell

    def add(self, request_type: str, name: str, exception: str | None, counts: Mapping[int, int]) -> None:
        """Add CALLs of one kind: how many ended within each bucket of `Histogram`."""
        if not counts:
            return
        total, rounded = 0.0, dict[int, int]()
        for bucket, count in counts.items():
            milliseconds = (lowest_in_bucket(bucket) + highest_in_bucket(bucket)) / 2000
            total += milliseconds * count
            key = locust_stats.bucket_response_time(milliseconds)
            rounded[key] = rounded.get(key, 0) + count
        now, number = time.time(), sum(counts.values())
        for entry in (self._stats.total, self._stats.get(name, request_type)):
            _add_number(entry, now, number, failed=exception is not None)
            entry.total_response_time += total
            lowest, highest = lowest_in_bucket(min(counts)) / 1000, highest_in_bucket(max(counts)) / 1000
            known = lowest if entry.min_response_time is None else entry.min_response_time
            entry.min_response_time = min(lowest, known)
            entry.max_response_time = max(entry.max_response_time, highest)
            for key, count in rounded.items():
                entry.response_times[key] += count
        if exception is not None:
            self._add_error(request_type, name, exception, number, now)

    def _add_error(self, request_type: str, name: str, exception: str, number: int, now: float) -> None:
        key = locust_stats.StatsError.create_key(request_type, name, exception)
        error = self._stats.errors.get(key)
        if error is None:
            error = self._stats.errors[key] = locust_stats.StatsError(request_type, name, exception)
        error.occurrences += number
        error.first_seen = error.first_seen or now
        error.last_seen = now


def _add_number(entry: Any, now: float, number: int, *, failed: bool) -> None:
    """Count in one entry as `StatsEntry.log` and `log_error` would do `number` times."""
    second, last = int(now), entry.last_request_timestamp
    if entry.use_response_times_cache and last and second > int(last):
        entry._cache_response_times(second - 1)  # noqa: SLF001 - as `StatsEntry.log` does
    entry.num_requests += number
    entry.num_reqs_per_sec[second] += number
    entry.last_request_timestamp = now
    if failed:
        entry.num_failures += number
        entry.num_fail_per_sec[second] += number
