"""One self-contained page from one or several run folders."""

from __future__ import annotations

import base64
import hashlib
import os
from collections.abc import Callable, Sequence
from functools import cache, partial
from pathlib import Path
from typing import Any
from urllib.parse import quote

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from evidence.run_folder import RunFolder
from evidence.run_model import InteropRun, Run
from evidence.visible import visible
from ocppj.errors import UsageError
from reports import words
from reports.facts import facts
from reports.frames import Budget
from reports.interop_view import InteropView, view_interop
from reports.load_view import LoadView, view_load
from reports.svg import text_content

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
    style, script = _asset("style.css"), _asset("script.js")
    page = _environment().get_template("report.html.j2")
    return page.render(
        views=views, style=style, script=script, style_hash=_csp_hash(style), script_hash=_csp_hash(script)
    )


def _view(folder: Path, run: Run, *, prefix: str, name: str, base: Path, budget: Budget) -> InteropView | LoadView:
    if isinstance(run, InteropRun):
        href = partial(_href, folder, base)
        return view_interop(folder, run, prefix=prefix, name=name, href=href, budget=budget)
    return view_load(folder, run, prefix=prefix, name=name)


def _names(runs: Sequence[Run]) -> list[str]:
    """Name each run by its kind, and by its versions or number where that is not enough."""
    kinds = ["interop" if isinstance(run, InteropRun) else "load" for run in runs]
    if len(set(kinds)) == len(kinds):
        return kinds
    return [f"{kind} {number}" for number, kind in enumerate(kinds, 1)]


def _href(folder: Path, base: Path, name: str) -> str:
    path = os.path.relpath(folder / name, base).replace(os.sep, "/")
    # A leading "./" keeps a name with a colon from being read as a scheme.
    return "./" + quote(path, errors="replace")


def _csp_hash(content: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()


@cache
def _asset(name: str) -> Markup:
    return Markup((_TEMPLATES / name).read_text(encoding="utf-8"))  # noqa: S704  # a file of ours


_TEMPLATES = Path(__file__).parent / "templates"


def _make_visible(value: object) -> object:
    """Spell out what hides or reorders in every text that a template writes, before it is escaped."""
    return visible(value) if isinstance(value, str) and not isinstance(value, Markup) else value


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(_TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_make_visible,
    )
    helpers: dict[str, Callable[..., Any]] = {
        "count": words.count,
        "duration": words.duration,
        "facts": facts,
        "milliseconds": words.milliseconds,
        "number": words.number,
        "plural": words.plural,
        "run_seconds": words.run_seconds,
        "text_content": text_content,
        "versions": words.versions,
        "when": words.when,
    }
    environment.globals.update(helpers)
    return environment
