"""Frames that no station should send: how a script throws them, and what a CSMS may make of each.

After each frame the same station sends a Heartbeat. A CSMS may refuse the frame, drop it, or even drop the connection,
as several do; what it may not do is to confirm it, to stop serving the station, or to hurt another one.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Mapping
from enum import StrEnum

from evidence.verdicts import Verdict
from fixtures.frames import FRAMES, Frame
from interop_suite.claims.checks import still_serves
from interop_suite.claims.claim import Check, Finding
from interop_suite.claims.exchange import AnswerKind, Exchange, Oddity
from interop_suite.claims.history import PRIMARY, History
from interop_suite.drive.probe import Probe
from interop_suite.drive.station import NO_FORM, ScriptedStation
from interop_suite.drive.transport import NoWayError
from interop_suite.steps.shared_case import bystander_serves
from ocppj.errors import Fault
from ocppj.messages import CallResult

__all__ = ["Grades", "Reaction", "frames_of", "let_react", "named_frames", "odd_checks", "reactions", "throw"]

REACTION_PATIENCE = 1.0
"""Seconds at most for a CSMS to answer what it may take for a CALL."""
REACTION_LEAST = 0.25
REACTION_TIMES = 20
"""How many times longer than for its slowest answer so far a CSMS may take."""


class Reaction(StrEnum):
    """What a CSMS did about a frame."""

    ERROR = "a CALLERROR"
    RESULT = "a CALLRESULT"
    SILENCE = "no answer"
    CLOSED = "the end of the connection"
    UNREADABLE = "a CALLERROR that says that no message can be read"


Grades = Mapping[Reaction, Verdict]


def frames_of(*faults: Fault) -> list[Frame]:
    """List the frames of the corpus with one of some faults."""
    return [frame for frame in FRAMES if frame.fault in faults]


def named_frames(*names: str) -> list[Frame]:
    """List frames of the corpus by name; raises `KeyError` for a name that it does not have."""
    corpus = {frame.name: frame for frame in FRAMES}
    return [corpus[name] for name in names]


def throw(probe: Probe, frames: Iterable[Frame], *, patient: bool = False) -> None:
    """Send each frame and a Heartbeat after it, until the station is no longer served; then look at the bystander.

    A CSMS may answer the Heartbeat first; where it has to answer every frame, a `patient` station waits for that.
    Frames that the transport has no form for are left out; raises `NoWayError` where none is left.
    """
    station, frames = probe.station, list(frames)
    carried = [frame for frame in frames if station.carries(frame.data)]
    if frames and not carried:
        raise NoWayError(NO_FORM)
    owed, before = 0, station.answers_heard
    for number, frame in enumerate(carried):
        if not station.connected:
            probe.reconnect(station, judged=True)
            owed, before = 0, station.answers_heard
        station.note(odd=frame.name)
        seen = station.answers_heard
        station.send_raw(_with_own_id(frame.data, number))
        if _may_be_a_call(frame.data):
            let_react(station, seen)
            owed += 1
        if station.call("Heartbeat", {}).kind == "timeout":
            break
        owed += 1
    if patient:
        station.pump(lambda: station.answers_heard - before >= owed or not station.connected, station.timeout)
    if not station.connected:
        probe.reconnect(station, judged=True)
        station.call("Heartbeat", {})
    probe.bystander.call("Heartbeat", {})


def _may_be_a_call(data: str | bytes) -> bool:
    text = data if isinstance(data, str) else data.decode("latin-1")
    return text.lstrip().startswith("[") and text.lstrip("[ \n\t").startswith("2")


def let_react(station: ScriptedStation, seen: int) -> None:
    """Wait for more than `seen` answers: two CALLs at once are a rule of their own (OCPP-J 1.6 §4.1.1)."""
    patience = min(REACTION_PATIENCE, max(REACTION_LEAST, REACTION_TIMES * station.slowest))
    station.pump(lambda: station.answers_heard > seen or not station.connected, patience)


def _with_own_id(data: str | bytes, number: int) -> str | bytes:
    """Give each frame an id of its own: a CSMS may take the second one with an id for a retry of the first."""
    name = f"odd-{secrets.token_hex(4)}-{number}"
    return data.replace("odd-1", name) if isinstance(data, str) else data.replace(b"odd-1", name.encode())


def odd_checks(
    claim: str, grades: Grades, others: Mapping[str, Grades] | None = None, *, of_others: str | None = None
) -> tuple[Check, ...]:
    """Judge the reaction to each frame that `throw` sent, and that station and bystander are served all along.

    `others` are tables of their own for some frames, and `of_others` what is claimed of those.
    """

    def judge(history: History) -> list[Finding]:
        return [
            Finding(
                verdict=_grade((others or {}).get(name, grades), reaction),
                claim=of_others if of_others is not None and name in (others or {}) else claim,
                actual=f"{name}: {actual}",
                frame=line,
            )
            for name, line, reaction, actual in reactions(history)
        ]

    return (Check(claim=claim, judge=judge), _SERVED, still_serves(), bystander_serves())


def _grade(grades: Grades, reaction: Reaction) -> Verdict:
    # What has no message type may not be told from a CALL: 2.x wants it answered so (Part 4 §4.2.3), or dropped.
    return Verdict.OK if reaction is Reaction.UNREADABLE else grades[reaction]


def reactions(history: History) -> list[tuple[str, int, Reaction, str]]:
    """Tell for each odd frame its name, its line in the trace, what the CSMS did, and that in words."""
    found = []
    things: list[Oddity | Exchange] = [*history.oddities, *(e for e in history.exchanges if e.by_station)]
    station = history.station(PRIMARY)
    for line, record in enumerate(history.records):
        if "odd" not in record.info:
            continue
        own = [t for t in things if _line(t) > line and _station(t) == station]
        first = min(own, key=_line, default=None)
        if first is not None and _line(first) == line + 1:
            found.append((record.info["odd"], _line(first), *_reaction(first)))
    return found


def _line(thing: Oddity | Exchange) -> int:
    return thing.frame.line if isinstance(thing, Oddity) else thing.call.line


def _station(thing: Oddity | Exchange) -> str:
    return thing.frame.station if isinstance(thing, Oddity) else thing.call.station


def _reaction(thing: Oddity | Exchange) -> tuple[Reaction, str]:
    if isinstance(thing, Exchange):
        reaction = _KINDS[thing.kind]
        actual = thing.describe_answer()
    else:
        reaction = _reaction_to_odd(thing)
        actual = str(thing.answers[0].text)[:120] if thing.answers else "no answer"
    if reaction is Reaction.SILENCE and thing.cut_off:
        return Reaction.CLOSED, "the CSMS closed the connection"
    return reaction, actual


def _reaction_to_odd(oddity: Oddity) -> Reaction:
    answers = [answer.message for answer in oddity.answers]
    if any(isinstance(message, CallResult) for message in answers):
        return Reaction.RESULT
    if not answers:
        return Reaction.SILENCE
    sent = oddity.frame
    typeless = sent.error is not None and (sent.error.message_type is None or sent.error.fault is Fault.NOT_JSON)
    says_so = all(message is not None and message.message_id == sent.rules.unreadable_message_id for message in answers)
    return Reaction.UNREADABLE if typeless and says_so else Reaction.ERROR


# A malformed answer fails every case by itself.
_KINDS = {
    AnswerKind.RESULT: Reaction.RESULT,
    AnswerKind.ERROR: Reaction.ERROR,
    AnswerKind.MALFORMED: Reaction.ERROR,
    AnswerKind.NONE: Reaction.SILENCE,
}
_SERVED_CLAIM = "While a connection is open, its Heartbeats are answered"


def _served_all_along(history: History) -> list[Finding]:
    return [_served(history, call) for call in history.calls("Heartbeat") if not _is_odd(history, call)]


def _served(history: History, call: Exchange) -> Finding:
    served = call.kind is AnswerKind.RESULT or call.cut_off
    actual = call.describe_answer()
    if not served:
        before = (record.info["odd"] for record in reversed(history.records[: call.call.line]) if "odd" in record.info)
        last = next(before, None)
        actual = actual if last is None else f"after {last}, {actual}"
    verdict = Verdict.OK if served else Verdict.FAILED
    return Finding(verdict=verdict, claim=_SERVED_CLAIM, actual=actual, frame=call.call.line)


def _is_odd(history: History, call: Exchange) -> bool:
    before = history.records[call.call.line - 1] if call.call.line else None
    return before is not None and "odd" in before.info


_SERVED = Check(claim=_SERVED_CLAIM, judge=_served_all_along)
