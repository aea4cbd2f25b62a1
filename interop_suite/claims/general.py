"""Claims that every case makes, whatever it is about: state and meaning beside envelope and schema."""

from __future__ import annotations

from collections.abc import Iterator

from interop_suite.claims.claim import Finding
from interop_suite.claims.clock import clock_findings, interval_findings
from interop_suite.claims.command_moments import moment_findings
from interop_suite.claims.command_outcomes import outcome_findings
from interop_suite.claims.history import History
from interop_suite.claims.kept_records import record_findings
from interop_suite.claims.message_values import value_findings
from interop_suite.claims.token_answers import token_findings
from interop_suite.claims.turns import turn_findings
from interop_suite.claims.unasked import unasked_findings

__all__ = ["general_findings"]

_CLAIMS = (
    clock_findings,
    interval_findings,
    token_findings,
    moment_findings,
    outcome_findings,
    record_findings,
    value_findings,
    unasked_findings,
    turn_findings,
)


def general_findings(history: History) -> Iterator[Finding]:
    """Judge what every case shows; what is right needs no finding."""
    for claim in _CLAIMS:
        yield from claim(history)
