from __future__ import annotations

from evidence.vocabulary import COOL_DOWN, MEASURE, RAMP, WARM_UP
from loadtest.measuring.windows import PATIENCE, WindowPlan


def test_ramp_lasts_until_all_stations_are_booted() -> None:
    plan = WindowPlan(duration=100, warm_up=5)
    assert plan.window(1, spawned=False, booted=5, target=10) == RAMP
    assert plan.window(2, spawned=True, booted=9, target=10) == RAMP
    assert plan.window(3, spawned=True, booted=10, target=10) == WARM_UP
    assert plan.window(7.9, spawned=True, booted=10, target=10) == WARM_UP
    assert plan.window(8, spawned=True, booted=10, target=10) == MEASURE


def test_a_station_that_drops_out_later_does_not_bring_the_ramp_back() -> None:
    plan = WindowPlan(duration=100, warm_up=0)
    assert plan.window(3, spawned=True, booted=10, target=10) == MEASURE
    assert plan.window(4, spawned=True, booted=2, target=10) == MEASURE


def test_ramp_ends_when_no_further_station_is_accepted() -> None:
    plan = WindowPlan(warm_up=0)
    assert plan.window(2, spawned=True, booted=5, target=10) == RAMP
    assert plan.window(1.9 + PATIENCE, spawned=True, booted=6, target=10) == RAMP
    assert plan.window(1.8 + 2 * PATIENCE, spawned=True, booted=6, target=10) == RAMP
    assert plan.window(2 + 2 * PATIENCE, spawned=True, booted=6, target=10) == MEASURE


def test_a_slow_start_of_users_is_no_reason_to_end_the_ramp() -> None:
    plan = WindowPlan(warm_up=0)
    assert plan.window(0, spawned=False, booted=0, target=10) == RAMP
    assert plan.window(500, spawned=False, booted=0, target=10) == RAMP


def test_half_of_the_duration_is_left_for_measuring_whatever_happens() -> None:
    plan = WindowPlan(duration=40, warm_up=0)
    assert plan.window(19, spawned=False, booted=1, target=10) == RAMP
    assert plan.window(20, spawned=False, booted=2, target=10) == MEASURE


def test_cool_down_is_the_last_part_of_the_duration() -> None:
    plan = WindowPlan(duration=60, warm_up=0, cool_down=10)
    assert plan.window(49, spawned=True, booted=1, target=1) == MEASURE
    assert plan.window(50, spawned=True, booted=1, target=1) == COOL_DOWN


def test_stopping_begins_the_cool_down_in_any_window() -> None:
    plan = WindowPlan()
    plan.stop()
    assert plan.window(1, spawned=False, booted=0, target=5) == COOL_DOWN


def test_warm_up_is_a_tenth_of_the_duration_and_at_most_ten_seconds() -> None:
    for duration, warm_up in ((30, 3.0), (1000, 10.0), (None, 10.0)):
        plan = WindowPlan(duration=duration)
        assert plan.window(0, spawned=True, booted=1, target=1) == WARM_UP
        assert plan.window(warm_up - 0.1, spawned=True, booted=1, target=1) == WARM_UP
        assert plan.window(warm_up, spawned=True, booted=1, target=1) == MEASURE


def test_a_run_of_stages_is_measured_from_its_first_accepted_station_on() -> None:
    plan = WindowPlan(duration=100.0, warm_up=2.0, is_staged=True)
    seen = [plan.window(float(at), spawned=False, booted=max(at - 3, 0), target=50) for at in range(8)]
    assert seen == [RAMP] * 4 + [WARM_UP] * 2 + [MEASURE] * 2
