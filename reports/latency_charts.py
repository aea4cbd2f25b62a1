"""Charts of latencies: one row an action, and one curve an action."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Final

import msgspec
from markupsafe import Markup

from reports.charts import BOTTOM, HEIGHT, LEFT, RIGHT, TOP, WIDTH, Figure, Series, Table, draw_line, frame_rows, under
from reports.svg import Scale, drawing, el, linear, log_ticks, logarithmic
from reports.words import milliseconds, plural

__all__ = ["CURVE", "MAXIMUM", "Band", "latency_overview", "percentile_curves", "percentile_name"]

MEDIAN: Final = 50.0
MAXIMUM: Final = 100.0
"""The percentile that stands for the largest value."""

CURVE: Final = (0, 10, 25, 50, 75, 90, 95, 97.5, 99, 99.5, 99.75, 99.9, 99.95, 99.99, 99.995, 99.999, MAXIMUM)
"""Percentiles that are read off a histogram for its curve."""

_MARKED = (0, 50, 90, 99, 99.9, 99.99, 99.999)
_TABLED = (50, 75, 90, 95, 99, 99.9, 99.99, MAXIMUM)
_COMPARED = (50, 90, 95, 99, 99.9, MAXIMUM)


class Band(msgspec.Struct, frozen=True, kw_only=True):
    """The latencies of one action in ms, as percentile (0 to 100) to value; empty where nothing was measured."""

    name: str
    detail: str
    count: int
    service: Mapping[float, float]
    response: Mapping[float, float]

    @property
    def clocks(self) -> tuple[tuple[str, str, Mapping[float, float]], ...]:
        """Name, look and values of both clocks, those without a value left out."""
        both = (("service", "s1", self.service), ("response", "s2 dashed", self.response))
        return tuple(clock for clock in both if clock[2])


def percentile_name(percentile: float) -> str:
    """Name a percentile."""
    return "max" if percentile == MAXIMUM else f"p{percentile:g}"


def percentile_curves(band: Band, ticks: Sequence[float]) -> Figure:
    """Draw the latency of one action over the percentiles, the tail spread out; `ticks` are shared by all actions."""
    below = [q for _, _, values in band.clocks for q in values if q < MAXIMUM]
    reach = max(map(_place, below), default=1.0)
    x = linear(0, max(reach, 1.0), LEFT, WIDTH - RIGHT)
    y = logarithmic(ticks[0], ticks[-1], HEIGHT - BOTTOM, TOP)
    parts = frame_rows(ticks, y, [milliseconds(tick) for tick in ticks])
    parts += [under(x(_place(q)), percentile_name(q)) for q in _MARKED if _place(q) <= reach + 1e-9]
    for clock, look, values in band.clocks:
        curve = [(q, value) for q, value in sorted(values.items()) if q < MAXIMUM]
        parts += draw_line(Series(clock, look, tuple((_place(q), value) for q, value in curve)), x, y)
        for q, value in curve:
            if q in _TABLED:
                tip = el("title", f"{clock} {percentile_name(q)}: {milliseconds(value)}")
                parts.append(el("circle", tip, cx=x(_place(q)), cy=y(value), r=3, class_=f"dot {look}"))
    says = plural(band.count, "call") + "".join(
        f"; {clock} p99 {milliseconds(values[99])}"
        for clock, _, values in band.clocks
        if 99 in values  # noqa: PLR2004 - a percentile
    )
    return Figure(
        title=band.name,
        says=f"{band.detail}, {says}" if band.detail else says,
        svg=drawing(WIDTH, HEIGHT, *parts, title=f"Latency of {band.name} by percentile: {says}"),
        legend=tuple((look, clock) for clock, look, _ in band.clocks),
        table=Table(
            ("percentile", *(clock for clock, _, _ in band.clocks)),
            tuple(
                (percentile_name(q), *(milliseconds(values.get(q)) for _, _, values in band.clocks))
                for q in _TABLED
                if any(q in values for _, _, values in band.clocks)
            ),
        ),
    )


def _place(percentile: float) -> float:
    """Place a percentile so that each further nine takes the same room: 0 at p0, 1 at p90, 2 at p99."""
    return -math.log10(max(1 - percentile / 100, 1e-9))


_ROW = 46
_NAME = 200
_FIGURE = 90
_WIDE = 940


def latency_overview(bands: Sequence[Band]) -> Figure:
    """Draw one row an action with both latencies from the median to the maximum, on one logarithmic axis."""
    drawn = [value for band in bands for _, _, values in band.clocks for q, value in values.items() if q >= MEDIAN]
    ticks = log_ticks(drawn)
    height = _ROW * len(bands) + 44
    x = logarithmic(ticks[0], ticks[-1], _NAME, _WIDE - _FIGURE)
    parts = [el("text", "p99", x=_WIDE, y=12, class_="tick", text_anchor="end")]
    for tick in ticks:
        parts.append(el("line", x1=x(tick), x2=x(tick), y1=12, y2=height - 26, class_="grid"))
        parts.append(el("text", milliseconds(tick), x=x(tick), y=height - 8, class_="tick", text_anchor="middle"))
    for index, band in enumerate(bands):
        top = 14 + index * _ROW
        parts.append(el("text", band.name, x=0, y=top + 17, class_="name"))
        parts.append(el("text", band.detail, x=0, y=top + 33, class_="tick"))
        for row, (clock, look, values) in enumerate(band.clocks):
            parts += _whisker(clock, look, values, x, top + 14 + 15 * row)
    columns = [q for q in _COMPARED if any(q in values for band in bands for _, _, values in band.clocks)]
    return Figure(
        title="Latency per action",
        says=(
            "Each box spans the median to p99, the thin line ends at the maximum; the axis is logarithmic. "
            "Service runs from the frame on the wire to its answer. "
            "Response runs from the moment the station planned to send, so waiting for an earlier slow answer counts. "
            "All outcomes count; a time-out counts with at least its time limit."
        ),
        svg=drawing(_WIDE, height, *parts, title="Latency per action: median, p99 and maximum", class_="chart wide"),
        legend=(("s1", "service"), ("s2", "response")),
        table=Table(
            ("action", *map(percentile_name, columns)),
            tuple(
                (f"{band.name} {band.detail}, {clock}", *(milliseconds(values.get(q)) for q in columns))
                for band in bands
                for clock, _, values in band.clocks
            ),
        ),
    )


def _whisker(clock: str, look: str, values: Mapping[float, float], x: Scale, y: float) -> list[Markup]:
    told = "".join(f"\n{percentile_name(q)}: {milliseconds(values[q])}" for q in sorted(values) if q in _COMPARED)
    middle, top = values[MEDIAN], values[MAXIMUM]
    tail = values.get(99, top)
    figure = milliseconds(tail) if 99 in values else f"max {milliseconds(top)}"  # noqa: PLR2004 - a percentile
    box = max(x(tail) - x(middle), 2.0)
    return [
        el("line", x1=x(middle), x2=x(top), y1=y, y2=y, class_=f"line thin {look}"),
        el("line", x1=x(top), x2=x(top), y1=y - 4, y2=y + 4, class_=f"line thin {look}"),
        el("rect", el("title", clock + told), x=x(middle), y=y - 5, width=box, height=10, rx=2, class_=f"box {look}"),
        el("text", figure, x=_WIDE, y=y + 4, class_="tick", text_anchor="end"),
    ]
