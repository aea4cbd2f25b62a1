"""`plugstorm report` and `plugstorm compare`: what finished runs say, alone and side by side."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

import msgspec
from rich.console import Console

from evidence import exit_codes
from evidence.run_folder import read_run
from evidence.run_model import InteropRun, LoadRun, Run
from evidence.verdicts import EXIT_CODES
from plugstorm.finish import tell
from reports.compare import compare
from reports.compare_text import comparison_json, print_comparison
from reports.html import write_report
from reports.junit import write_junit
from reports.summary import write_summary

__all__ = ["compare_folders", "report"]


def report(folders: Sequence[Path], *, out: Path | None, judge_again: bool, as_json: bool) -> int:
    """Write the page and say where it is; judged again, the worst verdict is the exit code."""
    runs = [_read(folder, judge_again=judge_again) for folder in folders]
    page = write_report(runs, out)
    if as_json:
        rows = [
            {
                "folder": str(folder),
                "kind": msgspec.to_builtins(run)["kind"],
                "verdict": run.verdict,
                "report": str(page),
            }
            for folder, (_, run) in zip(folders, runs, strict=True)
        ]
        print(msgspec.json.format(msgspec.json.encode(rows), indent=2).decode())  # noqa: T201 - this is a command
    else:
        tell([run for _, run in runs], page)
    if not judge_again:
        return exit_codes.PASSED
    return max((EXIT_CODES[run.verdict] for _, run in runs), default=exit_codes.PASSED)


def _read(place: Path, *, judge_again: bool) -> tuple[Path, Run]:
    """Read a run, by its folder or its `run.json`; returns the folder and the run."""
    folder, run = (place if place.is_dir() else place.parent), read_run(place)
    if judge_again and isinstance(run, InteropRun):
        from interop_suite.run.results import rejudge  # noqa: PLC0415 - a page from finished runs needs no cases

        run = rejudge(folder)
    elif judge_again and isinstance(run, LoadRun):
        from loadtest.plugins.ledger.rejudge import rejudge as reconcile_again  # noqa: PLC0415 - as above

        run = reconcile_again(folder, run)
    if judge_again:
        write_junit(folder, run)
        write_summary(folder, run)
    return folder, run


def compare_folders(base: Path, new: Path, *, tolerance: float, floor_ms: float, as_json: bool) -> int:
    """Show what changed between two runs and return the exit code."""
    comparison = compare(base, new, tolerance=tolerance, floor_ms=floor_ms)
    if as_json:
        sys.stdout.write(comparison_json(comparison))
    else:
        print_comparison(comparison, Console())
    return comparison.exit_code
