"""One cause, one row: cases that ended for the same reason are told together, the worst first."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable

import msgspec

from evidence.run_model import CaseResult
from evidence.verdicts import Verdict
from evidence.visible import one_line
from reports.words import ATTENTION, VERDICT_ORDER

__all__ = ["Cause", "causes"]

_MADE_UP = re.compile(r"\bPS[0-9A-F]{6}\d{8}\b")
"""Identities that are made up for each case: two reasons that differ in nothing else are one."""


LONGEST = 600
"""Characters of a reason that are told, and by which reasons are equal."""


class Cause(msgspec.Struct, frozen=True, kw_only=True):
    """A reason with every case that it is the reason of."""

    verdict: Verdict
    reason: str
    clauses: tuple[str, ...]
    cases: tuple[CaseResult, ...]

    def names(self, most: int) -> str:
        """Write the versions and ids of the first cases, and how many there are beside them."""
        named = ", ".join(f"{case.ocpp} {case.id}" for case in self.cases[:most])
        more = len(self.cases) - most
        return f"{named} and {more} more" if more > 0 else named


def causes(cases: Iterable[CaseResult], verdicts: Collection[Verdict] = ATTENTION) -> list[Cause]:
    """Group the cases with one of some verdicts by their reason: by weight, then what most cases have in common."""
    groups: dict[tuple[Verdict, str], list[tuple[CaseResult, str]]] = {}
    for case in cases:
        if case.verdict in verdicts:
            reason, clause = _apart(case)
            reason = _MADE_UP.sub("the station", one_line(reason, LONGEST))
            groups.setdefault((case.verdict, reason), []).append((case, clause))
    found = [
        Cause(
            verdict=verdict,
            reason=reason,
            clauses=tuple(dict.fromkeys(clause for _, clause in members if clause)),
            cases=tuple(case for case, _ in members),
        )
        for (verdict, reason), members in groups.items()
    ]
    return sorted(found, key=lambda cause: (VERDICT_ORDER.index(cause.verdict), -len(cause.cases)))


def _apart(case: CaseResult) -> tuple[str, str]:
    """Part a reason from the clause at its end: cases of one cause stand on different ones, which are told beside it.

    It is that of the case, or of the rule that it broke on its way.
    """
    reason = case.reason or case.title
    for clause in (case.clause, *(str(finding.get("clause") or "") for finding in case.findings)):
        if clause and reason.endswith(f" ({clause})"):
            return reason.removesuffix(f" ({clause})"), clause
    return reason, case.clause
