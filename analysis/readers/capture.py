"""Captures of the network: pcap and pcapng with plain WebSocket or MQTT traffic, out of tcpdump or Wireshark.

A capture is handed on as numbered lines like any other log: a packet a line, with its number as Wireshark counts.
"""

from __future__ import annotations

import lzma
import struct
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final
from weakref import WeakKeyDictionary

import dpkt

from analysis.model import Record, Side, Traits, Unread
from analysis.readers.contract import Lines
from analysis.readers.mqtt_bytes import Forwarded, MqttTalk, begins_mqtt
from analysis.readers.tcp import Connection, Gap, Piece, Place, Segment, Streams
from analysis.readers.websocket_bytes import Moment, WebSocketTalk, client_speaks, looks_like_handshake

__all__ = ["CAPTURE_MAGIC", "CaptureReader", "packet_lines"]

_PCAPNG: Final = b"\x0a\x0d\x0d\x0a"
CAPTURE_MAGIC: Final = (_PCAPNG, *(struct.pack(order + "I", number) for order in "<>" for number in (
    0xA1B2C3D4, 0xA1B23C4D
)))  # fmt: skip
"""How a capture begins: pcapng, and pcap of either byte order with microseconds or nanoseconds."""
_MARK: Final = "(packet)"
_TLS: Final = (b"\x16\x03", b"\x14\x03", b"\x15\x03", b"\x17\x03")
_MOST_LOOKS: Final = 16
"""Pieces of a connection that are looked at before it counts as something else."""
_BROKEN: Final = (dpkt.Error, struct.error, ValueError, IndexError, TypeError, OverflowError)
_NO_END: Final = (*_BROKEN, EOFError, zlib.error, lzma.LZMAError)


def packet_lines(file: Any) -> Iterator[tuple[int, str]]:
    """Yield the packets of a capture as lines; the file needs `peek`, and its end may be missing."""
    number = 0
    try:
        reader = (dpkt.pcapng if file.peek(4)[:4] == _PCAPNG else dpkt.pcap).Reader(file)
        kind = reader.datalink()
        for at, data in reader:
            number += 1
            yield number, f"{_MARK} {kind} {float(at)!r} {data.decode('latin-1')}"
    except _NO_END as error:
        # What was readable was handed on; the end of a capture is often missing.
        yield number + 1, f"{_MARK} - the capture breaks off here: {error}"


def _loopback(data: bytes) -> Any:
    return dpkt.loopback.Loopback(data).data


def _raw(data: bytes) -> Any:
    return dpkt.ip6.IP6(data) if data[:1] and data[0] >> 4 == 6 else dpkt.ip.IP(data)  # noqa: PLR2004 - IPv6


_LINKS: Final[Mapping[int, Callable[[bytes], Any]]] = {
    0: _loopback,
    1: lambda data: dpkt.ethernet.Ethernet(data).data,
    12: _raw,
    14: _raw,
    101: _raw,
    108: _loopback,
    113: lambda data: dpkt.sll.SLL(data).data,
    228: _raw,
    229: _raw,
    276: lambda data: dpkt.sll2.SLL2(data).data,
}
"""By the number of the link layer (https://www.tcpdump.org/linktypes.html): what is inside its frame."""


def _segment(packet: Any) -> Segment | None:
    """Read the TCP segment of an IP packet; None for anything else."""
    if not isinstance(packet, dpkt.ip.IP | dpkt.ip6.IP6) or not isinstance(packet.data, dpkt.tcp.TCP):
        return None
    tcp = packet.data
    flags = tcp.flags
    return Segment(
        source=(dpkt.utils.inet_to_str(packet.src), tcp.sport),
        target=(dpkt.utils.inet_to_str(packet.dst), tcp.dport),
        seq=tcp.seq,
        ack=tcp.ack if flags & dpkt.tcp.TH_ACK else None,
        data=bytes(tcp.data),
        syn=bool(flags & dpkt.tcp.TH_SYN),
        fin=bool(flags & dpkt.tcp.TH_FIN),
        rst=bool(flags & dpkt.tcp.TH_RST),
    )


class _Listener:
    """What is said on one connection; which protocol it is shows in its first bytes."""

    def __init__(self, connection: Connection, forwarded: Forwarded) -> None:
        # Not the connection itself: whoever listens ends with it.
        self._name = connection.name
        self._other = {connection.initiator: connection.peer, connection.peer: connection.initiator}
        self._forwarded = forwarded
        self._client = connection.initiator
        self._talk: WebSocketTalk | MqttTalk | None = None
        self._looks = 0
        self._heads = {side: bytearray() for side in self._other}

    def take(self, piece: Piece, when: Moment) -> Iterator[Record | Unread]:
        content = piece.content
        if self._talk is None:
            if isinstance(content, bytes):
                yield from self._find_out(piece.sender, content, when)
            else:
                self._heads[piece.sender].clear()
            return
        if self._talk.foreign:
            return
        side = Side.STATION if piece.sender == self._client else Side.CSMS
        if isinstance(content, bytes):
            yield from self._talk.feed(side, content, when)
        elif isinstance(content, Gap):
            yield from self._talk.gap(side, content.missing, when)
        else:
            yield from self._talk.end(side, when)

    def _find_out(self, sender: Place, data: bytes, when: Moment) -> Iterator[Record | Unread]:
        if self._looks > _MOST_LOOKS:
            return
        head = self._heads[sender]
        head += data
        other, name = self._other[sender], self._name
        if looks_like_handshake(head):
            self._client = sender if head.startswith(b"GET") else other
            self._talk = WebSocketTalk(_address(self._client), name, handshake=True)
        elif (client := client_speaks(head)) is not None:
            self._client = sender if client else other
            self._talk = WebSocketTalk(_address(self._client), name, handshake=False)
        elif begins_mqtt(head):
            self._talk = MqttTalk(name, self._forwarded)
        elif head.startswith(_TLS):
            self._looks = _MOST_LOOKS + 1
            yield Unread(when.line, "", f"TLS between {name} and its server: capture where it is decrypted")
            return
        else:
            self._looks += 1
            if not head.startswith((b"GET ", b"HTTP/1")):
                head.clear()
            return
        side = Side.STATION if sender == self._client else Side.CSMS
        yield from self._talk.feed(side, bytes(head), when)
        head.clear()


_Listeners = WeakKeyDictionary[Connection, _Listener]


def _address(place: Place) -> str:
    return f"{place[0]}:{place[1]}"


class CaptureReader:
    """Reads a capture; TLS and compressed messages are counted, and cannot be read."""

    name = "capture"
    title = "pcap or pcapng with plain WebSocket or MQTT traffic"
    traits = Traits(connections=True)

    def likeness(self, head: Sequence[str]) -> int:
        """Count the packets."""
        return sum(9 for line in head if line.startswith(_MARK))

    def read(self, lines: Lines, station: str) -> Iterator[Record | Unread]:
        """Read the packets of one capture."""
        del station
        streams, forwarded = Streams(), Forwarded()
        listeners: _Listeners = WeakKeyDictionary()
        when = Moment(0.0, 0)
        unknown = 0
        for number, line in lines:
            told = _told(line)
            if isinstance(told, str):
                yield Unread(number, "", told)
                continue
            kind, at, data = told
            when = Moment(at, number)
            layer = _LINKS.get(kind)
            if layer is None:
                unknown += 1
                if unknown == 1:
                    yield Unread(number, "", f"packets of the link layer {kind}, which is not known")
                continue
            try:
                segment = _segment(layer(data))
            except _BROKEN:
                yield Unread(number, "", "a packet that is cut off or broken")
                continue
            if segment is None:
                continue
            for piece in streams.take(segment):
                yield from _heard(listeners, piece, forwarded, when)
        for piece in streams.finish():
            yield from _heard(listeners, piece, forwarded, when)


def _heard(listeners: _Listeners, piece: Piece, forwarded: Forwarded, when: Moment) -> Iterator[Record | Unread]:
    listener = listeners.get(piece.connection)
    if listener is None:
        listener = listeners[piece.connection] = _Listener(piece.connection, forwarded)
    return listener.take(piece, when)


def _told(line: str) -> tuple[int, float, bytes] | str:
    """Take a line apart; a text says why it holds no packet."""
    mark, _, rest = line.partition(" ")
    kind, _, rest = rest.partition(" ")
    if mark != _MARK or not kind.isdecimal():
        return rest if mark == _MARK else "not a packet of a capture"
    stamp, _, data = rest.partition(" ")
    try:
        return int(kind), float(stamp), data.encode("latin-1")
    except ValueError:
        return "not a packet of a capture"
