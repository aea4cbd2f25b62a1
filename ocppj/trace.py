"""One line of a trace: what crossed the wire, when, and in which direction.

A trace file (`traces/*.jsonl`) is the only source of interop verdicts, so a record holds everything that a judge may
use.
"""

from __future__ import annotations

import base64
from datetime import UTC, datetime
from enum import StrEnum
from functools import lru_cache
from math import floor
from typing import Any

import msgspec

__all__ = ["Kind", "TraceRecord", "decode_record", "encode_record", "spell_out", "wall_clock"]


class Kind(StrEnum):
    """What a record is about."""

    SENT = "sent"
    """A WebSocket message from the station to the CSMS."""
    RECEIVED = "received"
    """A WebSocket message from the CSMS to the station."""
    HANDSHAKE = "handshake"
    """The outcome of a connection attempt: url, offered subprotocols, status, headers, or the error."""
    CLOSED = "closed"
    """The end of a connection: code, reason, by whom."""
    CONTROL = "control"
    """A WebSocket ping or pong."""
    DRIVER = "driver"
    """An operation asked of the CSMS through its own API, and the answer."""
    NOTE = "note"
    """What the harness itself says: a step, a precondition that failed, a bystander's health."""


class TraceRecord(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One thing that happened; `t` is monotonic seconds, `wall` is UTC in RFC 3339."""

    t: float
    wall: str = ""
    station: str
    connection: int = 0
    """Counts the connections of this station from 1; 0 where none is concerned."""
    kind: Kind
    text: str | None = None
    """The text of a frame, exactly as it was on the wire."""
    data_base64: str | None = None
    """The bytes of a frame that was no valid UTF-8 text."""
    info: dict[str, Any] = {}

    @property
    def data(self) -> str | bytes:
        """The frame as it was on the wire: text, or bytes where it was binary or no valid UTF-8."""
        if self.text is not None:
            return self.text
        return base64.b64decode(self.data_base64 or "")


_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(TraceRecord).decode


_FIRST_MOMENT = datetime.min.replace(tzinfo=UTC).timestamp()
_LAST_MOMENT = datetime.max.replace(tzinfo=UTC, microsecond=0).timestamp()


def wall_clock(seconds: float) -> str:
    """Write seconds since 1970 as RFC 3339 in UTC with milliseconds, as OCPP time stamps are written here.

    What no calendar has is written as the first or the last moment of the years 1 to 9999.
    """
    seconds = min(max(seconds, _FIRST_MOMENT), _LAST_MOMENT)
    # As `datetime` takes a float apart: to the nearest microsecond, of which no part of a millisecond is written.
    whole = floor(seconds)
    micros = round((seconds - whole) * 1e6)
    if micros == 1_000_000:  # noqa: PLR2004 - the next second
        whole, micros = whole + 1, 0
    return f"{_second(whole)}.{micros // 1000:03}Z"


@lru_cache(maxsize=64)
def _second(seconds: int) -> str:
    """Write a whole second; the stations of a fleet all write the same few."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds").replace("+00:00", "")


def encode_record(record: TraceRecord) -> bytes:
    """Write a record as one line of JSON without the line end; what UTF-8 cannot carry never stops it.

    A frame with a lone surrogate is kept as bytes; anywhere else, as in the headers of a CSMS, one is spelled out.
    """
    try:
        try:
            return _encode(record)
        except UnicodeEncodeError:
            return _encode(_encodable(record))
    except RecursionError:
        return encode_record(msgspec.structs.replace(record, info={"left_out": "nested too deeply to be written"}))


def decode_record(line: str | bytes) -> TraceRecord:
    """Read one line of a trace file; raises `msgspec.DecodeError` for anything else."""
    return _decode(line)


def _encodable(record: TraceRecord) -> TraceRecord:
    changes: dict[str, Any] = {"station": spell_out(record.station), "info": spell_out(record.info)}
    if record.text is not None and record.text != spell_out(record.text):
        raw = record.text.encode("utf-8", "surrogatepass")
        changes |= {"text": None, "data_base64": base64.b64encode(raw).decode()}
    return msgspec.structs.replace(record, **changes)


def spell_out(value: Any) -> Any:
    r"""Copy a JSON value with lone surrogates written as escapes such as `\udce9`, so that UTF-8 can carry it."""
    if isinstance(value, str):
        return value.encode("utf-8", "backslashreplace").decode()
    if isinstance(value, dict):
        return {spell_out(key): spell_out(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [spell_out(item) for item in value]
    return value
