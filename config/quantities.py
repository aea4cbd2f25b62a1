"""Times, rates, shares and plain numbers as people write them: one grammar for files and options.

90  90s  250ms  2m  2min  1.5h  1h30m  2d      a time; a number without a unit is in seconds
10/s  600/h  30/min                            a rate
20%/h                                          a rate of each one: a share of all of them per hour
0.05  5%                                       a share
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from math import inf, isfinite, isnan
from types import MappingProxyType
from typing import Final, NamedTuple

from config.errors import ConfigError

__all__ = ["SECONDS", "Rate", "number", "rate", "seconds", "share", "whole"]

SECONDS: Final[Mapping[str, float]] = MappingProxyType(
    {"d": 86_400.0, "h": 3600.0, "min": 60.0, "m": 60.0, "s": 1.0, "ms": 0.001}
)
"""Seconds of each unit of time, the longest first."""

_LONGEST: Final = 3660 * SECONDS["d"]
_LONGEST_SHOWN: Final = 40
_NUMBER: Final = r"\d+(?:\.\d*)?|\.\d+"
_UNIT: Final = "|".join(sorted(SECONDS, key=len, reverse=True))
_PART: Final = re.compile(rf"\s*(?P<number>{_NUMBER})\s*(?P<unit>{_UNIT})?(?![a-z])")
_RATE: Final = re.compile(rf"(?P<number>{_NUMBER})\s*(?P<share>%)?\s*/\s*(?P<unit>{_UNIT})")
_TIMES: Final = "a time such as 90s, 250ms, 2m or 1h30m"
_RATES: Final = "a rate such as 10/s, 30/min, 600/h or 20%/h"


class Rate(NamedTuple):
    """How often something happens."""

    per_second: float
    of_each: bool
    """Whether the number is for each one, as with a share of all; else it is for all together."""


def seconds(value: float | str) -> float:
    """Read a time; raises `ConfigError`."""
    if not isinstance(value, str):
        return _bounded(_plain(value, _TIMES), _TIMES, value)
    text = value.strip()
    if text.startswith("-"):
        raise ConfigError(f"expected {_TIMES}, but {text!r} is negative")
    total, position, last = 0.0, 0, inf
    while position < len(text):
        part = _PART.match(text, position)
        if part is None:
            raise ConfigError(f"expected {_TIMES}, but {text!r} is not a time")
        unit = part["unit"]
        rest = text[part.end() :].lstrip()
        if unit is None and rest[:1].isalpha():
            raise ConfigError(f"expected {_TIMES}, but {text!r} is not a time")
        if unit is None and (position or rest):
            raise ConfigError(f"expected {_TIMES}, but a number in {text!r} has no unit")
        size = SECONDS[unit or "s"]
        if size >= last:
            raise ConfigError(f"expected {_TIMES}, but the units of {text!r} do not go from long to short")
        total, position, last = total + float(part["number"]) * size, part.end(), size
    if not text:
        raise ConfigError(f"expected {_TIMES}, but it is empty")
    # The sum of 0.1 s and 0.02 s is not quite 0.12 s.
    return _bounded(round(total, 9), _TIMES, text)


def rate(text: str) -> Rate:
    """Read a rate above 0; raises `ConfigError`."""
    match = _RATE.fullmatch(text.strip())
    if match is None:
        why = "has no unit" if re.fullmatch(_NUMBER, text.strip()) else "is not a rate"
        raise ConfigError(f"expected {_RATES}, but {text!r} {why}")
    value = float(match["number"]) / SECONDS[match["unit"]]
    if not 0 < value < inf:
        raise ConfigError(f"expected {_RATES}, but {text!r} is {'too large' if value else 'zero'}")
    return Rate(value / 100, of_each=True) if match["share"] else Rate(value, of_each=False)


def share(value: float | str) -> float:
    """Read a share from 0 to 1, or in percent; raises `ConfigError`."""
    text = value.strip() if isinstance(value, str) else value
    if isinstance(text, str) and text.endswith("%"):
        return number(text[:-1], most=100, unit="%") / 100
    return number(text, most=1)


def number(value: float | str, *, least: float = 0.0, most: float = inf, above: bool = False, unit: str = "") -> float:
    """Read a finite number within its bounds; raises `ConfigError`. `above` leaves `least` itself out."""
    if above:
        wanted = f"a number above {least:g}{unit}"
    elif most == inf:
        wanted = f"a number of {least:g}{unit} or more"
    else:
        wanted = f"a number from {least:g}{unit} to {most:g}{unit}"
    found = _plain(value, wanted)
    if not least <= found <= most or not isfinite(found) or (above and found == least):
        raise ConfigError(f"expected {wanted}, but it is {_written(value)}{unit}")
    return found


def whole(value: float | str, *, least: int = 0) -> int:
    """Read a whole number; raises `ConfigError`."""
    wanted = f"a whole number of {least} or more"
    found = _plain(value, wanted)
    if not isfinite(found) or found != int(found) or found < least:
        raise ConfigError(f"expected {wanted}, but it is {_written(value)}")
    # A float would round what has more than 15 digits.
    return int(value) if isinstance(value, str) and value.strip().lstrip("+-").isdecimal() else int(found)


def _plain(value: float | str, wanted: str) -> float:
    try:
        # A bool is a number to Python, not to people.
        return float(str(value) if isinstance(value, bool) else value)
    except (TypeError, ValueError, OverflowError):
        what = "it is empty" if value in ("", None) else f"{_written(value)} is not a number"
        raise ConfigError(f"expected {wanted}, but {what}") from None


def _bounded(value: float, wanted: str, written: float | str) -> float:
    if isnan(value):
        raise ConfigError(f"expected {wanted}, but {_written(written)} is not a number")
    if value < 0:
        raise ConfigError(f"expected {wanted}, but {_written(written)} is negative")
    if value > _LONGEST:
        raise ConfigError(f"expected {wanted}, but {_written(written)} is longer than ten years")
    return value


def _written(value: float | str) -> str:
    text = f"{value:g}" if isinstance(value, float) else repr(value)
    return text if len(text) <= _LONGEST_SHOWN else f"{text[:_LONGEST_SHOWN]}…"
