from __future__ import annotations

from itertools import pairwise

from loadtest.station import Station
from loadtest.workload.identities import Lease
from loadtest.workload.profile import Profile, Sessions
from ocppj.versions import Version
from tests.loadtest.fleet_harness import FleetHarness

TOKENS = ("TAG-A", "TAG-B", "TAG-C", "TAG-D", "TAG-E")


def test_every_token_of_a_station_charges_in_turn_and_no_connector_shows_that_of_another() -> None:
    profile = Profile(
        title="busy",
        models={"ac-dual": 1.0},
        sessions=Sessions(duration=(30.0, 90.0), gap=(5.0, 60.0), unplug=1.0),
    )
    harness = FleetHarness(Version.V16, profile)
    harness.station = Station(harness.context, Version.V16, Lease(1, "CP1", TOKENS[0], None, TOKENS[1:]))
    harness.start().run(3600.0)
    shown: dict[int, list[str]] = {}
    for start in harness.sent("StartTransaction"):
        shown.setdefault(start.payload["connectorId"], []).append(start.payload["idTag"])
    assert {connector: set(tokens) for connector, tokens in shown.items()} == {
        1: {"TAG-A", "TAG-C", "TAG-E"},
        2: {"TAG-B", "TAG-D"},
    }
    assert all(before != after for tokens in shown.values() for before, after in pairwise(tokens))
