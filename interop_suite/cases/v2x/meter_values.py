"""Meter values: every way in which readings come, in a session and outside, is answered."""

from __future__ import annotations

import msgspec

from fixtures.csms.defects.v2x_events import event_defect_id
from fixtures.payloads import v2x
from interop_suite.catalogue import case
from interop_suite.claims.checks import answered
from interop_suite.drive.probe import Probe, now
from interop_suite.steps.charging import Charging, meter_value
from interop_suite.steps.courses import EVSE_OF_TWO, Course, add_course
from interop_suite.steps.transaction_events import (
    AUTHORIZED,
    AVAILABLE,
    CHARGING,
    OCCUPIED,
    POWER_OFF,
    STARTED_BY_CABLE,
    STARTED_ELSEWHERE,
    STOP_SHOWN,
    Reading,
    SessionEvent,
    answers_all,
    event,
)
from interop_suite.steps.v2x import EVSE, VERSIONS, meter_values, part6, starts_with_token, status

BLOCK = "Meter Values"
PROFILE = "Core"
MAIN_METER = 0
"""The evseId of the meter for the whole station."""


READINGS = 25
"""Those of six hours, one for each quarter of an hour."""


def _ended(context: str, *, signed: bool = False) -> SessionEvent:
    """End a session with the readings that were taken in it, the last at its end."""
    taken = [Reading(1000 + 60 * number, context, signed=signed) for number in range(1, READINGS)]
    last = Reading(2650, "Transaction.End", signed=signed)
    return event("Ended", "EVCommunicationLost", *taken, last, stopped_reason="EVDisconnected", charging_state="Idle")


BEGIN = Reading(1000, "Transaction.Begin")
STOPPED = (OCCUPIED, STARTED_BY_CABLE, AUTHORIZED, CHARGING, STOP_SHOWN, POWER_OFF, AVAILABLE)

COURSES = (
    Course(
        id="TC_J_03_CSMS",
        title="Clock-aligned readings come with the end of the session",
        clause=part6("J01.FR.18"),
        events=(*STOPPED, _ended("Sample.Clock")),
        defect="several-readings-refused",
    ),
    Course(
        id="TC_J_04_CSMS",
        title="Signed clock-aligned readings come with the end of the session",
        clause=part6("J01.FR.21"),
        events=(*STOPPED, _ended("Sample.Clock", signed=True)),
        defect="signed-reading-refused",
    ),
    Course(
        id="TC_J_07_CSMS",
        title="The reading of the begin comes with the start of the session",
        clause=part6("J02.FR.19"),
        events=(OCCUPIED, event("Started", "CablePluggedIn", BEGIN, charging_state="EVConnected")),
        defect="start-without-token-refused",
    ),
    Course(
        id="TC_J_08_CSMS",
        title="The reading of the begin comes later, when the driver has chosen an EVSE",
        clause=part6("J02.FR.19"),
        events=(
            STARTED_ELSEWHERE,
            OCCUPIED,
            event("Updated", "CablePluggedIn", BEGIN, charging_state="EVConnected"),
            CHARGING,
        ),
        defect="late-begin-reading-refused",
        authorizes=True,
    ),
    Course(
        id="TC_J_10_CSMS",
        title="Sampled readings come with the end of the session",
        clause=part6("J02.FR.19"),
        events=(*STOPPED, _ended("Sample.Periodic")),
        defect="several-readings-refused",
    ),
    Course(
        id="TC_J_11_CSMS",
        title="Signed sampled readings come with the end of the session",
        clause=part6("J02.FR.21"),
        events=(*STOPPED, _ended("Sample.Periodic", signed=True)),
        defect="signed-reading-refused",
    ),
)

for _course in COURSES:
    add_course(msgspec.structs.replace(_course, block=BLOCK))


@case(
    id="TC_J_01_CSMS",
    ocpp=VERSIONS,
    title="Readings outside any session are answered",
    block=BLOCK,
    profile=PROFILE,
    sends="MeterValues of the main meter, which is EVSE 0, and of each idle EVSE, one with a negative power factor.",
    expects="The CSMS SHALL answer them.",
    clause=part6("J01.FR.18"),
    defect="main-meter-refused",
    also=("meter-values-refused", "negative-reading-refused"),
    checks=(answered("MeterValues"),),
)
def idle_readings(probe: Probe) -> None:
    for evse in (MAIN_METER, EVSE, EVSE_OF_TWO):
        meter_values(probe.station, evse=evse)
    reading = {"timestamp": now(), "sampledValue": [{"value": -0.96, "measurand": "Power.Factor"}]}
    probe.station.call("MeterValues", v2x.meter_values(EVSE, [reading]))


@case(
    id="TC_J_02_CSMS",
    ocpp=VERSIONS,
    title="Clock-aligned readings in a session are answered",
    block=BLOCK,
    profile=PROFILE,
    sends="A session with a TransactionEvent Updated by MeterValueClock, MeterValues of the rest, and its end.",
    expects="The CSMS SHALL answer every TransactionEvent and the MeterValues.",
    clause=part6("J01.FR.18"),
    defect=event_defect_id("Updated", "MeterValueClock"),
    also=("main-meter-refused", "event-without-token-info", "token-info-only-when-authorized"),
    checks=(answers_all, starts_with_token(), answered("MeterValues")),
)
def clock_aligned(probe: Probe) -> None:
    charging = Charging(probe.station, probe.any_token(), connector=EVSE_OF_TWO)
    charging.begin()
    meter_values(probe.station, evse=MAIN_METER)
    meter_values(probe.station, evse=EVSE)
    charging.event("Updated", "MeterValueClock", meter_value=[meter_value(1500, "Sample.Clock")])
    charging.end()


@case(
    id="TC_J_09_CSMS",
    ocpp=VERSIONS,
    title="Sampled readings in a session are answered",
    block=BLOCK,
    profile=PROFILE,
    sends="A session with three TransactionEvents Updated by MeterValuePeriodic, and its end.",
    expects="The CSMS SHALL answer every TransactionEvent.",
    clause=part6("J02.FR.19"),
    defect="event-update-unanswered",
    also=("event-without-token-info",),
    checks=(answers_all, starts_with_token()),
)
def sampled(probe: Probe) -> None:
    station = probe.station
    status(station, "Occupied", evse=EVSE_OF_TWO)
    charging = Charging(station, probe.any_token(), connector=EVSE_OF_TWO)
    charging.begin()
    for register in (1500, 1900, 2200):
        charging.sample(register)
    charging.end()
