"""The TransactionEvents of 2.x sessions, as data."""

from __future__ import annotations

from typing import Any

import msgspec

from fixtures.payloads import v2x
from interop_suite.claims.checks import answered
from interop_suite.drive.probe import now
from interop_suite.steps.charging import Charging, meter_value, signed

__all__ = [
    "AUTHORIZED",
    "AVAILABLE",
    "CHARGING",
    "ENDED_BY_CAR",
    "ENDED_BY_POWER",
    "ENDED_DEAUTHORIZED",
    "ENDED_DEPARTED",
    "ENDED_LOCALLY",
    "ENDED_REMOTE",
    "ENDED_TIMEOUT",
    "ENDED_UNPLUGGED",
    "NO_EVSE",
    "OCCUPIED",
    "PLUGGED_IN",
    "POWER_OFF",
    "STARTED_BY_BAY",
    "STARTED_BY_CABLE",
    "STARTED_BY_ENERGY",
    "STARTED_BY_POWER_PATH",
    "STARTED_BY_SIGNATURE",
    "STARTED_BY_TOKEN",
    "STARTED_ELSEWHERE",
    "STOP_SHOWN",
    "SUSPENDED",
    "UNPLUGGED",
    "ConnectorStatus",
    "Reading",
    "SessionEvent",
    "answers_all",
    "event",
]

answers_all = answered("TransactionEvent", claim="Every TransactionEvent is answered")


class Reading(msgspec.Struct, frozen=True):
    """The energy register as an event tells it, in Wh."""

    watt_hours: int
    context: str
    signed: bool = False

    def write(self) -> dict[str, Any]:
        """Write it with the present time."""
        plain = meter_value(self.watt_hours, self.context)
        return signed(plain, self.watt_hours) if self.signed else plain


class SessionEvent(msgspec.Struct, frozen=True, kw_only=True):
    """One TransactionEvent; the token goes with it where the driver shows one."""

    kind: str
    trigger: str
    token: bool = False
    readings: tuple[Reading, ...] = ()
    fields: dict[str, Any] = {}

    def send(self, charging: Charging) -> None:
        """Send it as the next event of a session."""
        token = {"token": charging.identified()} if self.token else {}
        readings = {"meter_value": [reading.write() for reading in self.readings]} if self.readings else {}
        charging.event(self.kind, self.trigger, **token, **readings, **self.fields)


class ConnectorStatus(msgspec.Struct, frozen=True):
    """What the station tells of the connector of a session."""

    value: str

    def send(self, charging: Charging) -> None:
        """Send it for the connector of the session."""
        payload = v2x.status_notification(charging.connector, charging.plug, self.value, now())
        charging.station.call("StatusNotification", payload)


def event(kind: str, trigger: str, *readings: Reading, token: bool = False, **fields: Any) -> SessionEvent:
    """Write one event."""
    return SessionEvent(kind=kind, trigger=trigger, token=token, readings=readings, fields=fields)


NO_EVSE: dict[str, Any] = {"evse_id": None}
"""Of an event that comes before the driver has chosen where to charge."""
OCCUPIED = ConnectorStatus("Occupied")
AVAILABLE = ConnectorStatus("Available")
STARTED_BY_CABLE = event("Started", "CablePluggedIn", charging_state="EVConnected")
STARTED_BY_TOKEN = event("Started", "Authorized", token=True)
STARTED_ELSEWHERE = event("Started", "Authorized", token=True, **NO_EVSE)
STARTED_BY_ENERGY = event("Started", "ChargingStateChanged", token=True, charging_state="Charging")
STARTED_BY_POWER_PATH = event("Started", "ChargingStateChanged", token=True, charging_state="SuspendedEVSE")
STARTED_BY_SIGNATURE = event("Started", "SignedDataReceived", Reading(0, "Transaction.Begin", signed=True), token=True)
STARTED_BY_BAY = event("Started", "EVDetected", **NO_EVSE)
AUTHORIZED = event("Updated", "Authorized", token=True, charging_state="EVConnected")
PLUGGED_IN = event("Updated", "CablePluggedIn", charging_state="EVConnected")
CHARGING = event("Updated", "ChargingStateChanged", charging_state="Charging")
SUSPENDED = event("Updated", "ChargingStateChanged", charging_state="SuspendedEV")
STOP_SHOWN = event("Updated", "StopAuthorized", token=True, charging_state="EVConnected")
POWER_OFF = event("Updated", "ChargingStateChanged", charging_state="EVConnected")
UNPLUGGED = event("Updated", "EVCommunicationLost", charging_state="Idle")
ENDED_LOCALLY = event("Ended", "StopAuthorized", stopped_reason="Local", charging_state="EVConnected")
ENDED_BY_POWER = event("Ended", "ChargingStateChanged", stopped_reason="Local", charging_state="EVConnected")
ENDED_BY_CAR = event("Ended", "ChargingStateChanged", stopped_reason="StoppedByEV", charging_state="SuspendedEV")
ENDED_UNPLUGGED = event("Ended", "EVCommunicationLost", stopped_reason="EVDisconnected", charging_state="Idle")
ENDED_DEPARTED = event("Ended", "EVDeparted", stopped_reason="Local", charging_state="Idle")
ENDED_TIMEOUT = event("Ended", "EVConnectTimeout", stopped_reason="Timeout", charging_state="Idle")
ENDED_DEAUTHORIZED = event("Ended", "Deauthorized", stopped_reason="DeAuthorized", charging_state="Idle")
ENDED_REMOTE = event("Ended", "RemoteStop", stopped_reason="Remote", charging_state="EVConnected")
