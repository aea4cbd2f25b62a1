"""WebSocket pings of a station, and the pongs that show that the CSMS is still there (RFC 6455 §5.5.2)."""

from __future__ import annotations

from time import monotonic
from typing import Final

from loadtest.timing.timers import Timer
from loadtest.transport.contract import How, Pinged

__all__ = ["NO_PONG", "Pinger"]

NO_PONG: Final = "no pong within "
"""Begins the reason of a connection that ended because a pong did not come."""
_NUMBERS = 0x10000


class Pinger:
    """Pings over one connection until it is torn down; made by `StationSocket.ping_every`."""

    __slots__ = ("_interval", "_number", "_open", "_over", "_socket", "_timer", "_timers")

    def __init__(self, socket: Pinged, interval: float, now: float) -> None:
        """Send the first ping after `interval` seconds."""
        self._socket = socket
        self._interval = interval
        self._timers = socket.timers
        self._number = 0
        self._open = False
        self._over = False
        self._timer: Timer | None = self._timers.at(now + interval, self._due)

    def pong(self, payload: bytes) -> None:
        """Take note of a pong; one that answers no ping of ours, which a CSMS may send, tells nothing."""
        if payload == self._payload:
            self._open = False

    def cancel(self) -> None:
        """Send no more."""
        self._over = True
        self._timers.cancel(self._timer)
        self._timer = None

    @property
    def _payload(self) -> bytes:
        return self._number.to_bytes(2, "big")

    def _due(self, when: float) -> None:
        self._timer = None
        if self._open:
            # The pong of a CSMS may lie there unread, where this process itself was late.
            self._socket.catch_up()
            if self._over:
                return
        if self._open:
            self._socket.give_up(f"{NO_PONG}{self._interval:g} s", How.LOST)
            return
        self._number = (self._number + 1) % _NUMBERS
        self._open = True
        self._timer = self._timers.at(max(when, monotonic()) + self._interval, self._due)
        self._socket.send_ping(self._payload)
