"""Monitors that fire, the streams of their values, and the costs that a driver is shown."""

from __future__ import annotations

from typing import Any

import pytest

from loadtest.measuring.session_row import NOTE, row_of
from loadtest.workload.profile import Profile
from ocppj.versions import Version
from tests.loadtest.fleet_harness import FleetHarness

every_2x = pytest.mark.parametrize("version", [Version.V201, Version.V21])
SINGLE = Profile(title="single", models={"ac-single": 1.0}, meter=10.0, reboot=5.0)
POWER = ("EVSE", "Power")
STATE = ("EVSE", "AvailabilityState")


def monitor(kind: str, value: float, watched: tuple[str, str] = POWER, **more: Any) -> dict[str, Any]:
    component, variable = {"name": watched[0], "evse": {"id": 1}}, {"name": watched[1]}
    return {"value": value, "type": kind, "severity": 5, "component": component, "variable": variable} | more


def watched(version: Version, *monitors: dict[str, Any], **more: Any) -> tuple[FleetHarness, list[int]]:
    """Start a station and set monitors; return their ids."""
    harness = FleetHarness(version, SINGLE, **more).start()
    results = harness.command("SetVariableMonitoring", {"setMonitoringData": list(monitors)})[2]["setMonitoringResult"]
    return harness, [result["id"] for result in results]


def begin(harness: FleetHarness) -> str:
    token = {"idToken": "TAG", "type": "Central"}
    harness.command("RequestStartTransaction", {"remoteStartId": 7, "idToken": token, "evseId": 1})
    harness.run(25.0)
    return str(harness.sent("TransactionEvent")[0].payload["transactionInfo"]["transactionId"])


def end(harness: FleetHarness, transaction_id: str) -> None:
    harness.command("RequestStopTransaction", {"transactionId": transaction_id})
    harness.run(25.0)


def events(harness: FleetHarness) -> list[dict[str, Any]]:
    return [event for call in harness.sent("NotifyEvent") for event in call.payload["eventData"]]


# -- thresholds and changes --------------------------------------------------------------------------------------------


@every_2x
def test_a_threshold_is_told_when_it_is_crossed_and_when_it_is_over(version: Version) -> None:
    harness, (number,) = watched(version, monitor("UpperThreshold", 1000.0))
    assert events(harness) == []
    end(harness, begin(harness))
    above, below = events(harness)
    assert float(above["actualValue"]) > 1000.0
    assert ("cleared" in above, below["cleared"], below["actualValue"]) == (False, True, "0")
    for event in (above, below):
        assert (event["variableMonitoringId"], event["trigger"]) == (number, "Alerting")
        assert event["eventNotificationType"] == "CustomMonitor"
    assert above["eventId"] != below["eventId"]


@every_2x
def test_a_threshold_that_is_exceeded_already_is_told_after_the_answer(version: Version) -> None:
    harness, (number,) = watched(version, monitor("LowerThreshold", 10.0))
    (event,) = events(harness)
    assert (event["variableMonitoringId"], event["actualValue"]) == (number, "0")


@every_2x
def test_a_monitor_of_changes_tells_large_ones_of_a_number_and_each_of_a_text(version: Version) -> None:
    harness, (power, state, huge) = watched(
        version, monitor("Delta", 1000.0), monitor("Delta", 1.0, STATE), monitor("Delta", 1e6, severity=6)
    )
    end(harness, begin(harness))
    told = [(event["variableMonitoringId"], event["trigger"]) for event in events(harness)]
    assert told.count((power, "Delta")) >= 2
    words = [event["actualValue"] for event in events(harness) if event["variableMonitoringId"] == state]
    assert words == ["Occupied", "Available"]
    assert huge not in {number for number, _ in told}


@every_2x
def test_a_monitor_of_transactions_tells_nothing_without_one_and_names_it(version: Version) -> None:
    harness, _ = watched(version, monitor("Periodic", 10.0, transaction=True))
    harness.run(60.0)
    assert events(harness) == []
    transaction_id = begin(harness)
    told = events(harness)
    assert {event["transactionId"] for event in told} == {transaction_id}
    assert all(event["actualValue"] != "0" for event in told[1:])


def test_what_is_not_severe_enough_is_not_told() -> None:
    harness, _ = watched(Version.V201, monitor("UpperThreshold", 1000.0))
    harness.command("SetMonitoringLevel", {"severity": 4})
    begin(harness)
    assert events(harness) == []


# -- streams -----------------------------------------------------------------------------------------------------------

PARAMS = {"interval": 30, "values": 5}


def stream(answer: str = "Accepted", params: dict[str, int] | None = None) -> tuple[FleetHarness, int]:
    answers = {"OpenPeriodicEventStream": {"status": answer}}
    wanted = monitor("Periodic", 10.0, periodicEventStream=PARAMS if params is None else params)
    harness, (number,) = watched(Version.V21, wanted, answers=answers)
    return harness, number


def test_the_values_of_a_stream_travel_as_send_by_its_interval_and_its_number_of_values() -> None:
    harness, number = stream()
    (opened,) = harness.sent("OpenPeriodicEventStream")
    data = opened.payload["constantStreamData"]
    assert (data["variableMonitoringId"], data["params"]) == (number, PARAMS)
    harness.run(61.0)
    assert [len(send.payload["data"]) for send in harness.sends] == [2, 3]
    first = harness.sends[0]
    assert (first.action, first.payload["id"]) == ("NotifyPeriodicEventStream", data["id"])
    assert [value["t"] for value in first.payload["data"]] == [0, 10]
    assert events(harness) == []
    harness.outcomes()
    assert harness.activity == {"SEND NotifyPeriodicEventStream": 2}
    assert harness.command("AdjustPeriodicEventStream", {"id": data["id"], "params": {"values": 2}})[2] == {
        "status": "Accepted"
    }
    harness.run(41.0)
    assert [len(send.payload["data"]) for send in harness.sends[2:]] == [2, 2]
    shown = harness.command("GetPeriodicEventStream", {})[2]["constantStreamData"]
    assert shown == [{"id": data["id"], "variableMonitoringId": number, "params": {"values": 2}}]
    assert harness.command("AdjustPeriodicEventStream", {"id": 99, "params": {}})[2] == {"status": "Rejected"}


@pytest.mark.parametrize("how", ["cleared", "base"])
def test_a_stream_ends_with_its_monitor(how: str) -> None:
    harness, number = stream()
    harness.run(15.0)
    if how == "cleared":
        harness.command("ClearVariableMonitoring", {"id": [number]})
    else:
        harness.command("SetMonitoringBase", {"monitoringBase": "FactoryDefault"})
    assert [len(send.payload["data"]) for send in harness.sends] == [1], "what there was is sent before"
    assert len(harness.sent("ClosePeriodicEventStream")) == 1
    assert harness.command("GetPeriodicEventStream", {})[2] == {}
    harness.run(60.0)
    assert len(harness.sends) == 1


def test_without_the_csms_a_stream_is_none_and_the_values_are_events() -> None:
    harness, _ = stream("Rejected")
    harness.run(35.0)
    assert harness.sends == []
    assert len(events(harness)) == 3
    assert harness.command("GetPeriodicEventStream", {})[2] == {}


def test_a_stream_keeps_its_values_while_nobody_hears_it_and_is_opened_anew_after_a_boot() -> None:
    harness, _ = stream(params={"interval": 10})
    harness.lose()
    harness.run(4.0)
    assert harness.sends == []
    harness.run(30.0)
    assert sum(len(send.payload["data"]) for send in harness.sends) >= 2
    assert len(harness.sent("OpenPeriodicEventStream")) == 1
    harness.command("Reset", {"type": "Immediate"})
    harness.run(60.0)
    assert len(harness.sent("OpenPeriodicEventStream")) == 2
    first, second = (call.payload["constantStreamData"]["id"] for call in harness.sent("OpenPeriodicEventStream"))
    assert first == second


# -- costs -------------------------------------------------------------------------------------------------------------


@every_2x
def test_a_cost_is_shown_to_the_driver_of_the_running_transaction(version: Version) -> None:
    harness = FleetHarness(version, SINGLE).start()
    transaction_id = begin(harness)
    assert harness.command("CostUpdated", {"totalCost": 1.25, "transactionId": transaction_id})[2] == {}
    harness.command("CostUpdated", {"totalCost": 2.5, "transactionId": "nobody's"})
    end(harness, transaction_id)
    notes = [note for note in harness.recorder.take(final=True)["notes"] if note[0] == NOTE]
    assert [row_of(note).cost for note in notes] == [1.25]


def test_costs_shown_and_costs_of_nobody_are_counted() -> None:
    harness = FleetHarness(Version.V201, SINGLE).start()
    transaction_id = begin(harness)
    for number in (transaction_id, "nobody's", transaction_id):
        harness.command("CostUpdated", {"totalCost": 1.25, "transactionId": number})
    harness.outcomes()
    assert harness.activity == {
        "cost shown to a driver": 2,
        "cost of a transaction that does not run here": 1,
    }


@every_2x
def test_the_cost_in_the_answer_to_the_end_counts_last(version: Version) -> None:
    harness = FleetHarness(
        version,
        SINGLE,
        {"TransactionEvent": lambda event: {"totalCost": 7.5} if event["eventType"] == "Ended" else {}},
    ).start()
    transaction_id = begin(harness)
    harness.command("CostUpdated", {"totalCost": 1.25, "transactionId": transaction_id})
    end(harness, transaction_id)
    (row,) = [row_of(note) for note in harness.recorder.take(final=True)["notes"] if note[0] == NOTE]
    assert row.cost == 7.5
