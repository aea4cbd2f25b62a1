"""One TLS ClientHello by hand: what a present TLS library no longer offers, and what the server makes of it."""

from __future__ import annotations

import os
import socket
import struct
from urllib.parse import urlsplit

from ocppj.errors import InconclusiveError

__all__ = ["offer_tls_1_1"]

_TLS_1_1 = b"\x03\x02"
_HANDSHAKE, _ALERT = 0x16, 0x15
_SERVER_HELLO = 2
_CLIENT_HELLO = 1
_RECORD_HEADER = 5
_VERSION_AT = 9
"""Where a ServerHello in the first record names the version: after the headers of the record and of the message."""
# ECDHE and RSA with AES-CBC and SHA-1, all that TLS 1.1 has in common with the certificates of today, and the sign
# that renegotiation is secure (RFC 5746).
_CIPHERS = bytes.fromhex("c014 c013 c00a c009 0035 002f 000a 00ff")
_GROUPS = bytes.fromhex("000a 0008 0006 0017 0018 0019")
_POINTS = bytes.fromhex("000b 0002 01 00")


def offer_tls_1_1(url: str, timeout: float) -> tuple[bool, str]:
    """Offer TLS 1.1 as the highest version; says whether the server has refused it, and how.

    Raises `InconclusiveError` where nobody is there, or nothing comes within `timeout` seconds.
    """
    parts = urlsplit(url)
    host = parts.hostname or ""
    try:
        with socket.create_connection((host, parts.port or 443), timeout) as connection:
            connection.sendall(_client_hello(host))
            return _weigh(connection.recv(4096))
    except ConnectionResetError:
        return True, "the connection was reset"
    except OSError as error:
        raise InconclusiveError(f"TLS 1.1 could not be offered to {host}: {error}.") from None


def _weigh(answer: bytes) -> tuple[bool, str]:
    if not answer:
        return True, "the connection was closed"
    if answer[0] == _ALERT:
        return True, f"TLS alert {answer[-1]}"
    is_hello = answer[0] == _HANDSHAKE and answer[_RECORD_HEADER : _RECORD_HEADER + 1] == bytes([_SERVER_HELLO])
    if is_hello:
        return False, f"ServerHello of version {answer[_VERSION_AT : _VERSION_AT + 2].hex()} (0302 is TLS 1.1)"
    return True, f"no TLS: {answer[:20]!r}"


def _client_hello(host: str) -> bytes:
    names = b"" if _is_address(host) else _server_name(host.encode("idna"))
    extensions = names + _GROUPS + _POINTS
    body = (
        _TLS_1_1
        + os.urandom(32)
        + b"\x00"
        + struct.pack(">H", len(_CIPHERS))
        + _CIPHERS
        + b"\x01\x00"
        + struct.pack(">H", len(extensions))
        + extensions
    )
    message = bytes([_CLIENT_HELLO]) + len(body).to_bytes(3) + body
    return bytes([_HANDSHAKE]) + b"\x03\x01" + struct.pack(">H", len(message)) + message


def _is_address(host: str) -> bool:
    return ":" in host or host.replace(".", "").isdecimal()


def _server_name(host: bytes) -> bytes:
    """Write the extension that names the server (RFC 6066 §3)."""
    entry = b"\x00" + struct.pack(">H", len(host)) + host
    names = struct.pack(">H", len(entry)) + entry
    return struct.pack(">HH", 0, len(names)) + names
