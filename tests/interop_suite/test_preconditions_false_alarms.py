"""What a case may conclude when that on which it rests did not come about: nothing, and neither OK nor FAILED."""

from __future__ import annotations

import json
from typing import Any

import pytest

from evidence.verdicts import Verdict
from interop_suite.catalogue import Case, all_cases
from interop_suite.claims.history import BYSTANDER
from interop_suite.run.judge import judge
from ocppj.trace import Kind
from ocppj.versions import Version
from tests.interop_suite.recording import Recording, begun

HEARTBEAT_ANSWER = '{"currentTime":"2026-01-01T00:00:00Z"}'
OTHER = "CP2"


def case(name: str, version: Version = Version.V16) -> Case:
    return next(case for case in all_cases() if case.id == name and case.ocpp is version)


def verdict(name: str, recording: Recording) -> Verdict:
    return judge(case(name, recording.version), recording.history()).verdict


def start(recording: Recording, number: int, status: str, transaction: int, *, station: str = "CP1") -> Recording:
    payload = {"connectorId": number, "idTag": f"T{number}", "meterStart": 0, "timestamp": "2026-01-01T00:00:00Z"}
    call_id = f"s{number}{station}"
    recording.add(Kind.SENT, json.dumps([2, call_id, "StartTransaction", payload]), station=station)
    answer = {"transactionId": transaction, "idTagInfo": {"status": status}}
    return recording.add(Kind.RECEIVED, json.dumps([3, call_id, answer]), station=station)


def stop(recording: Recording, transaction: int, meter: int) -> Recording:
    payload = {"transactionId": transaction, "meterStop": meter, "timestamp": "2026-01-01T00:01:00Z"}
    recording.sent(json.dumps([2, f"e{transaction}", "StopTransaction", payload]))
    return recording.got(f'[3,"e{transaction}",{{}}]')


def row(transaction: int, meter_stop: int) -> dict[str, Any]:
    return {"transactionId": transaction, "state": "closed", "meterStart": 0, "meterStop": meter_stop}


@pytest.mark.parametrize("status", ["ConcurrentTx", "Invalid", "Blocked"])
def test_second_session_that_is_refused_proves_no_id_of_its_own_no_false_alarm(status: str) -> None:
    recording = start(start(begun(), 1, "Accepted", 1), 2, status, 0)
    assert verdict("ST_09_1", recording) is Verdict.INCONCLUSIVE


def test_two_sessions_that_began_with_one_id_are_failed_and_with_two_are_ok() -> None:
    assert verdict("ST_09_1", start(start(begun(), 1, "Accepted", 7), 2, "Accepted", 7)) is Verdict.FAILED
    assert verdict("ST_09_1", start(start(begun(), 1, "Accepted", 7), 2, "Accepted", 8)) is Verdict.OK


def test_energy_of_one_session_says_nothing_about_two_no_false_alarm() -> None:
    recording = start(start(begun(), 1, "Accepted", 1), 2, "ConcurrentTx", 0)
    stop(recording, 1, 1500).driver(operation="recorded", transactions=[row(1, 1500)])
    assert verdict("ST_22", recording) is Verdict.INCONCLUSIVE


@pytest.mark.parametrize("name", ["ST_06", "ST_07_3", "ST_12"])
def test_end_of_a_session_that_never_began_is_no_proof_no_false_alarm(name: str) -> None:
    recording = stop(stop(start(begun(), 1, "Invalid", 0), 0, 900), 0, 900)
    assert verdict(name, recording) is Verdict.INCONCLUSIVE


@pytest.mark.parametrize("name", ["ST_06", "ST_07_3", "ST_12"])
def test_session_for_want_of_a_token_is_not_applicable_no_false_alarm(name: str) -> None:
    recording = stop(stop(start(begun().note(token_made_up=True), 1, "Invalid", 0), 0, 900), 0, 900)
    assert verdict(name, recording) is Verdict.NOT_APPLICABLE


def test_foreign_end_of_a_session_that_never_began_is_no_proof_no_false_alarm() -> None:
    recording = begun()
    recording.add(Kind.NOTE, info={"role": BYSTANDER}, station=OTHER)
    start(recording, 1, "ConcurrentTx", 0, station=OTHER)
    recording.add(Kind.SENT, '[2,"h","Heartbeat",{}]', station=OTHER)
    recording.add(Kind.RECEIVED, f'[3,"h",{HEARTBEAT_ANSWER}]', station=OTHER)
    assert verdict("ST_11", recording) is Verdict.INCONCLUSIVE


# -- what was not judged, and is plain to see --------------------------------------------------------------------------

UPDATE = '[2,"u","UpdateFirmware",{"location":"https://f.example/x","retrieveDate":"2026-01-01T00:00:00Z"}]'


def test_csms_that_orders_an_update_and_does_not_know_its_status_is_failed() -> None:
    recording = begun().got(UPDATE).sent('[3,"u",{}]')
    recording.sent('[2,"f","FirmwareStatusNotification",{"status":"Downloading"}]').got('[4,"f","NotSupported","",{}]')
    assert verdict("TC_044_2_CSMS", recording) is Verdict.FAILED


def test_csms_without_firmware_management_need_not_know_the_status_no_false_alarm() -> None:
    recording = begun().sent('[2,"f","FirmwareStatusNotification",{"status":"Downloading"}]')
    recording.got('[4,"f","NotSupported","",{}]')
    assert verdict("TC_044_2_CSMS", recording) is Verdict.NOT_APPLICABLE


def second_connection(answer: str | None) -> Recording:
    recording = begun().driver(operation="trigger", action="ClearCache", payload={})
    recording.got('[2,"c","ClearCache",{}]').sent('[3,"c",{"status":"Accepted"}]')
    twin = "CP1#second"
    recording.add(Kind.NOTE, info={"role": "second"}, station=twin)
    recording.add(Kind.SENT, '[2,"h","Heartbeat",{}]', station=twin)
    if answer is not None:
        recording.add(Kind.RECEIVED, answer, station=twin)
    return recording


def test_second_connection_that_is_never_served_is_failed() -> None:
    assert verdict("ID_13", second_connection(None)) is Verdict.FAILED


def test_two_versions_that_are_refused_together_show_no_choice_no_false_alarm() -> None:
    recording = begun()
    for _ in range(2):
        recording.connection += 1
        recording.opened(status=400, subprotocol=None, offered=["ocpp1.6", "ocpp2.0.1"])
    recording.opened_again().sent('[2,"h","Heartbeat",{}]').got(f'[3,"h",{HEARTBEAT_ANSWER}]')
    assert verdict("HS_05", recording) is Verdict.INCONCLUSIVE


def composite(control: str, tenths: str) -> Recording:
    recording = begun()
    for number, status in enumerate((control, tenths)):
        recording.driver(operation="trigger", action="GetCompositeSchedule", payload={})
        recording.got(f'[2,"{number}","GetCompositeSchedule",{{"connectorId":1,"duration":600}}]')
        recording.sent(f'[3,"{number}",{{"status":"Rejected"}}]')
        recording.driver(operation="outcome", action="GetCompositeSchedule", result={"status": status})
    return recording.sent('[2,"h","Heartbeat",{}]').got(f'[3,"h",{HEARTBEAT_ANSWER}]')


def test_api_that_tells_of_no_schedule_at_all_has_nothing_against_decimals_no_false_alarm() -> None:
    assert verdict("PAY_07", composite("error", "error")) is Verdict.INCONCLUSIVE
    assert verdict("PAY_07", composite("answered", "answered")) is Verdict.OK


def test_api_that_stumbles_over_decimals_only_is_failed() -> None:
    assert verdict("PAY_07", composite("answered", "error")) is Verdict.FAILED


def unnamed(subprotocol: str | None) -> Recording:
    recording = Recording().script().opened(subprotocol=subprotocol)
    recording.sent('[2,"h","Heartbeat",{}]').got(f'[3,"h",{HEARTBEAT_ANSWER}]').opened_again()
    boot = {"status": "Accepted", "interval": 60, "currentTime": "2026-01-01T00:00:00Z"}
    recording.sent('[2,"b","BootNotification",{"chargePointVendor":"E","chargePointModel":"W"}]')
    return recording.got(json.dumps([3, "b", boot]))


def test_csms_that_serves_a_client_without_a_subprotocol_breaks_no_rule_of_the_offer_no_false_alarm() -> None:
    assert verdict("HS_04", unnamed(None)) is Verdict.NON_STRICT


def test_csms_that_names_a_version_that_was_not_offered_is_failed() -> None:
    assert verdict("HS_04", unnamed("ocpp1.6")) is Verdict.FAILED
