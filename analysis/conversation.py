"""What one station sent and received, connection after connection, checked by the rules of its version."""

from __future__ import annotations

from collections import Counter
from math import inf
from typing import Any, Final

from analysis.findings import Findings
from analysis.rules import Rule
from analysis.transaction_rules import TRANSACTION_RULES, TransactionRules
from ocppj.actions import ACTIONS
from ocppj.errors import RemoteProtocolError
from ocppj.messages import (
    Call,
    CallError,
    CallResult,
    CallResultError,
    Message,
    Send,
    duplicate_keys,
    encode,
    parse,
    review,
)
from ocppj.outcomes import is_accepted
from ocppj.registration import Registration, may_send
from ocppj.schemas import Part, validator
from ocppj.versions import RULES, MessageType, Rules, Version, rules_for_subprotocol

__all__ = ["Conversation"]

_SLACK: Final = 0.1
"""Seconds by which a time may be missed: the trace notes when a frame was handed over, not when it was due."""
# What a station may send while Pending because the CSMS asked for it, where the names differ.
_ASKED_BY: Final = {
    "GetBaseReport": frozenset({"NotifyReport"}),
    "GetReport": frozenset({"NotifyReport"}),
    "GetMonitoringReport": frozenset({"NotifyMonitoringReport"}),
    "CustomerInformation": frozenset({"NotifyCustomerInformation"}),
    "GetLog": frozenset({"LogStatusNotification"}),
    "GetDiagnostics": frozenset({"DiagnosticsStatusNotification"}),
}
_TRIGGERS: Final = frozenset({"TriggerMessage", "ExtendedTriggerMessage"})
_CERTIFICATES: Final = "SignCertificate"
_REGISTERED: Final = frozenset(Registration) - {Registration.UNKNOWN}

Payload = dict[str, Any]


class _Open:
    """A CALL that waits for its answer."""

    __slots__ = ("action", "payload", "t")

    def __init__(self, action: str, payload: Payload, t: float) -> None:
        self.action = action
        self.payload = payload
        self.t = t


class Conversation:
    """One station; `calls` counts the CALLs of all stations by version and action."""

    def __init__(
        self, station: str, findings: Findings, calls: Counter[tuple[Version, str]], *, call_timeout: float
    ) -> None:
        """Begin before its first connection; `call_timeout` in seconds."""
        self.station = station
        self.connections = 0
        self.answers = 0
        self._findings = findings
        self._calls = calls
        self._timeout = call_timeout
        self._connection = 0
        self._rules: Rules | None = None
        self._registration = Registration.UNKNOWN
        self._boot_not_before = 0.0
        self._triggered: set[str] = set()
        self._restarting = False
        self._ids: dict[str, int] = {}
        """Each message id, and the hash of its CALL."""
        self._open: tuple[str, _Open] | None = None
        self._incoming: dict[str, _Open] = {}
        self._transactions: dict[Version, TransactionRules] = {}

    @property
    def transactions(self) -> int:
        """How many transactions began."""
        return sum(one.count for one in self._transactions.values())

    # -- records of the trace --------------------------------------------------------------------------------------

    def opened(self, connection: int, subprotocol: str | None) -> None:
        """Begin a connection."""
        self._end_connection()
        self.connections += 1
        self._connection = connection
        self._rules = rules_for_subprotocol(subprotocol)
        if self._restarting:
            self._restarting = False
            self._registration = Registration.UNKNOWN
            self._boot_not_before = 0.0
            self._triggered.clear()

    def closed(self, t: float) -> None:
        """End a connection."""
        for message_id, call in self._incoming.items():
            if t - call.t > self._timeout + _SLACK:
                self._complain(Rule.UNANSWERED_CALL, f"{call.action} {message_id} waited {t - call.t:.1f} s")
        self._end_connection()

    def sent(self, t: float, data: str | bytes) -> None:
        """Take a frame of the station."""
        rules = self._rules
        if rules is None:
            self._complain(Rule.NO_HANDSHAKE, "a frame before a handshake that names a version")
            return
        try:
            message = parse(data, rules)
        except RemoteProtocolError as error:
            self._complain(Rule.UNREADABLE, error.reason)
            return
        for fault in review(message, rules):
            self._complain(Rule.ENVELOPE, f"{type(message).__name__} {message.message_id!r}: {fault}")
        # A frame that is written as we would write it holds nothing twice; anything else is looked at closely.
        if not isinstance(data, str) or encode(message) != data:
            for path in duplicate_keys(data if isinstance(data, str) else data.decode()):
                self._complain(Rule.DUPLICATE_KEYS, f"{path} appears twice")
        self._judge(t, message, rules)

    def received(self, t: float, data: str | bytes) -> None:
        """Take a frame of the CSMS; its mistakes are not judged here."""
        rules = self._rules
        if rules is None:
            return
        try:
            message = parse(data, rules)
        except RemoteProtocolError as error:
            self._take_unreadable(error, rules)
            return
        if isinstance(message, Call):
            self._incoming[message.message_id] = _Open(message.action, message.payload or {}, t)
        elif isinstance(message, CallResult | CallError):
            self._answered(t, message)

    # -- the station's CALLs ---------------------------------------------------------------------------------------

    def _judge(self, t: float, message: Message, rules: Rules) -> None:
        if isinstance(message, Call):
            self._called(t, message, rules.version)
        elif isinstance(message, Send):
            self._check_payload(Rule.SCHEMA, rules.version, message.action, "request", message.payload or {})
        elif isinstance(message, CallResult | CallError):
            self._replied(message, rules)
        else:
            assert isinstance(message, CallResultError)

    def _called(self, t: float, call: Call, version: Version) -> None:
        payload = call.payload or {}
        action = ACTIONS[version].get(call.action)
        if action is None or not action.by_station or action.unconfirmed:
            self._complain(Rule.UNKNOWN_ACTION, f"a station of OCPP {version} does not send {call.action}")
            return
        self._calls[version, call.action] += 1
        self._check_id(call)
        if self._open is not None:
            self._check_patience(t, call)
        self._open = (call.message_id, _Open(call.action, payload, t))
        self._check_registration(t, call.action, version)
        if self._check_payload(Rule.SCHEMA, version, call.action, "request", payload):
            self._transactions_of(version).sent(call.action, payload)

    def _check_id(self, call: Call) -> None:
        mark = hash((call.action, encode(call)))
        known = self._ids.setdefault(call.message_id, mark)
        # The same CALL with the same id is a retry (OCPP 2.0.1 errata 2024-09 §4.6).
        if known != mark:
            self._complain(Rule.REPEATED_ID, f"{call.action} has the id {call.message_id} of another CALL")

    def _check_patience(self, t: float, call: Call) -> None:
        assert self._open is not None
        before = self._open[1]
        if t - before.t < self._timeout - _SLACK:
            self._complain(
                Rule.SECOND_OPEN_CALL,
                f"{call.action} comes {t - before.t:.3f} s after {before.action}, still unanswered",
            )
        self._forget_open()

    def _check_registration(self, t: float, action: str, version: Version) -> None:
        state = self._registration
        if action == "BootNotification":
            early = self._boot_not_before - t
            if early > _SLACK and action not in self._triggered:
                self._complain(Rule.BOOT_TOO_EARLY, f"BootNotification comes {early:.1f} s before its interval is over")
            return
        if may_send(version, state, action, triggered=action in self._triggered):
            return
        if state is Registration.UNKNOWN:
            self._complain(Rule.NO_BOOT_FIRST, f"{action} before any BootNotification")
        else:
            self._complain(Rule.BEFORE_ACCEPTED, f"{action} while {state}")

    def _answered(self, t: float, message: CallResult | CallError) -> None:
        if self._open is None or self._open[0] != message.message_id:
            return
        call = self._open[1]
        self._open = None
        answer = (message.payload or {}) if isinstance(message, CallResult) else None
        self._end_call(call, answer)
        if call.action == "BootNotification" and answer is not None:
            self._registered(t, answer)

    def _registered(self, t: float, answer: Payload) -> None:
        status, interval = answer.get("status"), answer.get("interval")
        if not isinstance(status, str) or status not in _REGISTERED:
            return
        self._registration = Registration(status)
        self._boot_not_before = 0.0
        if self._registration is Registration.ACCEPTED:
            self._triggered.clear()
        elif isinstance(interval, int | float):
            self._boot_not_before = t + interval

    def _forget_open(self) -> None:
        if self._open is not None:
            call, self._open = self._open[1], None
            self._end_call(call, None)

    def _end_call(self, call: _Open, answer: Payload | None) -> None:
        if self._rules is not None:
            version = self._rules.version
            if validator(version, call.action, "request").is_valid(call.payload):
                self._transactions_of(version).ended(call.action, call.payload, answer)

    # -- the station's answers -------------------------------------------------------------------------------------

    def _replied(self, message: CallResult | CallError, rules: Rules) -> None:
        self.answers += 1
        call = self._incoming.pop(message.message_id, None)
        if call is None:
            self._complain(Rule.UNSOLICITED_ANSWER, f"no CALL with the id {message.message_id!r} waits for an answer")
            return
        if isinstance(message, CallError):
            return
        payload = message.payload or {}
        action = ACTIONS[rules.version].get(call.action)
        if action is None:
            self._complain(Rule.UNKNOWN_ACTION, f"a CALLRESULT to {call.action}, unknown to OCPP {rules.version}")
            return
        self._check_payload(Rule.ANSWER_SCHEMA, rules.version, call.action, "response", payload)
        if is_accepted(payload):
            self._asked(call, payload.get("status"))

    def _asked(self, call: _Open, status: Any) -> None:
        """Remember what the station has promised to do."""
        if call.action == "Reset" and status == Registration.ACCEPTED and "evseId" not in call.payload:
            self._restarting = True
        elif call.action in _TRIGGERS:
            wanted = str(call.payload.get("requestedMessage"))
            self._triggered.add(_CERTIFICATES if wanted.startswith("Sign") else wanted)
        self._triggered |= _ASKED_BY.get(call.action, frozenset())

    def _take_unreadable(self, error: RemoteProtocolError, rules: Rules) -> None:
        message_id = error.message_id or rules.unreadable_message_id
        if message_id is None:
            return
        if self._open is not None and self._open[0] == message_id:
            self._forget_open()
        elif error.message_type in (None, MessageType.CALL):
            # A station may answer it with a CALLERROR, and need not.
            self._incoming[message_id] = _Open("(unreadable)", {}, inf)

    # -- inside ----------------------------------------------------------------------------------------------------

    def _end_connection(self) -> None:
        self._forget_open()
        self._incoming.clear()
        self._rules = None

    def _transactions_of(self, version: Version) -> TransactionRules:
        known = self._transactions.get(version)
        if known is None:
            known = self._transactions[version] = TRANSACTION_RULES[version](self._complain)
        return known

    def _check_payload(self, rule: Rule, version: Version, action: str, part: Part, payload: Payload) -> bool:
        try:
            checker = validator(version, action, part)
        except KeyError:
            self._complain(Rule.UNKNOWN_ACTION, f"OCPP {version} has no {part} of {action}")
            return False
        if checker.is_valid(payload):
            return True
        error = checker.errors(payload)[0]
        self._complain(rule, f"{action} {error.path or '/'}: {error.message[:200]}")
        return False

    def _complain(self, rule: Rule, detail: str) -> None:
        self._findings.add(rule, self.station, self._connection, detail)


assert set(TRANSACTION_RULES) == set(RULES), "every version has its rules of transactions"
