"""The TransactionEvents of 2.x sessions, as data."""

from __future__ import annotations

from typing import Any

import msgspec

from interop_suite.claims.checks import answered
from interop_suite.steps.charging import Charging

__all__ = [
    "AUTHORIZED",
    "CHARGING",
    "ENDED_DEAUTHORIZED",
    "ENDED_DEPARTED",
    "ENDED_REMOTE",
    "ENDED_TIMEOUT",
    "ENDED_UNPLUGGED",
    "PLUGGED_IN",
    "STARTED_BY_BAY",
    "STARTED_BY_CABLE",
    "STARTED_BY_ENERGY",
    "STARTED_BY_TOKEN",
    "STOP_SHOWN",
    "UNPLUGGED",
    "SessionEvent",
    "answers_all",
    "event",
]

answers_all = answered("TransactionEvent", claim="Every TransactionEvent is answered")


class SessionEvent(msgspec.Struct, frozen=True, kw_only=True):
    """One TransactionEvent; the token goes with it where the driver shows one."""

    kind: str
    trigger: str
    token: bool = False
    fields: dict[str, Any] = {}

    def send(self, charging: Charging) -> None:
        """Send it as the next event of a session."""
        token = {"token": charging.identified()} if self.token else {}
        charging.event(self.kind, self.trigger, **token, **self.fields)


def event(kind: str, trigger: str, *, token: bool = False, **fields: Any) -> SessionEvent:
    """Write one event."""
    return SessionEvent(kind=kind, trigger=trigger, token=token, fields=fields)


STARTED_BY_CABLE = event("Started", "CablePluggedIn", charging_state="EVConnected")
STARTED_BY_TOKEN = event("Started", "Authorized", token=True)
STARTED_BY_ENERGY = event("Started", "ChargingStateChanged", token=True, charging_state="Charging")
STARTED_BY_BAY = event("Started", "EVDetected")
AUTHORIZED = event("Updated", "Authorized", token=True, charging_state="EVConnected")
PLUGGED_IN = event("Updated", "CablePluggedIn", charging_state="EVConnected")
CHARGING = event("Updated", "ChargingStateChanged", charging_state="Charging")
STOP_SHOWN = event("Updated", "StopAuthorized", token=True, charging_state="EVConnected")
UNPLUGGED = event("Updated", "EVCommunicationLost", charging_state="Idle")
ENDED_UNPLUGGED = event("Ended", "EVCommunicationLost", stopped_reason="EVDisconnected", charging_state="Idle")
ENDED_DEPARTED = event("Ended", "EVDeparted", stopped_reason="Local", charging_state="Idle")
ENDED_TIMEOUT = event("Ended", "EVConnectTimeout", stopped_reason="Timeout", charging_state="Idle")
ENDED_DEAUTHORIZED = event("Ended", "Deauthorized", stopped_reason="DeAuthorized", charging_state="Idle")
ENDED_REMOTE = event("Ended", "RemoteStop", stopped_reason="Remote", charging_state="EVConnected")
