"""How long a station waits before it tries again, as pure functions.

Sockets double (OCPP 2.0.1 Part 4 §5.3, 2.1 Part 4 §5.4), transaction messages grow linearly (OCPP 1.6 §3.7.1).
"""

from __future__ import annotations

from typing import Literal

import msgspec

from config.errors import ConfigError
from config.quantities import seconds, whole
from config.words import hint
from ocppj.errors import UsageError

__all__ = ["SHORTEST_WAIT", "SPEC", "Backoff", "parse_backoff", "reconnect_wait", "retry_delay"]

SHORTEST_WAIT = 0.05
"""Seconds; a station without any back-off still leaves the generator time for the others."""


class Backoff(msgspec.Struct, frozen=True):
    """How a station spaces its connection attempts; times in seconds."""

    kind: Literal["spec", "fixed", "none"] = "spec"
    minimum: float = 3.0
    """RetryBackOffWaitMinimum; the whole wait of `fixed`."""
    random_range: float = 10.0
    """RetryBackOffRandomRange; also spreads `fixed`, where it is 0 by default."""
    repeat_times: int = 3
    """RetryBackOffRepeatTimes: how often the wait doubles."""

    def __str__(self) -> str:
        if self.kind == "none":
            return "none"
        if self.kind == "fixed":
            return f"fixed:{_number(self.minimum)}/{_number(self.random_range)}"
        return f"spec:{_number(self.minimum)}/{_number(self.random_range)}/{self.repeat_times}"


def _number(value: float) -> str:
    """Write a number so that reading it again gives the same."""
    return repr(float(value)).removesuffix(".0")


SPEC = Backoff()
"""The formula with 3 s / 10 s / 3, a triple that charger software ships; OCPP sets no defaults."""

_HOW = "write spec, spec:3/10/3 (minimum/random range/repeats), fixed:10, fixed:10/5 (wait/random range) or none"
_MOST_NUMBERS = {"spec": 3, "fixed": 2, "none": 0}


def parse_backoff(text: str) -> Backoff:
    """Read a back-off as people write it: `spec`, `spec:3/10/3`, `fixed:10`, `none`; raises `UsageError`."""
    kind, _, rest = text.strip().partition(":")
    parts = rest.split("/") if rest else []
    if kind not in _MOST_NUMBERS:
        raise UsageError(f"Back-off {text!r} is none that Plugstorm knows; {hint(kind, _MOST_NUMBERS, _HOW)}")
    if len(parts) > _MOST_NUMBERS[kind]:
        raise UsageError(f"Back-off {text!r} has more than {_MOST_NUMBERS[kind]} numbers; {_HOW}")
    try:
        times = [seconds(part) for part in parts[:2]]
        repeats = whole(parts[2]) if len(parts) > len(times) else SPEC.repeat_times
    except ConfigError as error:
        raise UsageError(f"Back-off {text!r}: {error}; {_HOW}") from None
    if kind == "none":
        return Backoff("none", 0.0, 0.0, 0)
    if kind == "fixed":
        wait, random_range = _with_defaults(times, 10.0, 0.0)
        return Backoff("fixed", wait, random_range, 0)
    minimum, random_range = _with_defaults(times, SPEC.minimum, SPEC.random_range)
    return Backoff("spec", minimum, random_range, repeats)


def _with_defaults(numbers: list[float], *defaults: float) -> list[float]:
    return numbers + list(defaults)[len(numbers) :]


def reconnect_wait(backoff: Backoff, failures: int, draw: float) -> float:
    """Seconds until the next attempt, after `failures` failed ones in a row; `draw` is uniform in [0, 1).

    `wait(n) = minimum * 2^min(n, repeats) + U(0, range)` with n = 0 for the first attempt after a loss.
    """
    if backoff.kind == "none":
        return SHORTEST_WAIT
    doublings = min(failures, backoff.repeat_times) if backoff.kind == "spec" else 0
    return max(SHORTEST_WAIT, backoff.minimum * (1 << doublings) + draw * backoff.random_range)


def retry_delay(interval: float, sends: int, most_sends: int) -> float | None:
    """Seconds until a transaction message is sent again after `sends` failed sends; None: drop it.

    OCPP 1.6 §3.7.1: the wait grows linearly, `interval` times the number of sends so far.
    """
    return None if sends >= most_sends else interval * sends
