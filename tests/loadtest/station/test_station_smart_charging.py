from __future__ import annotations

from typing import Any

import pytest

from loadtest.workload.profile import Profile
from ocppj.versions import Version
from tests.loadtest.fleet_harness import FleetHarness

every_version = pytest.mark.parametrize("version", list(Version))
every_2x = pytest.mark.parametrize("version", [Version.V201, Version.V21])
SINGLE = Profile(title="single", models={"ac-single": 1.0}, meter=10.0)
DUAL = Profile(title="dual", models={"ac-dual": 1.0}, meter=10.0)
STATION = {
    Version.V16: "ChargePointMaxProfile",
    Version.V201: "ChargingStationMaxProfile",
    Version.V21: "ChargingStationMaxProfile",
}


def charging_profile(
    version: Version, *limits: float | tuple[int, float], number: int = 1, unit: str = "A", **more: Any
) -> dict[str, Any]:
    pairs = [limit if isinstance(limit, tuple) else (0, limit) for limit in limits]
    schedule: dict[str, Any] = {
        "chargingRateUnit": unit,
        "chargingSchedulePeriod": [{"startPeriod": start, "limit": limit} for start, limit in pairs],
    }
    schedule |= {name: more.pop(name) for name in ("startSchedule", "duration") if name in more}
    raw = {"stackLevel": 0, "chargingProfilePurpose": "TxDefaultProfile", "chargingProfileKind": "Absolute"} | more
    if version is Version.V16:
        return raw | {"chargingProfileId": number, "chargingSchedule": schedule}
    return raw | {"id": number, "chargingSchedule": [schedule | {"id": 1}]}


def set_profile(harness: FleetHarness, *limits: float | tuple[int, float], place: int = 0, **more: Any) -> str:
    raw = charging_profile(harness.version, *limits, **more)
    if harness.version is Version.V16:
        request = {"connectorId": place, "csChargingProfiles": raw}
    else:
        request = {"evseId": place, "chargingProfile": raw}
    return str(harness.command("SetChargingProfile", request)[2]["status"])


def remote_start(harness: FleetHarness, place: int = 1, **more: Any) -> str:
    if harness.version is Version.V16:
        request: dict[str, Any] = {"idTag": f"TOKEN{place}", "connectorId": place}
        return str(harness.command("RemoteStartTransaction", request | more)[2]["status"])
    token = {"idToken": f"TOKEN{place}", "type": "Central"}
    request = {"remoteStartId": 7, "idToken": token, "evseId": place}
    return str(harness.command("RequestStartTransaction", request | more)[2]["status"])


def readings(harness: FleetHarness, place: int = 1) -> list[dict[str, float]]:
    """List what the meter of one place showed, by measurand."""
    if harness.version is Version.V16:
        payloads = [call.payload for call in harness.sent("MeterValues") if call.payload["connectorId"] == place]
    else:
        payloads = [call.payload for call in harness.sent("TransactionEvent") if call.payload.get("meterValue")]
        mine = next(payload for payload in payloads if payload.get("evse", {}).get("id") == place)["transactionInfo"]
        payloads = [p for p in payloads if p["transactionInfo"]["transactionId"] == mine["transactionId"]]
    return [
        {part["measurand"]: float(part["value"]) for part in payload["meterValue"][0]["sampledValue"]}
        for payload in payloads
    ]


def power(harness: FleetHarness, place: int = 1) -> float:
    return readings(harness, place)[-1]["Power.Active.Import"]


def transaction_id(harness: FleetHarness) -> Any:
    return (
        harness.station.connectors[0].charging_session.transaction_id
        if harness.station.connectors[0].charging_session
        else None
    )


@every_version
def test_the_power_goes_down_to_the_limit_and_up_again_without_it(version: Version) -> None:
    harness = FleetHarness(version, SINGLE).start()
    remote_start(harness)
    harness.run(11.0)
    free = power(harness)
    assert set_profile(harness, 4600.0, unit="W") == "Accepted"
    harness.run(10.0)
    assert 0.9 * 4600.0 < power(harness) <= 4600.0 < free
    assert set_profile(harness, 10.0, number=2, stackLevel=1) == "Accepted"
    harness.run(10.0)
    assert readings(harness)[-1]["Current.Import"] == 10.0
    criteria = {"stackLevel": 1}
    clear = criteria if version is Version.V16 else {"chargingProfileCriteria": criteria}
    assert harness.command("ClearChargingProfile", clear)[2]["status"] == "Accepted"
    assert harness.command("ClearChargingProfile", clear)[2]["status"] == "Unknown"
    harness.run(10.0)
    assert 0.9 * 4600.0 < power(harness) <= 4600.0
    by_id = {"id": 1} if version is Version.V16 else {"chargingProfileId": 1}
    assert harness.command("ClearChargingProfile", by_id)[2]["status"] == "Accepted"
    harness.run(10.0)
    assert power(harness) == pytest.approx(free, rel=0.05)


@every_version
def test_no_current_is_told_at_once_and_so_is_its_return(version: Version) -> None:
    harness = FleetHarness(version, SINGLE).start()
    remote_start(harness)
    harness.run(5.0)
    set_profile(harness, (0, 0.0), (20, 16.0))
    if version is Version.V16:
        assert harness.statuses[-1] == "SuspendedEVSE"
    else:
        event = harness.sent("TransactionEvent")[-1].payload
        assert event["triggerReason"] == "ChargingStateChanged"
        assert event["transactionInfo"]["chargingState"] == "SuspendedEVSE"
    harness.run(19.0)
    before = readings(harness)[-1]
    assert before["Power.Active.Import"] == 0.0
    harness.run(1.5)
    if version is Version.V16:
        assert harness.statuses[-1] == "Charging"
    else:
        assert harness.sent("TransactionEvent")[-1].payload["transactionInfo"]["chargingState"] == "Charging"
    harness.run(10.0)
    assert power(harness) > 0
    energy = readings(harness)[-1]["Energy.Active.Import.Register"] - before["Energy.Active.Import.Register"]
    # Reckoned to the second: nothing before the limit was lifted, everything after.
    seconds = harness.calls[-1].at - 1000.0 - 25.0
    assert energy == pytest.approx(power(harness) * seconds / 3600.0, rel=0.05)


@every_version
def test_the_limit_of_the_station_is_shared(version: Version) -> None:
    harness = FleetHarness(version, DUAL).start()
    remote_start(harness, 1)
    set_profile(harness, 20.0, chargingProfilePurpose=STATION[version])
    harness.run(11.0)
    alone = readings(harness, 1)[-1]["Current.Import"]
    remote_start(harness, 2)
    harness.run(20.0)
    assert readings(harness, 1)[-1]["Current.Import"] + readings(harness, 2)[-1]["Current.Import"] <= 20.0
    assert readings(harness, 1)[-1]["Current.Import"] < alone


@every_version
def test_a_profile_of_a_transaction_ends_with_it(version: Version) -> None:
    harness = FleetHarness(version, SINGLE).start()
    own: dict[str, Any] = {"chargingProfilePurpose": "TxProfile", "place": 1}
    assert set_profile(harness, 8.0, **own) == "Rejected"
    remote_start(harness)
    harness.run(5.0)
    assert set_profile(harness, 8.0, **own, transactionId=1 if version is Version.V16 else "x") == "Rejected"
    assert set_profile(harness, 8.0, **own, transactionId=transaction_id(harness)) == "Accepted"
    assert set_profile(harness, 8.0, **own) == ("Accepted" if version is Version.V16 else "Rejected")
    harness.run(10.0)
    assert readings(harness)[-1]["Current.Import"] == 8.0
    action = "RemoteStopTransaction" if version is Version.V16 else "RequestStopTransaction"
    harness.command(action, {"transactionId": transaction_id(harness)})
    harness.run(5.0)
    remote_start(harness)
    harness.run(11.0)
    assert harness.station.connectors[0].reading.current > 8.0


@every_version
def test_a_remote_start_brings_its_profile_along(version: Version) -> None:
    harness = FleetHarness(version, SINGLE).start()
    wrong = charging_profile(version, 7.0)
    assert remote_start(harness, chargingProfile=wrong) == "Rejected"
    raw = charging_profile(
        version, (0, 7.0), (15, 9.0), chargingProfilePurpose="TxProfile", chargingProfileKind="Relative"
    )
    assert remote_start(harness, chargingProfile=raw) == "Accepted"
    harness.run(11.0)
    assert readings(harness)[-1]["Current.Import"] == 7.0
    harness.run(10.0)
    assert readings(harness)[-1]["Current.Import"] == 9.0


@every_version
@pytest.mark.parametrize(
    ("place", "more"),
    [
        (9, {}),
        (1, {"purpose": "station"}),
        (0, {"stackLevel": 9}),
        (0, {"limits": [(5, 1.0)]}),
        (0, {"limits": [(number, 1.0) for number in range(25)]}),
    ],
)
def test_what_the_station_cannot_keep_is_rejected(version: Version, place: int, more: dict[str, Any]) -> None:
    harness = FleetHarness(version, SINGLE).start()
    limits = more.get("limits", [8.0])
    rest = {name: value for name, value in more.items() if name not in ("limits", "purpose")}
    if "purpose" in more:
        rest["chargingProfilePurpose"] = STATION[version]
    assert set_profile(harness, *limits, place=place, **rest) == "Rejected"
    assert harness.station.store is None


@every_version
def test_a_station_keeps_so_many_profiles_and_no_more(version: Version) -> None:
    harness = FleetHarness(version, SINGLE).start()
    # The same purpose, level and place: each takes the place of the one before.
    assert {set_profile(harness, 8.0, number=number) for number in range(1, 15)} == {"Accepted"}
    purposes = [STATION[version], "TxDefaultProfile"]
    more = [(level, purpose) for level in range(9) for purpose in purposes]
    answers = [
        set_profile(harness, 8.0, number=100 + number, stackLevel=level, chargingProfilePurpose=purpose)
        for number, (level, purpose) in enumerate(more)
    ]
    assert answers.count("Accepted") == 10


# -- what is shown -----------------------------------------------------------------------------------------------------


def composite(harness: FleetHarness, place: int, duration: int = 300, **more: Any) -> Any:
    field = "connectorId" if harness.version is Version.V16 else "evseId"
    reply = harness.command("GetCompositeSchedule", {field: place, "duration": duration} | more)[2]
    schedule = reply["chargingSchedule" if harness.version is Version.V16 else "schedule"]
    return [(period["startPeriod"], period["limit"]) for period in schedule["chargingSchedulePeriod"]]


@every_version
def test_the_composite_is_the_real_one(version: Version) -> None:
    harness = FleetHarness(version, DUAL).start()
    assert composite(harness, 1) == [(0, 32.0)]
    begin = harness.context.timestamp(harness.now)
    set_profile(harness, (0, 16.0), (60, 8.1), startSchedule=begin, duration=120)
    assert composite(harness, 1) == [(0, 16.0), (60, 8.1), (120, 32.0)]
    assert composite(harness, 1, 100, chargingRateUnit="W") == [(0, 11040.0), (60, 5589.0)]
    set_profile(harness, 20.0, number=2, chargingProfilePurpose=STATION[version])
    assert composite(harness, 0) == [(0, 20.0), (60, 16.2), (120, 20.0)]
    harness.run(100.0)
    assert composite(harness, 1) == [(0, 8.1), (20, 20.0)]


@every_2x
def test_installed_profiles_are_reported_by_place(version: Version) -> None:
    harness = FleetHarness(version, DUAL).start()
    question: dict[str, Any] = {"requestId": 4, "chargingProfile": {}}
    assert harness.command("GetChargingProfiles", question)[2]["status"] == "NoProfiles"
    set_profile(harness, 8.0, number=1)
    set_profile(harness, 9.0, number=2, place=2)
    assert harness.command("GetChargingProfiles", question)[2]["status"] == "Accepted"
    told = [call.payload for call in harness.sent("ReportChargingProfiles")]
    assert [(part["evseId"], part["chargingProfile"][0]["id"], part.get("tbc")) for part in told] == [
        (0, 1, True),
        (2, 2, None),
    ]
    assert harness.command("GetChargingProfiles", question | {"evseId": 1})[2]["status"] == "NoProfiles"


def test_dynamic_and_priority_profiles_of_21_are_obeyed() -> None:
    harness = FleetHarness(Version.V21, SINGLE).start()
    assert set_profile(harness, 16.0, chargingProfileKind="Dynamic") == "Accepted"
    remote_start(harness)
    update = {"chargingProfileId": 1, "scheduleUpdate": {"limit": 7.0}}
    assert harness.command("UpdateDynamicSchedule", update)[2]["status"] == "Accepted"
    assert harness.command("UpdateDynamicSchedule", update | {"chargingProfileId": 2})[2]["status"] == "Rejected"
    harness.run(11.0)
    assert readings(harness)[-1]["Current.Import"] == 7.0
    wish = {"transactionId": transaction_id(harness), "activate": True}
    assert harness.command("UsePriorityCharging", wish)[2]["status"] == "NoProfile"
    set_profile(harness, 12.0, number=3, chargingProfilePurpose="PriorityCharging")
    assert harness.command("UsePriorityCharging", wish)[2]["status"] == "Accepted"
    harness.run(10.0)
    assert readings(harness)[-1]["Current.Import"] == 12.0
    harness.command("UsePriorityCharging", wish | {"activate": False})
    harness.run(10.0)
    assert readings(harness)[-1]["Current.Import"] == 7.0
