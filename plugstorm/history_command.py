"""`plugstorm history`: the index of run folders, and the page made from it."""

from __future__ import annotations

import sys
from pathlib import Path

import msgspec
from rich.console import Console

from evidence import exit_codes
from reports.history import history_of
from reports.history_index import HistoryIndex
from reports.history_page import write_history
from reports.words import plural

__all__ = ["run"]


def run(folder: Path, *, out: Path | None, file: Path | None, rebuild: bool, last: int, as_json: bool) -> int:
    """Bring the index up to date, write the page, and return the exit code; with `as_json` also the figures."""
    with HistoryIndex(folder, file) as index:
        done = index.refresh(again=rebuild)
        history = history_of(index, last=last)
    page = write_history(history, out or folder / "history.html")
    console = Console(stderr=as_json)
    told = f"{plural(history.runs, 'run')} in the index: {done.read} read, {done.kept} known, {done.forgotten} gone"
    console.print(told, soft_wrap=True, markup=False, highlight=False)
    for one in history.unreadable[:5]:
        console.print(f"note    {one.folder} is left out: {one.reason}", soft_wrap=True, markup=False, highlight=False)
    console.print(f"history {page}", soft_wrap=True, markup=False, highlight=False)
    if as_json:
        sys.stdout.write(msgspec.json.format(msgspec.json.encode(history), indent=2).decode() + "\n")
    return exit_codes.PASSED
