"""A recorded trace as load: the CALLs of each recorded station with their times, ready to be said again."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec

from loadtest.workload.recording import Cue, Recorded
from ocppj.errors import UsageError
from ocppj.trace import Kind, TraceRecord, decode_record
from ocppj.versions import MessageType

__all__ = ["read_trace"]

_CALL_PARTS = 4
_ANSWER_PARTS = 3


class _Recording:
    """One recorded station while its lines are read."""

    def __init__(self) -> None:
        self.cues: list[Cue] = []
        self.open: dict[str, int] = {}
        """Where the cue of an unanswered StartTransaction stands, by its message id."""
        self.known: set[Any] = set()
        """Transactions whose begin was recorded."""
        self.left_out = 0

    def sent(self, record: TraceRecord, at: float, message: list[Any]) -> None:
        if message[0] != MessageType.CALL or len(message) != _CALL_PARTS:
            return
        _, message_id, action, payload = message
        if action == "BootNotification" or not isinstance(payload, dict):
            # Every station introduces itself.
            return
        if action == "StartTransaction":
            self.open[str(message_id)] = len(self.cues)
        elif action == "TransactionEvent" and payload.get("eventType") == "Started":
            self.known.add(_transaction(payload))
        elif (transaction := _transaction(payload)) is not None and transaction not in self.known | {-1}:
            self.left_out += 1
            return
        self.cues.append(Cue(at, _wall(record.wall), action, payload))

    def received(self, message: list[Any]) -> None:
        if message[0] != MessageType.CALLRESULT or len(message) != _ANSWER_PARTS:
            return
        place = self.open.pop(str(message[1]), None)
        answer = message[2]
        if place is None or not isinstance(answer, dict) or type(answer.get("transactionId")) is not int:
            return
        self.known.add(answer["transactionId"])
        self.cues[place] = self.cues[place]._replace(transaction=answer["transactionId"])


def read_trace(text: str, path: Path) -> Recorded:
    """Read the CALLs that stations sent; raises `UsageError` with the row of the first line that is not a record."""
    stations: dict[str, _Recording] = {}
    begin: float | None = None
    for row, line in enumerate(text.splitlines(), 1):
        if not line.strip():
            continue
        try:
            record = decode_record(line)
        except msgspec.DecodeError as error:
            raise UsageError(f"{path}:{row}: this is not a line of a trace ({error})") from None
        message = _message(record)
        if not isinstance(message, list) or len(message) < _ANSWER_PARTS:
            continue
        begin = record.t if begin is None else begin
        recording = stations.setdefault(record.station, _Recording())
        try:
            if record.kind is Kind.SENT:
                recording.sent(record, record.t - begin, message)
            else:
                recording.received(message)
        except ValueError as error:
            raise UsageError(f"{path}:{row}: {error}") from None
    found = [recording for recording in stations.values() if recording.cues]
    if not found:
        raise UsageError(f"{path}:1: the replay file has no CALL of a station")
    return Recorded(
        cues=tuple(tuple(recording.cues) for recording in found),
        left_out=sum(recording.left_out for recording in found),
    )


_FRAMES = (Kind.SENT, Kind.RECEIVED)


def _message(record: TraceRecord) -> Any:
    """Read a frame; what is none, or no JSON as interop sends it on purpose, is not load."""
    if record.kind not in _FRAMES or not record.text:
        return None
    try:
        return msgspec.json.decode(record.text)
    except msgspec.DecodeError:
        return None


def _transaction(payload: dict[str, Any]) -> Any:
    info = payload.get("transactionInfo")
    return info.get("transactionId") if isinstance(info, dict) else payload.get("transactionId")


def _wall(text: str) -> float:
    if not text:
        raise ValueError("the record has no `wall` time")
    return datetime.fromisoformat(text).timestamp()
