"""Values that every message of a CSMS must stay within, besides its schema."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from math import inf
from types import MappingProxyType
from typing import Any

from analysis.connection_rules import INTERNAL_ERROR, collapsed
from analysis.message_values import (
    foreign_echo,
    integers,
    is_wide,
    misplaced_periods,
    reversed_window,
    schedule_starts,
)
from evidence.verdicts import Verdict
from interop_suite.claims.claim import Finding
from interop_suite.claims.clauses import Clause
from interop_suite.claims.exchange import AnswerKind
from interop_suite.claims.expected import field
from interop_suite.claims.history import History
from ocppj.messages import Call, CallResult
from ocppj.versions import Version

__all__ = ["value_findings"]

_IN_2X = {"chargingPriority": (-9, 9), "requestId": (0, inf), "severity": (0, 9)}
_RANGES: Mapping[Version, Mapping[str, tuple[float, float]]] = MappingProxyType(
    {Version.V16: {}, Version.V201: _IN_2X, Version.V21: _IN_2X}
)
"""Least and greatest value by the name of the field (2.x IdTokenInfoType, TC_B_12_CSMS, SetMonitoringDataType)."""


def value_findings(history: History) -> Iterator[Finding]:
    """Find integers that no station can hold, and schedules whose periods are out of order.

    What the station sent or the operator named comes back as it was.
    """
    given = {number for frame in history.frames if frame.sent for number in integers(_payload(frame.message))}
    given |= {
        number
        for call in history.driver_calls
        if call.operation == "trigger"
        for number in integers(call.info.get("payload"))
    }
    yield from _out_of_range(history)
    yield from _collapses(history)
    yield from _echoes(history)
    yield from _bytes(history)
    yield from _reversed_windows(history)
    yield from _nowhere(history)
    for frame in history.scripted_frames():
        payload = _payload(frame.message)
        wide = next((n for n in integers(payload) if is_wide(n) and n not in given), None)
        if wide is not None:
            yield Finding(
                verdict=Verdict.NON_STRICT,
                claim="Every integer of the CSMS has 32 bits, as stations hold it",
                actual=f"it sent {wide}",
                frame=frame.line,
            )
        starts = next((s for s in schedule_starts(payload) if misplaced_periods(s)), None)
        if starts is not None and isinstance(frame.message, Call):
            yield Finding(
                verdict=Verdict.NON_STRICT,
                claim="The periods of a schedule begin at 0 and follow one another",
                actual=f"startPeriod is {', '.join(map(str, starts))}",
                frame=frame.line,
            )


def _out_of_range(history: History) -> Iterator[Finding]:
    """Find numbers outside the range that the text, and not every schema, gives them."""
    ranges = _RANGES[history.rules.version]
    orders = [call.info for call in history.driver_calls if call.operation == "trigger"]
    at_evse_0 = any((order.get("payload") or {}).get("evseId") == 0 for order in orders)
    given = {number for order in orders for number in integers(order.get("payload"))}
    for frame in history.scripted_frames():
        message, payload = frame.message, _payload(frame.message)
        action = message.action if isinstance(message, Call) else ""
        for name, number in () if action == "DataTransfer" else _numbers(payload):
            least, most = ranges.get(name, (number, number))
            if not least <= number <= most and number not in given:
                yield Finding(
                    verdict=Verdict.FAILED,
                    claim=f"{name} is {least} or more" if most == inf else f"{name} is from {least} to {most}",
                    actual=f"it sent {number}",
                    frame=frame.line,
                )
        fields = payload if isinstance(payload, dict) else {}
        customers = sorted(_CUSTOMER & {*fields}) if action == "CustomerInformation" else []
        if action == "CustomerInformation" and len(customers) != 1:
            yield Finding(
                verdict=Verdict.NON_STRICT,
                claim="A question about a customer names the customer in one way",
                actual=f"CustomerInformation has {' and '.join(customers) or 'no reference to one'}",
                frame=frame.line,
            )
        if action == "RequestStartTransaction" and fields.get("evseId") == 0 and not at_evse_0:
            yield Finding(
                verdict=Verdict.FAILED,
                claim="A session is started at an EVSE, or wherever the station likes",
                actual="RequestStartTransaction has evseId 0",
                frame=frame.line,
            )


_CUSTOMER = frozenset({"idToken", "customerCertificate", "customerIdentifier"})


def _numbers(value: Any) -> Iterator[tuple[str, int]]:
    """List the fields of a payload that are integers; what vendors add is theirs."""
    if isinstance(value, dict):
        for name, each in value.items():
            if isinstance(each, int) and not isinstance(each, bool):
                yield name, each
            elif name != "customData":
                yield from _numbers(each)
    elif isinstance(value, list):
        for each in value:
            yield from _numbers(each)


def _reversed_windows(history: History) -> Iterator[Finding]:
    """Find commands of the CSMS about a time that ends before it begins; what an operator ordered is the operator's."""
    commands = (e for e in history.exchanges if not e.by_station and e.call.scripted)
    for call in commands:
        begin = reversed_window(call.payload)
        ordered = any(reversed_window(order.info.get("payload")) for order in history.triggers(call.action))
        if begin and not ordered:
            yield Finding(
                verdict=Verdict.NON_STRICT,
                claim="A time that the CSMS bounds begins before it ends",
                actual=f"{call.action}: {begin} is later than its end",
                frame=call.call.line,
            )


_OF_A_CONNECTOR: Mapping[Version, Clause] = MappingProxyType(
    dict.fromkeys((Version.V201, Version.V21), Clause("201-6", "F06.FR.13"))
)
"""Where it stands that the status of a connector is asked for by EVSE and connector; 1.6 has no such rule."""


def _nowhere(history: History) -> Iterator[Finding]:
    """Find questions for the status of no connector in particular, unless an operator asked so."""
    clause = _OF_A_CONNECTOR.get(history.rules.version)
    if clause is None:
        return
    for call in history.exchanges:
        if call.by_station or not call.call.scripted or call.action != "TriggerMessage":
            continue
        asks = call.payload.get("requestedMessage") == "StatusNotification"
        ordered = any(_lacks_connector(order.info.get("payload")) for order in history.triggers("TriggerMessage"))
        if asks and _lacks_connector(call.payload) and not ordered:
            yield Finding(
                verdict=Verdict.FAILED,
                claim="The status of a connector is asked for by EVSE and connector",
                actual=f"TriggerMessage for StatusNotification has evse {call.payload.get('evse')}",
                clause=clause,
                frame=call.call.line,
            )


def _lacks_connector(payload: Any) -> bool:
    return field(payload or {}, "evse.connectorId") is None


def _bytes(history: History) -> Iterator[Finding]:
    """Find messages that came as binary ones, which most stations do not read; the first is told."""
    binary = next((f for f in history.scripted_frames() if f.message is not None and isinstance(f.text, bytes)), None)
    if binary is not None:
        yield Finding(
            verdict=Verdict.NON_STRICT,
            claim="The CSMS sends its messages as text",
            actual="a message came in a binary WebSocket frame",
            frame=binary.line,
        )


def _collapses(history: History) -> Iterator[Finding]:
    """Find connections that the CSMS ended for an error of its own, while stations sent nothing that is odd."""
    right = not history.oddities and not any("raw" in record.info for record in history.records)
    for connection in history.connections:
        closed = connection.closed or {}
        if collapsed(closed.get("code"), may_be_csms=connection.ended_by_csms, station_was_right=right):
            yield Finding(
                verdict=Verdict.NON_STRICT,
                claim="The CSMS keeps the connection of a station that does nothing wrong",
                actual=f"it closed with {INTERNAL_ERROR}: {closed.get('reason') or 'no reason'}",
                frame=connection.closed_line,
            )


def _echoes(history: History) -> Iterator[Finding]:
    """Find answers that name another thing than the station asked for."""
    for exchange in history.exchanges:
        if not exchange.by_station or exchange.kind is not AnswerKind.RESULT:
            continue
        foreign = foreign_echo(exchange.action, exchange.payload, exchange.result)
        if foreign:
            yield Finding(
                verdict=Verdict.NON_STRICT,
                claim="An answer names what the station asked for",
                actual=f"{exchange.action}: {foreign!r} is not what was asked for",
                frame=exchange.answer.line if exchange.answer else None,
            )


def _payload(message: object) -> Any:
    return message.payload if isinstance(message, Call | CallResult) else None
