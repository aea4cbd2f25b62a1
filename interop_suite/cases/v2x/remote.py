"""Remote control: starts from afar, and messages that the operator asks for."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from drivers.base import token_need, trigger_need
from fixtures.csms.defects.v2x_events import event_defect_id
from fixtures.payloads import v2x
from interop_suite.catalogue import case
from interop_suite.claims.checks import answered, asked, noted, still_serves
from interop_suite.claims.clauses import Clause
from interop_suite.claims.expected import one_of, present
from interop_suite.drive.probe import Probe
from interop_suite.steps.charging import Charging, authorize, meter_value
from interop_suite.steps.connections import heartbeat
from interop_suite.steps.courses import EVSE_OF_TWO
from interop_suite.steps.remote_start import remote_start_request
from interop_suite.steps.transaction_events import (
    CHARGING,
    NO_EVSE,
    OCCUPIED,
    PLUGGED_IN,
    STARTED_BY_CABLE,
    answers_all,
)
from interop_suite.steps.v2x import EVSE, VERSIONS, part6, starts_with_token, status
from ocppj.versions import Version

BLOCK = "Remote Control"
PROFILE = "Core"
REMOTE_START = (token_need("Accepted"), trigger_need("RequestStartTransaction"))
asks_to_start = asked(
    "RequestStartTransaction", {"idToken.idToken": present(), "idToken.type": present(), "remoteStartId": present()}
)


def _order(probe: Probe, charging: Charging, *, running: bool = False) -> int | None:
    """Have the operator start a session; gives the remoteStartId that the CSMS chose, None where it sent nothing."""
    station = probe.station
    answer = {"status": "Accepted", **({"transactionId": str(charging.id)} if running else {})}
    station.reply("RequestStartTransaction", answer)
    probe.command("RequestStartTransaction", remote_start_request(Version.V201, charging.token))
    request = station.expect("RequestStartTransaction")
    if request is None:
        return None
    given = (request.get("idToken") or {}).get("idToken")
    station.note(token_as_asked=[str(given).upper() == charging.token.upper(), given])
    number = request.get("remoteStartId")
    return number if isinstance(number, int) else 0


def _start(probe: Probe, *, authorizes: bool = False) -> Charging:
    """Start from afar, before the cable is plugged in."""
    station = probe.station
    charging = Charging(station, probe.token(), connector=EVSE_OF_TWO)
    number = _order(probe, charging)
    if number is not None:
        if authorizes:
            authorize(station, charging.token)
        charging.event("Started", "RemoteStart", token=charging.identified(), remote_start_id=number, **NO_EVSE)
    return charging


START_CHECKS = (
    asks_to_start,
    noted("token_as_asked", "RequestStartTransaction carries the token that the operator named"),
    answers_all,
    starts_with_token("Accepted"),
)
START_DEFECTS = (
    event_defect_id("Started", "RemoteStart"),
    "event-without-token-info",
    "token-info-only-when-authorized",
)


@case(
    id="TC_F_01_CSMS",
    ocpp=VERSIONS,
    title="Remote start while the cable is already plugged in",
    block=BLOCK,
    profile=PROFILE,
    initiator="csms",
    needs=REMOTE_START,
    sends="A session that the cable starts, Accepted with its id to RequestStartTransaction, the event, and Charging.",
    expects="The CSMS SHALL send RequestStartTransaction with token and remoteStartId, and answer the events.",
    clause=part6("F01.FR.01"),
    defect=event_defect_id("Updated", "RemoteStart"),
    also=("event-without-token-info", "token-info-only-when-authorized", event_defect_id("Started", "CablePluggedIn")),
    checks=START_CHECKS,
)
def cable_first(probe: Probe) -> None:
    charging = Charging(probe.station, probe.token(), connector=EVSE_OF_TWO)
    OCCUPIED.send(charging)
    STARTED_BY_CABLE.send(charging)
    number = _order(probe, charging, running=True)
    if number is not None:
        charging.event("Updated", "RemoteStart", token=charging.identified(), remote_start_id=number)
        CHARGING.send(charging)


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
    also=(*START_DEFECTS, event_defect_id("Updated", "CablePluggedIn")),
    checks=(*START_CHECKS, answered("Authorize", {"idTokenInfo.status": one_of("Accepted")})),
)
def remote_start_first(probe: Probe) -> None:
    _plug_in(_start(probe, authorizes=True))


@case(
    id="TC_F_03_CSMS",
    ocpp=VERSIONS,
    title="Remote start first; the station does not authorize the token",
    block=BLOCK,
    profile=PROFILE,
    initiator="csms",
    needs=REMOTE_START,
    sends="Accepted to RequestStartTransaction, the start of a session with its token, the cable, and Charging.",
    expects="The CSMS SHALL send RequestStartTransaction with the token and its type, and answer the events.",
    clause=part6("F02.FR.01"),
    defect="request-start-of-another-token-type",
    also=(*START_DEFECTS, event_defect_id("Updated", "CablePluggedIn")),
    checks=START_CHECKS,
)
def remote_start_unauthorized(probe: Probe) -> None:
    _plug_in(_start(probe))


def _plug_in(charging: Charging) -> None:
    if charging.events:
        OCCUPIED.send(charging)
        PLUGGED_IN.send(charging)
        CHARGING.send(charging)


@case(
    id="TC_F_04_CSMS",
    ocpp=VERSIONS,
    title="Remote start first; no cable comes in time",
    block=BLOCK,
    profile=PROFILE,
    initiator="csms",
    needs=REMOTE_START,
    sends="Accepted to RequestStartTransaction, the start of a session, and EVConnectTimeout.",
    expects="The CSMS SHALL send RequestStartTransaction with the token and its type, and answer the events.",
    clause=part6("E03.FR.05"),
    defect=event_defect_id("Updated", "EVConnectTimeout"),
    also=START_DEFECTS,
    checks=START_CHECKS,
)
def remote_start_in_vain(probe: Probe) -> None:
    charging = _start(probe)
    if charging.events:
        charging.event("Updated", "EVConnectTimeout", **NO_EVSE)


@case(
    id="TC_F_06_CSMS",
    ocpp=VERSIONS,
    title="Unlock a connector",
    block=BLOCK,
    profile=PROFILE,
    initiator="csms",
    needs=(trigger_need("UnlockConnector"),),
    sends="Unlocked to UnlockConnector, for the first connector of the second EVSE; then a Heartbeat.",
    expects="The CSMS SHALL send UnlockConnector with the EVSE and the connector that its operator named.",
    clause=part6("TC_F_06_CSMS"),
    defect="unlock-swaps-evse-and-connector",
    checks=(
        asked("UnlockConnector", {"evseId": one_of(EVSE_OF_TWO), "connectorId": one_of(1)}),
        still_serves(),
    ),
)
def unlock(probe: Probe) -> None:
    probe.station.reply("UnlockConnector", {"status": "Unlocked"})
    probe.command("UnlockConnector", {"evseId": EVSE_OF_TWO, "connectorId": 1})
    heartbeat(probe.station)


class Triggered(msgspec.Struct, frozen=True, kw_only=True):
    """A message that the operator has the station send."""

    id: str
    title: str
    message: str
    clause: Clause
    defect: str
    also: tuple[str, ...] = ()
    place: dict[str, int] = {}
    """The EVSE, and maybe the connector, that the operator names; empty for the whole station."""
    whole: bool = False
    """Whether a place that nobody named would make it another order."""
    occupied: bool = False
    """Whether the station reports beforehand that its connector is in use."""
    sessions: int = 0
    """How many sessions run, the first at the EVSE with two connectors."""
    send: Callable[[Probe, list[Charging]], object]


def _readings(*evses: int) -> Callable[[Probe, list[Charging]], object]:
    reading = [meter_value(1300, "Trigger")]
    return lambda probe, _: [probe.station.call("MeterValues", v2x.meter_values(evse, reading)) for evse in evses]


def _states(_probe: Probe, sessions: list[Charging]) -> None:
    for number, charging in enumerate(sessions):
        reading = [meter_value(1500 + 300 * number, "Trigger")]
        charging.event("Updated", "Trigger", charging_state="Charging", meter_value=reading)


def _status(value: str, connector: int) -> Callable[[Probe, list[Charging]], object]:
    return lambda probe, _: status(probe.station, value, evse=EVSE_OF_TWO, connector=connector)


TRIGGERED = (
    Triggered(
        id="TC_F_11_CSMS",
        title="The operator has the station send the readings of one EVSE",
        message="MeterValues",
        clause=part6("F06.FR.02"),
        defect="trigger-drops-evse",
        place={"id": EVSE_OF_TWO},
        send=_readings(EVSE_OF_TWO),
    ),
    Triggered(
        id="TC_F_12_CSMS",
        title="The operator has the station send the readings of all EVSEs",
        message="MeterValues",
        clause=part6("F06.FR.01"),
        defect="trigger-sent-for-one-evse",
        whole=True,
        send=_readings(EVSE, EVSE_OF_TWO),
    ),
    Triggered(
        id="TC_F_13_CSMS",
        title="The operator has the station send the state of the session at one EVSE",
        message="TransactionEvent",
        clause=part6("F06.FR.02"),
        defect=event_defect_id("Updated", "Trigger"),
        also=("trigger-drops-evse",),
        place={"id": EVSE_OF_TWO},
        sessions=1,
        send=_states,
    ),
    Triggered(
        id="TC_F_14_CSMS",
        title="The operator has the station send the state of the sessions at all EVSEs",
        message="TransactionEvent",
        clause=part6("F06.FR.01"),
        defect="trigger-sent-for-one-evse",
        also=(event_defect_id("Updated", "Trigger"),),
        whole=True,
        sessions=2,
        send=_states,
    ),
    Triggered(
        id="TC_F_15_CSMS",
        title="The operator has the station send the status of its log upload",
        message="LogStatusNotification",
        clause=part6("F06.FR.01"),
        defect="log-status-refused",
        send=lambda probe, _: probe.station.call("LogStatusNotification", v2x.log_status_notification("Idle")),
    ),
    Triggered(
        id="TC_F_18_CSMS",
        title="The operator has the station send the status of its firmware",
        message="FirmwareStatusNotification",
        clause=part6("F06.FR.01"),
        defect="firmware-status-refused",
        send=lambda probe, _: probe.station.call(
            "FirmwareStatusNotification", v2x.firmware_status_notification("Idle")
        ),
    ),
    Triggered(
        id="TC_F_20_CSMS",
        title="The operator has the station send a heartbeat",
        message="Heartbeat",
        clause=part6("F06.FR.01"),
        defect="trigger-without-message",
        send=lambda probe, _: heartbeat(probe.station),
    ),
    Triggered(
        id="TC_F_23_CSMS",
        title="The operator has the station send the status of a free connector",
        message="StatusNotification",
        clause=part6("F06.FR.13"),
        defect="trigger-for-first-connector",
        also=("trigger-drops-evse",),
        place={"id": EVSE_OF_TWO, "connectorId": 2},
        send=_status("Available", 2),
    ),
    Triggered(
        id="TC_F_24_CSMS",
        title="The operator has the station send the status of a connector in use",
        message="StatusNotification",
        clause=part6("F06.FR.13"),
        defect="trigger-swaps-evse-and-connector",
        also=("trigger-drops-evse",),
        place={"id": EVSE_OF_TWO, "connectorId": 1},
        occupied=True,
        send=_status("Occupied", 1),
    ),
)


def _sessions(probe: Probe, count: int) -> list[Charging]:
    """Begin sessions at different EVSEs, each with a token of its own where there can be two."""
    places = ((EVSE_OF_TWO, probe.token), (EVSE, probe.another_token))
    sessions = [Charging(probe.station, token(), connector=evse) for evse, token in places[:count]]
    for number, charging in enumerate(sessions):
        charging.begin(1000 + 4000 * number)
    return sessions


def _add(entry: Triggered) -> None:
    place = {"evse": entry.place} if entry.place else {}
    expected = {"requestedMessage": one_of(entry.message)}
    if entry.place:
        expected["evse.id"] = one_of(entry.place["id"])
    if entry.whole:
        expected["evse.id"] = one_of(None, 0)
    needs_token = (token_need("Accepted"),) if entry.sessions else ()

    @case(
        id=entry.id,
        ocpp=VERSIONS,
        title=entry.title,
        block=BLOCK,
        profile=PROFILE,
        initiator="csms",
        needs=(trigger_need("TriggerMessage"), *needs_token),
        sends=f"Accepted to TriggerMessage, and {entry.message}.",
        expects=f"The CSMS SHALL send TriggerMessage for {entry.message}, and answer what comes.",
        clause=entry.clause,
        defect=entry.defect,
        also=entry.also,
        checks=(asked("TriggerMessage", expected), answered(entry.message, claim=f"{entry.message} is answered")),
    )
    def script(probe: Probe) -> None:
        sessions = _sessions(probe, entry.sessions)
        if entry.occupied:
            status(probe.station, "Occupied", evse=EVSE_OF_TWO)
        probe.station.reply("TriggerMessage", {"status": "Accepted"})
        probe.command("TriggerMessage", {"requestedMessage": entry.message, **place})
        entry.send(probe, sessions)


for _entry in TRIGGERED:
    _add(_entry)


@case(
    id="TC_F_100_CSMS",
    ocpp="2.1",
    title="The operator has the station send a message that its vendor made up",
    block=BLOCK,
    profile=PROFILE,
    initiator="csms",
    needs=(trigger_need("TriggerMessage"),),
    sends="NotImplemented to TriggerMessage for a CustomTrigger, then a Heartbeat.",
    expects="The CSMS SHALL send TriggerMessage with CustomTrigger and the name of the trigger, and go on.",
    clause=Clause("21-4", "4.1.7"),
    defect="custom-trigger-without-name",
    also=("closes-after-trigger-not-implemented",),
    checks=(
        asked(
            "TriggerMessage",
            {"requestedMessage": one_of("CustomTrigger"), "customTrigger": one_of("PlugstormInsulationTest")},
        ),
        still_serves(),
    ),
)
def custom_trigger(probe: Probe) -> None:
    probe.station.reply("TriggerMessage", {"status": "NotImplemented"})
    order = {"requestedMessage": "CustomTrigger", "customTrigger": "PlugstormInsulationTest"}
    probe.command("TriggerMessage", order)
    heartbeat(probe.station)
