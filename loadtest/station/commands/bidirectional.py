"""Energy in both directions by order of the CSMS: what is allowed, setpoints, and signals of the grid (OCPP 2.1 Q)."""

from __future__ import annotations

from functools import partial

from loadtest.station.commands.common import Reaction, Request
from loadtest.station.contract import Controls
from loadtest.station.dialect.contract import Mode
from loadtest.station.state.connectors import charging, ongoing

__all__ = ["afrr_signal", "allowed_energy_transfer", "follow_setpoint"]

_WATTS_PER_SIGNAL = 100.0
"""What one step of a signal asks of a car here; a station has a curve for it (v2xSignalWattCurve)."""


def allowed_energy_transfer(station: Controls, request: Request, _: Request) -> Reaction:
    """Take what a running transaction may do with energy (Q01)."""
    car = ongoing(station, request["transactionId"])
    if car is None:
        return Reaction("Rejected")
    if car.bidirectional is None:
        return Reaction()
    return Reaction(
        then=partial(car.bidirectional.allow, tuple(request["allowedEnergyTransfer"]), station.context.clock())
    )


def afrr_signal(station: Controls, request: Request, _: Request) -> Reaction:
    """Follow a signal of the grid with every car that feeds back; below 0 they do so (Q07)."""
    cars = [car.bidirectional for car in charging(station) if car.bidirectional is not None]
    if not cars:
        # Without a car that feeds in, there is nothing to say yes to.
        return Reaction("Rejected")
    return Reaction(then=partial(_signal, station, request["signal"] * _WATTS_PER_SIGNAL))


def _signal(station: Controls, watts: float) -> None:
    for car in charging(station):
        if car.bidirectional is not None:
            car.bidirectional.follow(watts, Mode.FREQUENCY, station.context.clock())


def follow_setpoint(station: Controls, address: int, setpoint: float, unit: str) -> None:
    """Let the car at an EVSE, of those that feed back, follow a setpoint in W or A; 0 stands for all of them."""
    for car in charging(station):
        if car.bidirectional is not None and address in (0, station.dialect.address(car.model)):
            volts = car.circuit.vehicle.dc_voltage_full if car.circuit.dc else car.circuit.voltage * car.circuit.phases
            watts = setpoint if unit == "W" else setpoint * volts
            car.bidirectional.follow(watts, Mode.SETPOINT, station.context.clock())
