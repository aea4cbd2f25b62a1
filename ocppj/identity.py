"""Who a station is: its URL, and the credentials that prove it."""

from __future__ import annotations

import base64
import ipaddress
import re
from collections.abc import Iterable
from typing import Final
from urllib.parse import quote, urlsplit

from ocppj.errors import UsageError
from ocppj.versions import Rules, Version

__all__ = [
    "PORTS",
    "basic_authorization",
    "check_identity",
    "check_owned",
    "check_target_url",
    "decode_authorization_key",
    "is_mqtt",
    "is_secure",
    "station_url",
    "without_user",
]

PORTS: Final = {"ws": 80, "wss": 443, "mqtt": 1883, "mqtts": 8883}
"""The schemes of a target, and the port of each where a URL names none."""
_MQTT: Final = ("mqtt", "mqtts")

_PLACEHOLDER = "{id}"
_NEEDS_NO_QUOTES = re.compile(r"[A-Za-z0-9_.~-]*").fullmatch
_NO_URL_CHARACTER = re.compile(r"[\x00-\x20\x7f]")
_USER = re.compile(r"(?<=://)[^/?#]*@")
_HEX_KEY = re.compile(r"(?:[0-9A-Fa-f]{2}){16,20}")


def is_mqtt(url: str) -> bool:
    """Return whether a target is the broker of a CSMS that takes OCPP over MQTT."""
    return urlsplit(url).scheme in _MQTT


def is_secure(url: str) -> bool:
    """Return whether a target takes TLS."""
    return urlsplit(url).scheme in ("wss", "mqtts")


def check_target_url(url: str, *, mqtt: bool = False) -> str:
    """Return a usable CSMS URL; raises `UsageError` with the mend for any other, without its user and password.

    With `mqtt` it may be that of a broker, whose path is the prefix of topics.
    """
    shown = without_user(url)
    if _NO_URL_CHARACTER.search(url):
        raise UsageError(f"{shown!r} holds a space or control character; write it percent-encoded, a space as %20")
    try:
        parts = urlsplit(url)
    except ValueError as error:
        raise UsageError(f"{shown} is no URL: {error}") from None
    if parts.scheme in ("http", "https"):
        better = parts.scheme.replace("http", "ws") + shown[len(parts.scheme) :]
        raise UsageError(f"{shown} is an HTTP address; OCPP-J runs over WebSocket. Try {better}")
    if parts.scheme in _MQTT and not mqtt:
        raise UsageError(f"{shown} is a broker; this needs a CSMS that takes WebSocket, at ws:// or wss://")
    if parts.scheme not in PORTS:
        also = ", or with mqtt:// or mqtts:// for a broker" if mqtt else ""
        raise UsageError(f"{shown!r} is no WebSocket URL; it must begin with ws:// or wss://{also}")
    try:
        port = parts.port
    except ValueError:
        raise UsageError(f"{shown} has a port that is not a number from 1 to 65535") from None
    if not parts.hostname or port == 0:
        raise UsageError(f"{shown} names no host and port to connect to, as in ws://localhost:9000/ocpp")
    if parts.fragment:
        raise UsageError(f"{shown} has a fragment (#…), which WebSocket URLs must not have (RFC 6455 §3)")
    if parts.scheme in _MQTT and (parts.query or _PLACEHOLDER in url):
        raise UsageError(f"{shown} names a broker and a prefix of topics only; what else is in a topic says --dialect")
    return url


def without_user(url: str) -> str:
    """Leave out user and password of a URL, for people and files."""
    return _USER.sub("", url)


def check_owned(url: str, owned: Iterable[str]) -> str:
    """Return the URL of a target on this machine, or whose host the person has said to own; else raises `UsageError`.

    A typing mistake must not become an attack on somebody else's system.
    """
    host = (urlsplit(url.replace(_PLACEHOLDER, "id")).hostname or "").lower()
    if _is_this_machine(host) or host in {name.strip("[]").lower() for name in owned}:
        return url
    raise UsageError(
        f"{host} is another machine; only test what is yours, and say so once with --i-own-this-target {host}"
    )


def _is_this_machine(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


def check_identity(identity: str, rules: Rules) -> str:
    """Return a legal identity; raises `UsageError` otherwise (2.x Part 4 §3.1.1: at most 48 characters, no colon)."""
    if not identity:
        raise UsageError("A station identity must not be empty.")
    if rules.identity_max is not None and len(identity) > rules.identity_max:
        raise UsageError(
            f"Identity {identity!r} is longer than the {rules.identity_max} characters of {rules.version}."
        )
    for character in rules.identity_forbidden:
        if character in identity:
            raise UsageError(f"Identity {identity!r} holds {character!r}, which {rules.version} forbids.")
    return identity


def station_url(url: str, identity: str) -> str:
    """Put the percent-encoded identity where `{id}` stands in the URL, else after a slash at the end of its path.

    OCPP-J 1.6 §3.1.1: `RDAM 123` becomes `RDAM%20123`.
    """
    encoded = identity if _NEEDS_NO_QUOTES(identity) else quote(identity, safe="")
    if _PLACEHOLDER in url:
        return url.replace(_PLACEHOLDER, encoded)
    base, question, query = url.partition("?")
    return f"{base.rstrip('/')}/{encoded}{question}{query}"


def decode_authorization_key(key: str, version: Version) -> bytes:
    """Turn a configured password into the bytes that the Basic header carries.

    1.6 writes a key of 16 to 20 raw bytes as 32 to 40 hexadecimal digits (OCPP-J 1.6 §6.2.2); anything else, and every
    2.x password, is text in UTF-8.
    """
    if version is Version.V16 and _HEX_KEY.fullmatch(key):
        return bytes.fromhex(key)
    return key.encode()


def basic_authorization(identity: str, password: str | bytes) -> str:
    """Write the value of the Authorization header (RFC 7617); the password may hold any byte."""
    secret = password.encode() if isinstance(password, str) else password
    return "Basic " + base64.b64encode(identity.encode() + b":" + secret).decode()
