"""Values that stand in messages, whoever judges them: numbers too large, periods out of order, a foreign echo."""

from __future__ import annotations

import re
from base64 import b64decode
from collections.abc import Iterator, Mapping
from itertools import pairwise
from types import MappingProxyType
from typing import Any, Final

from analysis.meter_readings import instant

__all__ = [
    "ECHOES",
    "foreign_echo",
    "integers",
    "is_base64",
    "is_over",
    "is_wide",
    "left_out",
    "misplaced_periods",
    "odd_time_of_day",
    "reversed_window",
    "schedule_starts",
]

_LARGEST: Final = 2**31 - 1
_SAME_TIME: Final = 1.0
"""Seconds: a CSMS may keep times without their fractions."""
_DAY_TIMES: Final = ("startTimeOfDay", "endTimeOfDay")
_DAY_TIME: Final = re.compile(r"([01]\d|2[0-3]):[0-5]\d")
_HASHES: Final = "certificateHashData"
_PERIODS: Final = "chargingSchedulePeriod"
_WINDOWS: Final = {
    "oldestTimestamp": "latestTimestamp",
    "startTime": "stopTime",
    "startDateTime": "endDateTime",
    "validFrom": "validTo",
}
"""Fields that bound a time, the begin and the end."""
ECHOES: Final[Mapping[str, tuple[str, str]]] = MappingProxyType(
    {
        "GetCertificateChainStatus": ("certificateStatusRequests", "certificateStatus"),
        "VatNumberValidation": ("vatNumber", "vatNumber"),
    }
)
"""Where a station names what it asks for, and where the answer names it again, by action."""


def integers(value: Any) -> Iterator[int]:
    """List every integer in a payload."""
    match value:
        case bool():
            return
        case int():
            yield value
        case Mapping():
            for inner in value.values():
                yield from integers(inner)
        case list():
            for inner in value:
                yield from integers(inner)
        case _:
            return


def is_wide(number: int) -> bool:
    """Return whether a number has more than the 32 bits in which stations hold it."""
    return not -_LARGEST - 1 <= number <= _LARGEST


def schedule_starts(value: Any) -> Iterator[list[int]]:
    """List the beginnings of the periods of each schedule in a payload."""
    if isinstance(value, Mapping):
        for name, inner in value.items():
            periods = inner if name == _PERIODS and isinstance(inner, list) else ()
            starts = [period.get("startPeriod") for period in periods if isinstance(period, Mapping)]
            numbers = [start for start in starts if type(start) is int]
            if numbers and numbers == starts:
                yield numbers
            yield from schedule_starts(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from schedule_starts(inner)


def misplaced_periods(starts: list[int]) -> str:
    """Say what is wrong with the beginnings of a schedule's periods; empty where nothing is."""
    if starts[0] != 0:
        return f"the first period starts at {starts[0]}"
    if any(later <= earlier for earlier, later in pairwise(starts)):
        return "the periods are not in the order of their starts"
    return ""


def reversed_window(value: Any) -> str:
    """Return the name of a begin that is later than its end, somewhere in a payload; empty where there is none."""
    if isinstance(value, Mapping):
        for begin, end in _WINDOWS.items():
            first, last = instant(value.get(begin)), instant(value.get(end))
            if first is not None and last is not None and first > last:
                return begin
    inner = value.values() if isinstance(value, Mapping) else value if isinstance(value, list) else ()
    return next(filter(None, map(reversed_window, inner)), "")


def foreign_echo(action: str, asked: Any, told: Any) -> str:
    """Return what an answer names that its CALL did not ask for; empty where there is no such thing."""
    if action not in ECHOES or not isinstance(asked, Mapping) or not isinstance(told, Mapping):
        return ""
    wanted, named = ECHOES[action]
    known = _texts(asked.get(wanted))
    return next((text for text in _texts(told.get(named)) if text not in known), "")


def left_out(asked: Any, told: Any) -> int:
    """Count the certificates that somebody asked about, and whose hashes no entry of the answer bears."""
    known = _certificates(told)
    return sum(1 for each in _certificates(asked) if each not in known)


def _certificates(entries: Any) -> list[tuple[str, ...]]:
    hashes = (
        [entry.get(_HASHES) for entry in entries if isinstance(entry, Mapping)] if isinstance(entries, list) else []
    )
    return [
        tuple(str(each.get(name)).casefold() for name in ("issuerNameHash", "issuerKeyHash", "serialNumber"))
        for each in hashes
        if isinstance(each, Mapping)
    ]


def is_base64(text: str) -> bool:
    """Return whether a text is binary content in base64, which may be broken into lines."""
    try:
        b64decode("".join(text.split()), validate=True)
    except ValueError:
        return False
    return True


def odd_time_of_day(value: Any) -> str:
    """Return a time of the day, somewhere in a payload, that is not written as `HH:MM`; empty where none is."""
    if isinstance(value, Mapping):
        for name in _DAY_TIMES:
            text = value.get(name)
            if isinstance(text, str) and not _DAY_TIME.fullmatch(text):
                return text
    inner = value.values() if isinstance(value, Mapping) else value if isinstance(value, list) else ()
    return next(filter(None, map(odd_time_of_day, inner)), "")


def is_over(text: Any, now: float | None) -> bool:
    """Return whether a time is in the past; of a text that is no time, or where nobody knows the time, it is not."""
    moment = instant(text)
    return moment is not None and now is not None and moment < now - _SAME_TIME


def _texts(value: Any) -> list[str]:
    """List the texts that name a thing: a number, or the hashes of certificates."""
    if isinstance(value, list):
        hashes = [entry[_HASHES] for entry in value if isinstance(entry, Mapping) and _HASHES in entry]
        return [text for each in hashes if isinstance(each, Mapping) for text in map(str, each.values())]
    return [] if value is None else [str(value)]
