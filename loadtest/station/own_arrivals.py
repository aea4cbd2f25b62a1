"""The cars of a profile that somebody has written in Python."""

from __future__ import annotations

import logging
from collections.abc import Iterator

from evidence.vocabulary import CHECK
from loadtest.station.charging_session import ChargingSession
from loadtest.station.contract import Host
from loadtest.station.state.connectors import token_for
from loadtest.station.state.reservations import admits
from loadtest.station.views import ConnectorView
from loadtest.timing.pacing import Draws
from loadtest.timing.timers import Timer
from loadtest.workload.own_profile import Car, Cars

__all__ = ["OwnArrivals"]

_logger = logging.getLogger(__name__)


class OwnArrivals:
    """The arrivals at one station: each EVSE has a plan of its own, which no slow CSMS moves."""

    __slots__ = ("_evses",)

    def __init__(self, station: Host, cars: Cars) -> None:
        """Ask the function once for each EVSE."""
        by_evse: dict[int, list[ConnectorView]] = {}
        for connector in station.connectors:
            by_evse.setdefault(connector.model.evse_id, []).append(connector)
        self._evses = [_Evse(station, cars, number, connectors) for number, connectors in by_evse.items()]

    def plan(self, now: float) -> None:
        """Let the first cars come."""
        for evse in self._evses:
            evse.expect(now)

    def cancel(self) -> None:
        """Let no more cars come."""
        for evse in self._evses:
            evse.cancel()


class _Evse:
    __slots__ = ("_cars", "_connectors", "_next", "station")

    def __init__(self, station: Host, cars: Cars, number: int, connectors: list[ConnectorView]) -> None:
        self.station = station
        self._connectors = connectors
        draws = Draws(station.context.seed, station.lease.identity, f"cars/{number}")
        self._cars: Iterator[Car] = iter(cars(station.lease.identity, number, draws))
        self._next: Timer | None = None

    def expect(self, free_from: float) -> None:
        """Plan the next car; a mistake of the function is a failed check, and the EVSE stays empty."""
        try:
            car = next(self._cars, None)
            at = free_from if car is None else free_from + car.after
        except Exception as error:
            _logger.exception("The profile of your own failed; no more cars come to this EVSE.")
            self.station.context.recorder.fault(f"{CHECK}{type(error).__name__}: {error}")
            return
        if car is not None:
            self._next = self.station.context.timers.at(at, lambda when: self._comes(car, when), self.station)

    def cancel(self) -> None:
        self.station.context.timers.cancel(self._next)
        self._next = None

    def _comes(self, car: Car, when: float) -> None:
        station, until = self.station, when + car.stay
        self.expect(until)
        connector = next((one for one in self._connectors if one.operative), None)
        # A driver who finds the EVSE taken or out of order drives on.
        if connector is None or any(one.charging_session for one in self._connectors):
            return
        token = car.token or token_for(station, connector)
        if admits(station, connector, token):
            ChargingSession(station, connector, token).begin(when, until, authorize=car.authorize)
