"""What changed between two load runs: latencies, throughput, outcomes and objectives, each against its noise."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Sequence
from enum import StrEnum
from pathlib import Path
from typing import Final, Literal

import msgspec

from evidence.histogram import Histogram
from evidence.run_model import CallStats, LoadRun, Percentiles
from evidence.vocabulary import FROM_CSMS, MEASURE
from ocppj.outcomes import Outcome
from reports.histograms import Histograms, merge, read_histograms
from reports.latency_charts import percentile_name
from reports.noise import Range, quantile_range, share_differs, spread_of_mean

__all__ = ["Change", "Trend", "compare_load"]

_PERCENTILES: Final = (50.0, 90.0, 99.0, 99.9)
_COARSE = 2.5
"""How much wider the tolerance is where a run kept no histogram, so that its noise is not known."""
_THROUGHPUT_TOLERANCE = 0.05
_LEAST_SHARE = 0.001
_LEAST_AMOUNT = 5
_FEW_CALLS = 100
_BLOCK: Final = 5.0
"""Seconds whose answers are taken as one event: those of neighbouring moments are alike."""


class Trend(StrEnum):
    """How a figure moved."""

    WORSE = "worse"
    BETTER = "better"
    SAME = "within noise"
    UNKNOWN = "cannot be compared"
    """It moved, but one of the load generators may be why."""


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """One figure of both runs."""

    name: str
    """What it is about: an action, or the whole run."""
    figure: str
    """Such as `service p99` or `share of timeout`."""
    unit: Literal["ms", "1/s", "share", "met"]
    base: float | None
    new: float | None
    direction: Trend
    noise: tuple[float, float] | None = None
    """The range in which the base figure may lie by chance."""
    chance: float | None = None
    """How likely chance alone would move any figure as far; None where the runs were not tested as groups."""

    @property
    def relative(self) -> float:
        """The change as a share of the base; infinite from nothing to something."""
        if self.base is None or self.new is None:
            return math.nan
        if not self.base:
            return math.inf if self.new else 0.0
        return self.new / self.base - 1


Key = tuple[str, str, str]


def compare_load(
    base: tuple[Path, LoadRun], new: tuple[Path, LoadRun], *, tolerance: float, floor_ms: float
) -> list[Change]:
    """Compare every figure that both runs hold; those that got worse come first, then those that got better."""
    changes = [
        *_objectives(base[1], new[1]),
        *_stations(base[1], new[1]),
        *_throughput(base[1], new[1]),
        *_outcomes(base[1], new[1]),
        *_latencies(base, new, tolerance=tolerance, floor_ms=floor_ms),
    ]
    doubts = {run.generator.verdict for run in (base[1], new[1])}
    changes = [_doubted(change, doubts) for change in changes]
    order = tuple(Trend)
    return sorted(changes, key=lambda change: order.index(change.direction))


_OF_THE_GENERATOR: Final = frozenset({"ms", "1/s", "met"})
"""Units of figures that a load generator under strain makes worse; shares of outcomes and stations it does not."""


def _doubted(change: Change, generators: Collection[str]) -> Change:
    """Take back what a change says where a load generator was too weak to say it."""
    moved = change.direction in (Trend.WORSE, Trend.BETTER)
    if moved and ("INVALID" in generators or ("DEGRADED" in generators and change.unit in _OF_THE_GENERATOR)):
        return msgspec.structs.replace(change, direction=Trend.UNKNOWN)
    return change


def _by_action(run: LoadRun) -> dict[Key, list[CallStats]]:
    members: dict[Key, list[CallStats]] = {}
    for call in run.calls:
        members.setdefault((call.ocpp, call.action, call.direction), []).append(call)
    return dict(sorted(members.items(), key=lambda pair: -_total(pair[1])))


def _total(calls: Sequence[CallStats]) -> int:
    return sum(call.count for call in calls)


def _name(key: Key) -> str:
    ocpp, action, direction = key
    return f"{ocpp} {action}{' (from the CSMS)' if direction == FROM_CSMS else ''}"


# -- objectives, stations, throughput --------------------------------------------------------------------------------


def _objectives(base: LoadRun, new: LoadRun) -> Iterator[Change]:
    before = {slo.expr: slo for slo in base.slo}
    for slo in new.slo:
        old = before.get(slo.expr)
        if old is None:
            continue
        direction = Trend.SAME
        if old.passed != slo.passed and not (old.undecided or slo.undecided):
            direction = Trend.BETTER if slo.passed else Trend.WORSE
        yield Change(name="SLO", figure=slo.expr, unit="met", base=old.value, new=slo.value, direction=direction)


def _stations(base: LoadRun, new: LoadRun) -> Iterator[Change]:
    one, two = base.stations, new.stations
    rows = (
        ("stations that did not boot", (one.requested - one.booted, two.requested - two.booted)),
        ("stations that lost their connection", (one.lost, two.lost)),
    )
    for figure, (before, after) in rows:
        # A station may lose its connection more than once.
        pair = tuple(
            (min(max(amount, 0), total), total) for amount, total in ((before, one.requested), (after, two.requested))
        )
        yield _share_change("run", figure, pair[0], pair[1])


def _throughput(base: LoadRun, new: LoadRun) -> Iterator[Change]:
    before, after = base.throughput.get("calls_per_s"), new.throughput.get("calls_per_s")
    if before is None or after is None:
        return
    old, fresh = (spread_of_mean(_measured_seconds(run)) for run in (base, new))
    direction = Trend.SAME
    apart = _COARSE * _THROUGHPUT_TOLERANCE
    noise = None
    if old is not None and fresh is not None:
        apart = _THROUGHPUT_TOLERANCE
        noise = (before + old.low - old.value, before + old.high - old.value)
    ranges = noise or (before, before)
    if after < before * (1 - apart) and after < ranges[0]:
        direction = Trend.WORSE
    elif after > before * (1 + apart) and after > ranges[1]:
        direction = Trend.BETTER
    yield Change(
        name="run", figure="calls per second", unit="1/s", base=before, new=after, direction=direction, noise=noise
    )


def _measured_seconds(run: LoadRun) -> list[float]:
    """Take the calls of each second of the judged window; of all seconds where no window is known."""
    spans = [(w.start, w.start + w.seconds) for w in run.windows if w.name == MEASURE] or [(0.0, math.inf)]
    return [
        row["calls"]
        for row in run.timeline
        if "t" in row and "calls" in row and any(start <= row["t"] < end for start, end in spans)
    ]


# -- outcomes --------------------------------------------------------------------------------------------------------


def _outcomes(base: LoadRun, new: LoadRun) -> Iterator[Change]:
    before, after = _by_action(base), _by_action(new)
    for key in after:
        if key not in before:
            continue
        names = dict.fromkeys(call.outcome for call in (*before[key], *after[key]))
        for outcome in names:
            if outcome != Outcome.ACCEPTED:
                amounts = [
                    (sum(call.count for call in calls if call.outcome == outcome), _total(calls))
                    for calls in (before[key], after[key])
                ]
                yield _share_change(_name(key), f"share of {outcome}", amounts[0], amounts[1])


def _share_change(name: str, figure: str, before: tuple[int, int], after: tuple[int, int]) -> Change:
    """Compare the share of something that nobody wants."""
    old, new = (amount / total if total else 0.0 for amount, total in (before, after))
    direction = Trend.SAME
    matters = abs(new - old) >= _LEAST_SHARE and max(before[0], after[0]) >= _LEAST_AMOUNT
    if matters and share_differs(before, after):
        direction = Trend.WORSE if new > old else Trend.BETTER
    return Change(name=name, figure=figure, unit="share", base=old, new=new, direction=direction)


# -- latencies -------------------------------------------------------------------------------------------------------


def _latencies(
    base: tuple[Path, LoadRun], new: tuple[Path, LoadRun], *, tolerance: float, floor_ms: float
) -> Iterator[Change]:
    histograms = read_histograms(base[0]), read_histograms(new[0])
    before, after = _by_action(base[1]), _by_action(new[1])
    for key in after:
        if key not in before:
            continue
        for clock in ("service", "response"):
            rows = list(_from_histograms(histograms, key, clock))
            factor = 1.0
            if not rows:
                rows, factor = list(_from_run_json(before[key], after[key], clock)), _COARSE
            for percentile, old, fresh in rows:
                yield Change(
                    name=_name(key),
                    figure=f"{clock} {percentile_name(percentile)}",
                    unit="ms",
                    base=old.value,
                    new=fresh.value,
                    direction=_judge(old, fresh, tolerance=tolerance * factor, floor=floor_ms * factor),
                    noise=(old.low, old.high) if old.low < old.high else None,
                )


def _judge(old: Range, new: Range, *, tolerance: float, floor: float) -> Trend:
    if abs(new.value - old.value) <= max(floor, old.value * tolerance):
        return Trend.SAME
    if new.low > old.high:
        return Trend.WORSE
    return Trend.BETTER if new.high < old.low else Trend.SAME


def _from_histograms(
    histograms: tuple[Histograms, Histograms], key: Key, clock: str
) -> Iterator[tuple[float, Range, Range]]:
    pair = [_blocks(each, key, clock) for each in histograms]
    for percentile in _PERCENTILES if all(pair) else ():
        old, new = (quantile_range(blocks, percentile) for blocks in pair)
        if old is not None and new is not None:
            yield percentile, old, new


def _from_run_json(
    before: Sequence[CallStats], after: Sequence[CallStats], clock: str
) -> Iterator[tuple[float, Range, Range]]:
    """Compare the outcome that was most frequent in the base, by the percentiles that `run.json` holds."""
    main = max(before, key=lambda call: call.count)
    same = next((call for call in after if call.outcome == main.outcome), None)
    if same is None or min(main.count, same.count) < _FEW_CALLS:
        return
    old: Percentiles | None = getattr(main, f"{clock}_ms")
    new: Percentiles | None = getattr(same, f"{clock}_ms")
    if old is None or new is None:
        return
    for percentile, field in ((50.0, "p50"), (90.0, "p90"), (99.0, "p99")):
        one, two = getattr(old, field), getattr(new, field)
        yield percentile, Range(one, one, one), Range(two, two, two)


def _blocks(histograms: Histograms, key: Key, clock: str) -> list[Histogram]:
    """Merge all outcomes of an action block by block."""
    by_block: dict[int, list[Histogram]] = {}
    for window in histograms.select(*key, clock):
        by_block.setdefault(int(window.start // _BLOCK), []).append(window.histogram)
    return [merge(parts) for parts in by_block.values()]
