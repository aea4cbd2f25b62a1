"""RPC framing: what is not a message, what is one of an unknown kind, and every legal way to write one."""

from __future__ import annotations

import secrets

from evidence.verdicts import Verdict
from fixtures.frames import Frame
from interop_suite.claims.claim import Check, Finding, Level
from interop_suite.claims.clauses import Clause
from interop_suite.claims.history import History
from interop_suite.drive.probe import Probe
from interop_suite.steps.malformed_frames import Grades, Reaction, frames_of, let_react, named_frames, odd_checks, throw
from interop_suite.steps.shared_case import V2X, shared, wire_clause
from ocppj.errors import Fault
from ocppj.versions import Version

BLOCK = "RPC"
OK, SOFT, BAD = Verdict.OK, Verdict.NON_STRICT, Verdict.FAILED

# Nothing is defined in 1.6; 2.x answers with the id "-1", or drops it (Part 4 §4.2.3). Closing costs only the sender.
UNREADABLE: Grades = {Reaction.ERROR: OK, Reaction.SILENCE: OK, Reaction.CLOSED: SOFT, Reaction.RESULT: SOFT}
NO_MESSAGE: Grades = {**UNREADABLE, Reaction.RESULT: BAD}
# A CALLERROR is asked for (2.x Part 4 §4.1.7), and dropping is allowed (§4.2.3); a tolerant reader may even understand.
BROKEN_CALL: Grades = {Reaction.ERROR: OK, Reaction.SILENCE: SOFT, Reaction.CLOSED: SOFT, Reaction.RESULT: SOFT}
# 1.6 and 2.1 ignore; 2.0.1 says so in §4.1.3 and asks for MessageTypeNotSupported in §4.4.
IGNORED: Grades = {Reaction.ERROR: SOFT, Reaction.SILENCE: OK, Reaction.CLOSED: SOFT, Reaction.RESULT: BAD}
IGNORED_OR_REFUSED: Grades = {**IGNORED, Reaction.ERROR: OK}
REFUSED: Grades = {Reaction.ERROR: OK, Reaction.SILENCE: BAD, Reaction.CLOSED: SOFT, Reaction.RESULT: BAD}
# No text says how long an id must be at least: what comes back, is refused or is dropped is in order.
ANY_WAY: Grades = {**UNREADABLE, Reaction.RESULT: OK}
TAKEN: Grades = {Reaction.ERROR: BAD, Reaction.SILENCE: BAD, Reaction.CLOSED: BAD, Reaction.RESULT: OK}

NULL_ID = "garbage-answered-with-null-id"
GARBAGE_DEFECTS = (
    "deaf-after-garbage",
    "garbage-closes-bystanders",
    "garbage-bans-station",
    "garbage-echoed",
)
GARBAGE_ALSO = {Version.V16: GARBAGE_DEFECTS, **dict.fromkeys(V2X, (NULL_ID, *GARBAGE_DEFECTS))}
NO_JSON = frames_of(Fault.NOT_JSON)
READABLE_BY_RIGHT = ("byte-order-mark", "lone-surrogate")
"""A mark that a reader may ignore, and an escape that the grammar allows (RFC 8259 §8.1, §8.2)."""
NO_ARRAY = [*frames_of(Fault.NOT_ARRAY), *named_frames("empty-array")]
# 2.0 is the number 2: most JSON readers cannot tell them apart.
UNKNOWN_TYPES = [f for f in frames_of(Fault.UNKNOWN_TYPE, Fault.BAD_TYPE) if f.name != "type-as-float"]
NO_ID = [*named_frames("type-only"), *(frame for frame in frames_of(Fault.BAD_ID) if frame.name.startswith("id-"))]
BROKEN_CALLS = [
    *NO_ID,
    *named_frames("call-without-payload", "call-with-five-elements", "call-with-hundred-elements"),
    *frames_of(Fault.BAD_ACTION),
    *(frame for frame in frames_of(Fault.BAD_PAYLOAD) if frame.name.startswith("payload-")),
]
UNKNOWN_ACTIONS = named_frames(
    "unknown-action",
    "action-in-lower-case",
    "action-with-suffix",
    "action-of-1.6-with-suffix",
    "empty-action",
    "action-of-100000-characters",
    "action-with-path",
    "action-of-an-object",
)
UNREADABLE_CLAUSE = {**wire_clause("4.1.2", "4.2.3", "4.2.3")}


@shared(
    id="RPC_01",
    title="Frames that are not JSON are refused or dropped, and service goes on",
    block=BLOCK,
    bystander=True,
    sends=f"{len(NO_JSON)} texts that are not JSON, each followed by a Heartbeat, then a Heartbeat of another station.",
    expects="The CSMS MAY refuse or drop each; it SHALL confirm none, and it SHALL go on serving both stations.",
    clause=UNREADABLE_CLAUSE,
    defect={Version.V16: "deaf-after-garbage", **dict.fromkeys(V2X, NULL_ID)},
    also={
        Version.V16: tuple(defect for defect in GARBAGE_DEFECTS if defect != "deaf-after-garbage"),
        **dict.fromkeys(V2X, GARBAGE_DEFECTS),
    },
    checks=odd_checks("What is not JSON is refused or dropped", UNREADABLE, dict.fromkeys(READABLE_BY_RIGHT, ANY_WAY)),
)
def no_json(probe: Probe) -> None:
    throw(probe, NO_JSON)


@shared(
    id="RPC_02",
    title="JSON that is not an array, or an empty one, is refused or dropped, and service goes on",
    block=BLOCK,
    bystander=True,
    sends="An object, a string, a number, null, true and [], each followed by a Heartbeat.",
    expects="The CSMS MAY refuse or drop each; it SHALL confirm none, and it SHALL go on serving both stations.",
    clause=UNREADABLE_CLAUSE,
    defect="deaf-after-garbage",
    also=GARBAGE_ALSO,
    checks=odd_checks("What is not a message is refused or dropped", NO_MESSAGE),
)
def no_array(probe: Probe) -> None:
    throw(probe, NO_ARRAY)


@shared(
    id="RPC_03",
    title="CALLs with missing, surplus or mistyped elements are refused, and service goes on",
    block=BLOCK,
    bystander=True,
    sends="CALLs of 1, 3, 5 and 100 elements, and with an id, an action or a payload of a wrong type.",
    expects="The CSMS SHALL answer what it reads with a CALLERROR, may drop the rest, and SHALL go on serving.",
    clause=wire_clause("4.2.1", "4.2.1", "4.2.1"),
    defect="deaf-after-broken-call",
    also={Version.V16: ("garbage-echoed",), **dict.fromkeys(V2X, (NULL_ID, "garbage-echoed"))},
    checks=odd_checks(
        "A CALL of a wrong shape is refused or dropped", BROKEN_CALL, {frame.name: UNREADABLE for frame in NO_ID}
    ),
)
def broken_calls(probe: Probe) -> None:
    throw(probe, BROKEN_CALLS)


@shared(
    id="RPC_04",
    title="Messages of an unknown type are not taken, and service goes on",
    block=BLOCK,
    bystander=True,
    sends="Arrays with the message type 0, 1, 7, -2, a huge one, a fraction, a string, null, true and a list.",
    expects="The CSMS SHALL ignore their payload (2.0.1: or answer MessageTypeNotSupported) and go on serving.",
    clause=wire_clause("4.1.3", "4.4", "4.4"),
    defect="unknown-type-confirmed",
    also={
        Version.V16: (),
        Version.V201: (NULL_ID, "garbage-echoed"),
        Version.V21: (NULL_ID,),
    },
    checks={
        Version.V16: odd_checks("A message of an unknown type is ignored", IGNORED),
        Version.V201: odd_checks("A message of an unknown type is ignored or refused", IGNORED_OR_REFUSED),
        Version.V21: odd_checks("A message of an unknown type is ignored", IGNORED),
    },
)
def unknown_types(probe: Probe) -> None:
    throw(probe, UNKNOWN_TYPES)


NEWER_TYPES = named_frames("result-error-nobody-asked-for", "send-of-a-call")


@shared(
    id="RPC_05",
    title="CALLRESULTERROR and SEND, which only 2.1 has, are not taken",
    block=BLOCK,
    bystander=True,
    sends="A message of type 5 and one of type 6, each followed by a Heartbeat.",
    expects="The CSMS SHALL ignore their payload (2.0.1: or answer MessageTypeNotSupported) and go on serving.",
    clause={Version.V16: Clause("1.6J", "4.1.3"), Version.V201: Clause("201-4", "4.4")},
    defect="unknown-type-confirmed",
    checks={
        Version.V16: odd_checks("A message of an unknown type is ignored", IGNORED),
        Version.V201: odd_checks("A message of an unknown type is ignored or refused", IGNORED_OR_REFUSED),
    },
)
def newer_types(probe: Probe) -> None:
    throw(probe, NEWER_TYPES)


_CODED = "An action that nobody knows is called NotImplemented"


def _judge_codes(history: History) -> list[Finding]:
    """Judge the code for names that are actions in no version; who reads something else into the frame may say so."""
    findings = []
    for exchange in history.exchanges:
        if exchange.by_station and exchange.action == "MakeCoffee" and exchange.error is not None:
            code = exchange.error.code
            verdict = Verdict.OK if code == "NotImplemented" else Verdict.NON_STRICT
            findings.append(Finding(verdict=verdict, claim=_CODED, actual=code, frame=exchange.call.line))
    return findings or [Finding(verdict=Verdict.OK, claim=_CODED, actual="no CALLERROR says otherwise")]


@shared(
    id="RPC_12",
    title="A CALL with an unknown action is answered with a CALLERROR",
    block=BLOCK,
    bystander=True,
    sends="CALLs with the actions MakeCoffee, heartbeat, BootNotificationRequest, an empty one, a path and __proto__.",
    expects="The CSMS SHALL answer each with a CALLERROR; NotImplemented is the code for it.",
    clause={
        Version.V16: Clause("1.6J-E", "3.2"),
        Version.V201: Clause("201-4", "4.1.7"),
        Version.V21: Clause("21-4", "4.1.7"),
    },
    defect="unknown-action-unanswered",
    also=("unknown-action-confirmed", "error-code-made-up"),
    checks=(
        *odd_checks("A CALL with an unknown action is refused", REFUSED),
        Check(claim=_CODED, judge=_judge_codes),
    ),
)
def unknown_actions(probe: Probe) -> None:
    throw(probe, UNKNOWN_ACTIONS, patient=True)


RESET = {
    Version.V16: '[2,"odd-1","Reset",{"type":"Hard"}]',
    Version.V201: '[2,"odd-1","Reset",{"type":"Immediate"}]',
    Version.V21: '[2,"odd-1","Reset",{"type":"Immediate"}]',
}


@shared(
    id="RPC_13",
    title="A command that only a CSMS may send is refused when a station sends it",
    block=BLOCK,
    bystander=True,
    sends="A Reset from the station to the CSMS, then a Heartbeat of it and of another station.",
    expects="The CSMS SHALL answer with a CALLERROR, do nothing and go on serving.",
    clause=wire_clause("4.2.3", "4.1.7", "4.1.7"),
    defect="csms-action-confirmed",
    checks=odd_checks("A CSMS's command is refused", REFUSED),
)
def csms_action(probe: Probe) -> None:
    throw(probe, [Frame("reset", RESET[probe.version], None)], patient=True)


FOREIGN_ACTIONS = {
    Version.V16: ("TransactionEvent", "NotifyReport", "NotifyEvent"),
    Version.V201: ("StartTransaction", "StopTransaction", "DiagnosticsStatusNotification"),
    Version.V21: ("StartTransaction", "StopTransaction", "DiagnosticsStatusNotification"),
}


@shared(
    id="RPC_14",
    title="Actions of another OCPP version are refused on this one's connection",
    block=BLOCK,
    bystander=True,
    sends="CALLs with actions that 2.x has on a 1.6 connection, and the other way round.",
    expects="The CSMS SHALL answer each with a CALLERROR.",
    clause={
        Version.V16: Clause("1.6J-E", "3.2"),
        Version.V201: Clause("201-4", "4.1.7"),
        Version.V21: Clause("21-4", "4.1.7"),
    },
    defect="unknown-action-confirmed",
    also=("unknown-action-unanswered", "error-code-made-up"),
    checks=odd_checks("An action of another version is refused", REFUSED),
)
def foreign_actions(probe: Probe) -> None:
    actions = FOREIGN_ACTIONS[probe.version]
    throw(probe, [Frame(action, f'[2,"odd-1","{action}",{{}}]', None) for action in actions], patient=True)


# An id of 36 characters is legal whatever it holds; so is any escape that JSON knows.
LEGAL_IDS = [
    Frame(name, f'[2,"{text}","Heartbeat",{{}}]', None)
    for name, text in {
        "uuid": "8f14e45f-ceea-467f-a9a1-0c5d3b0c7a11",
        "36 letters": "x" * 36,
        "quotes and backslash": '\\"quoted\\" \\\\',
        "newline and tab": "a\\nb\\tc",
        "accents and emoji": "Straße \U0001f50c",
        "markup": "<b>1</b>",
        "minus one": "-1",
        "escaped letters": "\\u0041\\u0042",
        # What a reader of numbers, of words of JSON, or of members of objects takes for something else.
        "digits": "4711",
        "leading zeros": "000042",
        "20 digits": "12345678901234567890",
        "plus sign": "+42",
        "fraction": "42.0",
        "exponent": "42e1",
        "word of JSON": "null",
        "blanks around": " 42 ",
        "letters of both cases": "aBcDeF",
        "dashes and braces": "{8f14e45f--ceea}",
        "path": "a/b?c=d&e=%20",
        "member of every object": "__proto__",
    }.items()
]
ILLEGAL_IDS = [
    Frame("37 characters", f'[2,"{"x" * 37}","Heartbeat",{{}}]', None),
    Frame("300 characters", f'[2,"{"y" * 300}","Heartbeat",{{}}]', None),
    Frame("empty", '[2,"","Heartbeat",{}]', None),
]


@shared(
    id="RPC_07",
    title="Message ids come back exactly, up to 36 characters of any kind",
    block=BLOCK,
    bystander=True,
    sends="Heartbeats whose ids have 36 characters, quotes, emoji, or look like numbers; then ids of 37, 300 and none.",
    expects="The CSMS SHALL answer the legal ids with the same id; the others it may refuse, answer or drop.",
    clause=wire_clause("4.1.4", "4.1.4", "4.1.4"),
    defect="long-message-id-cut",
    also=("message-id-trimmed", "number-id-normalised"),
    checks=odd_checks(
        "A legal message id comes back as it was sent",
        TAKEN,
        {frame.name: ANY_WAY if frame.name == "empty" else BROKEN_CALL for frame in ILLEGAL_IDS},
        of_others="A message id that is empty, or of more than 36 characters, is refused",
    ),
)
def message_ids(probe: Probe) -> None:
    throw(probe, LEGAL_IDS, patient=True)
    throw(probe, ILLEGAL_IDS)


SPELLINGS = [
    Frame("blanks and line breaks", '\n [ 2 ,\t"odd-1" ,\r\n "Heartbeat" , { } ] ', None),
    Frame("escaped action", '[2,"odd-1","\\u0048eartbeat",{}]', None),
]


@shared(
    id="RPC_16",
    title="A message is understood however JSON and WebSocket allow it to be written",
    block=BLOCK,
    bystander=True,
    sends="Heartbeats with blanks between elements, with escapes, in five fragments, and with pings between these.",
    expects="The CSMS SHALL answer each: they are the same message.",
    clause={version: Clause("RFC6455", "5.4") for version in Version},
    defect="spaced-frame-unread",
    checks=odd_checks("A legal spelling is understood", TAKEN),
)
def spellings(probe: Probe) -> None:
    station = probe.station
    throw(probe, SPELLINGS, patient=True)
    for pings in (False, True):
        station.note(odd="five fragments, pings between" if pings else "five fragments")
        seen = station.answers_heard
        station.send_raw(f'[2,"whole-{pings}","Heartbeat",{{}}]', fragments=5, pings=pings)
        let_react(station, seen)
        station.call("Heartbeat", {})
    probe.bystander.call("Heartbeat", {})


AGAIN = '[2,"again-{0}","Heartbeat",{{}}]'
# A CSMS may say that a CALL with this id is being handled already (§4.2.3).
RETRIED: Grades = {Reaction.ERROR: SOFT, Reaction.SILENCE: BAD, Reaction.CLOSED: BAD, Reaction.RESULT: OK}


@shared(
    id="RPC_21",
    title="A CALL that is sent again with its id is answered again",
    block=BLOCK,
    bystander=True,
    sends="A Heartbeat, and the same Heartbeat with the same id once more, as if its answer had been lost.",
    expects="The CSMS SHALL answer both: a CALL that is tried again may have the id of the first.",
    clause={Version.V21: Clause("21-4", "4.1.4")},
    defect="known-id-unanswered",
    checks=odd_checks("A CALL is answered each time that it comes", RETRIED),
)
def retried(probe: Probe) -> None:
    frame = AGAIN.format(secrets.token_hex(6))
    throw(probe, [Frame(name, frame, None) for name in ("the first", "the same again")], patient=True)


HEAVY = [*frames_of(Fault.TOO_DEEP), *frames_of(Fault.NUMBER_RANGE), *named_frames("many-keys", "long-string")]


@shared(
    id="PAY_09",
    title="Deep nesting, endless numbers, thousands of keys and long strings hurt nobody",
    block=BLOCK,
    bystander=True,
    may_end_csms=True,
    sends="CALLs nested 100,000 levels deep, with a number of 5,000 digits, 20,000 keys, half a megabyte of text.",
    expects="The CSMS MAY refuse, drop or close; it SHALL go on serving this station and the others.",
    clause=UNREADABLE_CLAUSE,
    level=Level.BEHAVIOUR,
    defect="deaf-after-garbage",
    also={version: (*others, "large-message-closes-bystanders") for version, others in GARBAGE_ALSO.items()},
    checks=odd_checks("An excessive message is survived", dict.fromkeys(Reaction, OK)),
)
def excessive(probe: Probe) -> None:
    throw(probe, HEAVY)
