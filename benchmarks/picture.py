"""The pictures of a bench, and the one self-contained page that holds them and the tables."""

from __future__ import annotations

import html
from collections.abc import Sequence
from typing import Final

from markupsafe import Markup

from benchmarks.figures import Result, ScaleRow
from benchmarks.show import grids
from reports.svg import drawing, el, linear, linear_ticks, log_ticks, logarithmic, path

__all__ = ["curve_svg", "page", "speed_svg"]

_STYLE: Final = """
svg{font:12px system-ui,sans-serif;fill:#222}.grid{stroke:#ddd}.bar{fill:#9aa5b1}.ours{fill:#2563eb}
.line{fill:none;stroke:#2563eb;stroke-width:2}.dot{fill:#2563eb}.band{fill:#2563eb22}.small{fill:#666;font-size:11px}
@media(prefers-color-scheme:dark){svg{fill:#eee}.grid{stroke:#444}.small{fill:#aaa}}
"""
_PAGE_STYLE: Final = """
body{font:15px/1.5 system-ui,sans-serif;max-width:70rem;margin:2rem auto;padding:0 1rem;color:#222;background:#fff}
table{border-collapse:collapse;margin:.5rem 0 2rem;font-variant-numeric:tabular-nums}
td,th{padding:.25rem .6rem;border-bottom:1px solid #ddd;text-align:right}td:first-child,th:first-child{text-align:left}
svg{max-width:100%;height:auto}
@media(prefers-color-scheme:dark){body{color:#eee;background:#16181c}td,th{border-color:#444}}
"""
_WIDTH: Final = 720
_NAME: Final = 260
_BAR: Final = 18
_GAP: Final = 8
_GROUP: Final = 34


def speed_svg(result: Result) -> Markup:
    """Draw CALL/s per core as a share of the ceiling, a bar for each engine and a group for each message."""
    groups: dict[str, list[tuple[str, str, float]]] = {}
    for row in result.engines:
        for figures in row.messages:
            if figures.ratio_to_ceiling is not None:
                bar = (row.engine, row.title, figures.ratio_to_ceiling)
                groups.setdefault(figures.message, []).append(bar)
    x = linear(0, 1, _NAME, _WIDTH - 60)
    parts, y = [], 4.0
    for message, bars in groups.items():
        y += _GROUP
        parts.append(el("text", f"{message}: CALL/s per core, ceiling = 1", x=0, y=y - 8, font_weight="bold"))
        for name, title, ratio in bars:
            parts.append(el("text", title, x=_NAME - 8, y=y + 13, text_anchor="end"))
            width = max(x(min(ratio, 1.0)) - _NAME, 1)
            look = "ours" if name.startswith("plugstorm") else "bar"
            parts.append(el("rect", x=_NAME, y=y, width=width, height=_BAR, rx=2, class_=look))
            parts.append(el("text", f"{ratio:.2f}", x=_NAME + width + 6, y=y + 13))
            y += _BAR + _GAP
    return _standalone(y + 8, parts, "CALL/s per core of each engine as a share of the ceiling")


def curve_svg(rows: Sequence[ScaleRow]) -> Markup:
    """Draw CPU per CALL over the number of stations in one worker, with the band of ± 20 % around its middle."""
    points = [(float(row.stations), row.cpu_us_per_call) for row in rows if row.name == "curve" and row.cpu_us_per_call]
    height, left, right, top, bottom = 300, 60, 20, 30, 44
    ticks_x = log_ticks([stations for stations, _ in points])
    ticks_y = linear_ticks(max((value for _, value in points), default=1.0) * 1.3)
    x = logarithmic(ticks_x[0], ticks_x[-1], left, _WIDTH - right)
    y = linear(0, ticks_y[-1], height - bottom, top)
    parts = [el("text", "µs CPU per CALL, closed loop of Heartbeat, one worker", x=left, y=16, font_weight="bold")]
    if points:
        middle = (max(value for _, value in points) + min(value for _, value in points)) / 2
        band = y(middle * 0.8) - y(middle * 1.2)
        parts.append(el("rect", x=left, y=y(middle * 1.2), width=_WIDTH - right - left, height=band, class_="band"))
    for tick in ticks_y:
        parts.append(el("line", x1=left, x2=_WIDTH - right, y1=y(tick), y2=y(tick), class_="grid"))
        parts.append(el("text", f"{tick:g}", x=left - 8, y=y(tick) + 4, text_anchor="end", class_="small"))
    parts += [
        el("text", f"{tick:,.0f}", x=x(tick), y=height - bottom + 18, text_anchor="middle", class_="small")
        for tick in ticks_x
    ]
    parts.append(el("text", "stations", x=_WIDTH / 2, y=height - 6, text_anchor="middle", class_="small"))
    parts.append(el("path", d=path([(x(stations), y(value)) for stations, value in points]), class_="line"))
    for stations, value in points:
        parts.append(el("circle", cx=x(stations), cy=y(value), r=4, class_="dot"))
        parts.append(el("text", f"{value:.1f}", x=x(stations), y=y(value) - 10, text_anchor="middle"))
    return _standalone(height, parts, "CPU per CALL over the number of stations")


def _standalone(height: float, parts: list[Markup], title: str) -> Markup:
    svg = drawing(_WIDTH, height, el("style", Markup(_STYLE)), *parts, title=title)  # noqa: S704 - a constant
    return Markup(str(svg).replace("<svg ", f'<svg xmlns="http://www.w3.org/2000/svg" width="{_WIDTH}" ', 1))  # noqa: S704


def page(result: Result) -> str:
    """Write everything as one page."""
    body = [str(speed_svg(result))] if any(row.messages for row in result.engines) else []
    if any(row.name == "curve" for row in result.scale):
        body.append(str(curve_svg(result.scale)))
    for grid in grids(result):
        head = "".join(f"<th>{html.escape(column)}</th>" for column in grid.columns)
        lines = "".join(
            "<tr>" + "".join(f"<td>{html.escape(cell)}</td>" for cell in row) + "</tr>" for row in grid.rows
        )
        notes = "".join(f"<p>{html.escape(note)}</p>" for note in grid.notes)
        body.append(f"<h2>{html.escape(grid.title)}</h2><table><tr>{head}</tr>{lines}</table>{notes}")
    for title, facts in (("Machine", result.machine), ("Method", result.method)):
        items = "".join(f"<li>{html.escape(name)}: {html.escape(fact)}</li>" for name, fact in facts.items())
        body.append(f"<h2>{title}</h2><ul>{items}</ul>")
    return (
        '<!doctype html><html lang="en"><meta charset="utf-8"><title>plugstorm bench</title>'
        f"<style>{_PAGE_STYLE}</style><h1>plugstorm bench</h1>{''.join(body)}</html>\n"
    )
