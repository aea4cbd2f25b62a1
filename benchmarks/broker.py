"""A broker and the CSMS behind it in one, for the bench: it takes a CALL from a topic and publishes the answer at once.

It is as much of a broker as stations need: CONNECT, SUBSCRIBE, PUBLISH in all three qualities of service, PING. An
answer goes out on the connection that the CALL came on, which is that of the station or the one it shares.
"""

from __future__ import annotations

import asyncio
import re
from typing import Final, cast

from benchmarks.canned import EMPTY, Sink
from mqtt.dialect import Dialect
from mqtt.errors import MqttError
from mqtt.form import Form
from mqtt.lines import attached
from mqtt.packets import (
    Ack,
    ConnAck,
    Connect,
    Disconnect,
    Kind,
    Level,
    Packet,
    Ping,
    SubAck,
    Subscribe,
    UnsubAck,
    Unsubscribe,
    decode,
    encode,
    frame,
)
from mqtt.properties import decode_properties, write_text
from ocppj.versions import Version, rules_for_subprotocol

__all__ = ["BrokerSink", "Connection"]

_PUBLISH: Final = 0x30
_LONG: Final = 0x80
_PROTOCOL_LEVEL: Final = 6
"""Where CONNECT says which MQTT it is (MQTT 5 §3.1.2.2)."""
_MOST_IDS: Final = 65_535
_NEXT: Final = {Kind.PUBREL: Kind.PUBCOMP, Kind.PUBREC: Kind.PUBREL}
"""What follows in the handshakes of QoS 2 (MQTT 5 §4.3.3)."""


class _Line:
    """What the sink keeps of a station that has subscribed."""

    __slots__ = ("answers", "form", "identity", "properties", "tails")

    def __init__(
        self, identity: str, answers: bytes, properties: bytes, tails: dict[bytes, bytes], form: Form | None
    ) -> None:
        self.identity = identity
        self.answers = answers
        """The topic of answers, with its length."""
        self.properties = properties
        self.tails = tails
        self.form = form
        """None where a payload is the OCPP-J array."""


class BrokerSink:
    """What all connections share: the dialect, and the canned answers."""

    def __init__(self, sink: Sink, dialect: Dialect, *, qos: int | None = None) -> None:
        """Answer in this dialect, with its quality of service or another one."""
        self.sink = sink
        self.dialect = dialect
        self.qos = dialect.down.qos if qos is None else qos
        self._down: re.Pattern[str] = dialect.pattern(dialect.down.topic)

    def line_of(self, topic: str) -> tuple[tuple[bytes, ...], _Line] | None:
        """Find whose topic it is that somebody subscribes to, and on which topics that station speaks."""
        dialect = self.dialect
        found = self._down.fullmatch(topic)
        if found is None:
            return None
        identity, subprotocol = found["id"], found.groupdict().get("ocpp") or ""
        # Where no topic names the version, the answers are those that stations of 2.x take.
        rules = rules_for_subprotocol(subprotocol or "ocpp2.0.1")
        if rules is None:
            return None
        down, up = dialect.down, dialect.up
        line = _Line(
            identity,
            write_text(dialect.topic(down.answers or down.topic, identity, subprotocol)),
            attached(dialect, down, identity, subprotocol) if dialect.level is Level.V5 else b"",
            self.sink.tails_16 if rules.version is Version.V16 else self.sink.tails_2x,
            None if dialect.object is None else Form(dialect, rules),
        )
        topics = {dialect.topic(one, identity, subprotocol).encode() for one in (up.topic, up.answers or up.topic)}
        return tuple(topics), line


class Connection(asyncio.Protocol):
    """One client of the broker."""

    def __init__(self, broker: BrokerSink) -> None:
        """Wait for CONNECT."""
        self._broker = broker
        self._sink = broker.sink
        self._qos = broker.qos
        self._level = Level.V311
        self._lines: dict[bytes, _Line] = {}
        """The stations of this connection by the topics on which they speak."""
        self._pending = b""
        self._next_id = 0
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep it."""
        # That of uvloop is none of asyncio's own by its class.
        self._transport = cast("asyncio.Transport", transport)

    def connection_lost(self, exc: Exception | None) -> None:
        """Let its stations go."""
        del exc
        for line in set(self._lines.values()):
            self._sink.left(line.identity)
        self._lines.clear()

    def data_received(self, data: bytes) -> None:
        """Read every whole packet, and answer all of them in one write."""
        if self._pending:
            data = self._pending + data
        out: list[bytes] = []
        position, size = 0, len(data)
        while position + 1 < size:
            start, length = position + 2, data[position + 1]
            if length >= _LONG:
                long = _long_length(data, position)
                if long is None:
                    break
                start, length = long
            end = start + length
            if end > size:
                break
            first = data[position]
            if first >> 4 == Kind.PUBLISH:
                self._take_message(first, data, start, end, out)
            else:
                self._take_packet(first, data[start:end], out)
            position = end
        self._pending = data[position:]
        if out and self._transport is not None:
            self._transport.write(b"".join(out))

    # -- inside ------------------------------------------------------------------------------------------------------

    def _take_message(self, first: int, data: bytes, start: int, end: int, out: list[bytes]) -> None:
        """Answer a CALL."""
        body = start + 2 + (data[start] << 8 | data[start + 1])
        topic = data[start + 2 : body]
        qos = first >> 1 & 3
        if qos:
            kind = Kind.PUBACK if qos == 1 else Kind.PUBREC
            out.append(bytes((kind << 4, 2)) + data[body : body + 2])
            body += 2
        if self._level is Level.V5:
            # One byte of 0 says that there are none.
            body = body + 1 if not data[body] else decode_properties(data, body)[1]
        line = self._lines.get(topic)
        if line is None:
            self._sink.others += 1
            return
        payload: str | bytes = data[body:end]
        if line.form is not None:
            payload = line.form.read(data[body:end])
        text = payload.encode() if isinstance(payload, str) else payload
        if text[:2] != b"[2":
            self._sink.others += 1
            return
        _, message_id, _, action, _ = text.split(b'"', 4)
        self._sink.calls[action] += 1
        answer = b'[3,"' + message_id + line.tails.get(action, EMPTY)
        if line.form is not None:
            answer = line.form.write(answer.decode()).payload
        if not self._qos:
            out.append(frame(_PUBLISH, line.answers + line.properties + answer))
            return
        self._next_id = self._next_id % _MOST_IDS + 1
        head = line.answers + self._next_id.to_bytes(2) + line.properties
        out.append(frame(_PUBLISH | self._qos << 1, head + answer))

    def _take_packet(self, first: int, body: bytes, out: list[bytes]) -> None:
        """Do what a broker does with everything that is no message."""
        if first >> 4 == Kind.CONNECT and len(body) > _PROTOCOL_LEVEL:
            self._level = Level.V5 if body[_PROTOCOL_LEVEL] == Level.V5 else Level.V311
        try:
            packet = decode(first, body, self._level)
        except MqttError:
            self._end()
            return
        match packet:
            case Connect():
                answer: Packet = ConnAck(code=0)
            case Subscribe():
                codes = tuple(self._subscribed(topic, options & 3) for topic, options in packet.filters)
                answer = SubAck(packet_id=packet.packet_id, codes=codes)
            case Unsubscribe():
                for topic in packet.filters:
                    self._unsubscribed(topic)
                answer = UnsubAck(packet_id=packet.packet_id, codes=(0,) * len(packet.filters))
            case Ping():
                answer = Ping(answer=True)
            case Ack(kind=Kind.PUBREL | Kind.PUBREC):
                answer = Ack(kind=_NEXT[packet.kind], packet_id=packet.packet_id)
            case Disconnect():
                self._end()
                return
            case _:
                return
        out.append(encode(answer, self._level))

    def _subscribed(self, topic: str, qos: int) -> int:
        found = self._broker.line_of(topic)
        if found is None:
            return 0x80
        topics, line = found
        # A station may name several topics of its own, and is one station nevertheless.
        if not any(name in self._lines for name in topics):
            self._sink.arrived(line.identity)
        self._lines.update(dict.fromkeys(topics, line))
        return qos

    def _unsubscribed(self, topic: str) -> None:
        found = self._broker.line_of(topic)
        gone = {self._lines.pop(name) for name in found[0] if name in self._lines} if found else set()
        for line in gone:
            self._sink.left(line.identity)

    def _end(self) -> None:
        if self._transport is not None:
            self._transport.close()


def _long_length(data: bytes, position: int) -> tuple[int, int] | None:
    """Return where a body starts and its length; None where the header is not whole."""
    length = 0
    for index, shift in ((1, 0), (2, 7), (3, 14), (4, 21)):
        if position + index >= len(data):
            return None
        byte = data[position + index]
        length |= (byte & 0x7F) << shift
        if byte < _LONG:
            return position + index + 1, length
    return None
