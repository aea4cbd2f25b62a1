"""The day of an accepted station: what it does by itself, from its first statuses until it loses its power."""

from __future__ import annotations

from typing import Final, Protocol

from loadtest.station.arrivals import Arrivals, PlannedArrivals, arrivals_at
from loadtest.station.battery_swaps import BatterySwaps
from loadtest.station.charging_session import Connector
from loadtest.station.clock_aligned import ClockAlignedMeter
from loadtest.station.context import Context
from loadtest.station.contract import Host
from loadtest.station.dialect.contract import Status
from loadtest.station.life import Life
from loadtest.station.messaging import Messaging
from loadtest.station.own_arrivals import OwnArrivals
from loadtest.station.replay import ReplayPlayer
from loadtest.station.status_flapper import StatusFlapper
from loadtest.timing.pacing import next_in_phase, van_der_corput
from loadtest.timing.timers import Timer

__all__ = ["HEARTBEAT", "Day", "DayOwner"]

HEARTBEAT: Final = 300.0
"""Seconds between Heartbeats where the CSMS leaves it to the station with `interval` 0 (OCPP 1.6 §4.2)."""


class DayOwner(Host, Protocol):
    """The station, as its day sees it."""

    @property
    def context(self) -> Context:
        """What it shares with others."""

    @property
    def messaging(self) -> Messaging:
        """What knows when the station said something last."""

    @property
    def connectors(self) -> tuple[Connector, ...]:
        """Its connectors, and what the CSMS has heard of each."""


class Day:
    """Statuses, heartbeats, readings by the clock and arrivals of one station."""

    __slots__ = ("_clock_aligned", "_flapper", "_heartbeat", "_station", "arrivals", "heartbeat_interval")

    def __init__(self, station: DayOwner) -> None:
        """Wait until the station is accepted."""
        self._station = station
        profile = station.context.profile
        self.heartbeat_interval = (profile.heartbeat or HEARTBEAT) / profile.interval_scale
        self.arrivals: Arrivals | BatterySwaps | PlannedArrivals | OwnArrivals | ReplayPlayer | None = None
        self._heartbeat: Timer | None = None
        self._clock_aligned: ClockAlignedMeter | None = None
        self._flapper: StatusFlapper | None = None

    def tell_statuses(self, now: float) -> None:
        """Report the status of the station and of each connector, unless a recording does that."""
        station, context, dialect = self._station, self._station.context, self._station.dialect
        if context.profile.recorded.cues:
            return
        for payload in dialect.station_status(dialect.status_words[Status.AVAILABLE], context.timestamp(now)):
            station.call("StatusNotification", payload, now)
        for connector in station.connectors:
            connector.tell(now)

    def tell_changes(self, now: float, away: float) -> None:
        """Report after `away` seconds offline what has changed; everything, where the vendor's firmware does that."""
        station, context = self._station, self._station.context
        if context.profile.recorded.cues:
            return
        tell_all = context.vendor.tells_all(away)
        for connector in station.connectors:
            if tell_all or station.dialect.status_words[connector.status] != connector.told:
                connector.tell(now)

    def begin(self, now: float) -> None:
        """Let readings and cars come; what already comes goes on."""
        station = self._station
        if self._clock_aligned is None and self._station.context.vendor.clock_aligned:
            self._clock_aligned = ClockAlignedMeter(station)
        if self._flapper is None and station.context.vendor.quirks.status_flap:
            self._flapper = StatusFlapper(station)
        if self.arrivals is None and station.life is Life.ON:
            self.arrivals = arrivals_at(station)
            if self.arrivals is not None:
                self.arrivals.plan(now)

    def go_on(self) -> None:
        """Say what a recording held back while the station was offline."""
        if isinstance(self.arrivals, ReplayPlayer):
            self.arrivals.pump()

    def end(self) -> None:
        """Do nothing more by itself, until it begins again."""
        self._station.context.timers.cancel(self._heartbeat)
        self._heartbeat = None
        if self.arrivals is not None:
            self.arrivals.cancel()
            self.arrivals = None
        if self._clock_aligned is not None:
            self._clock_aligned.cancel()
            self._clock_aligned = None
        if self._flapper is not None:
            self._flapper.cancel()
            self._flapper = None

    # -- heartbeats --------------------------------------------------------------------------------------------------

    def follow_csms(self, interval: float) -> None:
        """Beat as the CSMS said when it accepted the station, unless the profile or a recording has its own way."""
        profile = self._station.context.profile
        if profile.heartbeat is None:
            self.heartbeat_interval = (interval or HEARTBEAT) / profile.interval_scale
        if not profile.recorded.cues:
            self.plan_heartbeat()

    def plan_heartbeat(self) -> None:
        """Beat in the phase of this station, so that a fleet spreads evenly over the interval."""
        context, station = self._station.context, self._station
        context.timers.cancel(self._heartbeat)
        if station.life is not Life.ON:
            return
        phase = van_der_corput(station.lease.number)
        first = next_in_phase(context.clock(), self.heartbeat_interval, phase, context.epoch)
        self._heartbeat = context.timers.at(first, self._heartbeat_due, station)

    def _heartbeat_due(self, when: float) -> None:
        station, spoken = self._station, self._station.messaging.spoken
        if spoken is not None and spoken.at + self.heartbeat_interval > when:
            # Whatever was said since tells that the station lives (OCPP 1.6 §4.6).
            quiet = spoken.at + self.heartbeat_interval
            self._heartbeat = self._station.context.timers.at(quiet, self._heartbeat_due, station)
            return
        # From the intended time on: a slow CSMS or a busy process does not shift the schedule.
        self._heartbeat = self._station.context.timers.at(when + self.heartbeat_interval, self._heartbeat_due, station)
        if station.online:
            station.call("Heartbeat", {}, when)
