from __future__ import annotations

from itertools import pairwise
from typing import Any
from uuid import UUID

import pytest

from evidence.vocabulary import UNDELIVERED
from fixtures.tokens import is_pool_token
from loadtest.station.charging_session import ChargingSession
from loadtest.station.dialect.contract import Ending
from loadtest.station.transaction_queue import ATTEMPTS, MOST_KEPT, RETRY_INTERVAL
from loadtest.workload.profile import Profile, Sessions
from ocppj.versions import Version
from tests.loadtest.fleet_harness import SILENT, Call, FleetHarness, charging

every_version = pytest.mark.parametrize("version", list(Version))
every_2x = pytest.mark.parametrize("version", [Version.V201, Version.V21])

TRANSACTION_ACTIONS = ("StartTransaction", "MeterValues", "StopTransaction", "TransactionEvent")


def transaction_messages(harness: FleetHarness) -> list[Call]:
    return [call for call in harness.calls if call.action in TRANSACTION_ACTIONS]


def kinds(harness: FleetHarness) -> list[str]:
    """Name the transaction messages in the words of 2.x."""
    words = {"StartTransaction": "Started", "MeterValues": "Updated", "StopTransaction": "Ended"}
    return [call.payload.get("eventType") or words[call.action] for call in transaction_messages(harness)]


def until(harness: FleetHarness, kind: str) -> FleetHarness:
    """Let time pass in short steps until such a transaction message was sent."""
    for _ in range(5000):
        if kind in kinds(harness):
            return harness
        harness.run(1.0)
    pytest.fail(f"no {kind} within 5,000 s")


def register(sampled: list[dict[str, Any]]) -> float:
    (value,) = [part["value"] for part in sampled if part["measurand"] == "Energy.Active.Import.Register"]
    return float(value)


# -- a charging session ----------------------------------------------------------------------------------------------


def test_a_charging_session_in_16_is_told_step_by_step() -> None:
    harness = FleetHarness(profile=charging(duration=35.0)).start().run(200.0)
    told = [call.payload.get("status", call.action) for call in harness.calls if call.action != "Heartbeat"]
    plugged = told.index("Preparing")
    assert told[plugged : told.index("Available", plugged) + 1] == [
        "Preparing",
        "Authorize",
        "StartTransaction",
        "Charging",
        "MeterValues",
        "MeterValues",
        "MeterValues",
        "StopTransaction",
        "Finishing",
        "Available",
    ]
    start, stop = harness.sent("StartTransaction")[0], harness.sent("StopTransaction")[0]
    assert stop.at - start.at == pytest.approx(35.0)
    assert stop.payload["transactionId"] == 4711
    assert stop.payload["idTag"] == start.payload["idTag"] == harness.sent("Authorize")[0].payload["idTag"]
    assert is_pool_token(start.payload["idTag"])
    assert {call.payload["transactionId"] for call in harness.sent("MeterValues")} == {4711}
    assert "reason" not in stop.payload  # left out it means Local


@every_2x
def test_a_charging_session_in_2x_is_one_numbered_story(version: Version) -> None:
    harness = FleetHarness(version, charging(duration=35.0)).start().run(70.0)
    told = [call.payload for call in harness.sent("TransactionEvent")]
    transaction_id = told[0]["transactionInfo"]["transactionId"]
    events = [event for event in told if event["transactionInfo"]["transactionId"] == transaction_id]
    assert [event["eventType"] for event in events] == ["Started", "Updated", "Updated", "Updated", "Ended"]
    assert [event["seqNo"] for event in events] == [0, 1, 2, 3, 4]
    assert UUID(transaction_id).version == 4
    assert [event["triggerReason"] for event in events] == [
        "Authorized",
        *["MeterValuePeriodic"] * 3,
        "StopAuthorized",
    ]
    assert events[0]["evse"] == {"id": 1, "connectorId": 1}
    assert events[0]["idToken"] == events[-1]["idToken"] == harness.sent("Authorize")[0].payload["idToken"]
    assert events[-1]["transactionInfo"]["stoppedReason"] == "Local"
    assert events[-1]["transactionInfo"]["timeSpentCharging"] == 35
    assert not any("offline" in event for event in events)
    before, during, afterwards, *_ = harness.statuses
    assert (before, during, afterwards) == ("Available", "Occupied", "Available")


@every_version
def test_every_transaction_of_a_day_is_whole_and_its_meter_never_runs_backwards(version: Version) -> None:
    profile = Profile(
        title="busy",
        models={"ac-dual": 1.0},
        meter=20.0,
        sessions=Sessions(duration=(30.0, 90.0), gap=(5.0, 60.0), unplug=1.0),
    )
    harness = FleetHarness(version, profile).start().run(3600.0)
    harness.station.stop(lambda: None, 5.0)
    harness.run(10.0)
    starts, stops = kinds(harness).count("Started"), kinds(harness).count("Ended")
    assert starts == stops > 40
    assert {outcome for _, outcome in harness.outcomes()} == {"accepted"}
    assert harness.faults == {}
    if version is Version.V16:
        starting = [call.payload for call in harness.sent("StartTransaction")]
        stopping = [call.payload for call in harness.sent("StopTransaction")]
        for connector in (1, 2):
            begins = [payload["meterStart"] for payload in starting if payload["connectorId"] == connector]
            assert begins == sorted(begins)
            assert begins[0] == 0 < begins[-1]
        assert sum(payload["meterStop"] for payload in stopping) > 0
    else:
        by_evse: dict[str, list[float]] = {}
        evse_of: dict[str, int] = {}
        for call in harness.sent("TransactionEvent"):
            transaction_id = call.payload["transactionInfo"]["transactionId"]
            evse_of.setdefault(transaction_id, call.payload.get("evse", {}).get("id"))
            for value in call.payload.get("meterValue", []):
                by_evse.setdefault(str(evse_of[transaction_id]), []).append(register(value["sampledValue"]))
        assert set(by_evse) == {"1", "2"}
        for readings in by_evse.values():
            assert readings == sorted(readings)
            assert readings[-1] > 0


def test_meter_values_agree_with_the_power_that_they_show() -> None:
    harness = FleetHarness(profile=charging(duration=120.0)).start().run(125.0)
    readings = [call.payload["meterValue"][0]["sampledValue"] for call in harness.sent("MeterValues")]
    for before, after in pairwise(readings):
        power = next(float(part["value"]) for part in after if part["measurand"] == "Power.Active.Import")
        assert register(after) - register(before) == pytest.approx(power * 10.0 / 3600.0, abs=1.01)


def test_two_connectors_of_a_station_use_two_tokens() -> None:
    profile = Profile(title="dual", models={"ac-dual": 1.0}, sessions=Sessions(duration=20.0, gap=5.0))
    harness = FleetHarness(profile=profile).start().run(60.0)
    tokens = {call.payload["connectorId"]: call.payload["idTag"] for call in harness.sent("StartTransaction")}
    assert len(set(tokens.values())) == 2
    assert all(is_pool_token(token) for token in tokens.values())


def test_of_the_connectors_of_one_evse_one_is_used_at_a_time() -> None:
    profile = Profile(title="either", models={"dc-dual-50": 1.0}, sessions=Sessions(duration=20.0, gap=5.0))
    harness = FleetHarness(Version.V201, profile).start().run(600.0)
    open_on: dict[int, str] = {}
    connectors = set()
    for call in harness.sent("TransactionEvent"):
        event = call.payload
        if event["eventType"] == "Started":
            assert event["evse"]["id"] not in open_on
            open_on[event["evse"]["id"]] = event["transactionInfo"]["transactionId"]
            connectors.add((event["evse"]["id"], event["evse"]["connectorId"]))
        elif event["eventType"] == "Ended":
            open_on = {k: v for k, v in open_on.items() if v != event["transactionInfo"]["transactionId"]}
    assert connectors == {(1, 1), (1, 2), (2, 1)}


def test_the_same_seed_gives_the_same_day_and_another_one_another() -> None:
    profile = Profile(title="day", models={"ac-dual": 1.0}, sessions=Sessions(duration=(20.0, 80.0), gap=(5.0, 50.0)))

    def day(seed: int) -> list[tuple[float, str]]:
        harness = FleetHarness(Version.V201, profile, seed=seed).start().run(1800.0)
        return [(call.at, call.action) for call in harness.calls]

    assert day(3) == day(3)
    assert day(3) != day(4)


def test_a_slow_csms_does_not_move_cars_nor_meter_readings() -> None:
    def planned(latency: float) -> list[str]:
        harness = FleetHarness(profile=charging(duration=60.0, gap=30.0)).start()
        harness.latency = latency
        harness.run(290.0)
        return [call.payload["timestamp"] for call in harness.sent("StopTransaction")]

    assert planned(0.0)[:2] == planned(4.0)[:2]


def test_a_charged_car_shows_as_suspended() -> None:
    profile = Profile(
        title="long", models={"dc-150": 1.0}, meter=300.0, sessions=Sessions(duration=20_000.0, gap=100.0)
    )
    harness = FleetHarness(profile=profile).start().run(25_000.0)
    assert "SuspendedEV" in [call.payload["status"] for call in harness.sent("StatusNotification")]


# -- a no of the CSMS ------------------------------------------------------------------------------------------------


@every_version
def test_a_refused_token_starts_nothing(version: Version) -> None:
    no = {"status": "Invalid"}
    harness = FleetHarness(version, charging(), {"Authorize": {"idTagInfo": no, "idTokenInfo": no}}, schema_share=0.0)
    harness.start().run(300.0)
    assert len(harness.sent("Authorize")) >= 3
    assert transaction_messages(harness) == []
    assert harness.statuses[-1] == "Available"
    assert harness.outcomes()["Authorize", "rejected"] >= 3


@pytest.mark.parametrize("answer", [SILENT, [4, "ID", "InternalError", "", {}]])
def test_a_driver_without_an_answer_gives_up(answer: object) -> None:
    harness = FleetHarness(profile=charging(duration=100.0), answers={"Authorize": answer}).start().run(110.0)
    assert transaction_messages(harness) == []
    assert harness.statuses[-1] == "Available"


def test_a_transaction_that_is_refused_afterwards_ends_as_deauthorized() -> None:
    answers = {"StartTransaction": {"transactionId": 9, "idTagInfo": {"status": "ConcurrentTx"}}}
    harness = FleetHarness(profile=charging(), answers=answers).start().run(50.0)
    stop = harness.sent("StopTransaction")[0].payload
    assert (stop["reason"], stop["transactionId"]) == ("DeAuthorized", 9)
    assert harness.outcomes()["StartTransaction", "rejected"] == 1


@every_2x
def test_a_token_that_turns_out_invalid_ends_the_transaction(version: Version) -> None:
    answers = {"TransactionEvent": {"idTokenInfo": {"status": "Blocked"}}}
    harness = FleetHarness(version, charging(), answers).start().run(50.0)
    ended = harness.sent("TransactionEvent")[1].payload
    assert ended["transactionInfo"]["stoppedReason"] == "DeAuthorized"
    assert ended["triggerReason"] == "Deauthorized"


# -- transaction messages: order, retry, offline ---------------------------------------------------------------------


def test_an_unanswered_transaction_message_is_sent_again_ever_later_and_then_given_up() -> None:
    harness = FleetHarness(profile=charging(duration=900.0), answers={"StartTransaction": SILENT}).start()
    until(harness, "Started").run(400.0)
    starts = harness.sent("StartTransaction")
    gaps = [after.at - before.at for before, after in pairwise(starts)]
    assert gaps == [30.0 + RETRY_INTERVAL, 30.0 + 2 * RETRY_INTERVAL]
    assert len(starts) == ATTEMPTS
    assert len({call.payload["timestamp"] for call in starts}) == 1
    waiting = harness.sent("MeterValues")
    assert waiting[0].at == pytest.approx(starts[-1].at + 30.0)  # they had to wait for the start
    assert {call.payload["transactionId"] for call in waiting} == {-1}  # the CSMS never gave one
    harness.outcomes()
    assert harness.faults == {UNDELIVERED: 1}


def test_a_callerror_counts_as_a_failure_to_process() -> None:
    answers = {"StartTransaction": [4, "ID", "InternalError", "", {}]}
    harness = until(FleetHarness(profile=charging(duration=900.0), answers=answers).start(), "Started")
    harness.answers["StartTransaction"] = {"transactionId": 5, "idTagInfo": {"status": "Accepted"}}
    harness.run(RETRY_INTERVAL - 1.0)
    assert len(harness.sent("StartTransaction")) == 1
    harness.run(1.0)
    assert len(harness.sent("StartTransaction")) == 2
    assert {call.payload["transactionId"] for call in harness.sent("MeterValues")} == {5}
    assert harness.outcomes()["StartTransaction", "callerror:InternalError"] == 1


def test_other_messages_overtake_a_transaction_message_that_waits_for_its_retry() -> None:
    answers: dict[str, Any] = {"StartTransaction": [4, "ID", "InternalError", "", {}]}
    harness = until(FleetHarness(profile=charging(duration=900.0), answers=answers).start(), "Started").run(50.0)
    assert "Charging" in harness.statuses
    assert "MeterValues" not in harness.actions


@every_version
def test_what_happens_offline_is_kept_and_delivered_in_order_without_a_boot(version: Version) -> None:
    harness = FleetHarness(version, charging(duration=60.0, gap=30.0)).start()
    until(harness, "Started")
    harness.lose(refuse_with="refused")
    before = len(harness.calls)
    harness.run(155.0)
    harness.refuse_with = None
    harness.run(10.0)
    late = harness.calls[before:]
    assert "BootNotification" not in [call.action for call in late]
    told = [call for call in late if call.action in TRANSACTION_ACTIONS]
    # The first charging session ended, and a second one went by: nobody asks an absent CSMS about a token.
    assert [kind for kind in kinds(harness)[1:] if kind != "Updated"][:3] == ["Ended", "Started", "Ended"]
    stamps = [call.payload.get("timestamp") or call.payload["meterValue"][0]["timestamp"] for call in told]
    assert stamps == sorted(stamps)
    assert "Authorize" not in [call.action for call in late[: late.index(told[-1])]]
    if version is not Version.V16:
        offline = [call.payload for call in told if call.payload["timestamp"] < late[0].payload["timestamp"]]
        assert all(payload.get("offline") for payload in offline)
        by_transaction: dict[str, list[int]] = {}
        for call in harness.sent("TransactionEvent"):
            transaction = call.payload["transactionInfo"]["transactionId"]
            by_transaction.setdefault(transaction, []).append(call.payload["seqNo"])
        assert all(numbers == list(range(len(numbers))) for numbers in by_transaction.values())
    assert harness.outcomes().keys() >= {(told[0].action, "accepted")}


def test_the_time_offline_is_not_held_against_the_csms() -> None:
    harness = FleetHarness(profile=charging(duration=600.0, gap=30.0)).start()
    until(harness, "Started")
    harness.recorder.take(final=True)
    harness.lose(refuse_with="refused")
    harness.run(100.0)
    harness.refuse_with = None
    harness.run(9.0)
    delta = harness.recorder.take(final=True)
    (response,) = [r for _, action, _, _, _, r in delta["windows"]["ramp"] if action == "MeterValues"]
    assert sum(response.values()) >= 10
    assert set(response) == {0}


def test_a_message_that_was_on_its_way_when_the_line_broke_is_sent_again() -> None:
    harness = FleetHarness(profile=charging(duration=600.0), answers={"StartTransaction": SILENT}).start()
    until(harness, "Started")
    harness.lose()
    harness.answers["StartTransaction"] = {"transactionId": 8, "idTagInfo": {"status": "Accepted"}}
    harness.run(40.0)
    assert len(harness.sent("StartTransaction")) == 2
    assert {call.payload["transactionId"] for call in harness.sent("MeterValues")} == {8}
    outcomes = harness.outcomes()
    assert outcomes["StartTransaction", "lost"] == 1
    assert outcomes["StartTransaction", "accepted"] == 1


def test_a_station_keeps_only_so_many_messages_and_counts_the_rest() -> None:
    profile = Profile(title="chatty", models={"ac-single": 1.0}, meter=1.0, sessions=Sessions(duration=5000.0, gap=1.0))
    harness = FleetHarness(profile=profile).start()
    until(harness, "Started")
    harness.lose(refuse_with="refused")
    harness.run(MOST_KEPT + 200.0)
    assert harness.station.messages_waiting == MOST_KEPT
    outcomes = harness.outcomes()
    assert outcomes["MeterValues", "never-sent"] == harness.faults[UNDELIVERED] >= 199


def test_what_was_not_delivered_when_the_station_stops_is_counted() -> None:
    harness = FleetHarness(profile=charging(duration=600.0), answers={"StartTransaction": SILENT}).start()
    until(harness, "Started")
    harness.run(25.0)
    harness.station.stop(lambda: None, 3.0)
    harness.run(100.0)
    outcomes = harness.outcomes()
    # The start was tried and lost; two readings and the stop never left.
    assert outcomes["StartTransaction", "lost"] == 1
    assert outcomes["MeterValues", "never-sent"] == 2
    assert outcomes["StopTransaction", "never-sent"] == 1
    assert harness.faults[UNDELIVERED] == 4


@every_version
def test_a_driver_who_was_just_asking_starts_nothing_while_the_station_stops(version: Version) -> None:
    harness = FleetHarness(version, charging(duration=600.0)).start()
    while "Authorize" not in harness.actions:
        harness.latency = 2.0
        harness.run(1.0)
    harness.station.stop(lambda: None, 10.0)
    harness.run(30.0)
    assert harness.outcomes()["Authorize", "accepted"] == 1
    assert transaction_messages(harness) == []


def test_nothing_is_said_behind_the_close_frame() -> None:
    harness = FleetHarness(profile=charging(duration=600.0)).start()
    until(harness, "Updated")
    times: list[float] = []
    harness.station.stop(lambda: times.append(harness.now), 10.0)
    harness.sockets[0].linger = 60.0  # the CSMS takes its time to end TCP, and the car is unplugged meanwhile
    harness.run(5.0)
    harness.hear('[2,"late","TriggerMessage",{"requestedMessage":"Heartbeat"}]')
    harness.run(100.0)
    assert len(times) == 1
    assert {outcome for _, outcome in harness.outcomes()} == {"accepted"}
    assert harness.replies == []


@every_version
def test_stopping_ends_transactions_and_waits_for_their_answers(version: Version) -> None:
    harness = FleetHarness(version, charging(duration=600.0), latency=0.5).start()
    until(harness, "Updated")
    times: list[float] = []
    began = harness.now
    harness.station.stop(lambda: times.append(harness.now), 10.0)
    harness.run(20.0)
    assert kinds(harness)[-1] == "Ended"
    assert 0.5 <= times[0] - began < 5.0
    assert {outcome for _, outcome in harness.outcomes()} == {"accepted"}
    assert len(harness.timers) == 0


@every_version
def test_no_message_of_a_transaction_is_dated_before_the_one_that_it_follows(version: Version) -> None:
    harness = FleetHarness(version).start().run(1.0)
    charging_session = ChargingSession(harness.station, harness.station.connectors[0], "04AABBCC")
    charging_session.begin(harness.now, harness.now + 60.0, authorize=False)
    # The process was busy: the car should have left before its transaction could begin.
    charging_session.stop(Ending.LOCAL, harness.now - 1.0)
    harness.run(5.0)
    times = [str(call.payload.get("timestamp")) for call in transaction_messages(harness)]
    assert len(times) == 2
    assert times == sorted(times)
