"""What a payload should hold: one field looked up, and what is wrong with its value."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import takewhile
from typing import Any

__all__ = ["Expected", "above", "each", "field", "one_of", "other_than", "present", "shown"]

Expected = Callable[[Any], str | None]
"""Looks at a value and says what is wrong with it, or None."""


def shown(value: Any) -> str:
    """Write a value as a message names it; what is not there is missing."""
    return "missing" if value is None else repr(value)


_AT_ONCE = 48
"""Characters of a text that a person compares at a glance; hashes and certificates have more."""
_BEFORE = 8
_AFTER = 16
"""Characters that are shown before and after the place where two long texts part."""


def other_than(value: Any, wanted: Any) -> str:
    """Say that a value is another one than was wanted; long texts are cut around the place where they part."""
    if isinstance(value, str) and isinstance(wanted, str) and max(len(value), len(wanted)) > _AT_ONCE:
        part = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(value, wanted, strict=False)))
        return f"is {_around(value, part)} instead of {_around(wanted, part)}"
    return f"is {shown(value)} instead of {shown(wanted)}"


def _around(text: str, part: int) -> str:
    start, end = max(0, part - _BEFORE), part + _AFTER
    cut = repr(text[start:end])
    if len(text) <= _AT_ONCE:
        return repr(text)
    return f"{'…' if start else ''}{cut}{'…' if end < len(text) else ''} ({len(text)} characters)"


def one_of(*allowed: Any) -> Expected:
    """Expect one of some values."""
    if len(allowed) == 1:
        return lambda value: None if value in allowed else other_than(value, allowed[0])
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
