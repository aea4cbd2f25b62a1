"""Everything that a person can get wrong: one clear line and the right exit code, never a traceback."""

from __future__ import annotations

import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.plugstorm.conftest import Plugstorm

pytestmark = pytest.mark.waits(0.5)

INTEROP = ("interop", "--select", "TC_001_CSMS", "--timeout", "2")
LOAD = ("load", "--stations", "2", "--duration", "2s")
BOTH = pytest.mark.parametrize("command", [INTEROP, LOAD], ids=["interop", "load"])


@BOTH
def test_unreachable_csms_is_exit_code_4_and_leaves_no_run_folder(
    plugstorm: Plugstorm, command: tuple[str, ...], closed_url: str, tmp_path: Path
) -> None:
    plugstorm(*command, "--url", closed_url, "--out", "run").assert_one_line(4, "cannot be reached", "refused")
    assert not (tmp_path / "run").exists()


@BOTH
def test_unknown_host_is_exit_code_4(plugstorm: Plugstorm, command: tuple[str, ...]) -> None:
    plugstorm(
        *command, "--url", "ws://no-such-host.invalid/ocpp", "--i-own-this-target", "no-such-host.invalid"
    ).assert_one_line(4, "no-such-host.invalid")


@BOTH
def test_http_url_is_told_its_websocket_form(plugstorm: Plugstorm, command: tuple[str, ...]) -> None:
    plugstorm(*command, "--url", "http://127.0.0.1:9000/ocpp").assert_one_line(2, "Try ws://127.0.0.1:9000/ocpp")


@BOTH
@pytest.mark.parametrize(("status", "hint"), [(401, "--password"), (404, "check the path")])
def test_refused_station_is_told_what_to_check(
    plugstorm: Plugstorm, command: tuple[str, ...], says: Callable[[int], str], status: int, hint: str
) -> None:
    plugstorm(*command, "--url", says(status)).assert_one_line(2, f"HTTP {status}", hint)


def test_version_that_the_csms_does_not_speak_is_named(plugstorm: Plugstorm, only_201: str) -> None:
    plugstorm(*LOAD, "--url", only_201, "--ocpp", "1.6").assert_one_line(2, "ocpp1.6", "--ocpp")


@BOTH
def test_run_folder_that_cannot_be_written_is_named(
    plugstorm: Plugstorm, command: tuple[str, ...], tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    plugstorm(*command, "--out", "file/run").assert_one_line(2, "--out file/run cannot be written", "name a folder")


@BOTH
def test_run_folder_in_use_is_left_alone(plugstorm: Plugstorm, command: tuple[str, ...], tmp_path: Path) -> None:
    (tmp_path / "run.json").write_text("{}")
    plugstorm(*command, "--out", ".").assert_one_line(2, "already holds a run")
    assert (tmp_path / "run.json").read_text() == "{}"


@BOTH
def test_credentials_in_a_url_are_not_repeated(plugstorm: Plugstorm, command: tuple[str, ...], closed_url: str) -> None:
    url = closed_url.replace("ws://", "ws://user:hunter2@").replace("/ocpp", "/#top")
    result = plugstorm(*command, "--url", url)
    result.assert_one_line(2, "fragment")
    assert "hunter2" not in result.errors[0]


def test_unknown_profile_is_told_the_nearest(plugstorm: Plugstorm) -> None:
    plugstorm("load", "--profile", "quik").assert_one_line(2, "'quik'", "did you mean 'quick'?")


def test_unknown_key_of_a_profile_is_told_the_nearest(plugstorm: Plugstorm, tmp_path: Path) -> None:
    (tmp_path / "day.yaml").write_text("title: A day\nheartbeet: 10\n")
    plugstorm("load", "--profile", "day.yaml").assert_one_line(2, "day.yaml:2: heartbeet: ", "mean 'heartbeat'?")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (
            "TC_001_CSMS: {because: broken}",
            ["TC_001_CSMS.because: the key 'because' is unknown; known are reason, link"],
        ),
        ("TC_001_CSMS: {}", ["reason"]),
        ("TC_001_CSMX: {reason: broken}", ["did you mean 'TC_001_CSMS'?"]),
        ("TC_001_CSMS: [", ["expect.yaml:1: expected YAML"]),
    ],
)
def test_expectations_that_cannot_work_are_explained(
    plugstorm: Plugstorm, tmp_path: Path, text: str, words: list[str]
) -> None:
    (tmp_path / "expect.yaml").write_text(text)
    plugstorm(*INTEROP, "--expect", "expect.yaml").assert_one_line(2, "expect.yaml:1: ", *words)


@pytest.mark.parametrize(
    "words",
    [
        ["csms", "--port", "-1"],
        ["csms", "--control-port", "70000"],
        ["csms", "--latency", "-1"],
        ["interop", "--jobs", "0"],
        ["interop", "--timeout", "-1"],
        ["load", "--stations", "-5"],
        ["load", "--stations", "many"],
        ["load", "--spawn-rate", "-1"],
        ["load", "--duration", "-60s"],
        ["load", "--duration", "0"],
        ["load", "--duration", "soon"],
        ["load", "--workers", "0"],
        ["load", "--seed", "-1"],
        ["load", "--ui-port", "0"],
        ["selftest", "--jobs", "0"],
        ["compare", "--tolerance", "-1", "a", "b"],
    ],
    ids=" ".join,
)
def test_number_that_cannot_work_is_refused(plugstorm: Plugstorm, words: list[str]) -> None:
    plugstorm(*words).assert_one_line(2, words[1])


@pytest.mark.parametrize(
    ("words", "hint"),
    [
        (["lod"], "Did you mean 'load'?"),
        (["zzz"], "known are analyze, csms, interop, selftest,"),
        (["interop", "--ulr", "ws://h"], "did you mean '--url'?"),
        (["load", "--stationz", "1"], "did you mean '--stations'?"),
        (["report", "--zzz"], "known are"),
        (["interop", "--ocpp", "1.5"], "'1.5' is not one of '1.6', '2.0.1', '2.1'"),
        (["load", "--ocpp", "1.7"], "did you mean '1.6'?"),
        (["csms", "--mode", "strickt"], "'strict', 'lenient'"),
        (["csms", "--defect", "unknown-tag-acceptd"], "there is no defect"),
        (["selftest", "--defect", "zzz"], "There is no defect 'zzz'"),
        (["interop", "--url", "ws://127.0.0.1:1", "--driver", "htp"], "did you mean 'http'?"),
        (["interop", "--driver", "http"], "name it with --url"),
        (["interop", "--identity", "CP1"], "name it with --url"),
        (["interop", "--select", "TC_9999"], "matches no case"),
        (["interop", "--url", "ws://127.0.0.1:1", "--token", "04A1"], "--token: expected NAME=VALUE, as in Accepted="),
        (["interop", "--url", "ws://127.0.0.1:1", "--driver-option", "x"], "--driver-option: expected NAME=VALUE, as"),
        (["interop", "--url", "ws://h", "--token", "a=1", "--token", "a=2"], "--token: expected each name once"),
        (["interop", "--url", "ws://127.0.0.1:1", "--driver-option", "x=1"], "--driver-option x"),
        (["interop", "extra"], "unexpected"),
        (["report"], "DIR"),
        (["report", "nowhere"], "nowhere"),
        (["report", "nowhere", "--judge-again"], "nowhere"),
        (["compare", "nowhere", "elsewhere"], "nowhere"),
        (["compare", "nowhere"], "NEW"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_unknown_word_is_told_what_is_known(plugstorm: Plugstorm, words: list[str], hint: str) -> None:
    result = plugstorm(*words)
    assert result.code == 2
    assert len(result.errors) == 1, result.errors
    assert hint.lower() in result.errors[0].lower()


@pytest.mark.parametrize("flag", ["--port", "--control-port"])
def test_port_in_use_is_named(plugstorm: Plugstorm, flag: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = str(server.getsockname()[1])
        other = {"--port": "--control-port", "--control-port": "--port"}[flag]
        plugstorm("csms", flag, port, other, "0").assert_one_line(2, port)


def test_port_of_the_web_ui_in_use_is_named(plugstorm: Plugstorm) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = str(server.getsockname()[1])
        plugstorm("load", "--ui", "--ui-port", port).assert_one_line(2, port, "--ui-port")


def test_no_command_shows_the_commands(plugstorm: Plugstorm) -> None:
    result = plugstorm()
    assert result.code == 2
    assert "Commands:" in "\n".join(result.errors)
