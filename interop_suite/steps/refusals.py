"""Claims that a CALL is refused: any CALLERROR of the version does, and the exact code is data."""

from __future__ import annotations

from collections.abc import Sequence

from evidence.verdicts import Verdict
from interop_suite.claims.claim import Check, Finding, Level
from interop_suite.claims.clauses import Clause
from interop_suite.claims.exchange import AnswerKind, Exchange
from interop_suite.claims.history import PRIMARY, History

__all__ = ["refused_with"]


def refused_with(
    action: str,
    code: str,
    *,
    others: Sequence[str] = (),
    level: Level = Level.REQUIRED,
    claim: str | None = None,
    clause: Clause | None = None,
    role: str = PRIMARY,
) -> Check:
    """Claim that the CALLs of an action, and of others, are refused; another code is NON_STRICT."""
    text = claim or f"The CSMS refuses {' and '.join((action, *others))} with {code}"

    def grade(call: Exchange) -> Verdict:
        if call.kind is AnswerKind.ERROR and call.error is not None:
            return Verdict.OK if call.error.code == code else Verdict.NON_STRICT
        return level.when_broken

    def judge(history: History) -> list[Finding]:
        return [
            Finding(verdict=grade(call), claim=text, actual=call.describe_answer(), clause=clause, frame=call.call.line)
            for call in history.calls(role=role)
            if call.action in (action, *others)
        ]

    return Check(claim=text, judge=judge)
