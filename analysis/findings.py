"""What a trace check finds: single findings, and the report about all traces."""

from __future__ import annotations

from collections import Counter
from typing import Final

import msgspec

from analysis.rules import Rule

__all__ = ["MOST_FINDINGS", "Finding", "Findings", "TraceReport"]

MOST_FINDINGS: Final = 1_000
"""How many findings are kept word for word; all are counted."""


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """One broken rule, and the line of the trace that shows it."""

    rule: Rule
    station: str
    connection: int
    file: str
    line: int
    """From 1, as editors count."""
    detail: str


class Findings:
    """Collects what is found while a trace is read."""

    def __init__(self) -> None:
        """Start empty, before the first line."""
        self.kinds: Counter[str] = Counter()
        self.kept: list[Finding] = []
        self.file = ""
        self.line = 0

    def add(self, rule: Rule, station: str, connection: int, detail: str) -> None:
        """Note a broken rule at the present line."""
        self.kinds[rule] += 1
        if len(self.kept) < MOST_FINDINGS:
            self.kept.append(
                Finding(
                    rule=rule,
                    station=station,
                    connection=connection,
                    file=self.file,
                    line=self.line,
                    detail=detail,
                )
            )


class TraceReport(msgspec.Struct, kw_only=True):
    """What was checked, and what was found."""

    files: list[str]
    frames: int
    """Sent and received."""
    stations: int
    connections: int
    calls: dict[str, dict[str, int]]
    """CALLs of the stations by version and action."""
    answers: int
    """CALLRESULTs and CALLERRORs of the stations."""
    transactions: int
    kinds: dict[str, int]
    """How many findings each rule has."""
    findings: list[Finding]
    """The first of them."""

    @property
    def total(self) -> int:
        """How many findings there are."""
        return sum(self.kinds.values())

    @property
    def sent(self) -> int:
        """How many CALLs the stations sent."""
        return sum(sum(actions.values()) for actions in self.calls.values())
