"""Which runs of the history new ones are compared with: the latest, those with a label, the best of the last few.

Runs that carry the same label one after the other are one release. Runs without a label are taken in the groups in
which the new ones come: five new ones are compared with five old ones.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from itertools import groupby
from pathlib import Path
from statistics import median
from typing import Final, Literal

import msgspec

from evidence.verdicts import RunVerdict
from ocppj.errors import InconclusiveError, UsageError
from reports.history_index import HistoryIndex, IndexedRun
from reports.words import plural

__all__ = ["Baseline", "Chosen", "choose", "newest", "read_baseline"]

_MOST: Final = 30
"""Runs of a base; of a release that has more, the newest count."""
_USABLE: Final = (RunVerdict.PASSED, RunVerdict.FAILED)


class Baseline(msgspec.Struct, frozen=True):
    """What was asked for."""

    kind: Literal["latest", "tag", "best-of"]
    label: str = ""
    releases: int = 1
    """Among how many the best one is looked for."""


class Chosen(msgspec.Struct, frozen=True):
    """The runs of the base."""

    folders: tuple[Path, ...]
    tries: int
    """Among how many releases it was chosen by its figures."""


def read_baseline(text: str) -> Baseline:
    """Read `latest`, `tag:LABEL` or `best-of:N`; raises `UsageError`."""
    kind, _, rest = text.partition(":")
    if text == "latest":
        return Baseline("latest")
    if kind == "tag" and rest:
        return Baseline("tag", label=rest)
    if kind == "best-of" and rest.isdecimal() and int(rest) > 0:
        return Baseline("best-of", releases=int(rest))
    raise UsageError(f"--baseline {text} is not known; write latest, tag:LABEL or best-of:N, as in best-of:5")


def newest(index: HistoryIndex) -> list[Path]:
    """Return the newest release of the index; raises `InconclusiveError` where there is none."""
    runs = index.runs()
    if not runs:
        raise InconclusiveError(f"{index.root} holds no run; name the new runs, or another folder with --runs")
    last = runs[-1]
    same = [run for run in runs if run.settings == last.settings and run.kind == last.kind]
    return [index.root / run.folder for run in _releases(same, size=1)[-1]]


def choose(index: HistoryIndex, baseline: Baseline, news: Sequence[IndexedRun], *, leave: Collection[str]) -> Chosen:
    """Choose among the runs that came before the new ones, and were asked for the same.

    `leave` are folders of the new runs. Raises `InconclusiveError` where the history holds no such run.
    """
    first = min(run.started for run in news)
    sample = news[0]
    others = [run for run in index.runs() if run.folder not in leave and run.kind == sample.kind]
    before = [
        run
        for run in others
        if run.started <= first and run.settings == sample.settings and run.verdict in _USABLE and not run.interrupted
    ]
    if not before:
        raise InconclusiveError(_nothing(index, others, sample))
    releases = _releases(before, size=len(news))
    match baseline.kind:
        case "tag":
            chosen = [run for run in before if run.label == baseline.label]
            if not chosen:
                labels = [label for label in dict.fromkeys(run.label for run in reversed(before)) if label]
                known = f"the last ones are {', '.join(labels[:5])}" if labels else "no run has one"
                raise InconclusiveError(f"No usable run before the new ones has the label {baseline.label}; {known}")
        case "latest":
            chosen = releases[-1]
        case "best-of":
            releases = releases[-baseline.releases :]
            chosen = min(releases, key=lambda runs: _slowness(index, runs))
    tries = len(releases) if baseline.kind == "best-of" else 1
    return Chosen(tuple(index.root / run.folder for run in chosen[-_MOST:]), tries)


def _nothing(index: HistoryIndex, others: Sequence[IndexedRun], sample: IndexedRun) -> str:
    where = f"{index.root} holds no earlier {sample.kind} run"
    like = [run for run in others if run.target == sample.target and run.ocpp == sample.ocpp]
    if not like:
        elsewhere = f", and {plural(len(others), 'run')} of other targets" if others else ""
        return f"There is no base yet: {where} of {sample.target}{elsewhere}"
    return (
        f"There is no base: {where} of {sample.target} that was asked for the same and has a verdict; "
        f"{plural(len(like), 'run')} differ in settings or have none"
    )


def _releases(runs: Sequence[IndexedRun], *, size: int) -> list[list[IndexedRun]]:
    """Group runs that are sorted by time; those without a label in groups of `size`, counted from the newest."""
    found: list[list[IndexedRun]] = []
    for label, same in groupby(runs, key=lambda run: run.label):
        members = list(same)
        if label:
            found.append(members)
            continue
        over = len(members) % size
        found += [members[:over]] if over else []
        found += [members[start : start + size] for start in range(over, len(members), size)]
    return found


def _slowness(index: HistoryIndex, runs: Sequence[IndexedRun]) -> float:
    """Return the mean of the logarithms of the median latencies by action; for interop runs, how much FAILED."""
    if runs[0].kind == "interop":
        failed = index.select("verdict", "judged", list(runs))
        return sum(row == ("FAILED",) for _, row in failed) / len(runs)
    by_action: dict[object, list[float]] = {}
    for _, (name, value) in index.select("ocpp || ' ' || action || direction, service_p50", "actions", list(runs)):
        if isinstance(value, float) and value > 0:
            by_action.setdefault(name, []).append(math.log(value))
    middles = [median(values) for values in by_action.values()]
    return math.fsum(middles) / len(middles) if middles else math.inf
