"""Passwords that a CSMS gives to a station of its own accord: a station that accepts one uses it from then on."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from interop_suite.claims.expected import field
from ocppj.versions import Version

__all__ = ["told_password"]

_KEY = "authorizationkey"
_VARIABLE = "basicauthpassword"
_TAKEN = frozenset({"Accepted", "RebootRequired"})


def _key(payload: Mapping[str, Any], answer: Mapping[str, Any]) -> str | None:
    if str(payload.get("key")).lower() != _KEY or answer.get("status") not in _TAKEN:
        return None
    return str(payload.get("value"))


def _variable(payload: Mapping[str, Any], answer: Mapping[str, Any]) -> str | None:
    pairs = zip(payload.get("setVariableData", ()), answer.get("setVariableResult", ()), strict=False)
    found = [
        str(field(told, "attributeValue"))
        for told, result in pairs
        if str(field(told, "variable.name")).lower() == _VARIABLE and result.get("attributeStatus") in _TAKEN
    ]
    return found[-1] if found else None


_TOLD: Mapping[tuple[Version, str], Callable[[Mapping[str, Any], Mapping[str, Any]], str | None]] = MappingProxyType(
    {
        (Version.V16, "ChangeConfiguration"): _key,
        (Version.V201, "SetVariables"): _variable,
        (Version.V21, "SetVariables"): _variable,
    }
)


def told_password(version: Version, action: str, payload: Mapping[str, Any], answer: Mapping[str, Any]) -> str | None:
    """Give the password that a command sets and the station has accepted (1.6 AuthorizationKey); else None."""
    read = _TOLD.get((version, action))
    return None if read is None else read(payload, answer)
