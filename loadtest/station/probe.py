"""A first connection that offers another version and says nothing, as some firmware looks what a CSMS speaks."""

from __future__ import annotations

from collections.abc import Callable

from loadtest.station.connection_owner import ConnectionOwner
from loadtest.timing.timers import Timer
from loadtest.transport.contract import Handshake, How, Wire
from loadtest.workload.identities import Lease
from loadtest.workload.quirks import Probe
from ocppj.versions import RULES

__all__ = ["VersionProbe"]


class VersionProbe:
    """One probe of one station: it listens to a socket of its own, and hands over to the real connection."""

    __slots__ = ("_done", "_plan", "_socket", "_station", "_timer")

    def __init__(self, station: ConnectionOwner, plan: Probe, done: Callable[[], object]) -> None:
        """Connect as the plan says; `done` is called once the real connection may follow."""
        self._station = station
        self._plan = plan
        self._done = done
        self._timer: Timer | None = None
        context, target = station.context, station.context.target
        self._socket: Wire | None = context.make_socket(
            context.engine, target, self, target.source(station.lease.number)
        )
        rules = RULES[plan.ocpp]
        headers = context.headers(station.lease, plan.ocpp)
        self._socket.connect(context.url(station.lease, target), rules.subprotocol, headers)

    @property
    def lease(self) -> Lease:
        """Whose connection it is."""
        return self._station.lease

    def cancel(self) -> None:
        """End at once; nothing follows."""
        self._station.context.timers.cancel(self._timer)
        socket, self._socket = self._socket, None
        if socket is not None:
            socket.abort()

    # -- the listener of the socket ----------------------------------------------------------------------------------

    def on_open(self, handshake: Handshake) -> None:  # noqa: ARG002 - nothing is said
        """Stay silent for a while."""
        self._count("opened")
        self._later(self._plan.hold, self._close)

    def on_failed(self, outcome: str, reason: str) -> None:  # noqa: ARG002 - a CSMS need not speak that version
        """Go on: the CSMS does not speak that version."""
        self._count(outcome)
        self._over()

    def on_text(self, data: str | bytes, now: float) -> None:
        """Ignore it: a probe speaks no OCPP."""

    def on_closed(self, code: int, reason: str, how: How) -> None:  # noqa: ARG002 - whoever closed it
        """Go on with the real connection."""
        self._over()

    def on_trouble(self, kind: str, detail: str = "") -> None:
        """Ignore it: nothing is sent."""

    def on_crash(self, error: Exception) -> None:
        """Leave a mistake of ours to the station."""
        self._station.on_crash(error)

    # -- inside ------------------------------------------------------------------------------------------------------

    def _count(self, outcome: str) -> None:
        self._station.context.recorder.injected(f"probe with OCPP {self._plan.ocpp}: {outcome}")

    def _close(self, _: float) -> None:
        if self._socket is not None:
            self._socket.close(1000)

    def _over(self) -> None:
        self._socket = None
        self._later(self._plan.gap, lambda _: self._done())

    def _later(self, seconds: float, work: Callable[[float], object]) -> None:
        timers, now = self._station.context.timers, self._station.context.clock()
        timers.cancel(self._timer)
        self._timer = timers.at(now + seconds, work, self._station)
