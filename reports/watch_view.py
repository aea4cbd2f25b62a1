"""The CSMS's own figures, prepared for the page: one chart a figure, in time with the other charts of the run."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import msgspec

from evidence.plugin_results import WatchedSeries
from evidence.run_model import LoadRun
from reports.charts import Figure, Mark, Period, Series, time_chart
from reports.words import number, plural, signed_percent

__all__ = ["WatchView", "view_watch"]

_MOST_FIGURES: Final = 24
_TITLES: Final = {"cpu": "Processor", "rss": "Memory", "fds": "Open files", "threads": "Threads"}
_PROCESS: Final = "pid "


class WatchView(msgspec.Struct, frozen=True, kw_only=True):
    """What the CSMS said of itself, ready to be shown."""

    figures: tuple[Figure, ...]
    notes: tuple[str, ...]


def view_watch(run: LoadRun, periods: Sequence[Period], marks: Sequence[Mark]) -> WatchView | None:
    """Prepare the figures, those of processes first and then those that grew most; None where nobody watched."""
    watch = run.watch
    if not watch.series and not watch.problems:
        return None
    ordered = sorted(watch.series, key=lambda one: (not one.source.startswith(_PROCESS), -abs(one.growth or 0.0)))
    shown, more = ordered[:_MOST_FIGURES], len(ordered) - _MOST_FIGURES
    notes = list(watch.problems)
    if more > 0:
        notes.append(f"{plural(more, 'further figure')} that changed less: see watch in run.json.")
    return WatchView(figures=tuple(_figure(one, periods, marks) for one in shown), notes=tuple(notes))


def _figure(one: WatchedSeries, periods: Sequence[Period], marks: Sequence[Mark]) -> Figure:
    of_process = one.source.startswith(_PROCESS)
    unit = "% of one core" if of_process and one.name == "cpu" else one.unit
    said = [one.source]
    if one.mean is not None:
        said.append(f"mean {number(one.mean)} {unit}".rstrip())
    if one.most is not None:
        said.append(f"at most {number(one.most)} {unit}".rstrip())
    if one.growth is not None:
        said.append(f"from the beginning to the end of the measurement {signed_percent(one.growth)}")
    return time_chart(
        _TITLES.get(one.name, one.name) if of_process else one.name,
        f"{', '.join(said)}.",
        [Series(one.name, "s3", tuple(one.points), filled=True)],
        unit=unit,
        periods=periods,
        marks=marks,
    )
