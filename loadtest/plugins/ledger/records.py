"""What a CSMS recorded, in whatever spelling it has, and what two spellings of the same thing have in common.

A record is one line of `GET /transactions` of the driver contract. What the texts leave free is not a difference:
numbers as text, any zone, cut fractions of a second (OCPP 1.6 §3.14-3.15), upper and lower case in an idTag (CiString,
OCPP 1.6 §7.17).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from math import isfinite
from typing import Any, Final

import msgspec

__all__ = ["FILE", "Record", "read_records", "same_energy", "same_place", "same_time", "same_token", "seconds_of"]

FILE: Final = "records.jsonl"

_CUT: Final = 1.0
"""Seconds; a time without its fraction is less than this away."""
_ROUNDING: Final = 0.01
"""Wh that a CSMS may lose by keeping kWh as a binary fraction."""
_MILLISECONDS: Final = 1e11
"""Numbers of seconds since 1970 from here on are ms."""
_OPEN_WORDS: Final = frozenset({"open", "active", "running", "started", "ongoing", "charging"})
_CLOSED_WORDS: Final = frozenset({"closed", "ended", "stopped", "finished", "completed", "complete"})


class Record(msgspec.Struct, gc=False):
    """One transaction in the books of the CSMS; None for what they do not tell."""

    station: str
    id: str
    """A number as its digits."""
    open: bool | None
    evse: int | None
    connector: int | None
    token: str | None
    meter_start: float | None
    start: float | None
    """Seconds since 1970."""
    meter_stop: float | None
    stop: float | None
    claimed: bool = False
    """Whether a transaction of ours is known to be this one."""


def read_records(records: Iterable[Mapping[str, Any]]) -> tuple[list[Record], int]:
    """Read the records of a CSMS, and count those that name no station or no transaction."""
    read = []
    unreadable = 0
    for record in records:
        station, number = _text(record.get("station")), _text(record.get("transactionId"))
        if station is None or number is None:
            unreadable += 1
            continue
        stop = seconds_of(record.get("stopTime"))
        read.append(
            Record(
                station=station,
                id=number,
                open=_is_open(record, stop),
                evse=_whole(record.get("evseId")),
                connector=_whole(record.get("connectorId")),
                token=_text(record.get("idTag")),
                meter_start=_number(record.get("meterStart")),
                start=seconds_of(record.get("startTime")),
                meter_stop=_number(record.get("meterStop")),
                stop=stop,
            )
        )
    return read, unreadable


def seconds_of(value: Any) -> float | None:
    """Read a time as seconds since 1970: RFC 3339, without a zone as UTC, or a number; None for anything else."""
    if isinstance(value, str):
        try:
            moment = datetime.fromisoformat(value.strip().upper())
        except ValueError:
            return None
        try:
            return (moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)).timestamp()
        except (OverflowError, ValueError):
            return None
    number = _number(value)
    return number / 1000 if number is not None and number >= _MILLISECONDS else number


def same_time(told: float | None, recorded: float | None) -> bool:
    """Compare two times; what is not there differs from nothing."""
    return told is None or recorded is None or abs(told - recorded) < _CUT


def same_energy(told: float | None, recorded: float | None) -> bool:
    """Compare two readings in Wh."""
    return told is None or recorded is None or abs(told - recorded) <= _ROUNDING


def same_token(told: str, recorded: str | None) -> bool:
    """Compare two tokens."""
    return recorded is None or told.casefold() == recorded.casefold()


def same_place(evse: int | None, connector: int | None, record: Record) -> bool:
    """Compare where a transaction happened, as far as both sides tell."""
    pairs = ((evse, record.evse), (connector, record.connector))
    return all(told is None or recorded is None or told == recorded for told, recorded in pairs)


def _is_open(record: Mapping[str, Any], stop: float | None) -> bool | None:
    word = str(record.get("state", "")).lower()
    if word in _OPEN_WORDS:
        return True
    if word in _CLOSED_WORDS or stop is not None:
        return False
    # A state in words of its own says nothing; where there is none, a transaction without an end goes on.
    return None if word or "stopTime" not in record else True


def _text(value: Any) -> str | None:
    if isinstance(value, bool) or not isinstance(value, str | int):
        return None
    return str(value).strip() or None


def _number(value: Any) -> float | None:
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return None
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return None
    return number if isfinite(number) else None


def _whole(value: Any) -> int | None:
    number = _number(value)
    return int(number) if number is not None else None
