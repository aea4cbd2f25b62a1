"""Reports in several parts, and reads and writes that keep to the limits of a station."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from drivers.base import trigger_need
from fixtures.payloads import v2x
from interop_suite.catalogue import case
from interop_suite.claims.checks import answered, asked, still_serves
from interop_suite.claims.claim import Check
from interop_suite.claims.clauses import Clause
from interop_suite.claims.expected import Expected, above, field, one_of, present
from interop_suite.claims.fulfilment import fulfilled
from interop_suite.drive.probe import Probe, now
from interop_suite.steps.connections import heartbeat
from interop_suite.steps.portions import LIMIT, Portioned, covers_all, keeps_limit, learns_limit
from interop_suite.steps.v2x import VERSIONS, part6
from interop_suite.steps.variables import set_all

BLOCK = "Provisioning"
Payload = dict[str, Any]
PARTS = 3
each_part = answered("NotifyReport", claim="Each part of the report is answered")


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """A report that the operator asks for."""

    id: str
    title: str
    profile: str = "Core"
    action: str = "GetBaseReport"
    payload: Payload
    expected: Mapping[str, Expected]
    problems_only: bool = False
    """Whether the report holds no more than what is out of order."""
    components: tuple[str, ...] = ()
    """Components that the report is about; empty for all."""
    nothing: Payload = {}
    """What the operator asks for before, and the station has nothing of."""
    clause: Clause
    defect: str
    also: tuple[str, ...]


ONE_PART = "report-over-after-first-part"
CRITERIA = ["Active", "Available"]
NAMED = [
    {"component": {"name": "AuthCtrlr"}, "variable": {"name": "Enabled"}},
    {"component": {"name": "ClockCtrlr"}, "variable": {"name": "DateTime"}},
]
REPORTS = (
    Report(
        id="TC_B_13_CSMS",
        title="The full inventory is asked for and reported in several parts",
        payload={"requestId": 4113, "reportBase": "FullInventory"},
        expected={"reportBase": one_of("FullInventory"), "requestId": above(-1)},
        clause=part6("B07.FR.08"),
        defect="base-report-always-configuration",
        also=(ONE_PART,),
    ),
    Report(
        id="TC_B_14_CSMS",
        title="The summary inventory is asked for and reported in several parts",
        profile="Advanced Device Management",
        payload={"requestId": 4114, "reportBase": "SummaryInventory"},
        expected={"reportBase": one_of("SummaryInventory"), "requestId": above(-1)},
        problems_only=True,
        clause=Clause("201-4", "4.1.7"),
        defect="base-report-always-configuration",
        also=("base-report-of-another-kind", ONE_PART),
    ),
    Report(
        id="TC_B_18_CSMS",
        title="A report by criteria, and by components and variables",
        profile="Advanced Device Management",
        action="GetReport",
        payload={"requestId": 4118, "componentCriteria": CRITERIA, "componentVariable": NAMED},
        expected={"requestId": present(), "componentCriteria": present(), "componentVariable": present()},
        components=("AuthCtrlr", "ClockCtrlr"),
        nothing={
            "requestId": 4117,
            "componentCriteria": ["Problem"],
            "componentVariable": [
                {"component": {"name": "EVSE", "evse": {"id": 2}}, "variable": {"name": "AvailabilityState"}}
            ],
        },
        clause=Clause("201-4", "4.1.7"),
        defect="get-report-drops-criteria",
        also=("get-report-drops-variables", ONE_PART, "closes-after-empty-report"),
    ),
)


def _send(probe: Probe, report: Report, request_id: int) -> None:
    """Send the report in parts, of which only the last one says that nothing follows."""
    data = v2x.report_data(probe.station.model)
    if report.components:
        data = [entry for entry in data if entry["component"]["name"] in report.components]
    if report.problems_only:
        data = [entry for entry in data if entry["variable"]["name"] in ("AvailabilityState", "Problem", "Available")]
    size = -(-len(data) // PARTS)
    for number in range(PARTS):
        part, more = data[number * size : (number + 1) * size], number < PARTS - 1
        probe.station.call("NotifyReport", v2x.notify_report(request_id, number, now(), part, tbc=more))


def _asked(report: Report) -> tuple[Check, ...]:
    named = asked(report.action, report.expected)
    return (named, fulfilled(report.action)) if report.nothing else (named,)


def _add(report: Report) -> None:
    @case(
        id=report.id,
        ocpp=VERSIONS,
        title=report.title,
        block=BLOCK,
        profile=report.profile,
        initiator="csms",
        needs=(trigger_need(report.action),),
        sends=(
            f"{'EmptyResultSet, then ' if report.nothing else ''}Accepted to {report.action}, and NotifyReport in "
            f"{PARTS} parts."
        ),
        expects=f"The CSMS SHALL send {report.action} as its operator asked for it, and answer each part.",
        clause=report.clause,
        defect=report.defect,
        also=report.also,
        checks=(*_asked(report), each_part, still_serves()),
    )
    def script(probe: Probe) -> None:
        station = probe.station
        if report.nothing:
            station.reply(report.action, {"status": "EmptyResultSet"})
            probe.command(report.action, report.nothing)
            heartbeat(station)
        station.reply(report.action, {"status": "Accepted"})
        probe.command(report.action, report.payload)
        request = station.expect(report.action)
        if request is None:
            return
        _send(probe, report, int(request.get("requestId") or report.payload["requestId"]))
        heartbeat(station)


for _report in REPORTS:
    _add(_report)


READS = Portioned("GetVariables", "getVariableData", clause=part6("B06.FR.05"))
_READ = [
    {"component": {"name": component}, "variable": {"name": variable}}
    for component, variable in (
        ("OCPPCommCtrlr", "HeartbeatInterval"),
        ("OCPPCommCtrlr", "ResetRetries"),
        ("ClockCtrlr", "DateTime"),
        ("AuthCtrlr", "Enabled"),
        ("TxCtrlr", "EVConnectionTimeOut"),
    )
]


@case(
    id="TC_B_08_CSMS",
    ocpp=VERSIONS,
    title="Reads are split to honour ItemsPerMessage",
    block=BLOCK,
    profile="Advanced Device Management",
    initiator="csms",
    needs=(trigger_need("GetVariables"),),
    sends=f"The answer that ItemsPerMessage of GetVariables is {LIMIT}, then the answers to reads of {len(_READ)}.",
    expects="The CSMS SHALL read no more variables with one request than the station takes.",
    clause=part6("B06.FR.05"),
    defect="items-per-message-ignored",
    also=("get-variables-of-another-name", "get-variables-one-by-one", "first-portion-only"),
    checks=(asked("GetVariables"), keeps_limit(READS), covers_all(READS), still_serves()),
)
def split_reads(probe: Probe) -> None:
    if not learns_limit(probe, READS):
        return
    probe.station.reply("GetVariables", _read)
    probe.command("GetVariables", {"getVariableData": _READ})
    heartbeat(probe.station)


def _read(request: Payload) -> Payload:
    """Answer a read: the limit as it is, any other value by its place."""
    results = []
    for number, entry in enumerate(request.get("getVariableData") or ()):
        own = field(entry, "variable.name") == "ItemsPerMessage"
        results.append(
            {
                "attributeStatus": "Accepted",
                "attributeValue": str(LIMIT if own else 70 + number),
                "component": entry.get("component"),
                "variable": entry.get("variable"),
            }
        )
    return {"getVariableResult": results}


WRITES = Portioned("SetVariables", "setVariableData")
_WRITTEN = [
    {"component": {"name": component}, "variable": {"name": variable}, "attributeValue": value}
    for component, variable, value in (
        ("OCPPCommCtrlr", "HeartbeatInterval", "311"),
        ("OCPPCommCtrlr", "ResetRetries", "4"),
        ("TxCtrlr", "EVConnectionTimeOut", "75"),
    )
]


@case(
    id="OPT_40",
    ocpp=VERSIONS,
    title="Writes are split to honour ItemsPerMessage",
    block=BLOCK,
    profile="Advanced Device Management",
    initiator="csms",
    needs=(trigger_need("GetVariables"), trigger_need("SetVariables")),
    sends=f"The answer that ItemsPerMessage of SetVariables is {LIMIT}, then Accepted for writes of {len(_WRITTEN)}.",
    expects="The CSMS SHALL write all variables that its operator named, with no more in a request than the limit.",
    clause=Clause("201-4", "4.1.7"),
    defect="items-per-message-of-reads-only",
    also=("items-per-message-ignored", "first-portion-only", "set-variables-one-by-one"),
    checks=(asked("GetVariables"), keeps_limit(WRITES), covers_all(WRITES), still_serves()),
)
def split_writes(probe: Probe) -> None:
    if not learns_limit(probe, WRITES):
        return
    probe.station.reply("SetVariables", set_all)
    probe.command("SetVariables", {"setVariableData": _WRITTEN})
    heartbeat(probe.station)
