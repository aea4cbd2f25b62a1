"""Order: who may talk when, and what silence means."""

from __future__ import annotations

import secrets
from typing import Any

from evidence.verdicts import Verdict
from interop_suite.claims.checks import answered, still_serves
from interop_suite.claims.claim import Check, Finding, Level
from interop_suite.claims.clauses import Clause
from interop_suite.claims.exchange import AnswerKind, Exchange
from interop_suite.claims.expected import present
from interop_suite.claims.history import History
from interop_suite.drive.dialogue import DIALOGUES
from interop_suite.drive.probe import Probe, now
from interop_suite.steps.connections import heartbeat
from interop_suite.steps.pending_commands import (
    COMMAND,
    COMMANDS,
    answer,
    asked_first,
    asked_second,
    first_action,
    first_command,
    first_of,
    has_command,
    hold,
    is_answered,
    order_second,
    reported_first,
    second_action,
    second_command,
    second_of,
)
from interop_suite.steps.shared_case import V2X, bystander_serves, shared, wire_clause
from ocppj.messages import Call, encode
from ocppj.versions import Version

CALL_TIMEOUT_MAX = 60.0
"""Seconds that the suite waits at most for a CSMS to give up a CALL; 30 is common, and no text says any."""
BLOCK = "RPC"
OWN_CALLS = 0.3
"""Seconds in which a CSMS that asks a station for something after its boot begins to do so."""
NO_OVERTAKING = 0.2
"""Seconds in which a CSMS that does not wait its turn would have sent its second command."""


# -- the station talks out of turn -----------------------------------------------------------------------------------

PIPELINED = 10
_PIPELINE = "Every CALL of a burst is answered once, with its own id"


def _judge_pipeline(history: History) -> list[Finding]:
    findings = []
    own = {"Heartbeat": "currentTime", "Authorize": DIALOGUES[history.rules.version].info}
    for call in history.calls():
        message = call.call.message
        if message is None or not message.message_id.startswith("burst-"):
            continue
        verdict = Verdict.OK if call.kind in (AnswerKind.RESULT, AnswerKind.ERROR) else Verdict.FAILED
        if call.kind is AnswerKind.RESULT and own.get(call.action, "") not in {*call.result, ""}:
            verdict = Verdict.FAILED
        if call.cut_off:
            verdict = Verdict.NON_STRICT
        findings.append(Finding(verdict=verdict, claim=_PIPELINE, actual=call.describe_answer(), frame=call.call.line))
    return findings


@shared(
    id="RPC_11",
    title="Ten CALLs in one go: none is lost, none is mixed up",
    block=BLOCK,
    bystander=True,
    sends=f"{PIPELINED} CALLs of three actions in one write, then a Heartbeat, and one of another station.",
    expects="The CSMS SHALL answer each with its own id, by a CALLRESULT or a CALLERROR.",
    clause=wire_clause("4.1.4", "4.1.4", "4.1.4"),
    defect="pipelined-call-lost",
    also=("pipelined-answers-exchanged",),
    checks=(Check(claim=_PIPELINE, judge=_judge_pipeline), still_serves(), bystander_serves()),
)
def burst(probe: Probe) -> None:
    station, before = probe.station, probe.station.heard
    tag, words = secrets.token_hex(4), DIALOGUES[station.version]
    # The answers to these have nothing in common, so that an exchanged one shows.
    kinds: list[tuple[str, dict[str, Any]]] = [
        ("Heartbeat", {}),
        ("Authorize", words.authorize(probe.made_up_token())),
        ("StatusNotification", words.available(station.model, now())[1]),
    ]
    burst = (Call(f"burst-{tag}-{n}", *kinds[n % len(kinds)]) for n in range(PIPELINED))
    station.send_raw(*(encode(call) for call in burst))
    station.pump(lambda: station.heard >= before + PIPELINED or not station.connected, station.timeout)
    if not station.connected:
        probe.reconnect(station, judged=True)
    heartbeat(station)
    heartbeat(probe.bystander)


@shared(
    id="RPC_19",
    title="Both sides call at the same time, and both are answered",
    block=BLOCK,
    initiator="csms",
    needs=COMMAND,
    sends="A Heartbeat while a command of the CSMS is open, and the answer to the command after that.",
    expects="The CSMS SHALL answer the Heartbeat although it waits for an answer itself, and then take that.",
    clause=wire_clause("4.1.1", "4.1.1", "4.1.1"),
    defect="deaf-while-waiting",
    also=("refusal-reported-as-accepted",),
    checks=(
        asked_first(),
        answered("Heartbeat", {"currentTime": present()}, nth=0, claim="A CALL that crosses a command is answered"),
        reported_first(is_answered("Rejected"), claim="The answer that comes after it is taken"),
        still_serves(),
    ),
)
def crossing(probe: Probe) -> None:
    station = probe.station
    future, message_id = hold(probe)
    if message_id is None:
        probe.outcome(first_of(probe), future)
        return
    heartbeat(station)
    answer(station, message_id, "Rejected")
    probe.outcome(first_of(probe), future)
    heartbeat(station)


# -- the CSMS waits its turn -----------------------------------------------------------------------------------------

_TURN = "A second command waits until the first one is answered"


def _judge_turn(level: Level) -> Check:
    def judge(history: History) -> list[Finding]:
        first = next((call for call in history.commands(first_action(history)) if call.answer is not None), None)
        if first is None or first.answer is None:
            return []
        # What came before the first command, the CSMS sent of its own accord.
        second = next((c for c in history.commands(second_action(history)) if c.call.line > first.call.line), None)
        if second is None:
            return []
        waited = second.call.line > first.answer.line
        actual = "it was sent after the answer" if waited else "it was sent while the first command was open"
        verdict = Verdict.OK if waited else level.when_broken
        return [Finding(verdict=verdict, claim=_TURN, actual=actual, frame=second.call.line)]

    return Check(claim=_TURN, judge=judge)


@shared(
    id="RPC_20",
    title="The CSMS has one command open at a time",
    block=BLOCK,
    initiator="csms",
    needs=COMMANDS,
    sends="No answer to a first command while the operator asks for a second one; then both answers.",
    expects="The CSMS SHALL NOT (1.6: should not) send the second command before the first is answered.",
    clause=wire_clause("4.1.1", "4.1.1", "4.1.1"),
    level={Version.V16: Level.RECOMMENDED, Version.V201: Level.REQUIRED, Version.V21: Level.REQUIRED},
    defect={
        Version.V16: "command-withheld",
        Version.V201: "second-call-before-answer",
        Version.V21: "second-call-before-answer",
    },
    checks={
        Version.V16: (asked_first(), asked_second(), _judge_turn(Level.RECOMMENDED)),
        **{v: (asked_first(), asked_second(), _judge_turn(Level.REQUIRED)) for v in V2X},
    },
)
def one_command_at_a_time(probe: Probe) -> None:
    station = probe.station
    future, message_id = hold(probe)
    if message_id is None:
        probe.outcome(first_of(probe), future)
        return
    action = second_of(probe)
    later = order_second(probe)
    station.expect(action, timeout=NO_OVERTAKING)
    answer(station, message_id, "Accepted")
    probe.outcome(first_of(probe), future)
    station.expect(action)
    probe.outcome(action, later)


def _let_time_out(probe: Probe) -> str | None:
    """Leave a command unanswered until the CSMS gives it up; None when it never came."""
    future, message_id = hold(probe)
    probe.outcome(first_of(probe), future, patience=CALL_TIMEOUT_MAX)
    return message_id


_GIVEN_UP = reported_first(
    lambda result: result.get("status") in ("timeout", "error"),
    nth=0,
    claim="A command that is never answered ends as such",
    # No text sets a time-out, so a CSMS may be more patient than the suite.
    when_silent=Verdict.NOT_APPLICABLE,
)


@shared(
    id="ID_10",
    title="A command that is never answered does not hold up the next one",
    block=BLOCK,
    initiator="csms",
    needs=COMMANDS,
    sends="No answer at all to a command, then the answer to the next one, and a Heartbeat.",
    expects="The CSMS SHALL let the command time out and send the next one then.",
    clause=wire_clause("4.1.1", "4.1.1", "4.1.1"),
    defect="mute-after-unanswered-call",
    checks=(asked_first(), _GIVEN_UP, asked_second(), still_serves()),
)
def never_answered(probe: Probe) -> None:
    station = probe.station
    if _let_time_out(probe) is None:
        return
    second_command(probe)
    heartbeat(station)


_BESIDE_LATE = ("mute-after-unanswered-call", "refusal-reported-as-accepted", "result-answered-with-error")


@shared(
    id="ID_11",
    title="An answer that comes too late is not taken for the answer to the next command",
    block=BLOCK,
    initiator="csms",
    needs=COMMAND,
    sends="No answer to a command until it has timed out; that answer, Accepted, while the next one is open; Rejected.",
    expects="The CSMS SHALL match answers by their id, and so report Rejected for the second command.",
    clause=wire_clause("4.1.4", "4.1.4", "4.1.4"),
    defect="late-answer-taken-for-next",
    also={
        Version.V16: (*_BESIDE_LATE, "any-answer-ends-open-command"),
        **dict.fromkeys(V2X, _BESIDE_LATE),
    },
    checks=(
        _GIVEN_UP,
        asked_first(nth=1, claim="The CSMS sends the second command"),
        reported_first(is_answered("Rejected"), nth=1, claim="The second command gets its own answer"),
        still_serves(),
    ),
)
def late_answer(probe: Probe) -> None:
    station = probe.station
    late = _let_time_out(probe)
    if late is None:
        return
    future, message_id = hold(probe)
    if message_id is not None:
        answer(station, late, "Accepted")
        answer(station, message_id, "Rejected")
    probe.outcome(first_of(probe), future)
    heartbeat(station)


# -- ids -------------------------------------------------------------------------------------------------------------

_NEW_IDS = "No id of a CALL comes again on the next connection"


def _judge_new_ids(history: History) -> list[Finding]:
    connections: dict[int, list[Exchange]] = {}
    for call in history.commands(prepared=True):
        connections.setdefault(call.call.connection, []).append(call)
    if len(connections) < 2:  # noqa: PLR2004  # before and after
        actual = "the CSMS sent nothing by itself on one of the connections; a driver could make it"
        return [Finding(verdict=Verdict.NOT_APPLICABLE, claim=_NEW_IDS, actual=actual)]
    seen: dict[str, Exchange] = {}
    for call in (call for calls in connections.values() for call in calls):
        assert isinstance(call.call.message, Call)
        message_id = call.call.message.message_id
        earlier = seen.setdefault(message_id, call)
        # What was never answered may be sent again as it was.
        if earlier.call.connection != call.call.connection and earlier.answer is not None:
            actual = f"{earlier.action} before and {call.action} after the reconnect both have the id {message_id}"
            return [Finding(verdict=Verdict.FAILED, claim=_NEW_IDS, actual=actual, frame=call.call.line)]
    return [Finding(verdict=Verdict.OK, claim=_NEW_IDS, actual=f"{len(seen)} ids")]


@shared(
    id="ID_14",
    title="The CSMS does not begin its message ids again when a station reconnects",
    block=BLOCK,
    sends="Answers to what the CSMS sends, by itself or for its operator; then the same after a reconnect with a boot.",
    expects="The CSMS SHALL give each CALL an id that it has not used for this station, on any connection.",
    clause={Version.V201: Clause("201-E", "4.2"), Version.V21: Clause("21-4", "4.1.4")},
    defect="message-ids-restart",
    checks=(Check(claim=_NEW_IDS, judge=_judge_new_ids), still_serves()),
)
def ids_after_reconnect(probe: Probe) -> None:
    station = probe.station
    # That a command does not come at all is what other cases are about.
    station.note(only_told="ids")
    for need, order in zip(COMMANDS[probe.version], (first_command, second_command), strict=True):
        if has_command(probe, need):
            order(probe)
        station.listen(OWN_CALLS)
        # Its answer shows that the CSMS has read what came before.
        heartbeat(station)
        if order is first_command:
            station.disconnect()
            probe.reconnect(station)
            probe.boot(station)
