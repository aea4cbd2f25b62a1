"""`plugstorm compare`: two runs side by side, several with one, or new ones with what the history holds."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

import msgspec
from rich.console import Console

from evidence import exit_codes
from evidence.run_folder import read_run
from ocppj.errors import UsageError
from plugstorm.ci import tell_ci
from reports.annotations import of_comparison
from reports.baseline import Chosen, choose, newest, read_baseline
from reports.compare import Comparison, compare_with_all
from reports.compare_bench import TOLERANCE, BenchChange, compare_benches, is_bench
from reports.compare_sets import compare_sets
from reports.compare_text import comparison_json, comparison_markdown, print_comparison
from reports.history_index import HistoryIndex, indexed

__all__ = ["Limits", "against_history", "compare_folders"]


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """What is too little to count."""

    tolerance: float
    """Share of a latency."""
    floor_ms: float


def compare_folders(bases: Sequence[Path], new: Path, limits: Limits, *, as_json: bool) -> int:
    """Show what changed between one or several runs and a new one, and return the exit code."""
    if is_bench(new):
        if len(bases) > 1:
            raise UsageError("Two benches are compared; write compare BASE NEW")
        return _show_benches(bases[0], new, as_json=as_json)
    comparison = compare_with_all(bases, new, tolerance=limits.tolerance, floor_ms=limits.floor_ms)
    return _show(comparison, as_json=as_json)


def against_history(news: Sequence[Path], baseline: str, runs: Path, limits: Limits, *, as_json: bool) -> int:
    """Show what changed between runs of the history and new ones, and return the exit code.

    Without new ones the newest release of the history is new.
    """
    asked = read_baseline(baseline)
    with HistoryIndex(runs) as index:
        index.refresh()
        folders = list(news) or newest(index)
        fresh = [(folder, read_run(folder)) for folder in folders]
        rows = [indexed(folder) for folder in folders]
        if len({(row.kind, row.settings) for row in rows}) > 1:
            raise UsageError("The new runs were not asked for the same; name runs of one kind, target and settings")
        own = {folder.resolve() for folder in folders}
        leave = {run.folder for run in index.runs() if (index.root / run.folder).resolve() in own}
        chosen: Chosen = choose(index, asked, rows, leave=leave)
    before = [(folder, read_run(folder)) for folder in chosen.folders]
    comparison = compare_sets(
        before,
        fresh,
        tolerance=limits.tolerance,
        floor_ms=limits.floor_ms,
        baseline=baseline,
        tries=chosen.tries,
    )
    return _show(comparison, as_json=as_json)


def _show_benches(base: Path, new: Path, *, as_json: bool) -> int:
    comparison = compare_benches(base, new)
    if as_json:
        sys.stdout.write(msgspec.json.format(msgspec.json.encode(comparison.written), indent=2).decode() + "\n")
    else:
        for change in comparison.changes:
            sys.stdout.write(_bench_line(change) + "\n")
        worse = comparison.worse
        sys.stdout.write(f"{len(worse)} of {len(comparison.changes)} figures are worse by more than {TOLERANCE:.0%}\n")
    return exit_codes.FAILED if comparison.worse else exit_codes.PASSED


def _bench_line(change: BenchChange) -> str:
    after = "not measured" if change.after is None else f"{change.after:.2f}"
    word = "WORSE " if change.is_worse else ""
    return f"{word}{change.row}: {change.figure}: {change.before:.2f} before, {after}"


def _show(comparison: Comparison, *, as_json: bool) -> int:
    if as_json:
        sys.stdout.write(comparison_json(comparison))
    else:
        print_comparison(comparison, Console())
    tell_ci(comparison_markdown(comparison), of_comparison(comparison))
    return comparison.exit_code
