"""What a driver asked of the CSMS's controls and what came back, kept with the operation that it was for."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import msgspec

from drivers.base import Driver, Exchange

__all__ = ["collected", "in_the_trace", "watch"]

_seen: ContextVar[list[Exchange] | None] = ContextVar("seen", default=None)
_MOST_KEPT = 20
"""Exchanges of one operation that go into the trace; a driver that polls makes hundreds."""


def watch(driver: Driver) -> None:
    """Let every exchange of a driver be seen by whoever collects in the thread that makes it."""
    driver.observe = _see


def _see(exchange: Exchange) -> None:
    seen = _seen.get()
    if seen is not None:
        seen.append(exchange)


@contextmanager
def collected(seen: list[Exchange]) -> Iterator[None]:
    """Collect the exchanges that the driver makes in this context, its thread alone."""
    token = _seen.set(seen)
    try:
        yield
    finally:
        _seen.reset(token)


def in_the_trace(seen: list[Exchange]) -> dict[str, Any]:
    """Write exchanges as a field of a trace record; none make no field, and of many the first and last are kept."""
    half = _MOST_KEPT // 2
    kept = seen if len(seen) <= _MOST_KEPT else [*seen[:half], *seen[-half:]]
    more = {"exchanges_left_out": len(seen) - len(kept)} if len(kept) < len(seen) else {}
    return {"exchanges": msgspec.to_builtins(kept), **more} if kept else {}
