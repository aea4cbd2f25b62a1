from __future__ import annotations

from pathlib import Path

import pytest

from loadtest.plugins.storms.formula import Expected, distance, expected, first_success, ways_back
from loadtest.plugins.storms.plan import Return
from loadtest.timing.backoff import SPEC, parse_backoff, reconnect_wait
from loadtest.timing.pacing import Draws
from loadtest.workload.profile import read_profile
from loadtest.workload.vendor import load_vendor


def simulated(text: str, blocked: float, count: int = 3000) -> list[float]:
    """Let stations try one attempt after the other."""
    backoff, draws, found = parse_backoff(text), Draws(5, "stations"), []
    for _ in range(count):
        at, failures = 0.0, 0
        while (at := at + reconnect_wait(backoff, failures, draws.uniform())) < blocked:
            failures += 1
        found.append(at)
    return sorted(found)


@pytest.mark.parametrize(
    ("text", "blocked"),
    [
        ("spec:3/10/3", 0.0),
        ("spec:3/10/3", 5.0),
        ("spec:3/10/3", 60.0),
        ("spec:3/10/3", 600.0),
        ("spec:15/5/3", 60.0),
        ("spec:0/10/3", 60.0),
        ("fixed:10/5", 60.0),
        ("spec:0.2/0.5/2", 1.3),
    ],
)
def test_the_curve_is_that_of_stations_that_follow_the_formula(text: str, blocked: float) -> None:
    curve, times = first_success(parse_backoff(text), blocked), simulated(text, blocked)
    furthest = max(abs((place + 0.5) / len(times) - curve.at(at)) for place, at in enumerate(times))
    # Kolmogorov: 3,000 draws stay within 0.036 in 999 of 1,000 cases; the draws are always the same.
    assert furthest < 0.036
    assert curve.at(blocked - 0.01) == pytest.approx(0.0, abs=5e-3)
    assert curve.at(1e9) == pytest.approx(1.0, abs=1e-3)


@pytest.mark.parametrize("other", ["fixed:0.4", "spec:3/0.5/2", "spec:0.4/12/2"])
def test_stations_that_follow_another_formula_are_told_apart(other: str) -> None:
    times = simulated("spec:0.4/2/2", 2.0, 150)
    curve = [(at, (place + 1) / len(times)) for place, at in enumerate(times)]
    away = [Return(0.0, 2.0, at_once=False)]
    own, wrong = expected(parse_backoff("spec:0.4/2/2"), away), expected(parse_backoff(other), away)
    assert own is not None
    assert wrong is not None
    assert distance(curve, own, 0.5) < 0.05
    assert distance(curve, wrong, 0.5) > 0.2


def test_without_a_downtime_the_first_attempts_all_succeed() -> None:
    curve = first_success(parse_backoff("spec:3/10/3"), 0.0)
    assert [round(curve.at(at), 2) for at in (3.0, 5.5, 8.0, 13.0)] == [0.0, 0.25, 0.5, 1.0]


@pytest.mark.parametrize(
    ("text", "blocked", "back"), [("fixed:10", 25.0, 30.0), ("none", 2.0, 2.0), ("spec:3/0/3", 10.0, 21.0)]
)
def test_a_wait_without_chance_brings_all_back_at_once(text: str, blocked: float, back: float) -> None:
    curve = first_success(parse_backoff(text), blocked)
    assert curve.at(back - 0.15) < 0.01
    assert curve.at(back + 0.15) > 0.99


def whole(*stations: Return) -> Expected:
    curve = expected(parse_backoff("spec:1/2/0"), stations)
    assert curve is not None
    return curve


def test_a_storm_is_the_mean_of_its_stations() -> None:
    curve = whole(Return(0.0, 0.0, at_once=False), Return(10.0, 10.0, at_once=False), Return(4.0, 4.0, at_once=True))
    assert [round(curve.at(at), 3) for at in (0.9, 2.0, 3.5, 4.0, 12.0, 13.1)] == [0.0, 0.167, 0.333, 0.667, 0.833, 1.0]
    assert curve.when(0.5) == pytest.approx(4.0, abs=0.01)
    assert curve.when(0.999) == pytest.approx(13.0, abs=0.05)
    assert curve.when(1.0) == pytest.approx(13.0, abs=0.05)


def test_nothing_is_promised_where_a_plan_does_not_say_how_stations_come_back() -> None:
    assert expected(parse_backoff("spec"), [Return(0.0, 0.0, at_once=False), None]) is None
    assert expected(parse_backoff("spec"), []) is None


def test_stations_of_several_vendors_come_back_each_in_its_own_way() -> None:
    curve = expected(
        {parse_backoff("fixed:10"): 0.25, parse_backoff("fixed:2"): 0.75}, [Return(0.0, 1.0, at_once=False)]
    )
    assert curve is not None
    assert [round(curve.at(moment), 2) for moment in (1.9, 2.1, 9.9, 10.1)] == [0.0, 0.75, 0.75, 1.0]


def test_ways_back_are_those_of_the_vendors_by_their_weights(tmp_path: Path) -> None:
    (tmp_path / "plain.yaml").write_text("title: plain\n")
    (tmp_path / "fixed.yaml").write_text("title: fixed\nvendors: {jitterless-60: 1, neutral: 1}\n")
    (tmp_path / "both.yaml").write_text("title: both\nmix: {plain.yaml: 3, fixed.yaml: 1}\n")
    ways = ways_back(read_profile(tmp_path / "both.yaml"), SPEC)
    assert ways == {SPEC: pytest.approx(7 / 8), load_vendor("jitterless-60").way_back(SPEC): pytest.approx(1 / 8)}


def test_the_distance_counts_what_lies_beyond_the_tolerance() -> None:
    curve = whole(Return(0.0, 0.0, at_once=False))
    assert distance([(1.0, 0.0), (2.0, 0.5), (3.0, 1.0)], curve, 0.1) == 0.0
    assert distance([(2.4, 0.5)], curve, 0.5) == 0.0
    assert distance([(2.5, 0.25)], curve, 0.0) == pytest.approx(0.5, abs=0.01)
    assert distance([(2.0, 1.0)], curve, 0.0) == pytest.approx(0.5, abs=0.01)
