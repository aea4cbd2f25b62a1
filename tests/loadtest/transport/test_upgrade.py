from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from websockets.client import ClientProtocol
from websockets.protocol import State
from websockets.typing import Subprotocol
from websockets.uri import parse_uri
from websockets.utils import accept_key

from loadtest.transport.upgrade import Upgrade, granted, ordinary_request, prepare

URL = "ws://127.0.0.1:9000/ocpp/PS%2F1"


def make(url: str, subprotocol: str) -> ClientProtocol:
    return ClientProtocol(parse_uri(url), subprotocols=[Subprotocol(subprotocol)])


def reference(url: str, subprotocol: str, headers: dict[str, str], key: str) -> bytes:
    protocol = make(url, subprotocol)
    protocol.key = key
    request = protocol.connect()
    request.headers.update(headers)
    return request.serialize()


@pytest.mark.parametrize(
    "url",
    [
        URL,
        "ws://127.0.0.1/PS1",
        "wss://csms.example:443/x/PS1",
        "wss://csms.example:8443/x/PS1",
        "ws://[::1]:9000/PS1",
        "ws://CSMS.example/",
        "ws://user:word@127.0.0.1/PS1",
        "ws://127.0.0.1/x?id=PS1",
        "ws://127.0.0.1",
        "ws://127.0.0.1/a;b/PS1",
    ],
)
@pytest.mark.parametrize("headers", [{}, {"Authorization": "Basic eDp5"}], ids=["open", "password"])
def test_the_request_is_what_websockets_would_write(url: str, headers: dict[str, str]) -> None:
    upgrade = prepare(url, "ocpp1.6", headers, make)
    assert upgrade.request == reference(url, "ocpp1.6", headers, upgrade.key)


def test_an_ordinary_url_takes_the_short_way_and_others_do_not() -> None:
    assert ordinary_request(URL, "ocpp1.6", {}, "k") is not None
    for url in ("ws://u:p@h/x", "ws://h", "ws://h/x?y", "ws://h/x;y", "ws://h/ä", "ws://hä/x"):
        assert ordinary_request(url, "ocpp1.6", {}, "k") is None


def test_keys_are_of_sixteen_bytes_and_never_the_same() -> None:
    keys = {prepare(URL, "ocpp1.6", {}, make).key for _ in range(50)}
    assert len(keys) == 50
    assert all(re.fullmatch(r"[A-Za-z0-9+/]{22}==", key) for key in keys)


def answer(upgrade: Upgrade, **changes: str | None) -> bytes:
    headers: dict[str, str | None] = {
        "Upgrade": "websocket",
        "Connection": "Upgrade",
        "Sec-WebSocket-Accept": accept_key(upgrade.key),
        "Sec-WebSocket-Protocol": "ocpp1.6",
        "Server": "some CSMS/1.0",
    }
    headers |= {name.replace("_", "-"): value for name, value in changes.items()}
    lines = [f"{name}: {value}\r\n" for name, value in headers.items() if value is not None]
    return f"HTTP/1.1 101 Switching Protocols\r\n{''.join(lines)}\r\n".encode()


def test_the_usual_answer_is_taken_and_what_follows_is_left() -> None:
    upgrade = prepare(URL, "ocpp1.6", {}, make)
    data = answer(upgrade)
    assert granted(data, upgrade) == len(data)
    assert granted(data + b"\x81\x02[]", upgrade) == len(data)
    assert granted(data.replace(b"websocket", b"WebSocket", 1).replace(b": Upgrade", b":upgrade"), upgrade) is not None


def test_all_else_is_left_to_websockets() -> None:
    upgrade = prepare(URL, "ocpp1.6", {}, make)
    whole = answer(upgrade)
    assert all(granted(whole[:length], upgrade) is None for length in range(len(whole)))
    for unusual in (
        answer(upgrade, Sec_WebSocket_Accept="AAAA"),
        answer(upgrade, Sec_WebSocket_Protocol=None),
        answer(upgrade, Sec_WebSocket_Protocol="ocpp2.0.1"),
        answer(upgrade, Sec_WebSocket_Extensions="permessage-deflate"),
        answer(upgrade, Connection="keep-alive, Upgrade"),
        answer(upgrade, Upgrade=None),
        answer(upgrade, **{"Bad name": "x"}),
        whole.replace(b"\r\nServer", b"\r\nUpgrade: websocket\r\nServer"),
        whole.replace(b" 101 ", b" 200 "),
        whole.replace(b"HTTP/1.1", b"HTTP/1.0"),
        whole.replace(b"\r\n", b"\n"),
    ):
        assert granted(unusual, upgrade) is None


@given(
    st.lists(
        st.sampled_from(
            [
                "Upgrade: websocket",
                "connection:  Upgrade",
                "Sec-WebSocket-Protocol: ocpp1.6",
                "Sec-WebSocket-Accept: KEY",
                "X-A: b",
                "X-A:",
                "Sec-WebSocket-Accept: x",
                "Upgrade: h2c",
                ": x",
                "Sec-WebSocket-Extensions: a",
                " folded",
            ]
        ),
        max_size=7,
    )
)
def test_whatever_is_taken_websockets_takes_too(lines: list[str]) -> None:
    upgrade = prepare(URL, "ocpp1.6", {}, make)
    text = "".join(f"{line}\r\n" for line in lines).replace("KEY", accept_key(upgrade.key))
    data = f"HTTP/1.1 101 Yes\r\n{text}\r\n".encode()
    if granted(data, upgrade) is not None:
        protocol = upgrade.as_protocol(make)
        protocol.receive_data(data)
        assert protocol.state is State.OPEN
        assert protocol.subprotocol == "ocpp1.6"
