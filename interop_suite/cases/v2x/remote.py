"""Remote control: starts from afar, and messages that the operator asks for."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from drivers.base import token_need, trigger_need
from fixtures.csms.defects.v2x_events import event_defect_id
from fixtures.payloads import v2x
from interop_suite.catalogue import case
from interop_suite.claims.checks import answered, asked, noted
from interop_suite.claims.clauses import Clause
from interop_suite.claims.expected import one_of, present
from interop_suite.drive.probe import Probe
from interop_suite.steps.charging import Charging, authorize, meter_value
from interop_suite.steps.connections import heartbeat
from interop_suite.steps.remote_start import remote_start_request
from interop_suite.steps.transaction_events import CHARGING, answers_all
from interop_suite.steps.v2x import EVSE, VERSIONS, meter_values, part6, starts_with_token, status
from ocppj.versions import Version

BLOCK = "Remote Control"
PROFILE = "Core"
REMOTE_START = (token_need("Accepted"), trigger_need("RequestStartTransaction"))
asks_to_start = asked(
    "RequestStartTransaction", {"idToken.idToken": present(), "idToken.type": present(), "remoteStartId": present()}
)


def _start(probe: Probe, *, authorizes: bool) -> None:
    station, token = probe.station, probe.token()
    station.reply("RequestStartTransaction", {"status": "Accepted"})
    probe.command("RequestStartTransaction", remote_start_request(Version.V201, token))
    request = station.expect("RequestStartTransaction")
    if request is None:
        return
    given = (request.get("idToken") or {}).get("idToken")
    station.note(token_as_asked=[str(given).upper() == token.upper(), given])
    charging = Charging(station, token)
    if authorizes:
        authorize(station, token)
    charging.event(
        "Started",
        "RemoteStart",
        token=charging.identified(),
        charging_state="EVConnected",
        remote_start_id=int(request.get("remoteStartId", 0)),
    )
    CHARGING.send(charging)


START_CHECKS = (
    asks_to_start,
    noted("token_as_asked", "RequestStartTransaction carries the token that the operator named"),
    answers_all,
    starts_with_token("Accepted"),
)
START_DEFECTS = (event_defect_id("Started", "RemoteStart"), "event-without-token-info")


@case(
    id="TC_F_01_CSMS",
    ocpp=VERSIONS,
    title="Remote start while the cable is already plugged in",
    block=BLOCK,
    profile=PROFILE,
    initiator="csms",
    needs=REMOTE_START,
    sends="Accepted to RequestStartTransaction, then the start of a session with the remoteStartId, and Charging.",
    expects="The CSMS SHALL send RequestStartTransaction with token and remoteStartId, and answer the events.",
    clause=part6("F01.FR.01"),
    defect=event_defect_id("Started", "RemoteStart"),
    also=("event-without-token-info",),
    checks=START_CHECKS,
)
def cable_first(probe: Probe) -> None:
    status(probe.station, "Occupied")
    _start(probe, authorizes=False)


@case(
    id="TC_F_02_CSMS",
    ocpp=VERSIONS,
    title="Remote start first; the station authorizes the token",
    block=BLOCK,
    profile=PROFILE,
    initiator="csms",
    needs=REMOTE_START,
    sends="Accepted to RequestStartTransaction, Authorize with its token, then the start of a session, and Charging.",
    expects="The CSMS SHALL send RequestStartTransaction, accept the token that it sent, and answer the events.",
    clause=part6("F02.FR.01"),
    defect="request-start-without-token",
    also=START_DEFECTS,
    checks=(*START_CHECKS, answered("Authorize", {"idTokenInfo.status": one_of("Accepted")})),
)
def remote_start_first(probe: Probe) -> None:
    _start(probe, authorizes=True)


class Triggered(msgspec.Struct, frozen=True, kw_only=True):
    """A message that the operator has the station send."""

    id: str
    title: str
    message: str
    clause: Clause
    defect: str
    also: tuple[str, ...] = ()
    evse: bool = False
    send: Callable[[Probe], object]


def _running(probe: Probe) -> Any:
    charging = Charging(probe.station, probe.token())
    charging.begin()
    return charging.event("Updated", "Trigger", meter_value=[meter_value(1500, "Trigger")])


TRIGGERED = (
    Triggered(
        id="TC_F_11_CSMS",
        title="The operator has the station send the readings of one EVSE",
        message="MeterValues",
        clause=part6("F06.FR.02"),
        defect="trigger-drops-evse",
        evse=True,
        send=lambda probe: meter_values(probe.station),
    ),
    Triggered(
        id="TC_F_13_CSMS",
        title="The operator has the station send the state of a session",
        message="TransactionEvent",
        clause=part6("F06.FR.02"),
        defect=event_defect_id("Updated", "Trigger"),
        also=("trigger-drops-evse",),
        evse=True,
        send=_running,
    ),
    Triggered(
        id="TC_F_15_CSMS",
        title="The operator has the station send the status of its log upload",
        message="LogStatusNotification",
        clause=part6("F06.FR.01"),
        defect="log-status-refused",
        send=lambda probe: probe.station.call("LogStatusNotification", v2x.log_status_notification("Idle")),
    ),
    Triggered(
        id="TC_F_18_CSMS",
        title="The operator has the station send the status of its firmware",
        message="FirmwareStatusNotification",
        clause=part6("F06.FR.01"),
        defect="firmware-status-refused",
        send=lambda probe: probe.station.call("FirmwareStatusNotification", v2x.firmware_status_notification("Idle")),
    ),
    Triggered(
        id="TC_F_20_CSMS",
        title="The operator has the station send a heartbeat",
        message="Heartbeat",
        clause=part6("F06.FR.01"),
        defect="trigger-without-message",
        send=lambda probe: heartbeat(probe.station),
    ),
    Triggered(
        id="TC_F_23_CSMS",
        title="The operator has the station send the status of a connector",
        message="StatusNotification",
        clause=part6("F06.FR.13"),
        defect="trigger-drops-evse",
        evse=True,
        send=lambda probe: status(probe.station, "Available"),
    ),
)


def _add(entry: Triggered) -> None:
    evse = {"evse": {"id": EVSE, "connectorId": 1}} if entry.evse else {}
    expected = {"requestedMessage": one_of(entry.message)}
    if entry.evse:
        expected["evse.id"] = one_of(EVSE)

    @case(
        id=entry.id,
        ocpp=VERSIONS,
        title=entry.title,
        block=BLOCK,
        profile=PROFILE,
        initiator="csms",
        needs=(trigger_need("TriggerMessage"), *((token_need("Accepted"),) if entry.send is _running else ())),
        sends=f"Accepted to TriggerMessage, and {entry.message}.",
        expects=f"The CSMS SHALL send TriggerMessage for {entry.message}, and answer what comes.",
        clause=entry.clause,
        defect=entry.defect,
        also=entry.also,
        checks=(asked("TriggerMessage", expected), answered(entry.message, claim=f"{entry.message} is answered")),
    )
    def script(probe: Probe) -> None:
        probe.station.reply("TriggerMessage", {"status": "Accepted"})
        probe.command("TriggerMessage", {"requestedMessage": entry.message, **evse})
        entry.send(probe)


for _entry in TRIGGERED:
    _add(_entry)
