"""What people would write over MQTT: a Locust user on paho-mqtt that publishes, blocks and fires an event."""

from __future__ import annotations

import itertools
import json
import time
import uuid
from typing import Any
from urllib.parse import urlsplit

import gevent.event
import gevent.queue
from locust import User, task
from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion

from benchmarks.engines.on_locust import obey
from benchmarks.engines.speech import CALL_PATIENCE, Order

__all__ = ["PahoMqttUser"]

_numbers = itertools.count(1)
_connected: list[PahoMqttUser] = []


class _Loop:
    current: _Loop | None = None
    begun = gevent.event.Event()

    def __init__(self, order: Order) -> None:
        self.calls = self.errors = self.open = 0
        self.order = order
        self.running = True

    def start(self) -> None:
        self.open = len(_connected)
        _Loop.current = self
        _Loop.begun.set()

    def stop(self) -> None:
        self.running = False
        _Loop.begun.clear()


class PahoMqttUser(User):
    """One station behind a gateway of the dialect `raw`."""

    def on_start(self) -> None:
        """Connect, and ask for the topic on which the CSMS speaks."""
        identity = f"B{next(_numbers):06d}"
        address = urlsplit(str(self.host))
        self.topic = f"{identity}/in"
        self.answers: Any = gevent.queue.Queue()
        subscribed = gevent.event.Event()
        self.client = client = Client(CallbackAPIVersion.VERSION2, client_id=identity)
        client.on_connect = self.on_connect
        client.on_subscribe = lambda *_: subscribed.set()
        client.on_message = self.on_message
        client.connect(address.hostname or "", address.port or 1883)
        client.loop_start()
        if not subscribed.wait(CALL_PATIENCE):
            raise TimeoutError("the broker does not grant the topic")
        _connected.append(self)

    def on_stop(self) -> None:
        """Disconnect."""
        self.client.disconnect()
        self.client.loop_stop()

    def on_connect(self, client: Client, *_: Any) -> None:
        """Subscribe, now and after each reconnect."""
        client.subscribe(self.topic.replace("/in", "/out"), qos=0)

    def on_message(self, client: Client, userdata: Any, message: MQTTMessage) -> None:
        """Hand an answer to whoever waits for it."""
        del client, userdata
        self.answers.put(message.payload)

    @task
    def obey(self) -> None:
        """Send, wait, send the next."""
        _Loop.begun.wait()
        loop = _Loop.current
        assert loop is not None
        # The loop stands within the task: Locust's own pause between two tasks would count against this engine.
        while loop.running:
            self.call(loop, loop.order.action, loop.order.payload)
        loop.open -= 1

    def call(self, loop: _Loop, action: str, payload: dict[str, Any]) -> None:
        """Send one CALL and wait for its answer."""
        message_id = str(uuid.uuid4())
        start = time.perf_counter()
        self.client.publish(self.topic, json.dumps([2, message_id, action, payload]))
        text = self.answers.get(timeout=CALL_PATIENCE)
        answer = json.loads(text)
        exception = None
        if answer[0] == 3 and answer[1] == message_id:  # noqa: PLR2004 - CALLRESULT
            loop.calls += 1
        else:
            loop.errors += 1
            exception = ValueError("unexpected answer")
        self.environment.events.request.fire(
            request_type="MQTT",
            name=action,
            response_time=(time.perf_counter() - start) * 1000,
            response_length=len(text),
            exception=exception,
            context={},
        )


obey(lambda _: len(_connected), _Loop)
