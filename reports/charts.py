"""The charts of a report: each a drawing, its legend, and the table with the figures behind it."""

from __future__ import annotations

import math
from collections.abc import Sequence

import msgspec
from markupsafe import Markup

from evidence.vocabulary import COOL_DOWN
from reports.svg import Scale, drawing, el, linear, linear_ticks, path
from reports.words import count, number, percent

__all__ = [
    "BOTTOM",
    "HEIGHT",
    "LEFT",
    "RIGHT",
    "TOP",
    "WIDTH",
    "Figure",
    "Mark",
    "Part",
    "Period",
    "Series",
    "Table",
    "axis_name",
    "draw_line",
    "frame_rows",
    "share_bar",
    "thin_out",
    "time_chart",
    "under",
]

WIDTH, HEIGHT = 480, 230
LEFT, RIGHT, TOP, BOTTOM = 54, 20, 14, 36
_MOST_POINTS = 240
_SMALL_CHARACTER = 6
"""Width of a character of the smallest text."""
_MOST_ROWS = 60
_SECONDS = "s"


class Table(msgspec.Struct, frozen=True):
    """Figures in text form; the first column names the row."""

    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


class Figure(msgspec.Struct, frozen=True, kw_only=True):
    """One chart, ready for the page."""

    title: str
    says: str
    """What it shows, in a sentence."""
    svg: Markup
    legend: tuple[tuple[str, str], ...] = ()
    """Class of the style sheet and label of each line."""
    table: Table


class Series(msgspec.Struct, frozen=True):
    """One line of a chart; `look` is a class of the style sheet."""

    name: str
    look: str
    points: tuple[tuple[float, float], ...]
    filled: bool = False


class Period(msgspec.Struct, frozen=True):
    """A named part of the time axis, in seconds."""

    name: str
    start: float
    end: float


class Mark(msgspec.Struct, frozen=True):
    """A moment on the time axis, in seconds."""

    name: str
    at: float


class Part(msgspec.Struct, frozen=True):
    """One part of a whole; `look` is a class of the style sheet."""

    name: str
    look: str
    amount: float


def thin_out(points: Sequence[tuple[float, float]], most: int) -> list[tuple[float, float]]:
    """Take means of neighbours until at most so many points are left."""
    size = max(1, math.ceil(len(points) / most))
    if size == 1:
        return list(points)
    groups = [points[start : start + size] for start in range(0, len(points), size)]
    return [(group[0][0], math.fsum(y for _, y in group) / len(group)) for group in groups]


def time_chart(
    title: str,
    says: str,
    series: Sequence[Series],
    *,
    unit: str,
    periods: Sequence[Period] = (),
    marks: Sequence[Mark] = (),
    axis: str = "seconds since the start",
    along: str = _SECONDS,
) -> Figure:
    """Draw lines over the seconds of a run, from zero up; `periods` are marked along the top, `marks` across.

    The stations say goodbye all at once in the last period, which may be cut off at the top of the chart. `along` is
    the unit of an axis that shows something else than time.
    """
    ends = [x for line in series for x, _ in line.points]
    goodbye = next((period.start for period in periods if period.name == COOL_DOWN), math.inf)
    points = [point for line in series for point in line.points]
    tops = [y for x, y in points if x < goodbye] or [y for _, y in points]
    first, seconds, ticks = min(ends, default=0.0), max(ends, default=1.0), linear_ticks(max(tops, default=1.0))
    x = linear(first, seconds, LEFT, WIDTH - RIGHT)
    y = linear(0, ticks[-1], HEIGHT - BOTTOM, TOP)
    parts = [*frame_rows(ticks, y, [number(tick) for tick in ticks])]
    parts += [under(x(tick), number(tick)) for tick in linear_ticks(seconds, 6) if first <= tick <= seconds]
    parts.append(axis_name(axis))
    parts += _mark(periods, x, seconds)
    parts += _across(marks, x, first, seconds, along)
    for line in series:
        parts += draw_line(_cut_off(line, ticks[-1]), x, y)
    parts += _hover(series, x, unit, along)
    return Figure(
        title=title,
        says=says,
        svg=drawing(WIDTH, HEIGHT, *parts, title=f"{title}. {says}"),
        legend=tuple((line.look, line.name) for line in series),
        table=_time_table(series, along),
    )


def _mark(periods: Sequence[Period], x: Scale, seconds: float) -> list[Markup]:
    drawn = []
    for period in periods:
        start, end = x(period.start), x(min(period.end, seconds))
        if start > LEFT and start < WIDTH - RIGHT:
            drawn.append(el("line", x1=start, x2=start, y1=TOP - 8, y2=HEIGHT - BOTTOM, class_="edge"))
        if end - start > len(period.name) * _SMALL_CHARACTER:
            drawn.append(el("text", period.name, x=start + 4, y=TOP - 1, class_="tick small-tick"))
    return drawn


def _across(marks: Sequence[Mark], x: Scale, first: float, last: float, along: str) -> list[Markup]:
    drawn = []
    for mark in marks:
        if first <= mark.at <= last:
            where = f"{number(mark.at)} s after the start" if along == _SECONDS else f"{number(mark.at)} {along}"
            at, tip = x(mark.at), el("title", f"{mark.name}, {where}")
            drawn.append(el("line", tip, x1=at, x2=at, y1=TOP, y2=HEIGHT - BOTTOM, class_="line thin bad"))
            anchor = "end" if at > (LEFT + WIDTH) / 2 else "start"
            drawn.append(
                el("text", mark.name, x=at, y=TOP + 10, class_="tick small-tick", dx="0.4em", text_anchor=anchor)
            )
    return drawn


def _cut_off(line: Series, top: float) -> Series:
    return msgspec.structs.replace(line, points=tuple((x, min(y, top)) for x, y in line.points))


def draw_line(line: Series, x: Scale, y: Scale) -> list[Markup]:
    """Draw one line, thinned out, with the area below it if it is filled."""
    points = [(x(at), y(value)) for at, value in thin_out(line.points, _MOST_POINTS)]
    if not points:
        return []
    floor = y(0) if line.filled else 0.0
    drawn = [el("path", d=path(points), class_=f"line {line.look}")]
    if line.filled:
        outline = [(points[0][0], floor), *points, (points[-1][0], floor)]
        drawn.insert(0, el("path", d=path(outline) + "Z", class_=f"area {line.look}"))
    if len(points) == 1:
        drawn.append(el("circle", cx=points[0][0], cy=points[0][1], r=3, class_=f"dot {line.look}"))
    return drawn


def _hover(series: Sequence[Series], x: Scale, unit: str, along: str) -> list[Markup]:
    """Lay invisible columns over a chart whose tooltips show the values under the pointer."""
    thinned = [thin_out(line.points, _MOST_ROWS) for line in series]
    columns = max(thinned, key=len, default=[])
    if not columns:
        return []
    width = (WIDTH - LEFT - RIGHT) / len(columns)
    drawn = []
    for index, (at, _) in enumerate(columns):
        values = [
            f"{line.name}: {number(points[index][1])} {unit}"
            for line, points in zip(series, thinned, strict=True)
            if index < len(points)
        ]
        tip = el("title", "\n".join([f"at {number(at)} {along}", *values]))
        left = min(max(x(at) - width / 2, LEFT), WIDTH - RIGHT - width)
        drawn.append(el("rect", tip, x=left, y=TOP, width=width, height=HEIGHT - TOP - BOTTOM, class_="hover"))
    return drawn


def _time_table(series: Sequence[Series], along: str) -> Table:
    thinned = [dict(thin_out(line.points, _MOST_ROWS)) for line in series]
    moments = sorted({at for points in thinned for at in points})
    rows = tuple(
        (f"{number(at)} {along}", *(number(points[at]) if at in points else "–" for points in thinned))
        for at in moments
    )
    return Table(("time" if along == _SECONDS else along, *(line.name for line in series)), rows)


def share_bar(title: str, parts: Sequence[Part], *, height: int = 14) -> Markup:
    """Draw the parts of a whole as one bar; every part that exists is at least a hair wide."""
    total = math.fsum(part.amount for part in parts)
    if total <= 0:
        return drawing(
            1000, height, el("rect", width=1000, height=height, rx=3, class_="empty"), title=title, class_="bar"
        )
    least = 4.0
    widths = [max(part.amount / total * 1000, least) for part in parts if part.amount > 0]
    shrink = 1000 / math.fsum(widths)
    at, drawn = 0.0, []
    for part, width in zip((part for part in parts if part.amount > 0), widths, strict=True):
        tip = el("title", f"{part.name}: {count(part.amount)} ({percent(part.amount / total)})")
        drawn.append(el("rect", tip, x=at, y=0, width=width * shrink, height=height, class_=f"part {part.look}"))
        at += width * shrink
    spoken = ", ".join(f"{part.name} {count(part.amount)}" for part in parts if part.amount > 0)
    return el(
        "svg",
        *drawn,
        viewBox=f"0 0 1000 {height}",
        preserveAspectRatio="none",
        role="img",
        aria_label=f"{title}: {spoken}",
        class_="bar",
    )


def frame_rows(ticks: Sequence[float], y: Scale, labels: Sequence[str]) -> list[Markup]:
    """Draw the horizontal lines of a chart and what stands beside them."""
    drawn = []
    for tick, label in zip(ticks, labels, strict=True):
        drawn.append(el("line", x1=LEFT, x2=WIDTH - RIGHT, y1=y(tick), y2=y(tick), class_="grid"))
        drawn.append(el("text", label, x=LEFT - 8, y=y(tick) + 4, class_="tick", text_anchor="end"))
    return drawn


def under(x: float, label: str) -> Markup:
    """Write a value below the horizontal axis."""
    return el("text", label, x=x, y=HEIGHT - BOTTOM + 16, class_="tick", text_anchor="middle")


def axis_name(label: str) -> Markup:
    """Write what the horizontal axis shows."""
    return el("text", label, x=(WIDTH + LEFT - RIGHT) / 2, y=HEIGHT - 4, class_="tick", text_anchor="middle")
