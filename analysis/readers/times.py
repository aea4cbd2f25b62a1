"""Times as logs write them, read quickly: neighbouring lines mostly share their second."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

__all__ = ["Clock", "read_time"]

_MONTHS = {
    "jan": 1, "feb": 2, "mar": 3, "apr": 4, "may": 5, "jun": 6, "jul": 7, "aug": 8, "sep": 9, "oct": 10, "nov": 11,
    "dec": 12,
}  # fmt: skip
_SYSLOG = re.compile(r"([A-Z][a-z]{2}) {1,2}(\d{1,2}) (\d\d:\d\d:\d\d)(?:[.,](\d+))?$")
_ZONE = re.compile(r" ?([+-]\d\d):?(\d\d)?$")
_DAY_TIME = re.compile(r"(\d\d):(\d\d):(\d\d(?:\.\d+)?)$")
_FILE_NAME = re.compile(r"(\d{4}-\d\d-\d\d)_(\d\d)-(\d\d)-(\d\d)-(\d+)$")
_LOCAL = re.compile(r"(\d{1,4})([./-])(\d{1,2})\2(\d{1,4}),? (\d{1,2}:\d\d:\d\d)(?:[.,](\d+))? ?([AaPp][Mm])?$")
_YEAR_DIGITS = 4
_NOON = 12
_MOST_FRACTIONS = 4_000
_NO_YEAR = 2000
"""Stands for the year of a syslog line, which has none; a leap year, so that February 29 can be read."""


def read_time(text: str) -> tuple[float, bool]:
    """Return seconds since 1970 and whether the zone was named; without one it is read as UTC.

    Raises `ValueError` for anything else.
    """
    text = text.strip()
    if text[:10].replace(".", "", 1).isdigit() and ":" not in text and "-" not in text:
        return _epoch(text)
    plain = text.replace("/", "-") if text[4:5] == "/" else text
    try:
        moment = datetime.fromisoformat(_five_digits(plain).upper())
    except ValueError:
        return _other(text)
    if moment.tzinfo is None:
        return moment.replace(tzinfo=UTC).timestamp(), False
    return moment.timestamp(), True


def _five_digits(text: str) -> str:
    """Bring what `fromisoformat` refuses into a form that it takes: blanks before a zone, more than six digits."""
    zone = _ZONE.search(text, 19)
    if zone is not None:
        text = f"{text[: zone.start()]}{zone[1]}:{zone[2] or '00'}"
    return re.sub(r"([.,]\d{6})\d+", r"\1", text)


def _epoch(text: str) -> tuple[float, bool]:
    seconds = float(text)
    # Milliseconds, microseconds and nanoseconds since 1970 have 13, 16 and 19 digits.
    for limit, unit in ((1e17, 1e9), (1e14, 1e6), (1e11, 1e3)):
        if seconds >= limit:
            return seconds / unit, True
    return seconds, True


def _other(text: str) -> tuple[float, bool]:
    match = _SYSLOG.match(text)
    if match is not None:
        month = _MONTHS.get(match[1].lower())
        if month is None:
            raise ValueError(f"{text!r} is not a time")
        clock = datetime.fromisoformat(f"{_NO_YEAR}-{month:02}-{int(match[2]):02} {match[3]}").replace(tzinfo=UTC)
        return clock.timestamp() + float(f"0.{match[4] or 0}"), False
    match = _DAY_TIME.match(text)
    if match is not None:
        return int(match[1]) * 3600 + int(match[2]) * 60 + float(match[3]), False
    match = _FILE_NAME.match(text)
    if match is not None:
        return read_time(f"{match[1]} {match[2]}:{match[3]}:{match[4]}.{match[5]}")
    match = _LOCAL.match(text)
    if match is None:
        raise ValueError(f"{text!r} is not a time")
    return _local_date(match).timestamp() + float(f"0.{match[6] or 0}"), False


def _local_date(match: re.Match[str]) -> datetime:
    """Read `4/28/2024, 9:56:31 PM`, `22.7.2024, 20:49:32` or `2024-7-9 8:03:00`."""
    first, mark, second, third = int(match[1]), match[2], int(match[3]), int(match[4])
    if len(match[1]) == _YEAR_DIGITS:
        year, month, day = first, second, third
    elif mark == "/":
        year, month, day = third, first, second
    else:
        year, month, day = third, second, first
    if mark == "/" and month > _NOON:
        month, day = day, month
    hour, minute, second = (int(part) for part in match[5].split(":"))
    half = (match[7] or "").lower()
    if half:
        hour = hour % _NOON + (_NOON if half == "pm" else 0)
    return datetime(year, month, day, tzinfo=UTC) + timedelta(hours=hour, minutes=minute, seconds=second)


class Clock:
    """Reads the times of one file; remembers the last whole second."""

    __slots__ = ("_base", "_fractions", "_text", "unzoned")

    def __init__(self) -> None:
        """Start without a time."""
        self._text = ""
        self._base = 0.0
        self._fractions: dict[str, float] = {}
        self.unzoned = 0
        """How many times named no zone."""

    def read(self, text: str, form: str = "") -> float | None:
        """Return seconds since 1970, or None for what is not a time; `form` is for `strptime`."""
        if form:
            return self._parse(text, form)
        # A second of the form `2026-07-23T10:21:46`, then a fraction of digits, then perhaps Z.
        head = text[:19]
        if head == self._text:
            tail = text[19:]
            fraction = self._fractions.get(tail)
            if fraction is None:
                fraction = self._fraction(tail)
            if fraction is not None:
                return self._base + fraction
        try:
            seconds, zoned = read_time(text)
        except (ValueError, OverflowError):
            return None
        if not zoned:
            self.unzoned += 1
        if zoned is (text[-1:] == "Z") and len(head) == len("2026-07-23T10:21:46") and head[4:5] in ("-", "/"):
            self._text, self._base = head, float(int(seconds))
        return seconds

    def _fraction(self, tail: str) -> float | None:
        """Read what follows a whole second, and note it: a log repeats its thousand milliseconds."""
        digits = tail[:-1] if tail[-1:] == "Z" else tail
        if digits and not (digits[0] in ".," and digits[1:].isdigit()):
            return None
        fraction = float(f"0.{digits[1:] or 0}")
        if len(self._fractions) < _MOST_FRACTIONS:
            self._fractions[tail] = fraction
        return fraction

    def _parse(self, text: str, form: str) -> float | None:
        try:
            moment = datetime.strptime(text, form)  # noqa: DTZ007 - a zone is added where the form has none
        except ValueError:
            return None
        if moment.tzinfo is None:
            self.unzoned += 1
            moment = moment.replace(tzinfo=UTC)
        return moment.timestamp()
