"""TLS handshakes through memory, between two contexts."""

from __future__ import annotations

import ssl
from typing import Any

import pytest

__all__ = ["common_name", "shake_hands"]


def shake_hands(server: ssl.SSLContext, client: ssl.SSLContext, host: str = "localhost") -> dict[str, Any] | None:
    """Run a TLS handshake through memory and return what the server learned of the client."""
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    server_side = server.wrap_bio(to_server, to_client, server_side=True)
    client_side = client.wrap_bio(to_client, to_server, server_hostname=host)
    open_sides = [client_side, server_side]
    for _ in range(10):
        for side in tuple(open_sides):
            try:
                side.do_handshake()
            except ssl.SSLWantReadError:
                continue
            open_sides.remove(side)
        if not open_sides:
            # In TLS 1.3 the client is done before the server has looked at its certificate.
            server_side.write(b"welcome")
            assert client_side.read() == b"welcome"
            return server_side.getpeercert()
    pytest.fail("The handshake never ended.")


def common_name(peer: dict[str, Any] | None) -> object:
    assert peer
    return next(value for rdn in peer["subject"] for key, value in rdn if key == "commonName")
