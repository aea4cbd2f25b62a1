"""The words for how a case ended, their order of weight, and what a run makes of them."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum

from evidence import exit_codes

__all__ = ["EXIT_CODES", "RunVerdict", "Verdict", "run_verdict", "weight", "worst"]


class Verdict(StrEnum):
    """How one interop case ended."""

    OK = "OK"
    NON_STRICT = "NON_STRICT"
    """A SHOULD was missed, or a common habit that the text does not allow was met."""
    INFORMATIONAL = "INFORMATIONAL"
    """No rule exists; what was seen is data."""
    FAILED = "FAILED"
    """A cited SHALL or MUST was broken, or a bystander station or the server was harmed."""
    NOT_APPLICABLE = "NOT_APPLICABLE"
    """The feature is not claimed, or there is no way to trigger it."""
    INCONCLUSIVE = "INCONCLUSIVE"
    """Our side, the set-up or the positive control failed."""
    XFAIL = "XFAIL"
    """FAILED, as declared in the expectations file."""
    XPASS = "XPASS"
    """Declared as failing, and passed: the declaration is out of date."""


_UNDECLARED = {Verdict.XPASS: Verdict.FAILED, Verdict.XFAIL: Verdict.NON_STRICT}
_WEIGHT = {
    Verdict.FAILED: 5,
    Verdict.INCONCLUSIVE: 4,
    Verdict.NON_STRICT: 3,
    Verdict.OK: 2,
    Verdict.INFORMATIONAL: 1,
    Verdict.NOT_APPLICABLE: 0,
}


def weight(verdict: Verdict) -> int:
    """Rank a verdict by how much it needs a person: XPASS and FAILED first, NOT_APPLICABLE last."""
    return _WEIGHT[_UNDECLARED.get(verdict, verdict)]


def worst(verdicts: Iterable[Verdict]) -> Verdict | None:
    """Merge the findings of one case: a FAILED dominates, then what is not known; None when there is none."""
    return max(verdicts, key=_WEIGHT.__getitem__, default=None)


class RunVerdict(StrEnum):
    """How a whole run ended (`verdict` in `run.json`)."""

    PASSED = "passed"
    FAILED = "failed"
    INCONCLUSIVE = "inconclusive"
    INVALID = "invalid"


EXIT_CODES = {
    RunVerdict.PASSED: exit_codes.PASSED,
    RunVerdict.FAILED: exit_codes.FAILED,
    RunVerdict.INCONCLUSIVE: exit_codes.INVALID,
    RunVerdict.INVALID: exit_codes.INVALID,
}


def run_verdict(verdicts: Iterable[Verdict]) -> RunVerdict:
    """Merge the cases of an interop run; one in which nothing could be concluded is never passed."""
    seen = set(verdicts)
    if seen & {Verdict.FAILED, Verdict.XPASS}:
        return RunVerdict.FAILED
    if Verdict.INCONCLUSIVE in seen or not seen - {Verdict.NOT_APPLICABLE}:
        return RunVerdict.INCONCLUSIVE
    return RunVerdict.PASSED
