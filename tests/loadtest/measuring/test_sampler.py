from __future__ import annotations

import os
import time

import msgspec
import pytest

from evidence.histogram import Histogram
from evidence.vocabulary import MEASURE, RAMP
from loadtest.measuring.kernel import read_stolen
from loadtest.measuring.recorder import Recorder
from loadtest.measuring.sampler import PROBE_EVERY, Health, Sampler


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def sampler(clock: Clock) -> Sampler:
    return Sampler(Recorder(clock=clock), clock)


def health(sampler: Sampler) -> Health:
    return msgspec.convert(sampler.snapshot(), Health)


def probe(sampler: Sampler, clock: Clock, count: int, late: float = 0.0) -> None:
    for _ in range(count):
        clock.now += PROBE_EVERY + late
        sampler.probe()


def lag(sampler: Sampler, window: str = RAMP) -> Histogram:
    return Histogram(health(sampler).windows[window].lag)


def test_probes_in_time_show_no_lag(sampler: Sampler, clock: Clock) -> None:
    sampler.probe()
    probe(sampler, clock, 99)
    assert lag(sampler).count == 100
    assert lag(sampler).percentile(100) < 100
    assert health(sampler).windows == {} or health(sampler).windows[RAMP].stalls == 0


def test_late_probes_show_how_late(sampler: Sampler, clock: Clock) -> None:
    sampler.probe()
    probe(sampler, clock, 50, late=0.005)
    assert lag(sampler).percentile(50) == pytest.approx(5000, rel=0.01)


def test_a_stall_weighs_as_long_as_it_lasted(sampler: Sampler, clock: Clock) -> None:
    sampler.probe()
    probe(sampler, clock, 449)
    clock.now += 1.0
    sampler.probe()
    window = health(sampler).windows[RAMP]
    assert window.stalls == 1
    assert window.longest_stall == pytest.approx(1.0 - PROBE_EVERY)
    # One second of ten: the 90th percentile is where it begins, the 99th near its whole length.
    assert lag(sampler).count == pytest.approx(500, abs=2)
    assert lag(sampler).percentile(89) < 1000
    assert lag(sampler).percentile(99) > 800_000


def test_a_stall_is_not_counted_twice(sampler: Sampler, clock: Clock) -> None:
    sampler.probe()
    probe(sampler, clock, 1, late=0.5)
    probe(sampler, clock, 100)
    assert health(sampler).windows[RAMP].stalls == 1
    assert lag(sampler).percentile(50) < 1000


def test_each_window_has_its_own_facts(clock: Clock) -> None:
    recorder = Recorder(clock=clock)
    sampler = Sampler(recorder, clock)
    sampler.probe()
    probe(sampler, clock, 5, late=0.2)
    recorder.window(MEASURE)
    probe(sampler, clock, 5)
    assert health(sampler).windows[RAMP].stalls == 5
    assert lag(sampler, MEASURE).count == 5
    assert health(sampler).windows.get(MEASURE) is None or health(sampler).windows[MEASURE].stalls == 0


def test_processor_time_is_counted() -> None:
    recorder = Recorder()
    recorder.window(MEASURE)
    sampler = Sampler(recorder)
    before = time.process_time()
    while time.process_time() < before + 0.05:
        sum(range(1000))
    sampler.sample()
    window = health(sampler).windows[MEASURE]
    assert 0.05 <= window.cpu <= window.seconds + 0.05
    assert window.waited >= 0


def test_descriptors_and_memory_are_watched(sampler: Sampler) -> None:
    opened = [os.open("/dev/null", os.O_RDONLY) for _ in range(50)]
    try:
        sampler.sample()
    finally:
        for descriptor in opened:
            os.close(descriptor)
    seen = health(sampler)
    assert 50 < seen.descriptors <= seen.descriptor_limit
    assert seen.rss >= seen.rss_idle > 2**20
    assert seen.ports > 1000
    assert seen.pid == os.getpid()


def test_a_restart_forgets_the_run_before(sampler: Sampler, clock: Clock) -> None:
    sampler.probe()
    probe(sampler, clock, 5, late=0.2)
    sampler.error()
    sampler.restart()
    assert health(sampler).windows == {}
    assert health(sampler).errors == 0


def test_time_that_the_host_took_is_that_of_a_processor_on_the_average() -> None:
    stat = "cpu  10 0 10 100 0 0 0 400 0 0\ncpu0 5 0 5 50 0 0 0 300 0 0\ncpu1 5 0 5 50 0 0 0 100 0 0\nctxt 7\n"
    assert read_stolen(stat, ticks=100) == 2.0
