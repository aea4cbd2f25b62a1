"""Readings on the wall clock: every station of a vendor reads its meters at :00, :15, … and so does the whole fleet."""

from __future__ import annotations

from typing import TYPE_CHECKING

from loadtest.station.charging_session import Phase
from loadtest.station.dialect.contract import Trigger
from loadtest.timing.pacing import next_in_phase

if TYPE_CHECKING:
    from loadtest.station.charging_session import Outlet
    from loadtest.station.station import Station
    from loadtest.timing.timers import Timer

__all__ = ["Clockwork"]


class Clockwork:
    """The clock-aligned readings of one station (ClockAlignedDataInterval of 1.6, AlignedDataInterval of 2.x)."""

    __slots__ = ("_timer", "station")

    def __init__(self, station: Station) -> None:
        """Wait for the next multiple of the vendor's interval."""
        self.station = station
        self._timer: Timer | None = None
        fleet = station.fleet
        self._expect(next_in_phase(fleet.clock(), fleet.vendor.clock_aligned, 0.0, fleet.epoch))

    def cancel(self) -> None:
        """Read no more."""
        self.station.fleet.timers.cancel(self._timer)
        self._timer = None

    def _expect(self, when: float) -> None:
        self._timer = self.station.fleet.timers.at(when, self._due)

    def _due(self, when: float) -> None:
        station = self.station
        vendor = station.fleet.vendor
        self._expect(when + vendor.clock_aligned)
        for outlet in station.outlets:
            visit = outlet.visit
            if visit is not None and visit.phase is Phase.CHARGING:
                visit.report(when, Trigger.CLOCK)
            elif vendor.clock_aligned_idle and station.online:
                self._read_idle(outlet, when)

    def _read_idle(self, outlet: Outlet, when: float) -> None:
        station = self.station
        timestamp = station.fleet.timestamp(when)
        payload = station.dialect.meter_values(outlet.place, outlet.reading, timestamp, Trigger.CLOCK)
        station.call("MeterValues", payload, when)
