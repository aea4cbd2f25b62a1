"""One self-contained page from one or several run folders."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from evidence.run_folder import RunFolder
from evidence.run_model import InteropRun, Run
from ocppj.errors import UsageError
from reports.frames import Budget
from reports.interop_view import InteropView, view_interop
from reports.load_view import LoadView, view_load
from reports.page import address_of, render_page

__all__ = ["render_report", "write_report"]

_TRACE_BUDGET = 3_000_000
"""Characters that the traces of all runs may take on one page."""


def write_report(runs: Sequence[tuple[Path, Run]], out: Path | None = None) -> Path:
    """Write the report of some runs, each with its folder, and return its path.

    It goes to `out`, else to `report.html` in the folder, or beside the first of several. Raises `UsageError` when no
    run is given or the page cannot be written.
    """
    if not runs:
        raise UsageError("No run folder was named; give the folder of a finished run, such as runs/…-interop")
    first = runs[0][0]
    target = out or (first if len(runs) == 1 else first.parent) / "report.html"
    RunFolder(target.parent).write_text(target.name, render_report(runs, base=target.parent))
    return target


def render_report(runs: Sequence[tuple[Path, Run]], *, base: Path) -> str:
    """Render the page; `base` is the folder that its links to trace files start from."""
    names = _names([run for _, run in runs])
    budget = Budget(_TRACE_BUDGET)
    views = [
        _view(folder, run, prefix=f"run{number}", name=name, base=base, budget=budget)
        for number, ((folder, run), name) in enumerate(zip(runs, names, strict=True), 1)
    ]
    return render_page("report.html.j2", views=views)


def _view(folder: Path, run: Run, *, prefix: str, name: str, base: Path, budget: Budget) -> InteropView | LoadView:
    if isinstance(run, InteropRun):
        return view_interop(
            folder, run, prefix=prefix, name=name, href=lambda file: address_of(folder / file, base), budget=budget
        )
    return view_load(folder, run, prefix=prefix, name=name)


def _names(runs: Sequence[Run]) -> list[str]:
    """Name each run by its kind, and by its versions or number where that is not enough."""
    kinds = ["interop" if isinstance(run, InteropRun) else "load" for run in runs]
    if len(set(kinds)) == len(kinds):
        return kinds
    return [f"{kind} {number}" for number, kind in enumerate(kinds, 1)]
