"""One claim about the CSMS: how strong its rule is, who judges it, and what was found."""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum

import msgspec

from evidence.verdicts import Verdict
from interop_suite.claims.clauses import Clause
from interop_suite.claims.history import History

__all__ = ["Check", "Finding", "Level"]


class Level(StrEnum):
    """How strong the rule behind a claim is, and so what breaking it means."""

    REQUIRED = "required"
    """SHALL or MUST: breaking it is FAILED."""
    RECOMMENDED = "recommended"
    """SHOULD: breaking it is NON_STRICT."""
    BEHAVIOUR = "behaviour"
    """No text: whatever is seen is INFORMATIONAL."""

    @property
    def when_broken(self) -> Verdict:
        """The verdict of a claim of this level that does not hold."""
        return _WHEN_BROKEN[self]


_WHEN_BROKEN = {
    Level.REQUIRED: Verdict.FAILED,
    Level.RECOMMENDED: Verdict.NON_STRICT,
    Level.BEHAVIOUR: Verdict.INFORMATIONAL,
}


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """What a check saw: the claim, what was there instead, and the line of the trace that shows it."""

    verdict: Verdict
    claim: str
    actual: str
    clause: Clause | None = None
    frame: int | None = None
    """Index of the record in the trace file, from 0."""


class Check(msgspec.Struct, frozen=True, kw_only=True):
    """One claim and the pure function that finds out about it; no finding at all means that nothing shows it."""

    claim: str
    judge: Callable[[History], list[Finding]]
