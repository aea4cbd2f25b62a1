"""Pings of a station, and what becomes of a CSMS that does not answer them."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import gevent
import pytest
from websockets.frames import Frame, Opcode

from loadtest.timing.timers import HubTimers
from loadtest.transport.contract import Engine, How
from loadtest.transport.socket import StationSocket
from loadtest.transport.target import Target
from tests.loadtest.listeners import TIMEOUT, Listener
from tests.loadtest.scripted_server import Peer, ScriptedServer


@pytest.fixture
def engine() -> Iterator[Engine]:
    loop = gevent.get_hub().loop
    timers = HubTimers(loop)
    engine = Engine(loop, timers, connect_timeout=5.0, close_timeout=0.1)
    yield engine
    assert engine.open_sockets == 0
    assert len(timers) == 0
    timers.close()


def opened(engine: Engine, server: ScriptedServer) -> tuple[StationSocket, Listener]:
    target = Target(server.url)
    target.resolve()
    ear = Listener()
    sock = StationSocket(engine, target, ear)
    sock.connect(f"{server.url}/PS1", "ocpp1.6", {})
    assert ear.wait()[0][0] == "open"
    return sock, ear


def pings_of(raw: bytes) -> list[bytes]:
    """Unmask the pings of a raw stream that holds nothing else but a Close frame at its end."""
    payloads = []
    while raw[:2] == b"\x89\x82":
        mask, masked, raw = raw[2:6], raw[6:8], raw[8:]
        payloads.append(bytes(a ^ b for a, b in zip(masked, mask, strict=False)))
    return payloads


def test_a_csms_that_answers_pings_keeps_its_connection(engine: Engine) -> None:
    answered = threading.Event()

    def script(peer: Peer) -> None:
        peer.upgrade()
        for number in range(1, 4):
            raw = peer.sock.recv(8)
            assert pings_of(raw) == [number.to_bytes(2, "big")]
            peer.frame(Opcode.PONG, number.to_bytes(2, "big"))
        answered.set()
        peer.until_end()

    with ScriptedServer(script) as server:
        sock, ear = opened(engine, server)
        sock.ping_every(0.4)
        with gevent.Timeout(TIMEOUT):
            while not answered.is_set():
                gevent.sleep(0.01)
        assert len(ear.heard) == 1, "still open"
        sock.abort()


def test_a_pong_that_this_process_was_too_late_to_read_no_false_alarm(engine: Engine) -> None:
    asked, asleep, answered = threading.Event(), threading.Event(), threading.Event()

    def script(peer: Peer) -> None:
        peer.upgrade()
        while raw := peer.sock.recv(8):
            asked.set()
            asleep.wait(TIMEOUT)
            peer.frame(Opcode.PONG, pings_of(raw)[0])
            answered.set()

    with ScriptedServer(script) as server:
        sock, ear = opened(engine, server)
        sock.ping_every(0.2)
        with gevent.Timeout(TIMEOUT):
            while not asked.is_set():
                gevent.sleep(0.001)
            asleep.set()
            assert answered.wait(TIMEOUT)
            # This process does nothing else for several intervals, while the pong lies in its socket.
            time.sleep(0.5)
            gevent.sleep(0.01)
        assert len(ear.heard) == 1, ear.heard
        sock.abort()


@pytest.mark.parametrize("says", [None, b"\x00\x09"], ids=["silence", "another pong"])
def test_a_ping_without_its_pong_by_the_next_one_loses_the_connection(engine: Engine, says: bytes | None) -> None:
    def script(peer: Peer) -> None:
        peer.upgrade()
        while peer.sock.recv(8):
            if says is not None:
                peer.raw(Frame(Opcode.PONG, says).serialize(mask=False))

    with ScriptedServer(script) as server:
        sock, ear = opened(engine, server)
        sock.ping_every(0.1)
        assert ear.wait(2)[1] == ("closed", 1006, "no pong within 0.1 s", How.LOST)


def test_pings_end_with_the_connection(engine: Engine) -> None:
    def script(peer: Peer) -> None:
        peer.upgrade()
        peer.close(1001, "bye")
        peer.until_end()

    with ScriptedServer(script) as server:
        sock, ear = opened(engine, server)
        sock.ping_every(0.05)
        assert ear.wait(2)[1][0] == "closed"
        sock.ping_every(0.05)
    assert len(engine.timers) == 0, "none runs on a connection that is over"


@pytest.mark.parametrize("drops", [False, True], ids=["never", "drops"])
def test_a_ping_of_the_csms_is_left_without_a_pong_where_the_station_wants_that(engine: Engine, *, drops: bool) -> None:
    heard: list[bytes] = []
    left = threading.Event()

    def script(peer: Peer) -> None:
        peer.upgrade()
        left.wait(TIMEOUT)
        peer.frame(Opcode.PING, b"there?")
        peer.say("still")
        heard.append(peer.until_end())

    pings: list[str] = []

    def on_ping() -> bool:
        pings.append("ping")
        return drops

    with ScriptedServer(script) as server:
        sock, ear = opened(engine, server)
        sock.leave_pings(on_ping)
        left.set()
        if drops:
            assert ear.wait(2)[1] == ("closed", 1006, "dropped at a ping", How.INJECTED)
        else:
            assert ear.wait(2)[1] == "still"
            sock.abort()
    assert pings == ["ping"]
    assert heard == [b""], "no pong, nor anything else"


def test_a_ping_of_the_csms_is_answered_by_all_others(engine: Engine) -> None:
    frames: list[Frame] = []

    def script(peer: Peer) -> None:
        peer.upgrade()
        peer.frame(Opcode.PING, b"there?")
        frames.append(peer.next_frame())
        peer.say("thanks")
        peer.until_end()

    with ScriptedServer(script) as server:
        sock, ear = opened(engine, server)
        assert ear.wait(2)[1] == "thanks"
        sock.abort()
    assert [(frame.opcode, bytes(frame.data)) for frame in frames] == [(Opcode.PONG, b"there?")]
