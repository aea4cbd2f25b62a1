"""What everybody asks about the connectors of a station: who charges, what is free, and for which token."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import Any

from loadtest.station.contract import Host
from loadtest.station.dialect.contract import Payload
from loadtest.station.state.store import need
from loadtest.station.state.token_turns import TokenTurns
from loadtest.station.views import ChargingSessionView, ConnectorView, ContextView, Phase

__all__ = ["Token", "charging", "evse_busy", "free_connectors", "moment", "ongoing", "token_2x", "token_for"]

Token = tuple[str, str]
"""A token's value and type."""


def charging(station: Host) -> list[ChargingSessionView]:
    """List the charging sessions in which a transaction runs."""
    sessions = [connector.charging_session for connector in station.connectors]
    return [session for session in sessions if session is not None and session.phase is Phase.CHARGING]


def ongoing(station: Host, transaction_id: Any) -> ChargingSessionView | None:
    """Find the running transaction with an id."""
    return next((session for session in charging(station) if session.transaction_id == transaction_id), None)


def evse_busy(station: Host, connector: ConnectorView) -> bool:
    """Return whether a car stands at the connector or at another one of its EVSE."""
    evse = connector.model.evse_id
    return any(other.charging_session for other in station.connectors if other.model.evse_id == evse)


def free_connectors(station: Host, connectors: Iterable[ConnectorView]) -> Iterator[ConnectorView]:
    """Yield the connectors where a car could charge."""
    return (connector for connector in connectors if connector.operative and not evse_busy(station, connector))


def token_for(station: Host, connector: ConnectorView) -> str:
    """Choose the token that the next driver uses at this connector."""
    if not station.lease.more_tokens:
        return station.lease.token_at(connector.model.number)
    return need(station, TokenTurns).next(connector.model.number)


def token_2x(id_token: Payload) -> Token:
    """Read an IdTokenType, whose value knows no case."""
    return id_token["idToken"].upper(), id_token["type"]


def moment(context: ContextView, text: str) -> float | None:
    """Read a time stamp of the CSMS as a moment of the monotonic clock; None for what is not a time stamp."""
    try:
        when = datetime.fromisoformat(text.upper())
        return (when if when.tzinfo else when.replace(tzinfo=UTC)).timestamp() + context.epoch
    except (ValueError, OverflowError):
        return None
