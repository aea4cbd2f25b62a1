"""Payload matrix: every action of a station, wrong by one step in every way that its schema knows, and at its limits.

The certification list has none of this. What the text asks for is a CALLERROR for what cannot be processed (OCPP-J 1.6
§4.2.3, errata §3.2); a CSMS that takes what is slightly wrong is tolerant, not broken. What no CSMS may do is to accept
a CALL that lacks a required field, to refuse what is legal, to leave a CALL unanswered, or to harm another station.
"""

from __future__ import annotations

from itertools import groupby

from evidence.verdicts import Verdict
from fixtures.corpus import LEGAL, Mutation, MutationKind, minimal
from fixtures.csms.defects.v16_payloads import KIND_NAMES, payload_defect_id, payload_mutations
from interop_suite.catalogue import case
from interop_suite.claims.checks import still_serves
from interop_suite.claims.claim import Check, Finding
from interop_suite.claims.clauses import Clause
from interop_suite.claims.exchange import AnswerKind, Exchange
from interop_suite.claims.features import is_unsupported
from interop_suite.claims.history import BYSTANDER, History
from interop_suite.drive.answers import Answer
from interop_suite.drive.probe import Probe
from interop_suite.drive.station import ScriptedStation
from interop_suite.steps.connections import heartbeat
from interop_suite.steps.payload_matrix import call_named, named_lines
from interop_suite.steps.v16 import stop_transaction, transaction_id
from ocppj.actions import station_actions
from ocppj.versions import Version

BLOCK = "Payload matrix"
PATIENCE = 2
"""Unanswered CALLs after which a case stops: each one costs the whole time-out."""
UNANSWERED = Clause("1.6J-E", "3.2")

# What an answer with a CALLRESULT means.
WHEN_TAKEN = {
    MutationKind.MISSING_REQUIRED: Verdict.FAILED,
    **dict.fromkeys(LEGAL, Verdict.OK),
}
AT_THE_TOP = 1
"""Slashes in the name of a mutation of a field of the payload itself, as `missing-required/idTag`."""
WORDS = {
    MutationKind.MISSING_REQUIRED: "without each required field in turn",
    MutationKind.WRONG_TYPE: "with each field of a wrong type in turn",
    MutationKind.NULL: "with null in place of each field in turn",
    MutationKind.TOO_LONG: "with each string one character too long in turn",
    MutationKind.BAD_ENUM: "with a word outside each enumeration in turn",
    MutationKind.EXTRA_PROPERTY: "with a property that the schema does not have",
    MutationKind.EMPTY_ARRAY: "with each list empty in turn",
    MutationKind.BAD_FORMAT: "with text that is not a time in place of each time stamp",
    MutationKind.BOUNDARY_OK: "with each field at its limit in turn",
    MutationKind.WORD_OK: "with each word of each enumeration in turn",
    MutationKind.ABSENT_OK: "without each optional field in turn",
}


def _judge(action: str, kind: MutationKind) -> Check:
    legal = kind in LEGAL
    claim = f"The CSMS {'answers' if legal else 'refuses'} {action} {WORDS[kind]}"

    def judge(history: History) -> list[Finding]:
        plain = _refused_as_such(history, action, claim)
        if plain is not None:
            return [plain]
        sent = named_lines(history, "mutation")
        calls = history.calls(action)
        findings = []
        for name, line in sent:
            # Only the very next CALL is the changed one; the action may also serve as a sign of life.
            call = next((call for call in calls if call.call.line > line), None)
            if call is not None:
                findings.append(_grade(call, name, claim, kind))
        return findings

    return Check(claim=claim, judge=judge)


def _refused_as_such(history: History, action: str, claim: str) -> Finding | None:
    """Find out that the CSMS refuses the action in its plainest form: then a refusal says nothing about its fields."""
    line = next((line for line, record in enumerate(history.records) if record.info.get("plain") == action), None)
    call = next((c for c in history.calls(action) if line is not None and c.call.line > line), None)
    if call is None or call.kind is not AnswerKind.ERROR:
        return None
    actual = f"it takes no {action} at all: {call.describe_answer()}"
    verdict = Verdict.NOT_APPLICABLE if is_unsupported(call, Version.V16) else Verdict.INCONCLUSIVE
    return Finding(verdict=verdict, claim=claim, actual=actual, frame=call.call.line)


def _grade(call: Exchange, mutation: str, claim: str, kind: MutationKind) -> Finding:
    line = call.call.line if call.answer is None else call.answer.line
    legal = kind in LEGAL
    match call.kind:
        case AnswerKind.RESULT:
            verdict = WHEN_TAKEN.get(kind, Verdict.NON_STRICT)
            # What is confirmed is the message; a reader who takes less of it than there should be is tolerant, and one
            # that answers Rejected has confirmed nothing.
            if not legal and (mutation.count("/") > AT_THE_TOP or call.result.get("status") == "Rejected"):
                verdict = Verdict.NON_STRICT
        case AnswerKind.ERROR:
            verdict = Verdict.FAILED if legal else Verdict.OK
        case _:
            verdict = Verdict.FAILED
    # A CSMS that drops the sender harms only the sender, who broke the rule.
    if call.kind is AnswerKind.NONE and not legal and call.cut_off:
        verdict = Verdict.NON_STRICT
    actual = f"{mutation}: {'the CSMS closed the connection' if call.cut_off else call.describe_answer()}"
    clause = UNANSWERED if call.kind is AnswerKind.NONE else None
    return Finding(verdict=verdict, claim=claim, actual=actual, clause=clause, frame=line)


def _drive(probe: Probe, action: str, group: list[Mutation]) -> None:
    station = probe.station
    silent = 0
    if group[0].kind in LEGAL:
        station.note(plain=action)
        plain = station.call(action, minimal(Version.V16, action, "request"))
        _end_session(station, action, plain)
        if plain.kind == "error":
            group = []
    for mutation in group:
        if not station.connected:
            probe.reconnect(station)
        answer = call_named(station, action, mutation.payload, mutation=mutation.id)
        silent += answer.kind == "timeout"
        _end_session(station, action, answer)
        if silent >= PATIENCE:
            station.note(stopped=f"after {silent} unanswered CALLs")
            break
    for each in (station, probe.bystander):
        if not each.connected:
            probe.reconnect(each)
        heartbeat(each)


def _end_session(station: ScriptedStation, action: str, answer: Answer) -> None:
    """End what a start began: a CSMS may refuse the next start at a connector where one runs, and to a tag in use."""
    if action == "StartTransaction" and answer.ok and station.connected:
        stop_transaction(station, transaction_id(answer))


# A payload may meet more defects than the one that its case is for.
ALSO = {
    ("StartTransaction", MutationKind.BOUNDARY_OK): ("start-with-reservation-refused",),
    ("StatusNotification", MutationKind.BOUNDARY_OK): ("time-with-offset-refused",),
    ("DataTransfer", MutationKind.BOUNDARY_OK): ("optional-fields-null",),
    ("DataTransfer", MutationKind.ABSENT_OK): ("optional-fields-null",),
    ("BootNotification", MutationKind.MISSING_REQUIRED): ("invalid-boot-accepted",),
    ("StatusNotification", MutationKind.WORD_OK): ("connector-fault-refused",),
    ("MeterValues", MutationKind.WORD_OK): ("celcius-refused",),
    ("StopTransaction", MutationKind.WORD_OK): (
        "stop-after-reboot-refused",
        "stop-with-ev-disconnected-refused",
        "stop-with-unlock-command-refused",
    ),
    ("FirmwareStatusNotification", MutationKind.WORD_OK): (
        "firmware-download-failed-refused",
        "firmware-installation-failed-refused",
        "firmware-installed-refused",
    ),
    ("SignedFirmwareStatusNotification", MutationKind.WORD_OK): ("invalid-signature-status-refused",),
    ("DiagnosticsStatusNotification", MutationKind.WORD_OK): ("diagnostics-upload-failed-refused",),
    ("LogStatusNotification", MutationKind.WORD_OK): ("log-uploaded-refused",),
}


def _add(action: str, kind: MutationKind, group: list[Mutation]) -> None:
    legal = kind in LEGAL
    bystander_serves = still_serves(role=BYSTANDER, claim="Another station is served as before")

    @case(
        id=f"PAY_{action}_{KIND_NAMES[kind]}",
        ocpp=Version.V16,
        title=f"{action} {WORDS[kind]}",
        block=BLOCK,
        profile=BLOCK,
        sends=f"{action} {WORDS[kind]}, {len(group)} in all, then a Heartbeat from this station and from another.",
        expects=(
            "The CSMS SHALL answer each with a CALLRESULT."
            if legal
            else "The CSMS SHALL answer each with a CALLERROR of this version and go on serving every station."
        ),
        clause=Clause("1.6J", "4.2.3"),
        bystander=True,
        defect=payload_defect_id(action, kind),
        also=ALSO.get((action, kind), ()) + (() if legal else ("invalid-call-unanswered",)),
        checks=(_judge(action, kind), still_serves(), bystander_serves),
    )
    def script(probe: Probe) -> None:
        _drive(probe, action, group)


def _add_all() -> None:
    order = list(KIND_NAMES)
    for action in station_actions(Version.V16):
        found = sorted(payload_mutations(action), key=lambda m: order.index(m.kind))
        for kind, group in groupby(found, key=lambda m: m.kind):
            _add(action, kind, list(group))


_add_all()
