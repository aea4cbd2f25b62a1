"""Cars that charge and feed energy back by turns, and do as the CSMS says (OCPP 2.1)."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from fixtures.meter import circuit_of, discharged_reading, first_reading, next_reading, vehicle_of
from fixtures.models import station as individual
from loadtest.workload.profile import Profile, Sessions, V2x, check_versions, load_profile
from ocppj.errors import UsageError
from ocppj.schemas import validator
from ocppj.versions import Version
from tests.loadtest.fleet_harness import FleetHarness

V2X = V2x(charge=100.0, discharge=100.0, power=9_000.0, reserve=0.0)
TURNS = Profile(
    title="by turns",
    models={"home-wallbox": 1.0},
    meter=50.0,
    sessions=Sessions(duration=650.0, gap=1.0, v2x=V2X),
)


def charging(profile: Profile = TURNS, answers: dict[str, Any] | None = None) -> FleetHarness:
    return FleetHarness(Version.V21, profile, answers).start()


def events(harness: FleetHarness) -> list[dict[str, Any]]:
    return [call.payload for call in harness.sent("TransactionEvent")]


def register(event: dict[str, Any], measurand: str) -> float:
    samples = event["meterValue"][-1]["sampledValue"]
    return next(float(sample["value"]) for sample in samples if sample["measurand"] == measurand)


def begun(profile: Profile = TURNS) -> FleetHarness:
    """A station whose car has begun to charge."""
    harness = charging(profile)
    for _ in range(700):
        harness.run(1.0)
        if harness.sent("NotifyEVChargingNeeds"):
            return harness
    raise AssertionError("no car came")


def transaction_of(harness: FleetHarness) -> str:
    return str(events(harness)[-1]["transactionInfo"]["transactionId"])


def test_car_tells_that_it_feeds_back() -> None:
    needs = begun().sent("NotifyEVChargingNeeds")[0].payload
    assert needs["chargingNeeds"]["requestedEnergyTransfer"] == "AC_BPT"
    assert needs["chargingNeeds"]["v2xChargingParameters"]["maxDischargePower"] == 9_000.0
    assert validator(Version.V21, "NotifyEVChargingNeeds", "request").is_valid(needs)


def test_energy_flows_in_and_out_and_neither_register_goes_back() -> None:
    harness = begun().run(560.0)
    told = events(harness)
    for event in told:
        assert not validator(Version.V21, "TransactionEvent", "request").errors(event)
    modes = [event["transactionInfo"].get("operationMode") for event in told if event["eventType"] == "Updated"]
    assert {"ChargingOnly", "LocalLoadBalancing"} <= set(modes)
    assert "OperationModeChanged" in {event["triggerReason"] for event in told}
    for measurand in ("Energy.Active.Import.Register", "Energy.Active.Export.Register"):
        values = [register(event, measurand) for event in told]
        assert values == sorted(values)
        assert values[-1] > values[0]
    feeding = [event for event in told if register(event, "Power.Active.Export") > 0]
    assert {event["transactionInfo"]["chargingState"] for event in feeding} == {"Charging"}
    assert all(register(event, "Power.Active.Import") == 0 for event in feeding)
    harness.outcomes()
    assert harness.activity["car that feeds back"] >= 2


def test_energy_that_was_fed_back_is_power_times_time() -> None:
    told = events(begun().run(250.0))
    feeding = [event for event in told if event["transactionInfo"].get("operationMode") == "LocalLoadBalancing"]
    first, last = feeding[0], feeding[-1]
    exported = register(last, "Energy.Active.Export.Register") - register(first, "Energy.Active.Export.Register")
    began, ended = (datetime.fromisoformat(event["timestamp"]) for event in (first, last))
    assert (ended - began).total_seconds() >= 50.0
    assert exported == pytest.approx(9_000.0 * (ended - began).total_seconds() / 3600.0, abs=2.0)


def test_car_follows_a_setpoint_of_the_csms() -> None:
    harness = begun()
    schedule = {
        "id": 1,
        "chargingRateUnit": "W",
        "chargingSchedulePeriod": [{"startPeriod": 0, "operationMode": "CentralSetpoint", "setpoint": -4000.0}],
    }
    profile = {
        "id": 5,
        "stackLevel": 1,
        "chargingProfilePurpose": "TxProfile",
        "chargingProfileKind": "Dynamic",
        "transactionId": transaction_of(harness),
        "chargingSchedule": [schedule],
    }
    order = {"evseId": events(harness)[0]["evse"]["id"], "chargingProfile": profile}
    assert harness.command("SetChargingProfile", order)[2]["status"] == "Accepted"
    harness.run(60.0)
    last = events(harness)[-1]
    assert last["transactionInfo"]["operationMode"] == "CentralSetpoint"
    assert register(last, "Power.Active.Export") == 4_000.0
    update = {"chargingProfileId": 5, "scheduleUpdate": {"setpoint": -2500.0}}
    assert harness.command("UpdateDynamicSchedule", update)[2]["status"] == "Accepted"
    harness.run(60.0)
    assert register(events(harness)[-1], "Power.Active.Export") == 2_500.0


def test_car_follows_a_signal_of_the_grid_and_what_is_allowed() -> None:
    harness = begun()
    assert (
        harness.command("AFRRSignal", {"timestamp": "2026-01-01T00:00:00Z", "signal": -30})[2]["status"] == "Accepted"
    )
    harness.run(10.0)
    assert events(harness)[-1]["transactionInfo"]["operationMode"] == "CentralFrequency"
    only = {"transactionId": transaction_of(harness), "allowedEnergyTransfer": ["DC"]}
    assert harness.command("NotifyAllowedEnergyTransfer", only)[2]["status"] == "Accepted"
    harness.run(300.0)
    assert events(harness)[-1]["transactionInfo"]["operationMode"] == "ChargingOnly"
    assert register(events(harness)[-1], "Power.Active.Export") == 0


def test_stations_without_such_cars_refuse_the_signal() -> None:
    harness = charging(Profile(title="cars", models={"ac-single": 1.0}))
    assert harness.command("AFRRSignal", {"timestamp": "2026-01-01T00:00:00Z", "signal": 3})[2]["status"] == "Rejected"


def test_car_keeps_its_reserve() -> None:
    circuit = circuit_of(individual("dc-150", "CP1").connectors[0], vehicle_of(7))
    full = first_reading(circuit)._replace(soc=25.0)
    empty = discharged_reading(circuit, full, 360_000.0, power=10_000.0, reserve=20.0)
    assert empty.soc == pytest.approx(20.0)
    assert empty.export_power == 0.0
    assert empty.export_wh == pytest.approx(0.05 * circuit.vehicle.battery_wh)
    again = next_reading(circuit, empty, 60.0)
    assert again.export_wh == empty.export_wh
    assert again.energy_wh > empty.energy_wh


def test_feeding_back_needs_a_version_that_knows_it(tmp_path: Path) -> None:
    profile = load_profile("v2x")
    check_versions(profile, [Version.V21])
    with pytest.raises(UsageError, match=r"feeds energy back, which OCPP 2\.0\.1 does not know; choose --ocpp 2\.1"):
        check_versions(profile, [Version.V21, Version.V201])
    path = tmp_path / "mine.yaml"
    path.write_text("title: x\nsessions: {duration: 9, gap: 9, v2x: {charge: 0}}\n")
    with pytest.raises(UsageError, match=r"`charge` and `discharge` must be at least"):
        load_profile(str(path))
