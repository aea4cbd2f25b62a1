from __future__ import annotations

from pathlib import Path

import pytest

from loadtest.workload.defaults import DEFAULT_PROFILE
from loadtest.workload.profile import bounds, load_profile, profile_names, read_profile, with_time
from ocppj.errors import UsageError

WORKLOAD = """
workload:
  per_day: 1
  curve: {weekday: [1, 2, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1]}
  duration: {lognormal: {median: 4h, p90: 11h}}
"""


def written(folder: Path, text: str) -> Path:
    path = folder / "mine.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def test_no_profile_that_comes_with_plugstorm_has_stages() -> None:
    """`plugstorm load` does not look for them there."""
    assert [name for name in profile_names() if load_profile(name).stages] == []


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
        (
            "title: x\nmodels: {ac-dual: -1}",
            r":2: models.ac-dual: expected a number of more than 0, but it is -1",
        ),
        ("title: x\nheartbeat: -3", r":2: heartbeat: expected a number of more than 0, but it is -3"),
        ("title: x\nmeter: -3", r":2: meter: expected a number of at least 0, but it is -3"),
        ("title: x\nreboot: -3", r"`reboot` must be a number of seconds from 0 up"),
        ("title: x\nreboot: .inf", r"`reboot` must be a number of seconds from 0 up"),
        ("title: x\nsessions: {duration: [9, 5], gap: 1}", r"`duration` is \[9, 5\]; write the lower bound first"),
        ("title: x\nsessions: {duration: 0, gap: 0}", r"at least 0.1 s"),
        ("title: x\nsessions: {duration: long, gap: 0}", r"duration"),
        ("title: x\nsessions: {gap: 5}", r"duration"),
        ("title: x\nstart_at: 25:00", r"1500 is not a time of day; write it as 17:00"),
        ("title: x\nstart_at: noon", r"'noon' is not a time of day"),
        ("title: x\nweekday: freitag", r"freitag"),
        ("title: x\ncompression: 0", r":2: compression: expected a number of more than 0, but it is 0"),
        (f"title: x\nsessions: {{duration: 9, gap: 1}}\n{WORKLOAD}", r"`sessions` and `workload` exclude each other"),
        (f"title: x\n{WORKLOAD.replace('per_day', 'perday')}", r"'perday' is unknown; did you mean 'per_day'"),
        (f"title: x\n{WORKLOAD.replace('weekday', 'weekdays')}", r"'weekdays' is unknown; did you mean 'weekday'"),
        (f"title: x\n{WORKLOAD.replace('median', 'medain')}", r"'medain' is unknown; did you mean 'median'"),
        (f"title: x\n{WORKLOAD.replace('lognormal', 'lognorm')}", r"'lognorm' is unknown; did you mean 'lognormal'"),
        (f"title: x\n{WORKLOAD.replace('4h', '4 hours')}", r"expected a time such as .*, but '4 hours' is not a time"),
        (f"title: x\n{WORKLOAD.replace('11h', '3h')}", r"`p90` above `median`"),
        (f"title: x\n{WORKLOAD.replace('per_day: 1', 'per_day: 9')}", r"`per_day` 9 does not fit"),
        (f"title: x\n{WORKLOAD.replace('[1, 2', '[2', 1)}", r"`weekday` has 23 numbers; write 24, 48 or 96"),
        (f"title: x\n{WORKLOAD}  idle: 1.5", r"`idle` must be from 0 to 1"),
        (f"title: x\n{WORKLOAD}  energy_kwh: [9, 5]", r"`energy_kwh` is \[9, 5\]; write the lower bound first"),
        (f"title: x\n{WORKLOAD}  energy_kwh: {{normals: [{{mean: 9, sd: 5}}]}}", r"`energy_kwh` needs a `min`"),
        (f"title: x\n{WORKLOAD}  energy_kwh: {{normals: [{{mean: 9}}]}}", r"sd"),
        (f"title: x\n{WORKLOAD}  energy_kwh: {{min: 3}}", r"either `lognormal` or a list of `normals`"),
        (f"title: x\n{WORKLOAD}  tariff: {{at: '22:00', share: 2}}", r"`share` must be from 0 to 1"),
        (f"title: x\n{WORKLOAD}  tariff: {{att: '22:00'}}", r"'att' is unknown; did you mean 'at'"),
        ("title: x\nmix: {public_ac: 1}\nmeter: 5", r"`meter` has no meaning beside `mix`"),
        (
            "title: x\nmix: {publik_ac: 1}",
            r":2: mix.publik_ac: There is no .* did you mean 'public_ac'",
        ),
        ("title: x\nmix: {mixed_fleet: 1}", r":2: mix.mixed_fleet: 'mixed_fleet' is a mix itself"),
        ("title: x\nmix: {home: 0}", r":2: mix.home: expected a number of more than 0, but it is 0"),
        ("title: x\nmembers: []", r"'members' is unknown"),
        ("title: x\nreplay: {fiel: a.csv}", r"'fiel' is unknown; did you mean 'file'"),
        ("title: x\nreplay: gone.csv", r":2: replay: .*gone.csv: the replay file cannot be read"),
        ("title: x\nreplay: {file: a.csv, columns: {begin: x}}", r"begin"),
        ("title: 5", r"title"),
        ("- a list", r":1: expected a mapping with title, .*, but it is a list"),
        ("title: [", r":1: expected YAML"),
        ("\x00", r":1: expected YAML, but control characters are not allowed"),
        ("title: x\nname: y", r":2: name: the key 'name' is unknown"),
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


def test_a_mix_takes_profiles_from_beside_it(tmp_path: Path) -> None:
    (tmp_path / "own.yaml").write_text("title: Own\nmodels: {depot: 1}\n", encoding="utf-8")
    profile = read_profile(
        written(tmp_path, "title: x\nmix: {own.yaml: 1, dc_hub: 3}\nstart_at: 03:00\nweekday: sunday")
    )
    assert {part.name: weight for part, weight in profile.members} == {"own": 1.0, "dc_hub": 3.0}
    assert {part.start for part, _ in profile.members} == {6 * 86_400.0 + 3 * 3600.0}


def test_the_time_of_a_run_is_set_for_all_parts() -> None:
    profile = with_time(load_profile("mixed_fleet"), compression=12.0, start_at="06:30")
    assert {part.compression for part, _ in profile.members} == {12.0}
    assert {part.start for part, _ in profile.members} == {profile.start} == {6.5 * 3600}
    with pytest.raises(UsageError, match="--start-at '6' is not a time of day"):
        with_time(profile, start_at="6")


@pytest.mark.parametrize(("name", "hour"), [("public_ac", 8), ("dc_hub", 17), ("home", 18), ("depot", 17)])
def test_a_run_begins_at_the_busiest_hour_where_nothing_else_is_said(name: str, hour: int) -> None:
    assert load_profile(name).start == hour * 3600.0
