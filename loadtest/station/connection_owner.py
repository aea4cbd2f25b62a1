"""The station, as its connection and the habits of its connection see it."""

from __future__ import annotations

from typing import Protocol

from loadtest.station.context import Context
from loadtest.station.contract import Host
from loadtest.station.messaging import Messaging
from loadtest.transport.contract import Listener

__all__ = ["ConnectionOwner"]


class ConnectionOwner(Host, Listener, Protocol):
    """Who hears the socket of a station."""

    @property
    def context(self) -> Context:
        """What it shares with others."""

    @property
    def messaging(self) -> Messaging:
        """What speaks through the socket."""

    def copied(self, action: str) -> None:
        """Take note that a CALL which is under way goes to the CSMS twice."""

    def disconnected(self, now: float) -> None:
        """Take note that a connection which stood is gone, and that all its CALLs have ended."""

    def on_crash(self, error: Exception) -> None:
        """Start over after a mistake of ours."""
