"""Cases of DER control and battery swapping on conversations that no practice CSMS has."""

from __future__ import annotations

from typing import Any

import pytest

from interop_suite.cases.v2x.grid_services import ABSORB, FIXED_VAR
from tests.interop_suite.talk import NOW, Talk

Payload = dict[str, Any]
SET = {"isDefault": False, "controlId": ABSORB, "controlType": "FixedVar", "fixedVar": FIXED_VAR}
HELD = {"id": ABSORB, "isDefault": False, "isSuperseded": False, "fixedVar": FIXED_VAR}
REPORT = {"requestId": 55, "fixedVar": [HELD]}


def controls(*, sent: Payload, cleared: Payload) -> Talk:
    talk = Talk().ordered("SetDERControl", SET, sent)
    talk.station("NotifyDERStartStop", {"controlId": ABSORB, "started": True, "timestamp": NOW}, {})
    talk.ordered("GetDERControl", {"requestId": 8101, "controlId": ABSORB}, {"requestId": 55, "controlId": ABSORB})
    talk.station("ReportDERControl", REPORT, {})
    talk.ordered("ClearDERControl", {"isDefault": False, "controlId": ABSORB}, cleared)
    return talk.heartbeat()


CLEARED = {"isDefault": False, "controlId": ABSORB}


@pytest.mark.parametrize("start", ["2031-03-02T13:00:00+02:00", "2031-03-02T11:00:00.000Z"])
def test_start_of_a_control_written_otherwise_no_false_alarm(start: str) -> None:
    sent = {**SET, "fixedVar": {**FIXED_VAR, "startTime": start}}
    assert controls(sent=sent, cleared=CLEARED).verdict("TC_R_107_CSMS") == "OK"


def test_control_that_is_named_and_of_its_kind_besides_when_it_is_cleared_no_false_alarm() -> None:
    assert controls(sent=SET, cleared={**CLEARED, "controlType": "FixedVar"}).verdict("TC_R_107_CSMS") == "OK"


def test_control_of_another_start_is_failed() -> None:
    sent = {**SET, "fixedVar": {**FIXED_VAR, "startTime": "2031-03-02T13:00:00Z"}}
    assert controls(sent=sent, cleared=CLEARED).verdict("TC_R_107_CSMS") == "FAILED"


@pytest.mark.parametrize("code", ["NotImplemented", "NotSupported"])
def test_csms_without_alarms_of_der_controls_no_false_alarm(code: str) -> None:
    talk = Talk().station("NotifyDERAlarm", {"controlType": "FreqDroop", "timestamp": NOW}, code)
    assert talk.verdict("TC_R_108_CSMS") == "NOT_APPLICABLE"


TOKEN = {"idToken": "04AABBCC", "type": "ISO14443"}
BATTERY = {"evseId": 1, "serialNumber": "B1", "soC": 20.5, "soH": 97.0}


def swap(sent_token: Payload, *, answer: Payload | str) -> Talk:
    talk = Talk().ordered(
        "RequestBatterySwap", {"requestId": 9103, "idToken": TOKEN}, {"requestId": 31, "idToken": sent_token}
    )
    event = {"eventType": "BatteryIn", "requestId": 31, "idToken": TOKEN, "batteryData": [BATTERY]}
    return talk.station("BatterySwap", event, answer).session("tx-one", 1)


def test_request_number_and_letter_case_of_the_csms_no_false_alarm() -> None:
    assert swap({**TOKEN, "idToken": "04aabbcc"}, answer={}).verdict("TC_S_103_CSMS") == "OK"


def test_battery_swap_of_another_token_is_failed() -> None:
    assert swap({**TOKEN, "idToken": "04AABBCD"}, answer={}).verdict("TC_S_103_CSMS") == "FAILED"


def test_csms_that_orders_a_battery_swap_and_does_not_know_its_events_is_failed() -> None:
    assert swap(TOKEN, answer="NotImplemented").verdict("TC_S_103_CSMS") == "FAILED"


def test_csms_without_battery_swaps_no_false_alarm() -> None:
    event = {"eventType": "BatteryIn", "requestId": 31, "idToken": TOKEN, "batteryData": [BATTERY]}
    talk = Talk().station("BatterySwap", event, "NotImplemented")
    assert talk.verdict("TC_S_103_CSMS") != "FAILED"


def test_swap_that_the_station_rejects_no_false_alarm() -> None:
    talk = Talk().ordered(
        "RequestBatterySwap",
        {"requestId": 9102, "idToken": TOKEN},
        {"requestId": 32, "idToken": TOKEN},
        answer={"status": "Rejected"},
    )
    assert talk.heartbeat().verdict("TC_S_102_CSMS") == "OK"
