"""The charging profiles that a station keeps, and how its meters obey them from moment to moment."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from fixtures.meter import first_reading, next_reading
from loadtest.station.commands.common import charging, place_number
from loadtest.station.state.charging_profiles import ChargingProfile, Offer, Purpose, Session, changes_after, offer
from loadtest.station.state.store import extras_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from fixtures.meter import Circuit, Reading
    from loadtest.station.charging_session import Visit
    from loadtest.station.station import Station
    from loadtest.timing.timers import Timer

__all__ = ["Limits", "limits_of", "replaces"]


class Limits:
    """The charging profiles of one station, and the timer that waits for what they say next."""

    __slots__ = ("_timer", "priority", "profiles", "station")

    def __init__(self, station: Station) -> None:
        """Start without a profile."""
        self.station = station
        self.profiles: list[ChargingProfile] = []
        self.priority: set[Any] = set()
        """Transactions with priority charging."""
        self._timer: Timer | None = None

    # -- what visits ask ---------------------------------------------------------------------------------------------

    def first(self, visit: Visit, at: float) -> Reading:
        """Read the meter of a car that has just been plugged in."""
        circuit, allowed = self._allowed(visit, at)
        limit = _amperes(circuit, allowed)
        return first_reading(circuit, energy_wh=visit.outlet.energy_wh, limit_a=limit)

    def read(self, visit: Visit, since: float, at: float) -> Reading:
        """Read the meter, with every limit obeyed as long as it lasted."""
        reading, limit_from = visit.reading, since
        for _ in range(_MOST_STEPS):
            change = changes_after(self.profiles, limit_from, visit.started_at)
            if change >= at:
                break
            reading = self._next(visit, reading, limit_from, change)
            limit_from = change
        reading = self._next(visit, reading, limit_from, at)
        if changes_after(self.profiles, limit_from, visit.started_at) <= at:
            # What begins at this very moment shows in the power, and has moved no energy yet.
            reading = self._next(visit, reading, at, at)
        return reading

    def visit_began(self, at: float) -> None:
        """Take note of one more car, with which others may have to share."""
        self.follow(at)

    def visit_over(self, visit: Visit, at: float) -> None:
        """Take note that a transaction is over: its own profile ends with it."""
        place = place_number(self.station, visit.place)
        self.profiles = [
            kept for kept in self.profiles if kept.purpose is not Purpose.TRANSACTION or kept.place != place
        ]
        self.priority.discard(visit.transaction_id)
        self.follow(at)

    # -- changes -----------------------------------------------------------------------------------------------------

    def change(self, alter: Callable[[], object]) -> None:
        """Change the profiles: what flowed until now counts by the old ones."""
        now = self.station.fleet.clock()
        for visit in charging(self.station):
            visit.read_meter(now)
        alter()
        self.follow(now)

    def follow(self, at: float) -> None:
        """Let every car follow what counts now, and wait for the next change."""
        fleet, visits = self.station.fleet, charging(self.station)
        fleet.timers.cancel(self._timer)
        self._timer = None
        if not self.profiles and not visits:
            return
        for visit in visits:
            visit.follow_limit(at)
        change = min((changes_after(self.profiles, at, visit.started_at) for visit in visits), default=_NEVER)
        if change < at + _FURTHEST:
            # Not in steps that no meter could show, whatever a schedule says.
            self._timer = fleet.timers.at(max(change, at + _SHORTEST), self._due)

    def install(self, profile: ChargingProfile) -> None:
        """Add a profile in the place of the one that it replaces (OCPP 1.6 §5.16.3)."""
        self.remove([kept for kept in self.profiles if replaces(profile, kept)])
        self.profiles.append(profile)

    def remove(self, profiles: Iterable[ChargingProfile]) -> None:
        """Take some profiles out."""
        gone = [id(profile) for profile in profiles]
        self.profiles = [kept for kept in self.profiles if id(kept) not in gone]

    def close(self) -> None:
        """Wait for nothing any more."""
        self.station.fleet.timers.cancel(self._timer)
        self._timer = None

    # -- inside ------------------------------------------------------------------------------------------------------

    def _due(self, when: float) -> None:
        self._timer = None
        self.follow(when)

    def _allowed(self, visit: Visit, at: float) -> tuple[Circuit, Offer]:
        circuit = visit.circuit
        place = place_number(self.station, visit.place)
        session = Session(place, visit.started_at, charging=True, priority=visit.transaction_id in self.priority)
        phases = 1 if circuit.dc else circuit.phases
        allowed = offer(self.profiles, at, session, phases, len(charging(self.station)))
        if allowed.phases < circuit.phases:
            circuit = msgspec.structs.replace(circuit, phases=allowed.phases)
        return circuit, allowed

    def _next(self, visit: Visit, last: Reading, since: float, at: float) -> Reading:
        circuit, allowed = self._allowed(visit, since)
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
    """Tell whether a new profile takes the place of an old one."""
    if new.profile_id == old.profile_id:
        return True
    same = (new.purpose, new.stack_level, new.place) == (old.purpose, old.stack_level, old.place)
    # Side by side where they never count at the same time (OCPP 2.x K01.FR.06).
    return same and new.valid_from < old.valid_to and old.valid_from < new.valid_to


def limits_of(station: Station) -> Limits:
    """Return the profiles of a station, now that it gets one."""
    extras = extras_of(station)
    if extras.limits is None:
        extras.limits = Limits(station)
    return extras.limits
