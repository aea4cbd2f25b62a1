"""Logs that are a record of JSON a line: Plugstorm's own traces and open-ocpp-trace 1.1."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final

import msgspec

from analysis.model import Direction, Event, Record, Side, Traits, Unread
from analysis.readers.contract import Lines
from analysis.readers.frames import decode, shortened
from analysis.readers.times import Clock
from ocppj.messages import encode_json
from ocppj.trace import Kind, TraceRecord, decode_record, wall_clock
from ocppj.versions import Version, rules_for_subprotocol

__all__ = ["PlugstormReader", "TraceReader", "write_trace_record"]

_SWITCHING: Final = 101
_DIRECTIONS: Final = {Kind.SENT: Direction.TO_CSMS, Kind.RECEIVED: Direction.TO_STATION}
_CLOSERS: Final = {"csms": Side.CSMS, "station": Side.STATION, "client": Side.STATION, "network": Side.NETWORK}


class PlugstormReader:
    """Reads `traces/*.jsonl` of a run; its times are monotonic and belong to one file."""

    name = "plugstorm"
    title = "Plugstorm, traces/*.jsonl of a run"
    traits = Traits(taken_at=Side.STATION, from_the_start=True, connections=True, own_stations=True)

    def likeness(self, head: Sequence[str]) -> int:
        """Count lines that are records of a trace."""
        return sum(3 for line in head if '"kind":"' in line and '"t":' in line and '"station":"' in line)

    def read(self, lines: Lines, station: str) -> Iterator[Record | Unread]:
        """Read a file; a last line that a crash cut off is told of like any other."""
        del station
        return self.records(_told(lines))

    def records(self, trace: Iterable[tuple[int, TraceRecord | Unread]]) -> Iterator[Record | Unread]:
        """Read the numbered records of a trace."""
        copies = _Copies()
        for number, told in trace:
            if isinstance(told, Unread):
                yield told
                continue
            direction = _DIRECTIONS.get(told.kind)
            if direction is not None:
                record = _frame(number, told, direction)
                if not copies.has(record):
                    yield record
            elif told.kind is Kind.NOTE:
                copies.note(told)
            elif told.kind is Kind.HANDSHAKE:
                yield from _handshake(number, told)
            elif told.kind is Kind.CLOSED:
                code = told.info.get("code")
                yield Record(
                    event=Event.CLOSED,
                    line=number,
                    at=told.t,
                    station=told.station,
                    connection=str(told.connection),
                    code=code if isinstance(code, int) else None,
                    reason=str(told.info.get("reason") or ""),
                    by=_CLOSERS.get(str(told.info.get("by"))),
                )


def _told(lines: Lines) -> Iterator[tuple[int, TraceRecord | Unread]]:
    for number, line in lines:
        if not line or line.isspace():
            continue
        try:
            yield number, decode_record(line)
        except (msgspec.MsgspecError, UnicodeError, RecursionError) as error:
            yield number, Unread(number, line, f"not a trace record: {error}")


class _Copies:
    """Messages that the run itself let go out twice: the second one, and the second answer to it, prove nothing."""

    def __init__(self) -> None:
        self._seen: dict[tuple[str, str], set[Direction]] = {}

    def note(self, told: TraceRecord) -> None:
        """Take a note of an injected duplicate."""
        if told.info.get("injected") == "duplicate":
            self._seen[told.station, str(told.info.get("message_id"))] = set()

    def has(self, record: Record) -> bool:
        """Return whether a frame is the second one of its message in its direction."""
        value = record.value
        if not self._seen or not isinstance(value, list) or len(value) < _LEAST_PARTS:
            return False
        seen = self._seen.get((record.station, str(value[1])))
        if seen is None or record.direction is None:
            return False
        was_seen = record.direction in seen
        seen.add(record.direction)
        return was_seen


_LEAST_PARTS: Final = 2


def _frame(number: int, told: TraceRecord, direction: Direction) -> Record:
    text = told.text
    if text is None:
        data = told.data
        assert isinstance(data, bytes)
        text = data.decode(errors="replace")
        value = None
    else:
        value = decode(text)
    return Record(
        line=number,
        at=told.t,
        station=told.station,
        connection=str(told.connection),
        direction=direction,
        text=text,
        value=value,
    )


def _handshake(number: int, told: TraceRecord) -> Iterator[Record]:
    status = told.info.get("status")
    rules = rules_for_subprotocol(told.info.get("subprotocol"))
    chosen, offered = told.info.get("subprotocol"), told.info.get("offered")
    opened = status == _SWITCHING if isinstance(status, int) else "subprotocol" in told.info
    yield Record(
        event=Event.OPENED if opened else Event.REFUSED,
        line=number,
        at=told.t,
        station=told.station,
        connection=str(told.connection),
        version=None if rules is None else rules.version,
        code=status if isinstance(status, int) else None,
        reason=str(told.info.get("error") or ""),
        subprotocol=str(chosen) if opened and chosen else "",
        unoffered=str(chosen) if opened and chosen and isinstance(offered, list) and chosen not in offered else "",
    )


_NUMBERS: Final = {"CALL": 2, "CALLRESULT": 3, "CALLERROR": 4, "CALLRESULTERROR": 5, "SEND": 6}
_NAMES: Final = {number: name for name, number in _NUMBERS.items()}
_VERSIONS: Final = {str(version): version for version in Version}


class TraceReader:
    """Reads open-ocpp-trace 1.0 and 1.1: records one a line, or one array of them."""

    name = "ocpp-trace"
    title = "open-ocpp-trace 1.1"
    traits = Traits()

    def likeness(self, head: Sequence[str]) -> int:
        """Count lines that are records, or parts of the array of them."""
        text = "\n".join(head)
        if '"schemaVersion"' not in text or not ('"cp-to-csms"' in text or '"csms-to-cp"' in text):
            return 0
        return sum(3 for line in head if '"schemaVersion"' in line or '"messageType"' in line) + 1

    def read(self, lines: Lines, station: str) -> Iterator[Record | Unread]:
        """Read a file."""
        clock = Clock()
        for number, line, told in _objects(lines):
            if told is None:
                yield Unread(number, line, "not a record of open-ocpp-trace")
                continue
            yield _trace_record(number, line, told, clock, station)


def _objects(lines: Lines) -> Iterator[tuple[int, str, dict[str, Any] | None]]:  # noqa: C901 - three layouts of one file
    """Yield the JSON objects of a file, whether a line holds one or one takes many lines."""
    parts: list[str] = []
    first = 0
    for number, raw in lines:
        line = raw.strip().rstrip(",")
        if not parts and line in ("", "[", "]"):
            continue
        if not parts:
            value = decode(line.removeprefix("[").removesuffix("]") if line.startswith("[{") else line)
            if isinstance(value, dict):
                yield number, line, value
                continue
            if line.startswith("[{") and isinstance(many := decode(line), list):
                for item in many:
                    yield number, line, item if isinstance(item, dict) else None
                continue
            if not line.startswith(("{", "[{")):
                yield number, line, None
                continue
            first = number
        parts.append(line.removeprefix("[") if not parts else raw)
        if line.endswith("}"):
            value = _whole("\n".join(parts))
            if value is not None:
                yield first, parts[0], value
                parts = []
    if parts:
        yield first, parts[0], None


def _whole(text: str) -> dict[str, Any] | None:
    try:
        value = json.loads(text.strip().rstrip(","))
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def _trace_record(number: int, line: str, told: dict[str, Any], clock: Clock, station: str) -> Record | Unread:
    try:
        direction = Direction(str(told.get("direction")))
    except ValueError:
        return Unread(number, line, f"there is no direction {told.get('direction')!r}")
    if told.get("transport", "json") != "json":
        return Unread(number, line, "a message over SOAP, which is not read")
    text = told.get("raw")
    if not isinstance(text, str):
        built = _built(told)
        if built is None:
            return Unread(number, line, f"there is no message type {told.get('messageType')!r}")
        text = encode_json(built)
    name = told.get("chargePointId")
    value = decode(text)
    return Record(
        line=number,
        at=clock.read(str(told.get("timestamp", ""))),
        station=name if isinstance(name, str) and name else station,
        direction=direction,
        text=text,
        value=value,
        cut=value is None and shortened(text),
        version=_VERSIONS.get(str(told.get("ocppVersion", "")).removeprefix("ocpp")),
    )


def _built(told: dict[str, Any]) -> list[Any] | None:
    kind = _NUMBERS.get(str(told.get("messageType")))
    head = [kind, told.get("messageId")]
    match kind:
        case 2 | 6:
            return [*head, told.get("action"), told.get("payload", {})]
        case 3:
            return [*head, told.get("payload", {})]
        case 4 | 5:
            error = told.get("error")
            error = error if isinstance(error, dict) else {}
            return [*head, error.get("code", ""), error.get("description", ""), error.get("details", {})]
    return None


def write_trace_record(record: Record, action: str | None, version: Version | None) -> bytes | None:
    """Write a frame as one line of open-ocpp-trace 1.1; None for what the format has no place for."""
    value = record.value
    if record.event is not Event.FRAME or record.direction is None or not isinstance(value, list) or not value:
        return None
    kind = _NAMES.get(value[0]) if type(value[0]) is int else None
    if kind is None or len(value) < 3 or not isinstance(value[1], str):  # noqa: PLR2004 - number, id and a content
        return None
    told: dict[str, Any] = {"schemaVersion": "1.1", "timestamp": wall_clock(record.at or 0.0)}
    if version is not None:
        told["ocppVersion"] = str(version)
    told |= {
        "transport": "json",
        "chargePointId": record.station,
        "direction": str(record.direction),
        "messageType": kind,
        "messageId": value[1],
    }
    if action is not None:
        told["action"] = action
    if kind in ("CALLERROR", "CALLRESULTERROR"):
        told["error"] = dict(zip(("code", "description", "details"), value[2:], strict=False))
    else:
        told["payload"] = value[-1]
    told["raw"] = record.text
    return encode_json(told).encode("utf-8", "backslashreplace") + b"\n"
