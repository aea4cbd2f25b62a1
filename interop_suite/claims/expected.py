"""What a payload should hold: one field looked up, and what is wrong with its value."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

__all__ = ["Expected", "above", "each", "field", "one_of", "present", "shown"]

Expected = Callable[[Any], str | None]
"""Looks at a value and says what is wrong with it, or None."""


def shown(value: Any) -> str:
    """Write a value as a message names it; what is not there is missing."""
    return "missing" if value is None else repr(value)


def one_of(*allowed: Any) -> Expected:
    """Expect one of some values."""
    words = " or ".join(map(repr, allowed))
    return lambda value: None if value in allowed else f"is {shown(value)} instead of {words}"


def above(limit: float) -> Expected:
    """Expect a number that is greater than another."""

    def look(value: Any) -> str | None:
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        return None if is_number and value > limit else f"is {shown(value)} instead of a number above {limit}"

    return look


def present() -> Expected:
    """Expect any value at all."""
    return lambda value: "is missing" if value is None else None


def each(*names: str) -> Expected:
    """Expect a list that is not empty and whose every entry has some fields."""

    def look(value: Any) -> str | None:
        if not isinstance(value, list) or not value:
            return f"is {shown(value)} instead of a list with entries"
        for index, entry in enumerate(value):
            lacking = [name for name in names if not isinstance(entry, Mapping) or name not in entry]
            if lacking:
                return f"entry {index} lacks {', '.join(lacking)}"
        return None

    return look


def field(payload: Any, path: str) -> Any:
    """Read `idTagInfo.status` or `key.0` out of a payload; None when anything on the way is missing."""
    value = payload
    for part in path.split("."):
        if isinstance(value, Mapping):
            value = value.get(part)
        elif isinstance(value, list) and part.isdigit() and int(part) < len(value):
            value = value[int(part)]
        else:
            return None
    return value
