"""The control packets of MQTT 3.1.1 and 5 as values, and their bytes; both directions, so that tests can be a broker.

    data = encode(Subscribe(packet_id=1, filters=(("CP1/out", 1),)), Level.V311)
    packet = decode(0x82, data[2:], Level.V311)

`encode` writes what it is told to; `decode` raises `MqttError` for everything that the standard calls malformed.
Numbers of clauses are those of MQTT 5; 3.1.1 has the same chapters.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import IntEnum
from typing import Any, Final

import msgspec

from mqtt.errors import MqttError
from mqtt.properties import (
    Properties,
    Property,
    decode_properties,
    encode_properties,
    read_binary,
    read_text,
    write_binary,
    write_text,
    write_variable,
)

__all__ = [
    "Ack",
    "Auth",
    "ConnAck",
    "Connect",
    "Disconnect",
    "Kind",
    "Level",
    "Packet",
    "Ping",
    "Publish",
    "SubAck",
    "Subscribe",
    "UnsubAck",
    "Unsubscribe",
    "Will",
    "decode",
    "encode",
    "frame",
    "publish_head",
    "read_publish",
]


class Level(IntEnum):
    """Which MQTT; the number is the protocol level of CONNECT."""

    V311 = 4
    V5 = 5


class Kind(IntEnum):
    """Types of control packets (§2.1.2)."""

    CONNECT = 1
    CONNACK = 2
    PUBLISH = 3
    PUBACK = 4
    PUBREC = 5
    PUBREL = 6
    PUBCOMP = 7
    SUBSCRIBE = 8
    SUBACK = 9
    UNSUBSCRIBE = 10
    UNSUBACK = 11
    PINGREQ = 12
    PINGRESP = 13
    DISCONNECT = 14
    AUTH = 15


class _Packet(msgspec.Struct, frozen=True, kw_only=True):
    properties: Properties = msgspec.field(default_factory=dict)
    """Only in MQTT 5."""


class Will(_Packet, frozen=True, kw_only=True):
    """What the broker publishes when a client goes without a word (§3.1.2.5)."""

    topic: str
    payload: bytes
    qos: int = 0
    retain: bool = False


class Connect(_Packet, frozen=True, kw_only=True):
    """The first packet of a client (§3.1); `keep_alive` in seconds, 0 for none."""

    client_id: str
    clean: bool = True
    keep_alive: int = 60
    user: str | None = None
    password: bytes | None = None
    will: Will | None = None


class ConnAck(_Packet, frozen=True, kw_only=True):
    """The broker's answer (§3.2); `code` 0 lets the client in."""

    code: int
    session_present: bool = False


class Publish(_Packet, frozen=True, kw_only=True):
    """A message (§3.3); `packet_id` is 0 with QoS 0."""

    topic: str
    payload: bytes
    qos: int = 0
    retain: bool = False
    duplicate: bool = False
    packet_id: int = 0


class Ack(_Packet, frozen=True, kw_only=True):
    """PUBACK, PUBREC, PUBREL or PUBCOMP (§3.4 to §3.7)."""

    kind: Kind
    packet_id: int
    code: int = 0


class Subscribe(_Packet, frozen=True, kw_only=True):
    """A client's wish to hear (§3.8): topic filters with their options, which are the highest QoS where plain."""

    packet_id: int
    filters: tuple[tuple[str, int], ...]


class SubAck(_Packet, frozen=True, kw_only=True):
    """What the broker granted for each filter: a QoS, or 0x80 and above (§3.9)."""

    packet_id: int
    codes: tuple[int, ...]


class Unsubscribe(_Packet, frozen=True, kw_only=True):
    """A client's wish to hear no more (§3.10)."""

    packet_id: int
    filters: tuple[str, ...]


class UnsubAck(_Packet, frozen=True, kw_only=True):
    """The broker's answer (§3.11); 3.1.1 has no codes."""

    packet_id: int
    codes: tuple[int, ...] = ()


class Ping(_Packet, frozen=True, kw_only=True):
    """PINGREQ, or PINGRESP as the answer (§3.12, §3.13)."""

    answer: bool = False


class Disconnect(_Packet, frozen=True, kw_only=True):
    """The last packet (§3.14); only in MQTT 5 has it a code, and may the broker send it."""

    code: int = 0


class Auth(_Packet, frozen=True, kw_only=True):
    """A step of an extended authentication (§3.15); only in MQTT 5."""

    code: int = 0


Packet = Connect | ConnAck | Publish | Ack | Subscribe | SubAck | Unsubscribe | UnsubAck | Ping | Disconnect | Auth

_NAMES: Final = {Level.V311: write_text("MQTT") + b"\x04", Level.V5: write_text("MQTT") + b"\x05"}
_ACKS: Final = frozenset({Kind.PUBACK, Kind.PUBREC, Kind.PUBREL, Kind.PUBCOMP})
_FLAGS: Final = {Kind.PUBREL: 2, Kind.SUBSCRIBE: 2, Kind.UNSUBSCRIBE: 2}
_MOST_QOS: Final = 2
_BEYOND: Final = 1 << 32
"""Where a packet without a whole length would end: behind every packet."""
_NOTHING: Final[Properties] = {}

# -- writing -----------------------------------------------------------------------------------------------------------


def encode(packet: Packet, level: Level) -> bytes:
    """Write a packet; raises `ValueError` where a field is longer than MQTT allows."""
    return _WRITERS[type(packet)](packet, level)


def frame(first: int, body: bytes) -> bytes:
    """Put the fixed header before a body (§2.1.1)."""
    size = len(body)
    if size < 0x80:  # noqa: PLR2004 - seven bits
        return bytes((first, size)) + body
    if size < 0x4000:  # noqa: PLR2004 - twice seven bits: nearly every message of a station
        return bytes((first, size & 0x7F | 0x80, size >> 7)) + body
    return bytes((first,)) + write_variable(size) + body


def publish_head(topic: str, properties: bytes | None) -> bytes:
    """Write what a PUBLISH with QoS 0 has before its payload; `properties` as encoded, None for MQTT 3.1.1."""
    return write_text(topic) + (properties or b"")


def _tail(packet: Packet, level: Level) -> bytes:
    return encode_properties(packet.properties) if level is Level.V5 else b""


def _write_connect(packet: Connect, level: Level) -> bytes:
    will = packet.will
    flags = packet.clean << 1 | (packet.password is not None) << 6 | (packet.user is not None) << 7
    payload = write_text(packet.client_id)
    if will is not None:
        flags |= 4 | will.qos << 3 | will.retain << 5
        payload += encode_properties(will.properties) if level is Level.V5 else b""
        payload += write_text(will.topic) + write_binary(will.payload)
    if packet.user is not None:
        payload += write_text(packet.user)
    if packet.password is not None:
        payload += write_binary(packet.password)
    head = _NAMES[level] + bytes((flags,)) + packet.keep_alive.to_bytes(2)
    return frame(Kind.CONNECT << 4, head + _tail(packet, level) + payload)


def _write_connack(packet: ConnAck, level: Level) -> bytes:
    return frame(Kind.CONNACK << 4, bytes((packet.session_present, packet.code)) + _tail(packet, level))


def _write_publish(packet: Publish, level: Level) -> bytes:
    first = Kind.PUBLISH << 4 | packet.duplicate << 3 | packet.qos << 1 | packet.retain
    number = packet.packet_id.to_bytes(2) if packet.qos else b""
    return frame(first, write_text(packet.topic) + number + _tail(packet, level) + packet.payload)


def _write_ack(packet: Ack, level: Level) -> bytes:
    body = packet.packet_id.to_bytes(2)
    if level is Level.V5 and (packet.code or packet.properties):
        body += bytes((packet.code,)) + (encode_properties(packet.properties) if packet.properties else b"")
    return frame(packet.kind << 4 | _FLAGS.get(packet.kind, 0), body)


def _write_subscribe(packet: Subscribe, level: Level) -> bytes:
    filters = b"".join(write_text(name) + bytes((options,)) for name, options in packet.filters)
    return frame(Kind.SUBSCRIBE << 4 | 2, packet.packet_id.to_bytes(2) + _tail(packet, level) + filters)


def _write_suback(packet: SubAck, level: Level) -> bytes:
    return frame(Kind.SUBACK << 4, packet.packet_id.to_bytes(2) + _tail(packet, level) + bytes(packet.codes))


def _write_unsubscribe(packet: Unsubscribe, level: Level) -> bytes:
    filters = b"".join(write_text(name) for name in packet.filters)
    return frame(Kind.UNSUBSCRIBE << 4 | 2, packet.packet_id.to_bytes(2) + _tail(packet, level) + filters)


def _write_unsuback(packet: UnsubAck, level: Level) -> bytes:
    codes = bytes(packet.codes) if level is Level.V5 else b""
    return frame(Kind.UNSUBACK << 4, packet.packet_id.to_bytes(2) + _tail(packet, level) + codes)


def _write_ping(packet: Ping, _: Level) -> bytes:
    return frame((Kind.PINGRESP if packet.answer else Kind.PINGREQ) << 4, b"")


def _write_last(packet: Disconnect | Auth, level: Level) -> bytes:
    kind = Kind.DISCONNECT if type(packet) is Disconnect else Kind.AUTH
    if level is Level.V311 or not (packet.code or packet.properties):
        return frame(kind << 4, b"")
    return frame(kind << 4, bytes((packet.code,)) + encode_properties(packet.properties))


_WRITERS: Final[dict[type, Callable[[Any, Level], bytes]]] = {
    Connect: _write_connect,
    ConnAck: _write_connack,
    Publish: _write_publish,
    Ack: _write_ack,
    Subscribe: _write_subscribe,
    SubAck: _write_suback,
    Unsubscribe: _write_unsubscribe,
    UnsubAck: _write_unsuback,
    Ping: _write_ping,
    Disconnect: _write_last,
    Auth: _write_last,
}

# -- reading -----------------------------------------------------------------------------------------------------------


def decode(first: int, body: bytes, level: Level) -> Packet:
    """Read a packet by the first byte of its fixed header and what follows that header; raises `MqttError`."""
    number, flags = first >> 4, first & 0x0F
    if number == Kind.PUBLISH:
        return read_publish(flags, body, level)
    try:
        kind = Kind(number)
    except ValueError:
        raise MqttError(f"packet type {number} does not exist") from None
    if flags != _FLAGS.get(kind, 0):
        raise MqttError(f"a {kind.name} has the flags {flags:#x}")
    if kind is Kind.AUTH and level is Level.V311:
        raise MqttError("MQTT 3.1.1 has no AUTH")
    packet, end = _READERS[kind](kind, body, level)
    if end != len(body):
        raise MqttError(f"a {kind.name} is longer than its fields")
    return packet


def read_publish(flags: int, body: bytes, level: Level) -> Publish:
    """Read a message by the flags of its fixed header (§3.3.1) and what follows that; raises `MqttError`."""
    qos = flags >> 1 & 3
    if qos > _MOST_QOS:
        raise MqttError("a PUBLISH has QoS 3")
    # `read_text`, written out: this is nearly every packet of a broker.
    position = 2 + (body[0] << 8 | body[1]) if len(body) > 1 else _BEYOND
    if position > len(body):
        raise MqttError("the packet ends within a field")
    try:
        topic = body[2:position].decode()
    except UnicodeDecodeError:
        raise MqttError("a text is not UTF-8") from None
    if "\0" in topic:
        raise MqttError("a text holds U+0000")
    if "+" in topic or "#" in topic:
        raise MqttError("a PUBLISH names a topic with a wildcard")
    packet_id = 0
    if qos:
        packet_id, position = _read_id(body, position)
    properties = _NOTHING
    if level is Level.V5:
        properties, position = decode_properties(body, position)
    if not topic and Property.TOPIC_ALIAS not in properties:
        raise MqttError("a PUBLISH names no topic")
    return Publish(
        topic=topic,
        payload=body[position:],
        qos=qos,
        retain=bool(flags & 1),
        duplicate=bool(flags & 8),
        packet_id=packet_id,
        properties=properties,
    )


def _read_connect(_: Kind, body: bytes, level: Level) -> tuple[Packet, int]:
    name = _NAMES[level]
    if not body.startswith(name) or len(body) < len(name) + 3:
        raise MqttError("a CONNECT is not of this version of MQTT")
    flags, keep_alive = body[len(name)], int.from_bytes(body[len(name) + 1 : len(name) + 3])
    if flags & 1 or flags >> 3 & 3 > _MOST_QOS:
        raise MqttError("a CONNECT has flags that must not be")
    properties, position = _properties(body, len(name) + 3, level)
    client_id, position = read_text(body, position)
    will: Will | None = None
    user: str | None = None
    password: bytes | None = None
    if flags & 4:
        will_properties, position = _properties(body, position, level)
        topic, position = read_text(body, position)
        payload, position = read_binary(body, position)
        will = Will(
            topic=topic,
            payload=payload,
            qos=flags >> 3 & 3,
            retain=bool(flags & 0x20),
            properties=will_properties,
        )
    if flags & 0x80:
        user, position = read_text(body, position)
    if flags & 0x40:
        password, position = read_binary(body, position)
    packet = Connect(
        client_id=client_id,
        clean=bool(flags & 2),
        keep_alive=keep_alive,
        user=user,
        password=password,
        will=will,
        properties=properties,
    )
    return packet, position


def _read_connack(_: Kind, body: bytes, level: Level) -> tuple[Packet, int]:
    if len(body) < 2 or body[0] > 1:  # noqa: PLR2004 - flags and code
        raise MqttError("a CONNACK is not whole")
    if len(body) == 2:  # noqa: PLR2004
        # Also a broker of 3.1.1 that does not know MQTT 5.
        level = Level.V311
    properties, position = _properties(body, 2, level)
    return ConnAck(code=body[1], session_present=bool(body[0]), properties=properties), position


def _read_ack(kind: Kind, body: bytes, level: Level) -> tuple[Packet, int]:
    packet_id, position = _read_id(body, 0)
    code, properties = 0, dict[Property, Any]()
    if level is Level.V5 and position < len(body):
        code = body[position]
        position += 1
        if position < len(body):
            properties, position = decode_properties(body, position)
    return Ack(kind=kind, packet_id=packet_id, code=code, properties=properties), position


def _read_subscribe(_: Kind, body: bytes, level: Level) -> tuple[Packet, int]:
    packet_id, position = _read_id(body, 0)
    properties, position = _properties(body, position, level)
    filters: list[tuple[str, int]] = []
    while position < len(body):
        name, position = read_text(body, position)
        if not name or position >= len(body) or body[position] & 3 > _MOST_QOS:
            raise MqttError("a SUBSCRIBE has a filter without a topic or QoS")
        filters.append((name, body[position]))
        position += 1
    if not filters:
        raise MqttError("a SUBSCRIBE has no filter")
    return Subscribe(packet_id=packet_id, filters=tuple(filters), properties=properties), position


def _read_suback(_: Kind, body: bytes, level: Level) -> tuple[Packet, int]:
    packet_id, position = _read_id(body, 0)
    properties, position = _properties(body, position, level)
    if position == len(body):
        raise MqttError("a SUBACK has no code")
    return SubAck(packet_id=packet_id, codes=tuple(body[position:]), properties=properties), len(body)


def _read_unsubscribe(_: Kind, body: bytes, level: Level) -> tuple[Packet, int]:
    packet_id, position = _read_id(body, 0)
    properties, position = _properties(body, position, level)
    filters: list[str] = []
    while position < len(body):
        name, position = read_text(body, position)
        filters.append(name)
    if not filters:
        raise MqttError("an UNSUBSCRIBE has no filter")
    return Unsubscribe(packet_id=packet_id, filters=tuple(filters), properties=properties), position


def _read_unsuback(_: Kind, body: bytes, level: Level) -> tuple[Packet, int]:
    packet_id, position = _read_id(body, 0)
    properties, position = _properties(body, position, level)
    codes = tuple(body[position:]) if level is Level.V5 else ()
    return UnsubAck(packet_id=packet_id, codes=codes, properties=properties), position + len(codes)


def _read_ping(kind: Kind, _: bytes, __: Level) -> tuple[Packet, int]:
    return Ping(answer=kind is Kind.PINGRESP), 0


def _read_last(kind: Kind, body: bytes, level: Level) -> tuple[Packet, int]:
    code, position, properties = 0, 0, dict[Property, Any]()
    if level is Level.V5 and body:
        code, position = body[0], 1
        if len(body) > 1:
            properties, position = decode_properties(body, 1)
    if kind is Kind.AUTH:
        return Auth(code=code, properties=properties), position
    return Disconnect(code=code, properties=properties), position


def _properties(body: bytes, position: int, level: Level) -> tuple[dict[Property, Any], int]:
    return decode_properties(body, position) if level is Level.V5 else ({}, position)


def _read_id(body: bytes, position: int) -> tuple[int, int]:
    end = position + 2
    number = int.from_bytes(body[position:end])
    if end > len(body) or not number:
        raise MqttError("a packet has no identifier")
    return number, end


_READERS: Final[dict[Kind, Callable[[Kind, bytes, Level], tuple[Packet, int]]]] = {
    Kind.CONNECT: _read_connect,
    Kind.CONNACK: _read_connack,
    Kind.SUBSCRIBE: _read_subscribe,
    Kind.SUBACK: _read_suback,
    Kind.UNSUBSCRIBE: _read_unsubscribe,
    Kind.UNSUBACK: _read_unsuback,
    Kind.PINGREQ: _read_ping,
    Kind.PINGRESP: _read_ping,
    Kind.DISCONNECT: _read_last,
    Kind.AUTH: _read_last,
    **dict.fromkeys(_ACKS, _read_ack),
}
