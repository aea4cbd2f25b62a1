"""`plugstorm check-trace`: whether the stations of a load run followed OCPP, judged by their frames alone."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import msgspec

from analysis import TraceReport, check_traces
from analysis.judge import CALL_TIMEOUT
from evidence import exit_codes
from evidence.run_folder import RunFolder, read_run
from evidence.run_model import LoadRun
from evidence.visible import one_line
from ocppj.errors import InconclusiveError, UsageError

__all__ = ["run"]

_SHOWN: Final = 20


def run(places: Sequence[Path], *, call_timeout: float | None = None, as_json: bool = False) -> int:
    """Check runs and trace files, and write what was found; returns the exit code."""
    paths: list[Path] = []
    timeouts: list[float] = []
    missing = 0
    for place in places:
        paths += _traces_of(place)
        facts = _facts_of(place)
        timeouts.append(facts[0])
        missing += facts[1]
    report = check_traces(paths, call_timeout=call_timeout or max(timeouts, default=CALL_TIMEOUT))
    sys.stdout.write(_as_json(report) if as_json else _as_text(report))
    if not report.sent:
        raise InconclusiveError(f"{_named(paths)} contains no CALL of a station; run with --trace-share above 0")
    if missing:
        raise InconclusiveError(
            f"{missing} frames are missing from these traces, so nothing can be concluded; "
            "free disk space, or use a smaller --trace-share"
        )
    if not as_json:
        sys.stdout.write("plugstorm analyze reads any log and judges the CSMS as well\n")
    return exit_codes.FAILED if report.total else exit_codes.PASSED


def _traces_of(place: Path) -> list[Path]:
    """List the trace files of a run, or the one file; raises `UsageError`."""
    if not place.is_dir():
        return [place]
    paths = sorted(RunFolder(place).traces.glob("load-*.jsonl"))
    if not paths:
        raise UsageError(
            f"{place} holds no traces of a load run (traces/load-*.jsonl); run plugstorm load with --trace-share"
        )
    return paths


def _facts_of(place: Path) -> tuple[float, int]:
    """Return a run's time-out of a CALL in seconds, and how many frames its traces lack."""
    if not (place.is_dir() and RunFolder(place).run_json.exists()):
        return CALL_TIMEOUT, 0
    found = read_run(place)
    if not isinstance(found, LoadRun):
        raise UsageError(f"{place} is not a load run; plugstorm report judges interop runs")
    workers: list[dict[str, Any]] = found.generator.details.get("workers", [])
    try:
        timeout = float(found.settings.get("call-timeout", CALL_TIMEOUT))
    except (TypeError, ValueError):
        timeout = CALL_TIMEOUT
    return timeout, sum(int(worker.get("untraced", 0)) for worker in workers)


def _as_json(report: TraceReport) -> str:
    return msgspec.json.format(msgspec.json.encode(report), indent=2).decode() + "\n"


def _as_text(report: TraceReport) -> str:
    lines = [
        f"{found.file}:{found.line}  {one_line(found.station, 48)}  {found.rule}: {one_line(found.detail, 200)}"
        for found in report.findings[:_SHOWN]
    ]
    if report.total > _SHOWN:
        kinds = ", ".join(f"{rule} {count}" for rule, count in sorted(report.kinds.items()))
        lines.append(f"and {report.total - _SHOWN} more; by rule: {kinds}")
    lines.append(
        f"{report.frames} frames of {report.stations} stations on {report.connections} connections, with "
        f"{report.sent} CALLs, {report.answers} answers and {report.transactions} transactions: "
        f"{report.total or 'no'} findings"
    )
    return "\n".join(lines) + "\n"


def _named(paths: list[Path]) -> str:
    return str(paths[0]) if len(paths) == 1 else f"None of the {len(paths)} trace files"
