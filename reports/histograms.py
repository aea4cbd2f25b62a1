"""The histogram files of a load run, merged as a report needs them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import msgspec

from evidence.histogram import Histogram, Tag, read_hlog
from evidence.vocabulary import MEASURE
from reports.latency_charts import CURVE, MAXIMUM

__all__ = ["Histograms", "Windowed", "curve", "merge", "read_histograms"]

_LEAST_ABOVE = 0.5


class Windowed(msgspec.Struct, frozen=True):
    """The values of one interval of a log, `start` in seconds since the log began."""

    start: float
    histogram: Histogram


class Histograms(msgspec.Struct, frozen=True):
    """All series of a run by their tag, each with its intervals in the order of the file."""

    series: dict[Tag, list[Windowed]]
    unreadable: tuple[str, ...] = ()
    """Names of files that could not be read to their end."""

    def select(self, ocpp: str, action: str, direction: str, kind: str) -> list[Windowed]:
        """Give every interval of one action and clock, whatever the outcome."""
        return [
            window
            for tag, windows in self.series.items()
            if (tag.ocpp, tag.action, tag.direction, tag.kind) == (ocpp, action, direction, kind)
            for window in windows
        ]

    def merged(self, ocpp: str, action: str, direction: str, kind: str) -> Histogram:
        """Merge one action and clock over all outcomes, so that time-outs count as at least their time-out."""
        return merge([window.histogram for window in self.select(ocpp, action, direction, kind)])


def merge(histograms: Sequence[Histogram]) -> Histogram:
    """Add histograms up."""
    total = Histogram()
    for histogram in histograms:
        total.merge(histogram.counts)
    return total


def curve(histogram: Histogram) -> dict[float, float]:
    """Read the percentiles of a curve off a histogram in ms; those that rest on less than half a value are left out."""
    total = histogram.count
    if not total:
        return {}
    wanted = [q for q in CURVE if q == MAXIMUM or (1 - q / 100) * total >= _LEAST_ABOVE]
    return {q: value / 1000 for q, value in zip(wanted, histogram.percentiles(wanted), strict=True)}


def read_histograms(folder: Path, *, every_window: bool = False) -> Histograms:
    """Read the HDR logs of the window that is judged, or all where it has none; a damaged one up to the damage."""
    files = sorted((folder / "histograms").glob("*.hlog"))
    measured = [] if every_window else [file for file in files if MEASURE in file.stem]
    series: dict[Tag, list[Windowed]] = {}
    unreadable = []
    for file in measured or files:
        try:
            for interval in read_hlog(file):
                tag = Tag.parse(interval.tag)
                series.setdefault(tag, []).append(Windowed(interval.start, interval.histogram))
        except Exception:  # noqa: BLE001 - the decoder raises whatever its layers raise; the page says which file it was
            unreadable.append(file.name)
    return Histograms(series, tuple(unreadable))
