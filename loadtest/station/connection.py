"""The connection of a station: one socket at a time, and the wait before the next attempt."""

from __future__ import annotations

from typing import Protocol

from evidence.vocabulary import OPENED
from loadtest.station.context import Context
from loadtest.station.contract import Host
from loadtest.station.messaging import Messaging
from loadtest.station.state.settings import Settings
from loadtest.station.state.store import peek
from loadtest.timing.backoff import reconnect_wait
from loadtest.timing.timers import Timer
from loadtest.transport.contract import How, Listener
from loadtest.transport.socket import StationSocket
from ocppj.registration import Registration

__all__ = ["Connection", "ConnectionOwner"]

_FAULTS = (How.VIOLATION, How.TOO_BIG, How.SLOW_CONSUMER)


class ConnectionOwner(Host, Listener, Protocol):
    """The station, as its connection sees it: who hears the socket."""

    @property
    def context(self) -> Context:
        """What it shares with others."""

    @property
    def messaging(self) -> Messaging:
        """What speaks through the socket."""

    def disconnected(self, now: float) -> None:
        """Take note that a connection which stood is gone, and that all its CALLs have ended."""

    def on_crash(self, error: Exception) -> None:
        """Start over after a mistake of ours."""


class Connection:
    """Opens, counts and ends the connections of one station; it never decides by itself to connect again."""

    __slots__ = ("_attempts", "_offline_since", "_retry", "_station")

    def __init__(self, station: ConnectionOwner) -> None:
        """Start without a connection."""
        self._station = station
        self._attempts = 0
        """How many attempts have been waited for since the last connection."""
        self._offline_since: float | None = None
        self._retry: Timer | None = None

    def open(self) -> None:
        """Connect now, unless a storm lets every attempt fail."""
        self.cancel()
        station, context = self._station, self._station.context
        storm, target = station.storm, context.target
        if storm is not None:
            if storm.refuses():
                self.open_later()
                return
            target = storm.where() or target
        socket = context.make_socket(context.engine, target, station, target.source(station.lease.number))
        station.messaging.socket = socket
        settings = peek(station, Settings)
        headers = context.headers(station.lease, station.version, None if settings is None else settings.password)
        socket.connect(context.url(station.lease, target), station.dialect.rules.subprotocol, headers)

    def open_later(self) -> None:
        """Connect after the wait that the back-off sets for this attempt."""
        self.cancel()
        context, station = self._station.context, self._station
        wait = reconnect_wait(context.backoff, self._attempts, station.draws.uniform())
        self._attempts += 1
        self._retry = context.timers.at(context.clock() + wait, self._retry_due, station)

    def cancel(self) -> None:
        """Wait for no further attempt."""
        self._station.context.timers.cancel(self._retry)
        self._retry = None

    def cut(self) -> None:
        """Lose the connection without a word, as a power loss does."""
        self.discard()
        self._settle()

    def discard(self) -> None:
        """Let go of the socket, without looking back."""
        messaging = self._station.messaging
        socket, messaging.socket = messaging.socket, None
        if socket is not None:
            socket.abort()

    def hand_over(self) -> StationSocket | None:
        """Take the connection for dead, and leave its socket to the caller."""
        messaging = self._station.messaging
        socket, messaging.socket = messaging.socket, None
        self._settle()
        return socket

    # -- what the socket tells ---------------------------------------------------------------------------------------

    def opened(self, now: float) -> float:
        """Take note that the connection stands; return for how many seconds there was none before it."""
        station = self._station
        context, messaging = station.context, station.messaging
        context.recorder.connection(OPENED)
        context.recorder.connected(1)
        messaging.opened()
        self._attempts = 0
        if context.vendor.ping and messaging.socket is not None:
            messaging.socket.ping_every(context.vendor.ping)
        return 0.0 if self._offline_since is None else now - self._offline_since

    def failed(self, outcome: str) -> None:
        """Count an attempt that has failed."""
        self._station.messaging.socket = None
        self._station.context.recorder.connection(outcome)

    def closed(self, code: int, reason: str, how: How) -> None:
        """Count a connection that has ended."""
        recorder = self._station.context.recorder
        if how is not How.LOCAL:
            open_call = self._station.messaging.session.open_call
            recorder.lost(str(how), code, reason, "" if open_call is None else open_call.action)
        if how in _FAULTS:
            recorder.fault(how)
        self._settle()

    # -- inside ------------------------------------------------------------------------------------------------------

    def _retry_due(self, _: float) -> None:
        self.open()

    def _settle(self) -> None:
        """Settle the books of a connection that is gone."""
        messaging = self._station.messaging
        messaging.socket = None
        messaging.speaking = False
        if not messaging.session.connected:
            return
        recorder, now = self._station.context.recorder, self._station.context.clock()
        recorder.connected(-1)
        if messaging.registration is Registration.ACCEPTED:
            recorder.booted(-1)
        self._offline_since = now
        messaging.settle(now)
        self._station.disconnected(now)
