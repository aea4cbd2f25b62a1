"""What a CSMS may leave out: actions of optional feature profiles, and the codes by which it says so.

Sources: OCPP 1.6 §3.3 (only Core is required) and the security whitepaper, an extension as a whole; OCPP 2.x Part 5.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType
from typing import NamedTuple

from evidence.verdicts import Verdict
from interop_suite.claims.exchange import Exchange
from interop_suite.claims.expected import field
from ocppj.versions import Version

__all__ = ["REQUIRED_ACTIONS", "is_unsupported", "says_unsupported", "weigh_unsupported"]

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


class Cause(NamedTuple):
    """A command that makes a station send something; `when` picks those that do, by an option of their payload."""

    command: str
    when: Callable[[Exchange], bool] | None = None


def _asks_for_csr(command: Exchange) -> bool:
    return str(command.payload.get("requestedMessage", "")).startswith("Sign")


def _is_dynamic(command: Exchange) -> bool:
    return bool(field(command.payload, "chargingProfile.chargingProfileKind") == "Dynamic")


def _opens_stream(command: Exchange) -> bool:
    monitors = command.payload.get("setMonitoringData")
    return isinstance(monitors, list) and any(field(monitor, "periodicEventStream") for monitor in monitors)


_STREAM = (Cause("SetVariableMonitoring", _opens_stream),)
_ASKED_FOR_BY: Mapping[str, tuple[Cause, ...]] = MappingProxyType(
    {
        "BatterySwap": (Cause("RequestBatterySwap"),),
        "ClosePeriodicEventStream": _STREAM,
        "DiagnosticsStatusNotification": (Cause("GetDiagnostics"),),
        "FirmwareStatusNotification": (Cause("UpdateFirmware"),),
        "LogStatusNotification": (Cause("GetLog"),),
        "NotifyCustomerInformation": (Cause("CustomerInformation"),),
        "NotifyDERStartStop": (Cause("SetDERControl"),),
        "NotifyDisplayMessages": (Cause("GetDisplayMessages"),),
        "NotifyMonitoringReport": (Cause("GetMonitoringReport"),),
        "NotifyPriorityCharging": (Cause("UsePriorityCharging"),),
        "OpenPeriodicEventStream": _STREAM,
        "PublishFirmwareStatusNotification": (Cause("PublishFirmware"),),
        "PullDynamicScheduleUpdate": (Cause("SetChargingProfile", _is_dynamic),),
        "ReportChargingProfiles": (Cause("GetChargingProfiles"),),
        "ReportDERControl": (Cause("GetDERControl"),),
        "ReservationStatusUpdate": (Cause("ReserveNow"),),
        "SignCertificate": (Cause("ExtendedTriggerMessage", _asks_for_csr), Cause("TriggerMessage", _asks_for_csr)),
        "SignedFirmwareStatusNotification": (Cause("SignedUpdateFirmware"),),
    }
)
"""Commands whose outcome a station tells with an action: who sends the one has claimed the feature of the other."""


def is_unsupported(call: Exchange, version: Version) -> bool:
    """Return whether the CSMS says of an optional action that it does not have it: a feature that is not claimed."""
    return says_unsupported(call) and call.action not in REQUIRED_ACTIONS[version]


def says_unsupported(call: Exchange) -> bool:
    """Return whether the CSMS says that it does not have what a CALL is about."""
    return call.error is not None and call.error.code in _SAYS_SO


def weigh_unsupported(call: Exchange, commands: Iterable[Exchange], version: Version) -> Verdict | None:
    """Weigh that a CSMS says of an optional action that it does not have it; None where it says nothing of the kind.

    A command of the same feature, sent before, claims the feature. An option of a command that is for other things,
    too, may have passed through the API unread: then it is the order that should have been refused.
    """
    if not is_unsupported(call, version):
        return None
    causes = _ASKED_FOR_BY.get(call.action, ())
    found = [
        cause
        for command in commands
        for cause in causes
        if command.action == cause.command
        and command.call.line < call.call.line
        and (cause.when is None or cause.when(command))
    ]
    if any(cause.when is None for cause in found):
        return Verdict.FAILED
    return Verdict.NON_STRICT if found else Verdict.NOT_APPLICABLE
