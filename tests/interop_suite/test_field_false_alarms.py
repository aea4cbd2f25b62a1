"""What CSMSs by other makers did by right, and what is still told of those who do not."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from evidence.verdicts import Verdict
from interop_suite.catalogue import Case, all_cases
from interop_suite.claims.features import is_unsupported
from interop_suite.claims.general import general_findings
from interop_suite.main import run_interop
from interop_suite.run.judge import judge
from interop_suite.run.request import InteropRequest
from ocppj.trace import Kind
from ocppj.versions import Version
from tests.interop_suite.mortal_csms import mortal_csms
from tests.interop_suite.recording import STATION, Recording, begun

BOOT = '{"status":"Accepted","currentTime":"2026-01-01T00:00:00Z","interval":60}'


def case(name: str, version: Version = Version.V16) -> Case:
    return next(case for case in all_cases() if case.id == name and case.ocpp is version)


# -- credentials -------------------------------------------------------------------------------------------------------


def malformed(name: str, **handshake: Any) -> list[str]:
    recording = Recording().script().note(malformed=name).opened(**handshake)
    result = judge(case("AU_05"), recording.history())
    return [finding["verdict"] for finding in result.findings if "proves nothing" in finding["claim"]]


@pytest.mark.parametrize("name", ["two headers", "no base64"])
def test_malformed_credentials_that_end_in_a_server_error_no_false_alarm(name: str) -> None:
    assert malformed(name, status=401, subprotocol=None) == ["OK"]
    assert malformed(name, status=500, subprotocol=None) == ["NON_STRICT"]
    assert malformed(name) == ["FAILED"]


@pytest.mark.parametrize(("status", "verdict"), [(404, "OK"), (401, "OK"), (400, "OK"), (500, "NON_STRICT")])
@pytest.mark.parametrize("version", list(Version))
def test_unknown_identity_that_ends_in_a_server_error_no_false_alarm(
    version: Version, status: int, verdict: str
) -> None:
    recording = begun(version)
    recording.add(Kind.NOTE, station="CP9", info={"role": "stranger"})
    recording.add(Kind.HANDSHAKE, station="CP9", info={"status": status, "subprotocol": None})
    result = judge(case("HS_07", version), recording.history())
    claim = "An identity that the CSMS does not know is refused without a failure of the server"
    assert [f["verdict"] for f in result.findings if f["claim"] == claim] == [verdict]


# -- a CSMS that leaves while the suite asks it something -------------------------------------------------------------


def test_csms_that_dies_during_an_inquiry_is_no_fault_of_the_case_before_no_false_alarm(tmp_path: Path) -> None:
    with mortal_csms("dies", "Authorize") as url:
        request = InteropRequest(
            url=url, ocpp=("1.6",), select="TC_001,TC_003,PAY_03", out=str(tmp_path / "run"), timeout=1
        )
        finished = run_interop(request, jobs=1, write=lambda _: None)
    cases = {each.id: each for each in finished.run.cases}
    assert cases["TC_001_CSMS"].verdict is Verdict.OK
    assert Verdict.FAILED not in {each.verdict for each in finished.run.cases}
    assert "it left while the suite found out whether it meets token:Accepted" in finished.run.stopped_early


# -- what a CSMS may leave out -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("version", [Version.V201, Version.V21])
@pytest.mark.parametrize(("action", "optional"), [("NotifyEvent", False), ("ReservationStatusUpdate", True)])
def test_only_what_certification_leaves_out_may_be_not_implemented(
    version: Version, action: str, *, optional: bool
) -> None:
    recording = begun(version).sent(f'[2,"1","{action}",{{}}]').got('[4,"1","NotImplemented","",{}]')
    (call,) = recording.history().calls(action)
    assert is_unsupported(call, version) is optional


@pytest.mark.parametrize("version", list(Version))
@pytest.mark.parametrize("name", ["HB_01", "ST_05"])
def test_time_in_small_letters_no_false_alarm(name: str, version: Version) -> None:
    recording = begun(version).sent('[2,"0","BootNotification",{}]')
    recording.got('[3,"0",{"status":"Accepted","interval":60,"currentTime":"2026-01-01t00:00:00.123456789z"}]')
    for second in (1, 3):
        recording.wait(1 if second == 1 else 2).sent(f'[2,"{second}","Heartbeat",{{}}]')
        recording.got(f'[3,"{second}",{{"currentTime":"2026-01-01t00:00:0{second}.123456789z"}}]')
    findings = judge(case(name, version), recording.history()).findings
    assert not [finding for finding in findings if finding["verdict"] in ("FAILED", "INCONCLUSIVE")]


@pytest.mark.parametrize(("version", "verdict"), [(Version.V16, "NON_STRICT"), (Version.V201, "FAILED")])
def test_time_without_a_zone_is_a_habit_in_1_6_only(version: Version, verdict: str) -> None:
    recording = begun(version).sent('[2,"1","Heartbeat",{}]').got('[3,"1",{"currentTime":"2026-01-01T00:00:00"}]')
    result = judge(case("HB_01", version), recording.history())
    schema = [finding for finding in result.findings if "matches the OCA schema" in finding["claim"]]
    assert [finding["verdict"] for finding in schema] == [verdict]


# -- commands that nobody ordered --------------------------------------------------------------------------------------


def told(recording: Recording) -> list[tuple[str, str]]:
    return [(str(finding.verdict), finding.actual) for finding in general_findings(recording.history())]


def booted(recording: Recording, status: str = "Accepted") -> Recording:
    return recording.sent('[2,"b","BootNotification",{}]').got('[3,"b",' + BOOT.replace("Accepted", status) + "]")


def commanded(recording: Recording, action: str, payload: dict[str, Any] | None = None) -> Recording:
    return recording.got(json.dumps([2, "c", action, payload or {}]))


def test_command_before_the_first_boot_of_a_new_station_is_a_habit() -> None:
    (verdict, actual), *rest = told(commanded(begun().note(new=True), "GetConfiguration"))
    assert (verdict, rest) == ("NON_STRICT", [])
    assert "before the first boot" in actual


def test_command_to_a_station_that_only_reconnected_no_false_alarm() -> None:
    assert told(commanded(begun(), "GetConfiguration")) == []
    assert told(commanded(booted(begun().note(new=True)).opened_again(), "GetConfiguration")) == []


@pytest.mark.parametrize(("version", "verdict"), [(Version.V16, "NON_STRICT"), (Version.V201, "FAILED")])
def test_command_to_a_rejected_station_is_told(version: Version, verdict: str) -> None:
    recording = commanded(booted(begun(version), "Rejected"), "ClearCache")
    assert told(recording) == [(verdict, "it sent ClearCache")]


def test_pending_station_may_be_asked_for_anything_but_sessions_no_false_alarm() -> None:
    assert told(commanded(booted(begun(), "Pending"), "ChangeConfiguration")) == []
    assert told(commanded(booted(begun(), "Pending"), "TriggerMessage", {"requestedMessage": "BootNotification"})) == []
    (verdict, _actual), *_ = told(commanded(booted(begun(), "Pending"), "RemoteStartTransaction", {"idTag": "A"}))
    assert verdict == "FAILED"


def test_accepted_station_is_not_asked_to_boot_again_unless_the_operator_wants_it() -> None:
    payload = {"requestedMessage": "BootNotification"}
    assert [verdict for verdict, _ in told(commanded(booted(begun()), "TriggerMessage", payload))] == ["FAILED"]
    ordered = booted(begun()).driver(operation="trigger", action="TriggerMessage", payload=payload)
    assert told(commanded(ordered, "TriggerMessage", payload)) == []
    assert told(commanded(booted(begun(Version.V201)), "TriggerMessage", payload)) == []


def profile(**fields: Any) -> dict[str, Any]:
    period = {"startPeriod": 0, "limit": 16}
    schedule = {"chargingRateUnit": "A", "chargingSchedulePeriod": [period]}
    whole = {"chargingProfileKind": "Relative", "chargingProfilePurpose": "TxDefaultProfile", "stackLevel": 0}
    return {**whole, "chargingProfileId": 1, "chargingSchedule": schedule, **fields}


@pytest.mark.parametrize(
    ("connector", "fields", "problem"),
    [
        (1, {}, None),
        (1, {"chargingProfilePurpose": "TxProfile", "transactionId": 7}, None),
        (0, {"chargingProfilePurpose": "ChargePointMaxProfile"}, None),
        (1, {"chargingProfileKind": "Recurring", "recurrencyKind": "Daily"}, None),
        (1, {"recurrencyKind": "Daily"}, "recurrencyKind 'Daily' in one that is Relative"),
        (2, {"chargingProfilePurpose": "ChargePointMaxProfile"}, "ChargePointMaxProfile for 2 instead of 0"),
        (1, {"chargingProfilePurpose": "TxProfile"}, "TxProfile without transactionId"),
        (0, {"chargingProfilePurpose": "TxProfile", "transactionId": 7}, "TxProfile for 0, where no transaction runs"),
    ],
)
def test_charging_profile_of_the_csms_keeps_the_rules_of_its_purpose(
    connector: int, fields: dict[str, Any], problem: str | None
) -> None:
    payload = {"connectorId": connector, "csChargingProfiles": profile(**fields)}
    found = told(commanded(booted(begun()), "SetChargingProfile", payload))
    assert found == ([] if problem is None else [("FAILED", f"SetChargingProfile: {problem}")])
    ordered = booted(begun()).driver(operation="trigger", action="SetChargingProfile", payload=payload, station=STATION)
    assert told(commanded(ordered, "SetChargingProfile", payload)) == []


def test_profile_of_a_remote_start_gets_no_transaction_that_nobody_ordered() -> None:
    named = {"idTag": "A", "chargingProfile": profile(chargingProfilePurpose="TxProfile")}
    sent = {"idTag": "A", "chargingProfile": profile(chargingProfilePurpose="TxProfile", transactionId=7)}
    ordered = booted(begun()).driver(operation="trigger", action="RemoteStartTransaction", payload=named)
    assert ("FAILED", "RemoteStartTransaction: transactionId of a session that has not begun") in told(
        commanded(ordered, "RemoteStartTransaction", sent)
    )


# -- what the operator is told ---------------------------------------------------------------------------------------


def online_verdicts(*looks: tuple[bool, bool]) -> list[Verdict]:
    recording = begun()
    for says, is_connected in looks:
        recording.driver(operation="online", says=says, **{"is": is_connected})
    check = next(check for check in case("FLD_40").checks if check.claim.startswith("The operator"))
    return [finding.verdict for finding in check.judge(recording.history())]


def test_csms_that_does_not_notice_a_lost_connection_breaks_no_rule_no_false_alarm() -> None:
    assert online_verdicts((True, True), (False, False), (True, True)) == [Verdict.OK] * 3
    assert online_verdicts((True, False)) == [Verdict.NON_STRICT]
    assert online_verdicts((False, True)) == [Verdict.NON_STRICT]
