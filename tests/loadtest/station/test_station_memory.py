"""What a station remembers of what a CSMS told it, and shows again."""

from __future__ import annotations

from typing import Any

import pytest

from fixtures.corpus import minimal
from loadtest.station.state.local_list import LocalList
from loadtest.station.state.store import need
from loadtest.workload.profile import Profile, Sessions
from ocppj.versions import Version
from tests.loadtest.fleet_harness import SILENT, FleetHarness

every_version = pytest.mark.parametrize("version", list(Version))
every_2x = pytest.mark.parametrize("version", [Version.V201, Version.V21])
DUAL = Profile(title="dual", models={"ac-dual": 1.0}, meter=10.0, reboot=5.0)
CARS = Profile(
    title="cars", models={"ac-single": 1.0}, meter=10.0, sessions=Sessions(duration=30.0, gap=30.0, unplug=1.0)
)


def status(harness: FleetHarness, action: str, request: dict[str, Any]) -> str:
    return str(harness.command(action, request)[2]["status"])


def start(harness: FleetHarness) -> Any:
    if harness.version is Version.V16:
        harness.command("RemoteStartTransaction", {"idTag": "TAG", "connectorId": 1})
        return 4711
    token = {"idToken": "TAG", "type": "Central"}
    harness.command("RequestStartTransaction", {"remoteStartId": 7, "idToken": token, "evseId": 1})
    return harness.sent("TransactionEvent")[0].payload["transactionInfo"]["transactionId"]


# -- local list --------------------------------------------------------------------------------------------------------


def entry(version: Version, token: str, status: str | None = "Accepted") -> dict[str, Any]:
    info = None if status is None else {"status": status}
    if version is Version.V16:
        return {"idTag": token} | ({} if info is None else {"idTagInfo": info})
    named: dict[str, Any] = {"idToken": {"idToken": token, "type": "ISO14443"}}
    return named | ({} if info is None else {"idTokenInfo": info})


def send_list(harness: FleetHarness, number: int, kind: str, *entries: dict[str, Any]) -> str:
    field = "listVersion" if harness.version is Version.V16 else "versionNumber"
    more = {"localAuthorizationList": list(entries)} if entries else {}
    return status(harness, "SendLocalList", {field: number, "updateType": kind} | more)


def list_version(harness: FleetHarness) -> int:
    (number,) = harness.command("GetLocalListVersion", {})[2].values()
    return int(number)


@every_version
def test_the_list_follows_the_rules_for_versions(version: Version) -> None:
    harness = FleetHarness(version, DUAL).start()
    assert list_version(harness) == 0
    assert send_list(harness, 3, "Full", entry(version, "A"), entry(version, "B")) == "Accepted"
    assert list_version(harness) == 3
    assert send_list(harness, 3, "Differential", entry(version, "C")) == "VersionMismatch"
    assert send_list(harness, 4, "Differential", entry(version, "C"), entry(version, "a", None)) == "Accepted"
    kept = need(harness.station, LocalList)
    assert sorted(token for token, _ in kept.entries) == ["B", "C"]
    assert send_list(harness, 5, "Full", entry(version, "A"), entry(version, "a")) == "Failed"
    assert send_list(harness, 5, "Full", entry(version, "A", None)) == "Failed"
    assert send_list(harness, 0, "Full") == "Failed"
    assert send_list(harness, 5, "Full", *(entry(version, f"T{number}") for number in range(101))) == "Failed"
    assert list_version(harness) == 4
    assert send_list(harness, 1, "Full") == "Accepted"
    assert (list_version(harness), kept.entries) == (1, {})


@every_version
def test_offline_the_list_decides_and_with_pre_authorization_also_online(version: Version) -> None:
    harness = FleetHarness(version, CARS).start()
    token, action = harness.station.lease.token, "StartTransaction" if version is Version.V16 else "TransactionEvent"
    send_list(harness, 1, "Full", entry(version, token))
    set_flag(harness, "LocalPreAuthorize", "AuthCtrlr", "LocalPreAuthorize", "true")
    harness.run(70.0)
    assert "Authorize" not in harness.actions
    assert harness.sent(action)
    harness.answers["Authorize"] = {"idTagInfo": {"status": "Blocked"}, "idTokenInfo": {"status": "Blocked"}}
    send_list(harness, 2, "Full", entry(version, token, "Blocked"))
    harness.run(60.0)
    harness.lose(refuse_with="refused")
    harness.run(300.0)
    assert harness.station.messages_waiting == 0
    need(harness.station, LocalList).entries = {}
    harness.run(300.0)
    assert harness.station.messages_waiting > 0


def set_flag(harness: FleetHarness, key: str, component: str, variable: str, value: str) -> str:
    if harness.version is Version.V16:
        return status(harness, "ChangeConfiguration", {"key": key, "value": value})
    return set_variable(harness, component, variable, value)


def set_variable(harness: FleetHarness, component: str, variable: str, value: str) -> str:
    part = {"component": {"name": component}, "variable": {"name": variable}, "attributeValue": value}
    reply = harness.command("SetVariables", {"setVariableData": [part]})[2]
    return str(reply["setVariableResult"][0]["attributeStatus"])


def get_variable(harness: FleetHarness, component: str, variable: str, **evse: int) -> str | None:
    place = {"evse": evse} if evse else {}
    part = {"component": {"name": component} | place, "variable": {"name": variable}}
    result = harness.command("GetVariables", {"getVariableData": [part]})[2]["getVariableResult"][0]
    value: str | None = result.get("attributeValue")
    return value


def get_key(harness: FleetHarness, key: str) -> str:
    return str(harness.command("GetConfiguration", {"key": [key]})[2]["configurationKey"][0]["value"])


@every_version
def test_the_cache_can_be_cleared_only_where_there_is_one(version: Version) -> None:
    harness = FleetHarness(version, DUAL).start()
    assert status(harness, "ClearCache", {}) == "Accepted"
    set_flag(harness, "AuthorizationCacheEnabled", "AuthCacheCtrlr", "Enabled", "false")
    assert status(harness, "ClearCache", {}) == "Rejected"


@every_version
def test_a_remote_start_asks_about_the_token_where_the_csms_wants_that(version: Version) -> None:
    refused = {"idTagInfo": {"status": "Blocked"}, "idTokenInfo": {"status": "Blocked"}}
    harness = FleetHarness(version, DUAL, {"Authorize": refused}).start()
    set_flag(harness, "AuthorizeRemoteTxRequests", "AuthCtrlr", "AuthorizeRemoteStart", "true")
    if version is Version.V16:
        harness.command("RemoteStartTransaction", {"idTag": "TAG", "connectorId": 1})
    else:
        token = {"idToken": "TAG", "type": "ISO14443"}
        harness.command("RequestStartTransaction", {"remoteStartId": 7, "idToken": token, "evseId": 1})
    harness.run(5.0)
    assert "Authorize" in harness.actions
    assert not harness.sent("StartTransaction")
    assert not harness.sent("TransactionEvent")
    assert harness.statuses[-1] == "Available"


# -- settings ----------------------------------------------------------------------------------------------------------


def test_a_key_shows_what_was_set_and_one_for_the_next_boot_after_that() -> None:
    harness = FleetHarness(Version.V16, DUAL).start()
    assert status(harness, "ChangeConfiguration", {"key": "cponame", "value": "Grid & Co"}) == "Accepted"
    assert get_key(harness, "CpoName") == "Grid & Co"
    assert status(harness, "ChangeConfiguration", {"key": "SecurityProfile", "value": "1"}) == "RebootRequired"
    assert get_key(harness, "SecurityProfile") == "0"
    harness.command("Reset", {"type": "Hard"})
    harness.run(20.0)
    assert get_key(harness, "SecurityProfile") == "1"
    assert get_key(harness, "CpoName") == "Grid & Co"
    assert status(harness, "ChangeConfiguration", {"key": "NumberOfConnectors", "value": "9"}) == "Rejected"
    assert status(harness, "ChangeConfiguration", {"key": "NoSuchKey", "value": "9"}) == "NotSupported"
    # What the boot answer set is what counts, and what is shown.
    assert get_key(harness, "HeartbeatInterval") == "300"
    assert get_key(harness, "MeterValueSampleInterval") == "10"


@every_version
def test_the_meter_reports_what_the_csms_wants_to_hear(version: Version) -> None:
    harness = FleetHarness(version, DUAL).start()
    place = ("MeterValuesSampledData", "SampledDataCtrlr", "TxUpdatedMeasurands")
    assert set_flag(harness, *place, "Frequency") == "Rejected"
    assert set_flag(harness, *place, "") == "Rejected"
    assert set_flag(harness, *place, "Power.Active.Import,Voltage") == "Accepted"
    start(harness)
    harness.run(11.0)
    call = harness.sent("MeterValues" if version is Version.V16 else "TransactionEvent")[-1]
    measurands = {part["measurand"] for part in call.payload["meterValue"][0]["sampledValue"]}
    assert measurands == {"Power.Active.Import", "Voltage"}


@every_version
def test_a_new_password_is_used_from_the_next_connection_on(version: Version) -> None:
    harness = FleetHarness(version, DUAL, password="the-old-password-1").start()
    old = harness.sockets[0].request
    assert (
        set_flag(harness, "AuthorizationKey", "SecurityCtrlr", "BasicAuthPassword", "the-new-password-2") == "Accepted"
    )
    harness.run(20.0)
    new = harness.sockets[1].request
    assert old is not None
    assert new is not None
    assert new[2] != old[2]
    if version is not Version.V16:
        assert get_variable(harness, "SecurityCtrlr", "BasicAuthPassword") is None


@every_2x
def test_variables_show_what_was_set_and_what_is_so(version: Version) -> None:
    harness = FleetHarness(version, DUAL).start()
    assert set_variable(harness, "securityctrlr", "organizationname", "Grid & Co") == "Accepted"
    assert get_variable(harness, "SecurityCtrlr", "OrganizationName") == "Grid & Co"
    assert set_variable(harness, "TxCtrlr", "TxStartPoint", "Nonsense") == "Rejected"
    assert set_variable(harness, "OCPPCommCtrlr", "NetworkConfigurationPriority", "2,1") == "RebootRequired"
    assert get_variable(harness, "OCPPCommCtrlr", "NetworkConfigurationPriority") == "1"
    assert get_variable(harness, "Connector", "AvailabilityState", id=1, connectorId=1) == "Available"
    start(harness)
    assert get_variable(harness, "Connector", "AvailabilityState", id=1, connectorId=1) == "Occupied"
    assert get_variable(harness, "EVSE", "AvailabilityState", id=2) == "Available"


@every_2x
def test_a_network_profile_needs_a_slot_that_the_station_has(version: Version) -> None:
    harness = FleetHarness(version, DUAL).start()
    request = minimal(version, "SetNetworkProfile", "request")
    request["connectionData"]["ocppTransport"] = "JSON"
    assert status(harness, "SetNetworkProfile", request | {"configurationSlot": 2}) == "Accepted"
    assert status(harness, "SetNetworkProfile", request | {"configurationSlot": 7}) == "Rejected"


# -- reports -----------------------------------------------------------------------------------------------------------


def report(harness: FleetHarness, action: str, **request: Any) -> list[dict[str, Any]]:
    before = len(harness.sent("NotifyReport"))
    assert status(harness, action, {"requestId": 3} | request) == "Accepted"
    parts = [call.payload for call in harness.sent("NotifyReport")[before:]]
    assert [part["seqNo"] for part in parts] == list(range(len(parts)))
    assert [part.get("tbc", False) for part in parts] == [True] * (len(parts) - 1) + [False]
    assert {part["requestId"] for part in parts} == {3}
    return [item for part in parts for item in part["reportData"]]


@every_2x
def test_inventories_come_in_parts_and_with_present_values(version: Version) -> None:
    harness = FleetHarness(version, DUAL).start()
    set_variable(harness, "SecurityCtrlr", "OrganizationName", "Grid & Co")
    everything = report(harness, "GetBaseReport", reportBase="FullInventory")
    assert len(everything) > 60
    values = {
        (item["component"]["name"], item["variable"]["name"]): item["variableAttribute"][0].get("value")
        for item in everything
    }
    assert values["SecurityCtrlr", "OrganizationName"] == "Grid & Co"
    writable = report(harness, "GetBaseReport", reportBase="ConfigurationInventory")
    assert 0 < len(writable) < len(everything)
    assert {item["variableAttribute"][0]["mutability"] for item in writable} == {"ReadWrite", "WriteOnly"}
    summary = report(harness, "GetBaseReport", reportBase="SummaryInventory")
    assert "AvailabilityState" in {item["variable"]["name"] for item in summary}


@every_2x
def test_a_report_holds_what_was_asked_for(version: Version) -> None:
    harness = FleetHarness(version, DUAL).start()
    named = [{"component": {"name": "EVSE", "evse": {"id": 2}}, "variable": {"name": "Power"}}]
    (item,) = report(harness, "GetReport", componentVariable=named)
    assert item["component"]["evse"]["id"] == 2
    assert len(report(harness, "GetReport", componentVariable=[{"component": {"name": "txctrlr"}}])) == 5
    problem = {"requestId": 1, "componentCriteria": ["Problem"]}
    assert status(harness, "GetReport", problem) == "EmptyResultSet"
    disabled = report(harness, "GetReport", componentCriteria=["Enabled"])
    assert "AlignedDataCtrlr" not in {item["component"]["name"] for item in disabled}


@every_2x
def test_a_customer_is_told_about_when_exactly_one_is_named(version: Version) -> None:
    harness = FleetHarness(version, DUAL).start()
    send_list(harness, 1, "Full", entry(version, "04AA"))
    request = {"requestId": 9, "report": True, "clear": False}
    assert status(harness, "CustomerInformation", request) == "Invalid"
    token = {"idToken": {"idToken": "04aa", "type": "ISO14443"}}
    assert status(harness, "CustomerInformation", request | token | {"customerIdentifier": "x"}) == "Invalid"
    assert status(harness, "CustomerInformation", request | token | {"report": False}) == "Rejected"
    assert status(harness, "CustomerInformation", request | token) == "Accepted"
    assert "04aa" in harness.sent("NotifyCustomerInformation")[-1].payload["data"]


# -- monitors ----------------------------------------------------------------------------------------------------------


def monitor(kind: str, value: float, component: str = "EVSE", variable: str = "Power", **more: Any) -> dict[str, Any]:
    evse = {"evse": {"id": 1}} if component == "EVSE" else {}
    part = {"value": value, "type": kind, "severity": 5, "component": {"name": component} | evse}
    return part | {"variable": {"name": variable}} | more


@every_2x
def test_monitors_are_kept_shown_and_cleared(version: Version) -> None:
    harness = FleetHarness(version, DUAL).start()
    wanted = [
        monitor("UpperThreshold", 9000.0),
        monitor("UpperThreshold", 8000.0),
        monitor("Delta", 1.0, "ChargingStation", "Model"),
        monitor("UpperThreshold", 1.0, "ChargingStation", "Model"),
        monitor("Delta", 1.0, "Nothing"),
        monitor("Periodic", 0.0),
        monitor("Delta", 1.0, id=77),
    ]
    results = harness.command("SetVariableMonitoring", {"setMonitoringData": wanted})[2]["setMonitoringResult"]
    assert [result["status"] for result in results] == [
        "Accepted",
        "Duplicate",
        "Accepted",
        "UnsupportedMonitorType",
        "UnknownComponent",
        "Rejected",
        "Rejected",
    ]
    first, third = results[0]["id"], results[2]["id"]
    assert status(harness, "GetMonitoringReport", {"requestId": 1}) == "Accepted"
    shown = harness.sent("NotifyMonitoringReport")[0].payload["monitor"]
    assert [part["variableMonitoring"][0]["id"] for part in shown] == [first, third]
    thresholds = {"requestId": 2, "monitoringCriteria": ["PeriodicMonitoring"]}
    assert status(harness, "GetMonitoringReport", thresholds) == "EmptyResultSet"
    cleared = harness.command("ClearVariableMonitoring", {"id": [first, 99]})[2]["clearMonitoringResult"]
    assert [result["status"] for result in cleared] == ["Accepted", "NotFound"]
    harness.command("SetMonitoringBase", {"monitoringBase": "FactoryDefault"})
    assert status(harness, "GetMonitoringReport", {"requestId": 3}) == "EmptyResultSet"


@every_2x
def test_a_monitor_by_the_clock_reports_until_it_is_cleared_or_not_severe_enough(version: Version) -> None:
    harness = FleetHarness(version, DUAL).start()
    wanted = [monitor("Periodic", 10.0)]
    number = harness.command("SetVariableMonitoring", {"setMonitoringData": wanted})[2]["setMonitoringResult"][0]["id"]
    harness.run(35.0)
    events = [call.payload["eventData"][0] for call in harness.sent("NotifyEvent")]
    assert [(event["variableMonitoringId"], event["actualValue"]) for event in events] == [(number, "0")] * 3
    assert status(harness, "SetMonitoringLevel", {"severity": 4}) == "Accepted"
    harness.run(35.0)
    assert len(harness.sent("NotifyEvent")) == 3
    assert status(harness, "SetMonitoringLevel", {"severity": 10}) == "Rejected"
    harness.command("SetMonitoringLevel", {"severity": 9})
    harness.command("ClearVariableMonitoring", {"id": [number]})
    harness.run(35.0)
    assert len(harness.sent("NotifyEvent")) == 3


# -- display -----------------------------------------------------------------------------------------------------------


def message(number: int, priority: str = "NormalCycle", **more: Any) -> dict[str, Any]:
    content = {"format": more.pop("format", "UTF8"), "content": "Hello"}
    return {"message": {"id": number, "priority": priority, "message": content} | more}


@every_2x
def test_messages_are_shown_as_long_as_they_count(version: Version) -> None:
    harness = FleetHarness(version, DUAL).start()
    question: dict[str, Any] = {"requestId": 1}
    assert status(harness, "GetDisplayMessages", question) == "Unknown"
    transaction = start(harness)
    wanted = [
        message(1),
        message(2, "AlwaysFront"),
        message(3, "AlwaysFront"),
        message(4, transactionId=transaction),
        message(5, endDateTime=harness.context.timestamp(harness.now + 60.0)),
        message(6, format="HTML"),
        message(7, transactionId="nobody"),
    ]
    answers = [status(harness, "SetDisplayMessage", request) for request in wanted]
    assert answers == ["Accepted"] * 5 + ["NotSupportedMessageFormat", "UnknownTransaction"]
    assert status(harness, "GetDisplayMessages", question) == "Accepted"

    def shown() -> list[int]:
        return [info["id"] for info in harness.sent("NotifyDisplayMessages")[-1].payload["messageInfo"]]

    assert shown() == [1, 3, 4, 5]
    harness.command("RequestStopTransaction", {"transactionId": transaction})
    harness.run(70.0)
    harness.command("GetDisplayMessages", question)
    assert shown() == [1, 3]
    assert [status(harness, "ClearDisplayMessage", {"id": 1}) for _ in range(2)] == ["Accepted", "Unknown"]
    assert status(harness, "GetDisplayMessages", question | {"priority": "NormalCycle"}) == "Unknown"


# -- the rest ----------------------------------------------------------------------------------------------------------


@every_version
def test_a_vendors_own_messages_go_both_ways(version: Version) -> None:
    harness = FleetHarness(version, DUAL).start()
    vendor = harness.station.model.vendor
    echo = harness.command("DataTransfer", {"vendorId": vendor, "messageId": "echo", "data": "x"})[2]
    assert echo == {"status": "Accepted", "data": "x"}
    assert status(harness, "DataTransfer", {"vendorId": vendor, "messageId": "dance"}) == "UnknownMessageId"
    assert status(harness, "DataTransfer", {"vendorId": "who", "messageId": "echo"}) == "UnknownVendorId"
    assert status(harness, "DataTransfer", {"vendorId": vendor, "messageId": "call-back"}) == "Accepted"
    assert harness.sent("DataTransfer")[0].payload["vendorId"] == vendor


def tariff(number: str, currency: str = "EUR", price: float = 0.5) -> dict[str, Any]:
    return {"tariffId": number, "currency": currency, "energy": {"prices": [{"priceKwh": price}]}}


def test_tariffs_of_21_are_kept_by_evse() -> None:
    harness = FleetHarness(Version.V21, DUAL).start()
    assert status(harness, "GetTariffs", {"evseId": 0}) == "NoTariff"
    assert status(harness, "GetTariffs", {"evseId": 9}) == "Rejected"
    assert status(harness, "SetDefaultTariff", {"evseId": 0, "tariff": tariff("a")}) == "Accepted"
    assert status(harness, "SetDefaultTariff", {"evseId": 1, "tariff": tariff("a", price=0.6)}) == "DuplicateTariffId"
    assert status(harness, "SetDefaultTariff", {"evseId": 2, "tariff": tariff("b")}) == "Accepted"
    shown = harness.command("GetTariffs", {"evseId": 0})[2]["tariffAssignments"]
    assert [(part["tariffId"], part["evseIds"]) for part in shown] == [("a", [1]), ("b", [2])]
    cleared = harness.command("ClearTariffs", {"tariffIds": ["b", "c"]})[2]["clearTariffsResult"]
    assert [part["status"] for part in cleared] == ["Accepted", "NoTariff"]
    transaction = start(harness)
    changes = [
        ({"transactionId": "nobody", "tariff": tariff("z")}, "TxNotFound"),
        ({"transactionId": transaction, "tariff": tariff("z", "USD")}, "NoCurrencyChange"),
        ({"transactionId": transaction, "tariff": tariff("z")}, "Accepted"),
    ]
    for request, expected in changes:
        assert status(harness, "ChangeTransactionTariff", request) == expected
    assert harness.sent("TransactionEvent")[-1].payload["triggerReason"] == "TariffChanged"
    harness.command("ClearTariffs", {})
    assert status(harness, "GetTariffs", {"evseId": 1}) == "NoTariff"


def test_der_controls_of_21_are_kept_shown_and_cleared() -> None:
    harness = FleetHarness(Version.V21, DUAL).start()
    fixed = {"priority": 0, "setpoint": 10.0, "unit": "PctMaxVar"}
    request = {"isDefault": True, "controlId": "a", "controlType": "FixedVar", "fixedVar": fixed}
    assert status(harness, "SetDERControl", request) == "Accepted"
    superseding = harness.command("SetDERControl", request | {"controlId": "b"})[2]
    assert superseding == {"status": "Accepted", "supersededIds": ["a"]}
    assert status(harness, "SetDERControl", request | {"controlType": "VoltVar"}) == "Rejected"
    assert status(harness, "GetDERControl", {"requestId": 1, "controlId": "a"}) == "NotFound"
    assert status(harness, "GetDERControl", {"requestId": 1}) == "Accepted"
    assert harness.sent("ReportDERControl")[0].payload["fixedVar"][0]["id"] == "b"
    answers = [status(harness, "ClearDERControl", {"isDefault": True}) for _ in range(2)]
    assert answers == ["Accepted", "NotFound"]


def test_a_transaction_event_is_triggered_only_where_a_transaction_runs() -> None:
    harness = FleetHarness(Version.V201, DUAL, {"Heartbeat": SILENT}).start()
    assert status(harness, "TriggerMessage", {"requestedMessage": "TransactionEvent"}) == "Rejected"
    start(harness)
    assert status(harness, "TriggerMessage", {"requestedMessage": "TransactionEvent"}) == "Accepted"
