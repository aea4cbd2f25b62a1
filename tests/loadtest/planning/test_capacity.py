from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from evidence.capacity_model import ActionFlow, CapacityFinding, Trial
from loadtest.planning.capacity import MOST_TRIALS, RATE_STEP, conclude, load_of, next_load, size_of


def search(
    holds: Callable[[int, int], str], *, start: int = 50, most: int = 10_000, precision: float = 0.05
) -> tuple[CapacityFinding, list[Trial]]:
    """Search against a CSMS that is a function: stations and number of the trial to kept, missed or generator."""
    trials: list[Trial] = []
    while (stations := next_load(trials, start=start, most=most, precision=precision)) is not None:
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


def test_a_generator_that_fails_three_times_ends_the_search_and_is_named_as_the_limit() -> None:
    finding, trials = search(lambda stations, _: "kept" if stations < 400 else "generator")
    assert [trial.stations for trial in trials] == [50, 100, 200, 400, 400, 400]
    assert (finding.stations, finding.limit) == (200, "generator")
    assert "at least 200" in finding.sentence
    assert "the generator, not the CSMS, is the limit" in finding.sentence


def test_a_generator_that_fails_twice_is_tried_again() -> None:
    finding, trials = search(lambda stations, n: "generator" if n in {1, 2} else up_to(700)(stations, n))
    assert [trial.stations for trial in trials][:5] == [50, 100, 100, 100, 200]
    assert finding.limit == "csms"


def test_a_csms_that_answers_by_chance_does_not_hold_the_search_forever() -> None:
    finding, trials = search(lambda _, n: "kept" if n % 2 else "missed")
    assert len(trials) <= MOST_TRIALS
    assert finding.sentence


def test_an_interrupted_search_says_how_far_it_came() -> None:
    finding = conclude([Trial(stations=50, word="kept")], most=100, interrupted=True)
    assert (finding.stations, finding.limit) == (50, "interrupted")
    assert "as far as the search went" in finding.sentence


def search_rate(capacity: float, *, start: float = 5.0, most: float = 1000.0) -> tuple[CapacityFinding, list[Trial]]:
    """Search for sessions a second against a CSMS whose StartTransaction holds a lock for 1 / `capacity` s."""
    trials: list[Trial] = []
    steps = {"start": round(start / RATE_STEP), "most": round(most / RATE_STEP)}
    while (size := next_load(trials, **steps)) is not None:
        rate = load_of(size, "sessions")
        over = max(rate - capacity, 0.0)
        flows = [
            flow("StartTransaction", min(rate, capacity), 20.0 + over * 200, over * 10, over * 30),
            flow("Authorize", rate, 3.0, 0.1, 0.1),
            flow("StopTransaction", min(rate, capacity), 4.0, 0.1, 0.1),
        ]
        word: Any = "missed" if over else "kept"
        trials.append(
            Trial(stations=100, rate=rate, word=word, missed=["no growing queue"] if over else [], flows=flows)
        )
    return conclude(trials, most=steps["most"], search="sessions"), trials


def flow(action: str, per_s: float, service_ms: float, first: float, last: float) -> ActionFlow:
    return ActionFlow(action=action, per_s=per_s, service_ms=service_ms, queue_first=first, queue_last=last)


@given(st.floats(8, 400))
def test_a_rate_is_found_within_the_precision_and_the_serialised_action_is_named(capacity: float) -> None:
    finding, trials = search_rate(capacity)
    assert finding.missed is not None
    assert finding.held <= capacity < finding.missed
    assert finding.missed - finding.held <= max(RATE_STEP, 0.05 * finding.missed) + 1e-9
    # Only where clearly more was asked for, too, is it known that the throughput stays.
    assume(max(trial.rate or 0.0 for trial in trials) > 1.2 * finding.missed)
    assert finding.gave_way.startswith("StartTransaction is serialised: throughput stays at ")
    assert f"throughput stays at {capacity:.0f}/s while its queue grows" in finding.sentence


def test_a_finding_about_a_rate_is_a_bracket_with_its_confidence() -> None:
    finding, trials = search_rate(50.0)
    assert 47.5 <= finding.held <= 50 < (finding.missed or 0) <= 52.7
    assert (finding.kept, finding.of, finding.missed_in, finding.missed_of) == (2, 2, 2, 2)
    assert (finding.stations, finding.missed_at) == (100, None)
    assert {size_of(trial) for trial in trials if trial.rate == finding.held} == {round(finding.held / RATE_STEP)}
    assert f"holds {finding.held:g} sessions/s" in finding.sentence


def test_a_late_generator_is_not_taken_for_a_slow_csms() -> None:
    trials = [*kept_and_missed(EVERYTHING_WAITS)]
    late = Trial(stations=90, word="missed", flows=EVERYTHING_WAITS, notes=["Timers ran late."])
    assert conclude([trials[0], late], most=500).gave_way == ""


def test_a_generator_that_was_starved_asks_for_a_quiet_machine() -> None:
    trials = [
        Trial(stations=50, word="generator", starved=starved, reasons=["Timers ran late."])
        for starved in (True, True, True)
    ]
    assert "other programs kept the generator from its work in 3 runs" in conclude(trials, most=99).sentence
    trials[1] = Trial(stations=50, word="generator", starved=False)
    assert "the generator, not the CSMS, is the limit" in conclude(trials, most=99).sentence


def kept_and_missed(*late: list[ActionFlow]) -> list[Trial]:
    calm = [flow("StartTransaction", 40, 10, 0, 0), flow("Authorize", 40, 5, 0, 0), flow("Heartbeat", 9, 2, 0, 0)]
    missed = [Trial(stations=60 + 20 * number, word="missed", flows=flows) for number, flows in enumerate(late)]
    return [Trial(stations=40, word="kept", flows=calm), *missed]


START_WAITS = [flow("StartTransaction", 50, 900, 5, 50), flow("Authorize", 60, 6, 0, 0)]
EVERYTHING_WAITS = [
    flow("StartTransaction", 50, 430, 5, 50),
    flow("Authorize", 60, 410, 0, 9),
    flow("Heartbeat", 9, 400, 0, 1),
]
ODD_RUN = [flow("StartTransaction", 34, 550, 9, 90), flow("Authorize", 47, 250, 9, 9)]
"""Other programs took the processor of the generator, so that everything seems slow."""
NOTHING_WAITS = [flow("StartTransaction", 60, 12, 0, 0), flow("Authorize", 60, 6, 0, 0)]


@pytest.mark.parametrize(
    ("late", "said"),
    [
        ([START_WAITS], "StartTransaction becomes slow alone"),
        (
            [START_WAITS, [flow("StartTransaction", 51, 1900, 9, 90), flow("Authorize", 80, 6, 0, 0)]],
            "StartTransaction is serialised: throughput stays at 50/s while its queue grows",
        ),
        (
            [START_WAITS, [flow("StartTransaction", 75, 1900, 9, 90), flow("Authorize", 80, 6, 0, 0)]],
            "StartTransaction becomes slow alone",
        ),
        ([EVERYTHING_WAITS], "the CSMS as a whole gives way near 119 CALL/s"),
        (
            [START_WAITS, ODD_RUN, [flow("StartTransaction", 49, 1900, 9, 90), flow("Authorize", 80, 70, 6, 6)]],
            "StartTransaction is serialised: throughput stays at 50/s while its queue grows",
        ),
        ([NOTHING_WAITS], ""),
        ([[]], ""),
    ],
)
def test_what_gave_way_is_said_only_where_the_trials_show_it(late: list[list[ActionFlow]], said: str) -> None:
    found = conclude(kept_and_missed(*late), most=500).gave_way
    assert said in found
    assert bool(found) == bool(said)
