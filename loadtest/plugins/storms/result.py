"""What one storm led to, as `run.json` holds it and as objectives ask for it; pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final

import msgspec

from loadtest.judging.quantities import Kind, Values
from loadtest.plugins.storms.figures import QUANTILES, Totals
from loadtest.plugins.storms.formula import Expected
from loadtest.plugins.storms.neighbours import PERCENTILES, worst_of
from loadtest.plugins.storms.plan import ends
from loadtest.plugins.storms.stability import LEAST_SECONDS, Sample, compare
from loadtest.plugins.storms.tally import LOCKED_OUT
from loadtest.workload.quirks import Leaving
from loadtest.workload.storms import Storm, write_storm

__all__ = ["QUANTITIES", "StormRun", "quantities_of", "result_of"]

QUANTITIES: Final[Mapping[str, Kind]] = MappingProxyType(
    {
        "recovery-p50": "time",
        "recovery-p95": "time",
        "recovery-p999": "time",
        "unrecovered": "amount",
        "lost-messages": "count",
        "queued-messages": "count",
        "failed-upgrades": "count",
        "peak-connects": "rate",
        "metastable": "count",
        "neighbours-p50": "ratio",
        "neighbours-p95": "ratio",
        "neighbours-p99": "ratio",
    }
)


class StormRun(msgspec.Struct, kw_only=True, eq=False):
    """A storm that has begun; times in seconds since the start of the run."""

    storm: Storm
    number: int
    trigger: str
    """Who asked for it."""
    began: float
    stations: int
    """How many it was meant to hit."""
    settles: float
    """When the CSMS is expected to be as before."""
    totals: Totals = msgspec.field(default_factory=Totals)
    expected: Expected | None = None
    exit_code: int | None = None
    """Of the command that restarts the CSMS, where there is one."""
    scan: dict[str, dict[str, int]] = {}
    """What came of knocking at the CSMS's port, by kind."""
    result: dict[str, Any] | None = None
    """Once it is over."""

    @property
    def struck(self) -> int:
        """How many stations were hit."""
        return self.totals.total("struck")

    @property
    def goal(self) -> str:
        """Name the count of stations that have come through it: accepted again, or with all their answers."""
        return "booted" if self.storm.cuts else "drained"


def result_of(
    run: StormRun,
    *,
    before: Sample,
    during: Sample,
    after: Sample,
    neighbours: Mapping[str, Any],
    expected: Expected | None,
    backoff: str,
    lost: int,
    lasted: float,
    lag_ms: float = 0.0,
) -> dict[str, Any]:
    """Write one storm as `run.json` holds it.

    `expected` is the curve that the back-off formula promises, `lost` counts undelivered transaction messages, and
    `lasted` is how many seconds passed until nothing changed any more; `lag_ms` how late the load generator was.
    """
    storm, totals, struck = run.storm, run.totals, run.struck
    unrecovered = struck - totals.total(run.goal)
    away = totals.counts("away")
    verdict = compare(before, after, struck=struck, unrecovered=unrecovered, away=away.total(), lag_ms=lag_ms)
    reasons = [*verdict.reasons, *(_STAY_AWAY[why].format(count=count, struck=struck) for why, count in away.items())]
    if after.seconds < LEAST_SECONDS:
        reasons.append(
            f"its stations may take {run.settles - run.began:.0f} s from its beginning until all is said again"
        )
    if run.exit_code:
        reasons.append("what was to be done to the CSMS failed, so that nothing may have happened to it")
    result: dict[str, Any] = {
        "storm": storm.name,
        "number": run.number,
        "says": storm.says,
        "trigger": run.trigger,
        "at": round(run.began, 3),
        "ends": ends(storm),
        "parameters": {key: value for key, value in write_storm(storm).items() if key != "storm"},
        "stations": {
            "struck": struck,
            "connected": totals.total("back") if storm.cuts else struck,
            "accepted": totals.total("booted") if storm.cuts else struck,
            "settled": totals.total("drained"),
            "unrecovered": unrecovered,
            "stay_away": away.total(),
            "lost_again": totals.numbers["lost_again"],
        },
        "recovery_ms": totals.times_ms(run.goal),
        "connected_ms": totals.times_ms("back") if storm.cuts else {},
        "settled_ms": totals.times_ms("drained"),
        "outage_ms": totals.outage_ms() if storm.cuts else {},
        "formula": _formula(totals, expected, backoff) if expected is not None else {},
        "peak_connects_per_s": max(totals.counts("opened").values(), default=0),
        "failed_upgrades": dict(totals.counts("failed").most_common()),
        "refused_by_storm": totals.numbers["refused"],
        "messages": {"queued_most": max(totals.counts("queued").values(), default=0), "lost": lost},
        "calls": {"before": before.told(), "during": during.told(), "after": after.told()},
        "neighbours": dict(neighbours),
        "recovered": verdict.recovered,
        "reasons": reasons,
        "curve": totals.curve(max(lasted, ends(storm)), expected),
    }
    if storm.name == "half-open":
        result["twins"] = {word: totals.numbers[word] for word in ("old_closed", "old_open", "new_kicked")}
    if storm.name == "twins":
        names = ("twin_opened", "twin_refused", "twin_kicked", "real_kicked")
        result["twins"] = {word: totals.numbers[word] for word in names}
    if run.scan:
        result["scan"] = run.scan
    if run.exit_code is not None:
        result["command_exit_code"] = run.exit_code
    return result


_STAY_AWAY: Final[Mapping[str, str]] = MappingProxyType(
    {
        Leaving.CLOSE: "{count} of {struck} stations stay away because of the Close frame, as their vendor has it",
        Leaving.PASSWORD: "{count} of {struck} stations stay away after a new password, as their vendor has it",
        LOCKED_OUT: "{count} of {struck} stations are locked out: they trust only the old root",
        Leaving.PONG: "{count} of {struck} stations stay away after a pong that did not come, as their vendor has it",
    }
)


def _formula(totals: Totals, expected: Expected, backoff: str) -> dict[str, Any]:
    deviation, apart = totals.deviation(expected), totals.deviation(expected, 0.0)
    return {
        "backoff": backoff,
        "expected_ms": {name: round(expected.when(share) * 1000, 1) for name, share in QUANTILES},
        "deviation": None if deviation is None else round(deviation, 4),
        "distance": None if apart is None else round(apart, 4),
    }


def quantities_of(results: Sequence[Mapping[str, Any]]) -> Values:
    """Return what objectives can be about, of all storms together; nothing where there was none."""
    if not results:
        return {}
    found: dict[str, tuple[float | None, float | None]] = {}
    for name, _ in QUANTILES:
        times = [result["recovery_ms"][name] for result in results]
        found[f"recovery-{name}"] = (None if None in times else max(times), None)
    struck = sum(result["stations"]["struck"] for result in results)
    found["unrecovered"] = (float(sum(result["stations"]["unrecovered"] for result in results)), float(struck))
    found["lost-messages"] = (float(sum(result["messages"]["lost"] for result in results)), None)
    found["queued-messages"] = (float(max(result["messages"]["queued_most"] for result in results)), None)
    found["failed-upgrades"] = (float(sum(sum(result["failed_upgrades"].values()) for result in results)), None)
    found["peak-connects"] = (float(max(result["peak_connects_per_s"] for result in results)), None)
    for percentile in PERCENTILES:
        found[f"neighbours-p{percentile:g}"] = (worst_of(results, percentile), None)
    verdicts = [result["recovered"] for result in results]
    metastable = float(sum(verdict is False for verdict in verdicts))
    found["metastable"] = (metastable if metastable or None not in verdicts else None, None)
    return found
