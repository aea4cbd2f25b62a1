"""One WebSocket connection out of its bytes: the handshake, and the messages of both sides."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final, NamedTuple
from urllib.parse import unquote

from analysis.model import Direction, Event, Record, Side, Unread
from analysis.readers.frames import decode
from ocppj.versions import rules_for_subprotocol

__all__ = ["Moment", "WebSocketTalk", "client_speaks", "looks_like_handshake"]

_MOST_HEAD: Final = 65_536
_MOST_MESSAGE: Final = 16_000_000
_SWITCHING: Final = 101
_CONTINUED, _TEXT, _BINARY, _CLOSE = 0x0, 0x1, 0x2, 0x8
_KNOWN: Final = frozenset({_CONTINUED, _TEXT, _BINARY, _CLOSE, 0x9, 0xA})
_FINAL, _COMPRESSED, _RESERVED, _MASKED = 0x80, 0x40, 0x30, 0x80
_SHORT, _MEDIUM, _LONG = 125, 126, 127
_REQUEST: Final = re.compile(rb"GET (\S+) HTTP/1\.[01]\r\n")
_STATUS: Final = re.compile(rb"HTTP/1\.[01] (\d{3})")
_END: Final = b"\r\n\r\n"
_BEGINNINGS: Final = (b"[", b" ", b"\r", b"\n", b"\t")
"""What the text of a frame of OCPP-J may begin with."""


class Moment(NamedTuple):
    """When and where in the capture something was complete."""

    at: float
    line: int


class _Frame(NamedTuple):
    final: bool
    compressed: bool
    opcode: int
    masked: bool
    data: bytes
    size: int


def looks_like_handshake(data: bytes | bytearray) -> bool:
    """Return whether bytes begin as a request for a WebSocket, or as the answer to one."""
    return _REQUEST.match(data) is not None or _STATUS.match(data) is not None


def client_speaks(data: bytes | bytearray) -> bool | None:
    """Return whether bytes begin with a message of a client or of a server; None if with neither."""
    frame = _cut_frame(data)
    if frame is None or frame.size == 0 or frame.opcode not in (_TEXT, _BINARY) or not frame.data:
        return None
    return frame.masked if frame.compressed or frame.data[:1] in _BEGINNINGS else None


def _cut_frame(data: bytes | bytearray) -> _Frame | None:
    """Cut the first frame off; None where it is not whole, and a frame of size 0 where there can be none."""
    if len(data) < 2:  # noqa: PLR2004 - the head of a frame
        return None
    first, second = data[0], data[1]
    length, start = second & 0x7F, 2
    opcode = first & 0xF
    if first & _RESERVED or opcode not in _KNOWN or (opcode >= _CLOSE and length > _SHORT):
        return _NO_FRAME
    for kind, width in ((_MEDIUM, 2), (_LONG, 8)):
        if length == kind:
            if len(data) < 2 + width:
                return None
            length, start = int.from_bytes(data[2 : 2 + width], "big"), 2 + width
            break
    if length > _MOST_MESSAGE:
        return _NO_FRAME
    masked = bool(second & _MASKED)
    mask = bytes(data[start : start + 4]) if masked else b""
    start += 4 if masked else 0
    if len(data) < start + length:
        return None
    content = bytes(data[start : start + length])
    if masked:
        content = _unmasked(content, mask)
    return _Frame(bool(first & _FINAL), bool(first & _COMPRESSED), opcode, masked, content, start + length)


_NO_FRAME: Final = _Frame(final=False, compressed=False, opcode=0, masked=False, data=b"", size=0)


def _unmasked(content: bytes, mask: bytes) -> bytes:
    size = len(content)
    stretched = (mask * (size // 4 + 1))[:size]
    return (int.from_bytes(content, "big") ^ int.from_bytes(stretched, "big")).to_bytes(size, "big")


class _Way:
    """What one side has sent that is not read yet."""

    __slots__ = ("buffer", "compressed", "head", "lost", "message", "opcode")

    def __init__(self, *, head: bool) -> None:
        self.buffer = bytearray()
        self.head = head
        """The handshake is still to come."""
        self.lost = not head
        """Where frames begin is not known."""
        self.message = bytearray()
        self.opcode = _TEXT
        self.compressed = False


class WebSocketTalk:
    """Reads both sides of a connection; a capture that begins in its middle has no handshake."""

    def __init__(self, station: str, connection: str, *, handshake: bool) -> None:
        """Begin; `station` is the identity until a handshake names it."""
        self.station = station
        self._connection = connection
        self._ways = {side: _Way(head=handshake) for side in (Side.STATION, Side.CSMS)}
        self._over = False
        self._asked = False
        self._offered: list[str] = []
        """A request for a WebSocket was seen."""
        self.foreign = False
        """The connection turned out to be no WebSocket."""

    def feed(self, sender: Side, data: bytes, when: Moment) -> Iterator[Record | Unread]:
        """Take bytes of a side."""
        way = self._ways[sender]
        way.buffer += data
        if way.head:
            yield from self._shake_hands(sender, way, when)
        if not way.head and not self.foreign:
            yield from self._messages(sender, way, when)

    def gap(self, sender: Side, missing: int, when: Moment) -> Iterator[Record | Unread]:
        """Take that bytes of a side are not in the capture."""
        way = self._ways[sender]
        way.buffer.clear()
        way.message.clear()
        way.lost, way.head = True, False
        yield Unread(when.line, "", f"{missing} bytes of the {sender.words} are not in the capture ({self.station})")

    def end(self, sender: Side, when: Moment) -> Iterator[Record | Unread]:
        """Take the end of the TCP connection."""
        if any(way.head for way in self._ways.values()):
            return
        yield from self._closed(sender, None, "", when)

    def _closed(self, by: Side, code: int | None, reason: str, when: Moment) -> Iterator[Record]:
        if self._over:
            return
        self._over = True
        yield Record(
            event=Event.CLOSED,
            line=when.line,
            at=when.at,
            station=self.station,
            connection=self._connection,
            code=code,
            reason=reason,
            by=by,
        )

    # -- handshake -------------------------------------------------------------------------------------------------

    def _shake_hands(self, sender: Side, way: _Way, when: Moment) -> Iterator[Record | Unread]:
        stop = way.buffer.find(_END)
        if stop < 0:
            self.foreign = self.foreign or len(way.buffer) > _MOST_HEAD
            return
        head = bytes(way.buffer[:stop])
        if sender is Side.STATION:
            self._requested(head)
        else:
            yield from self._answered(head, when)
        del way.buffer[: stop + len(_END)]
        way.head, way.lost = False, False

    def _requested(self, head: bytes) -> None:
        request = _REQUEST.match(head)
        if request is None or _field(head, b"upgrade").lower() != "websocket":
            self.foreign = True
            return
        self._asked = True
        self._offered = [word.strip() for word in _field(head, b"sec-websocket-protocol").split(",")]
        path = request[1].decode("latin-1").partition("?")[0]
        name = unquote(path.rstrip("/").rpartition("/")[2])
        self.station = name or self.station

    def _answered(self, head: bytes, when: Moment) -> Iterator[Record]:
        status = _STATUS.match(head)
        code = 0 if status is None else int(status[1])
        opened = code == _SWITCHING
        if not opened and not self._asked:
            self.foreign = True
            return
        chosen = _field(head, b"sec-websocket-protocol")
        rules = rules_for_subprotocol(chosen or None)
        self._over = not opened
        yield Record(
            event=Event.OPENED if opened else Event.REFUSED,
            line=when.line,
            at=when.at,
            station=self.station,
            connection=self._connection,
            version=None if rules is None else rules.version,
            code=code,
            subprotocol=chosen,
            unoffered=chosen if self._asked and chosen not in self._offered else "",
        )

    # -- messages --------------------------------------------------------------------------------------------------

    def _messages(self, sender: Side, way: _Way, when: Moment) -> Iterator[Record | Unread]:
        if way.lost:
            client = client_speaks(way.buffer)
            if client is None or client is not (sender is Side.STATION):
                # A message may begin with the next packet.
                if _cut_frame(way.buffer) is _NO_FRAME or not _may_begin(way.buffer):
                    way.buffer.clear()
                return
            way.lost = False
        while (frame := _cut_frame(way.buffer)) is not None:
            if frame.size == 0:
                yield Unread(when.line, "", f"what the {sender.words} sends is no WebSocket frame ({self.station})")
                way.buffer.clear()
                way.lost = True
                return
            del way.buffer[: frame.size]
            yield from self._frame(sender, way, frame, when)

    def _frame(self, sender: Side, way: _Way, frame: _Frame, when: Moment) -> Iterator[Record | Unread]:
        if frame.opcode == _CLOSE:
            code = int.from_bytes(frame.data[:2], "big") if len(frame.data) >= 2 else None  # noqa: PLR2004 - a code
            yield from self._closed(sender, code, frame.data[2:].decode("utf-8", "replace"), when)
            return
        if frame.opcode > _CLOSE:
            return
        if frame.opcode != _CONTINUED:
            way.message.clear()
            way.opcode, way.compressed = frame.opcode, frame.compressed
        way.message += frame.data
        if len(way.message) > _MOST_MESSAGE:
            way.message.clear()
            yield Unread(when.line, "", f"a message of the {sender.words} is too long to be read ({self.station})")
        elif frame.final:
            message = bytes(way.message)
            way.message.clear()
            yield self._message(sender, message, when, compressed=way.compressed)

    def _message(self, sender: Side, message: bytes, when: Moment, *, compressed: bool) -> Record | Unread:
        if compressed:
            why = f"a compressed message of the {sender.words} (permessage-deflate), which is not read ({self.station})"
            return Unread(when.line, "", why)
        text = message.decode("utf-8", "replace")
        return Record(
            line=when.line,
            at=when.at,
            station=self.station,
            connection=self._connection,
            direction=Direction.TO_CSMS if sender is Side.STATION else Direction.TO_STATION,
            text=text,
            value=decode(text),
        )


def _may_begin(data: bytes | bytearray) -> bool:
    """Return whether the first bytes may be the head of a frame that goes on."""
    return not data or data[0] in (_FINAL | _TEXT, _FINAL | _BINARY, _TEXT, _BINARY)


def _field(head: bytes, name: bytes) -> str:
    for line in head.split(b"\r\n")[1:]:
        key, mark, value = line.partition(b":")
        if mark and key.strip().lower() == name:
            return value.strip().decode("latin-1")
    return ""
