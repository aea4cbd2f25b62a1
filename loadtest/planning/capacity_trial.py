"""One trial of a search for capacity: from a finished run to whether the CSMS held the load; pure but for `flows_in`.

A generator that was late can only make a CSMS look slower than it is. So what was kept is kept, and a latency that was
missed by more than the lateness explains is missed; only what lies between says nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import sqrt
from pathlib import Path
from statistics import fmean
from typing import Any, Final

from evidence.capacity_model import ActionFlow, Trial, TrialWord
from evidence.histogram import Tag, read_hlog
from evidence.run_model import LoadRun, SloResult
from evidence.vocabulary import MEASURE, TO_CSMS
from loadtest.judging.slo import Threshold
from loadtest.planning.gave_way import flows_of

__all__ = ["BOOTED", "MOST_STRAIN", "flows_in", "is_late_only", "queue_grows", "strain", "trial_of", "with_booted"]

BOOTED: Final = "stations booted >= 99 %"
"""What a CSMS that holds a fleet does at least; left out where the objectives speak of booted stations themselves."""
MOST_STRAIN: Final = 10.0
_LATENESS: Final = frozenset({"lag_ms_p99", "longest_stall_ms", "cpu"})
"""Rows of the table of the generator that make latencies too high, and nothing else."""
_BOTH_ENDS: Final = 2.0
"""A CALL may be sent late, and its answer be read late."""
_ACHIEVED: Final = 0.95
_SIGMAS: Final = 3.0
_LEAST_RISE: Final = 5.0
_RISE_SHARE: Final = 0.01
_LEAST_SECONDS: Final = 9
_BUSY: Final = 0.6
"""Share of a processor from which on a worker is late for its own work."""
_WAITED: Final = 0.01
"""Share of the time without a processor that is enough to be late in 1 % of it."""


def trial_of(
    run: LoadRun,
    thresholds: Sequence[Threshold],
    stations: int,
    folder: str = "",
    *,
    rate: float | None = None,
    flows: Sequence[ActionFlow] = (),
) -> Trial:
    """Boil a finished run down; `rate` is how many sessions or commands a second were asked for."""
    pairs = list(zip(thresholds, (slo for slo in run.slo if not slo.built_in), strict=True))
    certain = _objectives(run, thresholds, lag_ms=_lag_ms(run)) + _beside_objectives(run, rate)
    missed = _objectives(run, thresholds, lag_ms=0.0) + _beside_objectives(run, rate)
    slowest = max((call.response_ms for call in run.calls if call.response_ms), key=lambda p: p.p99, default=None)
    word: TrialWord = "missed" if missed else "kept"
    notes: list[str] = []
    if run.generator.verdict != "VALID":
        notes = list(run.generator.reasons)
        if not is_late_only(run) or (missed and not certain):
            word = "generator"
    return Trial(
        stations=stations,
        rate=rate,
        achieved=None if rate is None else _achieved(run),
        seed=run.seed,
        flows=list(flows),
        word=word,
        missed=missed,
        reasons=list(run.generator.reasons),
        notes=[] if word == "generator" else notes,
        starved=None if run.generator.verdict == "VALID" else _is_starved(run),
        strain=max((strain(threshold, slo) for threshold, slo in pairs), default=0.0),
        calls_per_s=run.throughput.get("calls_per_s", 0.0),
        failed_per_s=run.throughput.get("failed_per_s", 0.0),
        p50_ms=slowest.p50 if slowest else None,
        p99_ms=slowest.p99 if slowest else None,
        generator=run.generator.verdict,
        folder=folder,
    )


def _objectives(run: LoadRun, thresholds: Sequence[Threshold], *, lag_ms: float) -> list[str]:
    """Write the objectives that were missed, those about latencies only where `lag_ms` of lateness does not explain it.

    Objectives about the generator say nothing about the CSMS.
    """
    by_text = {one.text: one.expression for one in thresholds}
    found = []
    for slo in run.slo:
        expression = by_text.get(slo.expr)
        if slo.passed or slo.undecided or (expression is not None and expression.family == "generator"):
            continue
        is_time = expression is not None and expression.family == "latency" and expression.operator.startswith("<")
        if is_time and lag_ms and slo.value is not None:
            assert expression is not None
            if expression.holds(max(slo.value * expression.scale - lag_ms, 0.0)):
                continue
        found.append(f"{slo.expr} ({_measured(slo)})")
    return found


def _beside_objectives(run: LoadRun, rate: float | None) -> list[str]:
    """Write what a CSMS misses that keeps every objective and still falls behind."""
    found = []
    achieved = None if rate is None else _achieved(run)
    if rate is not None and achieved is not None:
        seconds = max(run.throughput.get("measured_s", 0.0), 1e-9)
        if achieved < rate * _ACHIEVED - _SIGMAS * sqrt(rate * seconds) / seconds:
            found.append(f"{rate:g}/s as asked for (measured {achieved:.1f}/s)")
    rise = queue_grows(_measured_rows(run), rate)
    if rise is not None:
        found.append(f"a queue that does not grow (it grew by {rise:.0f} calls within the hold)")
    return found


def _achieved(run: LoadRun) -> float | None:
    """Return how many sessions a second there were, or commands where any were asked for."""
    seconds = run.throughput.get("measured_s", 0.0)
    if seconds <= 0:
        return None
    if run.commands:
        return run.throughput.get("commands_per_s", 0.0)
    charging = run.kpis.charging
    return (charging.attempts + charging.cut_short + charging.refused_as_expected) / seconds


def _measured_rows(run: LoadRun) -> list[Mapping[str, float]]:
    window = next((window for window in run.windows if window.name == MEASURE), None)
    if window is None:
        return []
    end = window.start + window.seconds
    return [row for row in run.timeline if "waiting" in row and window.start <= row["t"] <= end - 1]


def queue_grows(rows: Sequence[Mapping[str, float]], rate: float | None = None) -> float | None:
    """Return by how many the calls that wait have grown within these seconds; None where they have not.

    They have grown when each third has more of them than the one before, and the rise is beyond chance and beyond 1 %
    of what was to be done.
    """
    waiting = [row["waiting"] for row in rows]
    if len(waiting) < _LEAST_SECONDS:
        return None
    part = len(waiting) // 3
    first, middle, last = (fmean(waiting[start : start + part]) for start in (0, part, len(waiting) - part))
    rise = (last - first) * 1.5
    per_s = fmean(row.get("calls", 0.0) for row in rows) if rate is None else rate
    noise = max(_spread(waiting[start : start + part]) for start in (0, len(waiting) - part))
    enough = max(_LEAST_RISE, _RISE_SHARE * per_s * len(waiting), noise)
    return rise if first < middle < last and rise > enough else None


def _spread(values: Sequence[float]) -> float:
    """Return the deviation of values from the straight line through them."""
    middle, mean = (len(values) - 1) / 2, fmean(values)
    square = sum((place - middle) ** 2 for place in range(len(values))) or 1.0
    slope = sum((place - middle) * (value - mean) for place, value in enumerate(values)) / square
    return sqrt(fmean((value - mean - slope * (place - middle)) ** 2 for place, value in enumerate(values)))


def is_late_only(run: LoadRun) -> bool:
    """Return whether lateness is all that a generator has to say against itself."""
    return bool(run.generator.broken) and set(run.generator.broken) <= _LATENESS


def _lag_ms(run: LoadRun) -> float:
    return _BOTH_ENDS * (run.generator.lag_ms_p99 or 0.0)


def _is_starved(run: LoadRun) -> bool:
    """Return whether workers were late for lack of a processor: waiting in the run queue, or stolen by the host."""
    workers: list[dict[str, Any]] = run.generator.details.get("workers", [])
    return any(
        (worker.get("waited") or 0.0) + (worker.get("stolen") or 0.0) >= _WAITED
        and (worker.get("busiest") or worker.get("cpu") or 0.0) < _BUSY
        for worker in workers
    )


def strain(threshold: Threshold, result: SloResult) -> float:
    """Return how far an objective is used up: below 1 it is kept, above it is missed; at most `MOST_STRAIN`."""
    expression = threshold.expression
    value, bound = result.value, expression.limit
    if value is None:
        return MOST_STRAIN
    upper = expression.operator.startswith("<")
    lower = expression.operator.startswith(">")
    used = 0.0 if result.passed or result.undecided else MOST_STRAIN
    if upper and bound > 0:
        used = value / bound
    elif lower and expression.is_share:
        # Of 99 % the interesting part is the one that may be missing.
        used = (100 - value) / (100 - bound) if bound < 100 else used  # noqa: PLR2004 - percent
    elif lower and value > 0:
        used = bound / value
    return min(used, MOST_STRAIN)


def with_booted(thresholds: Sequence[Threshold]) -> bool:
    """Return whether the objectives say how many stations must have booted."""
    return any(one.expression.family == "stations" and one.expression.metric == "booted" for one in thresholds)


def flows_in(folder: Path, run: LoadRun) -> list[ActionFlow]:
    """Read how the CSMS answered each action in the window `measure`, from the histograms of a run folder."""
    window = next((window for window in run.windows if window.name == MEASURE), None)
    found: dict[tuple[str, float], list[float]] = {}
    width = 0.0
    for file in sorted((folder / "histograms").glob("*.hlog")):
        for interval in read_hlog(file):
            tag = Tag.parse(interval.tag)
            if tag.direction == TO_CSMS and tag.kind == "service":
                width = max(width, interval.seconds)
                cell = found.setdefault((tag.action, interval.start), [0.0, 0.0])
                cell[0] += interval.histogram.count
                cell[1] += interval.histogram.count * interval.histogram.mean / 1000
    if window is None or not width:
        return []
    slices = [(action, start, int(count), spent / count) for (action, start), (count, spent) in found.items() if count]
    return flows_of(slices, window.start, window.start + window.seconds, width)


def _measured(result: SloResult) -> str:
    if result.value is None:
        return result.reason
    return f"measured {result.value:g} {result.unit}".rstrip()
