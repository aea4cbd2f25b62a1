"""What a CSMS has claimed by a command of its own, and what it says without having been asked."""

from __future__ import annotations

import json
from typing import Any

import pytest

from interop_suite.claims.checks import answered
from interop_suite.claims.orders import differences
from interop_suite.claims.unasked import unasked_findings
from ocppj.versions import Version
from tests.interop_suite.recording import Recording, begun

MISSING = '[4,"s","NotImplemented","",{}]'
SIGN = {"requestedMessage": "SignChargingStationCertificate"}
DYNAMIC = {"chargingProfile": {"chargingProfileKind": "Dynamic"}}


def commanded(action: str, payload: dict[str, Any]) -> Recording:
    recording = begun(Version.V21).got(json.dumps([2, "c", action, payload]))
    return recording.sent('[3,"c",{"status":"Accepted"}]')


@pytest.mark.parametrize(
    ("command", "payload", "action", "verdict"),
    [
        ("ReserveNow", {"id": 1}, "ReservationStatusUpdate", "FAILED"),
        ("GetDERControl", {"requestId": 1}, "ReportDERControl", "FAILED"),
        ("TriggerMessage", SIGN, "SignCertificate", "NON_STRICT"),
        ("TriggerMessage", {"requestedMessage": "Heartbeat"}, "SignCertificate", "NOT_APPLICABLE"),
        ("SetChargingProfile", DYNAMIC, "PullDynamicScheduleUpdate", "NON_STRICT"),
        ("ClearCache", {}, "BatterySwap", "NOT_APPLICABLE"),
        ("ClearCache", {}, "NotifyEvent", "FAILED"),
    ],
)
def test_command_of_a_feature_claims_what_answers_it(
    command: str, payload: dict[str, Any], action: str, verdict: str
) -> None:
    recording = commanded(command, payload).sent(json.dumps([2, "s", action, {}])).got(MISSING)
    assert [str(finding.verdict) for finding in answered(action).judge(recording.history())] == [verdict]


def told(transaction: str, *, token: bool, status: str | None, recording: Recording) -> Recording:
    number = str(len(recording.records))
    payload = {"transactionInfo": {"transactionId": transaction}, **({"idToken": {"idToken": "A"}} if token else {})}
    answer = {} if status is None else {"idTokenInfo": {"status": status}}
    return recording.sent(json.dumps([2, number, "TransactionEvent", payload])).got(json.dumps([3, number, answer]))


@pytest.mark.parametrize(("named", "verdicts"), [("T-1", []), ("t-1", []), ("T-2", ["FAILED"])])
def test_command_that_nobody_ordered_is_about_a_transaction_that_was_told(named: str, verdicts: list[str]) -> None:
    recording = told("T-1", token=True, status="Accepted", recording=begun(Version.V21).note(new=True))
    recording.got(json.dumps([2, "c", "CostUpdated", {"totalCost": 1, "transactionId": named}]))
    assert [str(finding.verdict) for finding in unasked_findings(recording.history())] == verdicts


def test_transaction_that_the_operator_named_is_no_matter_of_the_csms_no_false_alarm() -> None:
    recording = begun(Version.V21).note(new=True)
    recording.driver(operation="trigger", action="CostUpdated", payload={"transactionId": "T-9"})
    recording.got('[2,"c","CostUpdated",{"totalCost":1,"transactionId":"T-9"}]')
    assert list(unasked_findings(recording.history())) == []


@pytest.mark.parametrize(
    ("first", "then", "verdicts"),
    [
        ("Accepted", "Invalid", ["NON_STRICT"]),
        ("Accepted", "Accepted", []),
        ("Blocked", "Blocked", []),
        ("Accepted", None, []),
    ],
)
def test_event_without_a_token_takes_no_acceptance_back(first: str, then: str | None, verdicts: list[str]) -> None:
    recording = told("T-1", token=True, status=first, recording=begun(Version.V21))
    recording = told("T-1", token=False, status=then, recording=recording)
    assert [str(finding.verdict) for finding in unasked_findings(recording.history())] == verdicts


@pytest.mark.parametrize(
    ("attribute", "found"), [({}, 0), ({"attributeType": "Actual"}, 0), ({"attributeType": "Target"}, 1)]
)
def test_attribute_that_nobody_named_is_the_actual_value(attribute: dict[str, str], found: int) -> None:
    entry = {"component": {"name": "C"}, "variable": {"name": "V"}}
    sent = {"getVariableData": [{**entry, **attribute}]}
    assert len(differences("GetVariables", {"getVariableData": [entry]}, sent)) == found
