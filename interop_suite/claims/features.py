"""What a CSMS may leave out: actions of optional feature profiles, and the codes by which it says so.

Sources: OCPP 1.6 §3.3 (only Core is required) and the security whitepaper, an extension as a whole; OCPP 2.x Part 5.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType

from interop_suite.claims.exchange import Exchange
from ocppj.versions import Version

__all__ = ["REQUIRED_ACTIONS", "is_unsupported", "was_asked_for"]

_CORE_2X = frozenset(
    {
        "Authorize",
        "BootNotification",
        "DataTransfer",
        "FirmwareStatusNotification",
        "Heartbeat",
        "LogStatusNotification",
        "MeterValues",
        "NotifyEvent",
        "NotifyReport",
        "SecurityEventNotification",
        "StatusNotification",
        "TransactionEvent",
    }
)
"""What the test cases of the Core profile make a station send to every CSMS (OCPP 2.x Part 5 §4.2)."""
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


_ASKED_FOR_BY: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "DiagnosticsStatusNotification": ("GetDiagnostics",),
        "FirmwareStatusNotification": ("UpdateFirmware",),
        "LogStatusNotification": ("GetLog",),
        "NotifyCustomerInformation": ("CustomerInformation",),
        "NotifyDisplayMessages": ("GetDisplayMessages",),
        "NotifyMonitoringReport": ("GetMonitoringReport",),
        "PublishFirmwareStatusNotification": ("PublishFirmware",),
        "ReportChargingProfiles": ("GetChargingProfiles",),
        "SignedFirmwareStatusNotification": ("SignedUpdateFirmware",),
    }
)
"""Commands whose outcome a station tells with an action: who sends the one has claimed the feature of the other."""


def was_asked_for(call: Exchange, commands: Iterable[Exchange]) -> bool:
    """Return whether the CSMS had sent a command before that makes a station send this action."""
    causes = _ASKED_FOR_BY.get(call.action, ())
    return any(command.action in causes and command.call.line < call.call.line for command in commands)


def is_unsupported(call: Exchange, version: Version) -> bool:
    """Return whether the CSMS says of an optional action that it does not have it: a feature that is not claimed."""
    error = call.error
    return error is not None and error.code in _SAYS_SO and call.action not in REQUIRED_ACTIONS[version]
