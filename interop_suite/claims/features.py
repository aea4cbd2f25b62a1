"""What a CSMS may leave out: actions of optional feature profiles, and the codes by which it says so.

Sources: OCPP 1.6 §3.3 (only Core is required) and the security whitepaper, an extension as a whole; OCPP 2.x Part 5.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from interop_suite.claims.exchange import Exchange
from ocppj.versions import Version

__all__ = ["REQUIRED_ACTIONS", "is_unsupported"]

_CORE_2X = frozenset(
    {
        "Authorize",
        "BootNotification",
        "Heartbeat",
        "MeterValues",
        "NotifyReport",
        "StatusNotification",
        "TransactionEvent",
    }
)
REQUIRED_ACTIONS: Mapping[Version, frozenset[str]] = MappingProxyType(
    {
        Version.V16: frozenset(
            {
                "Authorize",
                "BootNotification",
                "DataTransfer",
                "Heartbeat",
                "MeterValues",
                "StartTransaction",
                "StatusNotification",
                "StopTransaction",
            }
        ),
        Version.V201: _CORE_2X,
        Version.V21: _CORE_2X,
    }
)
_SAYS_SO = frozenset({"NotImplemented", "NotSupported"})


def is_unsupported(call: Exchange, version: Version) -> bool:
    """Return whether the CSMS says of an optional action that it does not have it: a feature that is not claimed."""
    error = call.error
    return error is not None and error.code in _SAYS_SO and call.action not in REQUIRED_ACTIONS[version]
