"""What a clock shows at two moments, and whether it went on as time does between them."""

from __future__ import annotations

from typing import Final, NamedTuple

__all__ = ["UNEVEN", "ClockReading", "unevenness"]

UNEVEN: Final = 2.0
"""Seconds by which two readings may be further apart than their messages: a clock may cut fractions off."""


class ClockReading(NamedTuple):
    """A time that somebody told between two moments of another clock, all in seconds."""

    seconds: float
    asked: float
    answered: float


def unevenness(earlier: ClockReading, later: ClockReading) -> float:
    """Return by how many seconds a clock went on too far, or (negative) not far enough; 0 where it may be right."""
    passed = later.seconds - earlier.seconds
    least, most = later.asked - earlier.answered, later.answered - earlier.asked
    return min(passed - least, 0.0) if passed < most else max(passed - most, 0.0)
