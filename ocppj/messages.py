"""OCPP-J messages as values, their text form, and what can be wrong with either.

Three separate steps, so that a tester can send what a correct library refuses:
`encode` writes anything, `parse` refuses only what cannot be read, `review` and `duplicate_keys` name what is readable
and still wrong.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any, Literal

import msgspec

from ocppj.errors import Fault, RemoteProtocolError
from ocppj.versions import RULES, MessageType, Rules

__all__ = [
    "Call",
    "CallError",
    "CallResult",
    "CallResultError",
    "Message",
    "Send",
    "duplicate_keys",
    "encode",
    "encode_call",
    "encode_json",
    "parse",
    "payload_of_result",
    "review",
]


class Call(msgspec.Struct, frozen=True):
    """A request: `[2, id, action, payload]`."""

    message_id: str
    action: str
    payload: Any


class CallResult(msgspec.Struct, frozen=True):
    """An answer: `[3, id, payload]`."""

    message_id: str
    payload: Any


class CallError(msgspec.Struct, frozen=True):
    """A refusal: `[4, id, code, description, details]`."""

    message_id: str
    code: str
    description: str = ""
    details: Any = msgspec.field(default_factory=dict)


class CallResultError(msgspec.Struct, frozen=True):
    """The requester could not process an answer: `[5, id, code, description, details]` (OCPP 2.1 Part 4 §4.2.3)."""

    message_id: str
    code: str
    description: str = ""
    details: Any = msgspec.field(default_factory=dict)


class Send(msgspec.Struct, frozen=True):
    """A message that is never answered: `[6, id, action, payload]` (OCPP 2.1 Part 4 §4.2.4)."""

    message_id: str
    action: str
    payload: Any


Message = Call | CallResult | CallError | CallResultError | Send

_encode_fast = msgspec.json.Encoder().encode
# `to_builtins` gives it the same idea of dates, bytes and structs that the fast encoder has.
_encode_exact = json.JSONEncoder(separators=(",", ":"), allow_nan=True, default=msgspec.to_builtins).encode
_decode = msgspec.json.Decoder().decode
_decode_result = msgspec.json.Decoder(tuple[Literal[3], str, dict[str, Any]]).decode
_CALL = int(MessageType.CALL)


def encode_json(value: object) -> str:
    """Write any JSON value as text, also what JSON libraries refuse: NaN, infinities, lone surrogates.

    Raises `TypeError` for what is no JSON value at all and `ValueError` for one that Python cannot write: a circle,
    about 1,000 levels, an integer of more than 4,300 digits. `Session.put_raw` sends those.
    """
    try:
        text = _encode_fast(value).decode()
        # The fast encoder writes NaN and infinities as null, so a null in the text needs the exact one. Looking from
        # the end takes half the time of `in`.
        return text if text.rfind("null") < 0 else _encode_exact(value)
    except (UnicodeEncodeError, OverflowError):
        return _encode_exact(value)
    except RecursionError:
        raise ValueError("The value nests too deeply to be written as JSON.") from None


def encode(message: Message) -> str:
    """Write a message as the text of one WebSocket frame; nothing in it is validated."""
    if type(message) is Call:
        return encode_json((2, message.message_id, message.action, message.payload))
    if type(message) is CallResult:
        return encode_json((3, message.message_id, message.payload))
    if type(message) is Send:
        return encode_json((6, message.message_id, message.action, message.payload))
    assert isinstance(message, CallError | CallResultError)
    number = 4 if type(message) is CallError else 5
    return encode_json((number, message.message_id, message.code, message.description, message.details))


def encode_call(message_id: str, action: str, payload: Any) -> str:
    """Write a CALL as `encode` does; `encode_json`, written out for what nearly every CALL is."""
    try:
        text = _encode_fast((_CALL, message_id, action, payload)).decode()
    except (UnicodeEncodeError, OverflowError, RecursionError):
        return encode_json((_CALL, message_id, action, payload))
    return text if text.rfind("null") < 0 else _encode_exact((_CALL, message_id, action, payload))


def payload_of_result(text: str, message_id: str) -> dict[str, Any] | None:
    """Read the answer to a CALL in the form that nearly every answer has: `[3, id, {…}]`, with this id.

    None for anything else, which `parse` reads and tells apart.
    """
    try:
        _, found, payload = _decode_result(text)
    except (msgspec.DecodeError, RecursionError, UnicodeError):
        return None
    return payload if found == message_id else None


def parse(data: str | bytes, rules: Rules) -> Message:
    """Read the text of one WebSocket message.

    Raises `RemoteProtocolError` for everything that is not a message of this version, and never anything else.
    A readable message that breaks a smaller rule is returned; ask `review` what is wrong with it.
    """
    array = _read_array(data)
    number = array[0]
    if number == 3 and len(array) == 3 and (type(number), type(array[1]), type(array[2])) == _RESULT:  # noqa: PLR2004 - see `_RESULT`
        return CallResult(array[1], array[2])
    reader = _READERS.get(number) if type(number) is int else None
    if reader is None or number not in rules.message_types:
        raise _bad_type(array, number)
    return reader(array)


_RESULT = (int, str, dict)
"""The types in `[3, id, payload]`, which is nearly everything that a CSMS says and takes a short way here."""


def _read_array(data: str | bytes) -> list[Any]:
    try:
        # The decoder checks UTF-8 only where it reads strings; a frame must be UTF-8 throughout (OCPP-J 1.6 §4.1.2).
        text = data if isinstance(data, str) else data.decode()
        value = _decode(text)
    except UnicodeError:
        raise RemoteProtocolError(Fault.NOT_UTF8, "The frame is not valid UTF-8.") from None
    except RecursionError:
        raise RemoteProtocolError(Fault.TOO_DEEP, "The frame nests too deeply to be read.", **_salvage(data)) from None
    except msgspec.ValidationError as error:
        reason = f"The frame holds a number that no receiver can represent: {error}."
        raise RemoteProtocolError(Fault.NUMBER_RANGE, reason, **_salvage(data)) from None
    except msgspec.DecodeError as error:
        raise RemoteProtocolError(Fault.NOT_JSON, f"The frame is not JSON: {error}.", **_salvage(data)) from None
    if type(value) is not list:
        raise RemoteProtocolError(Fault.NOT_ARRAY, f"The frame is a JSON {_json_name(value)}, not an array.")
    if not value:
        raise RemoteProtocolError(Fault.WRONG_LENGTH, "The frame is an empty array.")
    return value


_HEAD = re.compile(r'\s*\[\s*([2-6])\s*,\s*"([^"\\]{1,255})"\s*[,\]]')


def _salvage(data: str | bytes) -> dict[str, Any]:
    """Read type and id off the head of a frame whose rest is broken, so that its CALL need not wait for a time-out."""
    head = data[:300].decode(errors="replace") if isinstance(data, bytes) else data[:300]
    match = _HEAD.match(head)
    return {"message_type": int(match[1]), "message_id": match[2]} if match else {}


def _bad_type(array: list[Any], number: object) -> RemoteProtocolError:
    message_id = array[1] if len(array) > 1 and isinstance(array[1], str) else None
    if type(number) is not int:
        reason = f"The message type is a JSON {_json_name(number)}, not an integer."
        return RemoteProtocolError(Fault.BAD_TYPE, reason, message_id=message_id)
    reason = f"Message type {_short(number)} does not exist in this version."
    return RemoteProtocolError(Fault.UNKNOWN_TYPE, reason, message_type=number, message_id=message_id)


def _read_id(array: list[Any], lengths: Sequence[int]) -> str:
    number = array[0]
    message_id = array[1] if len(array) > 1 else None
    known_id = message_id if isinstance(message_id, str) else None
    if len(array) not in lengths:
        reason = f"A message of type {number} has {' or '.join(map(str, lengths))} elements, this one has {len(array)}."
        raise RemoteProtocolError(Fault.WRONG_LENGTH, reason, message_type=number, message_id=known_id)
    if known_id is None:
        reason = f"The message id is a JSON {_json_name(message_id)}, not a string."
        raise RemoteProtocolError(Fault.BAD_ID, reason, message_type=number)
    return known_id


def _read_action(array: list[Any]) -> tuple[str, str, Any]:
    message_id = _read_id(array, (4,))
    action, payload = array[2], array[3]
    if type(action) is not str:
        reason = f"The action is a JSON {_json_name(action)}, not a string."
        raise RemoteProtocolError(Fault.BAD_ACTION, reason, message_type=array[0], message_id=message_id)
    _check_object(array[0], message_id, payload)
    return message_id, action, payload


def _read_call(array: list[Any]) -> Call:
    return Call(*_read_action(array))


def _read_send(array: list[Any]) -> Send:
    return Send(*_read_action(array))


def _read_call_result(array: list[Any]) -> CallResult:
    message_id = _read_id(array, (3,))
    _check_object(3, message_id, array[2])
    return CallResult(message_id, array[2])


def _read_error(array: list[Any]) -> tuple[str, str, str, Any]:
    number, message_id = array[0], _read_id(array, (5,))
    _, _, code, description, details = array
    if type(code) is not str:
        reason = f"The error code is a JSON {_json_name(code)}, not a string."
        raise RemoteProtocolError(Fault.BAD_ERROR_CODE, reason, message_type=number, message_id=message_id)
    if type(description) is not str:
        reason = f"The error description is a JSON {_json_name(description)}, not a string."
        raise RemoteProtocolError(Fault.BAD_ERROR_DESCRIPTION, reason, message_type=number, message_id=message_id)
    if type(details) is not dict:
        reason = f"The error details are a JSON {_json_name(details)}, not an object."
        raise RemoteProtocolError(Fault.BAD_ERROR_DETAILS, reason, message_type=number, message_id=message_id)
    return message_id, code, description, details


def _read_call_error(array: list[Any]) -> CallError:
    return CallError(*_read_error(array))


def _read_call_result_error(array: list[Any]) -> CallResultError:
    return CallResultError(*_read_error(array))


def _check_object(number: int, message_id: str, payload: object) -> None:
    # null stands for an empty payload (OCPP-J 1.6 §4.2.1); `review` reports it.
    if type(payload) is not dict and payload is not None:
        reason = f"The payload is a JSON {_json_name(payload)}, not an object."
        raise RemoteProtocolError(Fault.BAD_PAYLOAD, reason, message_type=number, message_id=message_id)


_READERS: dict[int, Callable[[list[Any]], Message]] = {
    MessageType.CALL: _read_call,
    MessageType.CALLRESULT: _read_call_result,
    MessageType.CALLERROR: _read_call_error,
    MessageType.CALLRESULTERROR: _read_call_result_error,
    MessageType.SEND: _read_send,
}


def review(message: Message, rules: Rules) -> list[Fault]:
    """Name every rule of the envelope that a readable message breaks; payloads against schemas are not looked at."""
    faults = []
    if len(message.message_id) > rules.message_id_max:
        faults.append(Fault.ID_TOO_LONG)
    if not message.message_id:
        faults.append(Fault.EMPTY_ID)
    if isinstance(message, CallError | CallResultError):
        if message.code not in rules.all_error_codes:
            foreign = message.code in _ALL_ERROR_CODES
            faults.append(Fault.FOREIGN_ERROR_CODE if foreign else Fault.UNKNOWN_ERROR_CODE)
        if rules.error_description_max is not None and len(message.description) > rules.error_description_max:
            faults.append(Fault.DESCRIPTION_TOO_LONG)
    elif message.payload is None:
        faults.append(Fault.NULL_PAYLOAD)
    return faults


class _Members(list[tuple[str, Any]]):
    """The members of a JSON object, repeated ones included."""


_decode_members = json.JSONDecoder(object_pairs_hook=_Members, parse_int=str, parse_float=str).decode


def duplicate_keys(text: str) -> list[str]:
    """Name every key that stands twice in one object, as paths such as `/3/idTag`; `parse` keeps the last of them.

    RFC 8259 §4 asks for unique names and leaves open what a receiver makes of others. Unreadable text has none.
    """
    try:
        value = _decode_members(text)
    except (ValueError, RecursionError):
        return []
    paths = []
    pending: list[tuple[str, Any]] = [("", value)]
    while pending:
        path, value = pending.pop()
        if type(value) is _Members:
            seen = Counter(key for key, _ in value)
            paths += [f"{path}/{key}" for key, count in seen.items() if count > 1]
            pending += [(f"{path}/{key}", member) for key, member in value]
        elif type(value) is list:
            pending += [(f"{path}/{position}", member) for position, member in enumerate(value)]
    return sorted(paths)


_ALL_ERROR_CODES = frozenset(code for rules in RULES.values() for code in rules.all_error_codes)

_JSON_NAMES = {dict: "object", list: "array", str: "string", bool: "boolean", type(None): "null"}


def _json_name(value: object) -> str:
    return _JSON_NAMES.get(type(value), "number")


def _short(number: int) -> str:
    return str(number) if abs(number) < 10**9 else "out of range"
