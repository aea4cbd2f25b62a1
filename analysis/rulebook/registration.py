"""Who may speak before the CSMS has accepted the station, and who is refused although it was accepted."""

from __future__ import annotations

from functools import cache
from typing import Final

from analysis.command_rules import TRIGGERS, Untimely, untimely
from analysis.model import Side
from analysis.rulebook.contract import Exchange, Payload, StationView
from ocppj.registration import REGISTRATION, Registration, may_send
from ocppj.schemas import schema
from ocppj.versions import Version

__all__ = ["RegistrationWatcher"]

_SLACK: Final = 0.5
"""Seconds by which a time may be missed: logs note when a line was written."""
# What a command asks the station to send, where the names differ.
_ASKED_BY: Final = {
    "GetBaseReport": frozenset({"NotifyReport"}),
    "GetReport": frozenset({"NotifyReport"}),
    "GetMonitoringReport": frozenset({"NotifyMonitoringReport"}),
    "CustomerInformation": frozenset({"NotifyCustomerInformation"}),
    "GetLog": frozenset({"LogStatusNotification"}),
    "GetDiagnostics": frozenset({"DiagnosticsStatusNotification"}),
    "UpdateFirmware": frozenset({"FirmwareStatusNotification"}),
}
_MAY_SPEAK: Final = {Version.V16: True, Version.V201: False, Version.V21: False}
"""Whether an operator may have a command sent to a station that is Rejected: 1.6 §4.2 only advises against it."""
_REGISTERED: Final = frozenset(Registration) - {Registration.UNKNOWN}
_CORE: Final = frozenset({"BootNotification", "Heartbeat", "StatusNotification", "Authorize", "MeterValues",
                          "StartTransaction", "StopTransaction", "TransactionEvent"})  # fmt: skip
_ABOUT_TRANSACTIONS: Final = frozenset({"StartTransaction", "StopTransaction", "TransactionEvent", "MeterValues"})
_UNKNOWN_CODES: Final = frozenset({"NotImplemented", "NotSupported"})
_FAILURES: Final = frozenset({"InternalError", "GenericError"})
_BAD_VALUE: Final = "PropertyConstraintViolation"
_FORM_CODES: Final = frozenset(
    {
        "FormationViolation", "FormatViolation", "ProtocolError", "TypeConstraintViolation",
        "OccurenceConstraintViolation", "OccurrenceConstraintViolation",
    }
)  # fmt: skip


class RegistrationWatcher:
    """Follows the status that the CSMS gave the station.

    It need not hear of a station that is accepted, but for its BootNotifications and the CALLs of the CSMS.
    """

    def __init__(self, station: StationView) -> None:
        """Start unregistered."""
        self._station = station
        self._not_before: float | None = None
        self._triggered: set[str] = set()
        self._restarting = False
        self._opened = 0
        self._booting = False
        """A BootNotification waits for its answer."""
        self._accepted_here = False
        """The last boot was accepted on this connection, so that the CSMS knows of it."""

    def opened(self) -> None:
        """Take a new connection: a station that the CSMS told to restart has to register again."""
        self._opened += 1
        self._booting = self._accepted_here = False
        if self._restarting:
            self._restarting = False
            self._not_before = None
            self._triggered.clear()
            if self._station.traits.from_the_start:
                self._station.registration = Registration.UNKNOWN

    def called(self, exchange: Exchange) -> None:
        """Check a CALL of either side."""
        if exchange.sender is Side.STATION:
            self._station_called(exchange)
        else:
            self._csms_called(exchange)

    def _station_called(self, exchange: Exchange) -> None:
        station, action = self._station, exchange.action
        state = station.registration
        if action == "BootNotification":
            self._booting = True
            if (
                self._not_before is not None
                and exchange.at is not None
                and action not in self._triggered
                and self._not_before - exchange.at > _SLACK
            ):
                early = self._not_before - exchange.at
                station.find("boot-too-early", f"BootNotification comes {early:.1f} s before it may, while {state}")
            return
        if may_send(station.version, state, action, triggered=action in self._triggered):
            return
        if state is not Registration.UNKNOWN:
            station.find("before-accepted", f"{action} while {state}")
        elif station.traits.from_the_start and self._opened:
            station.find("no-boot-first", f"{action} before any BootNotification")

    def _csms_called(self, exchange: Exchange) -> None:
        """Check a command; who booted before the log begins, or boots just now, may have been accepted."""
        station, action = self._station, exchange.action
        fault = untimely(station.version, station.registration, action, exchange.payload)
        if fault is None or self._booting:
            return
        if fault is Untimely.SESSION_WHILE_PENDING:
            station.find("session-while-pending", f"{action} to a station that is Pending")
        elif fault is Untimely.BOOT_AGAIN:
            if self._accepted_here and station.traits.connections:
                station.find("boot-asked-again", f"{action} for a BootNotification, after the last one was Accepted")
        elif fault is Untimely.REJECTED and not _MAY_SPEAK[station.version]:
            station.find("command-before-accepted", f"{action} to a station that is Rejected")

    def answered(self, exchange: Exchange, payload: Payload | None) -> None:
        """Take a CALLRESULT; its payload is None where the log does not show it."""
        if exchange.sender is Side.CSMS:
            if payload is not None:
                self._command_answered(exchange, payload)
            return
        station = self._station
        if exchange.action == "BootNotification":
            if payload is not None:
                self._registered(payload)
            return
        state = station.registration
        if REGISTRATION[station.version][state].refuse_others and not may_send(
            station.version, state, exchange.action, triggered=exchange.action in self._triggered
        ):
            station.find("served-before-accepted", f"{exchange.action} of a station that is {state} is answered")

    def _registered(self, payload: Payload) -> None:
        status, interval = payload.get("status"), payload.get("interval")
        if not isinstance(status, str) or status not in _REGISTERED:
            return
        station = self._station
        if isinstance(interval, int) and interval < 0:
            station.find("boot-interval", f"BootNotification is answered with the interval {interval}")
        station.registration = Registration(status)
        station.boots += 1
        self._booting, self._accepted_here = False, station.registration is Registration.ACCEPTED
        self._not_before = None
        if station.registration is Registration.ACCEPTED:
            self._triggered.clear()
        elif isinstance(interval, int | float) and station.at is not None and not isinstance(interval, bool):
            self._not_before = station.at + interval

    def _command_answered(self, exchange: Exchange, payload: Payload) -> None:
        if exchange.action == "Reset" and payload.get("status") in ("Accepted", "Scheduled"):
            self._restarting = True
        if exchange.action in TRIGGERS and payload.get("status") == "Accepted" and exchange.payload is not None:
            wanted = str(exchange.payload.get("requestedMessage"))
            self._triggered.add("SignCertificate" if wanted.startswith("Sign") else wanted)
        self._triggered |= _ASKED_BY.get(exchange.action, frozenset())

    def refused(self, exchange: Exchange, code: str) -> None:
        """Take a CALLERROR, for which there may be no reason."""
        station = self._station
        self._booting = self._booting and exchange.action != "BootNotification"
        side = Side.CSMS if exchange.sender is Side.STATION else Side.STATION
        if not exchange.clean:
            return
        action = exchange.action
        if side is Side.CSMS and code == "SecurityError":
            if station.registration is Registration.PENDING and exchange.action in self._triggered:
                station.find("triggered-refused", f"the CSMS asked for {action}, and answers it with SecurityError")
            if station.registration is Registration.ACCEPTED:
                station.find(
                    "refused-after-accepted", f"{action} of an accepted station is answered with SecurityError"
                )
            return
        if side is Side.CSMS and action in _CORE and code in _UNKNOWN_CODES:
            station.find("core-not-implemented", f"{action} is answered with {code}", side=side)
        elif side is Side.CSMS and action in _ABOUT_TRANSACTIONS and station.registration is Registration.ACCEPTED:
            station.find("transaction-message-refused", f"a valid {action} is answered with {code[:60]}")
        elif code in _FORM_CODES:
            station.find("valid-call-refused", f"{action} fits its schema and is answered with {code}", side=side)
        elif code in _FAILURES:
            station.find("valid-call-failed", f"{action} fits its schema and is answered with {code}", side=side)
        elif side is Side.CSMS and code == _BAD_VALUE and _is_report(station.version, action):
            station.find("report-declined", f"{action} fits its schema and is answered with {code}")


@cache
def _is_report(version: Version, action: str) -> bool:
    """Return whether the answer to an action may be empty, and has no status."""
    answer = schema(version, action, "response")
    return not answer.get("required") and "status" not in answer.get("properties", {})
