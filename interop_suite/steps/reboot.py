"""A 2.x station that starts anew, and tells what it finds at its connectors."""

from __future__ import annotations

from collections.abc import Collection

from fixtures.device import Variable
from fixtures.payloads import v2x
from interop_suite.claims.checks import answered
from interop_suite.drive.probe import Probe, now
from interop_suite.drive.station import ScriptedStation
from interop_suite.steps.connections import boot_is_accepted
from interop_suite.steps.v2x import event_id, status, status_answered

__all__ = ["BOOTED_AGAIN", "reboot", "tell_connectors"]

BOOTS_MAX = 4
PENDING_WAIT_MAX = 5.0
"""Seconds that a station waits at most before it boots again, whatever interval a Pending asks for."""
BOOTED_AGAIN = (boot_is_accepted, status_answered, answered("NotifyEvent", claim="Every NotifyEvent is answered"))


def reboot(probe: Probe, reason: str, *, occupied: Collection[int] = ()) -> None:
    """Leave, come back, boot for a reason until the boot is no longer Pending, and tell the connectors."""
    station = probe.station
    station.disconnect()
    probe.reconnect(station)
    for _ in range(BOOTS_MAX):
        answer = station.call("BootNotification", v2x.boot_notification(station.model, reason))
        if answer.get("status") != "Pending":
            break
        station.listen(min(PENDING_WAIT_MAX, answer.seconds("interval") or 1.0))
    tell_connectors(station, occupied=occupied)


def tell_connectors(station: ScriptedStation, *, occupied: Collection[int] = ()) -> None:
    """Tell every connector's state in both ways of 2.x; `occupied` names EVSEs."""
    for connector in station.model.connectors:
        evse, number = connector.evse_id, connector.connector_id
        value = "Occupied" if evse in occupied else "Available"
        status(station, value, evse=evse, connector=number)
        about = Variable("Connector", "AvailabilityState", value, evse_id=evse, connector_id=number)
        event = v2x.event_data(event_id(), now(), about, value, trigger="Delta")
        station.call("NotifyEvent", v2x.notify_event(0, now(), [event]))
