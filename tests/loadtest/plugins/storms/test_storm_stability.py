from __future__ import annotations

from typing import Any

import pytest

from evidence.vocabulary import TO_CSMS
from loadtest.measuring.recorder import Delta, Recorder
from loadtest.plugins.storms.stability import Sample, Seconds, compare


def sample(**changes: Any) -> Sample:
    usual = Sample(seconds=10, calls=1000, failed=2, offered=1000, p99_ms=20.0, booted=500.0, connects=0)
    return usual._replace(**changes)


@pytest.mark.parametrize(
    ("after", "reason"),
    [
        (sample(), None),
        (sample(calls=500, offered=500), None),  # less falls due at another hour
        (sample(p99_ms=60.0), None),  # as fast for anybody who waits for it
        (sample(booted=496.0), None),
        (sample(failed=11), None),
        (sample(calls=700), "700 CALLs ended of 1000 that fell due"),
        (sample(failed=200), "20.0% of the CALLs fail"),
        (sample(p99_ms=400.0), "p99 is 400 ms, it was 20 ms"),
        (sample(booted=430.0), "430 stations are accepted, 500 were"),
        (sample(connects=200), "stations still reconnect, 20.0 a second"),
    ],
)
def test_a_csms_has_recovered_when_it_is_as_before(after: Sample, reason: str | None) -> None:
    verdict = compare(sample(), after, struck=500, unrecovered=0)
    assert verdict.recovered is (reason is None)
    assert ", ".join(verdict.reasons).startswith(reason or "")
    assert len(verdict.reasons) == (reason is not None)


def test_a_metastable_csms_is_found_though_every_station_is_back() -> None:
    # Time-outs and retries keep it busy: stations are accepted, give up, connect again.
    after = sample(calls=1400, offered=1900, failed=900, p99_ms=30_000.0, connects=120, booted=498.0)
    verdict = compare(sample(), after, struck=500, unrecovered=0)
    assert verdict.recovered is False
    assert len(verdict.reasons) == 4


def test_stations_that_stay_away_are_no_recovery_but_one_in_a_thousand_is() -> None:
    assert compare(sample(), sample(), struck=5000, unrecovered=5).recovered is True
    assert compare(sample(), sample(), struck=5000, unrecovered=6).recovered is False


def test_without_enough_time_there_is_no_verdict() -> None:
    assert compare(sample(), sample(seconds=2), struck=5, unrecovered=0).recovered is None
    assert compare(sample(seconds=0), sample(), struck=5, unrecovered=0).recovered is None
    assert compare(sample(seconds=0), sample(), struck=5, unrecovered=5).recovered is False


def test_a_fleet_that_says_little_is_judged_by_its_connections() -> None:
    quiet = sample(calls=3, failed=0, offered=3)
    assert compare(quiet, sample(calls=0, offered=0, failed=0, p99_ms=0.0), struck=500, unrecovered=0).recovered is True


class Clock:
    now = 100.5

    def __call__(self) -> float:
        return self.now


def recorded() -> tuple[Recorder, Clock]:
    clock = Clock()
    return Recorder(clock=clock, wall=1000.5), clock


def test_seconds_are_added_over_processes_and_cut_out_by_time() -> None:
    seconds = Seconds()
    for _ in range(2):
        recorder, clock = recorded()
        recorder.booted(+10)
        for _ in range(5):
            recorder.offered()
            recorder.call("1.6", "Heartbeat", TO_CSMS, "accepted", 0.010, 0.010)
            recorder.call("1.6", "Heartbeat", TO_CSMS, "timeout", 30.0, 30.0)
            recorder.fault("unreadable")
            clock.now += 1
        delta: Delta = recorder.take()
        seconds.add(delta, 2, started=1000.0)
    whole = seconds.sample(0.0, 5.0)
    assert (whole.seconds, whole.calls, whole.failed, whole.offered, whole.booted) == (5, 20, 10, 10, 20.0)
    assert whole.p99_ms == pytest.approx(10.0, rel=0.01)
    assert seconds.sample(0.5, 3.5).seconds == 2
    assert seconds.faults("unreadable", 0.0, 5.0) == 10
    assert seconds.faults("unreadable", 3.0, 5.0) == 0
    seconds.forget(before=3)
    assert seconds.sample(0.0, 5.0).seconds == 2


def test_answers_are_slower_only_by_more_than_the_generator_was_late() -> None:
    before, after = sample(p99_ms=97.0), sample(p99_ms=269.0)
    assert compare(before, after, struck=500, unrecovered=0).recovered is False
    assert compare(before, after, struck=500, unrecovered=0, lag_ms=80.0).recovered is False
    assert compare(before, after, struck=500, unrecovered=0, lag_ms=110.0).recovered is True
