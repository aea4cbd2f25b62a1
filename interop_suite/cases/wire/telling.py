"""What a station only tells is answered, whoever asked for it: no case here needs a driver."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from evidence.verdicts import Verdict
from fixtures.payloads import v2x
from interop_suite.cases.wire.common import V2X
from interop_suite.checks import answered
from interop_suite.clauses import Clause
from interop_suite.features import is_unsupported
from interop_suite.history import AnswerKind, History
from interop_suite.model import Check, Finding, case
from interop_suite.probe import Probe, now
from ocppj.versions import Version

BLOCK = "Notifications"
_ANSWERED: Mapping[Version, Clause] = {
    Version.V16: Clause("1.6J", "4.1.1"),
    Version.V201: Clause("201-4", "4.1.1"),
    Version.V21: Clause("21-4", "4.1.1"),
}
IDLE = {"status": "Idle"}
# Action and the defect that its case is for; each tells its plainest legal form.
TOLD_16 = {
    "DiagnosticsStatusNotification": "diagnostics-status-refused",
    "FirmwareStatusNotification": "firmware-status-refused",
    "LogStatusNotification": "log-status-refused",
    "SignedFirmwareStatusNotification": "signed-firmware-status-refused",
}
TOLD_2X = {
    "FirmwareStatusNotification": "firmware-status-refused",
    "LogStatusNotification": "log-status-refused",
    "SecurityEventNotification": "security-event-refused",
}


def _payload(action: str) -> dict[str, Any]:
    if action == "SecurityEventNotification":
        return v2x.security_event_notification("StartupOfTheDevice", now())
    return dict(IDLE)


def _add(version: Version, action: str, defect: str) -> None:
    @case(
        id=f"MSG_{action}",
        ocpp=version,
        title=f"{action} in its plainest form is answered",
        block=BLOCK,
        sends=f"One {action}.",
        expects="The CSMS SHALL answer it.",
        clause=_ANSWERED[version],
        defect=defect,
        checks=(answered(action),),
    )
    def script(probe: Probe) -> None:
        probe.station.call(action, _payload(action))


_REPORT = "A report is answered, although nobody asked for it"


def _judge_report(history: History) -> list[Finding]:
    findings = []
    for call in history.calls("NotifyReport"):
        verdict = Verdict.OK if call.kind is AnswerKind.RESULT else Verdict.FAILED
        if call.kind is AnswerKind.ERROR:
            # A CSMS may refuse what belongs to no request of its own.
            absent = is_unsupported(call, history.rules.version)
            verdict = Verdict.NOT_APPLICABLE if absent else Verdict.NON_STRICT
        findings.append(Finding(verdict=verdict, claim=_REPORT, actual=call.describe_answer(), frame=call.call.line))
    return findings


@case(
    id="MSG_NotifyReport",
    ocpp=tuple(str(version) for version in V2X),
    title="NotifyReport is answered",
    block=BLOCK,
    sends="One NotifyReport with the variables of the station.",
    expects="The CSMS SHALL answer it; it may refuse a report that it has not asked for.",
    clause=Clause("201-4", "4.1.1"),
    defect="report-unanswered",
    checks=(Check(claim=_REPORT, judge=_judge_report),),
)
def report(probe: Probe) -> None:
    data = v2x.report_data(probe.station.model)
    probe.station.note(plain="NotifyReport")
    probe.station.call("NotifyReport", v2x.notify_report(1, 0, now(), data[:1], tbc=False))


for _action, _defect in TOLD_16.items():
    _add(Version.V16, _action, _defect)
for _version in V2X:
    for _action, _defect in TOLD_2X.items():
        _add(_version, _action, _defect)
