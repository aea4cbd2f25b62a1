"""Events of the device model of 2.x: alerts, periodic values, what has no value, and what a boot clears."""

from __future__ import annotations

from typing import Any

from fixtures.device import Variable
from fixtures.payloads import v2x
from interop_suite.catalogue import case
from interop_suite.claims.checks import answered, still_serves
from interop_suite.claims.clauses import Clause
from interop_suite.drive.probe import Probe, now
from interop_suite.steps.connections import boot_is_accepted, heartbeat
from interop_suite.steps.obeying import send_events
from interop_suite.steps.v2x import VERSIONS

BLOCK = "Diagnostics"
PROFILE = "Advanced Device Management"
BY_SCHEMA = Clause("201-4", "4.1.7")
TECH_INFO_MAX = 500
"""Characters of techInfo (EventDataType)."""

GROUND = Variable("Connector", "GroundFault", "true", "boolean", evse_id=2, connector_id=1)
POWER = Variable("EVSE", "Power", "7312.5", "decimal", evse_id=1, unit="W")
CURRENT = Variable("EVSE", "Current", "31.5", "decimal", evse_id=2, unit="A")
PASSWORD = Variable("SecurityCtrlr", "BasicAuthPassword", None, mutability="WriteOnly")
TEMPERATURE = Variable("Controller", "Temperature", "86.5", "decimal", unit="Celsius")

every_event_answered = answered("NotifyEvent", claim="Every NotifyEvent is answered")


def _periodic(number: int, variable: Variable, monitor: int) -> dict[str, Any]:
    return v2x.event_data(
        number,
        now(),
        variable,
        variable.value or "",
        trigger="Periodic",
        notification_type="CustomMonitor",
        variable_monitoring_id=monitor,
    )


@case(
    id="TC_N_21_CSMS",
    ocpp=VERSIONS,
    title="A hard-wired alert with as much technical information as fits is acknowledged",
    block=BLOCK,
    profile=PROFILE,
    sends=f"NotifyEvent about a ground fault at EVSE 2, with {TECH_INFO_MAX} characters of techInfo; then a Heartbeat.",
    expects="The CSMS SHALL answer it.",
    clause=BY_SCHEMA,
    defect="event-tech-info-too-long",
    checks=(every_event_answered, still_serves()),
)
def hard_wired(probe: Probe) -> None:
    text = ("residual current 31 mA at L2; contactor opened. " * 11)[:TECH_INFO_MAX]
    event = v2x.event_data(311, now(), GROUND, "true", tech_code="RCD-31")
    send_events(probe.station, [{**event, "techInfo": text}])
    heartbeat(probe.station)


@case(
    id="TC_N_24_CSMS",
    ocpp=VERSIONS,
    title="Values of periodic monitors that come in two parts are acknowledged",
    block=BLOCK,
    profile=PROFILE,
    sends="Two NotifyEvent of one report of periodic values, the first to be continued; then a Heartbeat.",
    expects="The CSMS SHALL answer both.",
    clause=BY_SCHEMA,
    defect="event-second-part-refused",
    checks=(every_event_answered, still_serves()),
)
def periodic_parts(probe: Probe) -> None:
    send_events(probe.station, [_periodic(321, POWER, 41)], [_periodic(322, CURRENT, 42)])
    heartbeat(probe.station)


@case(
    id="TC_N_48_CSMS",
    ocpp=VERSIONS,
    title="An event about a variable that cannot be read carries no value",
    block=BLOCK,
    profile=PROFILE,
    sends="NotifyEvent about the password with an empty actualValue, then a Heartbeat.",
    expects="The CSMS SHALL answer it: a variable that is write-only tells no value.",
    clause=BY_SCHEMA,
    defect="event-without-value-refused",
    checks=(every_event_answered, still_serves()),
)
def write_only(probe: Probe) -> None:
    event = v2x.event_data(331, now(), PASSWORD, "", trigger="Delta", notification_type="PreconfiguredMonitor")
    send_events(probe.station, [event])
    heartbeat(probe.station)


@case(
    id="TC_N_49_CSMS",
    ocpp=VERSIONS,
    title="A threshold alert is cleared after the station has booted again",
    block=BLOCK,
    profile=PROFILE,
    sends="NotifyEvent of a threshold, a BootNotification on a new connection, NotifyEvent that it is cleared.",
    expects="The CSMS SHALL answer both events and accept the boot.",
    clause=BY_SCHEMA,
    defect="monitors-forgotten-with-boot",
    checks=(every_event_answered, boot_is_accepted, still_serves()),
)
def cleared_after_boot(probe: Probe) -> None:
    station = probe.station

    def alert(number: int, value: str, *, cleared: bool | None = None) -> dict[str, Any]:
        return v2x.event_data(
            number,
            now(),
            TEMPERATURE,
            value,
            notification_type="CustomMonitor",
            variable_monitoring_id=43,
            cleared=cleared,
        )

    send_events(station, [alert(341, "86.5")])
    station.disconnect()
    probe.reconnect(station)
    probe.boot(station)
    send_events(station, [alert(342, "61.25", cleared=True)])
    heartbeat(station)


@case(
    id="TC_N_50_CSMS",
    ocpp=VERSIONS,
    title="Values of two periodic monitors that come in one message are acknowledged",
    block=BLOCK,
    profile=PROFILE,
    sends="NotifyEvent with periodic values of two EVSEs, then a Heartbeat.",
    expects="The CSMS SHALL answer it.",
    clause=BY_SCHEMA,
    defect="several-events-refused",
    checks=(every_event_answered, still_serves()),
)
def periodic(probe: Probe) -> None:
    send_events(probe.station, [_periodic(351, POWER, 44), _periodic(352, CURRENT, 45)])
    heartbeat(probe.station)
