"""From a recorded history to a verdict: pure, so that a run can be judged again from its files."""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Any

import msgspec

from analysis.message_ids import IDS_START_ANEW, UsedIds
from analysis.payload_faults import PayloadFault, fault_of, value_at
from evidence.redact import REDACTED
from evidence.run_model import CaseResult, Latency
from evidence.verdicts import Verdict, worst
from evidence.visible import one_line
from interop_suite.catalogue import Case
from interop_suite.claims.claim import Finding
from interop_suite.claims.clauses import Clause
from interop_suite.claims.command_outcomes import orders_of
from interop_suite.claims.envelope import describe_fault
from interop_suite.claims.exchange import AnswerKind, Frame, Stray
from interop_suite.claims.general import general_findings
from interop_suite.claims.history import ID_FAULTS, UNREADABLE_ID, History
from interop_suite.claims.orders import differences, joined, nearest
from interop_suite.claims.rate_limit import is_limited
from interop_suite.claims.selectors import unnamed
from ocppj.actions import ACTIONS
from ocppj.errors import Fault
from ocppj.messages import Call, CallError, CallResult, Send, duplicate_keys, review
from ocppj.schemas import SchemaError, validator
from ocppj.versions import MessageType, Version

__all__ = ["judge", "latency_of", "service_times"]

_ENVELOPE = {"1.6": Clause("1.6J", "4.2"), "2.0.1": Clause("201-4", "4.2"), "2.1": Clause("21-4", "4.2")}
_MESSAGE_ID = {"1.6": Clause("1.6J", "4.1.4"), "2.0.1": Clause("201-4", "4.1.4"), "2.1": Clause("21-4", "4.1.4")}

# What a readable frame may still get wrong, and how much it weighs.
_FAULT_VERDICTS = {
    Fault.ID_TOO_LONG: Verdict.FAILED,
    Fault.EMPTY_ID: Verdict.FAILED,
    Fault.NULL_PAYLOAD: Verdict.NON_STRICT,
    Fault.FOREIGN_ERROR_CODE: Verdict.NON_STRICT,
    Fault.UNKNOWN_ERROR_CODE: Verdict.FAILED,
    Fault.DESCRIPTION_TOO_LONG: Verdict.FAILED,
}
DESCRIPTION_MAX = 255
_UNPROVEN = "nothing in the trace shows it"
_RAISE_IT = "; raise its limit of messages from one station for this run"
# 1.6 asks for ISO 8601 and only recommends UTC (§3.14, §3.15); 2.x asks for RFC 3339, which has no time without a zone.
_NAIVE_VERDICTS = {
    Version.V16: Verdict.NON_STRICT,
    Version.V201: Verdict.FAILED,
    Version.V21: Verdict.FAILED,
}


def judge(case: Case, history: History, *, strict_order: bool = False) -> CaseResult:
    """Judge one attempt; a claim that nothing in the history proves or breaks makes it INCONCLUSIVE.

    With `strict_order` a CALL that the case did not ask for is FAILED, as in the OCA's own tool; the texts allow it.
    """
    findings = _found("Every message of the CSMS can be judged", partial(_implicit, history))
    is_broken = any(finding.verdict is Verdict.FAILED for finding in findings)
    if strict_order:
        findings.extend(_uninvited(history))
    # What a case is about is told before what every case looks at besides.
    implicit = len(findings)
    unproven: list[str] = []
    for check in case.checks:
        found = _found(check.claim, partial(check.judge, history), is_broken=is_broken)
        findings.extend(found)
        if not found:
            unproven.append(check.claim)
    findings = [_unless_limited(finding) for finding in findings]
    verdict, reason = _conclude(case, history, [*findings[implicit:], *findings[:implicit]], unproven)
    return CaseResult(
        id=case.id,
        ocpp=str(case.ocpp),
        title=case.title,
        verdict=verdict,
        reason=reason,
        clause=str(case.clause),
        level=str(case.level),
        profile=case.profile,
        duration_ms=_duration_ms(history),
        expected=[check.claim for check in case.checks],
        actual=[_actual(finding) for finding in findings if finding.verdict is not Verdict.OK]
        or _without_findings(verdict, history, unproven),
        latency_ms=latency_of([service_times(history)]),
        findings=[_finding_data(finding, case) for finding in findings],
        observations=_observations(history),
        block=case.shown_block,
        certification=case.certification,
        sends=case.sends,
        expects=case.expects,
    )


def _found(claim: str, look: Callable[[], Iterable[Finding]], *, is_broken: bool = False) -> list[Finding]:
    """Let one check judge; where it breaks at what the CSMS sent, the others still say what they found.

    A check need not cope with a message that is FAILED already: where messages are `is_broken`, it says nothing.
    """
    found: list[Finding] = []
    try:
        for finding in look():
            found.append(finding)  # noqa: PERF402  # what came before a mistake of ours stays
    except Exception as error:  # noqa: BLE001  # our own mistake must not pass for a verdict about the CSMS
        cause = f"the check broke at what the CSMS sent ({type(error).__name__}: {error}); please report it"
        actual = "not judged, because of what else is wrong" if is_broken else cause
        found.append(Finding(verdict=Verdict.INCONCLUSIVE, claim=claim, actual=actual))
    return found


def _unless_limited(finding: Finding) -> Finding:
    """Take no refusal for a verdict where a station said too much in a second, and nothing wrong."""
    if finding.verdict is not Verdict.FAILED or not is_limited(finding.actual):
        return finding
    return msgspec.structs.replace(finding, verdict=Verdict.INCONCLUSIVE, actual=finding.actual + _RAISE_IT)


def _conclude(case: Case, history: History, findings: list[Finding], unproven: list[str]) -> tuple[Verdict, str]:
    if history.broker_lost:
        return Verdict.INCONCLUSIVE, f"the connection to the broker was lost: {history.broker_lost}"
    verdict = worst(finding.verdict for finding in findings)
    if verdict is Verdict.FAILED:
        broken = next(finding for finding in findings if finding.verdict is Verdict.FAILED)
        return verdict, _reason(broken, case)
    absent = next((finding for finding in findings if finding.verdict is Verdict.NOT_APPLICABLE), None)
    if absent is not None:
        return Verdict.NOT_APPLICABLE, absent.actual
    if history.inconclusive is not None:
        return Verdict.NOT_APPLICABLE if history.cannot else Verdict.INCONCLUSIVE, history.inconclusive
    unclear = next((finding for finding in findings if finding.verdict is Verdict.INCONCLUSIVE), None)
    if unclear is not None:
        return Verdict.INCONCLUSIVE, _reason(unclear, case)
    if unproven:
        shown = Finding(verdict=Verdict.INCONCLUSIVE, claim=unproven[0], actual=_UNPROVEN)
        return Verdict.INCONCLUSIVE, _reason(shown, case)
    if verdict is None:
        return Verdict.INCONCLUSIVE, "The case claims nothing."
    first = next(finding for finding in findings if finding.verdict is verdict)
    if verdict is Verdict.OK:
        return verdict, "Every claim holds."
    if verdict is Verdict.INFORMATIONAL:
        return verdict, _actual(first)
    return verdict, _reason(first, case)


def _without_findings(verdict: Verdict, history: History, unproven: list[str]) -> list[str]:
    """Say what was seen of a case in which nothing is to be held against anybody."""
    if verdict is Verdict.INCONCLUSIVE and history.inconclusive is not None:
        return [history.inconclusive]
    if verdict is Verdict.INCONCLUSIVE and unproven:
        return [f"{claim}: {_UNPROVEN}" for claim in unproven]
    return ["as expected"]


def _reason(finding: Finding, case: Case) -> str:
    """Write why a case did not pass, as one sentence with its clause."""
    seen = _inside(finding.actual.removesuffix("."))
    return f"expected that {_inside(finding.claim)}, but {seen} ({finding.clause or case.clause})"


_NAMES = frozenset(action for actions in ACTIONS.values() for action in actions)


def _inside(sentence: str) -> str:
    """Write a sentence as it stands inside of another one; what OCPP calls so keeps its case."""
    first = sentence.partition(" ")[0]
    plain = first == "A" or (first.removesuffix("'s").isalpha() and first[1:].islower())
    return sentence[:1].lower() + sentence[1:] if plain and first not in _NAMES else sentence


def _actual(finding: Finding) -> str:
    return f"{finding.claim}: {finding.actual}"


def _finding_data(finding: Finding, case: Case) -> dict[str, Any]:
    return {
        "verdict": str(finding.verdict),
        "claim": finding.claim,
        "actual": finding.actual,
        "clause": str(finding.clause or case.clause),
        "frame": finding.frame,
    }


def _duration_ms(history: History) -> float:
    times = [record.t for record in history.records]
    return round((max(times) - min(times)) * 1000, 1) if times else 0.0


# -- claims that every case makes ------------------------------------------------------------------------------------


def _implicit(history: History) -> Iterable[Finding]:
    """Judge every frame of the CSMS for envelope, schema and meaning; what is right needs no finding."""
    for stray in history.strays:
        version = str(stray.frame.rules.version)
        astray = _answers_another_station(history, stray.frame)
        verdict = Verdict.FAILED if astray else _weigh_stray(history, stray) if stray.frame.scripted else None
        if verdict is not None:
            yield Finding(
                verdict=verdict,
                claim="Every frame of the CSMS is a message of this version that belongs to an open CALL",
                actual=f"it answers the CALL of another station, {astray}"
                if astray
                else _describe_stray(history, stray),
                clause=_ENVELOPE[version] if stray.fault else _MESSAGE_ID[version],
                frame=stray.frame.line,
            )
    for frame in history.scripted_frames():
        if frame.message is None:
            continue
        version = str(frame.rules.version)
        for fault in review(frame.message, frame.rules):
            if fault in ID_FAULTS and not isinstance(frame.message, Call | Send):
                continue
            # A CALLERROR that repeats an action without end is still more than the silence of others.
            repeats = fault is Fault.DESCRIPTION_TOO_LONG and _answers_a_long_action(history, frame)
            yield Finding(
                verdict=Verdict.NON_STRICT if repeats else _FAULT_VERDICTS[fault],
                claim="The envelope of every message follows the text",
                actual=f"{describe_fault(fault, frame.message, frame.rules)}: {_head(frame)}",
                clause=_ENVELOPE[version],
                frame=frame.line,
            )
        keys = duplicate_keys(frame.text) if isinstance(frame.text, str) else []
        if keys:
            yield Finding(
                verdict=Verdict.FAILED,
                claim="No object of a message has the same key twice",
                actual=f"{', '.join(keys)} in {_head(frame)}",
                clause=_ENVELOPE[version],
                frame=frame.line,
            )
    yield from _schemas(history)
    yield from _unique_ids(history)
    yield from _as_ordered(history)
    yield from general_findings(history)


def _describe_stray(history: History, stray: Stray) -> str:
    wanted = stray.frame.rules.unreadable_message_id
    if stray.fault is not Fault.BAD_ID or wanted is None or not _sent_what_has_no_id(history, stray.frame):
        return stray.reason
    return f"{stray.reason.removesuffix('.')}; what cannot be read is answered with the id {wanted!r}"


def _answers_a_long_action(history: History, answer: Frame) -> bool:
    return any(e.answer is answer and len(e.action) > DESCRIPTION_MAX for e in history.exchanges)


def _answers_another_station(history: History, frame: Frame) -> str | None:
    """Name the station whose CALL is answered on the connection of this one, also while a case is prepared."""
    if not isinstance(frame.message, CallResult | CallError):
        return None
    asked = (
        call.call.station
        for call in history.exchanges
        if call.by_station
        and call.call.line < frame.line
        and _identity(call.call) != _identity(frame)
        and call.call.message is not None
        and call.call.message.message_id == frame.message.message_id
    )
    return next(asked, None)


def _identity(frame: Frame) -> str:
    return frame.station.partition("#")[0]


def _weigh_stray(history: History, stray: Stray) -> Verdict | None:
    """Weigh a frame that belongs to no exchange; None where the text wants it so."""
    message = stray.frame.message
    if message is not None and message.message_id == UNREADABLE_ID and _sent_what_has_no_id(history, stray.frame):
        return None if stray.frame.rules.unreadable_message_id == UNREADABLE_ID else Verdict.NON_STRICT
    if stray.fault is Fault.NOT_JSON and _is_json_by_the_letter(stray.frame.text):
        return Verdict.NON_STRICT
    if stray.fault is Fault.BAD_ID and _repeats_an_id_of_ours(history, stray.frame):
        return Verdict.NON_STRICT
    return Verdict.FAILED


def _sent_what_has_no_id(history: History, before: Frame) -> bool:
    return any(frame.sent and _has_no_id(frame) and frame.line < before.line for frame in history.frames)


def _has_no_id(frame: Frame) -> bool:
    """Return whether no answer can repeat the id of a frame, because the frame or the id is none by the text."""
    return frame.message is None or not ID_FAULTS.isdisjoint(review(frame.message, frame.rules))


def _is_json_by_the_letter(text: str | bytes) -> bool:
    """Return whether the grammar of JSON allows a text that holds a lone surrogate, which our own reader refuses."""
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True


def _repeats_an_id_of_ours(history: History, frame: Frame) -> bool:
    """Return whether an answer gives back an id that was not a string when the station sent it.

    An answer has the id of its CALL (1.6J §4.2.2, 2.x Part 4 §4.2.2), also where a tolerant reader took an odd one.
    """
    number, message_id = _first_two(frame.text)
    ours = [_first_two(sent.text) for sent in history.frames if sent.sent and sent.error is not None]
    match number:
        case MessageType.CALLRESULT:
            return (MessageType.CALL, message_id) in ours
        case MessageType.CALLERROR if message_id is None:
            # 1.6 has no word for an id that is unreadable; 2.x has "-1" (Part 4 §4.2.3).
            return frame.rules.unreadable_message_id is None and _sent_what_has_no_id(history, frame)
        case MessageType.CALLERROR:
            return any(message_id == own for _, own in ours)
    return False


def _first_two(text: str | bytes) -> tuple[Any, Any]:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return None, None
    return (value[0], value[1]) if isinstance(value, list) and len(value) > 1 else (None, None)


def _schemas(history: History) -> Iterable[Finding]:
    for exchange in history.exchanges:
        known = ACTIONS[exchange.call.rules.version].get(exchange.action)
        if exchange.by_station and exchange.kind is AnswerKind.RESULT and exchange.answer and known:
            yield from _against_schema(exchange.answer, exchange.action, "response")
        elif not exchange.by_station:
            yield from _command_schema(exchange.call, known_for_csms=bool(known and known.by_csms))


def _command_schema(frame: Frame, *, known_for_csms: bool) -> Iterable[Finding]:
    if not frame.scripted:
        return
    message = frame.message
    assert isinstance(message, Call | Send)
    if known_for_csms:
        yield from _against_schema(frame, message.action, "request")
    else:
        yield Finding(
            verdict=Verdict.FAILED,
            claim="The CSMS sends only actions that a CSMS may send in this version",
            actual=f"it sent {message.action!r}",
            clause=_ENVELOPE[str(frame.rules.version)],
            frame=frame.line,
        )


def _against_schema(frame: Frame, action: str, part: Any) -> Iterable[Finding]:
    if not frame.scripted or not isinstance(frame.message, Call | CallResult):
        return
    payload = frame.message.payload
    for error in validator(frame.rules.version, action, part).errors({} if payload is None else payload):
        if value_at(payload, error.path) == REDACTED:
            # A secret that is a number, such as a PIN, was no text before it was blanked.
            continue
        yield Finding(
            verdict=_grade(error, payload, frame.rules.version),
            claim=f"The {action} {part} of the CSMS matches the OCA schema",
            actual=_fault_in_words(error),
            frame=frame.line,
        )


_REQUIRED = re.compile(r'"(.*)" is a required property')


def _fault_in_words(error: SchemaError) -> str:
    lacking = _REQUIRED.fullmatch(error.message)
    if lacking is not None:
        return f"{error.path}/{lacking[1]} is missing"
    return f"at {error.path or '/'}: {one_line(error.message, 200)}"


def _grade(error: SchemaError, payload: Any, version: Version) -> Verdict:
    """Weigh a violation: habits of the field that every receiver copes with are NON_STRICT, the rest FAILED."""
    match fault_of(error, payload):
        case PayloadFault.LOCAL_TIME:
            return _NAIVE_VERDICTS[version]
        case PayloadFault.WHOLE_FLOAT:
            return Verdict.NON_STRICT
    return Verdict.FAILED


def _uninvited(history: History) -> Iterable[Finding]:
    asked = {call.info.get("action") for call in history.driver_calls if call.operation == "trigger"}
    for exchange in history.exchanges:
        if not exchange.by_station and exchange.call.scripted and exchange.action not in asked:
            yield Finding(
                verdict=Verdict.FAILED,
                claim="The CSMS sends nothing that the case did not ask for (--strict-order)",
                actual=f"it sent {exchange.action}",
                frame=exchange.call.line,
            )


_UNIQUE_ID = {**_MESSAGE_ID, "2.0.1": Clause("201-E", "4.2")}


def _unique_ids(history: History) -> Iterable[Finding]:
    """Find ids that the CSMS used for two different CALLs: on one connection, in 2.x on any of the same station."""
    ids: UsedIds[tuple[str, int, str], Call] = UsedIds()
    for exchange in history.exchanges:
        message, frame = exchange.call.message, exchange.call
        if exchange.by_station or not isinstance(message, Call):
            continue
        anew = IDS_START_ANEW[frame.rules.version]
        place = (frame.station, frame.connection) if anew else (frame.station.partition("#")[0], 0)
        earlier = ids.other((*place, message.message_id), message)
        if earlier is not None and frame.scripted:
            yield Finding(
                verdict=Verdict.FAILED,
                claim="The CSMS gives every CALL an id of its own",
                actual=f"{earlier.action} and {message.action} both have the id {message.message_id}",
                clause=_UNIQUE_ID[str(frame.rules.version)],
                frame=frame.line,
            )


_ORDERED = "The command carries what the operator named"
_UNNAMED = "The command is for what the operator named, and for nothing else"


def _as_ordered(history: History) -> Iterable[Finding]:
    """Hold each order of the operator against the CALLs that came of it; the nearest one is taken for its own."""
    for ordered in orders_of(history):
        order, action, calls = ordered.order, ordered.action, ordered.calls
        if not calls:
            continue
        named, handed_over = order.info.get("payload") or {}, order.info.get("handed_over")
        payloads = [e.payload for e in calls]
        call = calls[nearest(action, named, payloads, handed_over)]
        wrong = differences(action, named, call.payload or {}, handed_over)
        if wrong and differences(action, named, joined(action, payloads), handed_over):
            yield Finding(
                verdict=Verdict.FAILED,
                claim=_ORDERED,
                actual=one_line(f"{action}: {'; '.join(wrong)}", 400),
                frame=call.call.line,
            )
        surplus = unnamed(action, named, call.payload)
        if surplus:
            # A driver that maps fields one by one may have filled it in itself.
            yield Finding(
                verdict=Verdict.FAILED if handed_over is None else Verdict.NON_STRICT,
                claim=_UNNAMED,
                actual=f"{action}: {'; '.join(surplus)}"[:300],
                frame=call.call.line,
            )


def _head(frame: Frame) -> str:
    text = frame.text if isinstance(frame.text, str) else repr(frame.text)
    return text[:120]


# -- data ------------------------------------------------------------------------------------------------------------


def service_times(history: History) -> dict[str, list[float]]:
    """List by action how long the CSMS took to answer the stations' CALLs, in ms."""
    samples: dict[str, list[float]] = defaultdict(list)
    for exchange in history.exchanges:
        # An action that a case made up has no latency that anybody wants to know.
        known = exchange.action in ACTIONS[exchange.call.rules.version]
        if exchange.by_station and exchange.service_ms is not None and known:
            samples[exchange.action].append(exchange.service_ms)
    return dict(samples)


def latency_of(times: Iterable[Mapping[str, Sequence[float]]]) -> dict[str, Latency]:
    """Sum up service times by action, in ms."""
    samples: dict[str, list[float]] = defaultdict(list)
    for each in times:
        for action, values in each.items():
            samples[action] += values
    return {action: _latency(sorted(values)) for action, values in sorted(samples.items())}


def _latency(values: list[float]) -> Latency:
    def at(share: float) -> float:
        return round(values[min(len(values) - 1, int(share * len(values)))], 3)

    return Latency(count=len(values), p50=at(0.5), p95=at(0.95), p99=at(0.99), max=round(values[-1], 3))


def _observations(history: History) -> dict[str, Any]:
    """Record which of several legal forms was seen."""
    unexpected = sorted({e.action for e in history.exchanges if not e.by_station and not history.triggers(e.action)})
    seen: dict[str, Any] = {"unsolicited_calls": unexpected} if unexpected else {}
    for record in history.records:
        seen |= record.info.get("observed", {}) if isinstance(record.info.get("observed"), dict) else {}
    codes = sorted({e.error.code for e in history.exchanges if e.by_station and e.error is not None})
    return seen | ({"error_codes": codes} if codes else {})
