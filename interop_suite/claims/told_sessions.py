"""What the events of a 2.x session say of it, in whatever order they came, and what a record of it should hold."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from evidence.verdicts import Verdict
from interop_suite.claims.claim import Check, Finding
from interop_suite.claims.exchange import AnswerKind
from interop_suite.claims.expected import field
from interop_suite.claims.history import PRIMARY, History
from interop_suite.claims.kept_records import is_same

__all__ = ["CONTROL", "keeps_what_was_told", "told_record"]

CONTROL = "control_session"
"""The note that names the ordinary session, whose record shows which fields this CSMS keeps."""
_BEGIN, _END = "Transaction.Begin", "Transaction.End"
_ENERGY = "Energy.Active.Import.Register"
_UNITS = {"Wh": 1, "kWh": 1000}


def told_record(history: History, number: str, *, role: str = PRIMARY) -> dict[str, Any]:
    """Put together what the confirmed events of a session tell, in the order of their seqNo; energy is in Wh.

    What they do not tell is not in it, nor a place that they tell in two ways.
    """
    calls = [
        call
        for call in history.calls("TransactionEvent", role=role, prepared=True)
        if call.kind is AnswerKind.RESULT and field(call.payload, "transactionInfo.transactionId") == number
    ]
    events = [call.payload for call in sorted(calls, key=lambda call: call.payload["seqNo"])]
    record = {name: value for name, value in _fields(events) if value is not None}
    for name, path in (("evseId", "evse.id"), ("connectorId", "evse.connectorId")):
        places = {field(event, path) for event in events} - {None}
        if len(places) == 1:
            record[name] = places.pop()
    return record


def _fields(events: Sequence[Mapping[str, Any]]) -> Iterator[tuple[str, Any]]:
    start = next((event for event in events if event["eventType"] == "Started"), None)
    end = next((event for event in events if event["eventType"] == "Ended"), None)
    yield "state", "open" if end is None else "closed"
    yield "idTag", next((event["idToken"]["idToken"] for event in events if "idToken" in event), None)
    yield "meterStart", next((value for event in events for value in _registers(event, _BEGIN)), None)
    if start is not None:
        yield "startTime", start["timestamp"]
    if end is not None:
        yield "stopTime", end["timestamp"]
        yield "meterStop", next(_registers(end, _END), None)
        yield "reason", field(end, "transactionInfo.stoppedReason")
        yield "stopIdTag", field(end, "idToken.idToken")


def _registers(event: Mapping[str, Any], context: str) -> Iterator[float]:
    """List the energy registers of one context in Wh; a sample without a measurand is one."""
    for reading in event.get("meterValue", ()):
        for sample in reading["sampledValue"]:
            unit = sample.get("unitOfMeasure", {})
            if (
                sample.get("context") == context
                and sample.get("measurand", _ENERGY) == _ENERGY
                and "phase" not in sample
                and unit.get("unit", "Wh") in _UNITS
            ):
                yield sample["value"] * _UNITS[unit.get("unit", "Wh")] * 10 ** unit.get("multiplier", 0)


def keeps_what_was_told(*, role: str = PRIMARY) -> Check:
    """Claim that the record of each session is what its events told, in the fields that this CSMS keeps.

    Which fields those are shows the record of the ordinary session that the script noted as `CONTROL`.
    """
    claim = "The CSMS records of a session what its events told, however they came"

    def judge(history: History) -> list[Finding]:
        control = next(history.notes(CONTROL), None)
        rows = _rows(history, history.station(role))
        if control is None or rows is None:
            return []
        usual = [row for row in rows if str(row.get("transactionId")) == control]
        told = told_record(history, control, role=role)
        if len(usual) != 1 or usual[0].get("state") not in (None, told["state"]):
            actual = "the records do not even show the ordinary session"
            return [Finding(verdict=Verdict.INCONCLUSIVE, claim=claim, actual=actual)]
        row = {name: value for name, value in usual[0].items() if value is not None}
        kept = {name for name, value in told.items() if name in row and is_same(name, value, row[name])}
        numbers = dict.fromkeys(
            call.payload["transactionInfo"]["transactionId"] for call in history.calls("TransactionEvent", role=role)
        )
        return [
            _compare(claim, number, told_record(history, number, role=role), rows, kept)
            for number in numbers
            if number != control
        ]

    return Check(claim=claim, judge=judge)


def _rows(history: History, identity: str | None) -> list[dict[str, Any]] | None:
    """Find the records of a station as they were read last; None when they never were."""
    reads = [
        call.info["transactions"]
        for call in history.driver_calls
        if call.operation == "recorded" and call.station == identity and call.error is None
    ]
    return reads[-1] if reads else None


def _compare(
    claim: str, number: str, told: Mapping[str, Any], rows: Sequence[Mapping[str, Any]], kept: set[str]
) -> Finding:
    own = [row for row in rows if str(row.get("transactionId")) == number]
    if len(own) != 1:
        problems = ["it is not recorded" if not own else f"it is recorded {len(own)} times"]
    else:
        problems = [
            f"{name} is {own[0].get(name)!r}, told {told[name]!r}"
            for name in told
            if name in kept and not is_same(name, told[name], own[0].get(name))
        ]
        twins = [row for row in rows if row not in own and _began_alike(row, told)]
        problems += [f"{row.get('transactionId')!r} is recorded as well, which began with it" for row in twins]
    actual = f"session {number}: {'; '.join(problems) or 'it is recorded as it was told'}"
    return Finding(verdict=Verdict.FAILED if problems else Verdict.OK, claim=claim, actual=actual)


def _began_alike(row: Mapping[str, Any], told: Mapping[str, Any]) -> bool:
    """Return whether a record is that of the same start under another id."""
    names = ("startTime", "idTag", "evseId")
    return all(name in told and row.get(name) == told[name] for name in names)
