"""What the firmware of some vendors does to its own connection: it probes, hears nothing, leaves pings, stays away.

Only a station whose vendor has such a habit has an object of this kind.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from loadtest.station.connection_owner import ConnectionOwner
from loadtest.station.probe import VersionProbe
from loadtest.timing.timers import Timer
from loadtest.transport.contract import How, Wire
from loadtest.transport.ping import NO_PONG
from loadtest.workload.quirks import Leaving, Pong, Quirks

__all__ = ["ORDERLY", "LineHabits", "habits_of"]

ORDERLY: Final = (1000, 1001)
"""Close codes after which a station may believe that nobody expects it back (RFC 6455 §7.4.1)."""
_WATCHDOG: Final = "the station heard nothing for too long"


class LineHabits:
    """The habits of one station."""

    __slots__ = ("_probe", "_probed", "_quirks", "_station", "_timer", "leaving")

    def __init__(self, station: ConnectionOwner, quirks: Quirks) -> None:
        """Have done nothing yet."""
        self._station = station
        self._quirks = quirks
        self._probe: VersionProbe | None = None
        self._probed = quirks.probe is None or quirks.probe.ocpp is station.version
        self._timer: Timer | None = None
        self.leaving: Leaving | None = None
        """Why the station itself closes the connection that stands, where that may be for good."""

    def probes(self, done: Callable[[], object]) -> bool:
        """Return whether a probe comes first; `done` is called after it."""
        if self._probed:
            return False
        self._probed = True
        assert self._quirks.probe is not None
        self._probe = VersionProbe(self._station, self._quirks.probe, done)
        return True

    def opened(self, socket: Wire, now: float) -> None:
        """Treat the connection that stands now as this firmware does."""
        quirks = self._quirks
        self.leaving = None
        if quirks.pong is not Pong.ANSWERS:
            socket.leave_pings(self._pinged)
        if quirks.deaf_after:
            self._timer = self._station.context.timers.at(now + quirks.deaf_after, self._go_deaf, self._station)

    def over(self) -> None:
        """Let go of everything that belonged to a connection."""
        self._station.context.timers.cancel(self._timer)
        self._timer = None
        probe, self._probe = self._probe, None
        if probe is not None:
            probe.cancel()

    def gives_up(self, how: How, code: int, reason: str) -> Leaving | None:
        """Return what the station takes for the end of all connections; None where it comes back."""
        leaving, self.leaving = self.leaving, None
        if how is How.PEER and code in ORDERLY:
            leaving = Leaving.CLOSE
        elif reason.startswith(NO_PONG):
            leaving = Leaving.PONG
        return leaving if leaving in self._quirks.stays_away_after else None

    # -- inside ------------------------------------------------------------------------------------------------------

    def _pinged(self) -> bool:
        self._station.context.recorder.injected("ping left without a pong")
        return self._quirks.pong is Pong.DROPS

    def _go_deaf(self, when: float) -> None:
        station, messaging = self._station, self._station.messaging
        if messaging.socket is None:
            return
        station.context.recorder.injected("deaf")
        messaging.socket.pause()
        messaging.excused().everything = True
        self._timer = None
        if self._quirks.deaf_for:
            self._timer = station.context.timers.at(when + self._quirks.deaf_for, self._wake, station)

    def _wake(self, _: float) -> None:
        """Let the watchdog of the firmware notice."""
        self._timer = None
        if self._station.messaging.socket is not None:
            self._station.messaging.socket.give_up(_WATCHDOG, How.INJECTED)


def habits_of(station: ConnectionOwner) -> LineHabits | None:
    """Return the habits of a station; None where its vendor has none."""
    quirks = station.context.vendor.quirks
    silent = quirks.pong is not Pong.ANSWERS or quirks.deaf_after
    return LineHabits(station, quirks) if silent or quirks.probe or quirks.stays_away_after else None
