"""Free connectors that turn from Available to Faulted and back, for hours, as loose contacts in the field do."""

from __future__ import annotations

from loadtest.station.contract import Host
from loadtest.station.dialect.contract import Status
from loadtest.timing.timers import Timer

__all__ = ["StatusFlapper"]


class StatusFlapper:
    """The flapping connectors of one station."""

    __slots__ = ("_faulted", "_timer", "station")

    def __init__(self, station: Host) -> None:
        """Turn for the first time after the vendor's time."""
        self.station = station
        self._faulted = False
        self._timer: Timer | None = None
        self._expect(station.context.clock())

    def cancel(self) -> None:
        """Turn no more."""
        self.station.context.timers.cancel(self._timer)
        self._timer = None

    def _expect(self, now: float) -> None:
        timers, every = self.station.context.timers, self.station.context.vendor.quirks.status_flap
        self._timer = timers.at(now + every, self._due, self.station)

    def _due(self, when: float) -> None:
        station = self.station
        self._expect(when)
        if not station.online:
            return
        self._faulted = not self._faulted
        dialect, timestamp = station.dialect, station.context.timestamp(when)
        for connector in station.connectors:
            if connector.status is Status.AVAILABLE:
                if self._faulted:
                    payload = dialect.faulted(connector.model, timestamp)
                else:
                    payload = dialect.status(connector.model, dialect.status_words[Status.AVAILABLE], timestamp)
                station.call("StatusNotification", payload, when)
