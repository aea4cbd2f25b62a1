"""Real brokers for tests: mosquitto where it is installed, and rumqttd, which `make setup` installs as a wheel."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import pytest

from fixtures.brokers import MOSQUITTO, Broker, free_port, mosquitto, rumqttd

__all__ = ["BROKERS", "MOSQUITTO", "Broker", "free_port", "mosquitto", "running"]

BROKERS = [
    pytest.param("mosquitto", marks=pytest.mark.skipif(MOSQUITTO is None, reason="apt install mosquitto")),
    "rumqttd",
]
"""Both, so that nothing depends on the habits of one; on a machine without mosquitto the other one remains."""


@contextlib.contextmanager
def running(kind: str) -> Iterator[Broker]:
    """Run a broker of this kind without any rule about who may do what."""
    with mosquitto() if kind == "mosquitto" else rumqttd() as broker:
        yield broker
