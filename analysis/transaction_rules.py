"""The order of transactions: begin, readings, end; one class for 1.6 and one for 2.x, where the rules differ."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, Protocol

from analysis.meter_readings import instant, power_mismatch, register_of, samples_of
from analysis.rules import Rule
from ocppj.versions import Version

__all__ = ["TRANSACTION_RULES", "TransactionRules", "TransactionRules2x", "TransactionRules16"]

Complain = Callable[[Rule, str], object]
Payload = dict[str, Any]

_NO_ID: Final = -1
"""Stands for the transaction id that a station never got (OCPP 1.6 errata §3.18)."""


class TransactionRules(Protocol):
    """What one station said about its transactions; payloads have passed their schemas."""

    count: int
    """Transactions that began."""

    def sent(self, action: str, payload: Payload) -> None:
        """Take a CALL of the station."""

    def ended(self, action: str, payload: Payload, answer: Payload | None) -> None:
        """Take the end of a CALL: the payload of its CALLRESULT, or None."""


class _Course:
    """What a transaction showed last."""

    __slots__ = ("connector", "last", "over", "register", "seq_no", "time")

    def __init__(self, connector: object = None) -> None:
        self.connector = connector
        self.register: float | None = None
        self.time: float | None = None
        self.seq_no = -1
        self.over = False
        self.last: Payload = {}
        """The last message, which may be sent again."""

    def reads(self, complain: Complain, register: float | None, time: float | None, what: str) -> None:
        """Compare a reading with the one before."""
        if register is not None:
            if self.register is not None and register < self.register:
                complain(Rule.REGISTER_BACKWARDS, f"{what} shows {register:g} Wh after {self.register:g} Wh")
            self.register = register
        if time is not None:
            if self.time is not None and time < self.time:
                complain(Rule.TIME_BACKWARDS, f"{what} is {self.time - time:.3f} s before the one before it")
            self.time = time


def _read(complain: Complain, course: _Course | None, values: list[Payload], what: str) -> None:
    """Check the readings of a message, by themselves and against the transaction that they belong to."""
    for value in values:
        samples = samples_of(value)
        for sample in samples:
            if sample.value is None:
                complain(Rule.NO_NUMBER, f"{what}: {sample.measurand} is not a number")
        mismatch = power_mismatch(samples)
        if mismatch:
            complain(Rule.POWER_MISMATCH, f"{what}: {mismatch}")
        if course is not None:
            course.reads(complain, register_of(samples), instant(value.get("timestamp")), what)


class TransactionRules16:
    """1.6: StartTransaction, MeterValues, StopTransaction; the CSMS gives the number."""

    def __init__(self, complain: Complain) -> None:
        """Start without transactions."""
        self._complain = complain
        self._by_id: dict[int, _Course] = {}
        self._unconfirmed: set[int] = set()
        """Connectors with a start that got no answer, so that -1 stands for its id."""
        self.count = 0

    def sent(self, action: str, payload: Payload) -> None:
        """Take a CALL of the station."""
        if action == "MeterValues":
            self._metered(payload)
        elif action == "StopTransaction":
            self._stopped(payload)

    def ended(self, action: str, payload: Payload, answer: Payload | None) -> None:
        """Take the end of a CALL: the number of a transaction is in the answer to its start."""
        if action != "StartTransaction":
            return
        number = None if answer is None else answer.get("transactionId")
        if not isinstance(number, int):
            self._unconfirmed.add(payload["connectorId"])
            return
        self.count += 1
        course = self._by_id[number] = _Course(payload["connectorId"])
        course.reads(self._complain, float(payload["meterStart"]), instant(payload["timestamp"]), "StartTransaction")

    def _find(self, number: int, what: str, connector: int | None = None) -> _Course | None:
        if number == _NO_ID:
            if connector in self._unconfirmed or (connector is None and self._unconfirmed):
                return None
            self._complain(Rule.UNKNOWN_TRANSACTION, f"{what} names transaction -1, but every start was answered")
            return None
        course = self._by_id.get(number)
        if course is None:
            self._complain(Rule.UNKNOWN_TRANSACTION, f"{what} names transaction {number}, which never began")
        return course

    def _metered(self, payload: Payload) -> None:
        number, connector = payload.get("transactionId"), payload["connectorId"]
        course = None
        if number is not None:
            course = self._find(number, "MeterValues", connector)
        if course is not None:
            if course.connector != connector:
                self._complain(
                    Rule.WRONG_CONNECTOR,
                    f"MeterValues of transaction {number} names connector {connector}, not {course.connector}",
                )
            if course.over:
                self._complain(Rule.TRANSACTION_OVER, f"MeterValues of transaction {number} after its end")
        _read(self._complain, course, payload["meterValue"], "MeterValues")

    def _stopped(self, payload: Payload) -> None:
        number = payload["transactionId"]
        course = self._find(number, "StopTransaction")
        _read(self._complain, None, payload.get("transactionData", []), "StopTransaction")
        if course is None or payload == course.last:
            return
        if course.over:
            self._complain(
                Rule.TRANSACTION_OVER, f"StopTransaction of transaction {number} comes again, with other content"
            )
        course.reads(self._complain, float(payload["meterStop"]), instant(payload["timestamp"]), "StopTransaction")
        course.over, course.last = True, payload


class TransactionRules2x:
    """2.x: TransactionEvents in a sequence; the station gives the id."""

    def __init__(self, complain: Complain) -> None:
        """Start without transactions."""
        self._complain = complain
        self._by_id: dict[str, _Course] = {}
        self.count = 0

    def sent(self, action: str, payload: Payload) -> None:
        """Take a CALL of the station."""
        if action == "MeterValues":
            _read(self._complain, None, payload["meterValue"], "MeterValues")
        elif action == "TransactionEvent":
            self._event(payload)

    def ended(self, action: str, payload: Payload, answer: Payload | None) -> None:
        """Take the end of a CALL, which says nothing about the order of the next ones."""

    def _event(self, payload: Payload) -> None:
        kind, name = payload["eventType"], payload["transactionInfo"]["transactionId"]
        course = self._by_id.get(name)
        if course is not None and payload == course.last:
            # Sent again after no answer (OCPP 2.x E13).
            return
        what = f"TransactionEvent {kind} of {name}"
        if course is None:
            if kind != "Started":
                self._complain(Rule.UNKNOWN_TRANSACTION, f"{what} before its Started")
            self.count += 1
            course = self._by_id[name] = _Course()
            course.seq_no = payload["seqNo"] - 1 if kind != "Started" else -1
        elif kind == "Started":
            self._complain(Rule.REPEATED_TRANSACTION, f"{what} comes again, with other content")
        if course.over:
            self._complain(Rule.TRANSACTION_OVER, f"{what} after its end")
        if payload["seqNo"] != course.seq_no + 1:
            self._complain(Rule.SEQUENCE_GAP, f"{what} has seqNo {payload['seqNo']} after {course.seq_no}")
        course.seq_no, course.last, course.over = payload["seqNo"], payload, kind == "Ended"
        _read(self._complain, course, payload.get("meterValue", []), what)
        course.reads(self._complain, None, instant(payload["timestamp"]), what)


TRANSACTION_RULES: Mapping[Version, Callable[[Complain], TransactionRules]] = {
    Version.V16: TransactionRules16,
    Version.V201: TransactionRules2x,
    Version.V21: TransactionRules2x,
}
