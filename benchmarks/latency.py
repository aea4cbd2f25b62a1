"""Distributions of answer times that the sink injects, so that what a load test reports can be held against a truth.

    none                    answer at once
    constant:20             20 ms each
    bimodal:5,80,0.1        5 ms, and 80 ms for every tenth CALL, evenly mixed
    stall:2,1000,20         2 ms, and nothing at all for 1,000 ms of every 20 s

All are free of chance: the same CALLs get the same answer times.
"""

from __future__ import annotations

from collections.abc import Callable

from ocppj.errors import UsageError

__all__ = ["Hold", "parse_latency"]

Hold = Callable[[float], float]
"""Takes the seconds since the first CALL, returns the seconds to hold the answer back; called once for each CALL."""


def parse_latency(text: str) -> Hold | None:
    """Read a distribution; None answers at once. Raises `UsageError`."""
    kind, _, rest = text.partition(":")
    try:
        values = [float(part) for part in rest.split(",")] if rest else []
    except ValueError:
        values = []
    if any(value < 0 for value in values):
        values = []
    if text == "none":
        return None
    if kind == "constant" and len(values) == 1:
        return _constant(*values)
    if kind == "bimodal" and len(values) == 3 and values[2] <= 1:  # noqa: PLR2004 - low, high, share
        return _bimodal(*values)
    if kind == "stall" and len(values) == 3 and values[1] < values[2] * 1000:  # noqa: PLR2004 - low, stall, period
        return _stall(*values)
    raise UsageError(
        f"--latency {text} is not a distribution; write constant:MS, bimodal:MS,MS,SHARE, stall:MS,MS,EVERY_S or none"
    )


def _constant(ms: float) -> Hold:
    seconds = ms / 1000
    return lambda _: seconds


def _bimodal(low_ms: float, high_ms: float, share: float) -> Hold:
    low, high = low_ms / 1000, high_ms / 1000
    due = 0.0

    def hold(_: float) -> float:
        nonlocal due
        due += share
        if due >= 1.0:
            due -= 1.0
            return high
        return low

    return hold


def _stall(low_ms: float, stall_ms: float, period: float) -> Hold:
    low, stall = low_ms / 1000, stall_ms / 1000

    def hold(since_start: float) -> float:
        # The stall is the last part of each period, so that the first answers tell nothing of it.
        into = since_start % period
        ends_in = period - into
        return max(low, ends_in) if ends_in <= stall else low

    return hold
