"""Profiles that people write in Python: how they are read, and the cars that their stations get."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest

from evidence.vocabulary import CHECK
from loadtest.timing.pacing import Draws
from loadtest.workload.own_profile import Car, own_profile
from loadtest.workload.profile import Profile, load_profile
from ocppj.errors import UsageError
from tests.loadtest.fleet_harness import SILENT, FleetHarness


@own_profile(title="Two cars and no more", models={"ac-single": 1}, meter=0)
def two(station: str, evse: int, draws: Draws) -> Iterator[Car]:
    assert station
    assert evse == 1
    yield Car(after=10, stay=30, token="FIRST")
    yield Car(after=draws.between(20, 40), stay=30, authorize=False)


def test_cars_come_as_the_function_says_and_no_more() -> None:
    harness = FleetHarness(profile=two).start().run(600.0)
    starts = harness.sent("StartTransaction")
    assert starts[0].at == 1010.0
    assert 1060.0 <= starts[1].at <= 1080.0
    assert starts[0].payload["idTag"] == "FIRST" != starts[1].payload["idTag"]
    assert len(starts) == 2
    assert len(harness.sent("Authorize")) == 1
    assert [call.at for call in harness.sent("StopTransaction")] == [1040.0, starts[1].at + 30.0]


def test_a_slow_csms_does_not_move_the_plan_and_the_seed_is_the_plan() -> None:
    @own_profile(title="x", models={"ac-single": 1})
    def steady(_: str, __: int, draws: Draws) -> Iterator[Car]:
        while True:
            yield Car(after=draws.between(5, 15), stay=20)

    fast, slow = (FleetHarness(profile=steady, latency=latency).start().run(900.0) for latency in (0.0, 2.0))
    pairs = list(zip(fast.sent("Authorize"), slow.sent("Authorize"), strict=False))
    assert len(pairs) > 20
    apart = [late.at - early.at for early, late in pairs]
    assert 2.0 <= min(apart) <= max(apart) < 8.0, "the boot, and what is before it in the queue; it does not add up"
    again, other = (FleetHarness(profile=steady, seed=seed).start().run(900.0) for seed in (0, 9))
    times = [[call.at for call in harness.sent("Authorize")] for harness in (fast, again, other)]
    assert times[0] == times[1] != times[2]
    assert all(25 <= after - before <= 35 for before, after in pairwise(times[0]))


def test_a_driver_who_finds_the_evse_taken_drives_on() -> None:
    @own_profile(title="x", models={"ac-single": 1}, meter=0)
    def crowded(_: str, __: int, ___: Draws) -> Iterator[Car]:
        while True:
            yield Car(after=0, stay=10)

    harness = FleetHarness(profile=crowded, answers={"StartTransaction": SILENT}).start().run(60.0)
    assert len(harness.sent("Authorize")) < 7


def test_a_mistake_is_a_failed_check_and_the_other_stations_go_on() -> None:
    @own_profile(title="x", models={"ac-single": 1})
    def broken(_: str, __: int, ___: Draws) -> Iterator[Car]:
        yield Car(after=1, stay=5)
        raise KeyError("no bus")

    harness = FleetHarness(profile=broken).start().run(300.0)
    assert harness.station.online
    assert len(harness.sent("StartTransaction")) == 1
    harness.outcomes()
    assert harness.faults == {f"{CHECK}KeyError: 'no bus'": 1}


def test_keys_are_those_of_a_file_with_the_same_complaints() -> None:
    with pytest.raises(UsageError, match=r"The profile cars: .*'hartbeat' is unknown; did you mean 'heartbeat'"):

        @own_profile(title="x", hartbeat=3)
        def cars(_: str, __: int, ___: Draws) -> Iterator[Car]:
            yield Car(after=1, stay=1)

    with pytest.raises(UsageError, match=r"there is no station model 'ac-singel'; did you mean 'ac-single'"):

        @own_profile(title="x", models={"ac-singel": 1})
        def others(_: str, __: int, ___: Draws) -> Iterator[Car]:
            yield Car(after=1, stay=1)


def test_a_python_file_holds_one_profile(tmp_path: Path) -> None:
    code = (
        "from loadtest.workload.own_profile import Car, own_profile\n@own_profile(title='Mine')\ndef mine(s, e, d):\n"
    )
    path = tmp_path / "mine.py"
    path.write_text(f"{code}    yield Car(after=1, stay=1)\n", encoding="utf-8")
    profile = load_profile(str(path))
    assert isinstance(profile, Profile)
    assert (profile.name, profile.title) == ("mine", "Mine")
    assert load_profile(str(path)) is profile, "it is run once in a process"
    (tmp_path / "none.py").write_text("x = 1\n", encoding="utf-8")
    with pytest.raises(UsageError, match=r"none.py has 0 profiles"):
        load_profile(str(tmp_path / "none.py"))
    with pytest.raises(UsageError, match=r"nowhere.py cannot be read"):
        load_profile(str(tmp_path / "nowhere.py"))


def test_a_profile_file_cannot_name_a_function(tmp_path: Path) -> None:
    path = tmp_path / "x.yaml"
    path.write_text("title: x\ncars: 3\n", encoding="utf-8")
    with pytest.raises(UsageError, match=r"'cars' is unknown"):
        load_profile(str(path))
