from __future__ import annotations

from typing import Any

import pytest

from loadtest.timing.pacing import van_der_corput
from loadtest.workload.profile import Profile
from ocppj.actions import csms_actions
from ocppj.schemas import validator
from ocppj.versions import Version
from tests.loadtest.fleet_harness import SILENT, FleetHarness, charging

every_version = pytest.mark.parametrize("version", list(Version))
every_2x = pytest.mark.parametrize("version", [Version.V201, Version.V21])
DUAL = Profile(title="dual", models={"ac-dual": 1.0}, meter=10.0, reboot=5.0)


def status_of(reply: list[Any]) -> Any:
    assert reply[0] == 3, reply
    return reply[2]["status"]


def remote_start(version: Version, place: int = 1, token: str = "04AABBCCDDEE80") -> tuple[str, dict[str, Any]]:
    if version is Version.V16:
        return "RemoteStartTransaction", {"connectorId": place, "idTag": token}
    token_2x = {"idToken": token, "type": "Central"}
    return "RequestStartTransaction", {"evseId": place, "remoteStartId": 77, "idToken": token_2x}


def remote_stop(version: Version, transaction_id: Any) -> tuple[str, dict[str, Any]]:
    action = "RemoteStopTransaction" if version is Version.V16 else "RequestStopTransaction"
    return action, {"transactionId": transaction_id}


def started(harness: FleetHarness) -> dict[str, Any]:
    name = "StartTransaction" if harness.version is Version.V16 else "TransactionEvent"
    return harness.sent(name)[0].payload


def transaction_id(harness: FleetHarness) -> Any:
    return 4711 if harness.version is Version.V16 else started(harness)["transactionInfo"]["transactionId"]


# -- start and stop ----------------------------------------------------------------------------------------------------


@every_version
def test_a_remote_start_begins_a_transaction_without_asking_about_the_token(version: Version) -> None:
    harness = FleetHarness(version, DUAL).start()
    assert status_of(harness.command(*remote_start(version, 2))) == "Accepted"
    harness.run(25.0)
    assert "Authorize" not in harness.actions
    payload = started(harness)
    if version is Version.V16:
        assert (payload["connectorId"], payload["idTag"]) == (2, "04AABBCCDDEE80")
        assert len(harness.sent("MeterValues")) == 2
    else:
        assert payload["evse"]["id"] == 2
        assert payload["idToken"] == {"idToken": "04AABBCCDDEE80", "type": "Central"}
        assert payload["triggerReason"] == "RemoteStart"
        assert payload["transactionInfo"]["remoteStartId"] == 77
        assert len(harness.sent("TransactionEvent")) == 3


@every_version
def test_a_remote_stop_ends_the_transaction_it_names_and_no_other(version: Version) -> None:
    harness = FleetHarness(version, DUAL).start()
    harness.command(*remote_start(version))
    harness.run(15.0)
    wrong = 4712 if version is Version.V16 else "no-such-transaction"
    assert status_of(harness.command(*remote_stop(version, wrong))) == "Rejected"
    assert status_of(harness.command(*remote_stop(version, transaction_id(harness)))) == "Accepted"
    if version is Version.V16:
        assert harness.sent("StopTransaction")[0].payload["reason"] == "Remote"
    else:
        ended = harness.sent("TransactionEvent")[-1].payload
        assert (ended["eventType"], ended["triggerReason"]) == ("Ended", "RemoteStop")
        assert ended["transactionInfo"]["stoppedReason"] == "Remote"
    assert status_of(harness.command(*remote_stop(version, transaction_id(harness)))) == "Rejected"


@every_version
def test_a_connector_that_is_taken_or_unknown_refuses_a_remote_start(version: Version) -> None:
    harness = FleetHarness(version, DUAL).start()
    assert status_of(harness.command(*remote_start(version))) == "Accepted"
    assert status_of(harness.command(*remote_start(version))) == "Rejected"
    assert status_of(harness.command(*remote_start(version, 9))) == "Rejected"
    outcomes = harness.outcomes()
    action = remote_start(version)[0]
    assert (outcomes[action, "accepted"], outcomes[action, "rejected"]) == (1, 2)


@every_version
def test_a_remote_start_without_a_place_takes_the_next_free_one(version: Version) -> None:
    harness = FleetHarness(version, DUAL).start()
    action, request = remote_start(version)
    del request["connectorId" if version is Version.V16 else "evseId"]
    assert [status_of(harness.command(action, request)) for _ in range(3)] == ["Accepted", "Accepted", "Rejected"]


def test_a_remote_start_follows_the_profile_in_how_long_the_driver_stays() -> None:
    harness = FleetHarness(profile=charging(duration=40.0, gap=10_000.0)).start()
    harness.command(*remote_start(Version.V16))
    harness.run(41.0)
    assert len(harness.sent("StopTransaction")) == 1


def test_unlocking_ends_a_transaction_in_16_and_is_refused_during_one_in_2x() -> None:
    harness = FleetHarness(Version.V16, DUAL).start()
    harness.command(*remote_start(Version.V16))
    assert status_of(harness.command("UnlockConnector", {"connectorId": 1})) == "Unlocked"
    assert harness.sent("StopTransaction")[0].payload["reason"] == "UnlockCommand"
    newer = FleetHarness(Version.V201, DUAL).start()
    place = {"evseId": 1, "connectorId": 1}
    assert status_of(newer.command("UnlockConnector", place)) == "Unlocked"
    newer.command(*remote_start(Version.V201))
    assert status_of(newer.command("UnlockConnector", place)) == "OngoingAuthorizedTransaction"


@every_2x
def test_the_status_of_a_transaction_is_the_true_one(version: Version) -> None:
    harness = FleetHarness(version, DUAL).start()
    harness.command(*remote_start(version))
    question = {"transactionId": transaction_id(harness)}
    assert harness.command("GetTransactionStatus", question)[2] == {"ongoingIndicator": True, "messagesInQueue": False}
    harness.answers["TransactionEvent"] = SILENT
    harness.command(*remote_stop(version, transaction_id(harness)))
    assert harness.command("GetTransactionStatus", question)[2] == {"ongoingIndicator": False, "messagesInQueue": True}


# -- reset and availability --------------------------------------------------------------------------------------------


@every_version
@pytest.mark.parametrize("kind", ["Soft", "Hard"])
def test_a_reset_is_answered_and_then_everything_starts_over(version: Version, kind: str) -> None:
    harness = FleetHarness(version, DUAL).start()
    harness.command(*remote_start(version))
    harness.run(15.0)
    request = {"type": kind if version is Version.V16 else "Immediate"}
    assert status_of(harness.command("Reset", request)) == "Accepted"
    hard = version is Version.V16 and kind == "Hard"
    assert harness.sockets[0].closed_with == (0 if hard else 1000)
    assert harness.recorder.booted_now == 0
    harness.run(5.0)
    assert len(harness.sockets) == 2
    after = [call for call in harness.calls if call.connection == 2]
    assert after[0].action == "BootNotification"
    assert "StatusNotification" in [call.action for call in after]
    if version is Version.V16:
        stop = harness.sent("StopTransaction")[0]
        assert stop.payload["reason"] == f"{kind}Reset"
        assert stop.connection == (2 if hard else 1)
    else:
        ended = harness.sent("TransactionEvent")[-1]
        assert (ended.payload["triggerReason"], ended.connection) == ("ResetCommand", 1)
        assert after[0].payload["reason"] == "RemoteReset"
    harness.outcomes()
    assert harness.lost == 0
    harness.lose()
    harness.run(6.0)
    assert harness.calls[-1].action != "BootNotification"  # that was a reboot, this is not


@every_2x
def test_a_reset_on_idle_waits_for_the_driver(version: Version) -> None:
    harness = FleetHarness(version, DUAL).start()
    harness.command(*remote_start(version))
    assert status_of(harness.command("Reset", {"type": "OnIdle"})) == "Scheduled"
    harness.run(30.0)
    assert len(harness.sockets) == 1
    harness.command(*remote_stop(version, transaction_id(harness)))
    harness.run(10.0)
    assert len(harness.sockets) == 2
    assert status_of(harness.command("Reset", {"type": "Immediate", "evseId": 1})) == "Rejected"
    assert status_of(harness.command("Reset", {"type": "OnIdle"})) == "Accepted"


def test_a_soft_reset_lets_the_last_messages_out_but_not_for_ever() -> None:
    harness = FleetHarness(profile=DUAL, answers={"StopTransaction": SILENT}).start()
    harness.command(*remote_start(Version.V16))
    harness.run(5.0)
    harness.command("Reset", {"type": "Soft"})
    harness.run(29.0)
    assert harness.sockets[0].open
    harness.answers["StopTransaction"] = {}
    harness.run(10.0)
    assert len(harness.sockets) == 2
    assert [call.connection for call in harness.sent("StopTransaction")][:1] == [1]


@every_version
def test_a_connector_out_of_order_takes_nobody_until_it_is_put_back(version: Version) -> None:
    harness = FleetHarness(version, charging(duration=30.0, gap=10.0)).start()
    place = {"connectorId": 1} if version is Version.V16 else {"evse": {"id": 1}}
    key = "type" if version is Version.V16 else "operationalStatus"
    assert status_of(harness.command("ChangeAvailability", {**place, key: "Inoperative"})) == "Accepted"
    harness.run(200.0)
    assert harness.statuses[-1] == "Unavailable"
    assert "Authorize" not in harness.actions
    assert status_of(harness.command(*remote_start(version))) == "Rejected"
    assert status_of(harness.command("ChangeAvailability", {**place, key: "Operative"})) == "Accepted"
    harness.run(60.0)
    assert "Authorize" in harness.actions


@every_version
def test_taking_a_busy_connector_out_of_order_waits_for_the_driver(version: Version) -> None:
    harness = FleetHarness(version, DUAL).start()
    harness.command(*remote_start(version))
    whole_station = {"connectorId": 0} if version is Version.V16 else {}
    key = "type" if version is Version.V16 else "operationalStatus"
    assert status_of(harness.command("ChangeAvailability", {**whole_station, key: "Inoperative"})) == "Scheduled"
    assert harness.statuses[-1] in ("Charging", "Occupied")
    harness.command(*remote_stop(version, transaction_id(harness)))
    harness.run(5.0)
    assert harness.statuses[-1] == "Unavailable"


# -- settings and triggers ---------------------------------------------------------------------------------------------


def set_variable(component: str, name: str, value: str) -> dict[str, Any]:
    part = {"component": {"name": component}, "variable": {"name": name}, "attributeValue": value}
    return {"setVariableData": [part]}


@every_version
def test_the_csms_can_change_the_pace_of_heartbeats_and_meter_values(version: Version) -> None:
    harness = FleetHarness(version, DUAL).start()
    if version is Version.V16:
        harness.command("ChangeConfiguration", {"key": "heartbeatinterval", "value": "20"})
        harness.command("ChangeConfiguration", {"key": "MeterValueSampleInterval", "value": "5"})
    else:
        harness.command("SetVariables", set_variable("ocppcommctrlr", "HeartbeatInterval", "20"))
        harness.command("SetVariables", set_variable("SampledDataCtrlr", "TxUpdatedInterval", "5"))
    harness.command(*remote_start(version))
    began = harness.now
    harness.run(100.0)
    beats = [call.at for call in harness.sent("Heartbeat") if call.at > began]
    assert len(beats) == 5
    assert ((beats[0] - harness.context.epoch) / 20.0) % 1 == pytest.approx(van_der_corput(1))
    readings = harness.sent("MeterValues") if version is Version.V16 else harness.sent("TransactionEvent")[1:]
    assert len(readings) == 20


@pytest.mark.parametrize("value", ["ten", "-5", "", "1e3", "٣"])
def test_a_setting_that_is_no_count_is_refused_and_changes_nothing(value: str) -> None:
    harness = FleetHarness(profile=DUAL).start()
    reply = harness.command("ChangeConfiguration", {"key": "HeartbeatInterval", "value": value})
    assert status_of(reply) == "Rejected"
    assert harness.station.heartbeat_interval == 300.0


def test_interval_zero_stops_meter_values_and_leaves_heartbeats_to_the_station() -> None:
    harness = FleetHarness(profile=DUAL).start()
    harness.command("ChangeConfiguration", {"key": "MeterValueSampleInterval", "value": "0"})
    harness.command("ChangeConfiguration", {"key": "HeartbeatInterval", "value": "0"})
    harness.command(*remote_start(Version.V16))
    harness.run(60.0)
    assert harness.sent("MeterValues") == []
    assert harness.station.heartbeat_interval == 300.0


@every_version
@pytest.mark.parametrize(
    "wanted",
    ["BootNotification", "Heartbeat", "StatusNotification", "MeterValues", "FirmwareStatusNotification"],
)
def test_a_trigger_is_answered_first_and_then_followed(version: Version, wanted: str) -> None:
    harness = FleetHarness(version, DUAL).start()
    before = len(harness.sent(wanted))
    assert status_of(harness.command("TriggerMessage", {"requestedMessage": wanted})) == "Accepted"
    expected = 2 if wanted in ("StatusNotification", "MeterValues") else 1
    assert len(harness.sent(wanted)) - before == expected


@every_version
def test_a_trigger_for_one_place_is_followed_there(version: Version) -> None:
    harness = FleetHarness(version, DUAL).start()
    place = {"connectorId": 2} if version is Version.V16 else {"evse": {"id": 2, "connectorId": 1}}
    before = len(harness.sent("StatusNotification"))
    harness.command("TriggerMessage", {"requestedMessage": "StatusNotification", **place})
    told = harness.sent("StatusNotification")[before:]
    assert [call.payload["connectorId" if version is Version.V16 else "evseId"] for call in told] == [2]


def test_triggered_readings_of_a_transaction_carry_its_id() -> None:
    harness = FleetHarness(profile=DUAL).start()
    harness.command(*remote_start(Version.V16))
    harness.command("TriggerMessage", {"requestedMessage": "MeterValues", "connectorId": 1})
    reading = harness.sent("MeterValues")[0].payload
    assert reading["transactionId"] == 4711
    assert {part["context"] for part in reading["meterValue"][0]["sampledValue"]} == {"Trigger"}
    newer = FleetHarness(Version.V201, DUAL).start()
    newer.command(*remote_start(Version.V201))
    newer.command("TriggerMessage", {"requestedMessage": "TransactionEvent"})
    assert newer.sent("TransactionEvent")[1].payload["triggerReason"] == "Trigger"


def test_a_trigger_for_what_the_station_lacks_is_not_implemented() -> None:
    harness = FleetHarness(Version.V21, DUAL).start()
    wanted = {"requestedMessage": "CustomTrigger", "customTrigger": "dance"}
    assert status_of(harness.command("TriggerMessage", wanted)) == "NotImplemented"


@every_version
def test_a_pending_station_boots_again_when_it_is_told_to(version: Version) -> None:
    boot = {"status": "Pending", "currentTime": "2026-01-01T00:00:00Z", "interval": 500}
    harness = FleetHarness(version, DUAL, {"BootNotification": boot}).start()
    harness.run(3.0)
    harness.command("TriggerMessage", {"requestedMessage": "StatusNotification"})
    assert harness.actions == ["BootNotification", "StatusNotification", "StatusNotification"]
    harness.answers["BootNotification"] = boot | {"status": "Accepted"}
    harness.command("TriggerMessage", {"requestedMessage": "BootNotification"})
    assert harness.station.online


# -- what must not be, and everything else -----------------------------------------------------------------------------


@every_version
def test_a_pending_station_starts_nothing(version: Version) -> None:
    boot = {"status": "Pending", "currentTime": "2026-01-01T00:00:00Z", "interval": 500}
    harness = FleetHarness(version, DUAL, {"BootNotification": boot}).start()
    assert status_of(harness.command(*remote_start(version))) == "Rejected"
    harness.run(60.0)
    assert harness.actions == ["BootNotification"]


def test_a_rejected_2x_station_answers_every_command_with_a_security_error_and_16_answers() -> None:
    boot = {"status": "Rejected", "currentTime": "2026-01-01T00:00:00Z", "interval": 500}
    newer = FleetHarness(Version.V201, DUAL, {"BootNotification": boot}).start()
    assert newer.command("ClearCache", {})[:3:2] == [4, "SecurityError"]
    assert newer.outcomes()["ClearCache", "callerror:SecurityError"] == 1
    older = FleetHarness(Version.V16, DUAL, {"BootNotification": boot}).start()
    assert status_of(older.command("ClearCache", {})) == "Accepted"


@every_version
@pytest.mark.parametrize(
    ("request_", "meaning"),
    [
        ({}, "Occur"),
        ({"requestedMessage": "Heartbeat", "coffee": True}, "Format"),
        ({"requestedMessage": 5}, "Type"),
        ({"requestedMessage": "Gossip"}, "PropertyConstraintViolation"),
    ],
)
def test_a_command_against_its_schema_is_refused_for_what_is_wrong(
    version: Version, request_: dict[str, Any], meaning: str
) -> None:
    harness = FleetHarness(version, DUAL).start()
    number, _, code, description, _ = harness.command("TriggerMessage", request_)
    assert number == 4
    assert code.startswith(meaning)
    assert code in harness.station.dialect.rules.all_error_codes
    assert description


@every_version
def test_an_action_that_no_csms_may_send_is_not_implemented(version: Version) -> None:
    harness = FleetHarness(version, DUAL).start()
    for action in ("MakeCoffee", "StatusNotification", ""):
        assert harness.command(action, {})[:3:2] == [4, "NotImplemented"]
    assert harness.outcomes()["MakeCoffee", "callerror:NotImplemented"] == 1


@every_version
@pytest.mark.parametrize("payload", [None, {}, {"connectorId": "x"}, {"connectorId": {}, "idTag": 5, "evse": 3}])
def test_no_payload_of_any_command_breaks_a_station(version: Version, payload: Any) -> None:
    harness = FleetHarness(version, DUAL)
    harness.start()
    for action in csms_actions(version):
        harness.run(40.0)  # a reset takes a while
        reply = harness.command(action, payload)
        assert reply[0] in (3, 4)
    assert harness.outcomes()
    assert "station-crash" not in harness.faults


@every_version
def test_answers_fit_their_schemas(version: Version) -> None:
    harness = FleetHarness(version, DUAL).start()
    requests = [
        remote_start(version),
        remote_stop(version, transaction_id=4711 if version is Version.V16 else "x"),
        (
            "ChangeAvailability",
            {"connectorId": 0, "type": "Operative"} if version is Version.V16 else {"operationalStatus": "Operative"},
        ),
        ("TriggerMessage", {"requestedMessage": "Heartbeat"}),
        ("ClearCache", {}),
        ("GetLocalListVersion", {}),
        ("Reset", {"type": "Soft" if version is Version.V16 else "OnIdle"}),
    ]
    for action, request in requests:
        reply = harness.command(action, request)
        assert validator(version, action, "response").errors(reply[2]) == []
