"""Throughput and latency against load: where a CSMS stops keeping up, and the two charts that show it.

The knee is the smallest load from which on calls wait clearly longer than they did at the lowest loads.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from statistics import median
from typing import Final

import msgspec

from evidence.histogram import Histogram
from evidence.run_model import LoadRun
from evidence.vocabulary import COOL_DOWN, TO_CSMS
from reports.charts import Figure, Mark, Series, time_chart
from reports.histograms import Histograms, merge
from reports.words import milliseconds, number

__all__ = ["KneeView", "LoadPoint", "find_knee", "knee_of", "view_knee"]

_MOST_BINS: Final = 16
_LEAST_BINS: Final = 4
_CALM: Final = 0.4
"""Loads up to this share of the highest tell how long calls wait when nothing is the matter."""
_SLOWER: Final = 2.0
_SLOWER_MS: Final = 20.0
_FLAT: Final = 1.15
"""Throughput that grows by less than this factor has stopped growing, where the load grows by more."""
_STAYS: Final = 0.75
"""Share of the higher loads that must be slow, too."""
_SETTLED: Final = 0.95


class LoadPoint(msgspec.Struct, frozen=True, kw_only=True):
    """What a CSMS did at one load."""

    load: float
    per_s: float
    """Calls."""
    latency_ms: float


class Knee(msgspec.Struct, frozen=True, kw_only=True):
    """Where a CSMS stops keeping up."""

    load: float
    is_flat: bool
    """Whether more load brings no more calls from there on."""
    per_s: float
    before_ms: float
    after_ms: float


class KneeView(msgspec.Struct, frozen=True, kw_only=True):
    """Both charts, and what they show in a sentence."""

    says: str
    figures: tuple[Figure, ...]


def find_knee(points: Sequence[LoadPoint]) -> Knee | None:
    """Return the knee; None where none is seen, or where the loads are too few to see one."""
    bins = _bins(points)
    if len(bins) < _LEAST_BINS:
        return None
    calm = [one for one in bins if one.load <= _CALM * bins[-1].load] or bins[:1]
    usual = median(one.latency_ms for one in calm)
    slow = [one.latency_ms > max(usual * _SLOWER, usual + _SLOWER_MS) for one in bins]
    for index, one in enumerate(bins):
        rest = slow[index:]
        if slow[index] and sum(rest) >= _STAYS * len(rest):
            later = bins[index:]
            # One slow load at the end may be chance.
            if len(later) < 2 and one.latency_ms < usual * _SLOWER**2:  # noqa: PLR2004 - one point is no trend
                return None
            return Knee(
                load=one.load,
                is_flat=len(later) > 1 and max(part.per_s for part in later) < one.per_s * _FLAT,
                per_s=median(part.per_s for part in later),
                before_ms=usual,
                after_ms=max(part.latency_ms for part in later),
            )
    return None


def _bins(points: Sequence[LoadPoint]) -> list[LoadPoint]:
    """Join points of nearly the same load, in the order of the loads."""
    most = max((one.load for one in points), default=0.0)
    if most <= 0:
        return []
    found: dict[int, list[LoadPoint]] = {}
    for one in points:
        if one.load > 0:
            found.setdefault(min(int(one.load / most * _MOST_BINS), _MOST_BINS - 1), []).append(one)
    return [
        LoadPoint(
            load=sum(one.load for one in group) / len(group),
            per_s=sum(one.per_s for one in group) / len(group),
            latency_ms=median(one.latency_ms for one in group),
        )
        for _, group in sorted(found.items())
    ]


def knee_of(run: LoadRun, histograms: Histograms) -> KneeView | None:
    """Draw a run with stages, up to its highest load; None for every other run."""
    if not run.stages:
        return None
    points = _points_of(run, histograms)
    return view_knee(points, unit="stations", latency="response p95") if points else None


def _points_of(run: LoadRun, histograms: Histograms) -> list[LoadPoint]:
    goodbye = min((window.start for window in run.windows if window.name == COOL_DOWN), default=float("inf"))
    most = max((row.get("booted", 0.0) for row in run.timeline), default=0.0)
    # What comes after the highest load shows how a CSMS recovers, and not where it gives way.
    last = max((row["t"] for row in run.timeline if row.get("booted", 0.0) >= _SETTLED * most), default=0.0)
    responses: dict[float, list[Histogram]] = {}
    for tag, parts in histograms.series.items():
        if tag.direction == TO_CSMS and tag.kind == "response":
            for part in parts:
                responses.setdefault(part.start, []).append(part.histogram)
    starts = sorted(responses)
    rows: dict[float, list[dict[str, float]]] = {}
    for row in run.timeline:
        if starts and starts[0] <= row["t"] <= last and row["t"] < goodbye:
            rows.setdefault(starts[bisect_right(starts, row["t"]) - 1], []).append(row)
    found = []
    for start, seconds in sorted(rows.items()):
        found.append(
            LoadPoint(
                load=sum(row.get("booted", 0.0) for row in seconds) / len(seconds),
                per_s=sum(row.get("calls", 0.0) for row in seconds) / len(seconds),
                latency_ms=merge(responses[start]).percentile(95) / 1000,
            )
        )
    return found


def view_knee(points: Sequence[LoadPoint], *, unit: str, latency: str) -> KneeView:
    """Draw points of any order; `unit` is what the load is counted in, `latency` what the latency is called."""
    bins, knee = _bins(points), find_knee(points)
    marks = [] if knee is None else [Mark("knee", knee.load)]
    charts = (
        ("Throughput against load", "Calls per second.", "calls", "s1", "per second", [one.per_s for one in bins]),
        ("Latency against load", f"{latency} of all calls.", latency, "s4", "ms", [one.latency_ms for one in bins]),
    )
    return KneeView(
        says=_sentence(bins, knee, unit),
        figures=tuple(
            time_chart(
                title,
                says,
                [Series(name, look, tuple((one.load, value) for one, value in zip(bins, values, strict=True)))],
                unit=shown,
                marks=marks,
                axis=unit,
                along=unit,
            )
            for title, says, name, look, shown, values in charts
        ),
    )


def _sentence(bins: Sequence[LoadPoint], knee: Knee | None, unit: str) -> str:
    if len(bins) < _LEAST_BINS:
        return f"There are too few different loads to see a knee; it takes {_LEAST_BINS}."
    top = number(bins[-1].load)
    if knee is None:
        return (
            f"No knee was seen up to {top} {unit}: calls wait hardly longer than at the lowest loads "
            f"({milliseconds(bins[0].latency_ms)}, then {milliseconds(bins[-1].latency_ms)})."
        )
    start = f"The knee is near {number(knee.load)} {unit}: from there on the latency grows from "
    grows = f"{milliseconds(knee.before_ms)} to {milliseconds(knee.after_ms)}"
    flat = f", and the throughput stays near {number(knee.per_s)} calls per second" if knee.is_flat else ""
    return f"{start}{grows}{flat}."
