"""Load runs over MQTT as people start them: a broker, the practice CSMS behind it, stations before it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from evidence import exit_codes
from evidence.run_folder import read_run
from evidence.run_model import LoadRun
from fixtures.csms import spawn_practice_csms
from mqtt.dialect import dialect_names, load_dialect
from tests.mqtt.brokers import BROKERS, Broker, free_port, running
from tests.plugstorm.conftest import Plugstorm, Spawn

pytestmark = pytest.mark.waits(8)

PROFILE = "title: short\nmodels: {ac-dual: 1}\nmeter: 1\nsessions: {duration: 1, gap: 0.4, unplug: 0.1}\n"
RUN = ("--stations", "24", "--spawn-rate", "24", "--duration", "6s", "--profile", "short.yaml", "--seed", "3")


@pytest.fixture(scope="module", params=BROKERS)
def broker(request: pytest.FixtureRequest) -> Iterator[Broker]:
    with running(request.param) as one:
        yield one


def result(folder: Path) -> LoadRun:
    run = read_run(folder)
    assert isinstance(run, LoadRun)
    return run


@pytest.mark.sampled(len(dialect_names()), by=lambda *, name, **_: name)
@pytest.mark.parametrize("name", dialect_names())
def test_a_run_over_a_broker_keeps_every_transaction(spawn: Spawn, tmp_path: Path, broker: Broker, name: str) -> None:
    (tmp_path / "short.yaml").write_text(PROFILE)
    url = f"mqtt://127.0.0.1:{broker.ports[load_dialect(name).level]}"
    with spawn_practice_csms(mqtt=url, mqtt_dialects=(name,)) as csms:
        asked = ("--url", url, "--dialect", name, "--control-url", csms.control_url, "--trace-share", "0.2")
        process = spawn("load", *RUN, *asked, "--out", "run")
        _, errors = process.communicate(timeout=100)
    run = result(tmp_path / "run")
    # A busy machine may make the generator INVALID, which says nothing about the records.
    expected = exit_codes.INVALID if run.generator.verdict == "INVALID" else exit_codes.PASSED
    assert process.returncode == expected, errors
    assert run.stations.booted == 24
    assert run.ledger.judged > 20
    assert run.ledger.says[0].startswith(f"0 lost of {run.ledger.judged:,} transactions; none ")
    assert {kind for kind in run.faults if kind.startswith("mqtt")} == set()
    (trace,) = (tmp_path / "run" / "traces").glob("*.jsonl")
    # Whatever the dialect, a trace has the frames of OCPP-J.
    assert '[2,\\"' in trace.read_text()
    assert '"over":"mqtt"' in trace.read_text()
    assert '"granted":"' in trace.read_text()
    assert '"status":101' not in trace.read_text()


@pytest.mark.sampled(1)
@pytest.mark.parametrize("shared", [(), ("--mqtt-connections", "2")], ids=["own", "shared"])
def test_a_broker_that_is_killed_and_comes_back_is_survived_and_reported(
    spawn: Spawn, tmp_path: Path, shared: tuple[str, ...]
) -> None:
    (tmp_path / "short.yaml").write_text(PROFILE)
    with running("rumqttd") as broker, spawn_practice_csms(mqtt=broker.url, mqtt_dialects=("raw",)) as csms:
        # The storm's command is what an operator would do; it only says when, and the broker is really killed.
        mark = tmp_path / "restart"
        storm = f"broker-restart@1s,down=2s,grace=30s,command=touch {mark}"
        asked = ("--url", broker.url, "--control-url", csms.control_url, *shared)
        times = (
            "--stations",
            "20",
            "--spawn-rate",
            "20",
            "--duration",
            "14s",
            "--warm-up",
            "1",
            "--stop-patience",
            "20",
        )
        words = ("--profile", "short.yaml", "--seed", "3", "--backoff", "fixed:0.5", "--call-timeout", "5")
        process = spawn("load", *times, *words, *asked, "--storm", storm, "--out", "run")
        deadline = time.monotonic() + 60
        while not mark.exists():
            assert process.poll() is None, "the run has ended before its storm"
            assert time.monotonic() < deadline
            time.sleep(0.05)
        broker.kill()
        broker.start()
        _, errors = process.communicate(timeout=100)
    run = result(tmp_path / "run")
    (restart,) = run.storms
    assert (restart.storm, restart.command_exit_code) == ("broker-restart", 0), errors
    assert restart.stations.struck == restart.stations.connected == restart.stations.accepted == 20
    assert run.stations.lost >= 20
    # What the broker had taken and not delivered is gone; the stations say it again, so no transaction is.
    assert run.ledger.counts["lost"] == 0
    assert run.ledger.judged > 20


def test_what_a_broker_does_not_do_is_one_line(plugstorm: Plugstorm) -> None:
    nowhere = f"mqtt://127.0.0.1:{free_port()}"
    plugstorm("load", "--url", nowhere).assert_one_line(exit_codes.UNREACHABLE, "The broker at", "is it running there?")
    plugstorm("csms", "--port", "0", "--control-port", "0", "--mqtt", nowhere).assert_one_line(
        exit_codes.UNREACHABLE, "there is no broker at"
    )


@pytest.mark.parametrize(
    ("words", "parts"),
    [
        (("load", "--url", "mqtt://127.0.0.1", "--dialect", "maev"), ("did you mean 'maeve'?",)),
        (("load", "--dialect", "raw"), ("--dialect", "--url")),
        (("load", "--url", "ws://127.0.0.1", "--dialect", "raw"), ("--dialect raw needs a broker",)),
        (("load", "--url", "mqtt://127.0.0.1/{id}"), ("--dialect",)),
        (("csms", "--mqtt", "ws://127.0.0.1"), ("is no broker",)),
    ],
)
def test_a_mistake_is_one_line(plugstorm: Plugstorm, words: tuple[str, ...], parts: tuple[str, ...]) -> None:
    plugstorm(*words).assert_one_line(exit_codes.USAGE, *parts)
