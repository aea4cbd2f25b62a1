"""What a station hears, says, and is told to expect."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import msgspec

__all__ = ["Answer", "Order", "Reply"]

_LONGEST: Final = 1e9
"""Seconds; what is longer is no time that anybody waits, and may be no float."""


class Answer(msgspec.Struct, frozen=True):
    """How a CALL of the station ended; `payload` is empty unless it was a CALLRESULT."""

    kind: str
    payload: dict[str, Any]
    code: str | None = None
    description: str = ""

    @property
    def ok(self) -> bool:
        """Whether there was a CALLRESULT."""
        return self.kind == "result"

    def get(self, *path: str, default: Any = None) -> Any:
        """Read a nested field; anything missing on the way gives the default."""
        value: Any = self.payload
        for part in path:
            value = value.get(part) if isinstance(value, dict) else None
        return default if value is None else value

    def seconds(self, name: str, default: float = 0.0) -> float:
        """Read a field that says how long; whatever is no length of time gives the default."""
        value = self.payload.get(name)
        if not isinstance(value, int | float) or isinstance(value, bool) or not 0 <= value <= _LONGEST:
            return default
        return float(value)


class Reply(msgspec.Struct, frozen=True, kw_only=True):
    """What the station will say to a command: a payload, a CALLERROR, or nothing at all."""

    payload: dict[str, Any] | Callable[[dict[str, Any]], dict[str, Any]] | None = None
    error: tuple[str, str] | None = None
    silent: bool | Callable[[dict[str, Any]], bool] = False
    """Whether it says nothing; a function says so of each payload, as a CSMS may ask for more by itself."""

    def stays_silent(self, payload: dict[str, Any]) -> bool:
        """Return whether a command with this payload is left open."""
        return self.silent(payload) if callable(self.silent) else self.silent


class Order(msgspec.Struct, kw_only=True):
    """What an operator asked for."""

    payload: dict[str, Any]
    handed_over: list[str] | None
    """Fields that the driver could hand over; None for all."""
    after: int
    """CALLs of the action that had come before."""
    closed: bool = False
    """Whether the API has told what the station answered: nothing more is to come."""
    refused: bool = False
    """Whether the CSMS has said that it sends nothing."""
