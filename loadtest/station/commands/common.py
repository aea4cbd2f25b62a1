"""What the reactions of all features share."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, NamedTuple

from loadtest.station.dialect.contract import Phase

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from loadtest.station.charging_session import ChargingSession, Connector
    from loadtest.station.station import Station

__all__ = [
    "Maker",
    "Reaction",
    "Request",
    "Token",
    "charging",
    "evse_busy",
    "free_connectors",
    "moment",
    "ongoing",
    "parts_of",
    "token_2x",
]

Request = dict[str, Any]
Token = tuple[str, str]
"""A token's value and type."""


class Reaction(NamedTuple):
    """What changes in the plausible answer, and what is to be done after it; None: nothing."""

    status: str | None = None
    then: Callable[[], object] | None = None


Maker = Callable[["Station", Request, Request], Reaction]
"""From the station, a valid request and the plausible answer, which it may change, to the reaction."""


def moment(station: Station, text: str) -> float | None:
    """Read a time stamp of the CSMS as a moment of the monotonic clock; None for what is none."""
    try:
        when = datetime.fromisoformat(text.upper())
        return (when if when.tzinfo else when.replace(tzinfo=UTC)).timestamp() + station.context.epoch
    except (ValueError, OverflowError):
        return None


def token_2x(id_token: Request) -> Token:
    """Read an IdTokenType, whose value knows no case."""
    return id_token["idToken"].upper(), id_token["type"]


def charging(station: Station) -> list[ChargingSession]:
    """List the charging sessions in which a transaction runs."""
    charging_sessions = [connector.charging_session for connector in station.connectors]
    return [
        charging_session
        for charging_session in charging_sessions
        if charging_session is not None and charging_session.phase is Phase.CHARGING
    ]


def ongoing(station: Station, transaction_id: Any) -> ChargingSession | None:
    """Find the running transaction with an id."""
    return next(
        (
            charging_session
            for charging_session in charging(station)
            if charging_session.transaction_id == transaction_id
        ),
        None,
    )


def evse_busy(connector: Connector) -> bool:
    """Tell whether a car stands at the connector or at another one of its EVSE."""
    evse = connector.model.evse_id
    return any(other.charging_session for other in connector.station.connectors if other.model.evse_id == evse)


def free_connectors(connectors: Iterable[Connector]) -> Iterator[Connector]:
    """Yield the connectors where a car could charge."""
    return (connector for connector in connectors if connector.operative and not evse_busy(connector))


def parts_of(items: Sequence[Any], size: int) -> list[Sequence[Any]]:
    """Cut a report into parts; there is always a first one."""
    return [items[start : start + size] for start in range(0, max(1, len(items)), size)]
