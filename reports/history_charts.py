"""Small charts with one step for each run: lines of figures, marks where the label changes, strips of verdicts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import msgspec
from markupsafe import Markup

from evidence.verdicts import Verdict
from reports.charts import Figure, Series, Table
from reports.history import RunPoint
from reports.svg import Scale, drawing, el, linear, linear_ticks, path
from reports.words import number, when

__all__ = ["Cell", "run_chart", "stacked_chart", "strip"]

_WIDTH: Final = 340
_HEIGHT: Final = 170
_LEFT, _RIGHT, _TOP, _BOTTOM = 44, 10, 18, 22
_MOST_DOTS: Final = 60
_MOST_LABELS: Final = 4
_MOST_MARKS: Final = 40
_CHARACTER: Final = 6.2
_DATE: Final = 10
"""Characters of a day."""
_CELL: Final = 12
_STRIP_WIDTH: Final = 420
_GAP: Final = 6.0
"""Width from which on squares stand apart."""


class Cell(msgspec.Struct, frozen=True):
    """One run in a strip: a class of the style sheet, and what the pointer reads."""

    look: str
    says: str


def run_chart(
    title: str, says: str, runs: Sequence[RunPoint], lines: Sequence[Series], *, unit: str, whole: bool = False
) -> Figure:
    """Draw figures from zero up; the points of a line are places of runs and values.

    `whole`: the figures are shares, and the axis ends at 100 %.
    """
    values = [value for line in lines for _, value in line.points]
    ticks = [0.0, 0.25, 0.5, 0.75, 1.0] if whole else linear_ticks(max(values, default=1.0), 4)
    x, y = _axes(runs, ticks[-1])
    parts = _frame(ticks, y, [f"{tick * 100:.0f} %" if whole else number(tick) for tick in ticks])
    parts += [*_days(runs, x), *_labels(runs, x)]
    for line in lines:
        points = [(x(at), y(value)) for at, value in line.points]
        if points:
            parts.append(el("path", d=path(points), class_=f"line {line.look}"))
        if len(points) <= _MOST_DOTS:
            parts += [el("circle", cx=at, cy=value, r=2, class_=f"dot {line.look}") for at, value in points]
    parts += _hover(runs, lines, x, unit="%" if whole else unit, factor=100 if whole else 1)
    return Figure(
        title=title,
        says=says,
        svg=drawing(_WIDTH, _HEIGHT, *parts, title=f"{title}. {says}", class_="chart small"),
        legend=tuple((line.look, line.name) for line in lines) if len(lines) > 1 else (),
        table=_table(runs, lines),
    )


def stacked_chart(
    title: str, says: str, runs: Sequence[RunPoint], counts: Sequence[tuple[Verdict, Sequence[int]]]
) -> Figure:
    """Draw for each run how many cases had which verdict, one bar on another."""
    totals = [sum(column) for column in zip(*(amounts for _, amounts in counts), strict=True)]
    ticks = linear_ticks(max(totals, default=1), 4)
    x, y = _axes(runs, ticks[-1])
    width = (_WIDTH - _LEFT - _RIGHT) / max(len(runs), 1)
    parts = _frame(ticks, y, [number(tick) for tick in ticks])
    below = [0] * len(runs)
    for verdict, amounts in counts:
        for place, amount in enumerate(amounts):
            if amount:
                top, floor = y(below[place] + amount), y(below[place])
                parts.append(
                    el("rect", x=x(place) - width / 2, y=top, width=_bar(width), height=floor - top,
                       class_=f"cell v-{verdict}")
                )  # fmt: skip
                below[place] += amount
    parts += [*_days(runs, x), *_labels(runs, x)]
    lines = [
        Series(verdict.replace("_", " "), f"v-{verdict}", tuple(enumerate(map(float, amounts))))
        for verdict, amounts in counts
    ]
    parts += _hover(runs, lines, x, unit="")
    return Figure(
        title=title,
        says=says,
        svg=drawing(_WIDTH, _HEIGHT, *parts, title=f"{title}. {says}", class_="chart small"),
        legend=tuple((f"v-{verdict}", verdict.replace("_", " ")) for verdict, _ in counts),
        table=_table(runs, lines),
    )


def strip(title: str, cells: Sequence[Cell | None]) -> Markup:
    """Draw one square for each run, the oldest at the left; None leaves its place empty."""
    step = min(_CELL + 2.0, _STRIP_WIDTH / max(len(cells), 1))
    drawn = [
        el("rect", el("title", cell.says), x=place * step, y=0, width=_bar(step), height=_CELL,
           class_=f"cell {cell.look}")
        for place, cell in enumerate(cells)
        if cell is not None
    ]  # fmt: skip
    width = step * max(len(cells), 1)
    return el(
        "svg",
        *drawn,
        viewBox=f"0 0 {width:.1f} {_CELL}",
        width=f"{width:.1f}",
        height=str(_CELL),
        role="img",
        aria_label=title,
        class_="strip",
    )


def _bar(step: float) -> float:
    return step - 2 if step > _GAP else step + 0.1


def _axes(runs: Sequence[RunPoint], top: float) -> tuple[Scale, Scale]:
    x = linear(-0.5, max(len(runs) - 0.5, 0.5), _LEFT, _WIDTH - _RIGHT)
    return x, linear(0, top, _HEIGHT - _BOTTOM, _TOP)


def _frame(ticks: Sequence[float], y: Scale, labels: Sequence[str]) -> list[Markup]:
    drawn = []
    for tick, label in zip(ticks, labels, strict=True):
        drawn.append(el("line", x1=_LEFT, x2=_WIDTH - _RIGHT, y1=y(tick), y2=y(tick), class_="grid"))
        drawn.append(el("text", label, x=_LEFT - 6, y=y(tick) + 3.5, class_="tick small-tick", text_anchor="end"))
    return drawn


def _days(runs: Sequence[RunPoint], x: Scale) -> list[Markup]:
    """Write the days of the first and the last run below, and of one between them."""
    if not runs:
        return []
    places = {0: "start", len(runs) - 1: "end"} if len(runs) > 1 else {0: "middle"}
    middle = len(runs) // 2
    if len(runs) > 4:  # noqa: PLR2004 - two ends and their neighbours
        places[middle] = "middle"
    return [
        el("text", runs[place].started[:_DATE], x=x(place), y=_HEIGHT - 6, class_="tick small-tick", text_anchor=anchor)
        for place, anchor in places.items()
    ]


def _labels(runs: Sequence[RunPoint], x: Scale) -> list[Markup]:
    """Mark the runs where another label begins, and name as many as there is room for, the newest first."""
    changes = [
        place for place, run in enumerate(runs) if run.label and (not place or runs[place - 1].label != run.label)
    ]
    if len(changes) > _MOST_MARKS:
        return []
    drawn = [el("line", x1=at, x2=at, y1=_TOP, y2=_HEIGHT - _BOTTOM, class_="edge") for at in map(x, changes)]
    free = float(_WIDTH)
    for place in reversed(changes):
        text = _short(runs[place].label)
        at = min(x(place), _WIDTH - len(text) * _CHARACTER - 2)
        if at + len(text) * _CHARACTER <= free:
            drawn.append(el("text", text, x=at, y=_TOP - 6, class_="tick small-tick"))
            free = at - _CHARACTER
    return drawn


def _short(label: str, most: int = 12) -> str:
    return label if len(label) <= most else f"{label[: most - 1]}…"


def name_of(run: RunPoint) -> str:
    """Name a run for the pointer: its label, and when it began."""
    return f"{run.label}, {when(run.started)}" if run.label else when(run.started)


def _hover(
    runs: Sequence[RunPoint], lines: Sequence[Series], x: Scale, *, unit: str, factor: float = 1
) -> list[Markup]:
    """Lay an invisible column over each run, whose tooltip shows its values."""
    values = [dict(line.points) for line in lines]
    width = (_WIDTH - _LEFT - _RIGHT) / max(len(runs), 1)
    drawn = []
    for place, run in enumerate(runs):
        told = [
            f"{line.name}: {number(points[place] * factor)} {unit}".rstrip()
            for line, points in zip(lines, values, strict=True)
            if place in points
        ]
        tip = el("title", "\n".join([name_of(run), *told]))
        drawn.append(
            el("rect", tip, x=x(place) - width / 2, y=_TOP, width=width, height=_HEIGHT - _TOP - _BOTTOM,
               class_="hover")
        )  # fmt: skip
    return drawn


def _table(runs: Sequence[RunPoint], lines: Sequence[Series]) -> Table:
    values = [dict(line.points) for line in lines]
    rows = tuple(
        (name_of(run), *(number(points[place]) if place in points else "–" for points in values))
        for place, run in enumerate(runs)
        if any(place in points for points in values)
    )
    return Table(("run", *(line.name for line in lines)), rows)
