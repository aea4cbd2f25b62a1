"""Transactions that the CSMS starts, stops, unlocks or asks about."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

from loadtest.station.charging_session import Visit
from loadtest.station.commands.common import Deed, Request, Token, charging, free_outlets, ongoing, token_2x
from loadtest.station.commands.reservations import Claim, claim_of
from loadtest.station.commands.smart_charging import install_for_start, readable
from loadtest.station.dialect.contract import Ending

if TYPE_CHECKING:
    from collections.abc import Iterable

    from loadtest.station.charging_session import Outlet
    from loadtest.station.station import Station

__all__ = [
    "remote_start_16",
    "remote_stop",
    "request_start",
    "transaction_status",
    "unlock_2x",
    "unlock_16",
]


class _Wish(NamedTuple):
    """Who is to charge, and how."""

    token: str
    kind: str
    number: int | None
    """remoteStartId of 2.x."""
    parent: str
    profile: Request | None


def _start(station: Station, outlets: Iterable[Outlet], wish: _Wish) -> Deed:
    if wish.profile is not None and not readable(station, wish.profile):
        return Deed("Rejected")
    outlet = _outlet_for(outlets, (wish.token.upper(), wish.kind), wish.parent)
    return Deed("Rejected") if outlet is None else Deed(then=partial(_begin, station, outlet, wish))


def _outlet_for(outlets: Iterable[Outlet], token: Token, parent: str) -> Outlet | None:
    """Choose a free connector, one that is reserved for this very token before any other."""
    open_to_all: Outlet | None = None
    for outlet in free_outlets(outlets):
        claim = claim_of(outlet, token, parent or None)
        if claim is Claim.OURS:
            return outlet
        if claim is Claim.FREE and open_to_all is None:
            open_to_all = outlet
    return open_to_all


def _begin(station: Station, outlet: Outlet, wish: _Wish) -> None:
    now = station.fleet.clock()
    until = now + (station.profile.stay(station.draws) or _ENDLESS)
    if outlet.visit is not None:
        return
    if wish.profile is not None:
        install_for_start(outlet, wish.profile)
    Visit(outlet, wish.token, wish.kind).begin_remote(now, until, wish.number, wish.parent or None)


_ENDLESS = 24 * 3600.0
"""Seconds until a driver leaves for whom no profile sets a time."""


def remote_start_16(station: Station, request: Request, _: Request) -> Deed:
    """Start a transaction where the connector is free for this tag (OCPP 1.6 §5.11)."""
    wanted = request.get("connectorId")
    outlets = [outlet for outlet in station.outlets if wanted is None or outlet.place.number == wanted]
    return _start(station, outlets, _Wish(request["idTag"], "ISO14443", None, "", request.get("chargingProfile")))


def request_start(station: Station, request: Request, _: Request) -> Deed:
    """Start a transaction where the EVSE is free for this token (OCPP 2.x F01 and F02)."""
    wanted, id_token = request.get("evseId"), request["idToken"]
    outlets = [outlet for outlet in station.outlets if wanted is None or outlet.place.evse_id == wanted]
    group = request.get("groupIdToken")
    parent = "" if group is None else token_2x(group)[0]
    wish = _Wish(
        id_token["idToken"], id_token["type"], request["remoteStartId"], parent, request.get("chargingProfile")
    )
    return _start(station, outlets, wish)


def remote_stop(station: Station, request: Request, _: Request) -> Deed:
    """Stop the transaction that is named."""
    visit = ongoing(station, request["transactionId"])
    return Deed("Rejected") if visit is None else Deed(then=partial(_stop, visit, Ending.REMOTE))


def _stop(visit: Visit, ending: Ending) -> None:
    visit.stop(ending, visit.fleet.clock())


def transaction_status(station: Station, request: Request, answer: Request) -> Deed:
    """Tell what is still going on (OCPP 2.x E14)."""
    answer["messagesInQueue"] = station.messages_waiting > 0
    if "ongoingIndicator" in answer:
        answer["ongoingIndicator"] = ongoing(station, request["transactionId"]) is not None
    return Deed()


def unlock_16(station: Station, request: Request, _: Request) -> Deed:
    """Unlock, which ends a transaction (OCPP 1.6 §5.18)."""
    outlet = next(outlet for outlet in station.outlets if outlet.place.number == request["connectorId"])
    return Deed() if outlet.visit is None else Deed(then=partial(_stop, outlet.visit, Ending.UNLOCKED))


def unlock_2x(station: Station, request: Request, _: Request) -> Deed:
    """Unlock where nobody charges (OCPP 2.x F05)."""
    place: Any = request["evseId"], request["connectorId"]
    busy = any((visit.place.evse_id, visit.place.connector_id) == place for visit in charging(station))
    return Deed("OngoingAuthorizedTransaction" if busy else None)
