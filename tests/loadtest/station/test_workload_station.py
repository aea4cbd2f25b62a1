"""What stations really send is what their schedule says, and what their meters show holds together."""

from __future__ import annotations

from collections import Counter
from datetime import datetime
from itertools import pairwise, takewhile
from typing import Any

import msgspec
import pytest

from loadtest.station.charging_session import ChargingSession
from loadtest.workload.curve import DAY, Curve
from loadtest.workload.mix import messages_a_day
from loadtest.workload.profile import Profile, load_profile, with_time
from loadtest.workload.sessions import PlannedSession, Schedule, Tariff, Workload
from ocppj.versions import Version
from tests.loadtest.fleet_harness import FleetHarness

SEED = 9
BUSY = 9
"""Number of a station with four cars in its first day."""
BEGIN = 1000.0
"""When a harness begins."""

every_version = pytest.mark.parametrize("version", list(Version))


def of_one_model(name: str, model: str, **changes: Any) -> Profile:
    profile = msgspec.structs.replace(load_profile(name), models={model: 1.0}, **changes)
    return with_time(profile, start_at="00:00")


def planned(harness: FleetHarness, evse: int, days: float = 1.0) -> list[PlannedSession]:
    """List what the schedule alone says, without any station."""
    profile = harness.context.profile
    assert profile.workload is not None
    identity = harness.station.lease.identity
    schedule = Schedule(profile.workload, seed=SEED, identity=identity, evse=evse, start=profile.start)
    return [session for session in takewhile(lambda session: session.at < days * DAY, schedule) if session.until > 0]


def seconds(text: str) -> float:
    return datetime.fromisoformat(text).timestamp() - 1_700_000_000.0


def begun(harness: FleetHarness, connector: int) -> list[float]:
    """List when transactions began, in seconds of the run, by the time stamps that were sent."""
    if harness.version is Version.V16:
        found = [call.payload for call in harness.sent("StartTransaction")]
        return [seconds(one["timestamp"]) for one in found if one["connectorId"] == connector]
    found = [call.payload for call in harness.sent("TransactionEvent")]
    return [
        seconds(one["timestamp"]) for one in found if one["eventType"] == "Started" and one["evse"]["id"] == connector
    ]


@every_version
def test_a_station_sends_the_day_that_its_schedule_says(version: Version) -> None:
    harness = FleetHarness(version, of_one_model("public_ac", "ac-dual"), seed=SEED, number=BUSY).start().run(DAY)
    wanted = {evse: [max(0.0, session.at) for session in planned(harness, evse)] for evse in (1, 2)}
    assert sum(map(len, wanted.values())) >= 4
    for evse, times in wanted.items():
        assert begun(harness, evse) == pytest.approx(times, abs=0.002)


def test_every_meter_reading_of_the_day_follows_from_the_schedule() -> None:
    harness = FleetHarness(profile=of_one_model("public_ac", "ac-dual"), seed=SEED, number=BUSY).start().run(DAY)
    readings = 0
    for session in (one for evse in (1, 2) for one in planned(harness, evse)):
        readings += int((min(session.until, DAY) - max(session.at, 0.0)) / 60)
    assert len(harness.sent("MeterValues")) == pytest.approx(readings, abs=2)
    assert len(harness.sent("Heartbeat")) == DAY / 300


def test_an_unwilling_csms_does_not_move_the_day() -> None:
    def times(**settings: Any) -> list[float]:
        answers = settings.pop("answers", None)
        harness = FleetHarness(
            profile=of_one_model("public_ac", "ac-dual"), answers=answers, seed=SEED, number=BUSY, **settings
        )
        harness.start().run(DAY)
        told = [call.payload for call in harness.sent("StatusNotification") if call.payload["status"] == "Preparing"]
        # A car that is there at the begin comes when the station is registered.
        return [at for at in (seconds(payload["timestamp"]) for payload in told) if at > 60]

    assert len(times()) >= 3
    assert times() == times(latency=3.0) == times(answers={"Authorize": {"idTagInfo": {"status": "Invalid"}}})


@pytest.mark.parametrize("name", ["public_ac", "dc_hub"])
def test_a_run_begins_with_the_cars_that_are_there_already(name: str) -> None:
    profile = with_time(load_profile(name), start_at="19:00")
    charging = 0
    for number in range(1, 41):
        harness = FleetHarness(profile=profile, seed=SEED, number=number).start()
        first = {
            evse: planned(harness, evse, days=0.0) for evse in {one.model.evse_id for one in harness.station.connectors}
        }
        charging_sessions = [connector.charging_session for connector in harness.station.connectors]
        assert [charging_session is not None for charging_session in charging_sessions] == [
            bool(sessions) for sessions in first.values()
        ]
        charging += sum(charging_session is not None for charging_session in charging_sessions)
        for sessions, charging_session in zip(first.values(), charging_sessions, strict=True):
            if charging_session is not None:
                assert isinstance(charging_session, ChargingSession)
                assert charging_session.planned == sessions[-1]
                assert sessions[-1].at < 0 < sessions[-1].until
    assert charging > 8


def test_a_station_that_restarts_goes_on_in_the_same_day() -> None:
    harness = FleetHarness(profile=of_one_model("public_ac", "ac-dual"), seed=SEED, number=BUSY).start().run(DAY / 2)
    harness.command("Reset", {"type": "Hard"})
    harness.run(DAY / 2)
    wanted = [session.at for session in planned(harness, 1) if session.at > DAY / 2 + 60]
    assert [at for at in begun(harness, 1) if at > DAY / 2 + 60] == pytest.approx(wanted, abs=0.002)


# -- physics -----------------------------------------------------------------------------------------------------------


def sampled(payload: dict[str, Any]) -> dict[str, float]:
    """Read a MeterValues of 1.6: sums of phases for voltages, the value itself for everything else."""
    values: dict[str, float] = {}
    for one in payload["meterValue"][0]["sampledValue"]:
        measurand = one.get("measurand", "Energy.Active.Import.Register")
        values[measurand] = values.get(measurand, 0.0) + float(one["value"])
    values["at"] = seconds(payload["meterValue"][0]["timestamp"])
    return values


def by_transaction(harness: FleetHarness) -> list[list[dict[str, float]]]:
    found: dict[tuple[int, int], list[dict[str, float]]] = {}
    count = Counter[int]()
    for call in harness.calls:
        connector = call.payload.get("connectorId", 0)
        if call.action == "StartTransaction":
            count[connector] += 1
        elif call.action == "MeterValues":
            found.setdefault((connector, count[connector]), []).append(sampled(call.payload))
    return list(found.values())


@pytest.mark.parametrize(
    ("name", "model", "compression"),
    [
        ("public_ac", "ac-dual", 1.0),
        ("public_ac", "ac-single", 60.0),
        ("dc_hub", "dc-150", 1.0),
        ("dc_hub", "dc-150", 20.0),
    ],
)
def test_power_is_voltage_times_current_and_the_register_is_power_times_time(
    name: str, model: str, compression: float
) -> None:
    profile = with_time(of_one_model(name, model, compress_intervals=True), compression=compression, start_at="17:00")
    harness = (
        FleetHarness(profile=profile, seed=SEED, number=BUSY)
        .start()
        .run(DAY / compression / (4 if name == "dc_hub" else 0.3))
    )
    transactions = by_transaction(harness)
    assert len(transactions) >= 1
    compared = 0
    for readings in transactions:
        for before, after in pairwise(readings):
            power, phases = after["Power.Active.Import"], 3 if name == "public_ac" else 1
            assert after["Energy.Active.Import.Register"] >= before["Energy.Active.Import.Register"]
            if power:
                # The values of phases were added up: all phases carry the same current.
                shown = after["Voltage"] * after["Current.Import"]
                assert min(abs(power * used - shown) / shown for used in range(1, phases + 1)) < 0.01
                grown = after["Energy.Active.Import.Register"] - before["Energy.Active.Import.Register"]
                assert grown == pytest.approx(power * (after["at"] - before["at"]) / 3600, rel=0.01, abs=1.01)
                compared += 1
            if "SoC" in after:
                assert before["SoC"] <= after["SoC"] <= 100
    assert compared > 20


def test_the_register_of_a_connector_goes_on_from_car_to_car() -> None:
    harness = (
        FleetHarness(profile=of_one_model("dc_hub", "dc-150", meter=60.0), seed=SEED, number=BUSY).start().run(DAY)
    )
    for connector in (1, 2):
        starts = [one.payload for one in harness.sent("StartTransaction") if one.payload["connectorId"] == connector]
        assert len(starts) > 3
        meters = [one["meterStart"] for one in starts]
        assert meters == sorted(meters)
        assert meters[-1] > meters[0]


def test_a_car_that_has_what_it_wanted_stays_connected_without_power() -> None:
    harness = FleetHarness(profile=of_one_model("public_ac", "ac-single"), seed=SEED, number=BUSY).start().run(3 * DAY)
    words = Counter(call.payload["status"] for call in harness.sent("StatusNotification"))
    assert words["SuspendedEV"] >= 1
    idle = [readings for readings in by_transaction(harness) if readings[-1]["Power.Active.Import"] == 0]
    assert idle
    for readings in idle:
        register = [one["Energy.Active.Import.Register"] for one in readings if one["Power.Active.Import"] == 0]
        assert register[0] == register[-1]


def test_a_full_charging_session_takes_the_energy_that_was_planned() -> None:
    harness = FleetHarness(profile=of_one_model("public_ac", "ac-single"), seed=SEED, number=BUSY).start().run(6 * DAY)
    wanted = [session for session in planned(harness, 1, days=6.0) if session.at > 0 and session.until < 6 * DAY]
    starts = [one.payload for one in harness.sent("StartTransaction") if seconds(one.payload["timestamp"]) > 0.5]
    stops = [one.payload for one in harness.sent("StopTransaction")][-len(wanted) :]
    taken = [stop["meterStop"] - start["meterStart"] for start, stop in zip(starts, stops, strict=False)]
    for session, energy in zip(wanted, taken, strict=True):
        assert session.energy_wh is not None
        assert energy <= session.energy_wh + 2
    assert (
        sum(abs(session.energy_wh - energy) < 5 for session, energy in zip(wanted, taken, strict=True))
        > len(wanted) / 2
    )


# -- time --------------------------------------------------------------------------------------------------------------


def test_compression_makes_sessions_and_energies_smaller_and_time_stamps_stay_true() -> None:
    pace = 24.0
    profile = with_time(of_one_model("public_ac", "ac-dual"), compression=pace)
    harness = FleetHarness(profile=profile, seed=SEED, number=BUSY).start().run(DAY / pace)
    sessions = [session for evse in (1, 2) for session in planned(harness, evse) if session.at > 0]
    assert sorted(at for evse in (1, 2) for at in begun(harness, evse) if at > 0.01) == pytest.approx(
        sorted(session.at / pace for session in sessions), abs=0.002
    )
    assert all(
        seconds(call.payload["timestamp"]) == pytest.approx(call.at - BEGIN, abs=1)
        for call in harness.sent("StartTransaction")
    )
    taken = sum(call.payload["meterStop"] for call in harness.sent("StopTransaction"))
    assert 0 < taken < 2 * len(sessions) * 80_000 / pace
    assert len(harness.sent("Heartbeat")) == DAY / pace / 300


def test_intervals_are_compressed_only_where_that_is_asked_for() -> None:
    profile = with_time(of_one_model("public_ac", "ac-dual", compress_intervals=True), compression=24.0)
    harness = FleetHarness(profile=profile, seed=SEED, number=BUSY).start().run(DAY / 24)
    assert len(harness.sent("Heartbeat")) == pytest.approx(DAY / 300, abs=1)
    whole = FleetHarness(profile=of_one_model("public_ac", "ac-dual"), seed=SEED, number=BUSY).start().run(DAY)
    assert len(harness.sent("MeterValues")) == pytest.approx(len(whole.sent("MeterValues")), rel=0.02)


@every_version
def test_cars_that_wait_for_the_tariff_begin_when_it_changes(version: Version) -> None:
    depot = load_profile("depot").workload
    assert depot is not None
    workload = msgspec.structs.replace(depot, tariff=Tariff(at="22:00", share=1.0), per_day=0.8)
    profile = msgspec.structs.replace(of_one_model("depot", "depot"), workload=workload)
    harness = (
        FleetHarness(version, with_time(profile, start_at="15:00"), seed=SEED, number=BUSY).start().run(12 * 3600.0)
    )
    change = 7 * 3600.0
    if version is Version.V16:
        turned = [
            seconds(call.payload["timestamp"])
            for call in harness.sent("StatusNotification")
            if call.payload["status"] == "Charging"
        ]
        waiting = [sampled(call.payload) for call in harness.sent("MeterValues")]
        before = [one for one in waiting if one["at"] < change - 1]
        assert {one["Power.Active.Import"] for one in before} == {0.0}
        assert {one["Energy.Active.Import.Register"] for one in waiting if one["at"] < change + 0.01} == {0.0}
        assert sum(abs(at - change) < 0.01 for at in turned) >= 2
    else:
        changed = [
            call.payload
            for call in harness.sent("TransactionEvent")
            if call.payload["triggerReason"] == "ChargingStateChanged"
        ]
        assert len(changed) >= 2
        assert {one["transactionInfo"]["chargingState"] for one in changed} == {"Charging"}
        assert [seconds(one["timestamp"]) for one in changed] == pytest.approx([change] * len(changed), abs=0.01)
        started = [call.payload for call in harness.sent("TransactionEvent") if call.payload["eventType"] == "Started"]
        assert started[0]["transactionInfo"]["chargingState"] == "SuspendedEV"


# -- parts and the whole -----------------------------------------------------------------------------------------------


def test_each_station_of_a_mix_lives_by_its_own_part() -> None:
    context = load_profile("mixed_fleet")
    for number in range(1, 25):
        harness = FleetHarness(profile=context, seed=SEED, number=number).start()
        part = context.member(number)
        assert harness.station.profile is part
        assert harness.station.model.name in part.models
        assert harness.station.meter_interval == part.meter


def test_a_driver_whom_the_csms_lets_in_stays_as_long_as_others() -> None:
    workload = Workload(per_day=0.01, curve=Curve(weekday=(1.0,) * 24), duration=1800.0)
    profile = Profile(title="few", models={"ac-single": 1.0}, workload=workload, compression=2.0)
    harness = FleetHarness(profile=profile, seed=SEED).start()
    harness.command("RemoteStartTransaction", {"idTag": "ABC"})
    harness.run(901.0)
    (start,), (stop,) = harness.sent("StartTransaction"), harness.sent("StopTransaction")
    assert stop.at - start.at == pytest.approx(900.0)


def test_a_fleet_of_stations_sends_as_many_messages_a_day_as_was_worked_out() -> None:
    profile = of_one_model("public_ac", "ac-dual", meter=900.0, heartbeat=1800.0)
    found: Counter[str] = Counter()
    stations = 8
    for number in range(1, stations + 1):
        found.update(
            FleetHarness(profile=profile, seed=SEED, number=number, schema_share=0.0).start().run(2 * DAY).actions
        )
    wanted = messages_a_day(profile, heartbeat=300.0, weekday=0)
    assert found["Heartbeat"] == wanted["Heartbeat"] * 2 * stations
    sessions = wanted["StartTransaction"] * 2 * stations
    assert found["StartTransaction"] == pytest.approx(sessions, abs=4 * sessions**0.5)
    assert found["MeterValues"] == pytest.approx(wanted["MeterValues"] * 2 * stations, rel=0.35)
