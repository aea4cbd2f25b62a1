"""What a CSMS records of sessions that come late, out of order, twice, bit by bit, or in other units."""

from __future__ import annotations

from typing import Any

from drivers.base import token_need
from interop_suite.catalogue import case
from interop_suite.claims.told_sessions import CONTROL, keeps_what_was_told
from interop_suite.drive.probe import Probe
from interop_suite.steps.charging import Charging, meter_value
from interop_suite.steps.courses import EVSE_OF_TWO
from interop_suite.steps.transaction_events import NO_EVSE, answers_all
from interop_suite.steps.transaction_records import is_closed, read_records
from interop_suite.steps.v2x import VERSIONS, part6
from interop_suite.steps.v16 import ago

BLOCK = "Transactions"
NEEDS = (token_need("Accepted"), "transactions")
CHECKS = (answers_all, keeps_what_was_told())
EXPECTS = "The CSMS SHALL have taken over what it confirmed, as in the record of an ordinary session."
PLUG = 2


def _control(probe: Probe) -> None:
    """Have an ordinary session, whose record shows which fields this CSMS keeps."""
    # Where a CSMS numbers the connectors of a station through, the record of this place does not look right by chance.
    charging = Charging(probe.station, probe.token(), connector=EVSE_OF_TWO)
    charging.begin(300, timestamp=ago(minutes=30))
    charging.end(700, timestamp=ago(minutes=20))
    probe.station.note(**{CONTROL: charging.id})


def _session(probe: Probe) -> Charging:
    return Charging(probe.station, probe.another_token(), connector=EVSE_OF_TWO, plug=PLUG)


def _read(probe: Probe, charging: Charging) -> None:
    read_records(probe, is_closed(charging.id))


@case(
    id="ST_23",
    ocpp=VERSIONS,
    title="A session that is told late is recorded with its own times",
    block=BLOCK,
    needs=NEEDS,
    sends="After a reconnect: the whole session of some hours ago, marked as offline.",
    expects=EXPECTS,
    clause=part6("E04.FR.05"),
    defect="late-session-dated-on-arrival",
    also=("sequence-restart-refused", "offline-session-forgotten", "offline-event-refused", "stop-reason-always-local"),
    checks=CHECKS,
)
def late(probe: Probe) -> None:
    _control(probe)
    probe.station.drop()
    probe.reconnect(probe.station)
    charging = _session(probe)
    charging.begin(1000, offline=True, timestamp=ago(hours=3))
    reading = [meter_value(1700, "Sample.Periodic", ago(hours=2.5))]
    more: dict[str, Any] = {"charging_state": "Charging", "meter_value": reading}
    charging.event("Updated", "MeterValuePeriodic", offline=True, timestamp=ago(hours=2.5), **more)
    charging.end(2500, offline=True, timestamp=ago(hours=2), stopped_reason="PowerLoss")
    _read(probe, charging)


@case(
    id="ST_24",
    ocpp=VERSIONS,
    title="A session whose events come in another order is recorded as it was",
    block=BLOCK,
    needs=NEEDS,
    sends="The second event of a session, then its end, its first event, and the third.",
    expects=EXPECTS,
    clause=part6("J02.FR.19"),
    defect="late-start-forgotten",
    also=(
        "sequence-restart-refused",
        "late-start-reopens",
        "late-event-reopens",
        "late-reading-taken-for-end",
        "late-session-dated-on-arrival",
        "offline-session-forgotten",
        "offline-event-refused",
        "event-out-of-order-refused",
        "stop-reason-always-local",
    ),
    checks=CHECKS,
)
def out_of_order(probe: Probe) -> None:
    _control(probe)
    charging = _session(probe)
    more: dict[str, Any] = {"charging_state": "Charging", "offline": True}
    charging.event(
        "Updated",
        "MeterValuePeriodic",
        seq_no=1,
        timestamp=ago(minutes=9),
        meter_value=[meter_value(1300, "Sample.Periodic", ago(minutes=9))],
        **more,
    )
    end = {"stopped_reason": "EVDisconnected", "timestamp": ago(minutes=3), "offline": True}
    charging.end(2500, seq_no=3, **end)
    charging.begin(1000, seq_no=0, timestamp=ago(minutes=10), offline=True)
    charging.event(
        "Updated",
        "MeterValuePeriodic",
        seq_no=2,
        timestamp=ago(minutes=5),
        meter_value=[meter_value(1900, "Sample.Periodic", ago(minutes=5))],
        **more,
    )
    _read(probe, charging)


@case(
    id="ST_25",
    ocpp=VERSIONS,
    title="What comes after the end of a session does not change its end",
    block=BLOCK,
    needs=NEEDS,
    sends="A session with its end, then an event that is older than the end.",
    expects=EXPECTS,
    clause=part6("J02.FR.19"),
    defect="late-event-reopens",
    also=(
        "sequence-restart-refused",
        "late-reading-taken-for-end",
        "offline-event-refused",
        "event-out-of-order-refused",
        "stop-reason-always-local",
    ),
    checks=CHECKS,
)
def after_the_end(probe: Probe) -> None:
    _control(probe)
    charging = _session(probe)
    charging.begin(1000, timestamp=ago(minutes=10))
    charging.end(2500, seq_no=2, timestamp=ago(minutes=3), stopped_reason="StoppedByEV")
    charging.event(
        "Updated",
        "MeterValuePeriodic",
        seq_no=1,
        offline=True,
        timestamp=ago(minutes=5),
        charging_state="Charging",
        meter_value=[meter_value(1800, "Sample.Periodic", ago(minutes=5))],
    )
    _read(probe, charging)


@case(
    id="ST_26",
    ocpp=VERSIONS,
    title="A session whose events come twice is recorded once",
    block=BLOCK,
    needs=NEEDS,
    sends="A session, each of whose events is repeated as after a lost answer.",
    expects=EXPECTS,
    clause=part6("J02.FR.19"),
    defect="repeated-start-doubled",
    also=(
        "sequence-restart-refused",
        "event-out-of-order-refused",
    ),
    checks=CHECKS,
)
def repeated(probe: Probe) -> None:
    _control(probe)
    charging = _session(probe)
    started, ended = ago(minutes=10), ago(minutes=3)
    for _ in range(2):
        charging.begin(1000, seq_no=0, timestamp=started)
    for _ in range(2):
        charging.end(2500, seq_no=1, timestamp=ended)
    _read(probe, charging)


@case(
    id="ST_27",
    ocpp=VERSIONS,
    title="A token, a place and a first reading that come later are recorded",
    block=BLOCK,
    needs=NEEDS,
    sends="A session that starts without token and EVSE; the EVSE, the reading and the token come one by one.",
    expects=EXPECTS,
    clause=part6("J02.FR.19"),
    defect="late-token-forgotten",
    also=(
        "sequence-restart-refused",
        "late-place-forgotten",
        "late-begin-reading-forgotten",
        "stop-reason-always-local",
    ),
    checks=CHECKS,
)
def bit_by_bit(probe: Probe) -> None:
    _control(probe)
    charging = _session(probe)
    charging.event("Started", "EVDetected", timestamp=ago(minutes=10), **NO_EVSE)
    reading = [meter_value(1000, "Transaction.Begin", ago(minutes=9))]
    charging.event(
        "Updated",
        "CablePluggedIn",
        timestamp=ago(minutes=9),
        charging_state="EVConnected",
        meter_value=reading,
    )
    charging.event("Updated", "Authorized", timestamp=ago(minutes=8), token=charging.identified(), **NO_EVSE)
    charging.end(2500, timestamp=ago(minutes=3), stopped_reason="EmergencyStop")
    _read(probe, charging)


@case(
    id="ST_29",
    ocpp=VERSIONS,
    title="A session whose end is told after a power cut is recorded with that end",
    block=BLOCK,
    needs=NEEDS,
    sends="A session with a reading, a lost connection, BootNotification, and the end of before the power cut.",
    expects=EXPECTS,
    clause=part6("J02.FR.19"),
    defect="boot-closes-sessions",
    also=(
        "boot-ends-sessions",
        "sequence-restart-refused",
        "late-session-dated-on-arrival",
        "offline-session-forgotten",
        "offline-event-refused",
        "stop-reason-always-local",
    ),
    checks=CHECKS,
)
def ended_after_boot(probe: Probe) -> None:
    _control(probe)
    charging = _session(probe)
    charging.begin(1000, timestamp=ago(minutes=10))
    charging.sample(1900)
    probe.station.drop()
    probe.reconnect(probe.station)
    probe.boot(probe.station)
    charging.end(2500, offline=True, timestamp=ago(minutes=3), stopped_reason="PowerLoss")
    _read(probe, charging)


@case(
    id="ST_28",
    ocpp=VERSIONS,
    title="Readings in other units and among other values are recorded in Wh",
    block=BLOCK,
    needs=NEEDS,
    sends="A session whose events name power and current first, and its energy in kWh and in thousands of Wh.",
    expects=EXPECTS,
    clause=part6("J02.FR.19"),
    defect="first-sample-taken-for-energy",
    also=("sequence-restart-refused", "kwh-taken-for-wh", "multiplier-ignored", "first-reading-taken-for-end"),
    checks=CHECKS,
)
def units(probe: Probe) -> None:
    _control(probe)
    charging = _session(probe)
    begin = _among_others(1.25, "Transaction.Begin", {"unit": "kWh"})
    charging.begin(timestamp=ago(minutes=10), meter_value=[begin])
    sampled = _among_others(1.75, "Sample.Periodic", {"unit": "kWh"})
    last = _among_others(2.5, "Transaction.End", {"unit": "Wh", "multiplier": 3})
    charging.end(timestamp=ago(minutes=3), meter_value=[sampled, last])
    _read(probe, charging)


@case(
    id="ST_38",
    ocpp=VERSIONS,
    title="Readings that leave out what they need not say are recorded in Wh",
    block=BLOCK,
    needs=NEEDS,
    sends="A session whose readings name neither measurand nor unit, which makes them the energy register in Wh.",
    expects=EXPECTS,
    clause=part6("J02.FR.19"),
    defect="bare-readings-unread",
    also=("sequence-restart-refused", "first-reading-taken-for-end"),
    checks=CHECKS,
)
def bare(probe: Probe) -> None:
    _control(probe)
    charging = _session(probe)
    charging.begin(timestamp=ago(minutes=10), meter_value=[_bare(1250, "Transaction.Begin")])
    charging.end(timestamp=ago(minutes=3), meter_value=[_bare(1750, "Sample.Periodic"), _bare(2500, "Transaction.End")])
    _read(probe, charging)


def _bare(energy: float, context: str) -> dict[str, Any]:
    """Write a reading of the energy register that leaves out its measurand and its unit."""
    return {"timestamp": ago(minutes=5), "sampledValue": [{"value": energy, "context": context}]}


def _among_others(energy: float, context: str, unit: dict[str, Any]) -> dict[str, Any]:
    """Write a reading in which the energy register comes last, after power and the register of one phase."""
    return {
        "timestamp": ago(minutes=5),
        "sampledValue": [
            {"value": 7360, "context": context, "measurand": "Power.Active.Import", "unitOfMeasure": {"unit": "W"}},
            {
                "value": 0.5,
                "context": context,
                "measurand": "Energy.Active.Import.Register",
                "phase": "L1",
                "unitOfMeasure": {"unit": "kWh"},
            },
            {"value": energy, "context": context, "measurand": "Energy.Active.Import.Register", "unitOfMeasure": unit},
        ],
    }
