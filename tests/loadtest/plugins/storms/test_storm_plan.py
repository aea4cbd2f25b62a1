from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from loadtest.plugins.storms.plan import (
    Position,
    Return,
    Shuffle,
    StormStep,
    Verb,
    ends,
    plan,
    position_of,
    returns,
    victims,
)
from loadtest.timing.pacing import Draws
from loadtest.workload.storms import STORMS, CsmsRestart, LbDrain, RollingDeploy, Storm


def plans(storm: Storm, count: int, seed: int = 1) -> list[list[StormStep]]:
    return [plan(storm, Position(index, count, Draws(seed, str(index)))) for index in range(count)]


@settings(max_examples=25)
@given(st.integers(0, 2**40), st.integers(1, 1000))
def test_a_shuffle_is_a_permutation(seed: int, total: int) -> None:
    shuffle = Shuffle(seed, total, "storm/1")
    assert sorted(shuffle[number] for number in range(total)) == list(range(total))


def test_the_same_seed_hits_the_same_stations_and_another_one_others() -> None:
    storm = CsmsRestart(share=0.3)

    def hit(seed: int, stream: str = "storm/1") -> set[int]:
        shuffle = Shuffle(seed, 1000, stream)
        return {n for n in range(1, 1001) if position_of(storm, shuffle, n, 1000, Draws(0, "")) is not None}

    assert hit(7) == hit(7)
    assert len(hit(7)) == 300
    # Three of ten of three of ten, by chance; as many would be the same if the order followed the numbers.
    assert 60 < len(hit(7) & hit(8)) < 120
    assert 60 < len(hit(7) & hit(7, "storm/2")) < 120
    assert 60 < len({number for number in hit(7) if number <= 300}) < 120


@pytest.mark.parametrize(
    ("storm", "total", "hit"),
    [
        (CsmsRestart(share=0.5), 5, 2),
        (CsmsRestart(share=0.001), 10, 1),
        (CsmsRestart(stations=3), 10, 3),
        (CsmsRestart(stations=30), 10, 10),
        (CsmsRestart(), 0, 1),
    ],
)
def test_a_share_or_a_number_of_stations_is_hit(storm: Storm, total: int, hit: int) -> None:
    assert victims(storm, total) == hit


@pytest.mark.parametrize("name", STORMS)
def test_every_plan_is_in_order_and_begins_before_the_storm_ends(name: str) -> None:
    storm = STORMS[name]()
    for steps in plans(storm, 50):
        assert steps
        assert [step.at for step in steps] == sorted(step.at for step in steps)
        assert 0.0 <= steps[0].at <= ends(storm)
        assert steps[-1].at <= ends(storm) + 1e-9
    assert plans(storm, 50) == plans(storm, 50)


def test_a_drain_closes_batches_of_equal_size() -> None:
    batches = Counter(steps[0].at for steps in plans(LbDrain(batches=4, every=2.0), 20))
    assert batches == {0.0: 5, 2.0: 5, 4.0: 5, 6.0: 5}


def test_a_rolling_deploy_hits_each_node_once_and_those_again_that_moved_to_a_later_one() -> None:
    storm = RollingDeploy(nodes=4, k=1, every=10.0)
    found = plans(storm, 4000)
    first = Counter(steps[0].at for steps in found)
    assert first == {0.0: 1000, 10.0: 1000, 20.0: 1000, 30.0: 1000}
    # From the first node a station goes to one of three others, all of which are still to come.
    assert all(len(steps) >= 2 for steps in found if steps[0].at == 0.0)
    assert all(len(steps) == 1 for steps in found if steps[0].at == 30.0)
    assert max(len(steps) for steps in found) == 4
    sticky = plans(RollingDeploy(nodes=4, k=2, every=10.0, down=3.0, sticky=True), 40)
    assert {len(steps) for steps in sticky} == {1}
    assert Counter(steps[0] for steps in sticky) == {
        StormStep(0.0, Verb.CUT, 3.0): 20,
        StormStep(10.0, Verb.CUT, 13.0): 20,
    }


def test_how_a_station_comes_back_is_read_from_its_plan() -> None:
    assert returns([StormStep(0.0, Verb.CUT, 5.0)]) == Return(0.0, 5.0, at_once=False)
    assert returns([StormStep(0.0, Verb.CUT, 0.0), StormStep(4.0, Verb.CLOSE, 1001)]) == Return(4.0, 4.0, at_once=False)
    assert returns([StormStep(0.0, Verb.OFF), StormStep(9.0, Verb.ON)]) == Return(9.0, 9.0, at_once=True)
    assert returns([StormStep(0.0, Verb.FIRMWARE, word="Downloading"), StormStep(4.0, Verb.REBOOT)]) is None
    assert returns([StormStep(0.0, Verb.METERS)]) is None
