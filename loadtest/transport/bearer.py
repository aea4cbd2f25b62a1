"""What every connection of a station has, whether a socket of its own is behind it or one that many share."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from enum import StrEnum
from typing import Any

from loadtest.transport.contract import Engine, How, Listener

__all__ = ["Bearer", "ConnectionPhase"]


class ConnectionPhase(StrEnum):
    """How far a connection is."""

    NEW = "new"
    CONNECTING = "connecting"
    SECURING = "securing"
    UPGRADING = "upgrading"
    """The stream stands, and the protocol upon it begins."""
    OPEN = "open"
    CLOSING = "closing"
    CLOSED = "closed"


class Bearer:
    """A connection, from its beginning to its end, as `loadtest.transport.contract.Wire` describes it."""

    __slots__ = ("_engine", "_listener", "_phase")

    def __init__(self, engine: Engine, listener: Listener) -> None:
        """Prepare."""
        self._engine = engine
        self._listener = listener
        self._phase = ConnectionPhase.NEW

    def connect(self, url: str, subprotocol: str, headers: Mapping[str, str]) -> None:
        """Begin; `on_open` or `on_failed` follows, never from within this call."""
        raise NotImplementedError

    def send_text(self, text: str) -> bool:
        """Write a message now, or keep it until the CSMS reads again; False when the connection is not open."""
        raise NotImplementedError

    def ping_every(self, seconds: float) -> None:
        """Ask for a sign of life until the connection ends; one that is not there by the next ends it as lost."""
        raise NotImplementedError

    def leave_pings(self, on_ping: Callable[[], bool]) -> None:
        """Answer no ping of the CSMS; `on_ping` hears of each, and returns whether the connection ends at it."""
        raise NotImplementedError

    def note(self, info: Mapping[str, Any]) -> None:
        """Write nothing: only a traced connection has a trace."""

    def pause(self) -> None:
        """Read nothing more, not even the end of the connection, until `resume`; what is said is still written."""
        raise NotImplementedError

    def resume(self) -> None:
        """Read again, first what has come in meanwhile."""
        raise NotImplementedError

    def hand_over(self, listener: Listener) -> None:
        """Let somebody else hear what is still to come."""
        self._listener = listener

    def catch_up(self) -> None:
        """Hear what lies unread, before a time-out that this process slept through blames the CSMS."""
        raise NotImplementedError

    def give_up(self, reason: str, how: How) -> None:
        """End an open connection at once, because the CSMS does not answer; `on_closed` follows."""
        raise NotImplementedError

    def close(self, code: int = 1000, reason: str = "") -> None:
        """Close politely; `on_closed` follows, at the latest after the close time-out."""
        raise NotImplementedError

    def abort(self) -> None:
        """End at once, without a word; no callback follows."""
        raise NotImplementedError
