"""When a fleet of Plugstorm's is ready for a measurement."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

import gevent

from loadtest.locust_edge.wiring import wired
from loadtest.station import Station

__all__ = ["settled", "told"]

_REPORT: Final = 1.2
"""Seconds in which Locust's statistics are fed at least once."""


def settled(environment: Any, stations: Iterable[Station | None]) -> int:
    """Count the stations that are accepted and have said all that a station says after its start."""
    booted: int = wired(environment).recorder.booted_now
    if booted < environment.parsed_options.num_users:
        return booted
    return sum(station is not None and not station.awaits_answer for station in stations)


def told() -> None:
    """Wait until Locust's statistics hold what was recorded before."""
    gevent.sleep(_REPORT)
