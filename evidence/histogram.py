"""Latency histograms with three significant digits, and the HDR log files (`*.hlog`) that keep them.

A `Histogram` has the bucket layout of `HdrHistogram(1, 86_400_000_000, 3)`: values are whole microseconds, the first
2,048 buckets are one microsecond wide, and every following 1,024 are twice as wide as those before. So it converts to
the `hdrhistogram` library and back without loss, and it records in a fraction of the library's time.

Where a hot path cannot afford the call, it does what `Histogram.record` does to `Histogram.counts` itself.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote, unquote

from hdrh.histogram import HdrHistogram
from hdrh.log import HistogramLogReader

from ocppj.errors import UsageError

__all__ = [
    "HIGHEST_TRACKABLE",
    "Histogram",
    "Interval",
    "Tag",
    "bucket_index",
    "highest_in_bucket",
    "lowest_in_bucket",
    "read_hlog",
    "write_hlog",
]

HIGHEST_TRACKABLE = 86_400_000_000
"""A day in µs; what lasted longer keeps its bucket here and moves to the last bucket in a file."""

_DIGITS = 3
_LINEAR = 2048
_HALF_BITS = 10
_HALF = 1 << _HALF_BITS
_LAST_INDEX = HdrHistogram(1, HIGHEST_TRACKABLE, _DIGITS).counts_len - 1


def bucket_index(microseconds: int) -> int:
    """Return the bucket of a value; a negative one, which only a broken clock gives, counts as 0."""
    if microseconds < _LINEAR:
        return max(microseconds, 0)
    shift = microseconds.bit_length() - _HALF_BITS - 1
    return (shift << _HALF_BITS) + (microseconds >> shift)


def lowest_in_bucket(index: int) -> int:
    """Return the smallest value of a bucket in µs."""
    if index < _LINEAR:
        return index
    return ((index & (_HALF - 1)) + _HALF) << ((index >> _HALF_BITS) - 1)


def highest_in_bucket(index: int) -> int:
    """Return the greatest value of a bucket in µs."""
    return lowest_in_bucket(index) + _width(index) - 1


def _width(index: int) -> int:
    return 1 if index < _LINEAR else 1 << ((index >> _HALF_BITS) - 1)


class Histogram:
    """Counts of values in µs, by bucket; merging is addition and loses nothing."""

    __slots__ = ("counts",)

    def __init__(self, counts: Mapping[int, int] | None = None) -> None:
        """Start empty, or with the sparse counts of another histogram: bucket index to count."""
        self.counts: defaultdict[int, int] = defaultdict(int, counts or {})

    def record(self, microseconds: int, count: int = 1) -> None:
        """Count a value."""
        if microseconds >= _LINEAR:
            shift = microseconds.bit_length() - 11
            microseconds = (shift << 10) + (microseconds >> shift)
        elif microseconds < 0:
            microseconds = 0
        self.counts[microseconds] += count

    def merge(self, counts: Mapping[int, int]) -> None:
        """Add the sparse counts of another histogram."""
        own = self.counts
        for index, count in counts.items():
            own[index] += count

    def take(self) -> dict[int, int]:
        """Return the sparse counts and start again from nothing."""
        counts = dict(self.counts)
        self.counts.clear()
        return counts

    @property
    def count(self) -> int:
        """How many values were recorded."""
        return sum(self.counts.values())

    @property
    def min(self) -> int:
        """The smallest value in µs, to three digits; 0 where nothing was recorded."""
        return lowest_in_bucket(min(self.counts)) if self.counts else 0

    @property
    def max(self) -> int:
        """The greatest value in µs, to three digits and never below what was recorded; 0 where nothing was."""
        return highest_in_bucket(max(self.counts)) if self.counts else 0

    @property
    def mean(self) -> float:
        """The mean in µs, each value taken as the middle of its bucket; 0 where nothing was recorded."""
        total = self.count
        if not total:
            return 0.0
        return sum((lowest_in_bucket(i) + (_width(i) >> 1)) * n for i, n in self.counts.items()) / total

    def percentile(self, q: float) -> int:
        """Return the value in µs that `q` percent of all values do not exceed; 0 where nothing was recorded."""
        return self.percentiles((q,))[0]

    def percentiles(self, wanted: Iterable[float]) -> list[int]:
        """Return several percentiles, asked for in rising order, in one pass."""
        buckets = sorted(self.counts.items())
        total = self.count
        values: list[int] = []
        position = seen = 0
        for q in wanted:
            target = max(int(min(q, 100.0) * total / 100 + 0.5), 1)
            while seen < target and position < len(buckets):
                seen += buckets[position][1]
                position += 1
            if not position:
                values.append(0)
            else:
                index = buckets[position - 1][0]
                values.append(highest_in_bucket(index) if q else lowest_in_bucket(index))
        return values

    def to_hdr(self) -> HdrHistogram:
        """Convert to the `hdrhistogram` library."""
        hdr = HdrHistogram(1, HIGHEST_TRACKABLE, _DIGITS)
        for index, count in self.counts.items():
            hdr.record_value(lowest_in_bucket(min(index, _LAST_INDEX)), count)
        return hdr

    @classmethod
    def from_hdr(cls, hdr: HdrHistogram) -> Histogram:
        """Convert from the `hdrhistogram` library, whatever range and precision the other side chose."""
        if hdr.unit_magnitude == 0 and hdr.sub_bucket_count == _LINEAR:
            first, last = bucket_index(hdr.get_min_value()), bucket_index(hdr.get_max_value())
            return cls({index: count for index, count in enumerate(hdr.counts[first : last + 1], first) if count})
        histogram = cls()
        for item in hdr.get_recorded_iterator():
            histogram.record(hdr.get_lowest_equivalent_value(item.value_iterated_to), item.count_at_value_iterated_to)
        return histogram


class Tag(NamedTuple):
    """What a histogram in a log is about: the CALLs of one action, direction and outcome, and which latency."""

    ocpp: str
    action: str
    direction: str
    outcome: str
    kind: str
    """`service` from the frame written to its answer, `response` from when the schedule intended it."""

    def __str__(self) -> str:
        """Write the tag as it stands in the file: its parts between slashes, without commas and white space."""
        return "/".join(quote(part, safe=":") for part in self)

    @classmethod
    def parse(cls, text: str) -> Tag:
        """Read what `str` wrote; raises `ValueError` for a tag of another tool."""
        return cls(*_five(text.split("/")))


def _five(parts: list[str]) -> tuple[str, str, str, str, str]:
    ocpp, action, direction, outcome, kind = map(unquote, parts)
    return ocpp, action, direction, outcome, kind


class Interval(NamedTuple):
    """One line of an HDR log: the values of one tag within `seconds` from `start` (seconds since the log began)."""

    tag: str
    start: float
    seconds: float
    histogram: Histogram


def write_hlog(path: Path, intervals: Iterable[Interval], *, started: float) -> None:
    """Write an HDR log of format 1.2, values in µs and the column Interval_Max in ms.

    `started` is seconds since 1970. The intervals come in the order of their start. Raises `UsageError` when the disk
    refuses. The library's own writer knows no tags, so only the payload of each line is the library's.
    """
    began = datetime.fromtimestamp(started, UTC).isoformat(" ", "milliseconds")
    try:
        with path.open("w", encoding="ascii") as file:
            file.write("#[Histogram log format version 1.2]\n")
            file.write(f"#[StartTime: {started:.3f} (seconds since epoch), {began}]\n")
            file.write(f"#[BaseTime: {started:.3f} (seconds since epoch)]\n")
            file.write('"StartTimestamp","Interval_Length","Interval_Max","Interval_Compressed_Histogram"\n')
            for tag, start, seconds, histogram in intervals:
                payload = histogram.to_hdr().encode().decode("ascii")
                highest = histogram.max / 1000
                file.write(f"Tag={tag},{start:.3f},{seconds:.3f},{highest:.3f},{payload}\n")
    except OSError as error:
        raise UsageError(f"{path} cannot be written: {error.strerror}") from None


def read_hlog(path: Path) -> Iterator[Interval]:
    """Read an HDR log of any tool; `start` is relative to the log's own StartTime, an untagged line has the tag ''."""
    reader = HistogramLogReader(str(path), HdrHistogram(1, HIGHEST_TRACKABLE, _DIGITS))
    try:
        while (hdr := reader.get_next_interval_histogram()) is not None:
            start = hdr.get_start_time_stamp() / 1000
            seconds = hdr.get_end_time_stamp() / 1000 - start
            yield Interval(
                hdr.get_tag() or "",
                round(start - reader.get_start_time_sec(), 3),
                round(seconds, 3),
                Histogram.from_hdr(hdr),
            )
    finally:
        reader.close()
