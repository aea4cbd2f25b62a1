"""Our MQTT client on a blocking socket, for tests."""

from __future__ import annotations

import socket
import time
from typing import Any

from mqtt.client import Client, Event
from mqtt.packets import Connect, Level
from tests.mqtt.brokers import Broker

__all__ = ["PATIENCE", "Talker"]

PATIENCE = 20.0


class Talker:
    """Our client on a blocking socket."""

    def __init__(self, broker: Broker, level: Level, packet: Connect) -> None:
        self.client = Client(level)
        self.socket = socket.create_connection(("127.0.0.1", broker.ports[level]), PATIENCE)
        self.heard: list[Event] = []
        self.client.connect(packet)
        self.flush()

    def flush(self) -> None:
        self.socket.sendall(self.client.data_to_send())

    def wait(self, kind: type[Any]) -> Any:
        """Read until an event of this kind is there, and take it."""
        deadline = time.monotonic() + PATIENCE
        while True:
            for event in self.heard:
                if isinstance(event, kind):
                    self.heard.remove(event)
                    return event
            assert time.monotonic() < deadline
            data = self.socket.recv(65_536)
            assert data, "the broker has ended the connection"
            self.heard += self.client.receive(data)
            self.flush()

    def close(self) -> None:
        self.client.disconnect()
        self.flush()
        self.socket.close()
