"""The twin of a station: a second connection with its identity, which comes, says nothing, and goes without a word."""

from __future__ import annotations

from loadtest.plugins.storms.tally import Tally
from loadtest.station.station import Station
from loadtest.timing.timers import Timer
from loadtest.transport.contract import Handshake, How, Wire
from loadtest.workload.identities import Lease

__all__ = ["Twin"]


class Twin:
    """Comes and goes until it is closed; it listens to its own socket."""

    def __init__(self, station: Station, tally: Tally, every: float) -> None:
        """Come now; `every` is in seconds."""
        self._station = station
        self._tally = tally
        self._every = every
        self._socket: Wire | None = None
        self._timer: Timer | None = None
        self._come()

    @property
    def lease(self) -> Lease:
        """Whose identity it has."""
        return self._station.lease

    def close(self) -> None:
        """Come no more."""
        self._station.context.timers.cancel(self._timer)
        self._timer = None
        self._go()

    # -- the listener of the socket ----------------------------------------------------------------------------------

    def on_open(self, handshake: Handshake) -> None:  # noqa: ARG002 - nothing is said
        """Stay for a moment."""
        self._tally.twin_opened += 1

    def on_failed(self, outcome: str, reason: str) -> None:  # noqa: ARG002 - for whatever reason
        """Try again in its turn."""
        self._socket = None
        self._tally.twin_refused += 1

    def on_text(self, data: str | bytes, now: float) -> None:
        """Ignore it: a twin speaks no OCPP."""

    def on_closed(self, code: int, reason: str, how: How) -> None:  # noqa: ARG002 - whatever the CSMS says
        """Take note that the CSMS has ended it."""
        self._socket = None
        self._tally.twin_kicked += 1

    def on_trouble(self, kind: str, detail: str = "") -> None:
        """Ignore it: nothing is sent."""

    def on_crash(self, error: Exception) -> None:
        """Leave a mistake of ours to the station."""
        self._station.on_crash(error)

    # -- inside ------------------------------------------------------------------------------------------------------

    def _turn(self, _: float) -> None:
        if self._socket is None:
            self._come()
        else:
            self._go()
            self._expect()

    def _come(self) -> None:
        station = self._station
        context, target = station.context, station.context.target
        self._socket = socket = context.make_socket(context.engine, target, self, target.source(station.lease.number))
        headers = context.headers(station.lease, station.version)
        socket.connect(context.url(station.lease, target), station.dialect.rules.subprotocol, headers)
        self._expect()

    def _go(self) -> None:
        socket, self._socket = self._socket, None
        if socket is not None:
            socket.abort()

    def _expect(self) -> None:
        context = self._station.context
        self._timer = context.timers.at(context.clock() + self._every, self._turn, self._station)
