"""The CSMS, or the broker before it, as an address: looked up once, shared by all connections of a process."""

from __future__ import annotations

import copy
import socket
import ssl
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from urllib.parse import unquote, urlsplit

from mqtt.dialect import Dialect, load_dialect
from mqtt.form import Form
from mqtt.names import DEFAULT_DIALECT
from ocppj.errors import TargetUnreachableError, UsageError
from ocppj.identity import PORTS, check_target_url, is_mqtt, is_secure

__all__ = ["Target", "client_context"]


class Target:
    """Where stations connect to."""

    __slots__ = (
        "addresses",
        "dialect",
        "forms",
        "host",
        "mqtt_connections",
        "password",
        "port",
        "sources",
        "tls",
        "trunks",
        "url",
        "user",
    )

    def __init__(
        self,
        url: str,
        *,
        tls: ssl.SSLContext | None = None,
        sources: Sequence[str] = (),
        dialect: Dialect | None = None,
        mqtt_connections: int = 0,
    ) -> None:
        """Take the URL of a CSMS or broker; raises `UsageError`.

        `sources` are local addresses, shared out by station number. Without a `dialect`, a broker is spoken to in the
        default one; the path of its URL is the prefix of topics. With `mqtt_connections` stations share so many.
        """
        self.url = check_target_url(url, mqtt=True)
        parts = urlsplit(url.replace("{id}", "id"))
        assert parts.hostname is not None
        self.host = parts.hostname
        self.port = parts.port or PORTS[parts.scheme]
        self.tls = (tls or client_context()) if is_secure(url) else None
        self.dialect: Dialect | None = None
        self.user: str | None = None
        self.password: bytes | None = None
        if is_mqtt(url):
            self.dialect = (dialect or load_dialect(DEFAULT_DIALECT)).at(unquote(parts.path))
            self.user = None if parts.username is None else unquote(parts.username)
            self.password = None if parts.password is None else unquote(parts.password).encode()
        self.mqtt_connections = mqtt_connections if self.dialect is not None else 0
        self.trunks: dict[int, object] = {}
        """The connections that stations share at present, kept and known by `mqtt_trunk.py`."""
        self.forms: dict[str, Form] = {}
        """Those that stations with one connection share, by their subprotocol."""
        self.sources = tuple(sources)
        self.addresses: list[tuple[int, tuple[str, int] | tuple[str, int, int, int]]] = []

    @property
    def secret(self) -> str | None:
        """The password in the URL of a broker."""
        return None if self.password is None else self.password.decode()

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
        own = copy.copy(self)
        own.tls = context
        return own

    def source(self, number: int) -> str | None:
        """Return the local address of a station."""
        return self.sources[number % len(self.sources)] if self.sources else None


@cache
def _roots_of_the_system() -> frozenset[bytes]:
    return frozenset(ssl.create_default_context().get_ca_certs(binary_form=True))


def client_context(ca_file: str | Path | None = None, certificate: str | Path | None = None) -> ssl.SSLContext:
    """Make the TLS settings of all stations, trusting `ca_file` (PEM) besides the system's CAs.

    `certificate` (PEM: chain and key) is what they prove themselves with. Raises `UsageError` when a file is none.
    """
    context = ssl.create_default_context()
    if ca_file is not None:
        try:
            context.load_verify_locations(cafile=ca_file)
        except (OSError, ssl.SSLError) as error:
            raise UsageError(f"{ca_file} holds no readable CA certificates (PEM): {error}") from None
    if certificate is not None:
        try:
            # A key with a passphrase would ask at the terminal.
            context.load_cert_chain(certificate, password=lambda: "")
        except (OSError, ssl.SSLError) as error:
            raise UsageError(f"{certificate} holds no certificate with its key (PEM, no passphrase): {error}") from None
    return context
