"""A session that the operator starts, in the words of each version."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from interop_suite.steps.shared_case import V2X
from ocppj.versions import Version

__all__ = ["REMOTE_START", "remote_start_request"]

REMOTE_START: Mapping[Version, str] = {
    Version.V16: "RemoteStartTransaction",
    **dict.fromkeys(V2X, "RequestStartTransaction"),
}
"""The action that starts a session."""


def remote_start_request(version: Version, token: str) -> dict[str, Any]:
    """Write the payload of the action."""
    return _REQUESTS[version](token)


def _request_16(token: str) -> dict[str, Any]:
    return {"connectorId": 1, "idTag": token}


def _request_2x(token: str) -> dict[str, Any]:
    return {"evseId": 2, "remoteStartId": 7, "idToken": {"idToken": token, "type": "ISO14443"}}


_REQUESTS: Mapping[Version, Callable[[str], dict[str, Any]]] = {
    Version.V16: _request_16,
    **dict.fromkeys(V2X, _request_2x),
}
