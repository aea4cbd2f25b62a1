"""The words of MQTT for its codes, for people (MQTT 3.1.1 §3.2.2.3, MQTT 5 §2.4)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from mqtt.packets import Level
from mqtt.properties import Property

__all__ = ["REFUSED", "explain", "reason_name"]

REFUSED: Final = 0x80
"""Codes from here on are refusals, in SUBACK, PUBACK and all of MQTT 5."""

_UNKNOWN_VERSION: Final = 1
_CONNACK_311: Final = {
    1: "unsupported-protocol-version",
    2: "client-identifier-not-valid",
    3: "server-unavailable",
    4: "bad-user-name-or-password",
    5: "not-authorized",
}
_REASONS: Final = {
    0x00: "success",
    0x04: "disconnect-with-will",
    0x10: "no-matching-subscribers",
    0x11: "no-subscription-existed",
    0x80: "unspecified-error",
    0x81: "malformed-packet",
    0x82: "protocol-error",
    0x83: "implementation-specific-error",
    0x84: "unsupported-protocol-version",
    0x85: "client-identifier-not-valid",
    0x86: "bad-user-name-or-password",
    0x87: "not-authorized",
    0x88: "server-unavailable",
    0x89: "server-busy",
    0x8A: "banned",
    0x8B: "server-shutting-down",
    0x8C: "bad-authentication-method",
    0x8D: "keep-alive-timeout",
    0x8E: "session-taken-over",
    0x8F: "topic-filter-invalid",
    0x90: "topic-name-invalid",
    0x91: "packet-identifier-in-use",
    0x92: "packet-identifier-not-found",
    0x93: "receive-maximum-exceeded",
    0x94: "topic-alias-invalid",
    0x95: "packet-too-large",
    0x96: "message-rate-too-high",
    0x97: "quota-exceeded",
    0x98: "administrative-action",
    0x99: "payload-format-invalid",
    0x9A: "retain-not-supported",
    0x9B: "qos-not-supported",
    0x9C: "use-another-server",
    0x9D: "server-moved",
    0x9E: "shared-subscriptions-not-supported",
    0x9F: "connection-rate-exceeded",
    0xA0: "maximum-connect-time",
    0xA1: "subscription-identifiers-not-supported",
    0xA2: "wildcard-subscriptions-not-supported",
}


def reason_name(code: int, level: Level) -> str:
    """Name a code, in words that fit an outcome; an unknown one by its number."""
    # A broker that knows no MQTT 5 answers in 3.1.1 that it does not know it (MQTT 5 §3.1.2.2).
    is_old = (level is Level.V311 and code < REFUSED) or code == _UNKNOWN_VERSION
    table = _CONNACK_311 if is_old else _REASONS
    return table.get(code, f"code-{code:#04x}")


def explain(code: int, level: Level, properties: Mapping[Property, Any]) -> str:
    """Say a code for people, with the broker's own words where it gave some."""
    words = reason_name(code, level).replace("-", " ")
    said = properties.get(Property.REASON)
    return f"{words} ({said})" if said else words
