"""`plugstorm calibrate`: real runs against the built-in sink, small ones."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.plugstorm.conftest import Plugstorm

pytestmark = pytest.mark.waits


def test_a_calibration_measures_and_recommends(plugstorm: Plugstorm, tmp_path: Path) -> None:
    result = plugstorm(
        "calibrate", "--try", "120", "--busy", "30", "--seconds", "6", "--plan", "60000 stations, steady", "--json",
        "--out", "cal",
    )  # fmt: skip
    seen = json.loads(result.out)
    assert seen == json.loads((tmp_path / "cal" / "calibration.json").read_text())
    found, advice = seen["measured"], seen["recommendation"]
    assert (found["stations_tried"], found["stations_connected"]) == (120, 120)
    assert found["calls_per_s_tried"] > 100
    assert found["calls_per_s_per_core"] > 500
    assert found["connects_per_s"] > 10
    assert found["floor_p50_ms"] > 0
    assert advice["workers"] >= 1
    assert advice["source_addresses"] >= 1
    assert "--stations 60000 --profile steady" in advice["command"]
    # A machine that is busy with other tests may make the figures worthless, and then it is said.
    assert result.code == (3 if "INVALID" in (found["quiet"], found["busy"]) else 0)


def test_a_calibration_over_mqtt_needs_no_file_for_each_station(plugstorm: Plugstorm, tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text(
        'title: ours\nmqtt: "5"\nup: {topic: "{id}/up", qos: 2}\ndown: {topic: "{id}/down", qos: 2}\n'
    )
    result = plugstorm(
        "calibrate", "--try", "60", "--busy", "20", "--seconds", "6", "--json", "--out", "cal",
        "--dialect", "mine.yaml", "--mqtt-connections", "2", "--plan", "60000 stations, idle",
    )  # fmt: skip
    seen = json.loads(result.out)
    found, advice = seen["measured"], seen["recommendation"]
    assert (found["stations_tried"], found["stations_connected"]) == (60, 60)
    assert found["calls_per_s_tried"] > 50
    assert advice["source_addresses"] == 1
    assert "--url mqtt://… --dialect mine.yaml --mqtt-connections 2 --stations 60000" in advice["command"]
    assert seen["effort"]["dialect"] == "mine.yaml"
    assert result.code == (3 if "INVALID" in (found["quiet"], found["busy"]) else 0)


@pytest.mark.parametrize(
    ("words", "hint"),
    [
        (["--plan", "many"], "does not begin with a number of stations"),
        (["--plan", "5 stations, stedy"], "did you mean 'steady'?"),
        (["--plan", "5 stations, 0/s"], "--plan '5 stations, 0/s': expected a rate such as 10/s"),
        (["--plan", "5 stations, 5%/h"], "not at a share"),
        (["--plan", "5 stations", "--profile", "idle"], "leave --stations and --profile out"),
        (["--profile", "idle"], "--profile needs --stations"),
        (["--try", "9000000"], "open files"),
        (["--out", "slo.yaml/x"], "cannot be written"),
        (["--dialect", "maev"], "did you mean 'maeve'?"),
        (["--mqtt-connections", "2"], "needs --dialect"),
    ],
)
def test_a_mistake_is_told_before_anything_is_measured(
    plugstorm: Plugstorm, tmp_path: Path, words: list[str], hint: str
) -> None:
    (tmp_path / "slo.yaml").write_text("a file")
    plugstorm("calibrate", *words).assert_one_line(2, hint)
