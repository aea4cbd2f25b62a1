"""The frame around a payload: is it one, are its id and error code as they should be, does a key stand in it twice."""

from __future__ import annotations

from typing import Any

import msgspec

from analysis.model import Side
from analysis.rulebook.contract import StationView
from ocppj.errors import Fault, RemoteProtocolError
from ocppj.messages import Call, CallError, CallResult, CallResultError, Message, Send, duplicate_keys, parse, review
from ocppj.versions import MessageType

__all__ = ["Kind", "check_keys", "look_closely", "say_id"]

Kind = tuple[str, str | None, object]
"""What an unusual frame is: its kind, its message id, and its action, its error code or its number."""

_encode = msgspec.json.encode
_RULE_OF = {
    Fault.ID_TOO_LONG: "message-id",
    Fault.EMPTY_ID: "message-id",
    Fault.NULL_PAYLOAD: "null-payload",
    Fault.FOREIGN_ERROR_CODE: "error-code",
    Fault.UNKNOWN_ERROR_CODE: "error-code",
    Fault.DESCRIPTION_TOO_LONG: "error-code",
}
_CLOSE_LOOK = 100_000
"""Characters above which a frame is not searched for doubled keys."""


def check_keys(station: StationView, sender: Side, value: Any, text: str) -> None:
    """Look for doubled keys in a frame that is longer than its value."""
    # Written again without blanks it has as many keys, unless one of them stood there twice.
    written = _encode(value)
    if text.count('":') + text.count('" :') == written.count(b'":'):
        return
    if len(text) < _CLOSE_LOOK:
        for path in duplicate_keys(text):
            station.find("duplicate-key", f"{path} stands there twice", side=sender)


def say_id(station: StationView, sender: Side, message_id: str) -> None:
    """Say that a message id is empty or too long; an answer repeats the id that it was given."""
    most = station.rules.message_id_max
    detail = f"the message id has {len(message_id)} characters, not 1 to {most}"
    station.find("message-id", detail, side=sender)


def look_closely(station: StationView, sender: Side, text: str) -> Kind:
    """Check a frame that is neither a plain CALL nor a plain CALLRESULT, and say what it is."""
    rules = station.rules
    try:
        message = parse(text, rules)
    except RemoteProtocolError as error:
        if error.message_type == MessageType.CALL or error.fault is not Fault.UNKNOWN_TYPE:
            station.find("unreadable-frame", error.reason, side=sender)
        else:
            station.find(
                "unreadable-frame", f"message type {error.message_type} is not one of {rules.version}", side=sender
            )
        return ("broken", error.message_id, error.message_type)
    _review(station, sender, message)
    for path in duplicate_keys(text) if len(text) < _CLOSE_LOOK else ():
        station.find("duplicate-key", f"{path} stands there twice", side=sender)
    match message:
        case Call(message_id, action, _):
            return ("call", message_id, action)
        case CallResult(message_id, _):
            return ("result", message_id, None)
        case CallError(message_id, code, _, _):
            return ("error", message_id, code)
        case CallResultError(message_id, code, _, _):
            return ("answer-error", message_id, code)
        case Send(message_id, action, _):
            return ("send", message_id, action)


def _review(station: StationView, sender: Side, message: Message) -> None:
    for fault in review(message, station.rules):
        if _RULE_OF[fault] == "message-id":
            if isinstance(message, Call | Send):
                say_id(station, sender, message.message_id)
        elif isinstance(message, CallError | CallResultError):
            station.find("error-code", f"{message.code[:60]!r}: {str(fault).replace('-', ' ')}", side=sender)
        else:
            station.find("null-payload", "the payload is null", side=sender)
