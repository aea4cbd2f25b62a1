"""The charging profiles that a station keeps, and how its meters obey them from moment to moment."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import msgspec

from fixtures.meter import Circuit, Reading, first_reading, next_reading
from loadtest.station.contract import Host, State
from loadtest.station.state.charging_profiles import ChargingProfile, Occupancy, Offer, Purpose, changes_after, offer
from loadtest.station.state.connectors import charging
from loadtest.station.views import ChargingSessionView
from loadtest.timing.timers import Timer

__all__ = ["ChargingLimits", "replaces"]


class ChargingLimits(State):
    """The charging profiles of one station, and the timer that waits for what they say next."""

    __slots__ = ("_timer", "priority", "profiles")

    def __init__(self, station: Host) -> None:
        """Start without a profile."""
        super().__init__(station)
        self.profiles: list[ChargingProfile] = []
        self.priority: set[Any] = set()
        """Transactions with priority charging."""
        self._timer: Timer | None = None

    # -- what charging sessions ask -----------------------------------------------------------------------------------

    def first(self, charging_session: ChargingSessionView, at: float) -> Reading:
        """Read the meter of a car that has just been plugged in."""
        circuit, allowed = self._allowed(charging_session, at)
        limit = _amperes(circuit, allowed)
        return first_reading(circuit, energy_wh=charging_session.connector.energy_wh, limit_a=limit)

    def read(self, charging_session: ChargingSessionView, since: float, at: float) -> Reading:
        """Read the meter, with every limit obeyed as long as it lasted."""
        reading, limit_from = charging_session.reading, since
        for _ in range(_MOST_STEPS):
            change = changes_after(self.profiles, limit_from, charging_session.started_at)
            if change >= at:
                break
            reading = self._next(charging_session, reading, limit_from, change)
            limit_from = change
        reading = self._next(charging_session, reading, limit_from, at)
        if changes_after(self.profiles, limit_from, charging_session.started_at) <= at:
            # What begins at this very moment shows in the power, and has moved no energy yet.
            reading = self._next(charging_session, reading, at, at)
        return reading

    def transaction_began(self, at: float) -> None:
        """Take note of one more car, with which others may have to share."""
        self.follow(at)

    def transaction_over(self, charging_session: ChargingSessionView, at: float) -> None:
        """Take note that a transaction is over: its own profile ends with it."""
        address = self.station.dialect.address(charging_session.connector.model)
        self.profiles = [
            kept for kept in self.profiles if kept.purpose is not Purpose.TRANSACTION or kept.address != address
        ]
        self.priority.discard(charging_session.transaction_id)
        self.follow(at)

    # -- changes ------------------------------------------------------------------------------------------------------

    def change(self, alter: Callable[[], object]) -> None:
        """Change the profiles: what flowed until now counts by the old ones."""
        now = self.station.context.clock()
        for charging_session in charging(self.station):
            charging_session.read_meter(now)
        alter()
        self.follow(now)

    def follow(self, at: float) -> None:
        """Let every car follow what counts now, and wait for the next change."""
        context, charging_sessions = self.station.context, charging(self.station)
        context.timers.cancel(self._timer)
        self._timer = None
        if not self.profiles and not charging_sessions:
            return
        for charging_session in charging_sessions:
            charging_session.follow_limit(at)
        change = min(
            (changes_after(self.profiles, at, charging_session.started_at) for charging_session in charging_sessions),
            default=_NEVER,
        )
        if change < at + _FURTHEST:
            # Not in steps that no meter could show, whatever a schedule says.
            self._timer = context.timers.at(max(change, at + _SHORTEST), self._due, self.station)

    def install(self, profile: ChargingProfile) -> None:
        """Add a profile in place of the one that it replaces (OCPP 1.6 §5.16.3)."""
        self.remove([kept for kept in self.profiles if replaces(profile, kept)])
        self.profiles.append(profile)

    def remove(self, profiles: Iterable[ChargingProfile]) -> None:
        """Take some profiles out."""
        gone = [id(profile) for profile in profiles]
        self.profiles = [kept for kept in self.profiles if id(kept) not in gone]

    def close(self) -> None:
        """Wait for nothing any more."""
        self.station.context.timers.cancel(self._timer)
        self._timer = None

    # -- inside -------------------------------------------------------------------------------------------------------

    def _due(self, when: float) -> None:
        self._timer = None
        self.follow(when)

    def _allowed(self, charging_session: ChargingSessionView, at: float) -> tuple[Circuit, Offer]:
        circuit = charging_session.circuit
        address = self.station.dialect.address(charging_session.connector.model)
        occupancy = Occupancy(
            address,
            charging_session.started_at,
            charging=True,
            priority=charging_session.transaction_id in self.priority,
        )
        phases = 1 if circuit.dc else circuit.phases
        allowed = offer(self.profiles, at, occupancy, phases, len(charging(self.station)))
        if allowed.phases < circuit.phases:
            circuit = msgspec.structs.replace(circuit, phases=allowed.phases)
        return circuit, allowed

    def _next(self, charging_session: ChargingSessionView, last: Reading, since: float, at: float) -> Reading:
        circuit, allowed = self._allowed(charging_session, since)
        limit_w = None if allowed.watts == _NEVER else allowed.watts
        limit_a = None if allowed.amperes == _NEVER else allowed.amperes
        return next_reading(circuit, last, at - since, limit_a=limit_a, limit_w=limit_w)


_NEVER = float("inf")
_MOST_STEPS = 200
"""How many changes of limits one reading may span."""
_SHORTEST = 1.0
_FURTHEST = 10 * 365 * 86_400.0


def _amperes(circuit: Circuit, allowed: Offer) -> float | None:
    volts = circuit.vehicle.dc_voltage_full if circuit.dc else circuit.voltage
    limit = min(allowed.amperes, allowed.watts / (volts * circuit.phases))
    return None if limit == _NEVER else limit


def replaces(new: ChargingProfile, old: ChargingProfile) -> bool:
    """Return whether a new profile replaces an old one."""
    if new.profile_id == old.profile_id:
        return True
    same = (new.purpose, new.stack_level, new.address) == (old.purpose, old.stack_level, old.address)
    # Side by side where they never count at the same time (OCPP 2.x K01.FR.06).
    return same and new.valid_from < old.valid_to and old.valid_from < new.valid_to
