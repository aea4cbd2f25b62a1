"""What several cases claim about the local lists of 2.x."""

from __future__ import annotations

from evidence.verdicts import Verdict
from interop_suite.claims.claim import Check, Finding
from interop_suite.claims.exchange import Exchange
from interop_suite.claims.expected import field
from interop_suite.claims.history import History

__all__ = ["ORDER", "differences", "version_rises"]

ORDER = "SendLocalList"


def differences(history: History) -> list[Exchange]:
    """List the updates that change a list and do not replace it."""
    return [call for call in history.commands(ORDER) if field(call.payload, "updateType") == "Differential"]


_RISES = "A Differential update has a higher version than the list before it"


def _judge_rise(history: History) -> list[Finding]:
    findings = []
    for call in differences(history):
        earlier = [other for other in history.commands(ORDER) if other.call.line < call.call.line]
        before = [field(other.payload, "versionNumber") for other in earlier]
        number = field(call.payload, "versionNumber")
        known = [version for version in before if isinstance(version, int)]
        if known and isinstance(number, int):
            verdict = Verdict.OK if number > known[-1] else Verdict.FAILED
            actual = f"version {number} after version {known[-1]}"
            findings.append(Finding(verdict=verdict, claim=_RISES, actual=actual, frame=call.call.line))
    return findings


version_rises = Check(claim=_RISES, judge=_judge_rise)
