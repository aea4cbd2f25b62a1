"""A driver whom the CSMS sends to swap a battery (OCPP 2.1 S02)."""

from __future__ import annotations

from functools import partial

from loadtest.station.commands.common import Reaction, Request
from loadtest.station.contract import Controls
from loadtest.station.state.battery_bay import BatteryBay
from loadtest.station.state.store import need

__all__ = ["request_battery_swap"]


def request_battery_swap(station: Controls, request: Request, _: Request) -> Reaction:
    """Swap for the driver that the CSMS names; Rejected where nothing can be swapped, or not now."""
    swaps = station.profile.swaps
    if swaps is None or not need(station, BatteryBay).ready:
        return Reaction("Rejected")
    return Reaction(then=partial(_swap, station, request["idToken"], request["requestId"]))


def _swap(station: Controls, token: Request, request_id: int) -> None:
    swaps, bay = station.profile.swaps, need(station, BatteryBay)
    if swaps is not None and bay.ready:
        context = station.context
        bay.swap(token, context.draw(swaps.takes, station.draws), context.clock(), request_id)
