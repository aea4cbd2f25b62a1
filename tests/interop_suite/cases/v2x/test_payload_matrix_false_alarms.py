"""What real CSMSs refused in the payload matrix, and had good reason to refuse."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from evidence.verdicts import Verdict
from fixtures.csms.defects.v2x_payloads import legal_payloads, plain_payload, read_actions
from fixtures.tokens import TokenKind
from interop_suite.cases.v2x.matrix import MESSAGE_CASES
from interop_suite.catalogue import all_cases
from interop_suite.claims.features import REQUIRED_ACTIONS
from interop_suite.drive.answers import Answer
from interop_suite.steps.payload_matrix import call_named
from ocppj.versions import Version
from tests.interop_suite.recording import Recording
from tests.interop_suite.talk import Talk

V2X = (Version.V201, Version.V21)
FORMS = {
    TokenKind.ISO14443: "04D2A9B16C5E80",
    TokenKind.ISO15693: "E0D2A9B16C5E803F",
    TokenKind.MAC_ADDRESS: "02D2A9B16C5E",
    TokenKind.EMAID: "DEPLGCD2A9B16C",
}


def inside(value: Any) -> Iterator[dict[str, Any]]:
    """Walk through all objects of a payload."""
    if isinstance(value, list):
        for each in value:
            yield from inside(each)
    elif isinstance(value, dict):
        yield value
        for each in value.values():
            yield from inside(each)


def objects(version: Version) -> list[tuple[str, str, dict[str, Any]]]:
    return [
        (action, form.id, each)
        for action in read_actions(version)
        for form in legal_payloads(version, action)
        for each in inside(form.payload)
    ]


@pytest.mark.parametrize("version", V2X)
def test_token_of_each_kind_has_the_form_of_its_kind_no_false_alarm(version: Version) -> None:
    tokens = [each for _, _, each in objects(version) if {"idToken", "type"} <= each.keys()]
    assert tokens
    for token in tokens:
        assert FORMS.get(token["type"], token["idToken"]) == token["idToken"]


@pytest.mark.parametrize("version", V2X)
def test_token_that_is_longer_than_the_number_of_a_card_is_called_none_no_false_alarm(version: Version) -> None:
    longest = {Version.V201: 36, Version.V21: 255}[version]
    long = [each for _, _, each in objects(version) if len(str(each.get("idToken", ""))) == longest]
    assert {each["type"] for each in long if isinstance(each["idToken"], str)} == {"KeyCode"}


@pytest.mark.parametrize("version", V2X)
def test_id_of_a_monitor_is_that_of_one_monitor_no_false_alarm(version: Version) -> None:
    reports = [form.payload for form in legal_payloads(version, "NotifyMonitoringReport")]
    ids = [m["id"] for report in reports for each in inside(report) for m in each.get("variableMonitoring", [])]
    assert len(ids) > 10
    assert len(ids) == len(set(ids))


def verdict(recording: Recording, action: str, version: Version) -> Verdict:
    case = next(case for case in all_cases() if case.id == f"PAY_{action}_more" and case.ocpp is version)
    return list(case.checks[0].judge(recording.history()))[-1].verdict


def signed_reading(code: str) -> Recording:
    talk = Talk(Version.V201)
    signed = next(f for f in legal_payloads(Version.V201, "MeterValues") if f.id.endswith("/signedMeterValue"))
    talk.recording.note(field="")
    talk.station("MeterValues", plain_payload(Version.V201, "MeterValues"), {})
    talk.recording.note(field=signed.id)
    return talk.station("MeterValues", signed.payload, code).recording


def test_who_checks_signatures_need_not_take_one_that_is_made_up_no_false_alarm() -> None:
    assert verdict(signed_reading("SecurityError"), "MeterValues", Version.V201) is Verdict.NON_STRICT
    assert verdict(signed_reading("FormatViolation"), "MeterValues", Version.V201) is Verdict.FAILED


@pytest.mark.parametrize(
    ("action", "code", "expected"),
    [
        ("NotifyEvent", "NotImplemented", Verdict.NOT_APPLICABLE),
        ("NotifyEvent", "InternalError", Verdict.FAILED),
        ("MeterValues", "NotImplemented", Verdict.FAILED),
    ],
)
def test_message_that_a_csms_lacks_is_told_once(action: str, code: str, expected: Verdict) -> None:
    talk = Talk(Version.V201)
    talk.recording.note(field="")
    recording = talk.station(action, plain_payload(Version.V201, action), code).recording
    assert verdict(recording, action, Version.V201) is expected


@pytest.mark.parametrize("version", V2X)
def test_message_that_is_told_elsewhere_has_a_case_there(version: Version) -> None:
    known = {case.id for case in all_cases() if case.ocpp is version}
    assert REQUIRED_ACTIONS[version] > MESSAGE_CASES
    assert {f"MSG_{action}" for action in MESSAGE_CASES} <= known


class Counting:
    """A station whose CSMS takes one message in a second."""

    def __init__(self) -> None:
        self.notes: list[str] = []
        self.rested = False

    def note(self, *, field: str) -> None:
        self.notes.append(field)

    def listen(self, seconds: float) -> None:
        self.rested = seconds > 1

    def call(self, _action: str, payload: dict[str, Any]) -> Any:
        refused = Answer("error", {}, "GenericError", "Rate limit exceeded")
        return Answer("result", payload) if self.rested else refused


def test_csms_that_counts_messages_is_given_a_pause_no_false_alarm() -> None:
    station: Any = Counting()
    assert call_named(station, "Heartbeat", {}, field="f").ok
    assert station.notes == ["f", "f"]


def test_refusal_that_was_only_for_the_pace_is_not_judged_no_false_alarm() -> None:
    plain = plain_payload(Version.V201, "MeterValues")
    talk = Talk(Version.V201)
    talk.recording.note(field="")
    talk.station("MeterValues", plain, {})
    talk.recording.note(field="/x")
    talk.station("MeterValues", plain, "GenericError")
    talk.recording.note(field="/x")
    recording = talk.station("MeterValues", plain, {}).recording
    case = next(c for c in all_cases() if c.id == "PAY_MeterValues_more" and c.ocpp is Version.V201)
    assert [finding.verdict for finding in case.checks[0].judge(recording.history())] == [Verdict.OK, Verdict.OK]
