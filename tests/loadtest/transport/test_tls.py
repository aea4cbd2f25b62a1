from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Iterator
from pathlib import Path

import gevent
import pytest
import trustme

from loadtest.timing.timers import HubTimers
from loadtest.transport.contract import READ_SIZE, Attempt, Engine, How
from loadtest.transport.opening import open_socket
from loadtest.transport.target import Target, client_context
from loadtest.transport.tls import TlsStationSocket
from ocppj.errors import UsageError
from tests.loadtest.listeners import Listener
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


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(scope="module")
def server_context(authority: trustme.CA) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    return context


def trusting(authority: trustme.CA, url: str) -> Target:
    context = client_context()
    authority.configure_trust(context)
    target = Target(url, tls=context)
    target.resolve()
    return target


def echo(peer: Peer) -> None:
    peer.upgrade()
    while True:
        peer.say(peer.text())


@pytest.mark.parametrize("size", [1, READ_SIZE, 300_000])
def test_messages_arrive_whole_inside_tls(
    engine: Engine, authority: trustme.CA, server_context: ssl.SSLContext, size: int
) -> None:
    with ScriptedServer(echo, context=server_context) as server:
        target, ear = trusting(authority, server.url), Listener()
        sock = open_socket(engine, target, ear)
        assert isinstance(sock, TlsStationSocket)
        sock.connect(f"{server.url}/PS1", "ocpp1.6", {})
        assert ear.wait()[0][0] == "open"
        sock.send_text("x" * size)
        assert ear.wait(2)[1] == "x" * size
        sock.close()
        assert ear.wait(3)[2][3] is How.LOCAL


def test_a_csms_that_reads_slowly_is_served_through_tls_too(
    engine: Engine, authority: trustme.CA, server_context: ssl.SSLContext
) -> None:
    engine.max_backlog = 64 << 20
    read_on = threading.Event()

    def script(peer: Peer) -> None:
        peer.upgrade()
        assert read_on.wait(10)
        for n in range(600):
            assert peer.text().startswith(f"{n}:")
        peer.say("all read")
        peer.until_end()

    with ScriptedServer(script, context=server_context) as server:
        target, ear = trusting(authority, server.url), Listener()
        sock = open_socket(engine, target, ear)
        sock.connect(f"{server.url}/PS1", "ocpp1.6", {})
        ear.wait()
        for n in range(600):
            sock.send_text(f"{n}:" + "z" * 20_000)
        assert ear.heard[1:] == ["backlog"]
        read_on.set()
        assert ear.wait(3)[2] == "all read"
        sock.abort()


def test_a_certificate_that_nobody_vouches_for_is_told(engine: Engine, server_context: ssl.SSLContext) -> None:
    with ScriptedServer(echo, context=server_context) as server:
        target, ear = Target(server.url), Listener()
        target.resolve()
        open_socket(engine, target, ear).connect(f"{server.url}/PS1", "ocpp1.6", {})
        kind, outcome, reason = ear.wait()[0]
        assert (kind, outcome) == ("failed", Attempt.TLS_FAILED)
        assert "certificate verify failed" in reason


def test_a_server_without_tls_is_told(engine: Engine) -> None:
    def script(peer: Peer) -> None:
        peer.sock.recv(65536)
        peer.raw(b"HTTP/1.1 400 Bad Request\r\n\r\n")

    with ScriptedServer(script) as server:
        url = server.url.replace("ws:", "wss:")
        target, ear = Target(url), Listener()
        target.resolve()
        open_socket(engine, target, ear).connect(f"{url}/PS1", "ocpp1.6", {})
        assert ear.wait()[0][:2] == ("failed", Attempt.TLS_FAILED)


def test_a_handshake_that_stops_half_way_is_a_reset(engine: Engine) -> None:
    def script(peer: Peer) -> None:
        peer.sock.recv(65536)
        peer.sock.shutdown(socket.SHUT_WR)
        peer.until_end()

    with ScriptedServer(script) as server:
        url = server.url.replace("ws:", "wss:")
        target, ear = Target(url), Listener()
        target.resolve()
        open_socket(engine, target, ear).connect(f"{url}/PS1", "ocpp1.6", {})
        assert ear.wait()[0][:2] == ("failed", Attempt.RESET)


def test_a_tls_stream_that_ends_is_a_lost_connection(
    engine: Engine, authority: trustme.CA, server_context: ssl.SSLContext
) -> None:
    def script(peer: Peer) -> None:
        peer.upgrade()
        peer.text()
        peer.sock.close()

    with ScriptedServer(script, context=server_context) as server:
        target, ear = trusting(authority, server.url), Listener()
        sock = open_socket(engine, target, ear)
        sock.connect(f"{server.url}/PS1", "ocpp1.6", {})
        ear.wait()
        sock.send_text("end")
        kind, code, _, how = ear.wait(2)[1]
        assert (kind, code, how) == ("closed", 1006, How.LOST)


def test_what_was_said_right_before_the_end_of_tls_is_heard(
    engine: Engine, authority: trustme.CA, server_context: ssl.SSLContext
) -> None:
    over = threading.Event()

    def script(peer: Peer) -> None:
        peer.upgrade()
        peer.text()
        peer.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        peer.say("last words")
        peer.sock.setblocking(False)
        assert isinstance(peer.sock, ssl.SSLSocket)
        with pytest.raises(ssl.SSLWantReadError):
            peer.sock.unwrap()
        over.set()
        peer.sock.setblocking(True)
        peer.until_end()

    with ScriptedServer(script, context=server_context) as server:
        target, ear = trusting(authority, server.url), Listener()
        sock = open_socket(engine, target, ear)
        sock.connect(f"{server.url}/PS1", "ocpp1.6", {})
        ear.wait()
        # Both are read at once then.
        sock.pause()
        sock.send_text("go on")
        assert over.wait(10)
        sock.resume()
        said, (kind, _, _, how) = ear.wait(3)[1:]
        assert (said, kind, how) == ("last words", "closed", How.LOST)


def test_a_file_that_holds_no_certificates_is_told(tmp_path: Path) -> None:
    file = tmp_path / "ca.pem"
    file.write_text("no certificate")
    with pytest.raises(UsageError, match=r"ca\.pem holds no readable CA certificates"):
        client_context(file)
    with pytest.raises(UsageError, match=r"missing\.pem"):
        client_context(tmp_path / "missing.pem")


@pytest.mark.parametrize("resume", [True, False])
def test_a_session_is_resumed_by_the_same_station_where_that_is_wanted(
    authority: trustme.CA, server_context: ssl.SSLContext, *, resume: bool
) -> None:
    loop = gevent.get_hub().loop
    timers = HubTimers(loop)
    engine = Engine(loop, timers, connect_timeout=5.0, close_timeout=0.1, tls_resume=resume)
    with ScriptedServer(echo, context=server_context) as server:
        target, reused = trusting(authority, server.url), []
        for station in ("PS1", "PS1", "PS2", "PS1"):
            ear = Listener()
            sock = open_socket(engine, target, ear)
            assert isinstance(sock, TlsStationSocket)
            sock.connect(f"{server.url}/{station}", "ocpp1.6", {})
            assert ear.wait()[0][0] == "open"
            sock.send_text("x")
            assert ear.wait(2)[1] == "x"
            assert sock._tls is not None
            reused.append(sock._tls.state.session_reused)
            sock.close()
            ear.wait(3)
    timers.close()
    assert reused == ([False, True, False, True] if resume else [False] * 4)
