"""How the latencies of each action went over the seconds of a run."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from evidence.histogram import Histogram
from evidence.run_model import LoadRun
from evidence.vocabulary import TO_CSMS
from reports.charts import Figure, Mark, Period, Series, time_chart
from reports.histograms import Histograms, merge
from reports.words import milliseconds, plural

__all__ = ["latency_over_time"]

_MOST_ACTIONS: Final = 6
_LEAST_SLICES: Final = 2
_LINES: Final = (
    ("response", 99.0, "response p99", "s4"),
    ("response", 95.0, "response p95", "s2"),
    ("response", 50.0, "response p50", "s1"),
    ("service", 99.0, "service p99", "s4 dashed"),
    ("service", 95.0, "service p95", "s2 dashed"),
    ("service", 50.0, "service p50", "s1 dashed"),
)


def latency_over_time(
    run: LoadRun, histograms: Histograms, periods: Sequence[Period], marks: Sequence[Mark]
) -> tuple[Figure, ...]:
    """Draw the most frequent actions of the stations; `histograms` are those of every window."""
    totals: dict[tuple[str, str], int] = {}
    for window in run.windows:
        for call in window.calls:
            if call.direction == TO_CSMS:
                totals[call.ocpp, call.action] = totals.get((call.ocpp, call.action), 0) + call.count
    several = len({ocpp for ocpp, _ in totals}) > 1
    figures = []
    for (ocpp, action), count in sorted(totals.items(), key=lambda pair: (-pair[1], pair[0]))[:_MOST_ACTIONS]:
        slices = {kind: _slices(histograms, ocpp, action, kind) for kind in ("service", "response")}
        if len(slices["response"]) < _LEAST_SLICES:
            continue
        worst = max(slices["response"], key=lambda start: slices["response"][start].percentile(99))
        p99 = milliseconds(slices["response"][worst].percentile(99) / 1000)
        figures.append(
            time_chart(
                f"{action}, OCPP {ocpp}" if several else action,
                f"{plural(count, 'call')}; the highest response p99 is {p99}, {worst:.0f} s after the start.",
                [
                    Series(
                        name,
                        look,
                        tuple((start, one.percentile(percentile) / 1000) for start, one in slices[kind].items()),
                    )
                    for kind, percentile, name, look in _LINES
                    if slices[kind]
                ],
                unit="ms",
                periods=periods,
                marks=marks,
            )
        )
    return tuple(figures)


def _slices(histograms: Histograms, ocpp: str, action: str, kind: str) -> dict[float, Histogram]:
    """Merge all outcomes and windows of an action, slice by slice in their order."""
    found: dict[float, list[Histogram]] = {}
    for part in histograms.select(ocpp, action, TO_CSMS, kind):
        found.setdefault(part.start, []).append(part.histogram)
    return {start: merge(found[start]) for start in sorted(found)}
