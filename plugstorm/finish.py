"""What every run ends with: the files made from `run.json`, a short table, and where the report is."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from evidence.manifest import seal
from evidence.run_model import Run
from plugstorm.ci import tell_ci
from reports.allure import write_allure
from reports.annotations import of_run
from reports.html import write_report
from reports.junit import write_junit
from reports.summary import print_headline, print_summary, summary_markdown, write_summary

__all__ = ["finish", "tell"]


def finish(folder: Path, run: Run, *, show: bool = True, as_json: bool = False) -> None:
    """Write `junit.xml`, `summary.md`, `report.html` and all checksums into the run folder; `show` tells the result.

    A CI that asks for a summary of its job gets one, too.

    Where somebody else has shown the tables already, only the headline is told, before a full disk can keep us from it.
    With `as_json` the standard output is `run.json`, and what people read goes to the standard error output.
    """
    console = Console(stderr=as_json)
    if not show:
        print_headline(run, console)
    write_junit(folder, run)
    write_summary(folder, run)
    write_allure(folder, run)
    page = write_report([(folder, run)])
    seal(folder)
    tell([run] if show else [], page, console)
    tell_ci(summary_markdown(run), of_run(run))
    if as_json:
        sys.stdout.write((folder / "run.json").read_text("utf-8"))


def tell(runs: Sequence[Run], page: Path, console: Console) -> None:
    """Print runs in short, and where their report is."""
    for run in runs:
        print_summary(run, console)
    console.print(f"report  {page}", soft_wrap=True, markup=False, highlight=False)
