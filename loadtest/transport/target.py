"""The CSMS as an address: looked up once, shared by all connections of a process."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Callable, Sequence
from functools import cache
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

    def identified(self, load: Callable[[ssl.SSLContext], object]) -> Target:
        """Return the same place for one station, with TLS settings that `load` gives a client certificate.

        They trust the roots that were named (`--ca`), and the system's where none was: each copy of those takes much
        memory. Raises what `load` raises.
        """
        assert self.tls is not None
        named = set(self.tls.get_ca_certs(binary_form=True)) - _roots_of_the_system()
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        if named:
            context.load_verify_locations(cadata=b"".join(sorted(named)))
        else:
            context.load_default_certs()
        load(context)
        own = Target(self.url, tls=context, sources=self.sources)
        own.addresses = self.addresses
        return own

    def source(self, number: int) -> str | None:
        """Return the local address of a station."""
        return self.sources[number % len(self.sources)] if self.sources else None


@cache
def _roots_of_the_system() -> frozenset[bytes]:
    return frozenset(ssl.create_default_context().get_ca_certs(binary_form=True))


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
