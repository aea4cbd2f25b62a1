from __future__ import annotations

from pathlib import Path

import pytest

from loadtest.profiles import DEFAULT_PROFILE, bounds, load_profile, profile_names, read_profile
from ocppj.errors import UsageError


def written(folder: Path, text: str) -> Path:
    path = folder / "mine.yaml"
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize("name", profile_names())
def test_every_profile_that_comes_along_can_be_read(name: str) -> None:
    profile = load_profile(name)
    assert profile.name == name
    assert profile.title


def test_the_default_profile_exists() -> None:
    assert DEFAULT_PROFILE in profile_names()


def test_a_profile_of_ones_own_is_read_from_its_file(tmp_path: Path) -> None:
    path = written(tmp_path, "title: Mine\nmodels: {dc-150: 1}\nsessions: {duration: [60, 120], gap: 30}\n")
    profile = load_profile(str(path))
    assert profile.name == "mine"
    assert profile.sessions is not None
    assert bounds(profile.sessions.duration) == (60.0, 120.0)
    assert bounds(profile.sessions.gap) == (30.0, 30.0)
    assert profile.sessions.cycle == 120.0


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("title: x\nsesions: {}", r"'sesions' is unknown; did you mean 'sessions'"),
        ("title: x\nsessions: {duration: 60, gpa: 1}", r"'gpa' is unknown; did you mean 'gap'"),
        ("title: x\nzzz: 1", r"'zzz' is unknown; known are title"),
        ("title: x\nmodels: {ac-daul: 1}", r"'ac-daul'; did you mean 'ac-dual'"),
        ("title: x\nmodels: {zzz: 1}", r"'zzz'; known are home-wallbox"),
        ("title: x\nmodels: {ac-dual: -1}", r"> 0.*models"),
        ("title: x\nheartbeat: -3", r"> 0.*heartbeat"),
        ("title: x\nmeter: -3", r">= 0.*meter"),
        ("title: x\nreboot: -3", r"`reboot` must be a number of seconds from 0 up"),
        ("title: x\nreboot: .inf", r"`reboot` must be a number of seconds from 0 up"),
        ("title: x\nsessions: {duration: [9, 5], gap: 1}", r"`duration` is \[9, 5\]; write the lower bound first"),
        ("title: x\nsessions: {duration: 0, gap: 0}", r"at least 0.1 s"),
        ("title: x\nsessions: {duration: long, gap: 0}", r"duration"),
        ("title: x\nsessions: {gap: 5}", r"duration"),
        ("title: 5", r"title"),
        ("- a list", r"array"),
        ("title: [", r"no YAML"),
        ("\x00", r"no YAML"),
    ],
)
def test_a_mistake_in_a_profile_is_one_line_that_names_the_place(tmp_path: Path, text: str, complaint: str) -> None:
    with pytest.raises(UsageError, match=complaint) as caught:
        read_profile(written(tmp_path, text))
    assert "\n" not in str(caught.value)
    assert "mine.yaml" in str(caught.value)


def test_an_unknown_name_and_a_missing_file_are_told() -> None:
    with pytest.raises(UsageError, match="did you mean 'quick'"):
        load_profile("qick")
    with pytest.raises(UsageError, match=r"known are .*or name a file"):
        load_profile("zzz")
    with pytest.raises(UsageError, match="No such file"):
        load_profile("no/such.yaml")
