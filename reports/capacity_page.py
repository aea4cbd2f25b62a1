"""`capacity.html`: how much a CSMS holds, how much of its limits each load used, and what gave way."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

import msgspec

from evidence.capacity_model import ActionFlow, CapacityFinding, CapacityResult, Search, Trial, TrialWord
from evidence.run_folder import RunFolder
from reports.charts import Figure, Table
from reports.facts import facts
from reports.headline import Tone
from reports.knee import KneeView, LoadPoint, view_knee
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
_UNITS: Final[Mapping[Search, str]] = {"stations": "stations", "sessions": "sessions/s", "commands": "commands/s"}
_RATE_COLUMNS: Final = (("asked /s", True), ("achieved /s", True))
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
    confidence: tuple[str, ...]
    figure: Figure | None
    knee: KneeView | None
    flows: Table | None
    """How each action was answered in the run with the highest load that was held, and in the one above it."""
    columns: tuple[tuple[str, bool], ...]
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
            confidence=_confidence(finding),
            figure=_figure(result.trials, finding.search) if result.trials else None,
            knee=_knee(result.trials, finding.search),
            flows=_flows(result),
            columns=_COLUMNS if finding.search == "stations" else (*_COLUMNS[:2], *_RATE_COLUMNS, *_COLUMNS[2:]),
            rows=tuple(_row(number, trial) for number, trial in enumerate(result.trials, 1)),
            circumstances=(
                ("Plan", facts(msgspec.structs.asdict(result.plan))),
                ("Tool and libraries", facts(result.tool)),
                ("Environment", facts(result.environment)),
            ),
        ),
    )


def _headline(finding: CapacityFinding) -> tuple[Tone, str]:
    if finding.limit not in ("csms", "maximum"):
        return Tone.UNKNOWN, "No conclusion"
    if finding.search == "stations":
        return (Tone.GOOD, plural(finding.stations, "station")) if finding.stations else (Tone.BAD, "No fleet was held")
    held = f"{number(finding.held)} {_UNITS[finding.search]}"
    return (Tone.GOOD, held) if finding.held else (Tone.BAD, f"No rate of {finding.search} was held")


def _confidence(finding: CapacityFinding) -> tuple[str, ...]:
    """Write how sure both sides of the bracket are, and what gave way."""
    if not finding.of:
        return ()
    unit = _UNITS[finding.search]
    held = plural(finding.stations, "station") if finding.search == "stations" else f"{number(finding.held)} {unit}"
    said = [f"{count(finding.kept)} of {plural(finding.of, 'run')} with {held} kept every objective."]
    if finding.missed is not None and finding.missed_of:
        said.append(
            f"{count(finding.missed_in)} of {plural(finding.missed_of, 'run')} with {number(finding.missed)} {unit} "
            f"did not, so the limit lies between {number(finding.held)} and {number(finding.missed)} {unit}."
        )
    return (*said, f"{finding.gave_way}.") if finding.gave_way else tuple(said)


def _load(trial: Trial) -> float:
    return float(trial.stations) if trial.rate is None else trial.rate


def _knee(trials: Sequence[Trial], search: Search) -> KneeView | None:
    points = [
        LoadPoint(load=_load(trial), per_s=trial.calls_per_s, latency_ms=trial.p99_ms)
        for trial in trials
        if trial.word != "generator" and trial.p99_ms is not None
    ]
    return view_knee(points, unit=_UNITS[search], latency="p99 of the slowest action") if points else None


def _flows(result: CapacityResult) -> Table | None:
    finding = result.finding
    held = next((one for one in result.trials if one.word == "kept" and _load(one) == finding.held and one.flows), None)
    missed = next(
        (one for one in result.trials if one.word == "missed" and one.flows and _load(one) == finding.missed), None
    )
    if held is None or missed is None:
        return None
    unit = _UNITS[finding.search]
    below = {flow.action: flow for flow in held.flows}
    columns = [
        f"{name}, {number(load)} {unit}"
        for load in (_load(held), _load(missed))
        for name in ("answers/s", "mean time", "waiting, first third", "last third")
    ]
    rows = [(flow.action, *_cells(below.get(flow.action)), *_cells(flow)) for flow in missed.flows]
    return Table(("action", *columns), tuple(rows))


def _cells(flow: ActionFlow | None) -> tuple[str, ...]:
    if flow is None:
        return ("–",) * 4
    return number(flow.per_s), milliseconds(flow.service_ms), number(flow.queue_first), number(flow.queue_last)


def _row(place: int, trial: Trial) -> TrialRow:
    word, look = _LOOKS[trial.word]
    unjudged = trial.word == "generator"
    rates = (
        () if trial.rate is None else (number(trial.rate), "–" if trial.achieved is None else number(trial.achieved))
    )
    return TrialRow(
        number=place,
        href=address_of(Path(trial.folder) / "report.html", Path()) if trial.folder else "",
        word=word,
        look=look,
        figures=(
            *rates,
            count(trial.stations),
            number(trial.calls_per_s),
            number(trial.failed_per_s),
            milliseconds(trial.p50_ms),
            milliseconds(trial.p99_ms),
            percent(trial.strain),
        ),
        reasons=(f"load generator {trial.generator}", *trial.reasons) if unjudged else (*trial.missed, *trial.notes),
    )


def _figure(trials: Sequence[Trial], search: Search) -> Figure:
    """Draw the load against the strain of the most strained objective."""
    unit = _UNITS[search]
    loads = linear_ticks(max(_load(trial) for trial in trials))
    used = max([_LEAST_STRAIN, *(min(trial.strain, _MOST_STRAIN) for trial in trials)])
    shares = linear_ticks(used)
    x = linear(0, loads[-1], _LEFT, _WIDTH - _RIGHT)
    y = linear(0, shares[-1], _HEIGHT - _BOTTOM, _TOP)
    parts = []
    for tick in shares:
        parts.append(el("line", x1=_LEFT, x2=_WIDTH - _RIGHT, y1=y(tick), y2=y(tick), class_="grid"))
        parts.append(el("text", percent(tick), x=_LEFT - 8, y=y(tick) + 4, class_="tick", text_anchor="end"))
    parts += [
        el("text", number(tick), x=x(tick), y=_HEIGHT - _BOTTOM + 18, class_="tick", text_anchor="middle")
        for tick in loads
    ]
    middle = (_LEFT + _WIDTH - _RIGHT) / 2
    parts.append(el("text", unit, x=middle, y=_HEIGHT - 8, class_="tick", text_anchor="middle"))
    parts.append(el("line", x1=_LEFT, x2=_WIDTH - _RIGHT, y1=y(1), y2=y(1), class_="line dashed bad"))
    parts.append(el("text", "limit", x=_WIDTH - _RIGHT, y=y(1) - 6, class_="tick", text_anchor="end"))
    for trial in trials:
        word, look = _LOOKS[trial.word]
        tip = el("title", f"{number(_load(trial))} {unit}: {word}, {percent(trial.strain)} of the limit")
        place = y(min(trial.strain, used))
        parts.append(el("circle", tip, cx=x(_load(trial)), cy=place, r=5.0, class_=f"trial {look}"))
    present = dict.fromkeys(trial.word for trial in trials)
    return Figure(
        title=f"Most strained objective by {unit}",
        says="Each dot is a run. Below the line it kept every objective; what lies far above stands at the top edge.",
        svg=drawing(_WIDTH, _HEIGHT, *parts, title=f"Use of the limit by {unit}", class_="chart wide"),
        legend=tuple((f"trial {_LOOKS[word][1]}", _LOOKS[word][0]) for word in present),
        table=Table(
            ("run", unit, "limit used"),
            tuple(
                (f"run {place}", number(_load(trial)), percent(trial.strain)) for place, trial in enumerate(trials, 1)
            ),
        ),
    )
