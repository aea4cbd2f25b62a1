"""The history as one page that needs no network: each target with its runs, figures, objectives and cases over time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from operator import attrgetter
from pathlib import Path
from typing import Final

import msgspec
from markupsafe import Markup

from evidence.run_folder import utc_now
from evidence.verdicts import RunVerdict, Verdict
from evidence.vocabulary import FROM_CSMS
from ocppj.errors import UsageError
from reports.charts import Figure, Series
from reports.history import (
    ActionHistory,
    ActionPoint,
    CaseHistory,
    History,
    KpiHistory,
    ObjectiveHistory,
    RunPoint,
    TargetHistory,
)
from reports.history_charts import Cell, run_chart, stacked_chart, strip
from reports.page import address_of, render_page
from reports.words import VERDICT_ORDER, count, number, percent, plural, when

__all__ = ["write_history"]

_MOST_TARGETS: Final = 40
_MOST_ACTIONS: Final = 12
_MOST_CASES: Final = 200
_MOST_LISTED: Final = 60
_MOST_CELLS: Final = 200
_LOOKS: Final = {
    RunVerdict.PASSED: "v-OK",
    RunVerdict.FAILED: "v-FAILED",
    RunVerdict.INCONCLUSIVE: "v-INCONCLUSIVE",
    RunVerdict.INVALID: "v-NOT_APPLICABLE",
}
_QUIET: Final = frozenset({Verdict.OK, Verdict.INFORMATIONAL, Verdict.NOT_APPLICABLE, Verdict.XFAIL})
"""Verdicts that need no row of their own as long as they stay."""
_STACK: Final = tuple(reversed(VERDICT_ORDER))


class RunRow(msgspec.Struct, frozen=True):
    """One run in the list of runs."""

    href: str
    folder: str
    label: str
    started: str
    verdict: str
    look: str
    note: str


class ActionView(msgspec.Struct, frozen=True):
    """One action with its three charts."""

    name: str
    says: str
    figures: tuple[Figure, ...]


class StripRow(msgspec.Struct, frozen=True, kw_only=True):
    """One objective or case, with a square for each run."""

    name: str
    title: str
    strip: Markup
    badge: str
    """Class of the style sheet."""
    word: str
    note: str


class TargetView(msgspec.Struct, frozen=True, kw_only=True):
    """One target, ready for the page."""

    anchor: str
    kind: str
    target: str
    about: str
    tone: str
    says: str
    strip: Markup
    kpis: tuple[Figure, ...]
    actions: tuple[ActionView, ...]
    objectives: tuple[StripRow, ...]
    verdicts: Figure | None
    cases: tuple[StripRow, ...]
    quiet: str
    """What the cases without a row have in common."""
    runs: tuple[RunRow, ...]


def write_history(history: History, page: Path) -> Path:
    """Write the page; raises `UsageError` where it cannot be written."""
    root = Path(history.folder)
    targets = [_view(one, number, root, page.parent) for number, one in enumerate(history.targets[:_MOST_TARGETS], 1)]
    text = render_page(
        "history.html.j2",
        targets=targets,
        says=_headline(history),
        left_out=max(len(history.targets) - _MOST_TARGETS, 0),
        unreadable=history.unreadable[:_MOST_LISTED],
        unread=len(history.unreadable),
        made=when(utc_now()),
    )
    try:
        page.parent.mkdir(parents=True, exist_ok=True)
        page.write_text(text, encoding="utf-8", errors="surrogatepass")
    except OSError as error:
        raise UsageError(f"{page} cannot be written: {error.strerror}; name another file with --out") from None
    return page


def _headline(history: History) -> str:
    if not history.targets:
        return f"{history.folder} holds no run yet."
    return f"{plural(history.runs, 'run')} of {plural(len(history.targets), 'test')} below {history.folder}."


def _view(one: TargetHistory, place: int, root: Path, base: Path) -> TargetView:
    runs = one.runs
    last = runs[-1]
    rows, quiet = _cases(one.cases, runs)
    return TargetView(
        anchor=f"test{place}",
        kind=one.kind,
        target=one.target,
        about=" · ".join(filter(None, (f"OCPP {one.ocpp}" if one.ocpp else "", one.workload))),
        tone={RunVerdict.PASSED: "good", RunVerdict.FAILED: "bad"}.get(last.verdict, "unknown"),
        says=_says(one),
        strip=strip("Verdicts of the runs", [_run_cell(run) for run in runs]),
        kpis=tuple(_kpi(kpi, runs) for kpi in one.kpis),
        actions=tuple(_action(action, runs, several="," in one.ocpp) for action in one.actions[:_MOST_ACTIONS]),
        objectives=tuple(_objective(objective, runs) for objective in one.objectives),
        verdicts=_verdicts(one) if one.cases else None,
        cases=rows,
        quiet=quiet,
        runs=tuple(_row(run, root, base) for run in reversed(runs[-_MOST_LISTED:])),
    )


def _says(one: TargetHistory) -> str:
    last = one.runs[-1]
    label = f", label {last.label}" if last.label else ""
    older = f" {plural(one.older, 'older run')} left out." if one.older else ""
    kept = sum(run.verdict is RunVerdict.PASSED for run in one.runs)
    return (
        f"The last run{label} {last.verdict} on {when(last.started)}. "
        f"{count(kept)} of {plural(len(one.runs), 'run')} passed.{older}"
    )


def _run_cell(run: RunPoint) -> Cell:
    note = f", load generator {run.generator}" if run.generator not in ("", "VALID") else ""
    return Cell(_LOOKS[run.verdict], f"{_name(run)}: {run.verdict}{note}")


def _name(run: RunPoint) -> str:
    return f"{run.label}, {when(run.started)}" if run.label else when(run.started)


def _row(run: RunPoint, root: Path, base: Path) -> RunRow:
    notes = ["interrupted"] if run.interrupted else []
    notes += [f"load generator {run.generator}"] if run.generator not in ("", "VALID") else []
    page = root / run.folder / "report.html"
    return RunRow(
        href=address_of(page, base) if page.exists() else "",
        folder=run.folder,
        label=run.label,
        started=when(run.started),
        verdict=run.verdict,
        look=_LOOKS[run.verdict],
        note=", ".join(notes),
    )


# -- load --------------------------------------------------------------------------------------------------------------


def _kpi(kpi: KpiHistory, runs: Sequence[RunPoint]) -> Figure:
    shares = kpi.unit == "share"
    latest = kpi.points[-1].value
    told = percent(latest) if shares else f"{number(latest)} {kpi.unit}".rstrip()
    line = Series(kpi.name, "s1", tuple((float(point.run), point.value) for point in kpi.points))
    return run_chart(kpi.name, f"Last: {told}", runs, [line], unit=kpi.unit, whole=shares)


def _action(action: ActionHistory, runs: Sequence[RunPoint], *, several: bool) -> ActionView:
    name = f"{action.ocpp} {action.action}" if several else action.action
    name += " (from the CSMS)" if action.direction == FROM_CSMS else ""
    figures = []
    for percentile in ("p50", "p99"):
        lines = [
            _line(f"{clock} {percentile}", look, action, attrgetter(f"{clock}_{percentile}"))
            for clock, look in (("response", "s1"), ("service", "s2"))
        ]
        figures.append(run_chart(f"{percentile}, ms", "", runs, [line for line in lines if line.points], unit="ms"))
    rate = _line("CALLs per second", "s3", action, attrgetter("per_s"))
    figures.append(run_chart("CALLs per second", "", runs, [rate], unit="1/s"))
    total = sum(point.count for point in action.points)
    return ActionView(name, f"{plural(total, 'CALL')} in {plural(len(action.points), 'run')}", tuple(figures))


def _line(name: str, look: str, action: ActionHistory, read: Callable[[ActionPoint], float | None]) -> Series:
    points = [(float(point.run), value) for point in action.points if (value := read(point)) is not None]
    return Series(name, look, tuple(points))


def _objective(objective: ObjectiveHistory, runs: Sequence[RunPoint]) -> StripRow:
    cells: list[Cell | None] = [None] * len(runs)
    for point in objective.points:
        look = "v-OK" if point.passed else "v-INCONCLUSIVE" if point.undecided else "v-FAILED"
        told = "no value" if point.value is None else f"{number(point.value)} {objective.unit}".rstrip()
        cells[point.run] = Cell(look, f"{_name(runs[point.run])}: {told}")
    last = objective.points[-1]
    kept = sum(point.passed for point in objective.points)
    return StripRow(
        name=objective.expr,
        title="",
        strip=strip(f"Objective {objective.expr}", cells[-_MOST_CELLS:]),
        badge="pass" if last.passed else "none" if last.undecided else "miss",
        word="met" if last.passed else "undecided" if last.undecided else "missed",
        note=f"met in {count(kept)} of {count(len(objective.points))}",
    )


# -- interop -----------------------------------------------------------------------------------------------------------


def _verdicts(one: TargetHistory) -> Figure:
    counts = [(verdict, one.verdicts[verdict]) for verdict in _STACK if any(one.verdicts.get(verdict, ()))]
    return stacked_chart("Cases by verdict", "", one.runs, counts)


def _cases(cases: Sequence[CaseHistory], runs: Sequence[RunPoint]) -> tuple[tuple[StripRow, ...], str]:
    """Give a row to each case that changed or needs attention, the bad ones first, and of those the latest change."""
    rows = []
    for case in cases:
        judged = [(place, verdict) for place, verdict in enumerate(case.verdicts) if verdict is not None]
        if not judged:
            continue
        since = _since(judged)
        if since == judged[0][0] and judged[-1][1] in _QUIET:
            continue
        row = _case_row(case, judged, since, runs, changed=since != judged[0][0])
        rows.append((judged[-1][1] not in _QUIET, since, row))
    rows.sort(key=lambda pair: pair[:2], reverse=True)
    quiet = len(cases) - len(rows)
    told = f"{plural(quiet, 'case')} had one verdict in all these runs, and need no attention." if quiet else ""
    if len(rows) > _MOST_CASES:
        told += f" {plural(len(rows) - _MOST_CASES, 'more case')} changed or need attention."
    return tuple(row for _, _, row in rows[:_MOST_CASES]), told.strip()


def _since(judged: Sequence[tuple[int, Verdict]]) -> int:
    """Return the run since which a case has the verdict that it has now."""
    since, now = judged[-1]
    for place, verdict in reversed(judged):
        if verdict is not now:
            break
        since = place
    return since


def _case_row(
    case: CaseHistory, judged: Sequence[tuple[int, Verdict]], since: int, runs: Sequence[RunPoint], *, changed: bool
) -> StripRow:
    now = judged[-1][1]
    cells: list[Cell | None] = [None] * len(runs)
    for place, verdict in judged:
        cells[place] = Cell(f"v-{verdict}", f"{_name(runs[place])}: {verdict.replace('_', ' ')}")
    before = next((verdict for place, verdict in reversed(judged) if place < since), None)
    said = f"since {_name(runs[since])}" if changed else "in all these runs"
    return StripRow(
        name=f"{case.ocpp} {case.id}",
        title=case.title,
        strip=strip(f"Case {case.ocpp} {case.id}", cells[-_MOST_CELLS:]),
        badge=f"v-{now}",
        word=now.replace("_", " "),
        note=f"{said}, {before.replace('_', ' ')} before" if before else said,
    )
