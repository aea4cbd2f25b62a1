"""ReserveNow and CancelReservation (OCPP 1.6 §5.13, 2.x H01-H04)."""

from __future__ import annotations

from functools import partial

from loadtest.station.commands.common import Reaction, Request
from loadtest.station.contract import Controls
from loadtest.station.state.connectors import moment
from loadtest.station.state.reservations import RULES, ReservationRequest, Reservations
from loadtest.station.state.settings import flag
from loadtest.station.state.store import need, peek

__all__ = ["cancel_reservation", "reserve_now"]


def reserve_now(station: Controls, request: Request, _: Request) -> Reaction:
    """Keep a connector for somebody."""
    wanted, now = RULES[station.version].read(request), station.context.clock()
    expires = moment(station.context, wanted.expiry)
    numbers = _numbers(station, wanted)
    if expires is None or expires <= now or not numbers or not flag(station, "reservations"):
        return Reaction("Rejected")
    reservations = need(station, Reservations)
    refusal = reservations.refusal(wanted, numbers)
    if refusal is not None:
        return Reaction(refusal)
    return Reaction(then=partial(reservations.add, wanted, numbers, expires))


def _numbers(station: Controls, wanted: ReservationRequest) -> frozenset[int]:
    """List the connectors that a reservation may speak of; all of an EVSE are reserved together."""
    return frozenset(
        connector.model.number
        for connector in station.connectors
        if wanted.address in (None, station.dialect.address(connector.model))
        and wanted.connector_type in (None, connector.model.plug.type)
    )


def cancel_reservation(station: Controls, request: Request, _: Request) -> Reaction:
    """Give a reserved connector back."""
    kept = peek(station, Reservations)
    reservation = kept.find(request["reservationId"]) if kept else None
    if not kept or reservation is None:
        return Reaction("Rejected")
    return Reaction(then=partial(kept.end, reservation, station.context.clock()))
