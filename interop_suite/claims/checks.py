"""Claims that cases share, as pure functions of a recorded history.

A check gives no finding when the history shows nothing about its claim: nothing passes by accident.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any

import msgspec

from evidence.verdicts import Verdict
from evidence.visible import one_line
from interop_suite.claims.claim import Check, Finding, Level
from interop_suite.claims.clauses import Clause
from interop_suite.claims.exchange import AnswerKind, Connection, DriverCall, Exchange
from interop_suite.claims.expected import Expected, field, one_of, present, shown
from interop_suite.claims.features import weigh_unsupported
from interop_suite.claims.history import PRIMARY, History
from ocppj.trace import spell_out

__all__ = [
    "answered",
    "asked",
    "connection",
    "given",
    "noted",
    "refused_upgrade",
    "reported",
    "still_serves",
    "takes_csr",
    "unknown_token_refused",
    "why_not_sent",
]


def answered(
    action: str,
    fields: Mapping[str, Expected] | None = None,
    *,
    claim: str | None = None,
    nth: int | None = None,
    level: Level = Level.REQUIRED,
    tolerate: Mapping[str, Collection[Any]] | None = None,
    clause: Clause | None = None,
    role: str = PRIMARY,
    when: Callable[[Exchange], bool] | None = None,
) -> Check:
    """Claim that the CSMS answers the station's CALLs of an action with a CALLRESULT whose fields are as expected.

    `nth` picks one CALL (from 0, negative from the end), `when` some of them. A field in `tolerate` with one of its
    values is NON_STRICT instead of broken.
    """
    text = claim or f"The CSMS answers {action}" + _fields_in_words(fields)

    def judge(history: History) -> list[Finding]:
        calls = _pick([c for c in history.calls(action, role=role) if when is None or when(c)], nth)
        judged = [
            _judge_answer(
                call,
                text,
                fields=fields or {},
                tolerate=tolerate or {},
                level=level,
                clause=clause,
                unsupported=weigh_unsupported(call, history.commands(role=role), history.rules.version),
            )
            for call in calls
        ]
        # A CSMS that closed the connection under a CALL that it owes an answer has not answered it; where only the last
        # CALL counts, one on a newer connection does.
        since = calls[-1].call.line if calls and nth == -1 else 0
        cut_off = [
            Finding(verdict=level.when_broken, claim=text, actual=unsent.describe(), clause=clause, frame=unsent.line)
            for unsent in history.unsent(action, role=role)
            if unsent.by_csms and unsent.line > since
        ]
        return judged + cut_off

    return Check(claim=text, judge=judge)


def unknown_token_refused(
    action: str, path: str, allowed: Collection[str], tolerate: Collection[str], *, claim: str, nth: int | None = None
) -> Check:
    """Claim that a token which the CSMS does not know is answered as such.

    Only where we can give the CSMS tokens does it keep a list that ours is not on; whoever takes every token is open,
    which no text forbids.
    """
    strict = answered(action, {path: one_of(*allowed)}, tolerate={path: tolerate}, claim=claim, nth=nth)

    def judge(history: History) -> list[Finding]:
        found = strict.judge(history)
        if any(history.notes("token_list")):
            return found
        accepted = {call.answer.line for call in history.calls(action) if call.answer and _accepts(call, path)}
        return [
            msgspec.structs.replace(finding, verdict=Verdict.NON_STRICT, actual=f"{finding.actual}; {_OPEN}")
            if finding.verdict is Verdict.FAILED and finding.frame in accepted
            else finding
            for finding in found
        ]

    return Check(claim=claim, judge=judge)


_OPEN = (
    "a CSMS that is open to every token may do so; certification expects Invalid (give a driver that sets tokens, or "
    "--token Invalid=…, to have it judged)"
)


def _accepts(call: Exchange, path: str) -> bool:
    return call.kind is AnswerKind.RESULT and field(call.result, path) == "Accepted"


def _judge_answer(
    call: Exchange,
    claim: str,
    *,
    fields: Mapping[str, Expected],
    tolerate: Mapping[str, Collection[Any]],
    level: Level,
    clause: Clause | None,
    unsupported: Verdict | None,
) -> Finding:
    line = call.call.line if call.answer is None else call.answer.line
    if unsupported is Verdict.NOT_APPLICABLE:
        actual = f"this CSMS does not have {call.action}: {call.describe_answer()}"
        return Finding(verdict=unsupported, claim=claim, actual=actual, frame=line)
    if unsupported is Verdict.NON_STRICT:
        actual = f"its own command asks for it, and it does not have {call.action}: {call.describe_answer()}"
        return Finding(verdict=unsupported, claim=claim, actual=actual, clause=clause, frame=line)
    if call.kind is not AnswerKind.RESULT:
        return Finding(verdict=level.when_broken, claim=claim, actual=call.describe_answer(), clause=clause, frame=line)
    verdict, problems = Verdict.OK, []
    for path, expected in fields.items():
        value = field(call.result, path)
        problem = expected(value)
        if problem is None:
            continue
        problems.append(f"{path} {problem}")
        tolerated = value in tolerate.get(path, ())
        verdict = Verdict.NON_STRICT if tolerated and verdict is not level.when_broken else level.when_broken
    return Finding(
        verdict=verdict, claim=claim, actual="; ".join(problems) or call.describe_answer(), clause=clause, frame=line
    )


def asked(
    action: str,
    fields: Mapping[str, Expected] | None = None,
    *,
    claim: str | None = None,
    nth: int | None = None,
    level: Level = Level.REQUIRED,
    clause: Clause | None = None,
    role: str = PRIMARY,
) -> Check:
    """Claim that the CSMS, asked by its operator, sends an action whose payload is as expected.

    Any CALL of that action with the expected payload proves it; other CALLs of the CSMS do not matter.
    """
    text = claim or f"The CSMS sends {action}" + _fields_in_words(fields)

    def judge(history: History) -> list[Finding]:
        calls = _pick(history.commands(action, role=role), nth)
        if not calls:
            return _nothing_sent(history, action, text, level, clause)
        findings = [_judge_command(call, text, fields or {}, level, clause) for call in calls]
        good = [finding for finding in findings if finding.verdict is Verdict.OK]
        return good[:1] or _order_not_given(history, action, fields or {}, text) or findings[-1:]

    return Check(claim=text, judge=judge)


def _order_not_given(history: History, action: str, fields: Mapping[str, Expected], claim: str) -> list[Finding]:
    """Find out that of several orders of an action just the one that this claim is about was not carried out."""
    for order, outcome in reversed(history.orders(action)):
        payload = order.info.get("payload") or {}
        if outcome is None or any(expected(field(payload, path)) for path, expected in fields.items()):
            continue
        excuse = why_not_sent(outcome, action)
        if excuse is None:
            return []
        return [Finding(verdict=excuse[0], claim=claim, actual=excuse[1], frame=outcome.line)]
    return []


def why_not_sent(outcome: DriverCall, action: str) -> tuple[Verdict, str] | None:
    """Weigh that an order was not carried out; None where nobody says so."""
    if outcome.cannot:
        return Verdict.NOT_APPLICABLE, f"the driver has no way to give the command: {outcome.error}"
    if outcome.error is not None:
        return Verdict.INCONCLUSIVE, f"the command was not given: {outcome.error}"
    return _refused_by_csms(outcome.info.get("result", {}), action)


def _judge_command(
    call: Exchange, claim: str, fields: Mapping[str, Expected], level: Level, clause: Clause | None
) -> Finding:
    problems = []
    for path, expected in fields.items():
        problem = expected(field(call.payload, path))
        if problem is not None:
            problems.append(f"{path} {problem}")
    payload = one_line(msgspec.json.encode(call.payload).decode(), 200)
    return Finding(
        verdict=level.when_broken if problems else Verdict.OK,
        claim=claim,
        actual="; ".join(problems) or f"{call.action} {payload}",
        clause=clause,
        frame=call.call.line,
    )


def _nothing_sent(history: History, action: str, claim: str, level: Level, clause: Clause | None) -> list[Finding]:
    """Tell a CSMS that did not send from a driver that could not make it."""
    if not history.triggers(action):
        return []
    outcomes = [c for c in history.driver_calls if c.operation == "outcome" and c.info.get("action") == action]
    if not outcomes:
        actual = "the command was not given: the driver never answered"
        return [Finding(verdict=Verdict.INCONCLUSIVE, claim=claim, actual=actual)]
    last = outcomes[-1]
    result = last.info.get("result", {})
    excuse = why_not_sent(last, action)
    if excuse is not None:
        return [Finding(verdict=excuse[0], claim=claim, actual=excuse[1], frame=last.line)]
    return [
        Finding(
            verdict=level.when_broken,
            claim=claim,
            actual=f"its API answered {shown(result.get('status'))}, and no {action} {_reached(history, action)}",
            clause=clause,
            frame=last.line,
        )
    ]


def _reached(history: History, action: str) -> str:
    waited = history.records[-1].t - history.triggers(action)[-1].t
    return f"reached the station within {waited:.0f} s"


def _refused_by_csms(result: Mapping[str, Any], action: str) -> tuple[Verdict, str] | None:
    """Weigh that a CSMS did not even send a command; None where it does not say so."""
    if result.get("status") != "error" or result.get("origin") != "csms":
        return None
    code, why = result.get("code"), result.get("description") or ""
    if code in ("NotImplemented", "NotSupported"):
        return Verdict.NOT_APPLICABLE, f"this CSMS does not have {action}: {why or code}"
    return Verdict.INCONCLUSIVE, f"the CSMS refused the command: {code or ''} {why}".rstrip()


def reported(
    action: str,
    holds: Callable[[Mapping[str, Any]], bool],
    *,
    claim: str,
    nth: int = -1,
    level: Level = Level.REQUIRED,
    clause: Clause | None = None,
    when_silent: Verdict = Verdict.INCONCLUSIVE,
    even_unsent: bool = False,
) -> Check:
    """Claim what the CSMS's API says about a command: `status`, and `payload`, `code` or `origin` with it.

    An API that only says that the command was sent is INFORMATIONAL; one that says nothing is `when_silent`. A command
    that the CSMS refuses to send tells nothing of its answer, unless that is the very point: `even_unsent`.
    """

    def judge(history: History) -> list[Finding]:
        outcomes = [c for c in history.driver_calls if c.operation == "outcome" and c.info.get("action") == action]
        if not -len(outcomes) <= nth < len(outcomes):
            return []
        last = outcomes[nth]
        result = last.info.get("result", {})
        sent = even_unsent or history.commands_to_any(action)
        refusal = None if sent else _refused_by_csms(result, action)
        if last.cannot:
            verdict, actual = Verdict.NOT_APPLICABLE, f"the driver has no way to give the command: {last.error}"
        elif last.error is not None:
            verdict, actual = when_silent, f"its API said nothing: {last.error}"
        elif refusal is not None:
            verdict, actual = refusal
        elif result.get("status") == "sent":
            verdict, actual = Verdict.INFORMATIONAL, "its API does not tell what the station answered"
        else:
            verdict = Verdict.OK if holds(result) else level.when_broken
            actual = f"its API says {one_line(msgspec.json.encode(spell_out(result)).decode(), 200)}"
        return [Finding(verdict=verdict, claim=claim, actual=actual, clause=clause, frame=last.line)]

    return Check(claim=claim, judge=judge)


def connection(
    claim: str,
    judge: Callable[[Connection, History], tuple[bool, str]],
    *,
    nth: int = 0,
    level: Level = Level.REQUIRED,
    clause: Clause | None = None,
    role: str = PRIMARY,
) -> Check:
    """Claim something about one connection attempt of the script, counted from 0.

    An attempt that did not even get a TCP connection, or that lacked credentials which the case is not about, says
    nothing about the claim, and is INCONCLUSIVE.
    """

    def look(history: History) -> list[Finding]:
        attempts = history.attempts(role=role)
        if not -len(attempts) <= nth < len(attempts):
            return []
        attempt = attempts[nth]
        holds, actual = judge(attempt, history)
        verdict = Verdict.OK if holds else level.when_broken
        if attempt.unreachable:
            verdict, actual = Verdict.INCONCLUSIVE, f"the CSMS is not there: {attempt.describe()}"
        elif attempt.untrusted:
            verdict = Verdict.INCONCLUSIVE
            actual = f"{UNTRUSTED} ({attempt.describe()})"
        elif not holds and attempt.wanted_credentials:
            verdict = Verdict.INCONCLUSIVE
            actual = f"the CSMS wants other credentials ({attempt.describe()}): see --password and --identity"
        return [Finding(verdict=verdict, claim=claim, actual=actual, clause=clause, frame=attempt.line)]

    return Check(claim=claim, judge=look)


def refused_upgrade(
    claim: str, *, nth: int = 0, clause: Clause | None = None, role: str = PRIMARY, level: Level = Level.REQUIRED
) -> Check:
    """Claim that a connection attempt is refused before the upgrade: an HTTP error, or the end of TCP or TLS.

    One that is closed at once and never served lets nobody in either; it is only late (NON_STRICT).
    """

    def judge(attempt: Connection, history: History) -> tuple[bool, str]:
        del history
        return not attempt.opened, attempt.describe()

    strict = connection(claim, judge, nth=nth, clause=clause, role=role, level=level)

    def look(history: History) -> list[Finding]:
        attempts = history.attempts(role=role)
        late = -len(attempts) <= nth < len(attempts) and history.turned_away(attempts[nth])
        findings = strict.judge(history)
        return [msgspec.structs.replace(f, verdict=Verdict.NON_STRICT) for f in findings] if late else findings

    return Check(claim=claim, judge=look)


def takes_csr(claim: str = "The CSMS takes the certificate request") -> Check:
    """Claim that SignCertificate is accepted; a CSMS that says Rejected has no authority, which is its right."""
    accepted = answered("SignCertificate", {"status": one_of("Accepted")}, claim=claim)

    def judge(history: History) -> list[Finding]:
        rejected = [call for call in history.calls("SignCertificate") if call.result.get("status") == "Rejected"]
        if not rejected:
            return accepted.judge(history)
        signed = history.commands("CertificateSigned")
        if signed:
            actual = "it answered SignCertificate with Rejected, and sent CertificateSigned all the same"
            return [Finding(verdict=Verdict.FAILED, claim=claim, actual=actual, frame=signed[0].call.line)]
        actual = "this CSMS signs no certificates: it answered SignCertificate with Rejected"
        return [Finding(verdict=Verdict.NOT_APPLICABLE, claim=claim, actual=actual, frame=rejected[0].call.line)]

    return Check(claim=claim, judge=judge)


def noted(name: str, claim: str, *, level: Level = Level.REQUIRED, clause: Clause | None = None) -> Check:
    """Claim what the script compared and noted under a name, each note being `[holds, what was seen]`."""

    def judge(history: History) -> list[Finding]:
        return [
            Finding(
                verdict=Verdict.OK if holds else level.when_broken,
                claim=claim,
                actual=f"what was seen is {seen!r}",
                clause=clause,
            )
            for holds, seen in history.notes(name)
        ]

    return Check(claim=claim, judge=judge)


def given(claim: str, holds: Callable[[History], tuple[bool, str]], *, unless_refused: str | None = None) -> Check:
    """Require what must have come about for the other claims to say anything: without it none of them passes.

    `unless_refused` names a command whose last order a CSMS may refuse to send: then the case does not apply.
    """

    def judge(history: History) -> list[Finding]:
        came_about, actual = holds(history)
        verdict = Verdict.OK if came_about else Verdict.INCONCLUSIVE
        if not came_about and unless_refused is not None:
            outcome = next((outcome for _, outcome in reversed(history.orders(unless_refused))), None)
            refusal = None if outcome is None else _refused_by_csms(outcome.info.get("result", {}), unless_refused)
            if refusal is not None:
                verdict, actual = Verdict.NOT_APPLICABLE, refusal[1]
        return [Finding(verdict=verdict, claim=claim, actual=actual)]

    return Check(claim=claim, judge=judge)


def still_serves(*, role: str = PRIMARY, claim: str = "The CSMS still answers afterwards") -> Check:
    """Claim that the last Heartbeat of the script was answered: whatever came before did no harm."""
    return answered("Heartbeat", {"currentTime": present()}, claim=claim, nth=-1, role=role)


def _pick(calls: list[Exchange], nth: int | None) -> list[Exchange]:
    if nth is None:
        return calls
    return [calls[nth]] if -len(calls) <= nth < len(calls) else []


UNTRUSTED = "the certificate of the CSMS is of an authority that this machine does not trust; give --ca PEM of its root"


def _fields_in_words(fields: Mapping[str, Expected] | None) -> str:
    return f" with {', '.join(fields)}" if fields else ""
