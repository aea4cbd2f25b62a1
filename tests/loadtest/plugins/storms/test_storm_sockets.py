"""What storms ask of a real socket: to read nothing for a while, and to go on under somebody else's ears."""

from __future__ import annotations

import ssl
import threading
from collections.abc import Iterator

import gevent
import pytest
import trustme

from loadtest.timing.timers import HubTimers
from loadtest.transport.contract import Engine, How
from loadtest.transport.opening import open_socket
from loadtest.transport.target import Target, client_context
from tests.loadtest.listeners import TIMEOUT, Listener
from tests.loadtest.scripted_server import Peer, ScriptedServer


@pytest.fixture
def engine() -> Iterator[Engine]:
    loop = gevent.get_hub().loop
    timers = HubTimers(loop)
    engine = Engine(loop, timers, connect_timeout=5.0, close_timeout=0.1)
    yield engine
    assert engine.open_sockets == 0
    timers.close()


@pytest.mark.parametrize("secure", [False, True], ids=["ws", "wss"])
def test_a_paused_socket_hears_nothing_and_everything_when_it_reads_again(engine: Engine, *, secure: bool) -> None:
    said, context, tls = threading.Event(), None, None
    if secure:
        authority = trustme.CA()
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert("127.0.0.1").configure_cert(context)
        tls = client_context()
        authority.configure_trust(tls)

    def script(peer: Peer) -> None:
        peer.upgrade()
        peer.say(f"heard {peer.text()}")
        peer.say("and more")
        peer.close(1001)
        said.set()
        peer.until_end()

    with ScriptedServer(script, context=context) as server:
        target = Target(server.url, tls=tls)
        target.resolve()
        ear, heir = Listener(), Listener()
        sock = open_socket(engine, target, ear)
        sock.connect(f"{server.url}/PS1", "ocpp1.6", {})
        ear.wait()
        sock.pause()
        sock.hand_over(heir)
        assert sock.send_text("a word")  # what is said still goes out
        with gevent.Timeout(TIMEOUT):
            while not said.is_set():
                gevent.sleep(0.01)
        gevent.sleep(0)
        assert len(ear.heard) == 1
        assert heir.heard == []
        sock.resume()
        *texts, closed = heir.wait(3)
    assert texts == ["heard a word", "and more"]
    assert closed == ("closed", 1001, "", How.PEER)
    assert len(ear.heard) == 1


def test_a_paused_socket_with_a_backlog_writes_on_and_still_reads_nothing(engine: Engine) -> None:
    whole = 40 * 10_000

    def script(peer: Peer) -> None:
        peer.upgrade()
        peer.say("unread")
        ready.wait(TIMEOUT)
        for _ in range(40):
            peer.text()
        done.set()
        peer.until_end()

    ready, done = threading.Event(), threading.Event()
    with ScriptedServer(script) as server:
        target = Target(server.url)
        target.resolve()
        ear = Listener()
        sock = open_socket(engine, target, ear)
        sock.connect(f"{server.url}/PS1", "ocpp1.6", {})
        ear.wait()
        sock.pause()
        for _ in range(40):
            sock.send_text("x" * (whole // 40))
        ready.set()
        with gevent.Timeout(TIMEOUT):
            while not done.is_set():
                gevent.sleep(0.01)
        assert ear.messages in ([], ["unread"])  # it may have come before the pause
        sock.resume()
        with gevent.Timeout(TIMEOUT):
            while not ear.messages:
                gevent.sleep(0.01)
        sock.abort()
    assert ear.messages == ["unread"]
