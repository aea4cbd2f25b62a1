"""What a log says, whatever wrote it: records, the sides of a conversation, and what a kind of log can be trusted with.

A reader turns lines into `Record`s; everything behind it works on records alone.
"""

from __future__ import annotations

from enum import IntEnum, StrEnum
from typing import Any

import msgspec

from ocppj.versions import Version

__all__ = ["Direction", "Event", "Level", "Record", "Side", "Traits", "Unread"]


class Side(StrEnum):
    """Who broke a rule."""

    STATION = "charge-point"
    CSMS = "csms"
    NETWORK = "network"
    """What stands between the two: a proxy, a load balancer, a radio link."""

    @property
    def words(self) -> str:
        """Name the side in a sentence."""
        return _SIDE_WORDS[self]


_SIDE_WORDS = {Side.STATION: "charge point", Side.CSMS: "CSMS", Side.NETWORK: "network"}


class Level(StrEnum):
    """How binding the rule is."""

    REQUIRED = "required"
    """A SHALL or a MUST."""
    RECOMMENDED = "recommended"
    """A SHOULD."""
    BEHAVIOUR = "behaviour"
    """No clause forbids it, and it hurts in the field."""


class Direction(StrEnum):
    """Which way a frame went; spelled as in open-ocpp-trace."""

    TO_CSMS = "cp-to-csms"
    TO_STATION = "csms-to-cp"

    @property
    def sender(self) -> Side:
        """Return the side that sent the frame."""
        return Side.STATION if self is Direction.TO_CSMS else Side.CSMS

    @property
    def back(self) -> Direction:
        """Return the way of an answer."""
        return Direction.TO_STATION if self is Direction.TO_CSMS else Direction.TO_CSMS


class Event(IntEnum):
    """What a record is about."""

    FRAME = 0
    OPENED = 1
    """A WebSocket connection was established."""
    CLOSED = 2
    REFUSED = 3
    """A connection attempt failed."""


class Record(msgspec.Struct, kw_only=True, gc=False):
    """One thing that a log tells."""

    event: Event = Event.FRAME
    line: int
    """From 1, in the file that is being read."""
    at: float | None = None
    """Seconds since 1970, or since any moment where the log knows no date; None where it has no times."""
    station: str
    connection: str = ""
    """The log's own name of the connection; empty where it has none."""
    direction: Direction | None = None
    """None where the log does not say which way a frame went."""
    text: str = ""
    """The frame as the log shows it."""
    value: Any = None
    """The frame as JSON; None where the text is not JSON."""
    cut: bool = False
    """The log shows only a part of the frame."""
    version: Version | None = None
    """The OCPP version, where the record names it."""
    code: int | None = None
    """The Close code of a WebSocket connection, or the HTTP status of a refusal."""
    reason: str = ""
    subprotocol: str = ""
    """The subprotocol of a connection that was opened, where the log tells it."""
    unoffered: str = ""
    """The subprotocol that the CSMS chose although the station did not offer it."""
    by: Side | None = None
    """Who closed a connection, where the log says so."""


class Unread(msgspec.Struct, frozen=True):
    """A line that looks as if it held OCPP and could not be read."""

    line: int
    text: str
    why: str


class Traits(msgspec.Struct, frozen=True, kw_only=True):
    """What one kind of log can be trusted with; the rules ask it before they accuse anybody."""

    taken_at: Side | None = None
    """The side that wrote the log."""
    queued: frozenset[Side] = frozenset()
    """Sides whose CALLs are logged when they are queued, not when they are sent."""
    logged_late: bool = False
    """A sent frame may be logged after the next received one: several threads write the log."""
    from_the_start: bool = False
    """The log begins before the station's first connection."""
    connections: bool = False
    """Openings and ends of connections are in the log."""
    own_stations: bool = False
    """The stations are Plugstorm's own: their readings and times are exact, and they keep to the given time-out."""
