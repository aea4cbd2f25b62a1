"""Remote Trigger: each message that can be asked for, and a station that refuses."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from drivers.base import trigger_need
from fixtures.payloads import v16
from interop_suite.catalogue import case
from interop_suite.claims.checks import answered, asked, still_serves
from interop_suite.claims.clauses import Clause
from interop_suite.claims.expected import one_of
from interop_suite.drive.probe import Probe, now
from interop_suite.drive.station import ScriptedStation
from interop_suite.steps.connections import heartbeat
from interop_suite.steps.v16 import CONNECTOR

BLOCK = "Remote Trigger"

# What a station sends when it is asked for a message. BootNotification is not among them: once a boot is accepted, a
# CSMS should not ask for another one (errata 2024-09 §3.40), and one that refuses its operator is right.
_MESSAGES: dict[str, Callable[[ScriptedStation], dict[str, Any]]] = {
    "MeterValues": lambda _: v16.meter_values(
        CONNECTOR, [{"timestamp": now(), "sampledValue": [{"value": "1000", "unit": "Wh"}]}]
    ),
    "Heartbeat": lambda _: {},
    "StatusNotification": lambda _: v16.status_notification(CONNECTOR, "Available", timestamp=now()),
    "DiagnosticsStatusNotification": lambda _: {"status": "Idle"},
    "FirmwareStatusNotification": lambda _: {"status": "Idle"},
}
_FOR_A_CONNECTOR = ("MeterValues", "StatusNotification")


@case(
    id="TC_054_CSMS",
    ocpp="1.6",
    title="The operator triggers each message, and the CSMS answers what arrives",
    block=BLOCK,
    initiator="csms",
    needs=(trigger_need("TriggerMessage"),),
    sends="Accepted to each TriggerMessage, and the message that it asks for.",
    expects="The CSMS SHALL send TriggerMessage for each message that its operator names, and answer that message.",
    clause=Clause("1.6", "5.17"),
    defect="trigger-without-message",
    also=("refuses-words-in-FirmwareStatusNotification", "trigger-message-for-another-message"),
    checks=(
        *(asked("TriggerMessage", {"requestedMessage": one_of(name)}) for name in _MESSAGES),
        *(answered(name) for name in _MESSAGES),
    ),
)
def trigger_each(probe: Probe) -> None:
    station = probe.station
    station.reply("TriggerMessage", {"status": "Accepted"})
    for name, payload in _MESSAGES.items():
        request: dict[str, Any] = {"requestedMessage": name}
        if name in _FOR_A_CONNECTOR:
            request["connectorId"] = CONNECTOR
        probe.command("TriggerMessage", request)
        station.call(name, payload(station))


@case(
    id="TC_055_CSMS",
    ocpp="1.6",
    title="The station rejects a triggered message",
    block=BLOCK,
    initiator="csms",
    needs=(trigger_need("TriggerMessage"),),
    sends="The answer Rejected to TriggerMessage, then a Heartbeat.",
    expects="The CSMS SHALL send TriggerMessage, take the answer and go on serving.",
    clause=Clause("1.6", "5.17"),
    defect="closes-after-trigger-rejected",
    also=("trigger-message-for-another-message",),
    checks=(asked("TriggerMessage", {"requestedMessage": one_of("MeterValues")}), still_serves()),
)
def trigger_rejected(probe: Probe) -> None:
    probe.station.reply("TriggerMessage", {"status": "Rejected"})
    probe.command("TriggerMessage", {"requestedMessage": "MeterValues", "connectorId": CONNECTOR})
    heartbeat(probe.station)
