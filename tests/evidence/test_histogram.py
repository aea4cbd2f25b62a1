from __future__ import annotations

from pathlib import Path

import pytest
from hdrh.histogram import HdrHistogram
from hdrh.log import HistogramLogReader
from hypothesis import given, settings
from hypothesis import strategies as st

from evidence.histogram import (
    HIGHEST_TRACKABLE,
    Histogram,
    Interval,
    Tag,
    bucket_index,
    highest_in_bucket,
    lowest_in_bucket,
    read_hlog,
    write_hlog,
)
from ocppj.errors import UsageError

# Latencies cluster at a few magnitudes; plain integers of the whole range would hardly ever share a bucket.
MICROSECONDS = st.integers(0, 36).flatmap(lambda bits: st.integers(0, min((1 << bits) + 40, HIGHEST_TRACKABLE)))
VALUES = st.lists(MICROSECONDS, max_size=60)
# The library walks through all its 28,672 buckets in Python.
slow_library = settings(max_examples=settings().max_examples * 3 // 10)
PERCENTILES = (0.0, 1.0, 25.0, 50.0, 90.0, 99.0, 99.9, 99.99, 100.0)


def recorded(values: list[int]) -> Histogram:
    histogram = Histogram()
    for value in values:
        histogram.record(value)
    return histogram


def library(values: list[int]) -> HdrHistogram:
    hdr = HdrHistogram(1, HIGHEST_TRACKABLE, 3)
    for value in values:
        assert hdr.record_value(value)
    return hdr


@given(MICROSECONDS)
def test_bucket_of_a_value_is_the_librarys(value: int) -> None:
    assert bucket_index(value) == HdrHistogram(1, HIGHEST_TRACKABLE, 3).get_counts_array_index(value)


@given(MICROSECONDS)
def test_bucket_holds_its_value_within_three_digits(value: int) -> None:
    low, high = lowest_in_bucket(bucket_index(value)), highest_in_bucket(bucket_index(value))
    assert low <= value <= high
    assert high - low <= value / 1000


@slow_library
@given(VALUES)
def test_percentiles_are_the_librarys(values: list[int]) -> None:
    histogram, hdr = recorded(values), library(values)
    theirs = hdr.get_percentile_to_value_dict(PERCENTILES) if values else dict.fromkeys(PERCENTILES, 0)
    assert {q: histogram.percentile(q) for q in PERCENTILES} == theirs
    assert histogram.percentiles(PERCENTILES) == [histogram.percentile(q) for q in PERCENTILES]


@slow_library
@given(VALUES)
def test_count_mean_and_extremes_are_the_librarys(values: list[int]) -> None:
    histogram, hdr = recorded(values), library(values)
    assert histogram.count == len(values)
    assert histogram.mean == pytest.approx(hdr.get_mean_value())
    assert histogram.max == hdr.get_max_value()
    assert histogram.min == hdr.get_min_value()


@given(VALUES, VALUES)
def test_merging_equals_recording_everything_in_one(first: list[int], second: list[int]) -> None:
    merged = recorded(first)
    merged.merge(recorded(second).counts)
    assert merged.counts == recorded(first + second).counts


@slow_library
@given(VALUES)
def test_conversion_to_the_library_and_back_loses_nothing(values: list[int]) -> None:
    hdr = recorded(values).to_hdr()
    assert {i: n for i, n in enumerate(hdr.counts) if n} == {i: n for i, n in enumerate(library(values).counts) if n}
    assert Histogram.from_hdr(hdr).counts == recorded(values).counts
    assert Histogram.from_hdr(HdrHistogram.decode(hdr.encode())).counts == recorded(values).counts


def test_a_histogram_of_other_precision_is_read_too() -> None:
    hdr = HdrHistogram(1, 3_600_000_000, 2)
    hdr.record_value(100, 5)
    assert Histogram.from_hdr(hdr).count == 5
    assert Histogram.from_hdr(hdr).percentile(50) == 100


def test_counts_are_added() -> None:
    histogram = Histogram()
    histogram.record(5000, 7)
    histogram.record(5000)
    assert histogram.count == 8


def test_taking_returns_everything_and_leaves_nothing() -> None:
    histogram = recorded([1, 1, 90_000])
    taken = histogram.take()
    assert Histogram(taken).count == 3
    assert histogram.count == 0
    histogram.record(1)
    assert histogram.take() == {1: 1}


def test_a_negative_value_counts_as_zero() -> None:
    histogram = recorded([-3])
    assert dict(histogram.counts) == {0: 1}
    assert bucket_index(-3) == 0


def test_longer_than_a_day_moves_to_the_last_bucket_of_a_file() -> None:
    histogram = recorded([HIGHEST_TRACKABLE * 10])
    assert histogram.max >= HIGHEST_TRACKABLE * 10
    assert histogram.to_hdr().get_total_count() == 1


def test_an_empty_histogram_has_zeros() -> None:
    histogram = Histogram()
    assert (histogram.count, histogram.min, histogram.max, histogram.mean, histogram.percentile(99)) == (0, 0, 0, 0, 0)


@given(st.tuples(*[st.text(min_size=1)] * 5))
def test_a_tag_survives_its_text_whatever_a_peer_called_itself(parts: tuple[str, str, str, str, str]) -> None:
    if any(0xD800 <= ord(character) <= 0xDFFF for part in parts for character in part):
        return
    text = str(Tag(*parts))
    assert text.isascii()
    assert not set(text) & set(", \t\r\n")
    assert Tag.parse(text) == Tag(*parts)


def test_a_tag_of_another_tool_is_no_tag() -> None:
    with pytest.raises(ValueError, match="values to unpack"):
        Tag.parse("GET")


TAG = str(Tag("1.6", "Heartbeat", "station-to-csms", "accepted", "service"))


def test_log_reads_back_as_written(tmp_path: Path) -> None:
    path = tmp_path / "measure.hlog"
    written = [
        Interval(TAG, 0.0, 10.0, recorded([900, 1200, 4_000_000])),
        Interval("other", 0.0, 10.0, recorded([5])),
        Interval(TAG, 10.0, 10.0, recorded([700] * 3)),
    ]
    write_hlog(path, written, started=1_700_000_000.25)
    read = list(read_hlog(path))
    assert [(line.tag, line.start, line.seconds, line.histogram.counts) for line in read] == [
        (line.tag, line.start, line.seconds, line.histogram.counts) for line in written
    ]


def test_log_is_what_the_library_reads(tmp_path: Path) -> None:
    path = tmp_path / "measure.hlog"
    write_hlog(path, [Interval(TAG, 20.0, 10.0, recorded([1000, 2000, 3000]))], started=1_700_000_000.0)
    reader = HistogramLogReader(str(path), HdrHistogram(1, HIGHEST_TRACKABLE, 3))
    hdr = reader.get_next_interval_histogram()
    assert reader.get_next_interval_histogram() is None
    reader.close()
    assert hdr.get_tag() == TAG
    assert hdr.get_total_count() == 3
    assert hdr.get_max_value() == library([1000, 2000, 3000]).get_max_value()
    assert hdr.get_value_at_percentile(50) == library([1000, 2000, 3000]).get_value_at_percentile(50)
    assert (hdr.get_start_time_stamp(), hdr.get_end_time_stamp()) == (1_700_000_020_000, 1_700_000_030_000)


def test_a_line_of_the_log_is_plain_to_other_readers(tmp_path: Path) -> None:
    path = tmp_path / "measure.hlog"
    write_hlog(path, [Interval(TAG, 0.0, 10.0, recorded([1_999]))], started=1_700_000_000.0)
    *head, line = path.read_text().splitlines()
    assert head[0] == "#[Histogram log format version 1.2]"
    assert line.startswith(f"Tag={TAG},0.000,10.000,1.999,HIST")


def test_a_log_that_cannot_be_written_says_so(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot be written"):
        write_hlog(tmp_path / "missing" / "x.hlog", [], started=0.0)
