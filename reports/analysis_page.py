"""One offline page of an analysis: what was found, where in time, and the frames around it."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import msgspec
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from analysis.findings_model import Analysis, Judged, StationFigures
from analysis.safe_frames import safe_frame
from evidence.visible import visible
from ocppj.errors import UsageError
from ocppj.trace import wall_clock
from reports.analysis_text import frame_rows, headline
from reports.finding_sequence import finding_svg
from reports.words import plural

__all__ = ["write_page"]

_STATIONS: Final = 60
_FINDINGS: Final = 400
_WIDTH: Final = 1000.0
_LEAST_BAR: Final = 1.5
_LEAST_DATE: Final = 86_400.0 * 366
_TEMPLATES: Final = Path(__file__).parent / "templates"


class Bar(msgspec.Struct, frozen=True):
    """A connection on the time line, in units of its width."""

    x: float
    width: float


class Tick(msgspec.Struct, frozen=True):
    """A finding on the time line."""

    x: float
    side: str
    anchor: str
    title: str


class Line(msgspec.Struct, frozen=True):
    """The time line of one station."""

    figures: StationFigures
    bars: list[Bar]
    ticks: list[Tick]
    total: int


def write_page(path: Path, analysis: Analysis) -> None:
    """Write the page; raises `UsageError` where the file cannot be written."""
    environment = Environment(
        loader=FileSystemLoader(_TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=lambda value: visible(value) if type(value) is str else value,
    )
    shown = analysis.findings[:_FINDINGS]
    page = environment.get_template("analysis.html.j2").render(
        headline=headline(analysis),
        analysis=analysis,
        findings=list(enumerate(shown)),
        more=sum(sum(rules.values()) for rules in analysis.counts.values()) - len(shown),
        lines=_lines(analysis, shown),
        first=_when(_edges(analysis)[0]),
        last=_when(_edges(analysis)[1]),
        rows=frame_rows,
        safe=safe_frame,
        drawn=finding_svg,
        counted=plural,
        when=_when,
    )
    try:
        path.write_text(page, "utf-8")
    except OSError as error:
        raise UsageError(f"{path} cannot be written: {error.strerror}") from None


def _edges(analysis: Analysis) -> tuple[float, float]:
    first = min((one.first for one in analysis.stations if one.first is not None), default=0.0)
    last = max((one.last for one in analysis.stations if one.last is not None), default=first)
    return first, last


def _lines(analysis: Analysis, shown: list[Judged]) -> list[Line]:
    """Draw the stations with most findings; one without any says nothing."""
    first, last = _edges(analysis)
    span = max(last - first, 1e-9)

    def place(at: float) -> float:
        return min(max((at - first) / span, 0.0), 1.0) * _WIDTH

    ticks: dict[str, list[Tick]] = {}
    for number, finding in enumerate(shown):
        if finding.at is not None:
            tick = Tick(place(finding.at), finding.side, f"f{number}", f"{finding.rule}: {finding.detail}")
            ticks.setdefault(finding.station, []).append(tick)
    stations = sorted(analysis.stations, key=lambda one: (-sum(one.findings.values()), one.station))[:_STATIONS]
    return [
        Line(
            one,
            [Bar(place(start), max(place(end) - place(start), _LEAST_BAR)) for start, end in one.spans],
            ticks.get(one.station, []),
            sum(one.findings.values()),
        )
        for one in stations
    ]


def _when(at: float | None) -> str:
    if at is None:
        return ""
    return wall_clock(at).replace("T", " ") if at > _LEAST_DATE else f"{at:.3f} s"
