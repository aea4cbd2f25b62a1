"""The bytes of TCP connections in their order, each once, out of packets that came late, twice or never."""

from __future__ import annotations

from collections import OrderedDict
from typing import Final, NamedTuple

__all__ = ["Connection", "End", "Gap", "Half", "Piece", "Segment", "Streams"]

_TURN: Final = 1 << 32
_HALF_TURN: Final = 1 << 31
_MOST_HELD: Final = 1 << 20
"""Bytes behind a hole that are kept in the hope that it is filled."""
_MOST_CONNECTIONS: Final = 20_000

Place = tuple[str, int]
"""Address and port."""


class Segment(NamedTuple):
    """One packet of a connection."""

    source: Place
    target: Place
    seq: int
    ack: int | None
    data: bytes
    syn: bool = False
    fin: bool = False
    rst: bool = False


class Gap(NamedTuple):
    """So many bytes are not in the capture."""

    missing: int


class End(NamedTuple):
    """The side that sends ends the connection."""


class Piece(NamedTuple):
    """What a side of a connection sent."""

    connection: Connection
    sender: Place
    content: bytes | Gap | End


class Half:
    """What one side sends."""

    __slots__ = ("_held", "_next", "_waiting")

    def __init__(self) -> None:
        """Begin without knowing where the numbers are."""
        self._next: int | None = None
        self._waiting: dict[int, bytes] = {}
        self._held = 0

    def take(self, seq: int, data: bytes, *, syn: bool) -> list[bytes | Gap]:
        """Take a segment and return what can be handed on."""
        if syn:
            self._next = (seq + 1) % _TURN
        elif self._next is None:
            self._next = seq
        if not data or self._next is None:
            return []
        if _apart(seq, self._next) > 0:
            if seq not in self._waiting or len(self._waiting[seq]) < len(data):
                self._held += len(data) - len(self._waiting.get(seq, b""))
                self._waiting[seq] = data
            return self._skip() if self._held > _MOST_HELD else []
        return [*self._advance(seq, data), *self._drain()]

    def acknowledged(self, ack: int) -> list[bytes | Gap]:
        """Take what the other side has got: a hole before it will not be filled any more."""
        found: list[bytes | Gap] = []
        while self._next is not None and (missing := _apart(ack, self._next)) > 0:
            if self._waiting and _apart(self._first(), ack) < 0:
                found += self._skip()
            else:
                self._next = ack
                found.append(Gap(missing))
        return found

    def ended(self) -> None:
        """Take that the side said its last word, which counts as a byte."""
        if self._next is not None:
            self._next = (self._next + 1) % _TURN

    def rest(self) -> list[bytes | Gap]:
        """Hand on what waits behind holes, at the end."""
        found: list[bytes | Gap] = []
        while self._waiting:
            found += self._skip()
        return found

    def _advance(self, seq: int, data: bytes) -> list[bytes | Gap]:
        assert self._next is not None
        fresh = data[_apart(self._next, seq) :]
        self._next = (self._next + len(fresh)) % _TURN
        return [fresh] if fresh else []

    def _drain(self) -> list[bytes | Gap]:
        found: list[bytes | Gap] = []
        while self._waiting:
            assert self._next is not None
            first = self._first()
            if _apart(first, self._next) > 0:
                break
            data = self._waiting.pop(first)
            self._held -= len(data)
            found += self._advance(first, data)
        return found

    def _first(self) -> int:
        start = self._next or 0
        return min(self._waiting, key=lambda seq: _apart(seq, start))

    def _skip(self) -> list[bytes | Gap]:
        assert self._next is not None
        first = self._first()
        missing = _apart(first, self._next)
        self._next = first
        return [Gap(missing), *self._drain()]


def _apart(later: int, earlier: int) -> int:
    """Return the signed distance of two sequence numbers, which turn over."""
    return (later - earlier + _HALF_TURN) % _TURN - _HALF_TURN


class Connection:
    """Two sides; the one that was seen first began it, as far as the capture tells."""

    __slots__ = ("__weakref__", "ended", "halves", "initiator", "name", "peer")

    def __init__(self, initiator: Place, peer: Place, number: int) -> None:
        """Begin; `number` tells it from others between the same ports."""
        self.initiator = initiator
        self.peer = peer
        self.name = f"{initiator[0]}:{initiator[1]}#{number}"
        self.halves = {initiator: Half(), peer: Half()}
        self.ended: set[Place] = set()

    def other(self, side: Place) -> Place:
        """Return the other side."""
        return self.peer if side == self.initiator else self.initiator


class Streams:
    """All connections of a capture."""

    def __init__(self) -> None:
        """Start without any."""
        self._open: OrderedDict[frozenset[Place], Connection] = OrderedDict()
        self._count = 0

    def take(self, segment: Segment) -> list[Piece]:
        """Take a packet and return what it completes."""
        key = frozenset((segment.source, segment.target))
        if len(key) == 1:
            return []
        found: list[Piece] = []
        connection = self._open.get(key)
        if segment.syn and segment.ack is None and connection is not None:
            found += self._flushed(connection)
            del self._open[key]
            connection = None
        if connection is None:
            if segment.rst or segment.fin:
                return found
            connection = self._meet(key, segment)
        source = segment.source
        if segment.ack is not None:
            other = connection.other(source)
            found += _pieces(connection, other, connection.halves[other].acknowledged(segment.ack))
        found += _pieces(connection, source, connection.halves[source].take(segment.seq, segment.data, syn=segment.syn))
        if (segment.fin or segment.rst) and source not in connection.ended:
            connection.ended.add(source)
            found += _pieces(connection, source, connection.halves[source].rest())
            connection.halves[source].ended()
            found.append(Piece(connection, source, End()))
            if segment.rst or len(connection.ended) == len(key):
                found += self._flushed(connection)
                del self._open[key]
        return found

    def finish(self) -> list[Piece]:
        """Hand on what still waits, at the end of the capture."""
        return [piece for connection in self._open.values() for piece in self._flushed(connection)]

    def _meet(self, key: frozenset[Place], segment: Segment) -> Connection:
        self._count += 1
        began = segment.source if not segment.syn or segment.ack is None else segment.target
        peer = segment.target if began == segment.source else segment.source
        connection = self._open[key] = Connection(began, peer, self._count)
        if len(self._open) > _MOST_CONNECTIONS:
            self._open.popitem(last=False)
        return connection

    def _flushed(self, connection: Connection) -> list[Piece]:
        return [piece for side, half in connection.halves.items() for piece in _pieces(connection, side, half.rest())]


def _pieces(connection: Connection, side: Place, contents: list[bytes | Gap]) -> list[Piece]:
    return [Piece(connection, side, content) for content in contents]
