"""How a station reaches its CSMS: what every kind of connection can do, and what some kinds do not have.

Station, session, recorder and cases know this and nothing else, so that they do not know which kind they have. What a
kind lacks it says itself, as data; a case that cannot do without it does not apply.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol

import msgspec

from interop_suite.drive.offer import Handshake, Offer, Trait
from ocppj.errors import InconclusiveError
from ocppj.versions import Version

__all__ = ["Closed", "Incoming", "Link", "NoWayError", "Pinged", "Trait", "Transport", "WireEvent"]


class NoWayError(InconclusiveError):
    """There is no way to do what the case needs, so that the case does not apply."""


class Incoming(msgspec.Struct, frozen=True):
    """One whole message; `str` for text, `bytes` for binary or for text that is not UTF-8."""

    data: str | bytes
    at: float
    info: dict[str, Any] = {}
    """What else is known of its delivery, for the trace."""
    foreign: str = ""
    """Why it is no message of the CSMS's own dialect, so that no gateway would hand it on; empty where it is one."""


class Pinged(msgspec.Struct, frozen=True):
    """A ping or pong of the CSMS."""

    opcode: str
    at: float


class Closed(msgspec.Struct, frozen=True):
    """The end of the connection; `by` is `csms`, `station` or `network`."""

    code: int | None
    reason: str
    by: str
    at: float


WireEvent = Incoming | Pinged | Closed


class Link(Protocol):
    """One connection of one scripted station, which it may open again and again."""

    @property
    def connected(self) -> bool:
        """Whether the CSMS can hear the station, and the station the CSMS."""

    def open(self, offer: Offer, timeout: float, settle: Callable[[], None] | None = None) -> Handshake:
        """Connect within `timeout` seconds; a refusal is a result, not an exception.

        Before a silence counts, `settle` waits until the CSMS has done what it was asked; only one of our own can tell.
        """

    def carries(self, text: str | bytes) -> bool:
        """Return whether a message can be written so that the CSMS reads the same one."""

    def send_text(self, *texts: str | bytes, fragments: int = 1, pings: bool = False) -> None:
        """Send text messages in one write."""

    def send_bytes(self, data: bytes) -> None:
        """Put bytes on the connection that need not be a message at all."""

    def send_binary(self, data: bytes) -> None:
        """Send a binary message."""

    def ping(self, data: bytes = b"") -> None:
        """Send a ping."""

    def receive(self) -> list[WireEvent]:
        """Read what is there, without waiting."""

    def wait(self, timeout: float, *others: int) -> bool:
        """Wait until something can be received or one of the other descriptors is readable; True for the former."""

    def arrive(self) -> None:
        """Wait until what was sent is with whoever carries it on, and all that this one holds for us is here."""

    def close(self, code: int = 1000, reason: str = "", timeout: float = 2.0) -> list[WireEvent]:
        """End politely within `timeout` seconds and return what still came in."""

    def abort(self) -> Closed | None:
        """Drop the TCP connection."""


class Transport(Protocol):
    """How all stations of a run reach the CSMS."""

    @property
    def lacks(self) -> Mapping[Trait, str]:
        """What it does not have, each with the reason for people."""

    @property
    def noted(self) -> dict[str, Any]:
        """What the record of every handshake says of it."""

    @property
    def tells_version(self) -> bool:
        """Whether the CSMS learns from the way of a message which version a station speaks."""

    def link(self, version: Version) -> Link:
        """Make a connection for a station of a version, not open yet."""
