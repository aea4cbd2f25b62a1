"""What the run itself injects counts against nobody: as no failure, in no latency, as no station that is gone."""

from __future__ import annotations

import msgspec
import pytest

from evidence.injected_words import injected_sentences
from evidence.run_model import Generator
from evidence.vocabulary import MEASURE, STAYS_AWAY, TO_CSMS, TRIGGER_LOOP, is_failure
from loadtest.judging.result import Course, at_end, build_run, slo_figures
from loadtest.judging.settings import Settings
from loadtest.judging.slo import Threshold, measure
from loadtest.judging.slo_built_in import built_in, judge_built_in
from loadtest.judging.slo_expression import parse
from loadtest.measuring.merged import Merged
from loadtest.measuring.recorder import Recorder
from loadtest.plugins.quantities import QUANTITIES
from ocppj.outcomes import Outcome, as_seen, injected

STARTED = 1_700_000_000.0
VALID = Generator(verdict="VALID", reasons=[])
SETTINGS = Settings(url="ws://127.0.0.1:9000/ocpp", ocpp=["1.6"], stations=10, seed=7)


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def merged_with(outcome: str, *, away: int = 0) -> Merged:
    """Ten seconds with ten stations: every second Heartbeat ends so after 30 s, the others after 10 ms."""
    clock = Clock()
    recorder = Recorder(clock=clock, wall=STARTED)
    recorder.connected(+10)
    recorder.booted(+10)
    recorder.window(MEASURE)
    merged = Merged()
    for second in range(10):
        clock.now = float(second)
        for _ in range(10):
            recorder.call("1.6", "Heartbeat", TO_CSMS, "accepted", 0.01, 0.01, clock.now + 0.01)
            recorder.call("1.6", "Heartbeat", TO_CSMS, outcome, 30.0, 30.0, clock.now + 30.0)
        merged.add(recorder.take(), clock.now)
    clock.now = 50.0
    for _ in range(away):
        recorder.injected(f"{STAYS_AWAY}close")
    recorder.booted(-away)
    for second in range(60, 70):
        clock.now = float(second)
        recorder.booted(0)
    merged.add(recorder.take(final=True), 70.0)
    return merged


COURSE = Course(started=STARTED, finished=STARTED + 70, windows=[(MEASURE, STARTED - 30)], stations=10)


def value(merged: Merged, text: str) -> float | None:
    figures = slo_figures(merged, SETTINGS, COURSE, window=lambda name: merged.windows.get(name, {}))
    return measure(Threshold(expression=parse(text, QUANTITIES)), figures).value


def test_an_injected_end_is_no_failure_and_keeps_how_the_station_saw_it() -> None:
    assert is_failure(Outcome.TIMEOUT)
    assert not is_failure(Outcome.INJECTED)
    assert as_seen(injected(Outcome.LOST)) == Outcome.LOST
    assert as_seen(Outcome.TIMEOUT) == Outcome.TIMEOUT


@pytest.mark.parametrize(("outcome", "failed", "slow"), [("timeout", 0.5, True), ("injected", 0.0, False)])
def test_latencies_and_errors_hold_what_the_csms_did_and_no_injected_end(
    outcome: str,
    failed: float,
    slow: bool,  # noqa: FBT001 - a parameter of the test
) -> None:
    merged = merged_with(outcome)
    assert value(merged, "Heartbeat errors < 1 %") == failed
    p99 = value(merged, "Heartbeat response p99 < 1 s")
    assert p99 is not None
    assert (p99 > 29_000) == slow
    run = build_run(merged, SETTINGS, COURSE, VALID)
    (row,) = run.actions
    assert row.count == 200
    assert row.outcomes == {"accepted": 100, outcome: 100}
    assert row.response_ms is not None
    assert (row.response_ms.p99 > 29_000) == slow


def test_injected_ends_can_be_an_objective_of_their_own() -> None:
    assert value(merged_with("injected"), "Heartbeat injected < 1 %") == 0.5


@pytest.mark.parametrize(("away", "missed"), [(0, 0), (3, 0)])
def test_stations_that_stay_away_by_themselves_are_not_missing(away: int, missed: int) -> None:
    merged = merged_with("accepted", away=away)
    end = at_end(merged, COURSE)
    assert end.had_been_accepted == 10 - away
    assert end.had_been_accepted - end.accepted == missed
    figures = slo_figures(merged, SETTINGS, COURSE, end=end, window=lambda name: merged.windows.get(name, {}))
    results = {one.built_in: one for one in judge_built_in(built_in({}, ()), figures)}
    assert results["stays-accepted"].passed


def test_the_result_says_what_was_injected_and_names_a_loop_of_the_csms() -> None:
    run = build_run(merged_with("injected", away=2), SETTINGS, COURSE, VALID)
    assert run.injected == {f"{STAYS_AWAY}close": 2}
    assert injected_sentences(run) == [
        "Injected by the run itself, and no fault of the CSMS: 2 × stays away after: close."
    ]
    looping = msgspec.structs.replace(run, faults={TRIGGER_LOOP: 7}, injected={})
    (sentence,) = injected_sentences(looping)
    assert sentence.startswith("The CSMS keeps stations in a loop: 7 times")
    assert injected_sentences(msgspec.structs.replace(run, injected={})) == []
