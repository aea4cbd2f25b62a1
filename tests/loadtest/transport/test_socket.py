from __future__ import annotations

import gc
import socket
import threading
import time
from collections.abc import Callable, Iterator

import gevent
import gevent.event
import psutil
import pytest
from websockets.frames import Opcode

from loadtest.timing.timers import HubTimers
from loadtest.transport.contract import READ_SIZE, Attempt, Engine, How
from loadtest.transport.socket import StationSocket
from loadtest.transport.target import Target
from ocppj.errors import TargetUnreachableError, UsageError
from tests.loadtest.listeners import TIMEOUT, Listener, kept_by
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


def connect(engine: Engine, url: str, **headers: str) -> tuple[StationSocket, Listener]:
    target = Target(url)
    target.resolve()
    ear = Listener()
    sock = StationSocket(engine, target, ear)
    sock.connect(f"{url}/PS1", "ocpp1.6", headers)
    return sock, ear


def opened(engine: Engine, server: ScriptedServer) -> tuple[StationSocket, Listener]:
    sock, ear = connect(engine, server.url)
    assert ear.wait()[0][0] == "open"
    return sock, ear


# -- opening -----------------------------------------------------------------------------------------------------------


def test_an_upgrade_carries_path_subprotocol_and_credentials(engine: Engine) -> None:
    with ScriptedServer(stay) as server:
        sock, ear = connect(engine, server.url, Authorization="Basic abc=")
        ((_, handshake),) = ear.wait()
        sock.abort()
        request = server.peers[0].request
    assert request is not None
    assert request.path == "/ocpp/PS1"
    assert request.headers["Sec-WebSocket-Protocol"] == "ocpp1.6"
    assert request.headers["Authorization"] == "Basic abc="
    assert "Sec-WebSocket-Extensions" not in request.headers
    assert handshake.subprotocol == "ocpp1.6"
    assert handshake.connect_s >= 0
    assert handshake.upgrade_s > 0


def stay(peer: Peer) -> None:
    peer.upgrade()
    peer.until_end()


def respond(raw: bytes) -> Callable[[Peer], None]:
    def script(peer: Peer) -> None:
        peer.sock.recv(65536)
        peer.raw(raw)

    return script


@pytest.mark.parametrize(
    ("raw", "outcome"),
    [
        (b"HTTP/1.1 404 Not Found\r\nContent-Length: 2\r\n\r\nno", "http-404"),
        (b"HTTP/1.1 404 Not Found\r\n\r\nan answer without a length ends with the stream", "http-404"),
        (b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n", "http-401"),
        (b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n", "http-503"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", "http-200"),
        (b"HTTP/1.1 101 Switching Protocols\r\n\r\n", Attempt.BAD_UPGRADE),
        (b"\x16\x03\x01 this is no HTTP\r\n\r\n", Attempt.BAD_UPGRADE),
        (b"SSH-2.0-OpenSSH_9\r\n", Attempt.BAD_UPGRADE),
        (b"HTTP/1.1 101 " + b"x" * 20_000 + b"\r\n\r\n", Attempt.BAD_UPGRADE),
        (b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: webs", Attempt.RESET),
        (b"", Attempt.RESET),
    ],
)
def test_a_refused_upgrade_is_told_by_its_class(engine: Engine, raw: bytes, outcome: str) -> None:
    with ScriptedServer(respond(raw)) as server:
        _, ear = connect(engine, server.url)
        assert ear.wait()[0][:2] == ("failed", outcome)


def test_no_subprotocol_in_the_answer_is_a_refusal(engine: Engine) -> None:
    def script(peer: Peer) -> None:
        peer.upgrade(subprotocol=None)
        peer.until_end()

    with ScriptedServer(script) as server:
        _, ear = connect(engine, server.url)
        assert ear.wait()[0][:2] == ("failed", Attempt.NO_SUBPROTOCOL)


def test_a_subprotocol_that_was_not_offered_is_a_refusal(engine: Engine) -> None:
    with ScriptedServer(lambda peer: peer.upgrade(subprotocol="ocpp2.0.1")) as server:
        _, ear = connect(engine, server.url)
        assert ear.wait()[0][:2] == ("failed", Attempt.NO_SUBPROTOCOL)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port: int = probe.getsockname()[1]
    return port


def test_nobody_listening_is_refused(engine: Engine) -> None:
    _, ear = connect(engine, f"ws://127.0.0.1:{free_port()}")
    assert ear.heard == []  # never from within the call
    assert ear.wait()[0] == ("failed", Attempt.REFUSED, "ECONNREFUSED")


def test_the_next_address_of_a_name_is_tried_when_the_first_refuses(engine: Engine) -> None:
    with ScriptedServer(stay) as server:
        target = Target(server.url)
        target.addresses = [(socket.AF_INET, ("127.0.0.1", free_port())), (socket.AF_INET, ("127.0.0.1", server.port))]
        ear = Listener()
        sock = StationSocket(engine, target, ear)
        sock.connect(f"{server.url}/PS1", "ocpp1.6", {})
        assert ear.wait()[0][0] == "open"
        sock.abort()


def test_a_source_address_is_used(engine: Engine) -> None:
    with ScriptedServer(stay) as server:
        target = Target(server.url, sources=("127.0.0.7", "127.0.0.8"))
        target.resolve()
        ear = Listener()
        sock = StationSocket(engine, target, ear, target.source(3))
        sock.connect(f"{server.url}/PS1", "ocpp1.6", {})
        assert ear.wait()[0][0] == "open"
        assert server.peers[0].sock.getpeername()[0] == "127.0.0.8"
        sock.abort()


def test_a_source_address_that_this_machine_lacks_is_told(engine: Engine) -> None:
    target = Target(f"ws://127.0.0.1:{free_port()}")
    target.resolve()
    ear = Listener()
    StationSocket(engine, target, ear, "192.0.2.1").connect(f"{target.url}/PS1", "ocpp1.6", {})
    assert ear.wait()[0] == ("failed", Attempt.NO_LOCAL_PORT, "EADDRNOTAVAIL")


def test_an_upgrade_answer_that_this_process_was_too_late_to_read_no_false_alarm(engine: Engine) -> None:
    engine.connect_timeout = 0.5
    asked, asleep, answered = threading.Event(), threading.Event(), threading.Event()

    def script(peer: Peer) -> None:
        peer.sock.recv(1, socket.MSG_PEEK)
        asked.set()
        asleep.wait(TIMEOUT)
        peer.upgrade()
        answered.set()
        peer.until_end()

    with ScriptedServer(script) as server:
        sock, ear = connect(engine, server.url)
        with gevent.Timeout(TIMEOUT):
            while not asked.is_set():
                gevent.sleep(0.001)
        asleep.set()
        assert answered.wait(TIMEOUT)
        # This process does nothing else until the time is over, while the answer lies in its socket.
        time.sleep(0.6)
        assert ear.wait()[0][0] == "open"
        sock.abort()


def test_an_upgrade_that_is_never_answered_times_out(engine: Engine) -> None:
    engine.connect_timeout = 0.05
    with ScriptedServer(Peer.until_end) as server:
        _, ear = connect(engine, server.url)
        assert ear.wait()[0][:2] == ("failed", Attempt.UPGRADE_TIMEOUT)


def test_an_attempt_that_is_aborted_says_nothing_more(engine: Engine) -> None:
    with ScriptedServer(stay) as server:
        sock, ear = connect(engine, server.url)
        sock.abort()
        sock.abort()
        sock.close()
        other, other_ear = opened(engine, server)
        other.abort()
        assert ear.heard == []
        assert len(other_ear.heard) == 1


# -- talking -----------------------------------------------------------------------------------------------------------


def echo(peer: Peer) -> None:
    peer.upgrade()
    while True:
        peer.say(peer.text())


@pytest.mark.parametrize("size", [0, 1, 125, 126, 127, READ_SIZE, 65_535, 65_536, 300_000])
def test_messages_of_every_size_arrive_whole_in_both_directions(engine: Engine, size: int) -> None:
    with ScriptedServer(echo) as server:
        sock, ear = opened(engine, server)
        text = ("äöü" + "x" * size)[:size]
        assert sock.send_text(text)
        assert ear.wait(2)[1] == text
        sock.send_text("and on")
        assert ear.wait(3)[2] == "and on"
        sock.abort()


def test_text_right_behind_the_upgrade_is_heard_after_it(engine: Engine) -> None:
    def script(peer: Peer) -> None:
        real = peer.sock
        first, second = socket.socketpair()
        peer.sock = first
        second.sendall(real.recv(65536))
        peer.upgrade()
        answer = second.recv(65536)
        first.close()
        second.close()
        peer.sock = real
        peer.raw(answer + b"\x81\x05hello\x81\x02")
        peer.raw(b"hi")
        peer.until_end()

    with ScriptedServer(script) as server:
        sock, ear = connect(engine, server.url)
        ear.wait(3)
        assert ear.heard[0][0] == "open"
        assert ear.messages == ["hello", "hi"]
        sock.abort()


def test_many_frames_in_one_read_are_heard_in_order(engine: Engine) -> None:
    def script(peer: Peer) -> None:
        peer.upgrade()
        peer.raw(b"".join(b"\x81\x03%03d" % n for n in range(500)))
        peer.until_end()

    with ScriptedServer(script) as server:
        sock, ear = opened(engine, server)
        ear.wait(501)
        assert ear.messages == [f"{n:03}" for n in range(500)]
        sock.abort()


def test_a_frame_that_comes_byte_by_byte_is_heard_once_it_is_whole(engine: Engine) -> None:
    def script(peer: Peer) -> None:
        peer.upgrade()
        peer.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for byte in b"\x81\x7e\x00\x80" + b"y" * 128 + b"\x81\x04done":
            peer.raw(bytes([byte]))
        peer.until_end()

    with ScriptedServer(script) as server:
        sock, ear = opened(engine, server)
        ear.wait(3)
        assert ear.messages == ["y" * 128, "done"]
        assert kept_by(sock) == []
        sock.abort()


def test_fragments_and_pings_in_between_make_one_message(engine: Engine) -> None:
    def script(peer: Peer) -> None:
        peer.upgrade()
        peer.frame(Opcode.TEXT, '[3,"ä'.encode()[:5], fin=False)
        peer.frame(Opcode.PING, b"still there?")
        peer.frame(Opcode.CONT, '[3,"ä'.encode()[5:], fin=False)
        peer.frame(Opcode.CONT, b'"]')
        peer.say("next")
        peer.until_end()

    with ScriptedServer(script) as server:
        sock, ear = opened(engine, server)
        ear.wait(3)
        assert ear.messages == ['[3,"ä"]', "next"]
        assert kept_by(sock) == []
        sock.abort()


def test_a_ping_is_answered_with_its_own_words(engine: Engine) -> None:
    pongs: list[bytes] = []

    def script(peer: Peer) -> None:
        peer.upgrade()
        peer.frame(Opcode.PING, b"42")
        pongs.append(bytes(peer.next_frame().data))
        peer.say("thanks")
        peer.until_end()

    with ScriptedServer(script) as server:
        sock, ear = opened(engine, server)
        ear.wait(2)
        assert pongs == [b"42"]
        sock.abort()


def test_binary_and_text_that_is_no_utf8_come_as_bytes(engine: Engine) -> None:
    def script(peer: Peer) -> None:
        peer.upgrade()
        peer.frame(Opcode.BINARY, b"[3]")
        peer.frame(Opcode.TEXT, b"[3,\xff]")
        peer.frame(Opcode.TEXT, b"[3,\xff", fin=False)
        peer.frame(Opcode.CONT, b"]")
        peer.frame(Opcode.TEXT, b"good")
        peer.until_end()

    with ScriptedServer(script) as server:
        sock, ear = opened(engine, server)
        ear.wait(5)
        assert ear.messages == [b"[3]", b"[3,\xff]", b"[3,\xff]", "good"]
        sock.abort()


def test_a_lone_surrogate_is_sent_as_a_tester_wants_it(engine: Engine) -> None:
    received: list[bytes] = []

    def script(peer: Peer) -> None:
        peer.upgrade()
        received.append(bytes(peer.next_frame().data))
        peer.say("got it")
        peer.until_end()

    with ScriptedServer(script) as server:
        sock, ear = opened(engine, server)
        sock.send_text("\ud800")
        ear.wait(2)
        assert received == [b"\xed\xa0\x80"]
        sock.abort()


def test_a_csms_that_does_not_read_fills_a_backlog_which_flows_when_it_reads_again(engine: Engine) -> None:
    read_on = threading.Event()
    seen: list[str] = []

    def script(peer: Peer) -> None:
        peer.upgrade()
        assert read_on.wait(TIMEOUT)
        while len(seen) < 600:
            seen.append(peer.text())
        peer.say("all read")
        peer.until_end()

    engine.max_backlog = 64 << 20
    with ScriptedServer(script) as server:
        sock, ear = opened(engine, server)
        texts = [f"{n}:" + "z" * 20_000 for n in range(600)]
        for text in texts:
            assert sock.send_text(text)
        assert ear.heard[1:] == ["backlog"]
        read_on.set()
        assert ear.wait(3)[2] == "all read"
        assert seen == texts
        assert kept_by(sock) == []
        sock.abort()


def test_a_backlog_beyond_its_limit_ends_the_connection(engine: Engine) -> None:
    engine.max_backlog = 100_000
    release = threading.Event()

    def script(peer: Peer) -> None:
        peer.upgrade()
        release.wait(TIMEOUT)

    with ScriptedServer(script) as server:
        sock, ear = opened(engine, server)
        for _ in range(1000):
            sock.send_text("z" * 20_000)
        heard = ear.wait(3)
        release.set()
    assert heard[1] == "backlog"
    assert (heard[2][0], heard[2][3]) == ("closed", How.SLOW_CONSUMER)
    assert not sock.send_text("too late")


# -- ending ------------------------------------------------------------------------------------------------------------


def test_a_close_of_the_csms_is_told_with_code_and_reason(engine: Engine) -> None:
    def script(peer: Peer) -> None:
        peer.upgrade()
        peer.close(1012, "restarting")
        peer.until_end()

    with ScriptedServer(script) as server:
        _, ear = opened(engine, server)
        assert ear.wait(2)[1] == ("closed", 1012, "restarting", How.PEER)


def test_our_own_close_waits_for_the_csms_to_end_tcp(engine: Engine) -> None:
    received: list[bytes] = []

    def script(peer: Peer) -> None:
        peer.upgrade()
        received.append(peer.sock.recv(65536))
        peer.raw(b"\x88\x02\x03\xe8")

    with ScriptedServer(script) as server:
        sock, ear = opened(engine, server)
        sock.close(1000, "bye")
        sock.close(1000, "bye")
        assert not sock.send_text("too late")
        assert ear.wait(2)[1] == ("closed", 1000, "bye", How.LOCAL)
    assert received[0][0] == 0x88


def test_a_csms_that_ignores_our_close_is_left_after_a_while(engine: Engine) -> None:
    engine.close_timeout = 0.05
    release = threading.Event()

    def script(peer: Peer) -> None:
        peer.upgrade()
        release.wait(TIMEOUT)

    with ScriptedServer(script) as server:
        sock, ear = opened(engine, server)
        sock.close()
        assert ear.wait(2)[1][0] == "closed"
        release.set()


def test_a_message_that_crosses_our_close_is_still_heard(engine: Engine) -> None:
    def script(peer: Peer) -> None:
        peer.upgrade()
        peer.sock.recv(65536)
        peer.raw(b"\x81\x04last\x88\x02\x03\xe8")

    with ScriptedServer(script) as server:
        sock, ear = opened(engine, server)
        sock.close()
        assert ear.wait(3)[1] == "last"


@pytest.mark.parametrize("end", [lambda peer: peer.sock.shutdown(socket.SHUT_RDWR), Peer.reset])
def test_a_connection_that_ends_without_a_close_frame_is_lost(engine: Engine, end: Callable[[Peer], object]) -> None:
    def script(peer: Peer) -> None:
        peer.upgrade()
        peer.text()
        end(peer)

    with ScriptedServer(script) as server:
        sock, ear = opened(engine, server)
        sock.send_text("now")
        _, (kind, code, _, how) = ear.wait(2)
        assert (kind, code, how) == ("closed", 1006, How.LOST)


@pytest.mark.parametrize(
    "garbage",
    [
        b"\x83\x00",  # reserved opcode
        b"\xc1\x01x",  # reserved bit
        b"\x81\x81\x00\x00\x00\x00x",  # a masked frame from a server
        b"\x80\x01x",  # a continuation of nothing
        b"\x01\x01x\x81\x01y",  # a new message within a fragmented one
        b"\x89\x7e\x01\x00" + b"x" * 256,  # a ping of 256 bytes
        b"\x88\x01\x03",  # a close code of one byte
        b"\x88\x02\x00\x01",  # a close code that does not exist
    ],
)
def test_bytes_that_are_no_websocket_end_the_connection_and_nothing_else(engine: Engine, garbage: bytes) -> None:
    engine.close_timeout = 0.02

    def script(peer: Peer) -> None:
        peer.upgrade()
        peer.raw(garbage)
        peer.until_end()

    with ScriptedServer(script) as server:
        _, ear = opened(engine, server)
        kind, _, _, how = ear.wait(2)[-1]
        assert (kind, how) == ("closed", How.VIOLATION)


def test_a_message_beyond_the_limit_ends_the_connection(engine: Engine) -> None:
    engine.max_message = 100_000
    engine.close_timeout = 0.02

    def script(peer: Peer) -> None:
        peer.upgrade()
        peer.raw(b"\x81\x7f" + (2**40).to_bytes(8, "big") + b"x" * 1000)
        peer.until_end()

    with ScriptedServer(script) as server:
        _, ear = opened(engine, server)
        kind, code, _, how = ear.wait(2)[1]
        assert (kind, code, how) == ("closed", 1009, How.TOO_BIG)


def test_a_listener_that_fails_loses_its_connection_and_hears_why(engine: Engine) -> None:
    def script(peer: Peer) -> None:
        peer.upgrade()
        peer.say("boo")
        peer.say("more")
        peer.until_end()

    def fail(_: object) -> None:
        raise ZeroDivisionError("a mistake")

    with ScriptedServer(script) as server:
        _, ear = connect(engine, server.url)
        ear.on_message = fail
        heard = ear.wait(3)
        assert heard[1] == "boo"
        assert heard[2][0] == "crash"
        assert isinstance(heard[2][1], ZeroDivisionError)
        assert ear.messages == ["boo"]


def test_a_listener_may_close_or_abort_while_it_hears(engine: Engine) -> None:
    def script(peer: Peer) -> None:
        peer.upgrade()
        peer.raw(b"\x81\x01a\x81\x01b\x81\x01c")
        peer.until_end()

    with ScriptedServer(script) as server:
        sock, ear = connect(engine, server.url)
        ear.on_message = lambda _: sock.abort()
        ear.wait(2)
        closer, closing_ear = connect(engine, server.url)
        closing_ear.on_message = lambda _: closer.close()
        closing_ear.wait(5)
        assert ear.messages == ["a"]
        assert closing_ear.messages == ["a", "b", "c"]
        assert closing_ear.heard[-1][0] == "closed"


def test_a_connection_costs_one_descriptor_and_gives_it_back(engine: Engine) -> None:
    process = psutil.Process()
    with ScriptedServer(echo) as server:
        first, _ = opened(engine, server)
        before = process.num_fds()
        socks = [opened(engine, server)[0] for _ in range(10)]
        # Each connection has a second descriptor here: the server lives in this process, too.
        assert process.num_fds() - before == 20
        assert engine.open_sockets == 11
        for sock in [first, *socks]:
            sock.abort()
    gc.collect()
    assert process.num_fds() < before


# -- targets -----------------------------------------------------------------------------------------------------------


def test_ipv4_is_tried_before_ipv6() -> None:
    target = Target("ws://localhost:9000/ocpp")
    target.resolve()
    assert target.addresses[0] == (socket.AF_INET, ("127.0.0.1", 9000))


def test_a_name_without_an_address_is_unreachable() -> None:
    with pytest.raises(TargetUnreachableError, match=r"nowhere\.invalid has no address"):
        Target("ws://nowhere.invalid/ocpp").resolve()


def test_an_http_address_is_no_target() -> None:
    with pytest.raises(UsageError, match="ws://127"):
        Target("http://127.0.0.1:9000/ocpp")


def test_the_placeholder_of_the_identity_does_not_hide_the_host() -> None:
    target = Target("wss://csms.example:444/{id}/ocpp")
    assert (target.host, target.port) == ("csms.example", 444)
    assert target.source(1) is None
