"""The CSMS as an address: looked up once, shared by all connections of a process."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import urlsplit

from ocppj.errors import TargetUnreachableError, UsageError
from ocppj.identity import check_target_url

__all__ = ["Target", "client_context"]


class Target:
    """Where stations connect to."""

    __slots__ = ("addresses", "host", "port", "sources", "tls", "url")

    def __init__(self, url: str, *, tls: ssl.SSLContext | None = None, sources: Sequence[str] = ()) -> None:
        """Take a CSMS URL; `sources` are local addresses, shared out by station number. Raises `UsageError`."""
        self.url = check_target_url(url)
        parts = urlsplit(url.replace("{id}", "id"))
        assert parts.hostname is not None
        self.host = parts.hostname
        self.port = parts.port or (443 if parts.scheme == "wss" else 80)
        self.tls = None if parts.scheme == "ws" else tls or client_context()
        self.sources = tuple(sources)
        self.addresses: list[tuple[int, tuple[str, int] | tuple[str, int, int, int]]] = []

    def resolve(self) -> None:
        """Look the host up; raises `TargetUnreachableError` when it has no address."""
        try:
            found = socket.getaddrinfo(self.host, self.port, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError):
            raise TargetUnreachableError(f"{self.host} has no address; check the host name in {self.url}") from None
        # Every attempt tries them in this order; a CSMS that listens on IPv4 only is the common case.
        found.sort(key=lambda info: info[0] != socket.AF_INET)
        self.addresses = [(family, address) for family, _, _, _, address in found]  # type: ignore[misc]  # the address of IPv4 or IPv6, by family

    def source(self, number: int) -> str | None:
        """Return the local address of a station."""
        return self.sources[number % len(self.sources)] if self.sources else None


def client_context(ca_file: str | Path | None = None) -> ssl.SSLContext:
    """Make the TLS settings of all stations, trusting `ca_file` (PEM) besides the system's CAs.

    Raises `UsageError` when the file is none.
    """
    context = ssl.create_default_context()
    if ca_file is not None:
        try:
            context.load_verify_locations(cafile=ca_file)
        except (OSError, ssl.SSLError) as error:
            raise UsageError(f"{ca_file} holds no readable CA certificates (PEM): {error}") from None
    return context
