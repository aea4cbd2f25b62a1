"""OCPP out of the bytes of connections to an MQTT broker: topics say whose a message is and which way it goes."""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final, NamedTuple

from analysis.model import Direction, Record, Side, Unread
from analysis.readers.frames import decode
from analysis.readers.websocket_bytes import Moment
from ocppj.messages import encode_json
from ocppj.versions import Version, rules_for_subprotocol

__all__ = ["Forwarded", "MqttTalk", "begins_mqtt"]

_CONNECT, _PUBLISH = 1, 3
_LEVEL_5: Final = 5
_MOST_PACKET: Final = 16_000_000
_MOST_HEAD: Final = 5
_REMEMBERED: Final = 4_096
_CONNECT_NAME: Final = re.compile(rb"\x10[\x00-\xff]{1,4}?\x00(?:\x04MQTT|\x06MQIsdp)(.)", re.DOTALL)
_SECOND_QOS: Final = 3
"""Both bits of the quality of service at once, which no packet has."""

Build = Callable[[Any], list[Any] | None]


def _array(value: Any) -> list[Any] | None:
    return value if isinstance(value, list) else None


def _of_emqx(value: Any) -> list[Any] | None:
    """Build the frame from the object of EMQX's gateway."""
    if not isinstance(value, dict):
        return None
    head = [value.get("MessageTypeId"), value.get("UniqueId")]
    match head[0]:
        case 2:
            return [*head, value.get("Action"), value.get("Payload", {})]
        case 3:
            return [*head, value.get("Payload", {})]
        case 4:
            return [*head, value.get("ErrorCode"), value.get("ErrorDescription", ""), value.get("ErrorDetails", {})]
    return None


def _of_maeve(value: Any) -> list[Any] | None:
    """Build the frame from the object of MaEVe's gateway."""
    if not isinstance(value, dict):
        return None
    head = [value.get("type"), value.get("id")]
    match head[0]:
        case 2:
            return [*head, value.get("action"), value.get("request", {})]
        case 3:
            return [*head, value.get("response", {})]
        case 4:
            return [*head, value.get("error_code"), value.get("error_description", ""), {}]
    return None


class _Dialect(NamedTuple):
    topic: re.Pattern[str]
    """With the groups `station` and `way`, and `version` where the topic names it."""
    build: Build


# MaEVe, EMQX's gateway, and the plain array of the AWS sample and others; the most particular first.
_DIALECTS: Final = (
    _Dialect(
        re.compile(r"(?:[^/]+/)*cs/(?P<way>in|out)/(?P<version>ocpp[\d.]+)/(?P<station>[^/]+)"),
        _of_maeve,
    ),
    _Dialect(re.compile(r"ocpp/(?P<way>cp|cs)/(?P<station>[^/]+)(?:/Reply)?"), _of_emqx),
    _Dialect(re.compile(r"(?:[^/]+/)*(?P<station>[^/]+)/(?P<way>in|out)"), _array),
)
_WAYS: Final[Mapping[str, Direction]] = {
    "in": Direction.TO_CSMS, "cp": Direction.TO_CSMS,
    "out": Direction.TO_STATION, "cs": Direction.TO_STATION,
}  # fmt: skip


class Forwarded:
    """Knows the messages that a broker hands on: on its own machine each is in the capture more than once."""

    def __init__(self) -> None:
        """Start without a message."""
        self._seen: OrderedDict[tuple[str, bytes], tuple[str, Side]] = OrderedDict()

    def is_copy(self, message: _Message, connection: str, sender: Side) -> bool:
        """Return whether another connection, or the other side of this one, carried the message before.

        So is what the same side delivers again to be sure.
        """
        key, way = (message.topic, message.payload), (connection, sender)
        first = self._seen.get(key)
        if first is None:
            self._seen[key] = way
            if len(self._seen) > _REMEMBERED:
                self._seen.popitem(last=False)
            return False
        return first != way or message.again


def begins_mqtt(data: bytes | bytearray) -> bool:
    """Return whether bytes begin with the CONNECT of a client, or with a PUBLISH on a topic of a known dialect."""
    if _CONNECT_NAME.match(data) is not None:
        return True
    packet = _cut_packet(data)
    if packet is None or packet.kind != _PUBLISH:
        return False
    message = _published(packet, None)
    return message is not None and any(dialect.topic.fullmatch(message.topic) for dialect in _DIALECTS)


class _Packet(NamedTuple):
    kind: int
    flags: int
    body: bytes
    size: int


class _Message(NamedTuple):
    topic: str
    payload: bytes
    again: bool
    """The sender says that it may have been delivered before."""


def _cut_packet(data: bytes | bytearray) -> _Packet | None:
    """Cut the first packet off; None where it is not whole, and one of size 0 where there can be none."""
    length, shift, place = 0, 0, 1
    while place < len(data) and place <= _MOST_HEAD:
        byte = data[place]
        length |= (byte & 0x7F) << shift
        shift += 7
        place += 1
        if not byte & 0x80:
            break
    else:
        return _NO_PACKET if place >= _MOST_HEAD else None
    if length > _MOST_PACKET or data[0] >> 4 == 0:
        return _NO_PACKET
    if len(data) < place + length:
        return None
    return _Packet(data[0] >> 4, data[0] & 0xF, bytes(data[place : place + length]), place + length)


_NO_PACKET: Final = _Packet(0, 0, b"", 0)


def _published(packet: _Packet, level: int | None) -> _Message | None:
    """Read topic and payload; where the version of MQTT is not known, the payload must look like JSON."""
    body, quality = packet.body, packet.flags >> 1 & 3
    size = int.from_bytes(body[:2], "big")
    if len(body) < 2 + size or quality == _SECOND_QOS:
        return None
    try:
        topic = body[2 : 2 + size].decode()
    except UnicodeDecodeError:
        return None
    rest = body[2 + size + (2 if quality else 0) :]
    again = bool(packet.flags & 8)
    if level is None:
        level = 4 if rest[:1] in (b"[", b"{") else _LEVEL_5
    if level < _LEVEL_5:
        return _Message(topic, rest, again)
    properties = _cut_packet(b"\x10" + rest)
    return None if properties is None or properties.size == 0 else _Message(topic, rest[properties.size - 1 :], again)


class MqttTalk:
    """Reads both sides of a connection to a broker."""

    foreign = False

    def __init__(self, connection: str, forwarded: Forwarded) -> None:
        """Begin before the first packet, or in the middle."""
        self._connection = connection
        self._forwarded = forwarded
        self._level: int | None = None
        self._buffers = {side: bytearray() for side in (Side.STATION, Side.CSMS)}
        self._lost = dict.fromkeys(self._buffers, False)

    def feed(self, sender: Side, data: bytes, when: Moment) -> Iterator[Record | Unread]:
        """Take bytes of a side: the one that opened the connection, or the broker."""
        buffer = self._buffers[sender]
        buffer += data
        if self._lost[sender]:
            if not begins_mqtt(buffer):
                buffer.clear()
                return
            self._lost[sender] = False
        while (packet := _cut_packet(buffer)) is not None:
            if packet.size == 0:
                yield Unread(when.line, "", "what follows on this connection is no MQTT packet")
                buffer.clear()
                self._lost[sender] = True
                return
            if packet.kind == _CONNECT and (told := _CONNECT_NAME.match(buffer)) is not None:
                self._level = told[1][0]
            del buffer[: packet.size]
            if packet.kind == _PUBLISH:
                yield from self._publish(sender, packet, when)

    def gap(self, sender: Side, missing: int, when: Moment) -> Iterator[Record | Unread]:
        """Take that bytes of a side are not in the capture."""
        self._buffers[sender].clear()
        self._lost[sender] = True
        yield Unread(when.line, "", f"{missing} bytes of an MQTT connection are not in the capture")

    def end(self, sender: Side, when: Moment) -> Iterator[Record | Unread]:
        """Take the end of the connection, which says nothing about any station."""
        del sender, when
        return iter(())

    def _publish(self, sender: Side, packet: _Packet, when: Moment) -> Iterator[Record | Unread]:
        message = _published(packet, self._level)
        if message is None:
            yield Unread(when.line, "", "a PUBLISH packet that is not as MQTT wants it")
            return
        if self._forwarded.is_copy(message, self._connection, sender):
            return
        text = message.payload.decode("utf-8", "replace")
        for dialect in _DIALECTS:
            match = dialect.topic.fullmatch(message.topic)
            if match is None:
                continue
            value = dialect.build(decode(text))
            if value is not None:
                yield _record(match, value, text if dialect.build is _array else encode_json(value), when)
            else:
                yield Unread(when.line, text, f"the message on {message.topic} is not as its dialect wants it")
            return
        if _array(decode(text)) is not None:
            yield Unread(when.line, text, f"an array on the topic {message.topic}, which no known dialect has")


def _record(match: re.Match[str], value: list[Any], text: str, when: Moment) -> Record:
    groups = match.groupdict()
    return Record(
        line=when.line,
        at=when.at,
        station=match["station"],
        direction=_WAYS[match["way"]],
        text=text,
        value=value,
        version=_version(groups.get("version")),
    )


def _version(name: str | None) -> Version | None:
    rules = rules_for_subprotocol(name)
    return None if rules is None else rules.version
