"""The method `mqtt` of driver files, against real brokers and a bridge behind them."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from config.errors import ConfigError
from drivers.base import CommandResult, DriverError, StationSettings
from drivers.loading import read_driver
from mqtt.packets import ConnAck, Connect, Level, Publish, SubAck
from mqtt.properties import write_text
from ocppj.errors import UsageError
from ocppj.versions import Version
from tests.drivers.yaml_drivers import driver
from tests.mqtt.brokers import BROKERS, MOSQUITTO, Broker, free_port, mosquitto, running
from tests.mqtt.talker import Talker

TRIGGER = """\
  trigger:
    mqtt:
      topic: bridge/{{ identity }}/cmd
      message: {action: "{{ action }}", args: "{{ payload }}"}
      wait: {topic: "bridge/{{ identity }}/result", when: response.json.action == action, timeout: 10}
    answer: {payload: "{{ response.json.result }}"}
"""


@pytest.fixture(scope="module", params=BROKERS)
def broker(request: pytest.FixtureRequest) -> Iterator[Broker]:
    with running(request.param) as one:
        yield one


def head(broker: Broker, **more: str) -> str:
    lines = "".join(f"  {key}: {value}\n" for key, value in {"url": broker.url, **more}.items())
    return f"broker:\n{lines}"


@contextmanager
def bridge(broker: Broker, answer: Callable[[Any], list[tuple[str, bytes]]]) -> Iterator[list[Any]]:
    """Take commands, and publish what `answer` makes of them."""
    talker = Talker(broker, Level.V311, Connect(client_id="bridge"))
    talker.wait(ConnAck)
    talker.client.subscribe(("bridge/+/cmd", 1))
    talker.flush()
    talker.wait(SubAck)
    heard: list[Any] = []

    def serve() -> None:
        try:
            while True:
                message = talker.wait(Publish)
                heard.append((message.topic, json.loads(message.payload)))
                for topic, payload in answer(heard[-1][1]):
                    talker.client.publish(write_text(topic), payload, 1)
                talker.flush()
        except (AssertionError, OSError):
            """The test is over."""

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield heard
    finally:
        talker.socket.shutdown(2)
        thread.join(10)
        talker.socket.close()


def result(action: str, **more: Any) -> tuple[str, bytes]:
    return "bridge/CP1/result", json.dumps({"action": action, **more}).encode()


@pytest.mark.parametrize("version", ["'3.1.1'", "'5'"])
def test_a_command_has_the_answer_that_fits_and_no_other(broker: Broker, version: str) -> None:
    def answer(command: Any) -> list[tuple[str, bytes]]:
        return [("bridge/CP1/result", b"no json"), result("Other"), result(command["action"], result={"status": "Ok"})]

    url = f"mqtt://127.0.0.1:{broker.ports[Level.V5 if '5' in version else Level.V311]}"
    if version == "'5'" and broker.ports[Level.V5] != broker.port:
        pytest.skip("rumqttd has a port for each version, and no session sees the other's")
    lines = head(broker, mqtt=version, url=url)
    with bridge(broker, answer) as heard, driver(TRIGGER, head=lines) as one:
        assert one.reset() == CommandResult(status="answered", payload={"status": "Ok"})
        assert heard == [("bridge/CP1/cmd", {"action": "Reset", "args": {"type": "Hard"}})]
        (seen,) = one.seen
        assert (seen.over, seen.request["topic"], seen.request["wait"]) == (
            "mqtt",
            "bridge/CP1/cmd",
            "bridge/CP1/result",
        )


def test_no_answer_is_a_time_out_of_a_command(broker: Broker) -> None:
    quick = TRIGGER.replace("timeout: 10", "timeout: 0.2")
    with driver(quick, head=head(broker)) as one:
        found = one.reset()
        assert (found.status, found.description) == ("timeout", "no message on bridge/CP1/result within 0.2 s")
    with driver(quick.replace("timeout: 0.2", "timeout: 0.2, on_timeout: sent"), head=head(broker)) as one:
        assert one.reset().status == "sent"


def test_a_condition_that_no_message_can_fulfil_is_named(broker: Broker) -> None:
    wrong = TRIGGER.replace("timeout: 10", "timeout: 1").replace("response.json.action ==", "response.json.acton ==")
    with bridge(broker, lambda command: [result(command["action"])]), driver(wrong, head=head(broker)) as one:
        assert "of another message: response.json.acton == action" in str(one.reset().description)


def test_no_answer_is_an_error_of_anything_else(broker: Broker) -> None:
    register = TRIGGER.replace("  trigger:", "  register:").split("    answer:")[0]
    register = register.replace("timeout: 10", "timeout: 0.2").replace("when: response.json.action == action, ", "")
    register = register.replace('{action: "{{ action }}", args: "{{ payload }}"}', '{add: "{{ identity }}"}')
    with (
        driver(register, head=head(broker)) as one,
        pytest.raises(DriverError, match=r"register: no message on bridge/CP1/result within 0\.2 s"),
    ):
        one.register("CP1", StationSettings(), Version.V16)


def test_without_an_answer_to_wait_for_a_command_is_sent(broker: Broker) -> None:
    sent = TRIGGER.split("      wait:", maxsplit=1)[0]
    with bridge(broker, lambda _: []) as heard, driver(sent, head=head(broker)) as one:
        assert one.reset().status == "sent"
        with driver(TRIGGER.replace("timeout: 10", "timeout: 0.3"), head=head(broker)) as other:
            other.reset()
        assert len(heard) == 2


def test_what_the_broker_had_kept_is_passed_over(broker: Broker) -> None:
    keeper = Talker(broker, Level.V311, Connect(client_id="keeper"))
    keeper.wait(ConnAck)
    keeper.client.publish(write_text("bridge/CP1/result"), result("Reset", result={"old": True})[1], 0, retain=True)
    keeper.flush()

    def answer(command: Any) -> list[tuple[str, bytes]]:
        return [result(command["action"], result={"new": True})]

    with bridge(broker, answer), driver(TRIGGER, head=head(broker)) as one:
        assert one.reset().payload == {"new": True}
    keeper.client.publish(write_text("bridge/CP1/result"), b"", 0, retain=True)
    keeper.flush()
    keeper.close()


def test_a_station_cannot_widen_a_topic(broker: Broker) -> None:
    with driver(TRIGGER, head=head(broker)) as one, pytest.raises(DriverError, match="which holds a wildcard"):
        one.reset(identity="CP+")


def test_a_broker_that_is_not_there_is_named() -> None:
    lines = f"broker: {{url: 'mqtt://127.0.0.1:{free_port()}'}}\n"
    with driver(TRIGGER, head=lines) as one, pytest.raises(DriverError, match=r"the broker at 127\.0\.0\.1:\d+ cannot"):
        one.reset()
    with driver(TRIGGER, head="broker: {url: 'ws://x'}\n") as one, pytest.raises(DriverError, match="is no broker"):
        one.reset()


@pytest.mark.skipif(MOSQUITTO is None, reason="apt install mosquitto; rumqttd's listeners have no password here")
def test_a_password_is_refused_with_the_brokers_reason_and_shown_nowhere() -> None:
    with mosquitto("allow_anonymous false") as broker:
        lines = head(broker, user="me", password="${ENV:SECRET}")
        with driver(TRIGGER, head=lines, environment={"SECRET": "hidden-word"}) as one:
            with pytest.raises(DriverError, match="refuses the driver: not authorized") as caught:
                one.reset()
            assert "hidden-word" not in f"{caught.value} {one.seen}"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("operations:\n" + TRIGGER, "operations.trigger.mqtt: needs a 'broker' with its url"),
        (
            "broker: {url: x}\noperations:\n  trigger: {mqtt: {topic: a}}\n",
            "operations.trigger.mqtt: needs a message or a text, and not both",
        ),
        (
            "broker: {url: x}\noperations:\n  trigger: {mqtt: {topic: a, text: b, qoss: 1}}\n",
            "the key 'qoss' is unknown; did you mean 'qos'?",
        ),
        (
            "broker: {url: x}\noperations:\n  trigger: {mqtt: {topic: 'a/{{ identty }}', text: b}}\n",
            "identty is not known; did you mean 'identity'?",
        ),
    ],
)
def test_a_mistake_in_the_file_is_found_before_anything_is_sent(text: str, words: str) -> None:
    with pytest.raises((UsageError, ConfigError)) as caught:
        read_driver("test.yaml", f"driver: test\n{text}", {})
    assert words in str(caught.value)
