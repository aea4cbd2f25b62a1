"""Records of 2.x sessions are held against what the events told, in the fields that a CSMS keeps."""

from __future__ import annotations

import json
from typing import Any

import pytest

from evidence.verdicts import Verdict
from interop_suite.claims.told_sessions import CONTROL, keeps_what_was_told, told_record
from ocppj.trace import Kind
from ocppj.versions import Version
from tests.interop_suite.recording import Recording, begun

TOKEN, STOPPER = "04A1B2C3D4E5F6", "04FFEEDDCCBBAA"
USUAL = {
    "transactionId": "usual",
    "state": "closed",
    "evseId": 2,
    "connectorId": 1,
    "idTag": TOKEN,
    "meterStart": 300,
    "startTime": "2026-01-01T08:00:00.000Z",
    "meterStop": 700,
    "stopTime": "2026-01-01T08:30:00.000Z",
    "reason": "Local",
    "stopIdTag": TOKEN,
}
OTHER = {
    "transactionId": "other",
    "state": "closed",
    "evseId": 2,
    "connectorId": 2,
    "idTag": TOKEN,
    "meterStart": 1000,
    "startTime": "2026-01-01T09:00:00.000Z",
    "meterStop": 2500,
    "stopTime": "2026-01-01T09:30:00.000Z",
    "reason": "EVDisconnected",
    "stopIdTag": STOPPER,
}


def reading(value: float, context: str, **unit: Any) -> list[dict[str, Any]]:
    sample: dict[str, Any] = {"value": value, "context": context}
    return [{"timestamp": OTHER["startTime"], "sampledValue": [sample | ({"unitOfMeasure": unit} if unit else {})]}]


def event(kind: str, number: str, seq_no: int, **more: Any) -> dict[str, Any]:
    info = {"transactionId": number, **more.pop("info", {})}
    trigger = {"Started": "Authorized", "Updated": "MeterValuePeriodic", "Ended": "StopAuthorized"}[kind]
    time = OTHER["stopTime"] if kind == "Ended" else OTHER["startTime"]
    base = {"eventType": kind, "timestamp": time, "triggerReason": trigger, "seqNo": seq_no, "transactionInfo": info}
    return base | more


def place(connector: int) -> dict[str, int]:
    return {"id": 2, "connectorId": connector}


def token(value: str) -> dict[str, str]:
    return {"idToken": value, "type": "ISO14443"}


STARTED = event(
    "Started", "other", 0, evse=place(2), idToken=token(TOKEN), meterValue=reading(1000, "Transaction.Begin")
)
UPDATED = event("Updated", "other", 1, evse=place(2), meterValue=reading(1800, "Sample.Periodic"))
ENDED = event(
    "Ended",
    "other",
    2,
    evse=place(2),
    idToken=token(STOPPER),
    meterValue=reading(2500, "Transaction.End"),
    info={"stoppedReason": "EVDisconnected"},
)


def told(*events: dict[str, Any], rows: list[dict[str, Any]] | None = None) -> Recording:
    recording = begun(Version.V201)
    first = event(
        "Started",
        "usual",
        0,
        timestamp=USUAL["startTime"],
        evse=place(1),
        idToken=token(TOKEN),
        meterValue=reading(300, "Transaction.Begin"),
    )
    last = event(
        "Ended",
        "usual",
        1,
        timestamp=USUAL["stopTime"],
        evse=place(1),
        idToken=token(TOKEN),
        meterValue=reading(700, "Transaction.End"),
        info={"stoppedReason": "Local"},
    )
    recording.note(**{CONTROL: "usual"})
    for number, payload in enumerate((first, last, *events)):
        recording.sent(json.dumps([2, f"m{number}", "TransactionEvent", payload]))
        recording.got(json.dumps([3, f"m{number}", {}]))
    if rows is not None:
        recording.driver(operation="recorded", transactions=rows)
    return recording


def verdicts(recording: Recording) -> list[Verdict]:
    return [finding.verdict for finding in keeps_what_was_told().judge(recording.history())]


@pytest.mark.parametrize(
    "order", [(STARTED, UPDATED, ENDED), (UPDATED, ENDED, STARTED), (ENDED, STARTED, UPDATED), (STARTED, ENDED, ENDED)]
)
def test_session_is_put_together_from_its_events_in_whatever_order_they_came(order: tuple[dict[str, Any], ...]) -> None:
    record = told_record(told(*order).history(), "other")
    assert record == {name: value for name, value in OTHER.items() if name != "transactionId"}


def test_event_that_was_not_answered_tells_nothing() -> None:
    recording = told(STARTED)
    recording.sent(json.dumps([2, "lost", "TransactionEvent", ENDED]))
    record = told_record(recording.history(), "other")
    assert record["state"] == "open"
    assert "meterStop" not in record


@pytest.mark.parametrize(
    ("value", "unit"), [(2.5, {"unit": "kWh"}), (2.5, {"unit": "Wh", "multiplier": 3}), (2500, {"unit": "Wh"})]
)
def test_energy_is_told_in_watt_hours_whatever_its_unit(value: float, unit: dict[str, Any]) -> None:
    ended = ENDED | {"meterValue": reading(value, "Transaction.End", **unit)}
    assert told_record(told(STARTED, ended).history(), "other")["meterStop"] == pytest.approx(2500)


def test_record_of_what_was_told_is_right() -> None:
    assert verdicts(told(STARTED, UPDATED, ENDED, rows=[USUAL, OTHER])) == [Verdict.OK]


@pytest.mark.parametrize(
    "wrong",
    [
        {"state": "open"},
        {"evseId": 1},
        {"connectorId": 1},
        {"idTag": STOPPER},
        {"meterStart": None},
        {"meterStop": 1800},
        {"startTime": "2026-01-01T12:00:00.000Z"},
        {"stopTime": "2026-01-01T12:00:00.000Z"},
        {"reason": "Local"},
        {"stopIdTag": TOKEN},
    ],
    ids=lambda wrong: next(iter(wrong)),
)
def test_record_that_says_something_else_is_failed(wrong: dict[str, Any]) -> None:
    assert verdicts(told(STARTED, UPDATED, ENDED, rows=[USUAL, OTHER | wrong])) == [Verdict.FAILED]


@pytest.mark.parametrize("rows", [[USUAL], [USUAL, OTHER, OTHER], [USUAL, OTHER, OTHER | {"transactionId": "other-2"}]])
def test_session_that_is_not_recorded_or_recorded_twice_is_failed(rows: list[dict[str, Any]]) -> None:
    assert verdicts(told(STARTED, UPDATED, ENDED, rows=rows)) == [Verdict.FAILED]


def test_records_without_even_the_ordinary_session_say_nothing() -> None:
    assert verdicts(told(STARTED, ENDED, rows=[OTHER])) == [Verdict.INCONCLUSIVE]


def test_records_that_were_never_read_give_no_finding() -> None:
    assert verdicts(told(STARTED, ENDED)) == []


@pytest.mark.parametrize("name", ["idTag", "meterStart", "meterStop", "stopTime", "reason", "stopIdTag", "connectorId"])
def test_field_that_this_csms_never_keeps_is_not_judged_no_false_alarm(name: str) -> None:
    rows = [{key: value for key, value in row.items() if key != name} for row in (USUAL, OTHER)]
    assert verdicts(told(STARTED, UPDATED, ENDED, rows=rows)) == [Verdict.OK]


@pytest.mark.parametrize("name", ["idTag", "meterStart", "meterStop", "stopTime", "reason", "stopIdTag", "connectorId"])
def test_field_that_is_always_empty_is_not_judged_no_false_alarm(name: str) -> None:
    assert verdicts(told(STARTED, UPDATED, ENDED, rows=[row | {name: None} for row in (USUAL, OTHER)])) == [Verdict.OK]


def test_connectors_that_are_numbered_through_the_station_are_no_false_alarm() -> None:
    rows = [USUAL | {"connectorId": 2}, OTHER | {"connectorId": 3}]
    assert verdicts(told(STARTED, UPDATED, ENDED, rows=rows)) == [Verdict.OK]


def test_times_without_fractions_and_reasons_in_other_letters_are_no_false_alarm() -> None:
    row = OTHER | {"startTime": "2026-01-01T10:00:00+01:00", "reason": "EV_DISCONNECTED", "idTag": TOKEN.lower()}
    assert verdicts(told(STARTED, UPDATED, ENDED, rows=[USUAL, row])) == [Verdict.OK]


def test_records_of_another_station_are_not_taken_for_those_of_this_one() -> None:
    recording = told(STARTED, UPDATED, ENDED)
    info = {"operation": "recorded", "transactions": [USUAL]}
    recording.add(Kind.DRIVER, station="CP2", info=info)
    assert verdicts(recording) == []
