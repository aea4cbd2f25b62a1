from __future__ import annotations

from typing import Any

import pytest

from interop_suite.claims.selectors import unnamed
from ocppj.versions import Version
from tests.interop_suite.talk import Talk

POWER = {"component": {"name": "EVSE"}, "variable": {"name": "Power"}}
VOLTAGE = {"component": {"name": "Connector", "evse": {"id": 2}}, "variable": {"name": "ACVoltage"}}
OF_EVSE_1 = {**POWER, "component": {"name": "EVSE", "evse": {"id": 1}}}


@pytest.mark.parametrize(
    ("action", "named", "sent", "found"),
    [
        ("GetChargingProfiles", {"chargingProfile": {}}, {"chargingProfile": {}, "evseId": 0}, "evseId is 0"),
        (
            "ClearChargingProfile",
            {"chargingProfileId": 24},
            {"chargingProfileId": 24, "chargingProfileCriteria": {"stackLevel": 0}},
            "chargingProfileCriteria is {'stackLevel': 0}",
        ),
        ("GetTransactionStatus", {}, {"transactionId": "a"}, "transactionId is 'a'"),
        ("ClearVariableMonitoring", {"id": [3, 5]}, {"id": [5, 3, 7]}, "id is 7"),
        (
            "GetVariables",
            {"getVariableData": [VOLTAGE, POWER]},
            {"getVariableData": [OF_EVSE_1, VOLTAGE]},
            "getVariableData.component.evse is {'id': 1}",
        ),
        (
            "SetVariableMonitoring",
            {"setMonitoringData": [{"value": 1}]},
            {"setMonitoringData": [{"value": 1, "transaction": True}]},
            "setMonitoringData.transaction is True",
        ),
    ],
)
def test_what_nobody_named_makes_another_order(
    action: str, named: dict[str, Any], sent: dict[str, Any], found: str
) -> None:
    assert unnamed(action, named, sent) == [f"{found}, which nobody named"]


@pytest.mark.parametrize(
    ("action", "named", "sent"),
    [
        ("ReserveNow", {"id": 1}, {"id": 7, "groupIdToken": {"idToken": "G"}}),
        ("GetLog", {"logType": "SecurityLog"}, {"logType": "SecurityLog", "retries": 3}),
        ("SetVariableMonitoring", {"setMonitoringData": [{}]}, {"setMonitoringData": [{"transaction": False}]}),
        ("GetVariables", {"getVariableData": [POWER]}, {"getVariableData": [POWER, VOLTAGE]}),
        ("ClearVariableMonitoring", {"id": [3, 5]}, {"id": [5, 3]}),
        ("ClearVariableMonitoring", {"id": [3, 5]}, {"id": [3]}),
        ("SetVariables", {"setVariableData": [POWER, VOLTAGE]}, {"setVariableData": [VOLTAGE, POWER]}),
        ("GetInstalledCertificateIds", {}, {"certificateType": ["CSMSRootCertificate"]}),
        ("GetDisplayMessages", {"id": [3]}, "no object"),
        ("GetConfiguration", {}, {"key": []}),
        ("DataTransfer", {"vendorId": "v"}, {"vendorId": "v", "messageId": "m"}),
    ],
)
def test_what_a_csms_may_fill_in_no_false_alarm(action: str, named: dict[str, Any], sent: Any) -> None:
    assert unnamed(action, named, sent) == []


@pytest.mark.parametrize(("handed_over", "verdict"), [(None, "FAILED"), (["getVariableData"], "NON_STRICT")])
def test_what_nobody_named_is_held_against_the_csms_unless_its_driver_may_have_filled_it_in(
    handed_over: list[str] | None, verdict: str
) -> None:
    interval = {"component": {"name": "OCPPCommCtrlr"}, "variable": {"name": "HeartbeatInterval"}}
    sent = {**interval, "component": {"name": "OCPPCommCtrlr", "evse": {"id": 1}}}
    talk = Talk(Version.V201)
    talk.ordered(
        "GetVariables",
        {"getVariableData": [interval]},
        {"getVariableData": [sent]},
        handed_over=handed_over,
        answer={"getVariableResult": [{**sent, "attributeStatus": "Accepted", "attributeValue": "300"}]},
    )
    assert talk.heartbeat().verdict("TC_B_06_CSMS") == verdict
