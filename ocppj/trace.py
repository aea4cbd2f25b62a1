"""One line of a trace: what crossed the wire, when, and in which direction.

A trace file (`traces/*.jsonl`) is the only source of interop verdicts, so a record holds everything that a judge may
use.
"""

from __future__ import annotations

import base64
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

import msgspec

__all__ = ["Kind", "TraceRecord", "decode_record", "encode_record", "wall_clock"]


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


def wall_clock(seconds: float) -> str:
    """Write seconds since 1970 as RFC 3339 in UTC with milliseconds, as OCPP time stamps are written here."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def encode_record(record: TraceRecord) -> bytes:
    """Write a record as one line of JSON without the line end."""
    if record.text is not None and not record.text.isascii() and _has_surrogate(record.text):
        raw = base64.b64encode(record.text.encode("utf-8", "surrogatepass")).decode()
        record = msgspec.structs.replace(record, text=None, data_base64=raw)
    return _encode(record)


def decode_record(line: str | bytes) -> TraceRecord:
    """Read one line of a trace file; raises `msgspec.DecodeError` for anything else."""
    return _decode(line)


def _has_surrogate(text: str) -> bool:
    return any("\ud800" <= character <= "\udfff" for character in text)
