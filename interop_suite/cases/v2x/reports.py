"""Reports: inventories and custom reports in several parts, and reads that keep to the limit of a station."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from drivers.base import trigger_need
from evidence.verdicts import Verdict
from fixtures.payloads import v2x
from interop_suite.catalogue import case
from interop_suite.claims.checks import answered, asked, given, still_serves
from interop_suite.claims.claim import Check, Finding
from interop_suite.claims.clauses import Clause
from interop_suite.claims.expected import Expected, field, one_of, present
from interop_suite.claims.history import History
from interop_suite.drive.probe import Probe, now
from interop_suite.steps.connections import heartbeat
from interop_suite.steps.v2x import VERSIONS, part6

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
        expected={"reportBase": one_of("FullInventory"), "requestId": present()},
        clause=part6("B07.FR.08"),
        defect="base-report-always-configuration",
        also=(ONE_PART,),
    ),
    Report(
        id="TC_B_14_CSMS",
        title="The summary inventory is asked for and reported in several parts",
        profile="Advanced Device Management",
        payload={"requestId": 4114, "reportBase": "SummaryInventory"},
        expected={"reportBase": one_of("SummaryInventory"), "requestId": present()},
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
        clause=Clause("201-4", "4.1.7"),
        defect="get-report-drops-criteria",
        also=("get-report-drops-variables", ONE_PART),
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


def _add(report: Report) -> None:
    @case(
        id=report.id,
        ocpp=VERSIONS,
        title=report.title,
        block=BLOCK,
        profile=report.profile,
        initiator="csms",
        needs=(trigger_need(report.action),),
        sends=f"Accepted to {report.action}, and NotifyReport in {PARTS} parts.",
        expects=f"The CSMS SHALL send {report.action} as its operator asked for it, and answer each part.",
        clause=report.clause,
        defect=report.defect,
        also=report.also,
        checks=(asked(report.action, report.expected), each_part, still_serves()),
    )
    def script(probe: Probe) -> None:
        station = probe.station
        station.reply(report.action, {"status": "Accepted"})
        probe.command(report.action, report.payload)
        request = station.expect(report.action)
        if request is None:
            return
        _send(probe, report, int(request.get("requestId") or report.payload["requestId"]))
        heartbeat(station)


for _report in REPORTS:
    _add(_report)


LIMIT = 2
_LIMIT_OF_READS = {
    "component": {"name": "DeviceDataCtrlr"},
    "variable": {"name": "ItemsPerMessage", "instance": "GetVariables"},
}
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


def _names(entries: Any) -> set[tuple[Any, Any]]:
    return {(field(entry, "component.name"), field(entry, "variable.name")) for entry in entries or ()}


def _reads(history: History) -> list[list[Any]]:
    """List what each request reads, besides the limit itself."""
    reads = [field(call.payload, "getVariableData") or [] for call in history.commands("GetVariables")]
    return [entries for entries in reads if ("DeviceDataCtrlr", "ItemsPerMessage") not in _names(entries)]


_KEEPS_LIMIT = f"No request reads more than the {LIMIT} variables that the station takes"
_READS_ALL = "Every variable that the operator named is read"


def _judge_limit(history: History) -> list[Finding]:
    return [
        Finding(
            verdict=Verdict.OK if len(entries) <= LIMIT else Verdict.FAILED,
            claim=_KEEPS_LIMIT,
            actual=f"{len(entries)} in one request",
        )
        for entries in _reads(history)
    ]


def _reads_all(history: History) -> tuple[bool, str]:
    read = {name for entries in _reads(history) for name in _names(entries)}
    missing = sorted(f"{component}.{variable}" for component, variable in _names(_READ) - read)
    return not missing, f"{', '.join(missing)} was not read" if missing else f"{len(_READ)} variables were read"


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
    also=("get-variables-of-another-name", "get-variables-one-by-one"),
    checks=(
        asked("GetVariables"),
        Check(claim=_KEEPS_LIMIT, judge=_judge_limit),
        given(_READS_ALL, _reads_all, unless_refused="GetVariables"),
        still_serves(),
    ),
)
def split_reads(probe: Probe) -> None:
    station = probe.station
    station.reply("GetVariables", _read)
    probe.command("GetVariables", {"getVariableData": [_LIMIT_OF_READS]})
    if station.expect("GetVariables") is None:
        return
    probe.command("GetVariables", {"getVariableData": _READ})
    heartbeat(station)


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
