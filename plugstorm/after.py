"""What every run ends with: the files made from `run.json`, a short table, and where the report is."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console

from evidence.run_model import Run
from reports.html import write_report
from reports.junit import write_junit
from reports.summary import print_summary, write_summary

__all__ = ["finish"]


def finish(folder: Path, run: Run) -> None:
    """Write `junit.xml`, `summary.md` and `report.html` into the run folder and tell how the run went."""
    write_junit(folder)
    write_summary(folder)
    page = write_report([folder])
    console = Console()
    print_summary(run, console)
    console.print(f"report  {page}", soft_wrap=True, markup=False, highlight=False)
