"""Interop runs over MQTT as people start them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from evidence import exit_codes
from fixtures.csms import practice_csms
from mqtt.dialect import dialect_names, load_dialect
from tests.mqtt.brokers import free_port, running
from tests.plugstorm.conftest import Plugstorm

pytestmark = pytest.mark.waits(1)

CASES = "TC_001,RPC_12,MQ_02,MQ_09,AU_03"


@pytest.mark.parametrize("name", dialect_names())
def test_a_run_over_a_broker_is_a_run_like_any_other(plugstorm: Plugstorm, tmp_path: Path, name: str) -> None:
    with running("rumqttd") as broker:
        url = f"mqtt://127.0.0.1:{broker.ports[load_dialect(name).level]}"
        with practice_csms(mqtt=url, mqtt_dialects=(name,)) as csms:
            asked = ("--url", url, "--dialect", name, "--control-url", csms.control_url, "--ocpp", "1.6")
            left = plugstorm("interop", *asked, "--select", CASES, "--out", "run", "--json")
    assert left.code == exit_codes.PASSED, left.errors
    run = json.loads(left.out)
    assert run["target"]["dialect"] == name
    verdicts = {case["id"]: case["verdict"] for case in run["cases"]}
    expected = dict.fromkeys(verdicts, "OK") | {"AU_03": "NOT_APPLICABLE"}
    assert verdicts == expected
    reasons = {case["id"]: case["reason"] for case in run["cases"]}
    assert reasons["AU_03"] == "over MQTT it is the broker that checks passwords, not the CSMS"
    again = {case["id"]: case["reproduce"] for case in run["cases"]}
    assert f"--url {url} --dialect {name}" in again["MQ_02"]
    page = (tmp_path / "run" / "report.html").read_text()
    assert f"MQTT, dialect {name}" in page
    # Judged again from the traces alone, and read by whoever reads logs.
    assert plugstorm("report", "run", "--judge-again").code == exit_codes.PASSED
    assert plugstorm("analyze", *map(str, (tmp_path / "run" / "traces").glob("1.6-TC_001*"))).code == exit_codes.PASSED


def test_the_driver_of_a_csms_behind_a_broker_is_checked_over_it(plugstorm: Plugstorm) -> None:
    with running("rumqttd") as broker, practice_csms(mqtt=broker.url, mqtt_dialects=("raw",)) as csms:
        asked = ("--url", broker.url, "--control-url", csms.control_url, "--ocpp", "1.6", "--check-driver", "--json")
        left = plugstorm("interop", *asked)
    assert left.code == exit_codes.PASSED, left.errors
    states = {one["operation"]: (one["state"], one["reason"]) for one in json.loads(left.out)}
    assert states["connect"][0] == "works"
    assert states["password"] == ("unsupported", "over MQTT it is the broker that checks passwords, not the CSMS")


def test_cases_about_a_broker_do_not_apply_over_websocket(plugstorm: Plugstorm) -> None:
    left = plugstorm("interop", "--select", "MQ_01", "--ocpp", "1.6", "--out", "run", "--json")
    (case,) = json.loads(left.out)["cases"]
    assert (case["verdict"], case["reason"]) == (
        "NOT_APPLICABLE",
        "it is about OCPP over MQTT, and this CSMS takes WebSocket",
    )


def test_what_a_broker_does_not_do_is_one_line(plugstorm: Plugstorm) -> None:
    nowhere = f"mqtt://127.0.0.1:{free_port()}"
    plugstorm("interop", "--url", nowhere, "--timeout", "1").assert_one_line(
        exit_codes.UNREACHABLE, "Connection refused", "check the address in --url"
    )
    with running("rumqttd") as broker:
        plugstorm("interop", "--url", broker.url, "--timeout", "0.5").assert_one_line(
            exit_codes.UNREACHABLE, "nobody answered its boot on", "--dialect"
        )


@pytest.mark.parametrize(
    ("words", "parts"),
    [
        (("--url", "mqtt://127.0.0.1", "--dialect", "maev"), ("did you mean 'maeve'?",)),
        (("--dialect", "raw"), ("--dialect", "--url")),
        (("--url", "ws://127.0.0.1", "--dialect", "raw"), ("--dialect raw needs a broker",)),
        (("--url", "mqtt://127.0.0.1/{id}"), ("--dialect",)),
        (("--url", "mqtt://192.0.2.1"), ("--i-own-this-target",)),
    ],
)
def test_a_mistake_is_one_line(plugstorm: Plugstorm, words: tuple[str, ...], parts: tuple[str, ...]) -> None:
    plugstorm("interop", *words).assert_one_line(exit_codes.USAGE, *parts)
