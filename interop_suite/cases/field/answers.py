"""Answers of stations as the field sends them: cut off, with control characters, uncountable, refusals, unasked."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from drivers.base import trigger_need
from evidence.verdicts import Verdict
from fixtures.frames import Frame
from interop_suite.catalogue import case
from interop_suite.claims.checks import asked, still_serves
from interop_suite.claims.claim import Check, Finding
from interop_suite.claims.clauses import Clause
from interop_suite.claims.history import History
from interop_suite.claims.orders import differences
from interop_suite.drive.probe import Probe
from interop_suite.steps.connections import heartbeat
from interop_suite.steps.malformed_frames import Grades, Reaction, odd_checks, throw
from interop_suite.steps.shared_case import ALL, V2X, bystander_serves, shared, wire_clause
from ocppj.versions import ErrorMeaning, Version

BLOCK = "Field"
READ: Mapping[Version, str] = {Version.V16: "GetConfiguration", **dict.fromkeys(V2X, "GetVariables")}
"""What every CSMS asks a station for, whose answer has room for oddities."""
_NEEDS = {version: (trigger_need(action),) for version, action in READ.items()}
_COUNTED = {
    "component": {"name": "DeviceDataCtrlr"},
    "variable": {"name": "ItemsPerMessage", "instance": "GetVariables"},
}
_QUESTION: Mapping[Version, dict[str, Any]] = {
    Version.V16: {"key": ["NumberOfConnectors"]},
    **{version: {"getVariableData": [_COUNTED]} for version in V2X},
}
_LIST: Mapping[Version, str] = {Version.V16: "configurationKey", **dict.fromkeys(V2X, "getVariableResult")}


_FIXED: Mapping[Version, dict[str, Any]] = {
    Version.V16: {"key": "NumberOfConnectors", "readonly": True},
    **{key: {**_COUNTED, "attributeStatus": "Accepted"} for key in V2X},
}
_VALUE: Mapping[Version, str] = {Version.V16: "value", **dict.fromkeys(V2X, "attributeValue")}


def _good(version: Version, value: str = "2") -> dict[str, Any]:
    return {_LIST[version]: [{**_FIXED[version], _VALUE[version]: value}]}


def _broken(version: Version, message_id: str) -> dict[str, str]:
    """Write answers that no reader can use, by what is wrong with them."""
    whole = json.dumps([3, message_id, _good(version, "2#0")])
    return {
        "cut off": f'[3,"{message_id}",{{"{_LIST[version]}":[]',
        "a bracket too many": f'[3,"{message_id}",{{"{_LIST[version]}":],"unknownKey":["X"]}}]',
        "NUL in a value": whole.replace("#", "\0"),
        "a line feed in a value": whole.replace("#", "\n"),
        "no payload": f'[3,"{message_id}"]',
        "a list as payload": f'[3,"{message_id}",[]]',
        "an error of three elements": f'[4,"{message_id}","GenericError"]',
        "an error of two elements": f'[4,"{message_id}"]',
    }


LATE = 0.5
"""Seconds for a CALL to come after the API has said that it was sent."""
SLOW = 2
"""Commands that may run into the time-out of the CSMS: a broken answer need not count as one."""
_ENDS = "Each command comes to an end at the API"


def _judge_ends(version: Version) -> Check:
    def judge(history: History) -> list[Finding]:
        outcomes = [
            call
            for call in history.driver_calls
            if call.operation == "outcome" and call.info.get("action") == READ[version] and not call.cannot
        ]
        return [
            Finding(
                verdict=Verdict.FAILED if call.error == "no answer" else Verdict.OK,
                claim=_ENDS,
                actual=str(call.error or call.info.get("result", {}).get("status")),
                frame=call.line,
            )
            for call in outcomes
        ]

    return Check(claim=_ENDS, judge=judge)


_NEXT = "The command after them reaches the station"


def _judge_next(version: Version) -> Check:
    """Look at the last order alone: that the earlier ones were sent says nothing of it."""

    def judge(history: History) -> list[Finding]:
        orders = [order.line for order in history.triggers(READ[version])]
        if not any(history.notes("answer")):
            return asked(READ[version]).judge(history)
        after = [call for call in history.commands(READ[version]) if call.call.line > orders[-1]]
        actual = "it arrived" if after else f"{READ[version]} was ordered and did not come"
        verdict = Verdict.OK if after else Verdict.FAILED
        return [Finding(verdict=verdict, claim=_NEXT, actual=actual, frame=orders[-1])]

    return Check(claim=_NEXT, judge=judge)


def _order(probe: Probe) -> tuple[Any, str | None]:
    """Have the CSMS ask, and leave its question open; gives the outcome to come, and the message id.

    What the CSMS asks by itself besides is answered.
    """
    station, action, question = probe.station, READ[probe.version], _QUESTION[probe.version]

    def is_ours(payload: dict[str, Any]) -> bool:
        return not differences(action, question, payload)

    def ours() -> list[str]:
        return [call.message_id for call in station.received(action) if is_ours(call.payload or {})]

    earlier = len(ours())
    station.reply(action, _good(probe.version), silent=is_ours)
    future = probe.trigger(action, question)
    station.pump(lambda: len(ours()) > earlier or future.done(), probe.command_patience)
    # An API may answer before it sends.
    station.pump(lambda: len(ours()) > earlier, LATE if future.done() else 0.0)
    return future, ours()[-1] if len(ours()) > earlier else None


def _last_order(probe: Probe) -> None:
    station, action = probe.station, READ[probe.version]
    if not station.connected:
        probe.reconnect(station, judged=True)
    station.reply(action, _good(probe.version))
    probe.command(action, _QUESTION[probe.version])
    heartbeat(station)


@shared(
    id="FLD_20",
    title="Answers that nobody can read end no more than their command",
    block=BLOCK,
    initiator="csms",
    bystander=True,
    needs=_NEEDS,
    sends="Answers that are cut off, hold NUL or a line feed, or lack elements, each followed by the right one.",
    expects="The CSMS may drop each or take it for an error; it SHALL send the next command and serve everybody.",
    clause=wire_clause("4.1.1", "4.1.1", "4.1.1"),
    defect="deaf-after-broken-answer",
    also=(
        "command-to-other-station",
        "invalid-answer-mutes",
        "unsolicited-closes-bystanders",
        "get-configuration-drops-keys",
    ),
    checks={v: (asked(READ[v]), _judge_ends(v), _judge_next(v), still_serves(), bystander_serves()) for v in ALL},
)
def unreadable_answers(probe: Probe) -> None:
    station, action, slow = probe.station, READ[probe.version], 0
    for name in _broken(probe.version, ""):
        if not station.connected:
            probe.reconnect(station, judged=True)
        future, message_id = _order(probe)
        if message_id is None:
            probe.outcome(action, future)
            break
        station.note(answer=name)
        station.send_raw(_broken(probe.version, message_id)[name])
        heartbeat(station)
        if station.connected:
            station.send_raw(json.dumps([3, message_id, _good(probe.version)]))
        result = probe.outcome(action, future)
        slow += result is None or result.status == "timeout"
        if slow > SLOW:
            break
    _last_order(probe)
    heartbeat(probe.bystander)


UNCOUNTABLE = ("1850027108", "2000000", "-1", "0", "", "NaN", "9" * 40)
"""Numbers that stations gave, or that their memory held after a value was too long for it."""


@shared(
    id="FLD_21",
    title="Numbers that nobody can count to stay texts",
    block=BLOCK,
    initiator="csms",
    bystander=True,
    may_end_csms=True,
    needs=_NEEDS,
    sends=f"NumberOfConnectors (2.x: ItemsPerMessage) {', '.join(map(repr, UNCOUNTABLE[:6]))} as answers; Heartbeats.",
    expects="The CSMS SHALL go on serving this station and the others, whatever number a station names.",
    clause=wire_clause("4.1.1", "4.1.1", "4.1.1"),
    defect="count-taken-at-its-word",
    also=("command-to-other-station", "get-configuration-drops-keys"),
    checks={v: (asked(READ[v]), _judge_ends(v), _judge_next(v), still_serves(), bystander_serves()) for v in ALL},
)
def uncountable(probe: Probe) -> None:
    station, action = probe.station, READ[probe.version]
    for value in UNCOUNTABLE:
        station.note(answer=value)
        station.reply(action, _good(probe.version, value))
        probe.command(action, _QUESTION[probe.version])
        if heartbeat(station).kind == "timeout":
            break
    _last_order(probe)
    heartbeat(probe.bystander)


REFUSALS = 4


@shared(
    id="FLD_22",
    title="A station that refuses every command is still sent the next one",
    block=BLOCK,
    initiator="csms",
    needs=_NEEDS,
    sends=f"CALLERROR NotSupported to {REFUSALS} commands one after another, then a good answer.",
    expects="The CSMS SHALL take each for the end of its command, and send the next one.",
    clause=wire_clause("4.1.1", "4.1.1", "4.1.1"),
    defect="refusals-counted-out",
    also=("get-configuration-drops-keys",),
    checks={v: (asked(READ[v]), _judge_ends(v), _judge_next(v), still_serves()) for v in ALL},
)
def refuses_everything(probe: Probe) -> None:
    station, action = probe.station, READ[probe.version]
    station.reply(action, error=(station.rules.code(ErrorMeaning.UNSUPPORTED_ACTION), "not in this firmware"))
    for number in range(REFUSALS):
        station.note(answer=f"refusal {number + 1}")
        probe.command(action, _QUESTION[probe.version])
    _last_order(probe)


# -- answers to nothing ----------------------------------------------------------------------------------------------

UNASKED = [
    Frame("answer cut off", '[3,"odd-1",{"configurationKey":[]', None),
    Frame("answer without payload", '[3,"odd-1"]', None),
    Frame("answer with NUL", '[3,"odd-1",{"value":"1\0"}]', None),
    Frame("answer with a line feed", '[3,"odd-1",{"value":"fal\nse"}]', None),
    Frame("answer with a list", '[3,"odd-1",[]]', None),
    Frame("answer with a number as id", '[3,17,{"status":"Accepted"}]', None),
    Frame("answer with null as id", '[3,null,{"status":"Accepted"}]', None),
    Frame("error of three elements", '[4,"odd-1","GenericError"]', None),
    Frame("error with a text for details", '[4,"odd-1","GenericError","","none"]', None),
]
GARBAGE = ("deaf-after-garbage", "garbage-bans-station", "garbage-closes-bystanders")
# An answer is never answered; a CSMS that cannot read it may say so all the same (2.x Part 4 §4.2.3).
DROPPED: Grades = {
    Reaction.ERROR: Verdict.NON_STRICT,
    Reaction.SILENCE: Verdict.OK,
    Reaction.CLOSED: Verdict.NON_STRICT,
    Reaction.RESULT: Verdict.FAILED,
}


@shared(
    id="FLD_23",
    title="Broken answers to nothing are dropped",
    block=BLOCK,
    bystander=True,
    sends="CALLRESULTs and CALLERRORs that are cut off, lack elements or hold control characters; Heartbeats.",
    expects="The CSMS SHALL go on serving this station and the others.",
    clause=wire_clause("4.2.3", "4.2.3", "4.2.3"),
    defect="deaf-after-broken-answer",
    also={Version.V16: GARBAGE, **dict.fromkeys(V2X, ("garbage-answered-with-null-id", *GARBAGE))},
    checks=odd_checks("A broken answer to nothing is dropped", DROPPED),
)
def unasked(probe: Probe) -> None:
    throw(probe, UNASKED)


@case(
    id="FLD_24",
    ocpp=Version.V21,
    title="A station that cannot use an answer says so, and is served on",
    block=BLOCK,
    bystander=True,
    sends="CALLRESULTERROR with the id of a Heartbeat that was answered, and one with an id that nobody used.",
    expects="The CSMS SHALL not answer either, and go on serving this station and the others.",
    clause=Clause("21-4", "4.2.3"),
    defect="deaf-after-result-error",
    checks=(still_serves(), bystander_serves()),
)
def result_errors(probe: Probe) -> None:
    station = probe.station
    answered_id = f"{station.identity}-answered"
    station.call("Heartbeat", {}, message_id=answered_id)
    for message_id in (answered_id, f"{station.identity}-nobody"):
        station.send_raw(json.dumps([5, message_id, "FormatViolation", "currentTime cannot be read", {}]))
        heartbeat(station)
    heartbeat(probe.bystander)
