"""`capacity.html`: how many stations a CSMS holds, and how much of its limits each fleet used."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

import msgspec

from evidence.capacity_model import CapacityFinding, CapacityResult, Trial, TrialWord
from evidence.run_folder import RunFolder
from reports.charts import Figure, Table
from reports.facts import facts
from reports.headline import Tone
from reports.page import address_of, render_page
from reports.svg import drawing, el, linear, linear_ticks
from reports.words import count, milliseconds, number, percent, plural

__all__ = ["TrialRow", "render_capacity", "write_capacity_page"]

_WIDTH: Final = 940.0
_HEIGHT: Final = 340.0
_LEFT, _RIGHT, _TOP, _BOTTOM = 60.0, 20.0, 20.0, 48.0
_MOST_STRAIN: Final = 3.0
"""What lies above is drawn at the edge."""
_LEAST_STRAIN: Final = 1.2
"""The axis reaches this far at least, so that the limit is on it."""

_LOOKS: Final[Mapping[TrialWord, tuple[str, str]]] = {
    "kept": ("met", "pass"),
    "missed": ("missed", "miss"),
    "generator": ("not judged", "unjudged"),
}
"""Word and class of the style sheet."""
_COLUMNS: Final = (
    ("run", False),
    ("result", False),
    ("stations", True),
    ("CALL/s", True),
    ("failed/s", True),
    ("slowest p50", True),
    ("slowest p99", True),
    ("limit used", True),
    ("reason", False),
)


class TrialRow(msgspec.Struct, frozen=True, kw_only=True):
    """One run of the search, ready to be shown."""

    number: int
    href: str
    word: str
    look: str
    figures: tuple[str, ...]
    reasons: tuple[str, ...]


class CapacityView(msgspec.Struct, frozen=True, kw_only=True):
    """A whole search, ready to be shown."""

    result: CapacityResult
    tone: Tone
    word: str
    sentence: str
    confidence: str
    figure: Figure | None
    columns: tuple[tuple[str, bool], ...] = _COLUMNS
    """Each with whether it holds numbers."""
    rows: tuple[TrialRow, ...]
    circumstances: tuple[tuple[str, tuple[tuple[str, str], ...]], ...]


def write_capacity_page(folder: Path, result: CapacityResult) -> Path:
    """Write `capacity.html` into the folder of a search; raises `UsageError` when the disk refuses."""
    RunFolder(folder).write_text("capacity.html", render_capacity(result))
    return folder / "capacity.html"


def render_capacity(result: CapacityResult) -> str:
    """Render the page; its links start from the folder of the search."""
    finding = result.finding
    tone, word = _headline(finding)
    return render_page(
        "capacity.html.j2",
        view=CapacityView(
            result=result,
            tone=tone,
            word=word,
            sentence=f"{finding.sentence[:1].upper()}{finding.sentence[1:]}",
            confidence=f"{count(finding.kept)} of {plural(finding.of, 'run')} with "
            f"{plural(finding.stations, 'station')} kept every objective.",
            figure=_figure(result.trials) if result.trials else None,
            rows=tuple(_row(number, trial) for number, trial in enumerate(result.trials, 1)),
            circumstances=(
                ("Plan", facts(msgspec.structs.asdict(result.plan))),
                ("Tool and libraries", facts(result.tool)),
                ("Environment", facts(result.environment)),
            ),
        ),
    )


def _headline(finding: CapacityFinding) -> tuple[Tone, str]:
    if finding.limit in ("csms", "maximum"):
        held = plural(finding.stations, "station")
        return (Tone.GOOD, held) if finding.stations else (Tone.BAD, "No fleet was held")
    return Tone.UNKNOWN, "No conclusion"


def _row(place: int, trial: Trial) -> TrialRow:
    word, look = _LOOKS[trial.word]
    unjudged = trial.word == "generator"
    return TrialRow(
        number=place,
        href=address_of(Path(trial.folder) / "report.html", Path()) if trial.folder else "",
        word=word,
        look=look,
        figures=(
            count(trial.stations),
            number(trial.calls_per_s),
            number(trial.failed_per_s),
            milliseconds(trial.p50_ms),
            milliseconds(trial.p99_ms),
            percent(trial.strain),
        ),
        reasons=(f"load generator {trial.generator}", *trial.reasons) if unjudged else tuple(trial.missed),
    )


def _figure(trials: Sequence[Trial]) -> Figure:
    """Draw stations against the strain of the most strained objective."""
    stations = linear_ticks(float(max(trial.stations for trial in trials)))
    used = max([_LEAST_STRAIN, *(min(trial.strain, _MOST_STRAIN) for trial in trials)])
    shares = linear_ticks(used)
    x = linear(0, stations[-1], _LEFT, _WIDTH - _RIGHT)
    y = linear(0, shares[-1], _HEIGHT - _BOTTOM, _TOP)
    parts = []
    for tick in shares:
        parts.append(el("line", x1=_LEFT, x2=_WIDTH - _RIGHT, y1=y(tick), y2=y(tick), class_="grid"))
        parts.append(el("text", percent(tick), x=_LEFT - 8, y=y(tick) + 4, class_="tick", text_anchor="end"))
    parts += [
        el("text", count(tick), x=x(tick), y=_HEIGHT - _BOTTOM + 18, class_="tick", text_anchor="middle")
        for tick in stations
    ]
    middle = (_LEFT + _WIDTH - _RIGHT) / 2
    parts.append(el("text", "stations", x=middle, y=_HEIGHT - 8, class_="tick", text_anchor="middle"))
    parts.append(el("line", x1=_LEFT, x2=_WIDTH - _RIGHT, y1=y(1), y2=y(1), class_="line dashed bad"))
    parts.append(el("text", "limit", x=_WIDTH - _RIGHT, y=y(1) - 6, class_="tick", text_anchor="end"))
    for trial in trials:
        word, look = _LOOKS[trial.word]
        tip = el("title", f"{plural(trial.stations, 'station')}: {word}, {percent(trial.strain)} of the limit")
        place = y(min(trial.strain, used))
        parts.append(el("circle", tip, cx=x(trial.stations), cy=place, r=5.0, class_=f"trial {look}"))
    present = dict.fromkeys(trial.word for trial in trials)
    return Figure(
        title="Most strained objective by number of stations",
        says="Each dot is a run. Below the line it kept every objective; what lies far above stands at the top edge.",
        svg=drawing(_WIDTH, _HEIGHT, *parts, title="Use of the limit by number of stations", class_="chart wide"),
        legend=tuple((f"trial {_LOOKS[word][1]}", _LOOKS[word][0]) for word in present),
        table=Table(
            ("run", "stations", "limit used"),
            tuple(
                (f"run {place}", count(trial.stations), percent(trial.strain)) for place, trial in enumerate(trials, 1)
            ),
        ),
    )
