"""Transactions that the CSMS starts, stops, unlocks or asks about."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from typing import NamedTuple

from loadtest.station.charging_session import ChargingSession
from loadtest.station.commands.common import Reaction, Request
from loadtest.station.commands.smart_charging import install_for_start, readable
from loadtest.station.contract import Controls
from loadtest.station.dialect.contract import Ending
from loadtest.station.state.connectors import Token, charging, free_connectors, ongoing, token_2x
from loadtest.station.state.reservations import Claim, claim_of
from loadtest.station.views import ChargingSessionView, ConnectorView

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


def _start(station: Controls, connectors: Iterable[ConnectorView], wish: _Wish) -> Reaction:
    if wish.profile is not None and not readable(station, wish.profile):
        return Reaction("Rejected")
    connector = _connector_for(station, connectors, (wish.token.upper(), wish.kind), wish.parent)
    return Reaction("Rejected") if connector is None else Reaction(then=partial(_begin, station, connector, wish))


def _connector_for(
    station: Controls, connectors: Iterable[ConnectorView], token: Token, parent: str
) -> ConnectorView | None:
    """Choose a free connector, one that is reserved for this very token before any other."""
    open_to_all: ConnectorView | None = None
    for connector in free_connectors(station, connectors):
        claim = claim_of(station, connector, token, parent or None)
        if claim is Claim.OURS:
            return connector
        if claim is Claim.FREE and open_to_all is None:
            open_to_all = connector
    return open_to_all


def _begin(station: Controls, connector: ConnectorView, wish: _Wish) -> None:
    now = station.context.clock()
    until = now + (station.profile.stay(station.draws) or _ENDLESS)
    if connector.charging_session is not None:
        return
    if wish.profile is not None:
        install_for_start(station, connector, wish.profile)
    ChargingSession(station, connector, wish.token, wish.kind).begin_remote(
        now, until, wish.number, wish.parent or None
    )


_ENDLESS = 24 * 3600.0
"""Seconds until a driver leaves for whom no profile sets a time."""


def remote_start_16(station: Controls, request: Request, _: Request) -> Reaction:
    """Start a transaction where the connector is free for this tag (OCPP 1.6 §5.11)."""
    wanted = request.get("connectorId")
    connectors = [connector for connector in station.connectors if wanted is None or connector.model.number == wanted]
    return _start(station, connectors, _Wish(request["idTag"], "ISO14443", None, "", request.get("chargingProfile")))


def request_start(station: Controls, request: Request, _: Request) -> Reaction:
    """Start a transaction where the EVSE is free for this token (OCPP 2.x F01 and F02)."""
    wanted, id_token = request.get("evseId"), request["idToken"]
    connectors = [connector for connector in station.connectors if wanted is None or connector.model.evse_id == wanted]
    group = request.get("groupIdToken")
    parent = "" if group is None else token_2x(group)[0]
    wish = _Wish(
        id_token["idToken"], id_token["type"], request["remoteStartId"], parent, request.get("chargingProfile")
    )
    return _start(station, connectors, wish)


def remote_stop(station: Controls, request: Request, _: Request) -> Reaction:
    """Stop the transaction that is named."""
    charging_session = ongoing(station, request["transactionId"])
    return (
        Reaction("Rejected")
        if charging_session is None
        else Reaction(then=partial(_stop, station, charging_session, Ending.REMOTE))
    )


def _stop(station: Controls, charging_session: ChargingSessionView, ending: Ending) -> None:
    charging_session.stop(ending, station.context.clock())


def transaction_status(station: Controls, request: Request, answer: Request) -> Reaction:
    """Say what is still going on (OCPP 2.x E14)."""
    answer["messagesInQueue"] = station.messages_waiting > 0
    if "ongoingIndicator" in answer:
        answer["ongoingIndicator"] = ongoing(station, request["transactionId"]) is not None
    return Reaction()


def unlock_16(station: Controls, request: Request, _: Request) -> Reaction:
    """Unlock, which ends a transaction (OCPP 1.6 §5.18)."""
    connector = next(connector for connector in station.connectors if connector.model.number == request["connectorId"])
    return (
        Reaction()
        if connector.charging_session is None
        else Reaction(then=partial(_stop, station, connector.charging_session, Ending.UNLOCKED))
    )


def unlock_2x(station: Controls, request: Request, _: Request) -> Reaction:
    """Unlock where nobody charges (OCPP 2.x F05)."""
    wanted = request["evseId"], request["connectorId"]
    busy = any(
        (charging_session.model.evse_id, charging_session.model.connector_id) == wanted
        for charging_session in charging(station)
    )
    return Reaction("OngoingAuthorizedTransaction" if busy else None)
