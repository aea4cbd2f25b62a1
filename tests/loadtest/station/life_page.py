"""Writes `docs/station-life.md` from the table of a station's life: `python -m tests.loadtest.station.life_page`."""

from __future__ import annotations

import ast
from enum import StrEnum
from inspect import getsource
from pathlib import Path

from loadtest.station.life import TRANSITIONS, Life, LifeAction, LifeEvent, Transition

__all__ = ["PAGE", "page"]

PAGE = Path(__file__).parents[3] / "docs" / "station-life.md"

_BEGIN = """\
# The life of a virtual station

This page is made from the table in `loadtest/station/life.py` by `python -m tests.loadtest.station.life_page`; a test
compares the two. An event that has no row for a state changes nothing.

Whether the CSMS has accepted the station is another question: that is its registration, and a station may boot several
times while it is `on`.
"""


def meanings(words: type[StrEnum]) -> dict[str, str]:
    """Read what the source says below each member of an enumeration."""
    (definition,) = ast.parse(getsource(words)).body
    assert isinstance(definition, ast.ClassDef)
    found, value = {}, ""
    for statement in definition.body:
        if isinstance(statement, ast.Assign):
            value = str(ast.literal_eval(statement.value))
        elif value and isinstance(statement, ast.Expr):
            found[value] = str(ast.literal_eval(statement.value))
    return found


def diagram() -> list[str]:
    """Draw the table as a Mermaid state diagram, with one arrow for all events that do the same."""
    arrows: dict[tuple[Life, Transition], list[LifeEvent]] = {}
    for (life, event), transition in TRANSITIONS.items():
        arrows.setdefault((life, transition), []).append(event)
    drawn = [
        f"    {before} --> {after}: {', '.join(events)}<br/>({action})"
        for (before, (after, action)), events in arrows.items()
    ]
    return ["```mermaid", "stateDiagram-v2", f"    [*] --> {Life.NEW}", *drawn, f"    {Life.OFF} --> [*]", "```"]


def table(*columns: str, rows: list[tuple[str, ...]]) -> list[str]:
    """Write a table in Markdown."""
    lines = [columns, tuple("---" for _ in columns), *rows]
    return [f"| {' | '.join(cells)} |" for cells in lines]


def page() -> str:
    """Write the page."""
    rows = [(before, event, after, action) for (before, event), (after, action) in TRANSITIONS.items()]
    lines = [
        _BEGIN,
        *diagram(),
        "\n## States\n",
        *table("state", "meaning", rows=list(meanings(Life).items())),
        "\n## Events\n",
        *table("event", "meaning", rows=list(meanings(LifeEvent).items())),
        "\n## Transitions\n",
        *table("state", "event", "becomes", "and does this", rows=[tuple(map(str, row)) for row in rows]),
    ]
    assert {action for _, _, _, action in rows} == set(LifeAction)
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    PAGE.write_text(page(), "utf-8")
