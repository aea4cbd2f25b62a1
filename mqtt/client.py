"""One client's side of an MQTT session, without a socket and without a clock.

A runtime does three things, in this order, whenever something happened:

1. hand it over: `receive` the bytes that came, or ask for something with `connect`, `subscribe`, `publish`, …;
2. write what `data_to_send` returns;
3. act on the packets that `receive` returned: CONNACK, SUBACK, messages, and what has become of ours.

The client acknowledges messages by itself, and takes part in the handshakes of QoS 1 and 2 (MQTT 5 §4.3). It outlives a
connection: after `connection_lost` and a new `connect`, what the broker did not acknowledge goes out again with the DUP
flag, if the broker still has the session; if not, it comes back as `Undelivered`.
"""

from __future__ import annotations

from collections import deque
from typing import Any, Final

import msgspec

from mqtt.errors import MqttError
from mqtt.packets import (
    Ack,
    ConnAck,
    Connect,
    Disconnect,
    Kind,
    Level,
    Packet,
    Ping,
    Publish,
    Subscribe,
    Unsubscribe,
    decode,
    encode,
    frame,
    read_publish,
)
from mqtt.properties import NO_PROPERTIES, Property
from mqtt.reasons import REFUSED

__all__ = ["MOST_PACKET", "Client", "Delivered", "Event", "Undelivered"]

MOST_PACKET: Final = 1 << 20
"""Bytes of the largest packet that is read, unless another limit was given."""
_MOST_IDS: Final = 65_535
_PUBLISH: Final = 0x30
_FIRST: Final = (Kind.CONNACK, Kind.AUTH, Kind.DISCONNECT)
"""What a broker may say before it has let us in (MQTT 5 §3.2, §3.15)."""
_DUPLICATE: Final = 0x08
_LONG: Final = 0x80


class Delivered(msgspec.Struct, frozen=True):
    """The broker has a message of ours, as its QoS wants it; `code` from 0x80 on is a refusal (MQTT 5 §3.4.2.1)."""

    packet_id: int
    code: int = 0


class Undelivered(msgspec.Struct, frozen=True):
    """A message of ours that nobody acknowledged, in a session that the broker does not know any more."""

    packet_id: int


Event = Packet | Delivered | Undelivered


class Client:
    """The state of one session; make another one for another session."""

    __slots__ = (
        "_heard",
        "_inbox",
        "_is_let_in",
        "_next_id",
        "_out",
        "_sent",
        "_waiting",
        "_wanted",
        "_window",
        "level",
        "most_packet",
    )

    def __init__(self, level: Level, *, most_packet: int = MOST_PACKET) -> None:
        """Start disconnected."""
        self.level = level
        self.most_packet = most_packet
        self._out: list[bytes] = []
        self._inbox: bytearray | None = None
        self._wanted = 0
        self._is_let_in = False
        self._next_id = 0
        # Most connections never use QoS 1 or 2, and thousands of empty dictionaries are megabytes.
        self._sent: dict[int, tuple[Kind, bytes]] | None = None
        """Our messages that are not acknowledged: what is awaited next, and what goes out after a reconnect."""
        self._heard: set[int] | None = None
        """Messages of QoS 2 that were handed on and not released yet."""
        self._waiting: deque[int] | None = None
        """Those of them that are not sent yet, because the broker takes only so many at once."""
        self._window = _MOST_IDS

    # -- saying ------------------------------------------------------------------------------------------------------

    def data_to_send(self) -> bytes:
        """Take the bytes that must be written now."""
        out = self._out
        if not out:
            return b""
        self._out = []
        return out[0] if len(out) == 1 else b"".join(out)

    @property
    def unsent(self) -> int:
        """How many packets wait for `data_to_send`."""
        return len(self._out)

    @property
    def unacknowledged(self) -> int:
        """How many of our messages the broker has not acknowledged, those included that wait to be sent."""
        return len(self._sent or ())

    def connect(self, packet: Connect) -> None:
        """Begin a connection; CONNACK follows."""
        self._inbox = None
        self._is_let_in = False
        self._out = [encode(packet, self.level)]

    def subscribe(self, *filters: tuple[str, int], options: dict[Property, Any] | None = None) -> int:
        """Ask for topics, each with its highest QoS; returns the identifier that the SUBACK will have."""
        number = self._new_id()
        packet = Subscribe(packet_id=number, filters=filters, properties=options or {})
        self._out.append(encode(packet, self.level))
        return number

    def unsubscribe(self, *filters: str) -> int:
        """Ask for topics no more; returns the identifier that the UNSUBACK will have."""
        number = self._new_id()
        self._out.append(encode(Unsubscribe(packet_id=number, filters=filters), self.level))
        return number

    def publish(
        self, topic: bytes, payload: bytes, qos: int = 0, *, retain: bool = False, properties: bytes = NO_PROPERTIES
    ) -> int:
        """Send a message; returns its identifier, 0 with QoS 0.

        `topic` is written by `write_text`, `properties` by `encode_properties`: both are the same for many messages.
        """
        tail = properties if self.level is Level.V5 else b""
        first = _PUBLISH | qos << 1 | retain
        if not qos:
            self._out.append(frame(first, topic + tail + payload))
            return 0
        number = self._new_id()
        data = frame(first, topic + number.to_bytes(2) + tail + payload)
        awaited = Kind.PUBACK if qos == 1 else Kind.PUBREC
        if self._sent is None:
            self._sent = {}
        if len(self._sent) - len(self._waiting or ()) >= self._window:
            if self._waiting is None:
                self._waiting = deque()
            self._waiting.append(number)
        else:
            self._out.append(data)
        self._sent[number] = (awaited, data)
        return number

    def ping(self) -> None:
        """Ask for a sign of life; PINGRESP follows."""
        self._out.append(encode(Ping(), self.level))

    def disconnect(self, code: int = 0, properties: dict[Property, Any] | None = None) -> None:
        """Say that the connection ends on purpose; 0x04 has the will published nevertheless (MQTT 5 §3.14.2.1)."""
        self._out.append(encode(Disconnect(code=code, properties=properties or {}), self.level))

    def connection_lost(self) -> None:
        """Take note that the connection is gone; what was not acknowledged is kept for the next one."""
        self._out = []
        self._inbox = None

    # -- hearing -----------------------------------------------------------------------------------------------------

    def receive(self, data: bytes) -> list[Event]:
        """Read what came; raises `MqttError` where it is no MQTT, and the connection must end."""
        if not self._is_let_in and self._inbox is None and data and data[0] >> 4 not in _FIRST:
            raise MqttError(f"expected a CONNACK, but the first byte is {data[0]:#04x}")
        inbox = self._inbox
        if inbox is not None:
            inbox += data
            if len(inbox) < self._wanted:
                return []
            data, self._inbox = bytes(inbox), None
        events: list[Event] = []
        position, size = 0, len(data)
        while position < size:
            start = position + 2
            length = data[position + 1] if size >= start else 0
            if length >= _LONG:
                start, length = self._long_length(data, position)
            end = start + length
            if end > size:
                if end - position > self.most_packet:
                    raise MqttError(f"a packet of {end - position} bytes is longer than {self.most_packet}")
                self._inbox, self._wanted = bytearray(data[position:]), end - position
                break
            first = data[position]
            if first >> 4 == Kind.PUBLISH:
                message = read_publish(first & 0x0F, data[start:end], self.level)
                if not message.qos or self._is_new(message):
                    events.append(message)
            else:
                self._take(decode(first, data[start:end], self.level), events)
            position = end
        return events

    @staticmethod
    def _long_length(data: bytes, position: int) -> tuple[int, int]:
        """Return where a body starts, and its length; a header that is not whole counts as ending behind the data."""
        length = 0
        for index, shift in ((1, 0), (2, 7), (3, 14), (4, 21)):
            if position + index >= len(data):
                return position + index + 1, 0
            byte = data[position + index]
            length |= (byte & 0x7F) << shift
            if byte < _LONG:
                return position + index + 1, length
        raise MqttError("the length of a packet takes more than four bytes")

    def _take(self, packet: Packet, events: list[Event]) -> None:
        if type(packet) is Ack:
            self._take_ack(packet, events)
        elif type(packet) is Ping and not packet.answer:
            raise MqttError("the broker sent a PINGREQ")
        else:
            events.append(packet)
            if type(packet) is ConnAck and not packet.code:
                self._is_let_in = True
                self._take_session(packet, events)

    def _is_new(self, packet: Publish) -> bool:
        """Acknowledge a message; one of QoS 2 is new once only (§4.3.3), one of QoS 1 always."""
        number = packet.packet_id
        if packet.qos == 1:
            self._acknowledge(Kind.PUBACK, number)
            return True
        if self._heard is None:
            self._heard = set()
        is_new = number not in self._heard
        self._heard.add(number)
        self._acknowledge(Kind.PUBREC, number)
        return is_new

    def _acknowledge(self, kind: Kind, number: int) -> None:
        flags = 2 if kind is Kind.PUBREL else 0
        self._out.append(bytes((kind << 4 | flags, 2)) + number.to_bytes(2))

    def _take_ack(self, packet: Ack, events: list[Event]) -> None:
        number, kind, sent = packet.packet_id, packet.kind, self._sent
        if kind is Kind.PUBREL:
            if self._heard is not None:
                self._heard.discard(number)
            self._acknowledge(Kind.PUBCOMP, number)
            return
        if sent is None or number not in sent or sent[number][0] is not kind:
            # An answer to something that was settled on an earlier connection.
            if kind is Kind.PUBREC:
                self._acknowledge(Kind.PUBREL, number)
            return
        if kind is Kind.PUBREC and packet.code < REFUSED:
            release = bytes((Kind.PUBREL << 4 | 2, 2)) + number.to_bytes(2)
            sent[number] = (Kind.PUBCOMP, release)
            self._out.append(release)
            return
        del sent[number]
        if self._waiting:
            self._out.append(sent[self._waiting.popleft()][1])
        events.append(Delivered(number, packet.code))

    def _take_session(self, packet: ConnAck, events: list[Event]) -> None:
        """Go on with the session where the broker still has it, and begin a new one where not (§4.4)."""
        self._window = packet.properties.get(Property.RECEIVE_MAXIMUM, _MOST_IDS)
        sent, waiting = self._sent or {}, set(self._waiting or ())
        if not packet.session_present:
            self._heard = self._sent = self._waiting = None
            events += [Undelivered(number) for number in sent]
            return
        for number, (awaited, data) in sent.items():
            if number not in waiting:
                is_release = awaited is Kind.PUBCOMP
                self._out.append(data if is_release else bytes((data[0] | _DUPLICATE,)) + data[1:])

    def _new_id(self) -> int:
        """Choose an identifier that is not in use (§2.2.1)."""
        sent = self._sent or {}
        for _ in range(_MOST_IDS):
            self._next_id = self._next_id % _MOST_IDS + 1
            if self._next_id not in sent:
                return self._next_id
        raise ValueError("all 65,535 identifiers of packets are in use")
