"""Stations in a harness, and what the leader hears of them."""

from __future__ import annotations

from typing import Any

import pytest

from loadtest.plugins.commands.matching import SeenEffect
from loadtest.plugins.commands.observer import DID, SEEN, STATE, CommandObserver, machine_of
from loadtest.station.contract import Observer
from loadtest.station.state.charging_limits import ChargingLimits
from loadtest.station.state.store import need
from loadtest.workload.profile import Profile
from ocppj.versions import Version
from tests.loadtest.fleet_harness import FleetHarness, charging

PARKED = Profile(name="parked", title="nobody comes", models={"ac-single": 1.0}, meter=10.0, reboot=5.0)


class Watched:
    """A harness under the eyes of a watch."""

    def __init__(self, version: Version = Version.V16, profile: Profile = PARKED, **more: Any) -> None:
        self.harness = FleetHarness(version, profile, **more)
        station = self.harness.station
        self.identity = station.lease.identity
        self.stations: dict[str, Any] = {self.identity: station}

        def attach(observer: Observer | None) -> None:
            self.harness.context.observer = observer

        self.observer = CommandObserver(
            self.stations, self.harness.recorder, self.harness.timers, self.harness.clock, attach
        )
        self.harness.start().run(2)
        self.order()

    def order(self, machine: str | None = None, ahead: float = 0.0) -> None:
        machine = machine_of() if machine is None else machine
        self.observer.order({"kind": "commands", "machine": machine, "sent": self.harness.now - ahead})

    def run(self, seconds: float) -> None:
        """Let time pass while orders come."""
        until = self.harness.now + seconds
        while self.harness.now < until:
            self.order()
            self.harness.run(min(1.0, until - self.harness.now))

    def notes(self, kind: str) -> list[list[Any]]:
        return [note[1:] for note in self.harness.recorder.take()["notes"] if note[0] == kind]


def start(version: Version, token: str) -> tuple[str, dict[str, Any]]:
    if version is Version.V16:
        return "RemoteStartTransaction", {"idTag": token}
    id_token = {"idToken": token, "type": "ISO14443"}
    return "RequestStartTransaction", {"idToken": id_token, "remoteStartId": 4}


@pytest.mark.parametrize("version", Version)
def test_a_remote_start_is_seen_started_and_metered(version: Version) -> None:
    seen = Watched(version, latency=0.5)
    action, payload = start(version, "T1")
    seen.harness.command(action, payload)
    at = seen.harness.now
    assert [note[:3] + note[4:] for note in seen.notes(SEEN)] == [[seen.identity, action, "T1", True, at]]
    seen.run(11)
    station, reactions = seen.identity, seen.notes(DID)
    assert [(note[0], note[1], note[2]) for note in reactions] == [
        (station, SeenEffect.STARTED, "T1"),
        (station, SeenEffect.METERED, "T1"),
    ]
    # Both count from the answer of the CSMS.
    assert reactions[0][3] >= at + 0.5
    assert reactions[1][3] == at + 10.5
    seen.run(30)
    assert seen.notes(DID) == []


@pytest.mark.parametrize("version", Version)
def test_a_remote_stop_is_done_when_the_csms_has_the_end(version: Version) -> None:
    seen = Watched(version)
    seen.harness.command(*start(version, "T1"))
    seen.run(2)
    charging_session: Any = seen.harness.station.connectors[0].charging_session
    number = charging_session.transaction_id
    seen.notes(DID)
    action = "RemoteStopTransaction" if version is Version.V16 else "RequestStopTransaction"
    seen.harness.command(action, {"transactionId": number})
    seen.run(1)
    assert (seen.identity, SeenEffect.ENDED, str(number)) in [tuple(note[:3]) for note in seen.notes(DID)]


def test_a_start_that_the_csms_refuses_is_told_as_refused() -> None:
    no = {"transactionId": 1, "idTagInfo": {"status": "Blocked"}}
    seen = Watched(answers={"StartTransaction": no})
    seen.harness.command(*start(Version.V16, "T1"))
    seen.run(1)
    assert [note[1] for note in seen.notes(DID)] == [SeenEffect.REFUSED]


def test_a_reset_is_over_when_the_station_is_accepted_again() -> None:
    seen = Watched()
    seen.harness.command("Reset", {"type": "Soft"})
    at = seen.harness.now
    seen.run(6)
    (seen_effect,) = seen.notes(DID)
    assert seen_effect[:2] == [seen.identity, SeenEffect.BOOTED]
    assert seen_effect[3] == pytest.approx(at + 5, abs=0.01)


@pytest.mark.parametrize("wanted", ["StatusNotification", "Heartbeat", "BootNotification", "MeterValues"])
def test_a_trigger_is_followed_to_the_answer_of_its_message(wanted: str) -> None:
    seen = Watched(latency=0.25)
    seen.run(2)
    seen.harness.command("TriggerMessage", {"requestedMessage": wanted})
    at = seen.harness.now
    seen.run(1)
    (seen_effect,) = seen.notes(DID)
    assert seen_effect == [seen.identity, SeenEffect.TRIGGERED, wanted, at + 0.25]


def test_a_triggered_meter_value_is_not_taken_for_a_periodic_one() -> None:
    seen = Watched()
    seen.harness.command(*start(Version.V16, "T1"))
    seen.run(12)
    seen.notes(DID)
    seen.harness.command("TriggerMessage", {"requestedMessage": "MeterValues"})
    (seen_effect,) = seen.notes(DID)
    assert seen_effect[1] == SeenEffect.TRIGGERED


@pytest.mark.parametrize(("limit", "kept"), [(1000.0, True), (7.0, True), (0.1, True), (7.0, False)])
def test_a_limit_is_kept_by_a_meter_value_that_was_read_after_it(*, limit: float, kept: bool) -> None:
    seen = Watched()
    seen.harness.command(*start(Version.V16, "T1"))
    seen.run(12)
    seen.notes(DID)
    schedule = {"chargingRateUnit": "A", "chargingSchedulePeriod": [{"startPeriod": 0, "limit": limit}]}
    profile = {
        "chargingProfileId": 77,
        "stackLevel": 0,
        "chargingProfilePurpose": "TxDefaultProfile",
        "chargingProfileKind": "Relative",
        "chargingSchedule": schedule,
    }
    seen.harness.command("SetChargingProfile", {"connectorId": 1, "csChargingProfiles": profile})
    assert seen.notes(DID) == []
    if not kept:
        # A station that says yes and goes on as before.
        need(seen.harness.station, ChargingLimits).profiles.clear()
    seen.run(10)
    found = [(note[1], note[2]) for note in seen.notes(DID)]
    assert found == ([(SeenEffect.LIMITED, "77")] if kept else [])


def test_a_command_that_the_station_refuses_is_seen_and_waits_for_nothing() -> None:
    seen = Watched()
    seen.harness.command("RemoteStopTransaction", {"transactionId": 999})
    seen.harness.command("Reset", {"type": "Nonsense"})
    assert [note[4] for note in seen.notes(SEEN)] == [False, False]
    seen.run(20)
    assert seen.notes(DID) == []


def test_stations_tell_how_they_stand_once_and_again_when_it_changes() -> None:
    seen = Watched()
    seen.run(1.2)
    (first,) = seen.notes(STATE)
    ((identity, ocpp, online, token, connectors),) = first[0]
    assert (identity, ocpp, online, token) == (seen.identity, "1.6", True, seen.harness.station.lease.token)
    assert connectors == [[1, 1, 1, False, None]]
    seen.run(3)
    assert seen.notes(STATE) == []
    seen.order()
    seen.harness.command(*start(Version.V16, "T1"))
    seen.run(1.2)
    assert [note[0][0][4] for note in seen.notes(STATE)] == [[[1, 1, 1, True, 4711]]]
    seen.stations.clear()
    seen.run(1.2)
    assert [note[0][0][2] for note in seen.notes(STATE)] == [False]


def test_nobody_is_asked_for_anything_without_orders_and_after_the_last_one() -> None:
    seen = Watched(profile=charging())
    found = [seen.harness.context.observer]
    seen.harness.run(11)
    found.append(seen.harness.context.observer)
    assert found == [seen.observer, None]
    seen.harness.recorder.take()
    seen.harness.command("ClearCache", {})
    seen.harness.run(5)
    assert seen.harness.recorder.take()["notes"] == []
    seen.order()
    seen.harness.run(1.2)
    assert len(seen.notes(STATE)) == 1
    seen.observer.order({"kind": "commands", "last": True})
    assert seen.harness.context.observer is None
    seen.stations.clear()
    seen.harness.run(2)
    assert seen.notes(STATE) == []


def test_times_of_another_machine_follow_from_the_fastest_order() -> None:
    seen = Watched()
    for ahead in (500.3, 500.1, 500.7):
        seen.order("another kernel", ahead)
    seen.harness.command("ClearCache", {})
    (note,) = seen.notes(SEEN)
    # The first order came from this machine with no distance at all, and is forgotten with the rest of its thirty.
    for _ in range(30):
        seen.order("another kernel", 500.1)
    seen.harness.command("ClearCache", {})
    (later,) = seen.notes(SEEN)
    assert later[-1] == pytest.approx(seen.harness.now - 500.1)
    assert note[-1] == pytest.approx(seen.harness.now - 0.0)
