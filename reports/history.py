"""The history of each target: what the runs of an index say, run by run, as `plugstorm history --json` writes it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import msgspec

from evidence.verdicts import RunVerdict, Verdict
from reports.history_index import HistoryIndex, IndexedRun, Unreadable

__all__ = [
    "ActionHistory",
    "ActionPoint",
    "CaseHistory",
    "History",
    "KpiHistory",
    "ObjectiveHistory",
    "ObjectivePoint",
    "RunPoint",
    "TargetHistory",
    "ValuePoint",
    "history_of",
]


class RunPoint(msgspec.Struct, frozen=True, kw_only=True):
    """One run on the axis of time."""

    folder: str
    """As seen from the folder of the history."""
    label: str
    started: str
    verdict: RunVerdict
    interrupted: bool
    generator: str
    """The load generator's verdict on itself; empty for an interop run."""


class ActionPoint(msgspec.Struct, frozen=True, kw_only=True):
    """One action in one run, within the window that is judged; latencies in ms."""

    run: int
    """Place of the run in `runs`; so it is in every point."""
    count: int
    per_s: float | None
    service_p50: float | None
    service_p99: float | None
    response_p50: float | None
    response_p99: float | None


class ActionHistory(msgspec.Struct, frozen=True, kw_only=True):
    """One action over time."""

    ocpp: str
    action: str
    direction: str
    points: list[ActionPoint]


class ObjectivePoint(msgspec.Struct, frozen=True, kw_only=True):
    """One objective in one run."""

    run: int
    value: float | None
    passed: bool
    undecided: bool


class ObjectiveHistory(msgspec.Struct, frozen=True, kw_only=True):
    """One objective over time."""

    expr: str
    unit: str
    points: list[ObjectivePoint]


class ValuePoint(msgspec.Struct, frozen=True, kw_only=True):
    """One figure in one run."""

    run: int
    value: float


class KpiHistory(msgspec.Struct, frozen=True, kw_only=True):
    """One figure of whole runs over time."""

    name: str
    unit: str
    points: list[ValuePoint]


class CaseHistory(msgspec.Struct, frozen=True, kw_only=True):
    """One case over time; one verdict for each run, None where the run did not hold the case."""

    ocpp: str
    id: str
    title: str
    verdicts: list[Verdict | None]


class TargetHistory(msgspec.Struct, frozen=True, kw_only=True):
    """The runs of one kind against one target in its versions; load runs also of one workload."""

    kind: Literal["interop", "load"]
    target: str
    ocpp: str
    workload: str
    """Profile, stations and length of the load runs; empty for interop runs."""
    runs: list[RunPoint]
    """The oldest first."""
    older: int
    """Runs that came before these and are left out."""
    actions: list[ActionHistory] = []
    objectives: list[ObjectiveHistory] = []
    kpis: list[KpiHistory] = []
    verdicts: dict[Verdict, list[int]] = {}
    """How many cases of each run had a verdict; of interop runs."""
    cases: list[CaseHistory] = []


class History(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that an index knows, or its newest part."""

    folder: str
    runs: int
    """In the index."""
    targets: list[TargetHistory]
    """Those with the newest runs first."""
    unreadable: list[Unreadable]


def history_of(index: HistoryIndex, *, last: int) -> History:
    """Read an index; of each target the last runs."""
    groups: dict[tuple[str, ...], list[IndexedRun]] = {}
    runs = index.runs()
    for run in runs:
        groups.setdefault((run.kind, run.target, run.ocpp, run.workload), []).append(run)
    newest_first = sorted(groups.values(), key=lambda group: group[-1].started, reverse=True)
    return History(
        folder=str(index.root),
        runs=len(runs),
        targets=[_target(index, group[-last:], older=max(len(group) - last, 0)) for group in newest_first],
        unreadable=index.unreadable(),
    )


def _target(index: HistoryIndex, runs: list[IndexedRun], *, older: int) -> TargetHistory:
    first = runs[0]
    common: dict[str, Any] = {
        "kind": first.kind,
        "target": first.target,
        "ocpp": first.ocpp,
        "workload": first.workload,
        "older": older,
        "runs": [
            RunPoint(
                folder=run.folder,
                label=run.label,
                started=run.started,
                verdict=run.verdict,
                interrupted=run.interrupted,
                generator=run.generator,
            )
            for run in runs
        ],
    }
    if first.kind == "interop":
        cases = _cases(index, runs)
        return TargetHistory(**common, verdicts=_verdicts(cases, len(runs)), cases=cases)
    return TargetHistory(
        **common, actions=_actions(index, runs), objectives=_objectives(index, runs), kpis=_kpis(index, runs)
    )


def _actions(index: HistoryIndex, runs: list[IndexedRun]) -> list[ActionHistory]:
    found: dict[tuple[Any, ...], list[ActionPoint]] = {}
    columns = "ocpp, action, direction, amount, per_s, service_p50, service_p99, response_p50, response_p99"
    for run, (ocpp, action, direction, amount, per_s, *latencies) in index.select(columns, "actions", runs):
        point = dict(zip(("service_p50", "service_p99", "response_p50", "response_p99"), latencies, strict=True))
        found.setdefault((ocpp, action, direction), []).append(
            msgspec.convert({"run": run, "count": amount, "per_s": per_s, **point}, ActionPoint)
        )
    ordered = sorted(found.items(), key=lambda pair: -sum(point.count for point in pair[1]))
    return [
        ActionHistory(ocpp=ocpp, action=action, direction=direction, points=_in_order(points))
        for (ocpp, action, direction), points in ordered
    ]


def _objectives(index: HistoryIndex, runs: list[IndexedRun]) -> list[ObjectiveHistory]:
    found: dict[tuple[Any, ...], list[ObjectivePoint]] = {}
    for run, (expr, unit, value, passed, undecided) in index.select(
        "expr, unit, value, passed, undecided", "objectives", runs
    ):
        point = {"run": run, "value": value, "passed": bool(passed), "undecided": bool(undecided)}
        found.setdefault((expr, unit), []).append(msgspec.convert(point, ObjectivePoint))
    return [ObjectiveHistory(expr=expr, unit=unit, points=_in_order(points)) for (expr, unit), points in found.items()]


def _kpis(index: HistoryIndex, runs: list[IndexedRun]) -> list[KpiHistory]:
    found: dict[tuple[Any, ...], list[ValuePoint]] = {}
    for run, (name, unit, value) in index.select("name, unit, value", "kpis", runs):
        found.setdefault((name, unit), []).append(msgspec.convert({"run": run, "value": value}, ValuePoint))
    return [KpiHistory(name=name, unit=unit, points=_in_order(points)) for (name, unit), points in found.items()]


def _cases(index: HistoryIndex, runs: list[IndexedRun]) -> list[CaseHistory]:
    found: dict[tuple[Any, ...], list[Verdict | None]] = {}
    table = "judged JOIN cases ON cases.id = judged.place"
    for run, (ocpp, name, title, verdict) in index.select("ocpp, name, title, verdict", table, runs):
        verdicts = found.setdefault((ocpp, name, title), [None] * len(runs))
        verdicts[run] = msgspec.convert(verdict, Verdict)
    return [
        CaseHistory(ocpp=ocpp, id=name, title=title, verdicts=verdicts)
        for (ocpp, name, title), verdicts in sorted(found.items())
    ]


def _verdicts(cases: Sequence[CaseHistory], runs: int) -> dict[Verdict, list[int]]:
    counts: dict[Verdict, list[int]] = {verdict: [0] * runs for verdict in Verdict}
    for case in cases:
        for run, verdict in enumerate(case.verdicts):
            if verdict is not None:
                counts[verdict][run] += 1
    return counts


def _in_order(points: list[Any]) -> list[Any]:
    return sorted(points, key=lambda point: point.run)
