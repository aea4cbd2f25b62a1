"""Metrics add up to what was recorded, and their number is bounded."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from evidence.histogram import Histogram, highest_in_bucket, lowest_in_bucket
from evidence.vocabulary import TO_CSMS
from loadtest.judging.moment import Moment
from loadtest.measuring.recorder import Recorder
from loadtest.plugins.metrics.families import BOUNDS, FAMILIES, Distribution, Point
from loadtest.plugins.metrics.picture import picture
from loadtest.plugins.metrics.totals import MOST_SERIES, MOST_VALUES, OTHER, Totals, distribution_of
from tests.loadtest.plugins.metrics.metrics_page import PAGE, with_table
from tests.loadtest.plugins.metrics.receiver import MOMENT, NAME, samples


def values_of(name: str) -> dict[tuple[str, ...], float | Distribution]:
    found = next(points for family, points in samples() if family.name == name)
    return {point.labels: point.value for point in found}


def test_every_metric_of_the_table_has_a_value_in_a_run_with_everything() -> None:
    assert [family for family, _ in samples()] == list(FAMILIES)


def test_names_and_units_follow_the_conventions_of_prometheus() -> None:
    endings = {"s": "_seconds", "By": "_bytes", "1": "_ratio"}
    for family in FAMILIES:
        assert re.fullmatch(r"plugstorm(_[a-z]+)+", family.name)
        assert family.name.endswith("_total") == (family.kind == "counter")
        assert family.name.removesuffix("_total").endswith(endings.get(family.unit, "")), family.name
        assert family.says.endswith(".")


def test_calls_are_counted_by_action_version_direction_and_outcome() -> None:
    assert values_of("plugstorm_calls_total") == {
        ("Heartbeat", "1.6", TO_CSMS, "accepted"): 1.0,
        ("Heartbeat", "1.6", TO_CSMS, "timeout"): 1.0,
    }
    assert values_of("plugstorm_connects_total") == {("opened",): 1.0, ("refused 401",): 1.0}
    assert values_of("plugstorm_connections_lost_total") == {("lost",): 1.0}
    assert values_of("plugstorm_calls_offered_total") == {(): 2.0}


def test_a_call_that_was_never_answered_has_a_response_time_and_no_service_time() -> None:
    service, response = values_of("plugstorm_call_service_seconds"), values_of("plugstorm_call_response_seconds")
    assert list(service) == [("Heartbeat", "1.6", TO_CSMS, "accepted")]
    late = response["Heartbeat", "1.6", TO_CSMS, "timeout"]
    assert isinstance(late, Distribution)
    assert [bound for bound, count in zip(BOUNDS, late.counts, strict=False) if count] == [60.0]
    assert abs(late.sum - 45) < 0.03


def test_the_fleet_and_the_generator_are_those_of_the_moment() -> None:
    assert values_of("plugstorm_stations_charging") == {(): 3.0}
    assert values_of("plugstorm_window") == {
        ("ramp",): 0.0, ("warm-up",): 0.0, ("measure",): 1.0, ("cool-down",): 0.0,
    }  # fmt: skip
    assert values_of("plugstorm_generator_verdict") == {("VALID",): 1.0, ("DEGRADED",): 0.0, ("INVALID",): 0.0}
    lag = values_of("plugstorm_worker_lag_seconds")["worker 1",]
    assert isinstance(lag, Distribution)
    assert (lag.count, lag.counts[0]) == (5, 5)


def test_a_storm_counts_from_its_beginning() -> None:
    storm = {"storm": "lb-drain", "number": 1, "at": 20.0, "struck": 0, "back": 0, "over": False}
    before = {family.name: points for family, points in picture(NAME, Totals(), MOMENT, storms=[storm])}
    assert "plugstorm_storms_total" not in before
    later = Moment(window="measure", elapsed=21.0)
    after = {family.name: points for family, points in picture(NAME, Totals(), later, storms=[storm])}
    assert after["plugstorm_storm_active"] == [Point(("lb-drain",), 1.0)]


def test_a_run_that_is_over_says_so() -> None:
    over = {family.name: points for family, points in picture(NAME, Totals(), Moment())}
    assert [point.value for point in over["plugstorm_run_info"]] == [0.0]


@given(st.lists(st.integers(0, 200_000_000), max_size=200))
def test_buckets_hold_every_value_once_to_three_digits(values: list[int]) -> None:
    histogram = Histogram()
    for value in values:
        histogram.record(value)
    found = distribution_of(histogram.counts)
    assert found.count == len(values)
    upto = 0
    for bound, count in zip(BOUNDS, found.counts, strict=False):
        upto += count
        # A value within the width of its bucket beyond the bound still counts.
        assert (
            sum(value <= bound * 1e6 for value in values) <= upto <= sum(value <= bound * 1.001e6 for value in values)
        )
    assert abs(found.sum - sum(values) / 1e6) <= sum(values) / 1e6 * 0.001 + 1e-6 * len(values)


def test_bounds_rise_and_lie_where_buckets_end() -> None:
    assert list(BOUNDS) == sorted(set(BOUNDS))
    for bound in BOUNDS:
        histogram = Histogram()
        histogram.record(round(bound * 1e6))
        (index,) = histogram.counts
        assert lowest_in_bucket(index) <= round(bound * 1e6) <= highest_in_bucket(index)


def test_names_that_a_csms_invents_are_bounded_and_lose_no_call() -> None:
    totals = Totals()
    for number in range(3):
        calls, faults = Recorder(), Recorder()
        for name in range(190):
            calls.call("1.6", f"Action{number}-{name}", "csms-to-station", "accepted", 0.001, 0.001)
            faults.fault(f"fault{number}-{name}")
        for recorder in (calls, faults):
            totals.add(recorder.take(final=True))
    assert len(totals.response) <= MOST_SERIES + 1
    assert len(totals.faults) <= MOST_VALUES + 1
    assert sum(one.count for one in totals.response.values()) == sum(totals.faults.values()) == 570
    assert totals.response["1.6", OTHER, "csms-to-station", OTHER].count == 570 - MOST_SERIES


def test_the_page_about_metrics_has_the_table_of_today() -> None:
    page = PAGE.read_text("utf-8")
    assert page == with_table(page), "run python -m tests.loadtest.plugins.metrics.metrics_page"
    numbers = (len(FAMILIES), len(BOUNDS), MOST_SERIES, MOST_VALUES)
    assert [number for number in numbers if f"{number} " not in page] == []
