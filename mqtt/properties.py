"""The properties of MQTT 5 packets (MQTT 5 §2.2.2): one table of their kinds, written and read."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from enum import IntEnum
from typing import Any, Final

from mqtt.errors import MqttError

__all__ = [
    "NO_PROPERTIES",
    "Properties",
    "Property",
    "decode_properties",
    "encode_properties",
    "read_binary",
    "read_text",
    "read_variable",
    "write_binary",
    "write_text",
    "write_variable",
]

MOST_VARIABLE: Final = 268_435_455
"""The largest number that four bytes of seven bits hold (MQTT 5 §1.5.5)."""
_MOST_TEXT: Final = 65_535


class Property(IntEnum):
    """Every property, by its identifier."""

    PAYLOAD_FORMAT = 0x01
    MESSAGE_EXPIRY = 0x02
    CONTENT_TYPE = 0x03
    RESPONSE_TOPIC = 0x08
    CORRELATION_DATA = 0x09
    SUBSCRIPTION_ID = 0x0B
    SESSION_EXPIRY = 0x11
    ASSIGNED_CLIENT_ID = 0x12
    SERVER_KEEP_ALIVE = 0x13
    AUTH_METHOD = 0x15
    AUTH_DATA = 0x16
    REQUEST_PROBLEM = 0x17
    WILL_DELAY = 0x18
    REQUEST_RESPONSE = 0x19
    RESPONSE_INFORMATION = 0x1A
    SERVER_REFERENCE = 0x1C
    REASON = 0x1F
    RECEIVE_MAXIMUM = 0x21
    TOPIC_ALIAS_MAXIMUM = 0x22
    TOPIC_ALIAS = 0x23
    MAXIMUM_QOS = 0x24
    RETAIN_AVAILABLE = 0x25
    USER = 0x26
    MAXIMUM_PACKET = 0x27
    WILDCARDS_AVAILABLE = 0x28
    SUBSCRIPTION_IDS_AVAILABLE = 0x29
    SHARED_AVAILABLE = 0x2A


Properties = Mapping[Property, Any]
"""Numbers, texts or bytes; `USER` is a list of pairs and `SUBSCRIPTION_ID` a list, since these two may repeat."""

NO_PROPERTIES: Final = b"\x00"
"""The properties of a packet that has none."""

_TEXT, _BINARY, _VARIABLE, _PAIR = "text", "binary", "variable", "pair"
_NUMBERS: Final = {1: struct.Struct("!B"), 2: struct.Struct("!H"), 4: struct.Struct("!I")}
_KINDS: Final[dict[Property, str | int]] = {
    Property.PAYLOAD_FORMAT: 1,
    Property.MESSAGE_EXPIRY: 4,
    Property.CONTENT_TYPE: _TEXT,
    Property.RESPONSE_TOPIC: _TEXT,
    Property.CORRELATION_DATA: _BINARY,
    Property.SUBSCRIPTION_ID: _VARIABLE,
    Property.SESSION_EXPIRY: 4,
    Property.ASSIGNED_CLIENT_ID: _TEXT,
    Property.SERVER_KEEP_ALIVE: 2,
    Property.AUTH_METHOD: _TEXT,
    Property.AUTH_DATA: _BINARY,
    Property.REQUEST_PROBLEM: 1,
    Property.WILL_DELAY: 4,
    Property.REQUEST_RESPONSE: 1,
    Property.RESPONSE_INFORMATION: _TEXT,
    Property.SERVER_REFERENCE: _TEXT,
    Property.REASON: _TEXT,
    Property.RECEIVE_MAXIMUM: 2,
    Property.TOPIC_ALIAS_MAXIMUM: 2,
    Property.TOPIC_ALIAS: 2,
    Property.MAXIMUM_QOS: 1,
    Property.RETAIN_AVAILABLE: 1,
    Property.USER: _PAIR,
    Property.MAXIMUM_PACKET: 4,
    Property.WILDCARDS_AVAILABLE: 1,
    Property.SUBSCRIPTION_IDS_AVAILABLE: 1,
    Property.SHARED_AVAILABLE: 1,
}
_REPEAT: Final = frozenset({Property.SUBSCRIPTION_ID, Property.USER})


def encode_properties(properties: Properties) -> bytes:
    """Write properties with their length in front; raises `ValueError` for a text or number that does not fit."""
    if not properties:
        return NO_PROPERTIES
    body = bytearray()
    for name, value in properties.items():
        for one in value if name in _REPEAT else (value,):
            body.append(name)
            body += _encode(_KINDS[name], one)
    return write_variable(len(body)) + bytes(body)


def decode_properties(data: bytes, position: int) -> tuple[dict[Property, Any], int]:
    """Read properties with their length, and return where they end; raises `MqttError`."""
    size, position = read_variable(data, position)
    end = position + size
    if end > len(data):
        raise MqttError("the properties are longer than their packet")
    found: dict[Property, Any] = {}
    while position < end:
        number, position = read_variable(data, position)
        try:
            name = Property(number)
        except ValueError:
            raise MqttError(f"property 0x{number:02x} does not exist") from None
        value, position = _decode(_KINDS[name], data, position)
        if name in _REPEAT:
            found.setdefault(name, []).append(value)
        elif name in found:
            raise MqttError(f"the property {name.name} stands twice")
        else:
            found[name] = value
    if position != end:
        raise MqttError("a property is longer than all of them")
    return found, position


# -- their parts, which other fields of packets have, too --------------------------------------------------------------


def write_variable(value: int) -> bytes:
    """Write a number in one to four bytes, seven bits in each; raises `ValueError` above 268,435,455."""
    if value < 0x80:  # noqa: PLR2004 - seven bits
        return bytes((value,))
    if value > MOST_VARIABLE:
        raise ValueError(f"{value} is more than the {MOST_VARIABLE} that MQTT can write")
    found = bytearray()
    while value >= 0x80:  # noqa: PLR2004
        found.append(value & 0x7F | 0x80)
        value >>= 7
    found.append(value)
    return bytes(found)


def read_variable(data: bytes, position: int) -> tuple[int, int]:
    """Read such a number, and return where it ends; raises `MqttError`."""
    value = 0
    for shift in (0, 7, 14, 21):
        if position >= len(data):
            raise MqttError("the packet ends within a number")
        byte = data[position]
        position += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:  # noqa: PLR2004
            return value, position
    raise MqttError("a number takes more than four bytes")


def write_text(text: str) -> bytes:
    """Write a text with its length; raises `ValueError` above 65,535 bytes."""
    return write_binary(text.encode())


def read_text(data: bytes, position: int) -> tuple[str, int]:
    """Read a text, and return where it ends; raises `MqttError` (MQTT 5 §1.5.4: UTF-8 without U+0000)."""
    raw, position = read_binary(data, position)
    try:
        text = raw.decode()
    except UnicodeDecodeError:
        raise MqttError("a text is not UTF-8") from None
    if "\0" in text:
        raise MqttError("a text holds U+0000")
    return text, position


def write_binary(data: bytes) -> bytes:
    """Write bytes with their length; raises `ValueError` above 65,535."""
    if len(data) > _MOST_TEXT:
        raise ValueError(f"{len(data)} bytes are more than the {_MOST_TEXT} that a field of MQTT holds")
    return len(data).to_bytes(2) + data


def read_binary(data: bytes, position: int) -> tuple[bytes, int]:
    """Read bytes with their length, and return where they end; raises `MqttError`."""
    start = position + 2
    end = start + int.from_bytes(data[position:start])
    if start > len(data) or end > len(data):
        raise MqttError("the packet ends within a field")
    return data[start:end], end


def _encode(kind: str | int, value: Any) -> bytes:
    if isinstance(kind, int):
        try:
            return _NUMBERS[kind].pack(value)
        except struct.error:
            raise ValueError(f"{value} does not fit into {kind} bytes") from None
    if kind == _TEXT:
        return write_text(value)
    if kind == _BINARY:
        return write_binary(value)
    if kind == _VARIABLE:
        return write_variable(value)
    name, text = value
    return write_text(name) + write_text(text)


def _decode(kind: str | int, data: bytes, position: int) -> tuple[Any, int]:
    if isinstance(kind, int):
        end = position + kind
        if end > len(data):
            raise MqttError("the packet ends within a property")
        return _NUMBERS[kind].unpack_from(data, position)[0], end
    if kind == _TEXT:
        return read_text(data, position)
    if kind == _BINARY:
        return read_binary(data, position)
    if kind == _VARIABLE:
        return read_variable(data, position)
    name, position = read_text(data, position)
    text, position = read_text(data, position)
    return (name, text), position
