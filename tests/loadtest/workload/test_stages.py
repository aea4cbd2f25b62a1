from __future__ import annotations

from pathlib import Path

import pytest

from config.locations import Location
from loadtest.locust_edge.request import LoadRequest
from loadtest.locust_edge.run_settings import with_own_stages
from loadtest.workload.profile import load_profile
from loadtest.workload.stages import (
    Stage,
    most_stations,
    read_stage_list,
    read_stages,
    stages_seconds,
    stations_at,
    write_stages,
)
from ocppj.errors import UsageError

STAGES = (
    Stage(100, 20.0),
    Stage(100, 30.0, is_hold=True),
    Stage(40, 0.0),
    Stage(40, 5.0, is_hold=True),
    Stage(0, 10.0),
)
YAML = "- {to: 100, over: 20s}\n- {hold: 30}\n- {to: 40, over: 0}\n- hold: 5s\n- {to: 0, over: 10s}\n"


def test_words_and_a_file_say_the_same(tmp_path: Path) -> None:
    path = tmp_path / "day.yaml"
    path.write_text(YAML)
    assert read_stages("100/20s, 30s, 40/0, 5s, 0/10s") == read_stages(str(path)) == STAGES
    assert read_stages(write_stages(STAGES)) == STAGES


@pytest.mark.parametrize(
    ("elapsed", "stations"),
    [
        (0.0, 0),
        (0.1, 1),
        (10.0, 50),
        (19.99, 100),
        (20.0, 100),
        (49.9, 100),
        (50.0, 40),
        (54.9, 40),
        (55.0, 40),
        (57.6, 29),
        (64.9, 0),
        (65.0, None),
    ],
)
def test_ramps_are_straight_and_a_ramp_of_no_time_is_a_step(elapsed: float, stations: int | None) -> None:
    assert stations_at(STAGES, elapsed) == stations


def test_a_run_has_as_many_stations_and_is_as_long_as_its_stages_want() -> None:
    assert (most_stations(STAGES), stages_seconds(STAGES)) == (100, 65.0)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("5m, 100/1m", "the first stage has nothing to hold"),
        ("100/soon", "expected a time such as"),
        ("many/1m", "expected a whole number"),
        ("0/1m, 5m", "no station or no time"),
        ("100/0", "no station or no time"),
        ("", "expected a time such as"),
    ],
)
def test_a_mistake_is_one_line_that_names_the_option(text: str, complaint: str) -> None:
    with pytest.raises(UsageError, match=complaint) as error:
        read_stages(text)
    assert "--stages" in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("- {to: 5}", "a stage is either"),
        ("- {to: 5, over: 1m, hold: 1m}", "a stage is either"),
        ("- {to: 5, ower: 1m}", "did you mean 'over'"),
        ("to: 5", "expected a list of stages"),
    ],
)
def test_a_mistake_in_a_file_names_the_line(tmp_path: Path, text: str, complaint: str) -> None:
    path = tmp_path / "day.yaml"
    path.write_text(text)
    with pytest.raises(UsageError, match=rf"day\.yaml:1: .*{complaint}"):
        read_stages(str(path))


def test_a_profile_has_the_same_list(tmp_path: Path) -> None:
    path = tmp_path / "day.yaml"
    path.write_text("title: a day\nstages:\n" + "".join(f"  {line}\n" for line in YAML.splitlines()))
    profile = load_profile(str(path))
    request = with_own_stages(LoadRequest(profile=str(path), stations=7, duration=9))
    assert read_stage_list(profile.stages, Location("x")) == STAGES == request.stages
    assert (request.stations, request.duration) == (100, 65)


def test_stages_of_the_command_line_take_the_place_of_those_of_the_profile(tmp_path: Path) -> None:
    path = tmp_path / "day.yaml"
    path.write_text("title: a day\nstages: [{to: 100, over: 20s}]\n")
    asked = LoadRequest(profile=str(path), stages=(Stage(3, 4.0),)).staged()
    assert with_own_stages(asked) == asked


@pytest.mark.parametrize(
    ("stages", "complaint"),
    [
        ("[{hold: 5m}]", "the first stage has nothing to hold"),
        ("[{to: 5}]", "a stage is either"),
        ("[{to: 0, over: 1m}]", "no station or no time"),
    ],
)
def test_a_mistake_in_the_stages_of_a_profile_names_its_line(tmp_path: Path, stages: str, complaint: str) -> None:
    path = tmp_path / "day.yaml"
    path.write_text(f"title: a day\nstages: {stages}\n")
    with pytest.raises(UsageError, match=rf"day\.yaml:2: stages.*{complaint}"):
        load_profile(str(path))
