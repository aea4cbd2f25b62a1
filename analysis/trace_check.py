"""Holds the stations of Plugstorm's own traces to everything that `analyze` asks of a charge point."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Final

import msgspec

from analysis.findings_model import Analysis
from analysis.judge import CALL_TIMEOUT, Judge
from analysis.model import Side
from analysis.readers.records import PlugstormReader
from evidence.run_folder import read_trace
from ocppj.actions import ACTIONS

__all__ = ["Finding", "TraceReport", "check_traces"]

_CHOSEN: Final = frozenset({"heartbeat-too-often"})
"""Rules that no clause asks for, and that the vendor files of load stations break on purpose."""


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """One broken rule, and the line of the trace that shows it."""

    rule: str
    """Its id, as `plugstorm analyze` uses it."""
    station: str
    connection: int
    file: str
    line: int
    """From 1, as editors count."""
    detail: str


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


def check_traces(paths: Iterable[Path], *, call_timeout: float = CALL_TIMEOUT) -> TraceReport:
    """Check the stations of each file; raises `UsageError` where one cannot be read.

    Each file is checked by itself: its monotonic times are its own, and a station that moved to another worker began
    anew there.
    """
    judge, reader = Judge(timeout=call_timeout), PlugstormReader()
    files: list[str] = []
    for path in paths:
        files.append(str(path))
        judge.begin(path.name, reader.name, reader.traits)
        judge.read(reader.records(enumerate(read_trace(path), 1)))
    return _report(files, judge.finish())


def _report(files: list[str], analysis: Analysis) -> TraceReport:
    calls: dict[str, dict[str, int]] = {}
    answers = 0
    for figures in analysis.actions:
        if figures.sender is Side.CSMS:
            answers += figures.results + figures.errors
            continue
        for version, count in figures.versions.items():
            action = ACTIONS[version].get(figures.action)
            if action is not None and action.by_station and not action.unconfirmed:
                calls.setdefault(version, {})[figures.action] = count
    return TraceReport(
        files=files,
        frames=analysis.frames,
        stations=len({one.station for one in analysis.stations}),
        connections=sum(one.connections for one in analysis.stations),
        calls=dict(sorted(calls.items())),
        answers=answers,
        transactions=sum(one.transactions for one in analysis.stations),
        kinds={rule: count for rule, count in analysis.counts.get(Side.STATION, {}).items() if rule not in _CHOSEN},
        findings=[
            Finding(
                rule=found.rule,
                station=found.station,
                connection=found.connection,
                file=found.file,
                line=found.line,
                detail=found.detail,
            )
            for found in analysis.findings
            if found.side is Side.STATION and found.rule not in _CHOSEN
        ],
    )
