"""The opening of a connection: what a station offers, the request that is made of it, and how it was answered."""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Any

import msgspec
from websockets.http11 import Request

from ocppj.identity import basic_authorization

__all__ = ["HTTP_SWITCHING", "TRAITS", "Handshake", "Offer", "Trait", "asks", "prepare_request"]

HTTP_SWITCHING = 101


class Trait(StrEnum):
    """What a transport may lack; as a need of a case it has the same word."""

    UPGRADE = "upgrade"
    """An opening request that the CSMS itself answers, with a subprotocol and headers, and may refuse."""
    CREDENTIALS = "password"
    """A password that the CSMS itself checks."""
    TLS = "tls"
    """A certificate of the CSMS itself, and its view of the certificate of the station."""
    FRAMES = "frames"
    """Fragments, pings, binary frames and close codes."""
    END = "end"
    """A CSMS that sees the connection of a station end, and can end it."""
    SECOND = "second"
    """Two connections that claim the same identity."""
    BROKER = "broker"
    """A broker, with topics and all that comes with them."""


class Offer(msgspec.Struct, frozen=True, kw_only=True):
    """What a station puts into its opening request."""

    url: str
    subprotocols: tuple[str, ...]
    identity: str = ""
    password: bytes | None = None
    username: str | None = None
    """Defaults to the identity (OCPP-J 1.6 §6.2.2)."""
    authorization: str | None = None
    """A raw Authorization header instead of Basic credentials."""
    headers: tuple[tuple[str, str], ...] = ()
    without: tuple[str, ...] = ()
    """Headers of the request that are left out, such as Upgrade."""
    lent: bool = False
    """Whether the password only lets the station in, for a case that is not about credentials."""
    spellings: tuple[str, ...] = ()
    """How the names of some headers are written, such as all in capitals; the default is as in the RFCs."""
    compression: bool = False
    tls: ssl.SSLContext | None = None
    source: str | None = None


class Handshake(msgspec.Struct, frozen=True, kw_only=True):
    """How an opening request was answered; `status` None means that there was no HTTP answer."""

    status: int | None = None
    subprotocol: str | None = None
    headers: tuple[tuple[str, str], ...] = ()
    error: str | None = None
    tls: dict[str, Any] | None = None
    unreachable: bool = False
    """Whether there was no TCP connection at all."""
    absent: str = ""
    """Why nobody is there, in words for people, where whoever carries the messages is not the CSMS itself."""

    mend: str = ""
    """What to do about a refusal, where that is known."""

    @property
    def opened(self) -> bool:
        """Whether the connection was upgraded."""
        return self.status == HTTP_SWITCHING


def prepare_request(request: Request, offer: Offer) -> Request:
    """Put what is offered into the headers of an opening request, and take out what is not."""
    authorization = offer.authorization
    if authorization is None and offer.password is not None:
        username = offer.identity if offer.username is None else offer.username
        authorization = basic_authorization(username, offer.password)
    if authorization is not None:
        request.headers["Authorization"] = authorization
    for name in offer.without:
        del request.headers[name]
    for name, value in offer.headers:
        request.headers[name] = value
    for name in offer.spellings:
        values = request.headers.get_all(name)
        if values:
            del request.headers[name]
        for value in values:
            request.headers[name] = value
    return request


TRAITS: Mapping[str, Trait] = MappingProxyType(
    {
        "subprotocols": Trait.UPGRADE,
        "headers": Trait.UPGRADE,
        "without": Trait.UPGRADE,
        "spellings": Trait.UPGRADE,
        "compression": Trait.UPGRADE,
        "authorization": Trait.CREDENTIALS,
        "username": Trait.CREDENTIALS,
        "password": Trait.CREDENTIALS,
        "tls": Trait.TLS,
    }
)
"""What a transport must have, so that a CSMS sees a part of an offer that a case changes."""
_ODD = tuple(
    (field.name, field.default)
    for field in msgspec.structs.fields(Offer)
    if field.name in TRAITS and field.name not in ("subprotocols", "password", "tls")
)


def asks(offer: Offer) -> list[Trait]:
    """List what a transport must have for the parts of an offer that most stations leave alone."""
    return [TRAITS[name] for name, usual in _ODD if getattr(offer, name) != usual]
