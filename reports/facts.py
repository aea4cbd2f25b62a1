"""Settings, environments and ledgers as pairs of name and value, however they are nested."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from reports.words import number, plain

__all__ = ["facts", "field_words"]

_LONGEST = 300
_MOST_ITEMS = 16


def facts(values: Mapping[str, Any], before: str = "") -> tuple[tuple[str, str], ...]:
    """Flatten nested settings into pairs of name and value."""
    pairs: list[tuple[str, str]] = []
    for key, value in values.items():
        name = f"{before}{field_words(key)}"
        nested = bool(value) and len(before) < _LONGEST
        if nested and isinstance(value, list) and all(isinstance(item, dict) for item in value[:_MOST_ITEMS]):
            for place, item in enumerate(value[:_MOST_ITEMS], 1):
                pairs.extend(facts(item, f"{name} {place} · "))
        elif nested and isinstance(value, dict):
            pairs.extend(facts(value, f"{name} · "))
        elif isinstance(value, bool):
            pairs.append((name, "yes" if value else "no"))
        elif isinstance(value, float):
            pairs.append((name, number(value, 4)))
        elif value is not None:
            pairs.append((name, plain(value, _LONGEST)))
    return tuple(pairs)


_UNITS = {"_per_s": " per second", "_ms": " (ms)", "_s": " (s)"}
"""Endings of field names that are units."""


def field_words(key: str) -> str:
    """Turn the name of a field into words."""
    ending = next((ending for ending in _UNITS if key.endswith(ending)), "")
    return key.removesuffix(ending).replace("_", " ") + _UNITS.get(ending, "")
