"""A station that swaps batteries, with drivers who come and drivers whom the CSMS sends."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from loadtest.workload.profile import Profile, Swaps, check_versions, load_profile
from ocppj.errors import UsageError
from ocppj.versions import Version
from tests.loadtest.fleet_harness import FleetHarness

SWAPS = Profile(title="swaps", models={"battery-swap": 1.0}, reboot=5.0, swaps=Swaps(gap=600.0, takes=30.0))
TOKEN = {"idToken": "RIDER-7", "type": "Vendor-Own-Type"}


def swapping(answers: dict[str, Any] | None = None, profile: Profile = SWAPS) -> FleetHarness:
    return FleetHarness(Version.V21, profile, answers).start()


def told(harness: FleetHarness) -> list[tuple[str, int, int]]:
    return [
        (call.payload["eventType"], call.payload["requestId"], call.payload["batteryData"][0]["evseId"])
        for call in harness.sent("BatterySwap")
    ]


def test_a_driver_leaves_an_empty_battery_and_takes_a_full_one() -> None:
    harness = swapping().run(700.0)
    (first, request, taken), (second, same, given) = told(harness)
    assert (first, second, same) == ("BatteryIn", "BatteryOut", request)
    assert taken != given
    batteries = [call.payload["batteryData"][0] for call in harness.sent("BatterySwap")]
    assert batteries[0]["soC"] <= 30 < batteries[1]["soC"]
    assert batteries[0]["serialNumber"] != batteries[1]["serialNumber"]
    assert harness.sent("BatterySwap")[1].at - harness.sent("BatterySwap")[0].at == pytest.approx(30.0)
    assert harness.actions.count("Authorize") == 1
    harness.outcomes()
    assert harness.activity == {"battery swapped": 1}


def test_the_slot_that_was_emptied_takes_the_next_battery() -> None:
    harness = swapping().run(1300.0)
    slots = [slot for _, _, slot in told(harness)]
    assert len(slots) == 4
    assert slots[2] == slots[1]
    requests = {request for _, request, _ in told(harness)}
    assert len(requests) == 2


def test_a_driver_whom_the_csms_refuses_swaps_nothing() -> None:
    harness = swapping({"Authorize": {"idTokenInfo": {"status": "Invalid"}}}).run(700.0)
    assert told(harness) == []
    harness.outcomes()
    assert harness.activity == {"battery swap refused by the CSMS": 1}


def test_the_csms_sends_a_driver_and_a_second_one_has_to_wait() -> None:
    harness = swapping()
    wanted = {"requestId": 42, "idToken": TOKEN}
    assert harness.command("RequestBatterySwap", wanted)[2]["status"] == "Accepted"
    assert harness.command("RequestBatterySwap", wanted | {"requestId": 43})[2]["status"] == "Rejected"
    harness.run(40.0)
    assert [(event, request) for event, request, _ in told(harness)] == [("BatteryIn", 42), ("BatteryOut", 42)]
    assert {call.payload["idToken"]["type"] for call in harness.sent("BatterySwap")} == {"Vendor-Own-Type"}
    assert harness.command("RequestBatterySwap", wanted | {"requestId": 44})[2]["status"] == "Accepted"


def test_a_station_for_cars_swaps_no_batteries() -> None:
    harness = swapping(profile=Profile(title="cars", models={"ac-single": 1.0}))
    assert harness.command("RequestBatterySwap", {"requestId": 1, "idToken": TOKEN})[2]["status"] == "Rejected"


def test_what_happened_offline_is_told_afterwards() -> None:
    harness = swapping()
    harness.lose(refuse_with="refused")
    harness.run(640.0)
    assert told(harness) == []
    harness.refuse_with = None
    harness.run(60.0)
    assert [event for event, _, _ in told(harness)][:2] == ["BatteryIn", "BatteryOut"]
    assert "Authorize" not in harness.actions


def test_swaps_need_a_version_that_knows_them(tmp_path: Path) -> None:
    profile = load_profile("battery_swap")
    check_versions(profile, [Version.V21])
    with pytest.raises(UsageError, match=r"swaps batteries, which OCPP 2\.0\.1 does not know; choose --ocpp 2\.1"):
        check_versions(profile, [Version.V21, Version.V201])
    path = tmp_path / "mine.yaml"
    path.write_text("title: x\nswaps: {gap: 0.001}\n")
    with pytest.raises(UsageError, match=r"`gap` must be at least"):
        load_profile(str(path))
