from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evidence.histogram import Histogram, Tag
from evidence.vocabulary import MEASURE, RAMP, TO_CSMS
from loadtest.measuring.merged import INTERVAL, Merged, Spell
from loadtest.measuring.recorder import Delta, Key

pytestmark = pytest.mark.waits(0.1)

KEY: Key = ("1.6", "Heartbeat", TO_CSMS, "accepted")

LOST = [
    ("closed-by-csms", 1011, "out of memory", "Heartbeat", 2, 1_000, 1_007),
    ("lost", 1006, "", "", 1, 1_003, 1_003),
]


def delta(counts: dict[int, int] | None = None, window: str = MEASURE, key: Key = KEY, **rest: Any) -> Delta:
    windows = {} if counts is None else {window: [(*key, counts, counts)]}
    delta = Delta(
        windows=windows,
        rows=[],
        faults={},
        connections={},
        lost=[],
        callerrors=[],
        offered={},
        injected={},
        activity={},
        notes=[],
    )
    delta.update(rest)  # type: ignore[typeddict-item]  # the tests name the fields themselves
    return delta


COUNTS = st.dictionaries(st.integers(0, 20_000), st.integers(1, 1000), max_size=8)


@given(st.lists(COUNTS, max_size=8))
def test_merging_adds_to_the_unit(parts: list[dict[int, int]]) -> None:
    merged, expected = Merged(), Histogram()
    for part in parts:
        assert merged.add(delta(part), 0.0) == sum(part.values())
        expected.merge(part)
    assert merged.calls == expected.count
    if KEY in merged.windows.get(MEASURE, {}):
        assert merged.windows[MEASURE][KEY].response.counts == expected.counts
        assert merged.windows[MEASURE][KEY].service.counts == expected.counts


@given(st.lists(st.tuples(COUNTS, st.floats(0, 20_000)), max_size=12))
def test_intervals_together_hold_what_the_windows_hold(parts: list[tuple[dict[int, int], float]]) -> None:
    merged = Merged()
    for part, elapsed in sorted(parts, key=lambda item: item[1]):
        merged.add(delta(part), elapsed)
    lines = list(merged.intervals(MEASURE))
    assert [line.start for line in lines] == sorted(line.start for line in lines)
    for kind in ("service", "response"):
        total = Histogram()
        for line in lines:
            if Tag.parse(line.tag).kind == kind:
                total.merge(line.histogram.counts)
        assert total.count == merged.calls


def test_a_run_of_days_joins_its_intervals_and_keeps_every_count() -> None:
    merged = Merged()
    for step in range(3000):
        merged.add(delta({step % 7: 1}), step * INTERVAL)
    lines = [line for line in merged.intervals(MEASURE) if Tag.parse(line.tag).kind == "response"]
    assert len(lines) < 400
    assert sum(line.histogram.count for line in lines) == 3000
    assert lines[-1].seconds > INTERVAL
    assert lines[-1].start + lines[-1].seconds >= 2999 * INTERVAL


def test_each_window_has_its_own_intervals() -> None:
    merged = Merged()
    merged.add(delta({1: 5}, RAMP), 1.0)
    merged.add(delta({1: 7}, MEASURE), 2.0)
    assert [line.histogram.count for line in merged.intervals(RAMP)] == [5, 5]
    assert [line.histogram.count for line in merged.intervals(MEASURE)] == [7, 7]


def test_a_series_without_service_times_has_no_line_for_them() -> None:
    merged = Merged()
    merged.add(delta(windows={MEASURE: [(*KEY, {}, {5: 1})]}), 0.0)
    assert [Tag.parse(line.tag).kind for line in merged.intervals(MEASURE)] == ["response"]


def test_the_same_second_of_two_workers_is_added() -> None:
    merged = Merged()
    merged.add(delta(rows=[(100, 5, 1, 10, 9, 2, 4), (101, 6, 0, 10, 10, 0, 0)]), 0.0)
    merged.add(delta(rows=[(100, 2, 0, 20, 20, 1, 7)]), 0.0)
    assert [tuple(second) for second in merged.seconds()] == [(100, 7, 1, 30, 29, 3, 11), (101, 6, 0, 10, 10, 0, 0)]
    latest = merged.latest()
    assert latest is not None
    assert latest.t == 100


def test_counters_are_added() -> None:
    merged = Merged()
    for _ in range(2):
        merged.add(delta(faults={"late": 2}, connections={"opened": 3}, lost=LOST, offered={MEASURE: 4}), 0.0)
    assert (merged.faults, merged.connections, merged.lost) == ({"late": 4}, {"opened": 6}, 6)
    assert merged.losses == {
        ("closed-by-csms", 1011, "out of memory", "Heartbeat"): Spell(4, 1_000, 1_007),
        ("lost", 1006, "", ""): Spell(2, 1_003, 1_003),
    }
    assert merged.offered == {MEASURE: 8}


def test_callerrors_of_two_workers_are_added_by_their_text() -> None:
    merged = Merged()
    row = ("1.6", "StartTransaction", TO_CSMS, "InternalError", "deadlock detected")
    merged.add(delta(callerrors=[(*row, 2, 1_004, 1_009)]), 0.0)
    merged.add(delta(callerrors=[(*row, 3, 1_001, 1_006), (*row[:4], "out of disk", 1, 1_007, 1_007)]), 1.0)
    assert merged.callerrors == {row: Spell(5, 1_001, 1_009), (*row[:4], "out of disk"): Spell(1, 1_007, 1_007)}


def test_recent_latencies_are_those_of_the_last_five_seconds() -> None:
    merged = Merged()
    merged.add(delta({1: 100}), 0.0)
    merged.add(delta({50: 3}, RAMP), 7.0)
    merged.add(delta({60: 4}), 8.5)
    assert [(key, histogram.counts) for key, histogram in merged.recent()] == [(KEY, {50: 3}), (KEY, {60: 4})]


def test_nothing_recorded_means_no_latest_second() -> None:
    assert Merged().latest() is None
    assert Merged().seconds() == []


@pytest.mark.parametrize("elapsed", [0.0, INTERVAL / 2, INTERVAL - 0.001])
def test_what_comes_within_an_interval_is_one_line(elapsed: float) -> None:
    merged = Merged()
    merged.add(delta({1: 1}), 0.0)
    merged.add(delta({1: 1}), elapsed)
    assert [(line.start, line.histogram.count) for line in merged.intervals(MEASURE)] == [(0.0, 2), (0.0, 2)]
