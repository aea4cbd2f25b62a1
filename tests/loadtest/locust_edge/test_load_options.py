from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import pytest

from loadtest.locust_edge.option_words import OWN_LABELS
from loadtest.locust_edge.parser import add_options, request_of
from loadtest.locust_edge.request import LoadRequest
from loadtest.locust_edge.run_settings import profile_of, settings_of
from loadtest.plugins.metrics.families import FAMILIES
from loadtest.plugins.metrics.plugin import MetricsPlugin
from loadtest.timing.backoff import parse_backoff
from ocppj.errors import UsageError
from ocppj.versions import Version

HOST = "ws://127.0.0.1:9000/ocpp"


class Parser(argparse.ArgumentParser):
    """argparse with the one thing that Locust's parser knows more."""

    def add_argument_group(self, *args: Any, **kwargs: Any) -> Any:
        group = super().add_argument_group(*args, **kwargs)
        add = group.add_argument

        def add_argument(flag: str, *, env_var: str | None, **more: Any) -> Any:
            assert env_var is None or env_var.startswith("PLUGSTORM_")
            return add(flag, **more)

        group.add_argument = add_argument  # type: ignore[assignment]  # Locust's takes env_var
        return group


def parse(*words: str) -> Any:
    parser = Parser()
    add_options(parser)
    given = parser.parse_args(list(words))
    given.num_users, given.spawn_rate, given.run_time = 20, 5.0, 30
    return given


def read(*words: str, host: str | None = HOST) -> LoadRequest:
    return request_of(parse(*words), host)


def test_nothing_but_the_host_is_needed() -> None:
    request = read()
    assert request.url == HOST
    assert request.versions == {}
    assert request.profile == "quick"
    assert request.call_timeout == 30.0
    assert request.password is None
    assert request.addresses == ()


def test_everything_can_be_said() -> None:
    request = read(
        *("--ocpp", "1.6=3", "--ocpp", "2.0.1", "--plugstorm-profile", "idle", "--seed", "7", "--password", "p"),
        *("--call-timeout", "5", "--connect-timeout", "2.5", "--backoff", "fixed:10", "--schema-share", "1"),
        *("--source-address", "127.0.0.2-127.0.0.4", "--source-address", "127.0.0.9", "--stop-patience", "0"),
    )
    assert request.versions == {Version.V16: 3, Version.V201: 1}
    assert request.profile == "idle"
    assert (request.seed, request.password, request.call_timeout, request.connect_timeout) == (7, "p", 5.0, 2.5)
    assert request.backoff == parse_backoff("fixed:10")
    assert request.addresses == ("127.0.0.2", "127.0.0.3", "127.0.0.4", "127.0.0.9")


def test_a_seed_that_nobody_gave_is_drawn_once_for_all_processes() -> None:
    given = parse()
    first = request_of(given, HOST).seed
    assert request_of(given, HOST).seed == first
    assert given.seed == str(first)


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (("--ocpp", "1.7"), r"--ocpp 1\.7.*did you mean '1\.6'"),
        (("--ocpp", "three"), r"known are 1\.6, 2\.0\.1, 2\.1"),
        (("--ocpp", "1.6=0"), r"--ocpp 1\.6=: expected a whole number of 1 or more, but it is '0'"),
        (("--ocpp", "1.6=x"), r"--ocpp 1\.6=: expected a whole number of 1 or more, but 'x' is not a number"),
        (("--seed", "x"), r"--seed: expected a whole number of 0 or more, but 'x' is not a number"),
        (("--seed", "-1"), r"--seed: expected a whole number of 0 or more, but it is '-1'"),
        (("--call-timeout", "-1"), r"--call-timeout: expected a time such as .*, but '-1' is negative"),
        (("--call-timeout", "0"), r"--call-timeout: expected a time above 0, but it is '0'"),
        (("--call-timeout", "nan"), r"--call-timeout: expected a time such as .*, but 'nan' is not"),
        (("--connect-timeout", "soon"), r"--connect-timeout: expected a time such as .*, but 'soon' is not"),
        (("--schema-share", "2"), r"from 0 to 1"),
        (("--stop-patience", "-2"), r"--stop-patience: expected a time such as .*, but '-2' is negative"),
        (("--backoff", "spec:-1"), r"negative"),
        (("--source-address", "localhost"), r"--source-address localhost is not an IP address"),
        (("--source-address", "127.0.0.9-127.0.0.2"), r"not a range"),
        (("--source-address", "127.0.0.1-::1"), r"not a range"),
    ],
)
def test_a_mistake_is_one_line(words: tuple[str, ...], complaint: str) -> None:
    with pytest.raises(UsageError, match=complaint) as caught:
        read(*words)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("host", "complaint"), [(None, "--host"), ("", "--host"), ("http://x/ocpp", "Try ws://x/ocpp"), ("x", "ws://")]
)
def test_the_host_must_be_a_websocket(host: str | None, complaint: str) -> None:
    with pytest.raises(UsageError, match=complaint):
        read(host=host)


@pytest.mark.parametrize(
    ("name", "value"), [("num_users", -5), ("spawn_rate", -1.0), ("spawn_rate", 0), ("run_time", -3)]
)
def test_numbers_that_locust_would_misunderstand_are_refused(name: str, value: float) -> None:
    given = parse()
    setattr(given, name, value)
    with pytest.raises(UsageError, match="--"):
        request_of(given, HOST)


def test_the_measuring_side_learns_everything_but_the_password_in_clear() -> None:
    given = parse("--password", "hunter2hunter2", "--out", "somewhere", "--cool-down", "3", "--warm-up", "4")
    settings = settings_of(request_of(given, HOST), [Version.V16, Version.V21])
    assert settings.ocpp == ["1.6", "2.1"]
    assert (settings.stations, settings.duration, settings.warm_up, settings.cool_down) == (20, 30.0, 4.0, 3.0)
    assert settings.out == "somewhere"
    assert settings.secrets == frozenset({"hunter2hunter2"})
    assert "hunter2hunter2" not in str(settings.details)
    assert settings.details["plugstorm-profile"] == "quick"


def test_identities_that_a_version_forbids_are_refused() -> None:
    given = parse("--identity-pattern", "A:{n}")
    request = request_of(given, HOST)
    assert settings_of(request, [Version.V16]).identities.lease(3).identity == "A:3"
    with pytest.raises(UsageError, match="':'"):
        settings_of(request, [Version.V201])


def test_a_list_of_stations_and_a_pattern_exclude_each_other(tmp_path: Path) -> None:
    file = tmp_path / "stations.csv"
    file.write_text("CP-1\nCP-2\n")
    given = parse("--station-list", str(file))
    given.num_users = 2
    assert settings_of(request_of(given, HOST), [Version.V16]).identities.capacity == 2
    given.identity_pattern = "X{n}"
    with pytest.raises(UsageError, match="exclude each other"):
        settings_of(request_of(given, HOST), [Version.V16])


def test_a_list_that_is_too_short_is_one_clear_line(tmp_path: Path) -> None:
    file = tmp_path / "stations.csv"
    file.write_text("CP-1\nCP-2\n")
    given = parse("--station-list", str(file))
    given.num_users = 3
    with pytest.raises(UsageError, match="names 2 stations, but 3 are asked for; add lines, or take --stations 2"):
        settings_of(request_of(given, HOST), [Version.V16])


def test_a_token_list_that_is_too_short_or_beside_a_station_list_is_one_clear_line(tmp_path: Path) -> None:
    tokens, stations = tmp_path / "tokens.txt", tmp_path / "stations.csv"
    tokens.write_text("A\nB\n")
    stations.write_text("CP-1\nCP-2\nCP-3\n")
    given = parse("--token-list", str(tokens))
    given.num_users = 2
    assert settings_of(request_of(given, HOST), [Version.V16]).identities.lease(2).token == "B"
    given.num_users = 3
    with pytest.raises(UsageError, match="names 2 tokens, but 3 stations are asked for, and a token charges at one"):
        settings_of(request_of(given, HOST), [Version.V16])
    given.station_list = str(stations)
    with pytest.raises(UsageError, match="--token-list and --station-list exclude each other"):
        settings_of(request_of(given, HOST), [Version.V16])


def test_the_time_of_the_profile_can_be_set() -> None:
    profile = profile_of(read("--plugstorm-profile", "dc_hub", "--time-compression", "60", "--start-at", "06:00"))
    assert (profile.compression, profile.start) == (60.0, 6 * 3600.0)
    assert profile_of(read("--plugstorm-profile", "dc_hub")).compression == 1.0


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (("--time-compression", "fast"), "--time-compression: expected a number above 0, but 'fast' is not a number"),
        (("--time-compression", "0"), "--time-compression: expected a number above 0, but it is '0'"),
        (("--start-at", "24:00"), "--start-at '24:00' is not a time of day; write it as 17:00"),
    ],
)
def test_a_wrong_time_of_the_profile_is_refused(words: tuple[str, str], complaint: str) -> None:
    with pytest.raises(UsageError, match=complaint):
        profile_of(read(*words))


def test_an_unknown_profile_is_told_the_nearest() -> None:
    with pytest.raises(UsageError, match="did you mean 'quick'"):
        profile_of(read("--plugstorm-profile", "qick"))


@pytest.mark.parametrize(
    ("word", "read_as"),
    [
        ("9464", ("127.0.0.1", 9464)),
        ("0.0.0.0:9464", ("0.0.0.0", 9464)),
        ("[::1]:0", ("::1", 0)),
        (":9464", ("127.0.0.1", 9464)),
    ],
)
def test_metrics_are_shown_on_this_machine_unless_a_host_is_named(word: str, read_as: tuple[str, int]) -> None:
    assert read("--metrics", word).metrics == read_as


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("--metrics", "99999"), "--metrics: expected a whole number of at most 65535"),
        (("--metrics", "::1:9464"), "IPv6 address in brackets"),
        (("--metrics", "here"), "--metrics: expected a whole number"),
        (("--remote-write", "127.0.0.1:9090"), "--remote-write: expected a URL"),
        (("--remote-write", "http://:hush@"), "--remote-write: expected a URL"),
        (("--metrics-label", "testid"), "as in testid=nightly"),
        (("--metrics-label", "test-id=1"), "a name of letters, digits and _"),
        (("--metrics-label", "action=1"), "a label of Plugstorm's own"),
    ],
)
def test_mistakes_about_metrics_are_told(words: tuple[str, ...], says: str) -> None:
    with pytest.raises(UsageError) as told:
        read(*words)
    assert says in str(told.value)
    assert "hush" not in str(told.value)


def test_labels_of_metrics_need_metrics() -> None:
    with pytest.raises(UsageError, match="--metrics-label is for --metrics, --remote-write or --otlp"):
        settings_of(read("--metrics-label", "testid=1"), [Version.V16])


def test_nobody_may_take_a_label_that_metrics_have() -> None:
    assert {label for family in FAMILIES for label in family.labels} <= OWN_LABELS


def test_a_run_without_metrics_has_no_plugin_for_them() -> None:
    assert not [one for one in settings_of(read(), [Version.V16]).plugins if isinstance(one, MetricsPlugin)]
    asked = settings_of(read("--remote-write", "http://127.0.0.1:9/"), [Version.V16])
    assert [one.name for one in asked.plugins if isinstance(one, MetricsPlugin)] == ["metrics"]
    assert asked.details.keys() & {"remote-write"} == set()
