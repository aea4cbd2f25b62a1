"""Whether each order of an operator became a CALL, where its driver could tell the CSMS all of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from evidence.verdicts import Verdict
from interop_suite.claims.checks import why_not_sent
from interop_suite.claims.claim import Check, Finding
from interop_suite.claims.clauses import Clause
from interop_suite.claims.command_outcomes import Ordered, orders_of
from interop_suite.claims.history import History

__all__ = ["fulfilled"]


def fulfilled(
    action: str, *, claim: str | None = None, clause: Clause | None = None, may_refuse: bool = False
) -> Check:
    """Claim that each order of an action reaches the station; what it carries is judged in every case.

    It does not apply where the driver has no way to tell the CSMS a part of the order. `may_refuse` says that the order
    is one of a kind that a CSMS need not have.
    """
    text = claim or f"Each {action} that the operator orders reaches the station"

    def judge(history: History) -> list[Finding]:
        found = [_weigh(ordered, text, clause) for ordered in orders_of(history) if ordered.action == action]
        return [_excused(history, finding) for finding in found] if may_refuse else found

    return Check(claim=text, judge=judge)


def _excused(history: History, finding: Finding) -> Finding:
    """Take an order that the CSMS itself refused for one that it does not have."""
    by_csms = any(
        call.line == finding.frame and (call.info.get("result") or {}).get("origin") == "csms"
        for call in history.driver_calls
    )
    if finding.verdict is not Verdict.INCONCLUSIVE or not by_csms:
        return finding
    return msgspec.structs.replace(finding, verdict=Verdict.NOT_APPLICABLE)


def _weigh(ordered: Ordered, claim: str, clause: Clause | None) -> Finding:
    untold = _untold(ordered)
    if untold:
        actual = f"the driver cannot tell the CSMS {', '.join(untold)} of {ordered.action}"
        return Finding(verdict=Verdict.NOT_APPLICABLE, claim=claim, actual=actual, frame=ordered.order.line)
    if ordered.calls:
        frame = ordered.calls[0].call.line
        return Finding(verdict=Verdict.OK, claim=claim, actual="it came", clause=clause, frame=frame)
    outcome = ordered.outcome
    if outcome is None:
        actual = "the command was not given: the driver never answered"
        return Finding(verdict=Verdict.INCONCLUSIVE, claim=claim, actual=actual, frame=ordered.order.line)
    excuse = why_not_sent(outcome, ordered.action)
    if excuse is not None:
        return Finding(verdict=excuse[0], claim=claim, actual=excuse[1], frame=outcome.line)
    said = (outcome.info.get("result") or {}).get("status")
    actual = f"its API answered {said!r}, and no {ordered.action} reached the station"
    return Finding(verdict=Verdict.FAILED, claim=claim, actual=actual, clause=clause, frame=outcome.line)


# A CSMS gives numbers of its own; that a driver cannot choose them takes nothing away.
_NUMBERS = ("requestId", "remoteStartId", "chargingProfile.id", "chargingProfile.chargingSchedule.id")


def _untold(ordered: Ordered) -> list[str]:
    handed_over = ordered.order.info.get("handed_over")
    if handed_over is None:
        return []
    paths = dict.fromkeys(_leaves(ordered.order.info.get("payload") or {}, ""))
    told = (*handed_over, *_NUMBERS)
    return [path for path in paths if not any(path == each or path.startswith(f"{each}.") for each in told)]


def _leaves(value: Any, path: str) -> Iterator[str]:
    if isinstance(value, Mapping):
        for name, inner in value.items():
            yield from _leaves(inner, f"{path}.{name}" if path else str(name))
    elif isinstance(value, list):
        for entry in value:
            yield from _leaves(entry, path)
    else:
        yield path
