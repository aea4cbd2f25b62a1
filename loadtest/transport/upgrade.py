"""The upgrade from HTTP to WebSocket, as nearly every CSMS grants it; `websockets` reads whatever is unusual; pure.

`Upgrade.request` is what `websockets` would write, to the byte. `granted` says yes only to an answer that `websockets`
takes, too, and where it says nothing, nothing is decided: then the answer goes to the protocol of `as_protocol`.
"""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Callable, Mapping
from functools import lru_cache
from hashlib import sha1
from random import getrandbits
from typing import Final, NamedTuple

from websockets.client import ClientProtocol
from websockets.datastructures import Headers
from websockets.headers import build_host
from websockets.uri import parse_uri

__all__ = ["Upgrade", "granted", "ordinary_request", "prepare"]

_GUID: Final = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
"""RFC 6455 §1.3."""
_ORDINARY_PATH: Final = re.compile(r"[A-Za-z0-9._~%/:@!$&'()*+,=-]*").fullmatch
_ORDINARY_ANSWER: Final = re.compile(
    rb"HTTP/1\.1 101(?: [ -~]*)?\r\n((?:[A-Za-z0-9-]{1,64}: ?[!-~\0](?:[ -~]{0,254}[!-~])?\r\n){1,40})\r\n"
).fullmatch
_ACCEPT: Final = b"\0"
"""Stands for the right Sec-WebSocket-Accept."""
_ANY_CASE: Final = ("connection", "upgrade")
_OURS: Final = ("connection", "upgrade", "sec-websocket-accept", "sec-websocket-protocol", "sec-websocket-extensions")


class Upgrade(NamedTuple):
    """A request that waits for its answer."""

    url: str
    subprotocol: str
    key: str
    request: bytes

    def as_protocol(self, make: Callable[[str, str], ClientProtocol]) -> ClientProtocol:
        """Return a protocol of `websockets` that has sent this request; `make` takes URL and subprotocol."""
        protocol = make(self.url, self.subprotocol)
        protocol.key = self.key
        protocol.send_request(protocol.connect())
        protocol.data_to_send()
        return protocol


def prepare(
    url: str, subprotocol: str, headers: Mapping[str, str], make: Callable[[str, str], ClientProtocol]
) -> Upgrade:
    """Write the request for a connection to this URL; `make` as in `Upgrade.as_protocol`."""
    key = b64encode(getrandbits(128).to_bytes(16, "little")).decode()
    request = ordinary_request(url, subprotocol, headers, key)
    if request is None:
        protocol = make(url, subprotocol)
        protocol.key = key
        wanted = protocol.connect()
        wanted.headers.update(Headers(headers))
        request = wanted.serialize()
    return Upgrade(url, subprotocol, key, request)


def ordinary_request(url: str, subprotocol: str, headers: Mapping[str, str], key: str) -> bytes | None:
    """Write the request without parsing the URL each time; None for a URL that is out of the ordinary."""
    scheme, _, rest = url.partition("://")
    authority, slash, path = rest.partition("/")
    if not slash or not _ORDINARY_PATH(path):
        return None
    host = _host_of(scheme, authority)
    if host is None:
        return None
    more = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    return (
        f"GET /{path} HTTP/1.1\r\nHost: {host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: {subprotocol}\r\n{more}\r\n"
    ).encode()


@lru_cache(maxsize=256)
def _host_of(scheme: str, authority: str) -> str | None:
    """Write the Host header; None where the URL holds credentials, or is no plain ASCII."""
    if not authority.isascii() or "@" in authority:
        return None
    uri = parse_uri(f"{scheme}://{authority}/")
    return build_host(uri.host, uri.port, uri.secure)


def granted(data: bytes, upgrade: Upgrade) -> int | None:
    """Return where an answer ends that grants the upgrade and is ordinary throughout; None where it is not."""
    end = data.find(b"\r\n\r\n") + 4
    accept = b64encode(sha1(upgrade.key.encode() + _GUID, usedforsecurity=False).digest())
    # The answers of one CSMS differ in this word only, and in the date once a second.
    shape = data[:end].replace(accept, _ACCEPT, 1)
    return end if _ACCEPT not in data[:end] and _is_ordinary(shape, upgrade.subprotocol) else None


@lru_cache(maxsize=64)
def _is_ordinary(shape: bytes, subprotocol: str) -> bool:
    """Return whether an answer grants the upgrade, and what is told in it is told once and in the usual words."""
    match = _ORDINARY_ANSWER(shape)
    if match is None:
        return False
    found: dict[str, str] = {}
    for line in match[1].decode("ascii").split("\r\n")[:-1]:
        name, _, value = line.partition(":")
        name = name.lower()
        if name in _OURS:
            if name in found:
                return False
            found[name] = value.strip().lower() if name in _ANY_CASE else value.strip()
    return found == {
        "connection": "upgrade",
        "upgrade": "websocket",
        "sec-websocket-accept": _ACCEPT.decode(),
        "sec-websocket-protocol": subprotocol,
    }
