"""Prometheus text, as a CSMS offers it at `/metrics`: which series there are, and their values; pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from fnmatch import fnmatchcase
from math import isfinite
from typing import Final

import msgspec

__all__ = ["Metric", "parse_metrics", "select"]

_TYPE: Final = re.compile(r"#\s*TYPE\s+(?P<name>\S+)\s+(?P<type>\S+)")
_SAMPLE: Final = re.compile(
    r"(?P<name>[A-Za-z_:][A-Za-z0-9_:]*)\s*(?P<labels>\{(?:[^\"}]|\"(?:\\.|[^\"\\])*\")*\})?\s+(?P<value>\S+)(?:\s+-?\d+)?"
)
_COUNTER: Final = "counter"
_PLAIN: Final = frozenset({"gauge", _COUNTER, "untyped", "unknown"})
"""Types of which every sample is a figure of its own."""
_OF_DISTRIBUTIONS: Final = ("_bucket", "_created")


class Metric(msgspec.Struct, frozen=True, kw_only=True):
    """One series and its value at the moment."""

    name: str
    labels: str
    """With its braces, as it stands in the text; empty where there are none."""
    value: float
    is_counter: bool
    is_plain: bool
    """Whether it is a figure of its own and not part of a distribution."""

    @property
    def series(self) -> str:
        """What the series is called."""
        return self.name + self.labels


def parse_metrics(text: str) -> list[Metric]:
    """Read a page of metrics in its order; lines that are none, and values that are no numbers, are left out."""
    types: dict[str, str] = {}
    found = []
    for line in text.splitlines():
        stripped = line.strip()
        if kind := _TYPE.match(stripped):
            types[kind["name"]] = kind["type"]
        sample = None if stripped.startswith("#") else _SAMPLE.fullmatch(stripped)
        value = _number(sample["value"]) if sample else None
        if sample is None or value is None:
            continue
        name = sample["name"]
        kind_of = types.get(name) or types.get(name.removesuffix("_total")) or _of_a_distribution(name, types)
        found.append(
            Metric(
                name=name,
                labels=sample["labels"] or "",
                value=value,
                is_counter=kind_of == _COUNTER or name.endswith(("_total", "_count", "_sum", "_bucket")),
                is_plain=kind_of in _PLAIN and not name.endswith(_OF_DISTRIBUTIONS),
            )
        )
    return found


def _of_a_distribution(name: str, types: dict[str, str]) -> str:
    for suffix in ("_bucket", "_count", "_sum", "_created"):
        if name.endswith(suffix) and name.removesuffix(suffix) in types:
            return types[name.removesuffix(suffix)]
    return "untyped"


def _number(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if isfinite(value) else None


def select(metrics: Sequence[Metric], wanted: Sequence[str], most: int) -> tuple[list[Metric], int]:
    """Return the series with these names (`*` stands for anything), else gauges and counters.

    No more than `most` are kept, in the order of the page; the number says how many are left out.
    """
    if wanted:
        chosen = [one for one in metrics if any(fnmatchcase(one.name, name) for name in wanted)]
    else:
        chosen = [one for one in metrics if one.is_plain]
    return chosen[:most], max(len(chosen) - most, 0)
