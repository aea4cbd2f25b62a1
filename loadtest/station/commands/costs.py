"""What a driver is shown of the costs of a running transaction (OCPP 2.x I02)."""

from __future__ import annotations

from functools import partial

from loadtest.station.commands.common import Reaction, Request
from loadtest.station.contract import Controls
from loadtest.station.state.connectors import ongoing

__all__ = ["SHOWN", "UNKNOWN", "cost_updated"]

SHOWN = "cost shown to a driver"
UNKNOWN = "cost of a transaction that does not run here"
"""No fault by itself: the last one may come after the end."""


def cost_updated(station: Controls, request: Request, _: Request) -> Reaction:
    """Show the running cost to the driver."""
    return Reaction(then=partial(_show, station, request["transactionId"], request["totalCost"]))


def _show(station: Controls, transaction_id: str, cost: float) -> None:
    session = ongoing(station, transaction_id)
    station.context.recorder.activity(UNKNOWN if session is None else SHOWN)
    if session is not None:
        session.record.cost(cost)
