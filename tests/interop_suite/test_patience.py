"""Silence counts only when the CSMS has nothing more to say, and no wait is for ever."""

from __future__ import annotations

import asyncio
import fcntl
import os
import re
import resource
import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, cast

import msgspec
import pytest
from websockets.asyncio.server import ServerConnection
from websockets.utils import accept_key

from drivers.base import CommandResult
from drivers.http import HttpDriver
from evidence.verdicts import Verdict
from fixtures.csms import practice_csms
from fixtures.models import station as make_station
from interop_suite.catalogue import Case, all_cases
from interop_suite.drive import wire as wire_module
from interop_suite.drive.offer import Offer
from interop_suite.drive.probe import Probe
from interop_suite.drive.setup import CsmsUnderTest
from interop_suite.drive.station import ScriptedStation
from interop_suite.drive.wire import Closed, Wire, readable
from interop_suite.run.runner import Runner
from interop_suite.steps.malformed_frames import let_react
from ocppj.trace import TraceRecord
from ocppj.versions import Version
from tests.interop_suite.run.test_runner import never_answers, odd_csms

PATIENCE = 0.05


class SlowCsms:
    """Answers each CALL only when it is told to settle."""

    def __init__(self) -> None:
        self.asked = asyncio.Event()
        self.loop: asyncio.AbstractEventLoop | None = None
        self.answered = threading.Event()

    async def serve(self, connection: ServerConnection) -> None:
        self.loop = asyncio.get_running_loop()
        async for frame in connection:
            await self.asked.wait()
            await connection.send(f'[3,{str(frame).split(",")[1]},{{"currentTime":"2026-01-01T00:00:00Z"}}]')
            self.answered.set()

    def settle(self) -> None:
        if self.loop is not None:
            self.loop.call_soon_threadsafe(self.asked.set)
            self.answered.wait(5)


@contextmanager
def connected(url: str, *, slow: SlowCsms | None = None) -> Iterator[ScriptedStation]:
    records: list[TraceRecord] = []
    station = ScriptedStation(
        make_station("ac-dual", "CP1"),
        Version.V16,
        Offer(url=f"{url}/CP1", subprotocols=("ocpp1.6",), identity="CP1"),
        records.append,
        timeout=PATIENCE,
        settle=slow.settle if slow else None,
    )
    station.connect()
    yield station
    station.drop()
    station.put_away()


def test_answer_of_a_csms_that_had_not_come_to_it_yet_counts() -> None:
    slow = SlowCsms()
    with odd_csms(slow.serve) as url, connected(url, slow=slow) as station:
        assert station.call("Heartbeat", {}).kind == "result"


def test_silence_of_a_csms_that_nobody_can_ask_counts_when_patience_ends() -> None:
    with odd_csms(never_answers) as url, connected(url) as station:
        assert station.call("Heartbeat", {}).kind == "timeout"


class HesitantDriver(HttpDriver):
    """Takes longer to hand a command over than anybody waits for an answer."""

    def command(self, identity: str, action: str, payload: dict[str, Any], version: Version) -> CommandResult:
        time.sleep(4 * PATIENCE)
        return super().command(identity, action, payload, version)


def case_called(name: str) -> Case:
    return next(case for case in all_cases() if case.id == name)


@pytest.mark.parametrize("introspection", [True, False])
def test_command_that_a_busy_machine_has_not_handed_over_yet_counts_if_anybody_can_tell(introspection: object) -> None:
    found = []

    def script(probe: Probe) -> None:
        probe.trigger("ClearCache", {})
        found.append(probe.station.expect("ClearCache") is not None)

    with practice_csms() as csms:
        target, driver = CsmsUnderTest(url=csms.url, timeout=PATIENCE), HesitantDriver(csms.control_url)
        case = msgspec.structs.replace(case_called("TC_061_CSMS"), script=script)
        Runner(target, driver, None, introspection=csms if introspection else None).run(case)
    assert found == [introspection]


def test_command_that_the_csms_is_slow_to_send_no_false_alarm() -> None:
    with practice_csms() as csms:
        runner = Runner(CsmsUnderTest(url=csms.url, timeout=3 * PATIENCE), HesitantDriver(csms.control_url), None)
        assert runner.run(case_called("RPC_19")).verdict is Verdict.OK


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


class StillStation:
    """Says how long somebody waits for it to react."""

    heard, connected, waited = 0, True, 0.0

    def __init__(self, slowest: float) -> None:
        self.slowest = slowest

    def pump(self, _until: object, timeout: float) -> None:
        self.waited = timeout


@pytest.mark.parametrize(("slowest", "waited"), [(0.0, 0.25), (0.002, 0.25), (0.03, 0.6), (5.0, 1.0)])
def test_slow_csms_gets_longer_to_react_to_what_it_may_drop(slowest: float, waited: float) -> None:
    station = StillStation(slowest)
    let_react(cast("ScriptedStation", station), 0)
    assert station.waited == pytest.approx(waited)
