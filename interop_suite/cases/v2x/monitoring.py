"""Monitors of 2.x: which there are, which are set and cleared, and how severe an event must be to be told."""

from __future__ import annotations

from typing import Any

import msgspec

from drivers.base import trigger_need
from fixtures.device import Variable
from fixtures.payloads import v2x
from interop_suite.catalogue import case
from interop_suite.claims.checks import answered, still_serves
from interop_suite.claims.claim import Check
from interop_suite.claims.clauses import Clause
from interop_suite.claims.expected import Expected, each, one_of, present
from interop_suite.claims.fulfilment import fulfilled
from interop_suite.drive.probe import Probe, now
from interop_suite.steps.connections import heartbeat
from interop_suite.steps.obeying import nothing_but, obey, send_events, send_monitors
from interop_suite.steps.operator_orders import ordered
from interop_suite.steps.portions import LIMIT, Portioned, covers_all, keeps_limit, learns_limit
from interop_suite.steps.v2x import VERSIONS
from ocppj.versions import Version

BLOCK = "Diagnostics"
PROFILE = "Advanced Device Management"
BY_SCHEMA = Clause("201-4", "4.1.7")
FILTERS = Clause("201-E", "N02.FR.15")

POWER = Variable("EVSE", "Power", "7360.5", "decimal", evse_id=2, unit="W")
TEMPERATURE = Variable("Controller", "Temperature", "41.25", "decimal", unit="Celsius")
VOLTAGE = Variable("Connector", "ACVoltage", "229.5", "decimal", instance="L2", evse_id=1, connector_id=1, unit="V")
REPORT = "GetMonitoringReport"
EVERY_CRITERION = ("ThresholdMonitoring", "DeltaMonitoring", "PeriodicMonitoring")

Payload = dict[str, Any]

every_part_answered = answered("NotifyMonitoringReport", claim="Every part of the monitoring report is answered")
events_answered = answered("NotifyEvent", claim="The event of the new monitor is answered")
UNFILTERED = nothing_but(*EVERY_CRITERION, absent=True)
"""A CSMS that names every criterion asks for the same as one that names none."""


class Inventory(msgspec.Struct, frozen=True, kw_only=True):
    """One monitoring report: what it is asked for, and the types of the monitors in each part."""

    id: str
    title: str
    ocpp: tuple[str, ...] = VERSIONS
    clause: Clause = BY_SCHEMA
    criteria: tuple[str, ...] = ()
    variables: tuple[Variable, ...] = ()
    nothing: tuple[tuple[str, ...], tuple[Variable, ...]] = ((), ())
    """Criteria and variables that are asked for before, and that the station has no monitors of."""
    parts: tuple[tuple[tuple[Variable, str], ...], ...]
    defect: str
    also: tuple[str, ...] = ()

    @property
    def checks(self) -> tuple[Check, ...]:
        """What the texts ask of the CSMS."""
        fields: dict[str, Expected] = {
            "requestId": present(),
            "monitoringCriteria": nothing_but(*self.criteria) if self.criteria else UNFILTERED,
            "componentVariable": each("component", "variable") if self.variables else one_of(None),
        }
        both = (fulfilled(REPORT),) if any(self.nothing) else ()
        return (ordered(REPORT, fields), *both, every_part_answered, still_serves())


def _request(number: int, criteria: tuple[str, ...], variables: tuple[Variable, ...]) -> Payload:
    """Write what the operator asks for."""
    chosen = {"monitoringCriteria": list(criteria)} if criteria else {}
    named = [v2x.component_variable(variable) for variable in variables]
    return {"requestId": number, **chosen, **({"componentVariable": named} if named else {})}


SECOND_PART = "monitoring-report-second-part-refused"
EMPTY = "closes-after-empty-monitoring-report"
FIRST_CRITERION = "monitoring-report-first-criterion-only"
FIRST_VARIABLE = "monitoring-report-first-variable-only"

INVENTORIES = (
    Inventory(
        id="TC_N_01_CSMS",
        title="Monitors of two criteria are reported",
        criteria=("ThresholdMonitoring", "PeriodicMonitoring"),
        nothing=(("DeltaMonitoring",), ()),
        parts=(((POWER, "UpperThreshold"),), ((VOLTAGE, "LowerThreshold"), (TEMPERATURE, "Periodic"))),
        defect=FIRST_CRITERION,
        also=(SECOND_PART, EMPTY),
    ),
    Inventory(
        id="TC_N_02_CSMS",
        title="Monitors of two variables are reported",
        clause=FILTERS,
        variables=(POWER, VOLTAGE),
        nothing=((), (TEMPERATURE,)),
        parts=(((VOLTAGE, "LowerThreshold"),), ((POWER, "Delta"),)),
        defect=FIRST_VARIABLE,
        also=(SECOND_PART, EMPTY, "monitoring-report-drops-evse", "monitoring-report-drops-instance"),
    ),
    Inventory(
        id="TC_N_03_CSMS",
        title="Monitors of one criterion and one variable are reported",
        clause=FILTERS,
        criteria=("DeltaMonitoring",),
        variables=(POWER,),
        nothing=(("ThresholdMonitoring",), (VOLTAGE,)),
        parts=(((POWER, "Delta"),),),
        defect="monitoring-report-drops-evse",
        also=(EMPTY, "monitoring-report-drops-instance"),
    ),
    Inventory(
        id="TC_N_47_CSMS",
        title="All monitors are reported",
        parts=(((POWER, "UpperThreshold"), (TEMPERATURE, "Periodic")), (), ((VOLTAGE, "Delta"),)),
        defect="monitoring-report-filtered-unasked",
        also=(SECOND_PART, "monitoring-report-empty-part-refused"),
    ),
    Inventory(
        id="TC_N_60_CSMS",
        title="Monitors of two criteria and a list of variables are reported",
        clause=FILTERS,
        criteria=("ThresholdMonitoring", "DeltaMonitoring"),
        variables=(VOLTAGE, TEMPERATURE),
        nothing=(("PeriodicMonitoring",), (VOLTAGE, POWER)),
        parts=(((VOLTAGE, "UpperThreshold"),), ((TEMPERATURE, "Delta"),)),
        defect="monitoring-report-drops-instance",
        also=(SECOND_PART, EMPTY, FIRST_CRITERION, FIRST_VARIABLE, "monitoring-report-drops-evse"),
    ),
    Inventory(
        id="TC_N_104_CSMS",
        title="Monitors of a target and its delta are reported",
        ocpp=(Version.V21,),
        clause=Clause("21-4", "4.1.7"),
        criteria=("DeltaMonitoring",),
        parts=(((POWER, "TargetDelta"),), ((VOLTAGE, "TargetDeltaRelative"),)),
        defect="target-delta-monitors-refused",
        also=(SECOND_PART,),
    ),
)


def _monitors(version: Version, inventory: Inventory) -> list[list[Payload]]:
    """Write each part; every monitor has a number, a limit and a severity of its own."""
    parts, number = [], 900
    for part in inventory.parts:
        entries = []
        for variable, kind in part:
            number += 7
            entry = v2x.monitoring_data(
                version, variable, number, monitor_type=kind, value=number / 8, severity=number % 9
            )
            entries.append(entry)
        parts.append(entries)
    return parts


def _add_inventory(inventory: Inventory) -> None:
    @case(
        id=inventory.id,
        ocpp=inventory.ocpp,
        title=inventory.title,
        block=BLOCK,
        profile=PROFILE,
        initiator="csms",
        needs=(trigger_need(REPORT),),
        sends=(
            f"{'EmptyResultSet, then ' if any(inventory.nothing) else ''}Accepted to GetMonitoringReport, "
            f"{len(inventory.parts)} NotifyMonitoringReport, then a Heartbeat."
        ),
        expects="The CSMS SHALL ask for the monitors that its operator named, and answer every part of the report.",
        clause=inventory.clause,
        defect=inventory.defect,
        also=inventory.also,
        checks=inventory.checks,
    )
    def script(probe: Probe) -> None:
        if any(inventory.nothing):
            obey(probe, REPORT, _request(820, *inventory.nothing), {"status": "EmptyResultSet"})
            heartbeat(probe.station)
        order = _request(821, inventory.criteria, inventory.variables)
        request = obey(probe, REPORT, order, {"status": "Accepted"})
        if request is None:
            return
        send_monitors(probe.station, request, _monitors(probe.version, inventory))
        heartbeat(probe.station)


for _inventory in INVENTORIES:
    _add_inventory(_inventory)


class Setting(msgspec.Struct, frozen=True, kw_only=True):
    """Values of one field that the operator orders one after the other, and what the station answers."""

    id: str
    title: str
    action: str
    field: str
    values: tuple[Any, ...]
    reply: str = "Accepted"
    defect: str
    also: tuple[str, ...] = ()


SETTINGS = (
    Setting(
        id="TC_N_05_CSMS",
        title="The operator sets each monitoring base",
        action="SetMonitoringBase",
        field="monitoringBase",
        values=("All", "FactoryDefault", "HardWiredOnly"),
        defect="monitoring-base-always-all",
        also=("monitoring-base-all-left-out",),
    ),
    Setting(
        id="TC_N_16_CSMS",
        title="The operator sets the monitoring level, 0 among them",
        action="SetMonitoringLevel",
        field="severity",
        values=(4, 0),
        defect="monitoring-level-zero-lost",
        also=("monitoring-level-counted-from-one",),
    ),
    Setting(
        id="TC_N_17_CSMS",
        title="The station refuses a monitoring level that is out of range",
        action="SetMonitoringLevel",
        field="severity",
        values=(10,),
        reply="Rejected",
        defect="closes-after-monitoring-level-rejected",
        also=("monitoring-level-counted-from-one",),
    ),
)


def _add_setting(setting: Setting) -> None:
    @case(
        id=setting.id,
        ocpp=VERSIONS,
        title=setting.title,
        block=BLOCK,
        profile=PROFILE,
        initiator="csms",
        needs=(trigger_need(setting.action),),
        sends=f"{setting.reply} to {setting.action}, then a Heartbeat.",
        expects=f"The CSMS SHALL send {setting.action} with the value that its operator named, and go on.",
        clause=BY_SCHEMA,
        defect=setting.defect,
        also=setting.also,
        checks=(
            *(
                ordered(setting.action, {setting.field: one_of(value)}, claim=f"The CSMS sends {value} as named")
                for value in setting.values
            ),
            still_serves(),
        ),
    )
    def script(probe: Probe) -> None:
        for value in setting.values:
            obey(probe, setting.action, {setting.field: value}, {"status": setting.reply})
        heartbeat(probe.station)


for _setting in SETTINGS:
    _add_setting(_setting)


# -- monitors that are set ---------------------------------------------------------------------------------------------


def _monitor(variable: Variable, kind: str, value: float, severity: int, **more: Any) -> Payload:
    return {"type": kind, "value": value, "severity": severity, **v2x.component_variable(variable), **more}


ONE = (_monitor(POWER, "UpperThreshold", 7350.5, 4),)
SEVERAL = (
    _monitor(VOLTAGE, "LowerThreshold", 206.5, 2, transaction=True),
    _monitor(TEMPERATURE, "Delta", 1.25, 7, transaction=False),
)


def _install(request: Payload) -> Payload:
    """Give each monitor an id and repeat the rest, as a station does that takes them all."""
    results = [
        {
            "id": 501 + 11 * index,
            "status": "Accepted",
            **{name: data[name] for name in ("type", "severity", "component", "variable") if name in data},
        }
        for index, data in enumerate(request.get("setMonitoringData", ()))
    ]
    return {"setMonitoringResult": results}


def _add_monitors(number: str, title: str, monitors: tuple[Payload, ...], defect: str, *also: str) -> None:
    @case(
        id=number,
        ocpp=VERSIONS,
        title=title,
        block=BLOCK,
        profile=PROFILE,
        initiator="csms",
        needs=(trigger_need("SetVariableMonitoring"),),
        sends="Accepted for each monitor of SetVariableMonitoring, an event of each, then a Heartbeat.",
        expects="The CSMS SHALL send the monitors with the limits and severities that its operator named, and go on.",
        clause=BY_SCHEMA,
        defect=defect,
        also=also,
        checks=(
            ordered(
                "SetVariableMonitoring",
                {
                    "setMonitoringData": each("value", "type", "severity", "component", "variable"),
                    f"setMonitoringData.{len(monitors) - 1}": present(),
                    f"setMonitoringData.{len(monitors)}": one_of(None),
                },
            ),
            events_answered,
            still_serves(),
        ),
    )
    def script(probe: Probe) -> None:
        station = probe.station
        request = obey(probe, "SetVariableMonitoring", {"setMonitoringData": list(monitors)}, _install)
        if request is None:
            return
        for index, variable in enumerate((POWER,) if monitors is ONE else (VOLTAGE, TEMPERATURE)):
            assert variable.value is not None
            event = v2x.event_data(
                61 + index,
                now(),
                variable,
                variable.value,
                notification_type="CustomMonitor",
                variable_monitoring_id=501 + 11 * index,
            )
            send_events(station, [event])
        heartbeat(station)


_add_monitors("TC_N_08_CSMS", "The operator sets one monitor", ONE, "monitor-value-as-integer")
_add_monitors(
    "TC_N_09_CSMS",
    "The operator sets two monitors in one request",
    SEVERAL,
    "set-monitors-first-only",
    "monitor-value-as-integer",
    "monitor-severity-of-first",
)


NOT_CLEARED = ((611, "Rejected"), (622, "NotFound"))


@case(
    id="TC_N_44_CSMS",
    ocpp=VERSIONS,
    title="The station clears neither a monitor of its own nor one that it does not know",
    block=BLOCK,
    profile=PROFILE,
    initiator="csms",
    needs=(trigger_need("ClearVariableMonitoring"),),
    sends="Rejected and NotFound to ClearVariableMonitoring, then a Heartbeat.",
    expects="The CSMS SHALL send ClearVariableMonitoring with both ids, take both results and go on.",
    clause=BY_SCHEMA,
    defect="closes-after-clear-monitor-rejected",
    also=("clear-monitors-first-only",),
    checks=(
        ordered("ClearVariableMonitoring", {"id": nothing_but(*(number for number, _ in NOT_CLEARED))}),
        still_serves(),
    ),
)
def not_cleared(probe: Probe) -> None:
    results = dict(NOT_CLEARED)

    def refuse(request: Payload) -> Payload:
        ids = request.get("id") or [0]
        return {"clearMonitoringResult": [{"id": n, "status": results.get(n, "NotFound")} for n in ids]}

    obey(probe, "ClearVariableMonitoring", {"id": list(results)}, refuse)
    heartbeat(probe.station)


# -- monitors that are cleared in as many requests as it takes -------------------------------------------------------

CLEARING = Portioned("ClearVariableMonitoring", "id", holder="MonitoringCtrlr")
CLEARED = [631, 642, 653, 664, 675]


@case(
    id="TC_N_18_CSMS",
    ocpp=VERSIONS,
    title="Monitors are cleared in as many requests as ItemsPerMessage asks for",
    block=BLOCK,
    profile=PROFILE,
    initiator="csms",
    needs=(trigger_need("GetVariables"), trigger_need("ClearVariableMonitoring")),
    sends=f"The answer that ItemsPerMessage of ClearVariableMonitoring is {LIMIT}, then Accepted for each monitor.",
    expects="The CSMS SHALL clear all monitors that its operator named, with no more in a request than the limit.",
    clause=BY_SCHEMA,
    defect="items-per-message-ignored",
    also=("clear-monitors-first-only", "items-per-message-of-reads-only", "first-portion-only"),
    checks=(
        ordered("GetVariables", {"getVariableData.0.variable.name": one_of("ItemsPerMessage")}),
        keeps_limit(CLEARING),
        covers_all(CLEARING),
        still_serves(),
    ),
)
def cleared_in_portions(probe: Probe) -> None:
    def clear(request: Payload) -> Payload:
        ids = request.get("id") or [0]
        return {"clearMonitoringResult": [{"id": number, "status": "Accepted"} for number in ids]}

    if not learns_limit(probe, CLEARING):
        return
    if obey(probe, "ClearVariableMonitoring", {"id": CLEARED}, clear) is None:
        return
    heartbeat(probe.station)


# -- monitors that are set in portions ---------------------------------------------------------------------------------

SETTING = Portioned("SetVariableMonitoring", "setMonitoringData", holder="MonitoringCtrlr")
MANY = [
    _monitor(POWER, "UpperThreshold", 6120.5, 3, transaction=False),
    _monitor(VOLTAGE, "LowerThreshold", 207.5, 4, transaction=False),
    _monitor(TEMPERATURE, "UpperThreshold", 71.5, 5, transaction=True),
]


@case(
    id="OPT_41",
    ocpp=VERSIONS,
    title="Monitors are set in as many requests as ItemsPerMessage asks for",
    block=BLOCK,
    profile=PROFILE,
    initiator="csms",
    needs=(trigger_need("GetVariables"), trigger_need("SetVariableMonitoring")),
    sends=f"The answer that ItemsPerMessage of SetVariableMonitoring is {LIMIT}, then Accepted for each monitor.",
    expects="The CSMS SHALL set all monitors that its operator named, with no more in a request than the limit.",
    clause=BY_SCHEMA,
    defect="items-per-message-of-reads-only",
    also=(
        "items-per-message-ignored",
        "set-monitors-first-only",
        "first-portion-only",
        "monitor-value-as-integer",
        "monitor-severity-of-first",
        "order-before-once-more",
    ),
    checks=(
        ordered("GetVariables", {"getVariableData.0.variable.name": one_of("ItemsPerMessage")}),
        keeps_limit(SETTING),
        covers_all(SETTING),
        still_serves(),
    ),
)
def set_in_portions(probe: Probe) -> None:
    if not learns_limit(probe, SETTING):
        return
    if obey(probe, "SetVariableMonitoring", {"setMonitoringData": MANY}, _install) is None:
        return
    heartbeat(probe.station)
