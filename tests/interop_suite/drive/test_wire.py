"""No wait is for ever, and any number of descriptors can be waited on."""

from __future__ import annotations

import fcntl
import os
import re
import resource
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest
from websockets.utils import accept_key

from interop_suite.drive import wire as wire_module
from interop_suite.drive.offer import Offer
from interop_suite.drive.transport import Closed
from interop_suite.drive.wire import Wire, readable


@contextmanager
def deaf_csms() -> Iterator[str]:
    """Upgrades one connection and reads nothing more."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def upgrade() -> socket.socket:
            line, _ = server.accept()
            key = re.search(rb"Sec-WebSocket-Key: (\S+)", line.recv(4096))
            assert key is not None
            line.sendall(
                b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                b"Sec-WebSocket-Accept: " + accept_key(key[1].decode()).encode() + b"\r\n\r\n"
            )
            return line

        with ThreadPoolExecutor(1) as pool:
            line = pool.submit(upgrade)
            yield f"ws://127.0.0.1:{server.getsockname()[1]}"
            line.result().close()


def test_csms_that_never_reads_is_dropped_when_it_takes_nothing_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wire_module, "SEND_PATIENCE", 0.1)
    with deaf_csms() as url:
        wire = Wire()
        assert wire.open(Offer(url=f"{url}/CP1", subprotocols=("ocpp1.6",)), 5).opened
        for _ in range(100):
            wire.send_text("x" * 900_000)
            if readable(0, wire.fileno()) and any(isinstance(event, Closed) for event in wire.receive()):
                break
        assert not wire.connected


def test_any_number_of_descriptors_can_be_waited_on() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, min(hard, 4096)), hard))
    read, write = os.pipe()
    high = fcntl.fcntl(read, fcntl.F_DUPFD, 2000)
    try:
        assert readable(0, high) == set()
        os.write(write, b"x")
        assert readable(0, high) == {high}
    finally:
        for descriptor in (read, write, high):
            os.close(descriptor)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
