"""How many stations charge is counted as their transactions begin and end, whatever ends them."""

from __future__ import annotations

import pytest

from loadtest.station.state.connectors import charging
from loadtest.workload.profile import Profile, Sessions
from ocppj.versions import Version
from tests.loadtest.fleet_harness import FleetHarness

DUAL = Profile(title="dual", models={"ac-dual": 1.0}, sessions=Sessions(duration=(20.0, 80.0), gap=(5.0, 50.0)))


def truth(harness: FleetHarness) -> int:
    return int(bool(charging(harness.station)))


@pytest.mark.parametrize("version", list(Version))
def test_a_station_charges_from_its_first_transaction_to_the_end_of_its_last(version: Version) -> None:
    harness = FleetHarness(version, profile=DUAL).start()
    seen = set()
    for _ in range(600):
        harness.run(1.0)
        running = len(charging(harness.station))
        seen.add(running)
        assert harness.recorder.charging_now == (running > 0)
    assert seen == {0, 1, 2}


@pytest.mark.parametrize("end", ["lose_power", "stop", "lost"])
def test_no_station_is_left_charging_when_something_ends_it(end: str) -> None:
    harness = FleetHarness(profile=DUAL).start()
    while not truth(harness):
        harness.run(1.0)
    match end:
        case "lose_power":
            harness.station.lose_power()
        case "stop":
            harness.station.stop(lambda: None, 5.0)
        case "lost":
            harness.lose()
    harness.run(10.0)
    # A lost connection ends no transaction.
    assert harness.recorder.charging_now == truth(harness) == (end == "lost")
