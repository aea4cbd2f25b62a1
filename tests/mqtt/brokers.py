"""Real brokers for tests: mosquitto where it is installed, and rumqttd, which `make setup` installs as a wheel."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from mqtt.packets import Level

__all__ = ["BROKERS", "Broker", "free_port", "mosquitto", "running"]

MOSQUITTO = shutil.which("mosquitto") or shutil.which("mosquitto", path="/usr/sbin:/usr/local/sbin")
_PATIENCE = 20.0

BROKERS = [
    pytest.param("mosquitto", marks=pytest.mark.skipif(MOSQUITTO is None, reason="apt install mosquitto")),
    "rumqttd",
]
"""Both, so that nothing depends on the habits of one; on a machine without mosquitto the other one remains."""

_RUMQTTD = """
id = 0
[router]
id = 0
max_connections = 10010
max_outgoing_packet_count = 200
max_segment_size = 104857600
max_segment_count = 10
[v4.1]
name = "v4"
listen = "127.0.0.1:{v311}"
next_connection_delay_ms = 0
[v4.1.connections]
connection_timeout_ms = 60000
max_payload_size = 1048576
max_inflight_count = 100
dynamic_filters = true
[v5.1]
name = "v5"
listen = "127.0.0.1:{v5}"
next_connection_delay_ms = 0
[v5.1.connections]
connection_timeout_ms = 60000
max_payload_size = 1048576
max_inflight_count = 100
dynamic_filters = true
"""


class Broker:
    """A broker in a process of its own, on free ports of 127.0.0.1, which can be killed and started again."""

    def __init__(self, command: list[str], ports: dict[Level, int]) -> None:
        self._command = command
        self._process: subprocess.Popen[bytes] | None = None
        self.ports = ports

    @property
    def port(self) -> int:
        return self.ports[Level.V311]

    @property
    def url(self) -> str:
        return f"mqtt://127.0.0.1:{self.port}"

    def start(self) -> None:
        self._process = subprocess.Popen(
            self._command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        deadline = time.monotonic() + _PATIENCE
        for port in set(self.ports.values()):
            while not _answers(port):
                assert self._process.poll() is None, "the broker has ended"
                assert time.monotonic() < deadline, "the broker does not listen"
                time.sleep(0.02)

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            assert self._process.stdin is not None
            self._process.stdin.close()
            self._process = None


def free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port: int = sock.getsockname()[1]
        return port


def _answers(port: int) -> bool:
    with contextlib.suppress(OSError):
        socket.create_connection(("127.0.0.1", port), 1).close()
        return True
    return False


@contextlib.contextmanager
def running(kind: str) -> Iterator[Broker]:
    """Run a broker of this kind without any rule about who may do what."""
    with mosquitto() if kind == "mosquitto" else _rumqttd() as broker:
        yield broker


@contextlib.contextmanager
def mosquitto(*lines: str) -> Iterator[Broker]:
    """Run mosquitto with further lines of configuration; anonymous clients come in unless a line says otherwise."""
    assert MOSQUITTO is not None
    with tempfile.TemporaryDirectory() as folder:
        port, path = free_port(), Path(folder) / "mosquitto.conf"
        anonymous = [] if any(line.startswith("allow_anonymous") for line in lines) else ["allow_anonymous true"]
        # Else it would give up the rights by which it reads the files of a test.
        user = ["user root"] if os.geteuid() == 0 else []
        fast = "set_tcp_nodelay true"
        path.write_text("\n".join([*user, fast, f"listener {port} 127.0.0.1", *anonymous, *lines, ""]))
        yield from _run(Broker([MOSQUITTO, "-c", str(path)], {Level.V311: port, Level.V5: port}))


@contextlib.contextmanager
def _rumqttd() -> Iterator[Broker]:
    with tempfile.TemporaryDirectory() as folder:
        ports, path = {Level.V311: free_port(), Level.V5: free_port()}, Path(folder) / "rumqttd.toml"
        path.write_text(_RUMQTTD.format(v311=ports[Level.V311], v5=ports[Level.V5]))
        code = (
            "import sys, threading, os; from iotcore.iotcore import IotCoreBroker; "
            "threading.Thread(target=lambda: (sys.stdin.buffer.read(), os._exit(0)), daemon=True).start(); "
            "IotCoreBroker(config_path=sys.argv[1]).run_forever()"
        )
        yield from _run(Broker([sys.executable, "-c", code, str(path)], ports))


def _run(broker: Broker) -> Iterator[Broker]:
    broker.start()
    try:
        yield broker
    finally:
        broker.kill()
