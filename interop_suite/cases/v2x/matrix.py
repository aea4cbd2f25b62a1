"""Payload matrix: station messages in their plainest form, with each optional field, word, long text and pair in turn.

The certification list has none of this. What fits its schema is a message (2.x Part 4 §4.1.7): whoever takes the
plainest form of an action takes the others. A CSMS that refuses the plainest form does not have the action, where it
need not have it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from evidence.verdicts import Verdict
from fixtures.csms.defects.v2x_payloads import WRITTEN_ANEW, legal_payloads, plain_payload, read_actions
from interop_suite.catalogue import case
from interop_suite.claims.checks import still_serves
from interop_suite.claims.claim import Check, Finding
from interop_suite.claims.clauses import Clause
from interop_suite.claims.exchange import AnswerKind, Exchange
from interop_suite.claims.features import REQUIRED_ACTIONS
from interop_suite.claims.history import History
from interop_suite.drive.probe import Probe, now
from interop_suite.steps.connections import heartbeat
from interop_suite.steps.payload_matrix import call_named, named_lines
from interop_suite.steps.shared_case import V2X
from interop_suite.steps.v2x import event_id
from ocppj.versions import Version

BLOCK = "Payload matrix"
CLAUSES = {Version.V201: Clause("201-4", "4.1.7"), Version.V21: Clause("21-4", "4.1.7")}
DEFECT = "seldom-fields-and-words-refused"
MESSAGE_CASES = frozenset(
    {
        "FirmwareStatusNotification",
        "LogStatusNotification",
        "NotifyEvent",
        "NotifyReport",
        "SecurityEventNotification",
    }
)
"""Actions of which another case, MSG_…, tells whether the CSMS has them."""
PATIENCE = 2
"""Unanswered CALLs after which a case stops: each one costs the whole time-out."""
ALSO: Mapping[str, tuple[str, ...]] = {
    "BatterySwap": ("battery-swap-of-several-refused",),
    "BootNotification": ("scheduled-boot-refused",),
    "FirmwareStatusNotification": ("firmware-failure-unhandled", "firmware-statuses-of-16-only"),
    "LogStatusNotification": ("log-status-canceled-refused",),
    "NotifyChargingLimit": ("charging-limit-with-schedule-refused",),
    "NotifyDERAlarm": ("der-alarm-end-refused",),
    "NotifyDERStartStop": ("der-stop-refused",),
    "NotifyDisplayMessages": ("display-messages-second-part-refused",),
    "NotifyEvent": ("several-events-refused",),
    "NotifyEVChargingNeeds": ("dc-needs-refused", "v2x-needs-refused"),
    "NotifyEVChargingSchedule": ("selected-schedule-refused",),
    "NotifyMonitoringReport": ("target-delta-monitors-refused",),
    "NotifyReport": ("report-of-targets-refused", "report-over-after-first-part"),
    "NotifySettlement": ("unsettled-payment-refused",),
    "PublishFirmwareStatusNotification": ("publish-failure-unhandled", "publish-status-read-as-firmware-status"),
    "ReportChargingProfiles": ("external-constraints-report-refused", "profile-report-second-part-refused"),
    "ReportDERControl": ("der-report-second-part-refused",),
    "SecurityEventNotification": ("security-event-needs-tech-info",),
    "TransactionEvent": (
        "cost-details-need-periods",
        "cost-details-refused",
        "event-of-unknown-refused",
        "offline-event-refused",
        "started-by-cable-plugged-in-refused",
        "started-by-charging-state-changed-refused",
        "started-by-ev-detected-refused",
        "started-by-remote-start-refused",
        "time-spent-charging-refused",
        "updated-by-charging-rate-changed-refused",
        "updated-by-operation-mode-changed-refused",
    ),
}
"""Defects that are about one of the fields or words, by action."""
_HAS_IT_NOT = ("NotImplemented", "NotSupported")
_TIMES = frozenset({"timestamp", "generatedAt"})


def _judge(action: str) -> Check:
    claim = f"The CSMS answers {action} with each optional field and each word in turn"

    def judge(history: History) -> list[Finding]:
        sent = named_lines(history, "field")
        calls = history.calls(action)
        found = []
        for name, line in sent:
            call = next((call for call in calls if call.call.line > line), None)
            if call is None:
                continue
            if name == "" and call.kind is AnswerKind.ERROR and _is_judged_elsewhere(call):
                actual = f"it takes no {action} at all: {call.describe_answer()}"
                return [Finding(verdict=Verdict.NOT_APPLICABLE, claim=claim, actual=actual, frame=call.call.line)]
            found.append(_grade(call, name or "the plainest form", claim))
        return found

    return Check(claim=claim, judge=judge)


def _is_judged_elsewhere(plain: Exchange) -> bool:
    """Return whether a CSMS need not have what it refuses in its plainest form, or MSG_… says that it must."""
    version = plain.call.rules.version
    if plain.action not in REQUIRED_ACTIONS[version]:
        return True
    error = plain.error
    return plain.action in MESSAGE_CASES and error is not None and error.code in _HAS_IT_NOT


def _grade(call: Exchange, name: str, claim: str) -> Finding:
    line = call.call.line if call.answer is None else call.answer.line
    verdict = Verdict.OK if call.kind is AnswerKind.RESULT else Verdict.FAILED
    actual = f"{name}: {call.describe_answer()}"
    if call.error is not None and call.error.code == "SecurityError" and _holds(call.payload, "signedMeterValue"):
        # Who checks signatures need not take one that is none (2.x Part 4 §4.3).
        verdict, actual = Verdict.NON_STRICT, f"{actual}; the signature is made up, so it may"
    return Finding(verdict=verdict, claim=claim, actual=actual, frame=line)


def _holds(value: Any, name: str) -> bool:
    if isinstance(value, dict):
        return name in value or any(_holds(each, name) for each in value.values())
    return isinstance(value, list) and any(_holds(each, name) for each in value)


def _written_anew(value: Any, own: Mapping[str, Callable[[], Any]]) -> Any:
    """Fill in the times of this moment, and what belongs to a session of our own."""
    if isinstance(value, dict):
        return {name: own[name]() if name in own else _written_anew(each, own) for name, each in value.items()}
    return [_written_anew(each, own) for each in value] if isinstance(value, list) else value


def _own(probe: Probe, number: int) -> Mapping[str, Callable[[], Any]]:
    """Give each event a number and a session of its own: none of them says anything of another one."""
    session = f"{probe.station.identity[-20:]}-{number}"
    return {**dict.fromkeys(_TIMES, now), "transactionId": lambda: session, "eventId": event_id}


def _add(version: Version, action: str) -> None:
    payloads = legal_payloads(version, action)
    assert {"transactionId", "eventId", *_TIMES} == WRITTEN_ANEW

    @case(
        id=f"PAY_{action}_more",
        ocpp=version,
        title=f"{action} with each optional field and each word in turn",
        block=BLOCK,
        sends=f"{action} in its plainest form, then {len(payloads)} times with one thing more, then a Heartbeat.",
        expects="The CSMS SHALL answer each with a CALLRESULT where it does so with the plainest form.",
        clause=CLAUSES[version],
        defect=DEFECT,
        also=ALSO.get(action, ()),
        checks=(_judge(action), still_serves()),
    )
    def script(probe: Probe) -> None:
        _drive(probe, version, action)


def _drive(probe: Probe, version: Version, action: str) -> None:
    station, silent = probe.station, 0
    if action not in REQUIRED_ACTIONS[version]:
        station.note(plain=action)
    more = [(each.id, each.payload) for each in legal_payloads(version, action)]
    forms = [("", plain_payload(version, action)), *more]
    for number, (name, payload) in enumerate(forms):
        if not station.connected:
            probe.reconnect(station, judged=True)
        answer = call_named(station, action, _written_anew(payload, _own(probe, number)), field=name)
        silent += answer.kind == "timeout"
        if silent >= PATIENCE or (not name and answer.kind == "error"):
            break
    if not station.connected:
        probe.reconnect(station, judged=True)
    heartbeat(station)


for _version in V2X:
    for _action in read_actions(_version):
        _add(_version, _action)
