"""Answers of a station that nobody asked for, that are errors, or that are wrong."""

from __future__ import annotations

import secrets

from evidence.verdicts import Verdict
from fixtures.frames import Frame
from interop_suite.catalogue import case
from interop_suite.claims.checks import still_serves
from interop_suite.claims.claim import Check, Finding
from interop_suite.claims.clauses import Clause
from interop_suite.claims.expected import field
from interop_suite.claims.history import BYSTANDER, PRIMARY, History
from interop_suite.drive.probe import Probe, now
from interop_suite.steps.connections import heartbeat
from interop_suite.steps.malformed_frames import throw
from interop_suite.steps.pending_commands import (
    COMMAND,
    COMMANDS,
    answer,
    asked_first,
    asked_second,
    first_action,
    first_command,
    first_of,
    hold,
    is_answered,
    reply_first,
    reported_first,
    second_command,
)
from interop_suite.steps.shared_case import bystander_serves, shared, wire_clause
from ocppj.messages import CallError, CallResultError, encode, encode_json
from ocppj.versions import ErrorMeaning, Version

BLOCK = "RPC"
CLOSING_PATIENCE = 0.2
"""Seconds for a CSMS to close a connection on which it heard what it cannot use."""


# -- answers that nobody expects -------------------------------------------------------------------------------------

UNSOLICITED = [
    Frame("result nobody asked for", '[3,"odd-1",{}]', None),
    Frame("error nobody asked for", '[4,"odd-1","InternalError","",{}]', None),
    Frame("result with an empty id", '[3,"",{"status":"Accepted"}]', None),
    Frame("error with a code of its own", '[4,"odd-1","MyOwnError","no reason",{}]', None),
]
_IGNORED = "An answer that belongs to no CALL is ignored"


def _judge_ignored(history: History) -> list[Finding]:
    lines = [line for line, record in enumerate(history.records) if "odd" in record.info]
    findings = []
    for line in lines:
        name = history.records[line].info["odd"]
        until = min((other for other in lines if other > line), default=len(history.records))
        closed = any(
            c.closed_line is not None and line < c.closed_line < until and (c.closed or {}).get("by") != "station"
            for c in history.attempts()
        )
        # Several CSMSs drop the sender; that harms nobody else, and the station comes back.
        verdict = Verdict.NON_STRICT if closed else Verdict.OK
        actual = f"{name}: {'the CSMS closed the connection' if closed else 'nothing happened'}"
        findings.append(Finding(verdict=verdict, claim=_IGNORED, actual=actual, frame=line))
    return findings


@shared(
    id="ID_08",
    title="Answers that nobody asked for are ignored, and not answered themselves",
    block=BLOCK,
    bystander=True,
    sends="CALLRESULTs and CALLERRORs with ids that the CSMS never used, each followed by a Heartbeat.",
    expects="The CSMS SHALL NOT answer them: a CALLERROR answers a CALL; and it SHALL go on serving.",
    clause=wire_clause("4.2.3", "4.2.3", "4.2.3"),
    defect="result-answered-with-error",
    also=("unsolicited-closes-bystanders",),
    checks=(Check(claim=_IGNORED, judge=_judge_ignored), still_serves(), bystander_serves()),
)
def unsolicited(probe: Probe) -> None:
    throw(probe, UNSOLICITED)


@shared(
    id="ID_08_2",
    title="A second answer to the same command is ignored",
    block=BLOCK,
    initiator="csms",
    needs=COMMANDS,
    sends="Two answers to a command, Rejected and then Accepted, and the answer to a second command.",
    expects="The CSMS SHALL keep the first answer, and send the next command as ever.",
    clause=wire_clause("4.1.1", "4.1.1", "4.1.1"),
    defect="second-answer-mutes",
    also=("refusal-reported-as-accepted", "result-answered-with-error"),
    checks=(
        asked_first(),
        reported_first(is_answered("Rejected"), claim="The first answer counts"),
        asked_second(),
        still_serves(),
    ),
)
def answered_twice(probe: Probe) -> None:
    station = probe.station
    future, message_id = hold(probe)
    if message_id is not None:
        answer(station, message_id, "Rejected")
        answer(station, message_id, "Accepted")
        heartbeat(station)
        _come_back(probe)
    probe.outcome(first_of(probe), future)
    if message_id is None:
        return
    second_command(probe)
    heartbeat(station)


def _unless_dropped(check: Check) -> Check:
    """Leave a CSMS in peace that drops whoever sends answers to nothing, as several do: it heard no other answer."""

    def judge(history: History) -> list[Finding]:
        if not any(history.notes("dropped")):
            return check.judge(history)
        actual = "the CSMS closed the connection"
        return [Finding(verdict=Verdict.NON_STRICT, claim=check.claim, actual=actual)]

    return Check(claim=check.claim, judge=judge)


@shared(
    id="ID_08_3",
    title="An answer with another id leaves the command that is open alone",
    block=BLOCK,
    initiator="csms",
    needs=COMMAND,
    sends="Accepted, and a CALLERROR, with ids that nobody used, while a command is open; then its answer, Rejected.",
    expects="The CSMS SHALL wait for the answer with the id of its command, and so report Rejected.",
    clause=wire_clause("4.1.4", "4.1.4", "4.1.4"),
    defect="any-answer-ends-open-command",
    also=("refusal-reported-as-accepted", "result-answered-with-error", "any-error-ends-open-command"),
    checks=(
        asked_first(),
        _unless_dropped(
            reported_first(is_answered("Rejected"), claim="Only the answer with the id of the command counts")
        ),
        still_serves(),
    ),
)
def stray_beside_open(probe: Probe) -> None:
    station = probe.station
    future, message_id = hold(probe)
    if message_id is not None:
        answer(station, f"{station.identity}-stray"[-36:], "Accepted")
        heartbeat(station)
        if station.connected:
            station.send_raw(encode(CallError(f"{station.identity}-wrong"[-36:], "GenericError", "It was not me.")))
            heartbeat(station)
        if station.connected:
            answer(station, message_id, "Rejected")
        else:
            station.note(dropped=True)
    probe.outcome(first_of(probe), future)
    _come_back(probe)
    heartbeat(station)


@shared(
    id="ID_07",
    title="One station's answer never counts for another station's command",
    block=BLOCK,
    initiator="csms",
    bystander=True,
    needs=COMMAND,
    sends="Accepted from this station with the id of a command to another one, which itself then answers Rejected.",
    expects="The CSMS SHALL match answers on the connection that the command went out on, and so report Rejected.",
    clause=wire_clause("4.1.4", "4.1.4", "4.1.4"),
    defect="answers-matched-across-stations",
    also=(
        "command-to-other-station",
        "refusal-reported-as-accepted",
        "result-answered-with-error",
        "unsolicited-closes-bystanders",
        "answers-on-commanded-connection",
    ),
    checks=(
        asked_first(role=BYSTANDER, claim="The CSMS sends the command to the other station"),
        reported_first(is_answered("Rejected"), claim="Only the station that was asked is heard"),
        still_serves(),
        bystander_serves(),
    ),
)
def foreign_answer(probe: Probe) -> None:
    station, other = probe.station, probe.bystander
    future, message_id = hold(probe, other)
    if message_id is not None:
        answer(station, message_id, "Accepted")
        heartbeat(station)
        _come_back(probe)
        answer(other, message_id, "Rejected")
    probe.outcome(first_of(probe), future, station=other)
    heartbeat(other)


def _come_back(probe: Probe) -> None:
    """Connect again where the CSMS has dropped the station for its answer, which costs only the sender."""
    probe.station.pump(lambda: not probe.station.connected, CLOSING_PATIENCE)
    if not probe.station.connected:
        probe.reconnect(probe.station, judged=True)
        heartbeat(probe.station)


# -- answers that are errors, or wrong -------------------------------------------------------------------------------


@shared(
    id="RPC_18",
    title="A CALLERROR of a station ends the command at once",
    block=BLOCK,
    initiator="csms",
    needs=COMMANDS,
    sends="CALLERRORs to a command: a plain one, one with a long description, one without details; then an answer.",
    expects="The CSMS SHALL take the CALLERROR for the answer, and send the next command as ever.",
    clause=wire_clause("4.1.1", "4.1.1", "4.1.1"),
    defect="error-taken-for-silence",
    also=("deaf-after-broken-answer", "invalid-answer-mutes"),
    checks=(
        asked_first(),
        *(
            reported_first(
                lambda result: result.get("status") == "error",
                nth=nth,
                claim="The command has failed, and not timed out",
            )
            for nth in (0, 1)
        ),
        asked_second(),
        still_serves(),
    ),
)
def error_answers(probe: Probe) -> None:
    station = probe.station
    code = station.rules.code(ErrorMeaning.UNSUPPORTED_ACTION)
    for description in ("", "x" * 255):
        reply_first(probe, station=station, error=(code, description))
        if first_command(probe) is None or not station.received(first_of(probe)):
            return
    future, message_id = hold(probe)
    if message_id is not None:
        station.send_raw(encode_json((4, message_id, code, "", None)))
    probe.outcome(first_of(probe), future)
    second_command(probe)
    heartbeat(station)


_OVER = "The command is over with that answer, and does not wait for its time-out"


def _judge_over(history: History) -> list[Finding]:
    """Tell a CSMS that drops the answer, which the texts allow, and then waits for another one."""
    outcomes = [c for c in history.driver_calls if c.operation == "outcome"]
    outcomes = [c for c in outcomes if c.info.get("action") == first_action(history)]
    if not outcomes:
        return []
    result = outcomes[0].info.get("result") or {}
    said, told = result.get("status"), field(result, "payload.status")
    if told is not None:
        actual = f"its API says that the station answered {told!r}, but the answer had no status"
        return [Finding(verdict=Verdict.NON_STRICT, claim=_OVER, actual=actual, frame=outcomes[0].line)]
    verdict = Verdict.NON_STRICT if said == "timeout" else Verdict.OK
    return [Finding(verdict=verdict, claim=_OVER, actual=f"its API says {said!r}", frame=outcomes[0].line)]


@shared(
    id="ID_09",
    title="An answer that is against its schema fails the command and nothing else",
    block=BLOCK,
    initiator="csms",
    needs=COMMANDS,
    sends="An empty answer to a command that wants a status, then the answer to a second command, and a Heartbeat.",
    expects="The CSMS SHALL count the command as answered, and send the next one; 2.1 may send CALLRESULTERROR.",
    clause={
        Version.V16: Clause("1.6J", "4.1.1"),
        Version.V201: Clause("201-4", "4.1.1"),
        Version.V21: Clause("21-4", "4.2.3"),
    },
    defect="invalid-answer-mutes",
    checks=(asked_first(), Check(claim=_OVER, judge=_judge_over), asked_second(), still_serves()),
)
def invalid_answer(probe: Probe) -> None:
    station = probe.station
    reply_first(probe, station=station, payload={})
    first_command(probe)
    if not station.received(first_of(probe)):
        return
    _come_back(probe)
    second_command(probe)
    heartbeat(station)


# -- CALLRESULTERROR -------------------------------------------------------------------------------------------------

_TAKEN = "A CALLRESULTERROR is taken without an answer, and without the end of the connection"
_RESULT_ERRORS = (
    ("of an answer that it had", "FormatViolation", "currentTime is no time"),
    ("of an answer that it had, with a code of its own", "MyOwnError", ""),
    ("of an answer that nobody gave", "InternalError", ""),
)


def _judge_result_errors(history: History) -> list[Finding]:
    findings = []
    sent = [f for f in history.frames if f.sent and isinstance(f.message, CallResultError)]
    for frame, what in zip(sent, history.notes("result_error"), strict=False):
        until = min((other.line for other in sent if other.line > frame.line), default=len(history.records))
        ids = frame.message.message_id if frame.message else None
        answers = [
            stray.frame
            for stray in history.strays
            if frame.line < stray.frame.line < until and stray.frame.message and stray.frame.message.message_id == ids
        ]
        ended = any(
            c.closed_line is not None and frame.line < c.closed_line < until and (c.closed or {}).get("by") != "station"
            for c in history.attempts()
        )
        actual = "the CSMS closed the connection" if ended else "nothing happened"
        if answers:
            actual = f"it was answered with {str(answers[0].text)[:120]}"
        findings.append(
            Finding(
                verdict=Verdict.FAILED if ended or answers else Verdict.OK,
                claim=_TAKEN,
                actual=f"{what}: {actual}",
                frame=frame.line,
            )
        )
    return findings


@case(
    id="RPC_22",
    ocpp=Version.V21,
    title="A CALLRESULTERROR of a station is taken, and service goes on",
    block=BLOCK,
    bystander=True,
    sends="CALLRESULTERRORs with the id of a Heartbeat and with one that nobody used, each followed by a Heartbeat.",
    expects="The CSMS SHALL take each as the end of its CALLRESULT, answer nothing, and go on serving.",
    clause=Clause("21-4", "4.2.3"),
    defect="result-error-closes",
    also=("result-error-answered", "deaf-after-result-error"),
    checks=(Check(claim=_TAKEN, judge=_judge_result_errors), still_serves(), bystander_serves()),
)
def result_errors(probe: Probe) -> None:
    station = probe.station
    for number, (what, code, description) in enumerate(_RESULT_ERRORS):
        message_id = f"{secrets.token_hex(4)}-{number}"
        if number < len(_RESULT_ERRORS) - 1:
            station.call("Heartbeat", {}, message_id=message_id)
        station.note(result_error=what)
        station.send_raw(encode_json((5, message_id, code, description, {})))
        heartbeat(station)
        _come_back(probe)
    heartbeat(probe.bystander)


# -- SEND ------------------------------------------------------------------------------------------------------------

_UNANSWERED = "No SEND is answered, whatever is in it"


def _judge_sends(history: History) -> list[Finding]:
    ids = {message.message_id for frame in history.sends if (message := frame.message) is not None}
    answers = [stray.frame for stray in history.strays if stray.frame.station == history.station(PRIMARY)]
    if not ids:
        return []
    return [
        Finding(
            verdict=Verdict.FAILED if answers else Verdict.OK,
            claim=_UNANSWERED,
            actual=str(answers[0].text)[:120] if answers else f"{len(ids)} SENDs, and no answer to any",
            frame=answers[0].line if answers else None,
        )
    ]


@case(
    id="RPC_06",
    ocpp=Version.V21,
    title="A SEND is never answered",
    block=BLOCK,
    bystander=True,
    sends="SENDs of a periodic event stream, of a wrong payload and of an unknown action, then a Heartbeat.",
    expects="The CSMS SHALL NOT answer any of them with a CALLRESULT or CALLERROR.",
    clause=Clause("21-4", "4.2.4"),
    defect="send-answered",
    also=("result-with-four-elements",),
    checks=(Check(claim=_UNANSWERED, judge=_judge_sends), still_serves(), bystander_serves()),
)
def sends(probe: Probe) -> None:
    station, tag = probe.station, secrets.token_hex(4)
    stream = {"id": 1, "pending": 0, "basetime": now(), "data": [{"t": 0, "v": "230.4"}]}
    for number, (action, payload) in enumerate(
        (
            ("NotifyPeriodicEventStream", stream),
            ("NotifyPeriodicEventStream", {"id": "one"}),
            ("MakeCoffee", {}),
            ("Heartbeat", {}),
        )
    ):
        station.send_raw(encode_json((6, f"send-{tag}-{number}", action, payload)))
    heartbeat(station)
    heartbeat(probe.bystander)
