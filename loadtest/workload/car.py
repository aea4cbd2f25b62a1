"""The car of a session at its connector, so that energy, power, duration and state of charge agree.

**Time compression.** K seconds of the simulated day pass in one second of the clock, and every message stays true to
the clock: time stamps are the real time, power is what the station really gives, and the register grows by power times
time. What shrinks is the session. It lasts K times less and wants K times less energy, with a battery K times smaller,
so the state of charge takes the course that it would have taken. The other way, a station whose clock runs K times
faster, keeps the energies and lies about the time: a CSMS that compares time stamps with its own clock refuses or
corrects them, answers to Heartbeat contradict them, and limits and reservations with absolute times never apply. A load
test needs the first: whatever a CSMS checks, it holds. The price is that a session of 8 kWh becomes one of 8/K kWh.
"""

from __future__ import annotations

import msgspec

from fixtures.meter import Circuit, Reading, circuit_of, first_reading, next_reading, vehicle_of, vehicle_wanting
from fixtures.models import ConnectorModel
from loadtest.workload.sessions import PlannedSession

__all__ = ["circuit_for", "reading_after"]

_STEPS = 12
"""Readings from which the charge is worked out that a car has when one comes upon it."""


def circuit_for(connector: ConnectorModel, session: PlannedSession, compression: float = 1.0) -> Circuit:
    """Plug the car of a session in; under compression, one with a smaller battery."""
    dc = connector.evse.supply == "DC"
    own = circuit_of(connector, vehicle_of(session.car), session.car)
    if session.idle is None and session.energy_wh is None:
        vehicle = msgspec.structs.replace(own.vehicle, battery_wh=own.vehicle.battery_wh / compression)
        return msgspec.structs.replace(own, vehicle=vehicle)
    energy, seconds = session.energy_wh, None
    if session.idle is not None:
        seconds = (session.until - session.at) * (1.0 - session.idle)
        seconds = max(1.0, min(seconds, session.until - session.power_from))
    if energy is None:
        full = msgspec.structs.replace(own.vehicle, soc_target=100.0)
        energy = _taken(msgspec.structs.replace(own, vehicle=full), seconds or 0.0)
        seconds = None
    power = None if dc or seconds is None else energy * 3600.0 / seconds
    pace = None if not dc or seconds is None else seconds / compression
    vehicle = vehicle_wanting(session.car, energy / compression, dc=dc, shrink=compression, seconds=pace)
    return circuit_of(connector, vehicle, session.car, power=power)


def _taken(circuit: Circuit, seconds: float) -> float:
    return _after(circuit, first_reading(circuit), seconds).energy_wh


def _after(circuit: Circuit, reading: Reading, seconds: float) -> Reading:
    for _ in range(_STEPS):
        reading = next_reading(circuit, reading, seconds / _STEPS)
    return reading


def reading_after(circuit: Circuit, seconds: float, *, energy_wh: float) -> Reading:
    """Begin to read a meter at a car that has been charging for so long already, with the register as it stands."""
    reading = first_reading(circuit, energy_wh=energy_wh)
    return reading._replace(soc=_after(circuit, reading, seconds).soc) if seconds > 0 else reading
