"""The old socket of a station that has connected anew: nobody reads it, and the CSMS should have ended it."""

from __future__ import annotations

from typing import Final, Protocol

from loadtest.timing.timers import Owner, Timer, TimerQueue
from loadtest.transport.contract import Handshake, How, Wire

__all__ = ["OldSocket"]

_LAST_WORD: Final = 1.0
"""Seconds in which an old socket that is read again shows what the CSMS had done with it."""


class Seen(Protocol):
    """Takes an old socket once it is known whether the CSMS had closed it."""

    def __call__(self, old: OldSocket, *, closed: bool) -> None:
        """Forget it; it is closed."""


class OldSocket:
    """Takes a socket over as its listener, reads nothing until a given time, and then looks whether it had ended."""

    __slots__ = ("_ended", "_owner", "_seen", "_socket", "_timer", "_timers", "judged")

    def __init__(self, socket: Wire, timers: TimerQueue, until: float, seen: Seen, owner: Owner) -> None:
        """Leave the socket of `owner` unread until `until`, in monotonic seconds."""
        self._owner = owner
        self._socket = socket
        self._timers = timers
        self._seen = seen
        self._ended = False
        self.judged = False
        """Whether it is known what the CSMS had done with it."""
        socket.pause()
        socket.hand_over(self)
        self._timer: Timer | None = timers.at(until, self._read_again, owner)

    def close(self) -> None:
        """End it at once."""
        self._timers.cancel(self._timer)
        self._socket.abort()

    def _read_again(self, when: float) -> None:
        self._timer = self._timers.at(when + _LAST_WORD, self._judge, self._owner)
        self._socket.resume()

    def _judge(self, _: float) -> None:
        self.judged = True
        self.close()
        self._seen(self, closed=self._ended)

    # -- the listener of the socket ----------------------------------------------------------------------------------

    def on_open(self, handshake: Handshake) -> None:
        """Ignore it: the connection was open before."""

    def on_failed(self, outcome: str, reason: str) -> None:  # noqa: ARG002 - whatever the reason
        """Take note of an attempt that was under way."""
        self._ended = True

    def on_text(self, data: str | bytes, now: float) -> None:
        """Ignore what was meant for a station that has moved on."""

    def on_closed(self, code: int, reason: str, how: How) -> None:  # noqa: ARG002 - whatever the reason
        """Take note that the CSMS had ended it."""
        self._ended = True

    def on_trouble(self, kind: str, detail: str = "") -> None:
        """Ignore it: nothing is sent any more."""

    def on_crash(self, error: Exception) -> None:  # noqa: ARG002 - these methods raise nothing
        """Take note that it is gone."""
        self._ended = True
