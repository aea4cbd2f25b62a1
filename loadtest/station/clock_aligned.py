"""Readings on the wall clock: every station of a vendor reads its meters at :00, :15, … and so does the whole fleet."""

from __future__ import annotations

from loadtest.station.contract import Host
from loadtest.station.dialect.contract import Trigger
from loadtest.station.views import ConnectorView, Phase
from loadtest.timing.pacing import next_in_phase
from loadtest.timing.timers import Timer

__all__ = ["ClockAlignedMeter"]


class ClockAlignedMeter:
    """The clock-aligned readings of one station (ClockAlignedDataInterval of 1.6, AlignedDataInterval of 2.x)."""

    __slots__ = ("_timer", "station")

    def __init__(self, station: Host) -> None:
        """Wait for the next multiple of the vendor's interval."""
        self.station = station
        self._timer: Timer | None = None
        context = station.context
        self._expect(next_in_phase(context.clock(), context.vendor.clock_aligned, 0.0, context.epoch))

    def cancel(self) -> None:
        """Read no more."""
        self.station.context.timers.cancel(self._timer)
        self._timer = None

    def _expect(self, when: float) -> None:
        self._timer = self.station.context.timers.at(when, self._due, self.station)

    def _due(self, when: float) -> None:
        station = self.station
        vendor = station.context.vendor
        self._expect(when + vendor.clock_aligned)
        for connector in station.connectors:
            charging_session = connector.charging_session
            if charging_session is not None and charging_session.phase is Phase.CHARGING:
                charging_session.report(when, Trigger.CLOCK)
            elif vendor.clock_aligned_idle and station.online:
                self._read_idle(connector, when)

    def _read_idle(self, connector: ConnectorView, when: float) -> None:
        station = self.station
        timestamp = station.context.timestamp(when)
        payload = station.dialect.meter_values(connector.model, connector.reading, timestamp, Trigger.CLOCK)
        station.call("MeterValues", payload, when)
