"""What concerns the station as a whole: reset, availability, the cache, and messages only vendors understand."""

from __future__ import annotations

from functools import partial

from fixtures.payloads.v16 import data_transfer as data_transfer_payload
from loadtest.station.commands.common import Reaction, Request
from loadtest.station.contract import Controls
from loadtest.station.dialect.contract import Ending
from loadtest.station.state.connectors import charging
from loadtest.station.state.firmware import Firmware
from loadtest.station.state.reservations import Reservations
from loadtest.station.state.settings import flag
from loadtest.station.state.store import peek
from loadtest.station.views import ConnectorView

__all__ = ["availability_2x", "availability_16", "clear_cache", "data_transfer", "reset_2x", "reset_16"]


def reset_16(station: Controls, request: Request, _: Request) -> Reaction:
    """Restart, softly or hard (OCPP 1.6 §5.14)."""
    ending = Ending.HARD_RESET if request["type"] == "Hard" else Ending.SOFT_RESET
    return Reaction(then=partial(station.reboot, ending))


def reset_2x(station: Controls, request: Request, _: Request) -> Reaction:
    """Restart, at once or when the last driver has left (OCPP 2.x B11 and B12)."""
    if "evseId" in request:
        # These stations cannot restart one EVSE alone (AllowReset is absent from their device model).
        return Reaction("Rejected")
    if request["type"] == "OnIdle" and charging(station):
        return Reaction("Scheduled", partial(setattr, station, "reset_when_idle", True))
    return Reaction(then=partial(station.reboot, Ending.SOFT_RESET))


def availability_16(station: Controls, request: Request, _: Request) -> Reaction:
    """Take connectors out of service, or back (OCPP 1.6 §5.2)."""
    number = request["connectorId"]
    connectors = [connector for connector in station.connectors if number in (0, connector.model.number)]
    return _availability(station, connectors, operative=request["type"] == "Operative")


def availability_2x(station: Controls, request: Request, _: Request) -> Reaction:
    """Take an EVSE, one of its connectors or everything out of service, or back (OCPP 2.x G03 and G04)."""
    evse = request.get("evse", {})
    evse_id, connector_id = evse.get("id"), evse.get("connectorId")
    connectors = [
        connector
        for connector in station.connectors
        if evse_id in (None, 0, connector.model.evse_id) and connector_id in (None, connector.model.connector_id)
    ]
    return _availability(station, connectors, operative=request["operationalStatus"] == "Operative")


def _availability(station: Controls, connectors: list[ConnectorView], *, operative: bool) -> Reaction:
    waits = not operative and any(connector.charging_session for connector in connectors)
    return Reaction("Scheduled" if waits else None, partial(_switch, station, connectors, operative=operative))


def _switch(station: Controls, connectors: list[ConnectorView], *, operative: bool) -> None:
    now, firmware = station.context.clock(), peek(station, Firmware)
    if firmware is not None and firmware.switch({one.model.number for one in connectors}, operative=operative):
        return
    for connector in connectors:
        connector.operative = operative
    reservations = None if operative else peek(station, Reservations)
    if reservations is not None:
        reservations.withdraw(connectors, now)
    for connector in connectors:
        if connector.charging_session is None:
            connector.rest(now)


def clear_cache(station: Controls, _: Request, __: Request) -> Reaction:
    """Forget whom the CSMS has accepted, where that is remembered at all (OCPP 1.6 §5.3, 2.x C11)."""
    return Reaction(None if flag(station, "cache") else "Rejected")


def data_transfer(station: Controls, request: Request, answer: Request) -> Reaction:
    """Answer the messages of the station's own vendor: `echo` returns its data, `call-back` makes the station send one.

    Anything else of this vendor is an unknown message, and every other vendor an unknown one (OCPP 1.6 §5.5, 2.x P01).
    """
    message = request.get("messageId")
    if message not in (None, "echo", "call-back"):
        return Reaction("UnknownMessageId")
    if "data" in request:
        answer["data"] = request["data"]
    return Reaction(then=partial(_call_back, station) if message == "call-back" else None)


def _call_back(station: Controls) -> None:
    payload = data_transfer_payload(station.model.vendor, message_id="echo", data=station.individual.serial_number)
    station.call("DataTransfer", payload, station.context.clock())
