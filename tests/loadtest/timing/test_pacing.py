from __future__ import annotations

import itertools
from collections import Counter
from math import isclose
from zlib import crc32

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadtest.timing.pacing import ConnectPacer, Draws, next_in_phase, van_der_corput


def test_the_sequence_begins_as_van_der_corput_wrote_it() -> None:
    assert [van_der_corput(n) for n in range(8)] == [0, 1 / 2, 1 / 4, 3 / 4, 1 / 8, 5 / 8, 3 / 8, 7 / 8]


@pytest.mark.parametrize("count", [10, 100, 1000, 1500])
def test_phases_of_any_fleet_are_spread_evenly(count: int) -> None:
    buckets = Counter(int(van_der_corput(n) * 10) for n in range(count))
    assert max(buckets.values()) - min(buckets.values()) <= 4


@given(st.floats(0, 1e6), st.floats(0.1, 1e4), st.floats(0, 1, exclude_max=True))
def test_the_next_time_is_in_phase_and_at_most_one_interval_away(now: float, interval: float, phase: float) -> None:
    when = next_in_phase(now, interval, phase)
    assert now < when + 1e-6
    assert when <= now + interval + 1e-6
    cycles = (when - phase * interval) / interval
    assert isclose(cycles, round(cycles), abs_tol=1e-6)


def test_stations_keep_their_distance_when_they_join_at_different_times() -> None:
    first = next_in_phase(1000.3, 60.0, van_der_corput(1))
    second = next_in_phase(2017.9, 60.0, van_der_corput(2))
    assert (first - second) % 60.0 == pytest.approx(15.0)


def test_draws_repeat_with_the_seed_and_differ_between_stations_and_streams() -> None:
    def five(*seed: object) -> list[float]:
        draws = Draws(*seed)  # type: ignore[arg-type]  # seed, station, stream
        return [draws.uniform() for _ in range(5)]

    assert five(7, "PS000001") == five(7, "PS000001")
    different = [five(7, "PS000001"), five(8, "PS000001"), five(7, "PS000002"), five(7, "PS000001", "other")]
    assert len({tuple(draws) for draws in different}) == 4


def test_draws_are_the_same_on_every_machine() -> None:
    assert Draws(42, "PS000001").bits() == 16262134702325289967


def test_draws_follow_splitmix64() -> None:
    # The name of the stream goes into its state; this seed takes it out again.
    name = b"/"
    draws = Draws((crc32(name) << 32) ^ crc32(name, 0x5EED), "")
    # The first outputs of the published generator for seed 0.
    assert [draws.bits(), draws.bits()] == [0xE220A8397B1DCDAF, 0x6E789E6AA1B965F4]


def test_draws_cover_their_range_evenly() -> None:
    draws = Draws(1, "station")
    values = [draws.between(10.0, 20.0) for _ in range(10_000)]
    assert min(values) >= 10.0
    assert max(values) < 20.0
    assert sum(values) / len(values) == pytest.approx(15.0, abs=0.15)
    assert set(Counter(draws.below(4) for _ in range(1000))) == {0, 1, 2, 3}
    waits = [draws.exponential(30.0) for _ in range(20_000)]
    assert sum(waits) / len(waits) == pytest.approx(30.0, rel=0.05)
    assert min(waits) >= 0.0


def run_pacer(arrivals: list[tuple[float, int]], step: float = 0.005, until: float = 10.0) -> list[float]:
    """Feed batches of (time, size) and return when each one was let go."""
    pacer: ConnectPacer[int] = ConnectPacer()
    released: list[float] = []
    pending = list(arrivals)
    for tick in range(int(until / step)):
        now = tick * step
        while pending and pending[0][0] <= now:
            _, size = pending.pop(0)
            for item in range(size):
                pacer.arrive(item, now)
        released += [now] * len(pacer.due(now))
    assert len(pacer) == 0
    return released


@pytest.mark.parametrize("jitter", [0.0, 0.03, -0.03])
def test_batches_of_a_second_become_a_stream_without_bursts(jitter: float) -> None:
    batches = [(second + (jitter if second else 0.0), 500) for second in range(6)]
    released = run_pacer(batches)
    assert len(released) == 3000
    buckets = Counter(int(when * 10) for when in released)
    mean = 3000 / (released[-1] - released[0]) / 10
    assert max(buckets.values()) <= 2 * mean


@pytest.mark.parametrize("takes", [0.1, 0.25, 0.4])
def test_batches_that_take_their_time_to_come_become_a_stream_of_the_same_pace(takes: float) -> None:
    slices = 50
    batches = [(second + takes * part / slices, 1000 // slices) for second in range(6) for part in range(slices)]
    released = run_pacer(batches)
    assert len(released) == 6000
    assert released[-1] - released[0] < 6.2
    buckets = Counter(int(when * 10) for when in released)
    assert max(buckets.values()) <= 1.6 * 100


def test_those_who_are_let_go_go_in_company_at_the_pace_that_was_asked_for() -> None:
    pacer: ConnectPacer[int] = ConnectPacer()
    for item in range(1000):
        pacer.arrive(item, 0.0)
    released = []
    while (now := pacer.next_at) is not None:
        released += [(now, len(pacer.due(now)))]
    waits = [later - earlier for (earlier, _), (later, _) in itertools.pairwise(released)]
    assert min(waits) == pytest.approx(pacer.rest)
    assert len(released) == pytest.approx(100, abs=2)
    assert max(size for _, size in released) <= 11
    assert released[-1][0] == pytest.approx(1.05, abs=0.02)


def test_nobody_waits_longer_than_a_window_after_a_single_batch() -> None:
    released = run_pacer([(0.0, 300)])
    assert len(released) == 300
    assert released[-1] <= 1.06


def test_a_single_arrival_goes_at_once() -> None:
    assert run_pacer([(0.0, 1)])[0] <= 0.06
    assert run_pacer([(0.0, 1), (5.0, 1)])[1] <= 5.06


def test_a_stalled_process_does_not_catch_up_in_a_burst() -> None:
    pacer: ConnectPacer[int] = ConnectPacer()
    for item in range(1000):
        pacer.arrive(item, 0.0)
    assert len(pacer.due(0.05)) == 1
    assert len(pacer.due(5.0)) <= 2
    released = [len(pacer.due(5.0 + tick / 100)) for tick in range(1, 11)]
    assert sum(released) == pytest.approx(100, abs=2)
    assert max(released) <= 11


def test_who_waits_is_let_go_in_the_order_of_arrival() -> None:
    pacer: ConnectPacer[int] = ConnectPacer()
    assert pacer.next_at is None
    for item in range(10):
        pacer.arrive(item, 0.0)
    assert pacer.next_at == pytest.approx(0.05)
    order = [item for tick in range(100) for item in pacer.due(tick * 0.02)]
    assert order == list(range(10))
