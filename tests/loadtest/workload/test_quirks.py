"""What field reports show, as quirks of vendors: the frames that their stations send, and what is blamed on whom."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import msgspec
import pytest

from evidence.vocabulary import STAYS_AWAY, TRIGGER_LOOP
from loadtest.measuring.session_row import NOTE, row_of
from loadtest.station.life import Life
from loadtest.transport.contract import How
from loadtest.workload.profile import Profile
from loadtest.workload.quirks import Leaving
from loadtest.workload.vendor import load_vendor, vendor_names
from ocppj.versions import Version
from tests.loadtest.fleet_harness import IDLE, SILENT, FleetHarness, charging

V16, V201, V21 = Version
ALL_VERSIONS = pytest.mark.parametrize("version", list(Version))


def of(vendor: str, profile: Profile = IDLE) -> Profile:
    return msgspec.structs.replace(profile, vendors={vendor: 1.0})


def quirky(tmp_path: Any, text: str, profile: Profile = IDLE) -> Profile:
    path = tmp_path / "quirky.yaml"
    path.write_text(f"title: Quirky\n{text}\n", encoding="utf-8")
    load_vendor.cache_clear()
    return of(str(path), profile)


def injected(harness: FleetHarness) -> dict[str, int]:
    """Return what the run says that it did itself; `outcomes` has not been asked before."""
    harness.outcomes()
    return harness.injected


# -- staying away ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("code", [1000, 1001])
def test_a_station_that_takes_an_orderly_close_for_the_end_connects_no_more(code: int) -> None:
    harness = FleetHarness(profile=of("stays-away")).start().run(10.0)
    harness.sockets[-1].open = False
    harness.station.on_closed(code, "bye", How.PEER)
    harness.run(7200.0)
    assert len(harness.sockets) == 1
    assert harness.station.life is Life.ON
    assert injected(harness) == {f"{STAYS_AWAY}{Leaving.CLOSE}": 1}
    assert harness.lost == 1


@pytest.mark.parametrize(("how", "code"), [(How.PEER, 1012), (How.PEER, 1011), (How.LOST, 1006)])
def test_the_same_station_comes_back_after_any_other_end(how: How, code: int) -> None:
    harness = FleetHarness(profile=of("stays-away")).start().run(10.0)
    harness.sockets[-1].open = False
    harness.station.on_closed(code, "", how)
    harness.run(60.0)
    assert len(harness.sockets) == 2
    assert injected(harness) == {}


def test_a_new_password_is_the_end_for_some_and_a_restart_brings_them_back() -> None:
    harness = FleetHarness(profile=of("stays-away"), password="0123456789abcdef").start().run(10.0)
    key = {"key": "AuthorizationKey", "value": "30313233343536373839414243444546"}
    assert harness.command("ChangeConfiguration", key)[2] == {"status": "Accepted"}
    harness.run(600.0)
    assert len(harness.sockets) == 1
    harness.station.lose_power()
    harness.station.start()
    harness.run(10.0)
    assert len(harness.sockets) == 2
    assert harness.station.online
    assert injected(harness) == {f"{STAYS_AWAY}{Leaving.PASSWORD}": 1}


def test_a_missing_pong_is_the_end_for_some() -> None:
    harness = FleetHarness(profile=of("stays-away")).start().run(10.0)
    harness.sockets[-1].open = False
    harness.station.on_closed(1006, "no pong within 60 s", How.LOST)
    harness.run(600.0)
    assert len(harness.sockets) == 1
    assert injected(harness) == {f"{STAYS_AWAY}{Leaving.PONG}": 1}


# -- pings and ears ----------------------------------------------------------------------------------------------------


def test_a_ping_is_left_without_a_pong_and_the_connection_stands() -> None:
    harness = FleetHarness(profile=of("no-pong")).start().run(10.0)
    on_ping = harness.sockets[-1].on_ping
    assert on_ping is not None
    assert [on_ping(), on_ping()] == [False, False]
    assert injected(harness) == {"ping left without a pong": 2}
    assert FleetHarness().start().sockets[-1].on_ping is None


def test_a_ping_ends_the_connection_of_a_station_that_drops_it() -> None:
    harness = FleetHarness(profile=of("drops-at-ping")).start().run(10.0)
    on_ping = harness.sockets[-1].on_ping
    assert on_ping is not None
    assert on_ping()
    harness.sockets[-1].give_up("dropped at a ping", How.INJECTED)
    harness.run(20.0)
    assert len(harness.sockets) == 2
    assert injected(harness) == {"ping left without a pong": 1, "connection ended: dropped at a ping": 1}
    assert harness.lost == 0


def test_a_deaf_station_goes_on_talking_and_the_csms_is_not_blamed_for_it(tmp_path: Any) -> None:
    profile = quirky(tmp_path, "heartbeat: 20\nquirks: {deaf_after: 100, deaf_for: 90}")
    harness = FleetHarness(profile=profile, call_timeout=15.0).start().run(95.0)
    deaf = harness.sockets[-1]
    said = len(harness.calls)
    harness.run(90.0)
    assert deaf.paused
    assert len(harness.calls) > said + 2
    harness.run(60.0)
    assert len(harness.sockets) == 2
    assert harness.station.online
    outcomes = harness.outcomes()
    assert outcomes["Heartbeat", "injected"] >= 3
    assert not [key for key in outcomes if key[1] in ("timeout", "lost", "late")]
    assert harness.injected["deaf"] == 1
    assert harness.lost == 0
    assert harness.faults == {}


def test_a_csms_that_is_silent_before_the_ear_fails_is_blamed(tmp_path: Any) -> None:
    profile = quirky(tmp_path, "heartbeat: 20\nquirks: {deaf_after: 1000}")
    harness = FleetHarness(profile=profile, answers={"Heartbeat": SILENT}, call_timeout=15.0).start().run(300.0)
    outcomes = harness.outcomes()
    assert outcomes["Heartbeat", "timeout"] > 5
    assert not outcomes["Heartbeat", "injected"]


# -- registration ------------------------------------------------------------------------------------------------------


def test_every_boot_has_the_same_message_id_and_other_messages_have_not() -> None:
    pending = {"status": "Pending", "currentTime": "2026-01-01T00:00:00Z", "interval": 10}
    harness = FleetHarness(profile=of("one-boot-id"), answers={"BootNotification": pending}).start().run(45.0)
    boots = harness.sent("BootNotification")
    assert len(boots) == 5
    assert {call.message_id for call in boots} == {"1000001"}
    harness.command("TriggerMessage", {"requestedMessage": "BootNotification"})
    assert harness.sent("BootNotification")[-1].message_id == "1000001"
    others = FleetHarness(profile=IDLE).start().run(2000.0).calls
    assert len({call.message_id for call in others}) == len(others)


@ALL_VERSIONS
def test_the_first_message_is_no_boot_and_its_refusal_is_not_the_csms_fault(version: Version) -> None:
    refusal = [4, "ID", "SecurityError", "register first", {}]
    harness = FleetHarness(version, of("speaks-first"), {"StatusNotification": refusal}).start().run(1.0)
    assert harness.actions[:2] == ["StatusNotification", "BootNotification"]
    assert harness.station.online
    outcomes = harness.outcomes()
    assert outcomes["StatusNotification", "injected"] == len(harness.sent("StatusNotification"))
    assert harness.injected == {"ended: callerror:SecurityError": len(harness.sent("StatusNotification"))}


def test_a_probe_offers_another_version_says_nothing_and_comes_once() -> None:
    harness = FleetHarness(V201, of("version-probe")).start().run(10.0)
    offers = [(socket.request[1], socket.closed_with) for socket in harness.sockets if socket.request]
    assert offers == [("ocpp1.6", 1000), ("ocpp2.0.1", None)]
    assert harness.attempts[1] - harness.attempts[0] == 4.0
    assert {call.connection for call in harness.calls} == {2}
    harness.lose()
    harness.run(30.0)
    assert [socket.request[1] for socket in harness.sockets if socket.request][2:] == ["ocpp2.0.1"]
    assert injected(harness) == {"probe with OCPP 1.6: opened": 1}
    assert harness.connections == {"opened": 2}


def test_a_csms_that_does_not_speak_the_probed_version_is_told_apart_and_connected_all_the_same() -> None:
    harness = FleetHarness(V201, of("version-probe"))
    harness.refuse_with = "http-400"
    harness.start()
    harness.refuse_with = None
    harness.run(10.0)
    assert harness.station.online
    assert injected(harness) == {"probe with OCPP 1.6: http-400": 1}
    assert harness.connections == {"opened": 1}


def test_a_probe_of_the_own_version_is_none_and_one_under_way_ends_with_the_station() -> None:
    assert len(FleetHarness(V16, of("version-probe")).start().run(10.0).sockets) == 1
    harness = FleetHarness(V21, of("version-probe")).start().run(1.0)
    stopped: list[bool] = []
    harness.station.stop(lambda: stopped.append(True), 5.0)
    harness.run(20.0)
    assert stopped == [True]
    assert len(harness.sockets) == 1
    assert len(harness.timers) == 0


# -- commands ----------------------------------------------------------------------------------------------------------

LONG = ",".join(["Energy.Active.Import.Register", "Current.Import", "Voltage", "Power.Active.Import"] * 3)


def test_a_value_that_is_too_long_overwrites_the_number_of_connectors() -> None:
    harness = FleetHarness(profile=of("short-memory")).start()
    ask = {"key": ["NumberOfConnectors"]}
    assert len(LONG) > 128
    found = []
    for value in (LONG[:128].rpartition(",")[0], LONG):
        setting = {"key": "MeterValuesSampledData", "value": value}
        assert harness.command("ChangeConfiguration", setting)[2] == {"status": "Accepted"}
        found.append(harness.command("GetConfiguration", ask)[2]["configurationKey"][0]["value"])
    assert found == [str(len(harness.station.connectors)), str(int.from_bytes(LONG[128:132].encode(), "little"))]
    assert int(found[1]) > 100_000_000


@pytest.mark.parametrize("version", [V201, V21])
def test_in_2x_it_overwrites_how_many_items_a_message_may_have(version: Version) -> None:
    harness = FleetHarness(version, of("short-memory")).start()
    place = {"component": {"name": "SampledDataCtrlr"}, "variable": {"name": "TxUpdatedMeasurands"}}
    setting = {"setVariableData": [{**place, "attributeValue": LONG}]}
    result = harness.command("SetVariables", setting)[2]["setVariableResult"][0]
    assert result["attributeStatus"] == "Accepted"
    items = {"component": {"name": "DeviceDataCtrlr"}}
    items["variable"] = {"name": "ItemsPerMessage", "instance": "GetVariables"}
    found = harness.command("GetVariables", {"getVariableData": [items]})[2]["getVariableResult"][0]
    assert int(found["attributeValue"]) > 100_000_000


def triggering(harness: FleetHarness) -> Callable[[Any], Any]:
    """Answer each boot, and ask for another one a second later."""
    accepted = harness.answers["BootNotification"]

    def answer(_: Any) -> Any:
        harness.soon(lambda: harness.hear('[2,"t","TriggerMessage",{"requestedMessage":"BootNotification"}]'), 1.0)
        return accepted

    return answer


@ALL_VERSIONS
def test_a_loop_that_the_csms_causes_by_its_triggers_is_named(version: Version) -> None:
    harness = FleetHarness(version, of("reconnects-on-trigger"))
    harness.answers["BootNotification"] = triggering(harness)
    harness.start().run(60.0)
    turns = len(harness.sockets) - 1
    assert turns == 10, "a connection, a second until the trigger, five of back-off"
    assert [socket.closed_with for socket in harness.sockets[:turns]] == [1000] * turns
    assert len(harness.sent("BootNotification")) == len(harness.sockets)
    harness.outcomes()
    assert harness.faults[TRIGGER_LOOP] == turns - 2


def test_a_trigger_now_and_then_is_no_loop() -> None:
    harness = FleetHarness(profile=of("reconnects-on-trigger")).start()
    for _ in range(5):
        harness.run(100.0)
        harness.command("TriggerMessage", {"requestedMessage": "BootNotification"})
    harness.run(100.0)
    assert len(harness.sockets) == 6
    harness.command("TriggerMessage", {"requestedMessage": "Heartbeat"})
    assert len(harness.sockets) == 6
    harness.outcomes()
    assert harness.faults == {}


# -- clocks ------------------------------------------------------------------------------------------------------------


@ALL_VERSIONS
@pytest.mark.parametrize(
    ("vendor", "shown"),
    [
        # The harness's clock shows 2023-11-14T22:13:20Z when it begins.
        ("clock-1970", "1970-01-01T00:16:40.000Z"),
        ("clock-ahead", "2023-11-15T00:30:00.000Z"),
        ("short-offset", "2023-11-15T00:30:00.000+02"),
        ("seven-decimals", "2023-11-14T22:30:00.0000007Z"),
        ("naive-clock", "2023-11-14T22:30:00"),
    ],
)
def test_clocks_are_wrong_as_they_are_in_the_field(version: Version, vendor: str, shown: str) -> None:
    harness = FleetHarness(version, of(vendor))
    harness.lawful = vendor not in ("short-offset", "naive-clock")
    harness.start().run(1000.0)
    before = len(harness.calls)
    harness.command("TriggerMessage", {"requestedMessage": "StatusNotification"})
    assert {call.payload["timestamp"] for call in harness.calls[before:]} == {shown}


def test_a_wrong_clock_moves_no_plan() -> None:
    plans = [FleetHarness(profile=of(vendor)).start().run(3000.0) for vendor in ("clock-1970", "clock-ahead")]
    right = FleetHarness(profile=IDLE).start().run(3000.0)
    for harness in plans:
        assert [call.at for call in harness.calls] == [call.at for call in right.calls]


# -- messages ----------------------------------------------------------------------------------------------------------


@ALL_VERSIONS
def test_free_connectors_flap_every_second_and_busy_ones_do_not(version: Version) -> None:
    harness = FleetHarness(version, of("flapping-status", charging(5000.0, 5.0))).start()
    before = len(harness.calls)
    harness.run(4.0)
    words = [call.payload.get("status") or call.payload["connectorStatus"] for call in harness.calls[before:]]
    assert words == ["Faulted", "Available", "Faulted", "Available"]
    if version is V16:
        assert {call.payload["errorCode"] for call in harness.calls[before:]} == {"OtherError", "NoError"}
    harness.run(2600.0)
    before = len(harness.calls)
    harness.run(3.0)
    assert not [call for call in harness.calls[before:] if call.action == "StatusNotification"]
    harness.station.stop(lambda: None, 5.0)
    harness.run(10.0)
    assert len(harness.timers) == 0


@ALL_VERSIONS
def test_the_end_of_a_transaction_carries_two_thousand_readings_in_order(version: Version) -> None:
    harness = FleetHarness(version, of("huge-stop", charging(100.0, 1000.0))).start().run(2500.0)
    ends = {
        V16: lambda: harness.sent("StopTransaction"),
        V201: lambda: [call for call in harness.sent("TransactionEvent") if call.payload["eventType"] == "Ended"],
    }
    ended = ends[V16 if version is V16 else V201]()[0]
    readings = ended.payload["transactionData" if version is V16 else "meterValue"]
    periodic = [one for one in readings if one["sampledValue"][0]["context"] == "Sample.Periodic"]
    assert len(periodic) == 2000
    assert len(msgspec.json.encode(ended.payload)) > 200_000
    times = [one["timestamp"] for one in periodic]
    assert times == sorted(times)
    values = [float(one["sampledValue"][0]["value"]) for one in periodic]
    assert all(before <= after for before, after in pairwise(values))
    rows = [row_of(note) for note in harness.recorder.take(final=True)["notes"] if note[0] == NOTE]
    end = ended.payload.get("meterStop", values[-1])
    assert rows[0].meter_stop == pytest.approx(end, abs=1.0), "and the ledger hears the reading of the end"


@ALL_VERSIONS
def test_meter_messages_without_a_reading_are_refused_and_nobody_is_blamed(version: Version) -> None:
    action = "MeterValues" if version is V16 else "TransactionEvent"

    def answer(payload: Any) -> Any:
        empty = any(not value["sampledValue"] for value in payload.get("meterValue", ()))
        return [4, "ID", "OccurrenceConstraintViolation", "", {}] if empty else started

    harness = FleetHarness(version, of("empty-lists", msgspec.structs.replace(charging(100.0), meter=20.0)))
    started = harness.answers.get("MeterValues", {})
    harness.lawful = False
    harness.answers[action] = answer
    harness.start().run(150.0)
    empty = [
        call for call in harness.sent(action) if not (call.payload.get("meterValue") or [{}])[0].get("sampledValue", 1)
    ]
    assert empty
    outcomes = harness.outcomes()
    assert outcomes[action, "injected"] == len(empty)
    assert not [key for key in outcomes if key[1].startswith("callerror")]


def test_a_vendor_that_keeps_to_ocpp_has_no_excuse_for_a_refusal() -> None:
    refusal = [4, "ID", "InternalError", "", {}]
    for vendor in ("huge-stop", "clock-1970", "seven-decimals", "neutral"):
        harness = FleetHarness(profile=of(vendor), answers={"StatusNotification": refusal}).start().run(1.0)
        assert harness.outcomes()["StatusNotification", "callerror:InternalError"] > 0


def test_vendors_that_break_ocpp_say_so_and_are_not_mixed_with_the_others() -> None:
    breaking = {name for name in vendor_names() if load_vendor(name).quirks.breaks_ocpp}
    assert breaking == {"empty-lists", "naive-clock", "short-offset", "speaks-first"}
