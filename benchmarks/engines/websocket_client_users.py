"""What people write today: a Locust user on websocket-client that sends, blocks for the answer and fires an event."""

from __future__ import annotations

import itertools
import json
import time
import uuid
from typing import Any

import gevent.event
import websocket
from locust import User, task

from benchmarks.engines.on_locust import obey
from benchmarks.engines.speech import Order
from benchmarks.workloads import SUBPROTOCOL

__all__ = ["WebSocketClientUser"]

_numbers = itertools.count(1)
_connected: list[WebSocketClientUser] = []


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


class WebSocketClientUser(User):
    """One station."""

    def on_start(self) -> None:
        """Connect."""
        self.connection = websocket.create_connection(
            f"{self.host}/B{next(_numbers):06d}", subprotocols=[SUBPROTOCOL], timeout=30
        )
        _connected.append(self)

    def on_stop(self) -> None:
        """Disconnect."""
        self.connection.close()

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
        self.connection.send(json.dumps([2, message_id, action, payload]))
        text = self.connection.recv()
        answer = json.loads(text)
        exception = None
        if answer[0] == 3 and answer[1] == message_id:  # noqa: PLR2004 - CALLRESULT
            loop.calls += 1
        else:
            loop.errors += 1
            exception = ValueError("unexpected answer")
        self.environment.events.request.fire(
            request_type="WS",
            name=action,
            response_time=(time.perf_counter() - start) * 1000,
            response_length=len(text),
            exception=exception,
            context={},
        )


obey(lambda _: len(_connected), _Loop)
