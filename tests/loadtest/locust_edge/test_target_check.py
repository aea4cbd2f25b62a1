from __future__ import annotations

import socket
from collections.abc import Callable

import pytest

from loadtest.locust_edge.target_check import check_as_any, check_target
from loadtest.transport.target import Target
from loadtest.workload.identities import Identities, Lease
from ocppj.errors import HarnessError, TargetUnreachableError, UsageError
from ocppj.versions import Version
from tests.loadtest.scripted_server import Peer, ScriptedServer


def try_out(url: str, password: str | None = None) -> None:
    target = Target(url)
    target.resolve()
    check_target(target, Lease(1, "PS000001", "04"), Version.V16, password, timeout=0.3)


def answering(raw: bytes) -> Callable[[Peer], None]:
    def script(peer: Peer) -> None:
        peer.sock.recv(65536)
        peer.raw(raw)
        peer.sock.shutdown(socket.SHUT_WR)

    return script


def test_a_csms_that_takes_the_station_hears_no_more_of_it() -> None:
    heard: list[bytes] = []

    def script(peer: Peer) -> None:
        peer.upgrade()
        heard.append(peer.until_end())

    with ScriptedServer(script) as server:
        try_out(server.url, "secret")
        request = server.peers[0].request
    assert request is not None
    assert request.headers["Authorization"].startswith("Basic ")
    assert heard[0][0] == 0x88  # a Close frame and nothing before it


@pytest.mark.parametrize(
    ("raw", "kind", "complaint"),
    [
        (b"HTTP/1.1 401 No\r\nContent-Length: 0\r\n\r\n", UsageError, r"HTTP 401; give the password with --password"),
        (b"HTTP/1.1 403 No\r\nContent-Length: 0\r\n\r\n", UsageError, r"HTTP 403; give the password"),
        (b"HTTP/1.1 404 No\r\nContent-Length: 0\r\n\r\n", UsageError, r"HTTP 404; check the path in --url"),
        (b"HTTP/1.1 301 No\r\nContent-Length: 0\r\n\r\n", UsageError, r"HTTP 301; check --url"),
        (b"HTTP/1.1 503 No\r\nContent-Length: 0\r\n\r\n", TargetUnreachableError, r"HTTP 503.*not ready"),
        (b"SSH-2.0-OpenSSH\r\n", UsageError, r"does not speak WebSocket"),
        (b"", TargetUnreachableError, r"ended the connection without an answer"),
    ],
)
def test_each_refusal_is_one_line_with_the_fix(raw: bytes, kind: type[HarnessError], complaint: str) -> None:
    with ScriptedServer(answering(raw)) as server, pytest.raises(kind, match=complaint) as caught:
        try_out(server.url)
    assert "\n" not in str(caught.value)


def test_no_common_subprotocol_is_named() -> None:
    def script(peer: Peer) -> None:
        peer.upgrade(subprotocol=None)
        peer.until_end()

    with (
        ScriptedServer(script) as server,
        pytest.raises(UsageError, match=r"ocpp1\.6 of OCPP 1\.6; choose with --ocpp"),
    ):
        try_out(server.url)


def test_a_csms_that_says_nothing_is_unreachable() -> None:
    with ScriptedServer(Peer.until_end) as server, pytest.raises(TargetUnreachableError, match="then sent nothing"):
        try_out(server.url)


def test_nobody_there_is_unreachable_and_a_password_in_the_address_is_not_shown() -> None:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    with pytest.raises(TargetUnreachableError, match="is the CSMS running there") as caught:
        try_out(f"ws://user:hunter2@127.0.0.1:{port}/ocpp")
    assert "hunter2" not in str(caught.value)


def test_tls_where_there_is_none_is_explained() -> None:
    no_tls = ScriptedServer(answering(b"HTTP/1.1 400 Bad Request\r\n\r\n"))
    with no_tls as server, pytest.raises(UsageError, match="name the CA of the CSMS with --ca"):
        try_out(server.url.replace("ws:", "wss:"))


def test_a_machine_that_cannot_connect_says_so() -> None:
    target = Target("ws://127.0.0.1:9", sources=("192.0.2.1",))
    target.resolve()
    with pytest.raises(UsageError, match="--source-address"):
        check_target(target, Lease(1, "PS000001", "04"), Version.V16, None)


def test_a_station_of_its_own_looks_first_and_the_last_of_the_run_where_that_is_not_known() -> None:
    asked: list[str] = []

    def known_only(peer: Peer) -> None:
        head = peer.sock.recv(65536)
        asked.append(head.split()[1].decode().rpartition("/")[2])
        peer.raw(b"HTTP/1.1 404 No\r\nContent-Length: 0\r\n\r\n")
        peer.sock.shutdown(socket.SHUT_WR)

    with ScriptedServer(known_only) as server:
        target = Target(server.url)
        target.resolve()
        with pytest.raises(UsageError, match="refused CP7 with HTTP 404"):
            check_as_any(target, Identities("CP{n}").checkers(7), Version.V16, None)
    assert asked == ["CP8", "CP7"]
