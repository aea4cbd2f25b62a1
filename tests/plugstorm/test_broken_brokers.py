"""Whole load runs against brokers that are wrong in one way, or that have nobody sensible behind them."""

from __future__ import annotations

import json
import os
import subprocess
import threading
from pathlib import Path

import pytest

from evidence import exit_codes
from evidence.run_folder import read_run
from evidence.run_model import LoadRun
from evidence.vocabulary import NO_PROPERTIES, OTHER_DIALECT
from loadtest.locust_edge.request import LoadRequest
from mqtt.packets import ConnAck, Connect, Level, Publish
from mqtt.properties import Property
from plugstorm.load_command import environment_of, locust_command
from tests.mqtt.small_broker import small_broker
from tests.plugstorm.conftest import Plugstorm, Spawn

pytestmark = pytest.mark.waits

SHORT = ("--stations", "4", "--spawn-rate", "4", "--duration", "5s", "--profile", "idle", "--seed", "3", "--out", "run")
PATIENCE = ("--", "--call-timeout", "1.5")
LEVELS = [("raw", Level.V311), ("maeve", Level.V5)]


def answer(message: Publish) -> bytes | None:
    """Answer a CALL as a CSMS does that accepts everything."""
    call = json.loads(message.payload)
    if call[0] != 2:
        return None
    payload = {"currentTime": "2026-01-01T00:00:00Z", "interval": 300, "status": "Accepted"}
    return json.dumps([3, call[1], payload]).encode()


def run_of(process: subprocess.Popen[str], folder: Path) -> tuple[LoadRun, str]:
    said, _ = process.communicate(timeout=110)
    assert "Traceback" not in said
    run = read_run(folder / "run")
    assert isinstance(run, LoadRun)
    return run, said


@pytest.mark.sampled(2, by=lambda *, name, **_: name)
@pytest.mark.parametrize(
    ("name", "level", "login", "why"),
    [
        ("raw", Level.V311, ConnAck(code=4), "bad user name or password"),
        ("raw", Level.V311, ConnAck(code=5), "not authorized"),
        (
            "maeve",
            Level.V5,
            ConnAck(code=0x86, properties={Property.REASON: "unknown gateway"}),
            "bad user name or password (unknown gateway)",
        ),
    ],
)
def test_wrong_credentials_are_one_line_with_the_reason_of_the_broker(
    plugstorm: Plugstorm, name: str, level: Level, login: ConnAck, why: str
) -> None:
    with small_broker(level, login=login) as broker:
        url = broker.url.replace("//", "//gate:hunter2@")
        result = plugstorm("load", "--url", url, "--dialect", name, *SHORT)
    result.assert_one_line(exit_codes.UNREACHABLE, "refuses PS000004", why, "--password")
    assert "hunter2" not in result.errors[0]


@pytest.mark.parametrize(("name", "level"), LEVELS)
def test_a_topic_that_is_refused_is_one_line(plugstorm: Plugstorm, name: str, level: Level) -> None:
    with small_broker(level, granted=0x80 if level is Level.V311 else 0x87) as broker:
        result = plugstorm("load", "--url", broker.url, "--dialect", name, *SHORT)
    result.assert_one_line(exit_codes.UNREACHABLE, "lets PS000004 in, but refuses the topic", "access rules")


@pytest.mark.parametrize(("name", "level"), LEVELS)
def test_no_answer_to_subscribe_is_one_line(plugstorm: Plugstorm, name: str, level: Level) -> None:
    with small_broker(level, granted=None) as broker:
        result = plugstorm("load", "--url", broker.url, "--dialect", name, *SHORT, "--", "--connect-timeout", "1")
    result.assert_one_line(exit_codes.UNREACHABLE, "does not answer SUBSCRIBE")


def test_nobody_behind_the_broker_fails_the_run_and_is_said(spawn: Spawn, tmp_path: Path) -> None:
    # As with mosquitto's access rules, which grant a topic and withhold its messages.
    with small_broker() as broker:
        run, said = run_of(process := spawn("load", "--url", broker.url, *SHORT, *PATIENCE), tmp_path)
    assert process.returncode in (exit_codes.FAILED, exit_codes.INVALID), said
    assert (run.stations.connected_peak, run.stations.booted) == (4, 0)
    assert "did not answer BootNotification" in said


def test_a_broker_that_goes_for_good_is_told_and_nothing_is_lost_silently(spawn: Spawn, tmp_path: Path) -> None:
    booted: set[str] = set()

    def say(message: Publish) -> bytes | None:
        if b"BootNotification" in message.payload:
            booted.add(message.topic)
        if b"StatusNotification" in message.payload and len(booted) == 4:
            threading.Timer(0.5, broker.end).start()
        return answer(message)

    with small_broker(say=say) as broker:
        words = ("load", "--url", broker.url, *SHORT, *PATIENCE, "--backoff", "fixed:0.3")
        run, said = run_of(process := spawn(*words), tmp_path)
    assert process.returncode in (exit_codes.FAILED, exit_codes.INVALID), said
    assert run.stations.booted == 4
    assert sum(one.count for one in run.lost_connections) == run.stations.lost == 4
    assert run.connections["refused"] > 0
    assert "did not answer when the run was over" in said
    assert "4 connections" in said


@pytest.mark.sampled(2, by=lambda *, junk: junk == b"\xff\xfe")
@pytest.mark.parametrize("junk", [b"hello {", b'{"type":3}', b"\xff\xfe"])
def test_a_payload_that_is_not_of_the_dialect_is_counted_and_said(spawn: Spawn, tmp_path: Path, junk: bytes) -> None:
    def say(message: Publish) -> bytes | None:
        return answer(message) if b"BootNotification" in message.payload else junk

    with small_broker(say=say) as broker:
        run, said = run_of(process := spawn("load", "--url", broker.url, *SHORT, *PATIENCE), tmp_path)
    assert process.returncode in (exit_codes.FAILED, exit_codes.INVALID), said
    assert run.stations.booted == 4
    kind = "not-text" if junk == b"\xff\xfe" else OTHER_DIALECT
    assert run.faults[kind] >= 4
    if kind == OTHER_DIALECT:
        assert f"{run.faults[kind]} messages of the CSMS could not be read" in " ".join(said.split())
        assert "is not of this dialect" in (tmp_path / "run" / "locust.log").read_text()


def test_a_message_without_the_properties_of_its_dialect_is_counted_and_said(spawn: Spawn, tmp_path: Path) -> None:
    def say(message: Publish) -> bytes | None:
        call = json.loads(message.payload)
        response = {"currentTime": "2026-01-01T00:00:00Z", "interval": 300, "status": "Accepted"}
        return json.dumps({"type": 3, "id": call["id"], "response": response}).encode() if call["type"] == 2 else None

    with small_broker(Level.V5, say=say) as broker:
        words = ("load", "--url", broker.url, "--dialect", "maeve", *SHORT, *PATIENCE)
        run, said = run_of(spawn(*words), tmp_path)
    assert run.stations.booted == 4
    assert run.faults[NO_PROPERTIES] >= 4
    assert "lacked the MQTT 5 properties" in " ".join(said.split())


def test_a_wrong_key_of_a_dialect_file_has_its_place_and_the_nearest_key(plugstorm: Plugstorm, tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text(
        'title: Ours\nmqtt: "5"\nup: {topic: "{id}/up"}\ndown:\n  topic: "{id}/down"\n  qoss: 1\n'
    )
    result = plugstorm("load", "--url", "mqtt://127.0.0.1", "--dialect", "mine.yaml", *SHORT)
    result.assert_one_line(exit_codes.USAGE, "mine.yaml:6", "qoss", "'qos'")


def test_a_password_in_the_url_is_in_no_command_line() -> None:
    url = "mqtt://gate:hunter2@127.0.0.1:1883"
    request = LoadRequest(url=url)
    words = locust_command(request, url=url, out=Path("run"), master_port=5557)
    assert "hunter2" not in " ".join(words)
    assert environment_of(request, url=url)["LOCUST_HOST"] == url
    plain = locust_command(request, url="mqtt://127.0.0.1:1883", out=Path("run"), master_port=None)
    assert "mqtt://127.0.0.1:1883" in plain
    assert "LOCUST_HOST" not in set(environment_of(request, url="mqtt://127.0.0.1:1883")) - set(os.environ)


def test_workers_log_in_with_a_password_that_no_process_list_shows(spawn: Spawn, tmp_path: Path) -> None:
    seen: list[str] = []

    def say(message: Publish) -> bytes | None:
        if b"BootNotification" in message.payload and not seen:
            seen.append(_command_lines())
        return answer(message)

    with small_broker(say=say) as broker:
        url = broker.url.replace("//", "//gate:hunter2@")
        process = spawn("load", "--url", url, *SHORT, "--workers", "2", *PATIENCE)
        run, said = run_of(process, tmp_path)
        logins = {(one.user, one.password) for one in broker.heard if isinstance(one, Connect)}
    assert run.stations.booted == 4, said
    assert logins == {("gate", b"hunter2")}
    # What the person typed is theirs; what we start besides shows nothing.
    assert len([line for line in seen[0].splitlines() if url in line]) == 1


def _command_lines() -> str:
    lines = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            lines.append(path.read_bytes().replace(b"\0", b" ").decode(errors="replace"))
        except OSError:
            continue
    return "\n".join(lines)
