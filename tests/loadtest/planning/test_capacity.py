from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evidence.capacity_model import CapacityFinding, Trial
from evidence.run_model import CallStats as Calls
from evidence.run_model import Generator, LoadRun, Percentiles, RunTarget, SloResult, Stations
from evidence.verdicts import RunVerdict
from loadtest.judging.slo import threshold
from loadtest.planning.capacity import (
    MOST_STRAIN,
    MOST_TRIALS,
    conclude,
    next_stations,
    strain,
    trial_of,
    with_booted,
)


def search(
    holds: Callable[[int, int], str], *, start: int = 50, most: int = 10_000, precision: float = 0.05
) -> tuple[CapacityFinding, list[Trial]]:
    """Search against a CSMS that is a function: stations and number of the trial to kept, missed or generator."""
    trials: list[Trial] = []
    while (stations := next_stations(trials, start=start, most=most, precision=precision)) is not None:
        word: Any = holds(stations, len(trials))
        trials.append(Trial(stations=stations, word=word, missed=["p99"] if word == "missed" else []))
    return conclude(trials, most=most), trials


def up_to(capacity: int) -> Callable[[int, int], str]:
    return lambda stations, _: "kept" if stations <= capacity else "missed"


@given(st.integers(0, 12_000), st.integers(1, 500), st.integers(1, 9000))
def test_any_capacity_is_found_within_the_precision(capacity: int, start: int, most: int) -> None:
    finding, trials = search(up_to(capacity), start=start, most=most)
    assert finding.stations <= capacity
    assert len(trials) < MOST_TRIALS
    if capacity >= most:
        assert (finding.stations, finding.limit) == (most, "maximum")
        return
    assert finding.limit == "csms"
    assert finding.missed_at is not None
    assert finding.missed_at > capacity
    assert finding.missed_at - finding.stations <= max(1, 0.05 * finding.missed_at)


def test_fleets_double_until_one_is_too_large() -> None:
    _, trials = search(up_to(700))
    assert [trial.stations for trial in trials][:5] == [50, 100, 200, 400, 800]


def test_both_sides_of_the_knee_are_tried_twice() -> None:
    finding, trials = search(up_to(700))
    tried = [trial.stations for trial in trials]
    assert tried.count(finding.stations) == 2
    assert finding.missed_at is not None
    assert tried.count(finding.missed_at) == 2
    assert (finding.kept, finding.of) == (2, 2)


def test_one_bad_trial_does_not_move_the_knee() -> None:
    """The third trial, with 200 stations, fails once for a reason of its own."""
    finding, _ = search(lambda stations, n: "missed" if n == 2 or stations > 700 else "kept")
    assert 660 <= finding.stations <= 700


def test_one_lucky_trial_does_not_move_the_knee() -> None:
    finding, _ = search(lambda stations, n: "kept" if n == 4 or stations <= 700 else "missed", most=3000)
    assert 660 <= finding.stations <= 700


def test_two_of_three_decide_at_the_knee() -> None:
    words = {50: iter(["kept", "missed", "kept"]), 51: iter(["missed", "missed"])}
    finding, trials = search(lambda stations, _: next(words[stations]), start=50, most=51)
    assert [trial.stations for trial in trials] == [50, 51, 50, 50, 51]
    assert (finding.stations, finding.kept, finding.of) == (50, 2, 3)


def test_a_csms_that_holds_nothing_is_told_so() -> None:
    finding, _ = search(up_to(0), start=8)
    assert (finding.stations, finding.missed_at, finding.limit) == (0, 1, "csms")
    assert "did not hold" in finding.sentence


def test_a_generator_that_fails_twice_ends_the_search_and_is_named_as_the_limit() -> None:
    finding, trials = search(lambda stations, _: "kept" if stations < 400 else "generator")
    assert [trial.stations for trial in trials] == [50, 100, 200, 400, 400]
    assert (finding.stations, finding.limit) == (200, "generator")
    assert "at least 200" in finding.sentence
    assert "the generator, not the CSMS, is the limit" in finding.sentence


def test_a_generator_that_fails_once_is_tried_again() -> None:
    finding, trials = search(lambda stations, n: "generator" if n == 1 else up_to(700)(stations, n))
    assert [trial.stations for trial in trials][:4] == [50, 100, 100, 200]
    assert finding.limit == "csms"


def test_a_csms_that_answers_by_chance_does_not_hold_the_search_forever() -> None:
    finding, trials = search(lambda _, n: "kept" if n % 2 else "missed")
    assert len(trials) <= MOST_TRIALS
    assert finding.sentence


def test_an_interrupted_search_says_how_far_it_came() -> None:
    finding = conclude([Trial(stations=50, word="kept")], most=100, interrupted=True)
    assert (finding.stations, finding.limit) == (50, "interrupted")
    assert "as far as the search went" in finding.sentence


@pytest.mark.parametrize(
    ("line", "value", "passed", "used"),
    [
        ("response p99 < 500 ms", 250.0, True, 0.5),
        ("response p99 < 500 ms", 1000.0, False, 2.0),
        ("throughput >= 100 /s", 50.0, False, 2.0),
        ("throughput >= 100 /s", 200.0, True, 0.5),
        ("stations booted >= 99 %", 100.0, True, 0.0),
        ("stations booted >= 99 %", 98.0, False, 2.0),
        ("stations booted >= 100 %", 100.0, True, 0.0),
        ("stations booted >= 100 %", 98.0, False, MOST_STRAIN),
        ("timeout == 0", 0.0, True, 0.0),
        ("timeout == 0", 3.0, False, MOST_STRAIN),
        ("timeout <= 0", 3.0, False, MOST_STRAIN),
        ("errors < 1 %", 99.0, False, MOST_STRAIN),
        ("errors < 1 %", None, False, MOST_STRAIN),
    ],
)
def test_strain_tells_how_far_an_objective_is_used_up(
    line: str, value: float | None, *, passed: bool, used: float
) -> None:
    assert strain(threshold(line), SloResult(expr=line, value=value, passed=passed)) == used


def run(verdict: str, *results: SloResult) -> LoadRun:
    latency = Percentiles(p50=1, p90=2, p99=30, p999=4, max=5)
    call = Calls(
        ocpp="1.6", action="Authorize", direction="station-to-csms", outcome="accepted", count=9, response_ms=latency
    )
    generator: Any = Generator(verdict=verdict, reasons=["it lagged"] if verdict != "VALID" else [])  # type: ignore[arg-type]  # a table of words
    return LoadRun(
        tool={},
        target=RunTarget(url="ws://127.0.0.1", ocpp=["1.6"]),
        started="",
        finished="",
        seed=1,
        environment={},
        verdict=RunVerdict.PASSED,
        stations=Stations(requested=9, connected_peak=9, booted=9, lost=0),
        calls=[call],
        throughput={"calls_per_s": 4.5},
        generator=generator,
        slo=list(results),
    )


def test_a_trial_is_what_a_run_says() -> None:
    one = threshold("response p99 < 20 ms")
    missed = SloResult(expr=one.text, value=30.0, passed=False, unit="ms")
    trial = trial_of(run("VALID", missed), [one], 9, "step-01")
    assert trial == Trial(
        stations=9,
        word="missed",
        missed=["response p99 < 20 ms (measured 30 ms)"],
        strain=1.5,
        calls_per_s=4.5,
        p50_ms=1.0,
        p99_ms=30.0,
        folder="step-01",
    )


@pytest.mark.parametrize("verdict", ["DEGRADED", "INVALID"])
def test_a_strained_generator_says_nothing_about_the_csms(verdict: str) -> None:
    one = threshold("response p99 < 20 ms")
    kept = SloResult(expr=one.text, value=3.0, passed=True, unit="ms")
    assert trial_of(run(verdict, kept), [one], 9).word == "generator"


def test_objectives_may_speak_of_booted_stations_themselves() -> None:
    assert with_booted([threshold("errors == 0"), threshold("stations booted >= 50 %")])
    assert not with_booted([threshold("stations lost == 0")])
