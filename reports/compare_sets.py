"""N runs against N: what the runs of one side differ in among themselves is the noise, and nothing is guessed.

Load runs go through one permutation test for all their figures (`reports.permutation`). A figure moved if chance hardly
explains it and it moved by more than people care about.

A machine that is busier with others than before makes latencies longer, though no CSMS became slower. It is known by
the load generator's own timers, which ran later, too. Then only the fastest tenth of the answers (service p10) is
believed by itself, which a busy machine hardly moves; what else grew counts where that grew with it, and is left out
where it did not.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Final, Literal

import msgspec

from evidence.run_model import ActionStats, CaseResult, InteropRun, LoadRun, Percentiles, Run
from evidence.verdicts import RunVerdict
from evidence.vocabulary import FROM_CSMS
from ocppj.errors import InconclusiveError, UsageError
from ocppj.outcomes import Outcome
from reports.compare import BEHAVIOUR, Comparison, compare_runs, differences
from reports.compare_load import Change, Trend
from reports.histograms import read_histograms
from reports.permutation import ALPHA, Sample, chances, enough_runs, least_chance
from reports.words import plural

__all__ = ["compare_sets", "sound"]

Runs = Sequence[tuple[Path, Run]]
Unit = Literal["ms", "1/s", "share", "met"]

_LEAST_CALLS: Final = {"p10": 20, "p50": 10, "p90": 50, "p99": 500}
"""CALLs of an action in every run from which on a percentile of it says something."""
_FASTEST: Final = "service p10"
_CALM: Final = 1.5
"""How many times as late the generator's timers may run on a machine that counts as calm as before."""
_CALM_SHARE: Final = 0.25
"""Of the latency that matters: so much later they may run in any case."""
_THROUGHPUT: Final = 0.05
_SHARE: Final = 0.001
_FUZZ: Final = 0.5
"""Share of a difference that matters which is too small to be taken for a spread."""
_MOST_WARNINGS: Final = 6


class _Figure(msgspec.Struct, frozen=True):
    """What is compared: an action or the whole run, the figure, and its unit."""

    name: str
    figure: str
    unit: Unit


def sound(run: Run) -> bool:
    """Return whether a run says something about the CSMS."""
    return run.verdict in (RunVerdict.PASSED, RunVerdict.FAILED) and not run.interrupted


def compare_sets(
    bases: Runs, news: Runs, *, tolerance: float = 0.10, floor_ms: float = 0.5, baseline: str = "", tries: int = 1
) -> Comparison:
    """Compare the runs of before with those of now; raises `UsageError` where their kinds differ.

    `tries` is among how many baselines this one was chosen: so many times as likely is chance. Raises
    `InconclusiveError` where no run of one side says anything about the CSMS.
    """
    kinds = {type(run) for _, run in (*bases, *news)}
    if len(kinds) != 1:
        raise UsageError("Interop runs and load runs cannot be compared; name runs of one kind")
    left_out = [f"{path} is left out: its verdict is {run.verdict}." for path, run in (*bases, *news) if not sound(run)]
    before, after = ([(path, run) for path, run in runs if sound(run)] for runs in (bases, news))
    if not before or not after:
        side = "the base" if not before else "the new runs"
        raise InconclusiveError(f"No run of {side} says anything about the CSMS: {left_out[0]}")
    compared = _suites(before, after) if kinds == {InteropRun} else _loads(before, after, tolerance, floor_ms, tries)
    return msgspec.structs.replace(
        compared,
        base=", ".join(str(path) for path, _ in before),
        new=", ".join(str(path) for path, _ in after),
        baseline=baseline,
        base_runs=len(before),
        new_runs=len(after),
        warnings=tuple(dict.fromkeys((*left_out, *compared.warnings))),
    )


# -- interop ---------------------------------------------------------------------------------------------------------


def _suites(bases: Runs, news: Runs) -> Comparison:
    """Compare the worst of before with the best of now: a case that differs among repeats is no regression."""
    before, after = (_merged(runs, best=best) for runs, best in ((bases, False), (news, True)))
    return compare_runs(before, after)


def _merged(runs: Runs, *, best: bool) -> tuple[Path, InteropRun]:
    cases: dict[tuple[str, str], CaseResult] = {}
    suites = [run for _, run in runs if isinstance(run, InteropRun)]
    for case in (case for suite in suites for case in suite.cases):
        key = (case.ocpp, case.id)
        held = cases.get(key)
        if held is None or _takes_over(case, held, best=best):
            cases[key] = case
    path, _ = runs[-1]
    return path, msgspec.structs.replace(suites[-1], cases=list(cases.values()))


def _takes_over(case: CaseResult, held: CaseResult, *, best: bool) -> bool:
    new, old = BEHAVIOUR.get(case.verdict), BEHAVIOUR.get(held.verdict)
    if new is None or old is None:
        return old is None
    return new < old if best else new > old


# -- load ------------------------------------------------------------------------------------------------------------


def _loads(bases: Runs, news: Runs, tolerance: float, floor_ms: float, tries: int) -> Comparison:
    runs = [run for _, run in (*bases, *news) if isinstance(run, LoadRun)]
    split = len(bases)
    tables = [dict(_figures(path, run)) for path, run in (*bases, *news) if isinstance(run, LoadRun)]
    figures = [figure for figure in tables[0] if all(figure in table for table in tables)]
    values = {figure: tuple(table[figure] for table in tables) for figure in figures}
    moving = [figure for figure in figures if len(set(values[figure])) > 1]
    samples = [_sample(figure, values[figure], tolerance) for figure in moving]
    worse, better = (dict(zip(moving, chances(samples, split, worse=way), strict=True)) for way in (True, False))
    least = least_chance(split, len(runs) - split) * tries
    changes = []
    for figure in figures:
        before, after = values[figure][:split], values[figure][split:]
        shift = _bad(figure, _middle(figure, after)) - _bad(figure, _middle(figure, before))
        chance = min((worse if shift > 0 else better).get(figure, 1.0) * tries, 1.0)
        direction = Trend.SAME
        if _matters(figure, before, after, tolerance, floor_ms):
            if least > ALPHA:
                direction = Trend.UNKNOWN
            elif chance <= ALPHA:
                direction = Trend.WORSE if shift > 0 else Trend.BETTER
        changes.append(
            Change(
                name=figure.name,
                figure=figure.figure,
                unit=figure.unit,
                base=_middle(figure, before),
                new=_middle(figure, after),
                direction=direction,
                noise=(min(before), max(before)) if min(before) < max(before) else None,
                chance=None if figure not in worse else chance,
            )
        )
    believed = _believed(changes, runs, split, tolerance)
    left_out = len(changes) - len(believed)
    changes = believed
    order = tuple(Trend)
    changes.sort(key=lambda change: order.index(change.direction))
    return Comparison(
        kind="load",
        base="",
        new="",
        regressed=any(change.direction is Trend.WORSE for change in changes),
        conclusive=bool(changes) and least <= ALPHA,
        warnings=_warnings(bases, news, least, left_out=left_out),
        changes=tuple(changes),
        compared=len(changes),
    )


def _warnings(bases: Runs, news: Runs, least: float, *, left_out: int) -> tuple[str, ...]:
    warnings = []
    if least > ALPHA:
        enough = enough_runs()
        warnings.append(
            f"{plural(len(bases), 'base run')} and {plural(len(news), 'new run')} are too few to tell a change from "
            f"chance: make {enough} of each."
        )
    if left_out:
        warnings.append(
            f"Left out: {plural(left_out, 'figure')} that moved while the machine was not as calm as for the base, "
            "and the fastest answers did not move."
        )
    differing = differences(bases[-1][1], news[-1][1])
    if len(differing) > _MOST_WARNINGS:
        differing = (*differing[:_MOST_WARNINGS], f"And {len(differing) - _MOST_WARNINGS} more differences.")
    return (*warnings, *differing)


def _figures(path: Path, run: LoadRun) -> Iterator[tuple[_Figure, float]]:
    for slo in run.slo:
        if not slo.undecided:
            yield _Figure("SLO", slo.expr, "met"), 0.0 if slo.passed else 1.0
    stations, asked = run.stations, max(run.stations.requested, 1)
    missing = max(stations.requested - stations.booted, 0)
    yield _Figure("run", "stations that did not boot", "share"), missing / asked
    yield _Figure("run", "stations that lost their connection", "share"), min(stations.lost / asked, 1.0)
    per_s = run.throughput.get("calls_per_s")
    if per_s:
        yield _Figure("run", "calls per second", "1/s"), per_s
    yield from _of_actions(path, run)


def _of_actions(path: Path, run: LoadRun) -> Iterator[tuple[_Figure, float]]:
    for action in run.actions:
        name = f"{action.ocpp} {action.action}{' (from the CSMS)' if action.direction == FROM_CSMS else ''}"
        for clock, spread in (("service", action.service_ms), ("response", action.response_ms)):
            yield from _percentiles(name, clock, spread, action.count)
        if action.count >= _LEAST_CALLS["p10"] and (fastest := _fastest(path, action)):
            yield _Figure(name, _FASTEST, "ms"), fastest
        for outcome in Outcome:
            if outcome is not Outcome.ACCEPTED and action.count >= _LEAST_CALLS["p50"]:
                amount = sum(count for word, count in action.outcomes.items() if word.startswith(outcome))
                yield _Figure(name, f"share of {outcome}", "share"), amount / action.count


def _fastest(path: Path, action: ActionStats) -> float | None:
    if action.service_ms is None or action.service_ms.p10 is not None:
        return None if action.service_ms is None else action.service_ms.p10
    # A run of before that was kept in run.json.
    histograms = read_histograms(path)
    return histograms.merged(action.ocpp, action.action, action.direction, "service").percentile(10) / 1000


def _percentiles(name: str, clock: str, spread: Percentiles | None, count: int) -> Iterator[tuple[_Figure, float]]:
    for percentile in ("p50", "p90", "p99"):
        value = None if spread is None else getattr(spread, percentile)
        if value and count >= _LEAST_CALLS[percentile]:
            yield _Figure(name, f"{clock} {percentile}", "ms"), value


def _bad(figure: _Figure, value: float) -> float:
    """Return a value so that a higher one is worse, and equal ratios are equal steps where it is a time or a rate."""
    match figure.unit:
        case "ms":
            return math.log(value)
        case "1/s":
            return -math.log(value)
        case _:
            return value


def _sample(figure: _Figure, values: Sequence[float], tolerance: float) -> Sample:
    matters = {"ms": math.log1p(tolerance), "1/s": math.log1p(_THROUGHPUT), "share": _SHARE, "met": 1.0}
    return Sample(tuple(_bad(figure, value) for value in values), matters[figure.unit] * _FUZZ)


def _middle(figure: _Figure, values: Sequence[float]) -> float:
    """Return the median, or for what a run has or has not the mean."""
    return median(values) if figure.unit in ("ms", "1/s") else math.fsum(values) / len(values)


def _matters(
    figure: _Figure, before: Sequence[float], after: Sequence[float], tolerance: float, floor_ms: float
) -> bool:
    old, new = _middle(figure, before), _middle(figure, after)
    match figure.unit:
        case "ms":
            return abs(new - old) > max(floor_ms, old * tolerance)
        case "1/s":
            return abs(new - old) > old * _THROUGHPUT
        case "share":
            return abs(new - old) >= _SHARE
        case _:
            return abs(new - old) > _FUZZ


def _believed(changes: Sequence[Change], runs: Sequence[LoadRun], split: int, tolerance: float) -> list[Change]:
    """Leave out what moved for which another load of the machine may be the cause."""
    moved = {(change.name, change.figure): change.direction for change in changes}
    return [
        change
        for change in changes
        if change.direction not in (Trend.WORSE, Trend.BETTER)
        or _is_calm(change, runs, split, tolerance)
        or moved.get((change.name, _FASTEST)) is change.direction
    ]


def _is_calm(change: Change, runs: Sequence[LoadRun], split: int, tolerance: float) -> bool:
    """Return whether the machine was as calm for the new runs as for the base, as far as a figure depends on that.

    Where the timers of a run are not known, only a VALID generator counts as calm.
    """
    _, _, percentile = change.figure.partition(" ")
    if change.unit == "met":
        percentile, matters = "p99", math.inf
    elif change.unit == "ms" and change.figure != _FASTEST:
        matters = min(change.base or 0.0, change.new or 0.0) * tolerance * _CALM_SHARE
    else:
        return True
    lags = [_lag(run, percentile) for run in runs]
    known = [lag for lag in lags if lag is not None]
    if len(known) < len(lags):
        return all(run.generator.verdict == "VALID" for run in runs)
    one, two = median(known[:split]), median(known[split:])
    if matters == math.inf:
        return two <= one * _CALM and one <= two * _CALM
    return two <= one * _CALM + matters and one <= two * _CALM + matters


def _lag(run: LoadRun, percentile: str) -> float | None:
    """Return how late the timers of the latest worker ran at a percentile, in ms."""
    workers: Sequence[Mapping[str, float | None]] = run.generator.details.get("workers", ())
    lags = [worker.get(f"lag_ms_{percentile}") for worker in workers]
    known = [lag for lag in lags if lag is not None]
    return max(known) if known and len(known) == len(lags) else None
