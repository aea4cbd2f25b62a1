"""A page that needs no network: its template, style and script in one file, and a policy that allows nothing else."""

from __future__ import annotations

import base64
import hashlib
import os
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import quote

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from evidence.visible import visible
from reports import words
from reports.facts import facts
from reports.svg import text_content

__all__ = ["address_of", "render_page"]

_TEMPLATES = Path(__file__).parent / "templates"


def render_page(template: str, **content: Any) -> str:
    """Render a template that extends `page.html.j2`; every text is escaped and made visible."""
    style, script = _asset("style.css"), _asset("script.js")
    return (
        _environment()
        .get_template(template)
        .render(style=style, script=script, style_hash=_csp_hash(style), script_hash=_csp_hash(script), **content)
    )


def address_of(path: Path, base: Path) -> str:
    """Write the address of a file as seen from a page in the folder `base`."""
    relative = os.path.relpath(path, base).replace(os.sep, "/")
    # A leading "./" keeps a name with a colon from being read as a scheme.
    return "./" + quote(relative, errors="replace")


def _csp_hash(content: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()


@cache
def _asset(name: str) -> Markup:
    return Markup((_TEMPLATES / name).read_text(encoding="utf-8"))  # noqa: S704 - a file of ours


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
        "measured": words.measured,
        "milliseconds": words.milliseconds,
        "number": words.number,
        "parties": words.parties,
        "plural": words.plural,
        "run_seconds": words.run_seconds,
        "text_content": text_content,
        "versions": words.versions,
        "when": words.when,
    }
    environment.globals.update(helpers)
    return environment
