"""Impaired networks: the rules as data, what becomes of frames, and what is blamed on whom."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any

import msgspec
import pytest

from config.locations import Location
from loadtest.measuring.session_row import NOTE, row_of
from loadtest.station.impairments import ImpairedWire
from loadtest.timing.pacing import Draws
from loadtest.workload.impair import Direction, Fate, Impairment, fate_of, read_impairments, rules_for
from loadtest.workload.profile import Profile, read_profile
from ocppj.errors import UsageError
from ocppj.versions import Version
from tests.loadtest.fleet_harness import IDLE, SILENT, FleetHarness, HarnessSocket, charging

ALL_VERSIONS = pytest.mark.parametrize("version", list(Version))
HERE = Location("impair")


def impaired(*rules: dict[str, Any], profile: Profile = IDLE) -> Profile:
    return msgspec.structs.replace(profile, impair=rules)


# -- the rules ---------------------------------------------------------------------------------------------------------


def test_rules_are_read_with_their_units() -> None:
    rules = read_impairments(
        [{"latency": "200ms", "jitter": "1s", "loss": "0.1%"}, {"half_open": 0.5, "actions": ["Heartbeat"]}], HERE
    )
    assert rules[0] == Impairment(latency=0.2, jitter=1.0, loss=0.001)
    assert rules[1] == Impairment(half_open=0.5, actions=frozenset({"Heartbeat"}))


@pytest.mark.parametrize(
    ("entry", "complaint"),
    [
        ({}, r"an impairment needs one of latency, jitter, duplicates, loss and half_open"),
        ({"latency": "soon"}, r"latency"),
        ({"loss": "200%"}, r"loss"),
        ({"loss": 0.1, "direction": "up"}, r"direction"),
        ({"los": 0.1}, r"'los' is unknown; did you mean 'loss'"),
        ({"loss": 0.1, "actions": ["Heartbeet"]}, r"'Heartbeet'; did you mean 'Heartbeat'"),
        ("loss", r"impair"),
    ],
)
def test_a_mistake_in_a_rule_is_told_where_it_is(tmp_path: Path, entry: Any, complaint: str) -> None:
    path = tmp_path / "profile.yaml"
    path.write_text(msgspec.yaml.encode({"title": "x", "impair": [entry]}).decode(), encoding="utf-8")
    with pytest.raises(UsageError, match=complaint):
        read_profile(path)


def test_a_frame_meets_every_rule_about_it_and_the_draws_of_a_seed_are_the_same() -> None:
    rules = read_impairments(
        [{"latency": 1}, {"direction": "to-csms", "latency": 2}, {"actions": ["MeterValues"], "latency": 4}], HERE
    )
    draws = Draws(1, "PS1", "impair")
    delays = {
        (direction, action): fate_of(rules, direction, action, draws).delay
        for direction in (Direction.TO_CSMS, Direction.FROM_CSMS)
        for action in ("MeterValues", "Heartbeat")
    }
    assert list(delays.values()) == [7.0, 3.0, 5.0, 1.0]
    chance = read_impairments({"loss": 0.5, "duplicates": 0.5, "jitter": 1}, HERE)
    fates = [
        [fate_of(chance, Direction.TO_CSMS, "Heartbeat", draws) for _ in range(200)]
        for draws in (Draws(7, "PS1", "impair"), Draws(7, "PS1", "impair"), Draws(8, "PS1", "impair"))
    ]
    assert fates[0] == fates[1] != fates[2]
    assert 60 < sum(fate.lost for fate in fates[0]) < 140
    assert 0 < min(fate.delay for fate in fates[0]) < max(fate.delay for fate in fates[0]) < 1


def test_a_share_of_the_stations_is_drawn_from_the_seed() -> None:
    rules = (Impairment(loss=0.1, stations=0.3), Impairment(latency=1.0))
    under = [rules_for(rules, f"PS{number}", 5) for number in range(400)]
    assert under == [rules_for(rules, f"PS{number}", 5) for number in range(400)]
    assert 80 < sum(len(one) == 2 for one in under) < 160
    assert all(rules[1] in one for one in under)


# -- frames ------------------------------------------------------------------------------------------------------------


def test_nothing_stands_between_a_station_and_its_socket_where_no_rule_asks_for_it() -> None:
    assert isinstance(FleetHarness().start().station.socket, HarnessSocket)
    elsewhere = impaired({"stations": 0, "latency": 1})
    assert isinstance(FleetHarness(profile=elsewhere).start().station.socket, HarnessSocket)
    assert isinstance(FleetHarness(profile=impaired({"latency": 1})).start().station.socket, ImpairedWire)


@ALL_VERSIONS
def test_latency_delays_both_ways_and_keeps_the_order(version: Version) -> None:
    harness = FleetHarness(version, impaired({"latency": 0.2, "jitter": 0.3})).start()
    assert harness.calls == []
    harness.run(30.0)
    boot = harness.sent("BootNotification")[0]
    assert 1000.2 <= boot.at <= 1000.5
    assert harness.station.online
    first = harness.sent("StatusNotification")[0]
    assert 0.4 <= first.at - boot.at <= 1.0, "the answer, and the next message"
    before = len(harness.replies)
    for number in range(20):
        harness.hear_on_the_wire(f'[2,"c{number}","TriggerMessage",{{"requestedMessage":"Heartbeat"}}]')
    harness.run(60.0)
    assert [reply[1] for reply in harness.replies[before:]] == [f"c{number}" for number in range(20)]
    outcomes = harness.outcomes()
    assert outcomes["BootNotification", "accepted"] == 1
    assert harness.injected["latency to-csms"] == len(harness.calls) + 20
    assert harness.injected["latency from-csms"] == len(harness.calls) + 20
    assert not outcomes["Heartbeat", "injected"]


def test_a_duplicate_reaches_the_csms_and_its_second_answer_is_no_fault() -> None:
    profile = impaired({"duplicates": 1, "direction": "to-csms", "actions": ["Heartbeat"]})
    profile = msgspec.structs.replace(profile, heartbeat=10.0)
    harness = FleetHarness(profile=profile).start().run(95.0)
    beats = harness.sent("Heartbeat")
    assert len(beats) in (18, 20)
    assert [one.message_id for one in beats[::2]] == [one.message_id for one in beats[1::2]]
    assert len(harness.sent("BootNotification")) == 1
    outcomes = harness.outcomes()
    assert outcomes["Heartbeat", "accepted"] == len(beats) // 2
    assert harness.faults == {}
    assert harness.injected["duplicate to-csms"] == len(beats) // 2
    assert sum(count for kind, count in harness.injected.items() if kind.startswith("stray")) == len(beats) // 2


def test_an_answer_that_arrives_twice_is_no_fault_of_the_csms_and_one_that_it_repeats_is() -> None:
    profile = msgspec.structs.replace(impaired({"duplicates": 1, "direction": "from-csms"}), heartbeat=10.0)
    harness = FleetHarness(profile=profile).start().run(50.0)
    harness.outcomes()
    assert harness.faults == {}
    assert harness.injected["duplicate from-csms"] > 4
    twice = FleetHarness(profile=msgspec.structs.replace(IDLE, heartbeat=10.0)).start().run(25.0)
    twice.hear(f'[3,"{twice.sent("Heartbeat")[-1].message_id}",{{"currentTime":"2026-01-01T00:00:00Z"}}]')
    twice.outcomes()
    assert twice.faults == {"duplicate": 1}


@pytest.mark.parametrize("direction", ["to-csms", "from-csms"])
def test_a_lost_message_becomes_a_reconnect_and_is_not_blamed_on_the_csms(direction: str) -> None:
    rule = {"loss": 1, "direction": direction, "actions": ["Heartbeat"]}
    profile = msgspec.structs.replace(impaired(rule), heartbeat=20.0)
    harness = FleetHarness(profile=profile).start().run(100.0)
    assert len(harness.sockets) >= 4
    reached = len(harness.sent("Heartbeat"))
    assert (reached == 0) == (direction == "to-csms")
    assert {socket.closed_with for socket in harness.sockets[:-1]} == {0}
    outcomes = harness.outcomes()
    count = harness.injected[f"loss {direction}"]
    assert count >= 4
    assert outcomes["Heartbeat", "injected"] == count
    assert not outcomes["Heartbeat", "lost"]
    assert harness.lost == 0
    assert harness.injected["connection ended: loss"] in (count, count - 1)


def test_a_half_open_connection_is_noticed_after_its_time_by_nobody_before() -> None:
    rule = {"half_open": 1, "hold": 60, "actions": ["Heartbeat"], "direction": "to-csms"}
    profile = msgspec.structs.replace(impaired(rule), heartbeat=20.0)
    harness = FleetHarness(profile=profile, call_timeout=15.0).start().run(50.0)
    old = harness.sockets[0]
    assert old.open
    assert old.paused
    assert harness.station.online
    assert harness.sent("Heartbeat") == []
    harness.run(60.0)
    assert old.closed_with == 0
    assert len(harness.sockets) == 2
    outcomes = harness.outcomes()
    assert outcomes["Heartbeat", "injected"] >= 2
    assert not outcomes["Heartbeat", "timeout"]
    assert harness.injected["half-open to-csms"] >= 1
    assert harness.lost == 0
    assert harness.faults == {}


def test_a_csms_that_does_not_answer_is_still_blamed_under_latency() -> None:
    profile = msgspec.structs.replace(impaired({"latency": 0.5}), heartbeat=20.0)
    harness = FleetHarness(profile=profile, answers={"Heartbeat": SILENT}, call_timeout=15.0).start().run(120.0)
    outcomes = harness.outcomes()
    assert outcomes["Heartbeat", "timeout"] >= 4
    assert not outcomes["Heartbeat", "injected"]


def test_an_answer_that_the_run_delays_beyond_the_time_limit_is_not_missed_by_the_csms() -> None:
    profile = msgspec.structs.replace(impaired({"latency": 20, "actions": ["Heartbeat"]}), heartbeat=60.0)
    harness = FleetHarness(profile=profile, call_timeout=15.0).start().run(400.0)
    outcomes = harness.outcomes()
    assert outcomes["Heartbeat", "injected"] >= 3
    assert not outcomes["Heartbeat", "timeout"]
    assert harness.faults == {}


def test_what_is_under_way_ends_with_the_station_and_a_close_waits_for_it() -> None:
    harness = FleetHarness(profile=impaired({"latency": 3}, profile=charging(30.0))).start().run(70.0)
    assert harness.sent("StartTransaction")
    stopped: list[bool] = []
    harness.station.stop(lambda: stopped.append(True), 60.0)
    harness.run(120.0)
    assert stopped == [True]
    assert len(harness.timers) == 0
    assert len(harness.sent("StopTransaction")) == len(harness.sent("StartTransaction"))


@pytest.mark.parametrize("action", ["StartTransaction", "StopTransaction"])
def test_the_ledger_knows_that_a_message_went_out_twice(action: str) -> None:
    rule = {"duplicates": 1, "direction": "to-csms", "actions": [action]}
    harness = FleetHarness(profile=impaired(rule, profile=charging(30.0, 1000.0))).start().run(1500.0)
    assert len({call.message_id for call in harness.sent(action)}) * 2 == len(harness.sent(action))
    rows = [row_of(note) for note in harness.recorder.take(final=True)["notes"] if note[0] == NOTE]
    assert rows
    assert not any(row.once for row in rows)
    plain = FleetHarness(profile=charging(30.0, 1000.0)).start().run(1500.0)
    assert all(row_of(note).once for note in plain.recorder.take(final=True)["notes"] if note[0] == NOTE)


def test_the_same_seed_injects_the_same_faults() -> None:
    profile = impaired({"loss": 0.05, "duplicates": 0.1, "jitter": 2}, profile=charging(60.0))
    runs = [FleetHarness(profile=profile, seed=seed).start().run(3000.0) for seed in (3, 3, 4)]
    times = [[call.at for call in harness.calls] for harness in runs]
    assert times[0] == times[1] != times[2]
    assert any(before > 5 for before in (after - before for before, after in pairwise(times[0])))


def test_fates_of_frames_that_nobody_can_read_go_by_the_rules_for_all() -> None:
    rule = (Impairment(latency=1.0),)
    assert fate_of(rule, Direction.FROM_CSMS, "", Draws(1, "x")) == Fate(delay=1.0)
    named = (Impairment(latency=1.0, actions=frozenset({"Heartbeat"})),)
    assert fate_of(named, Direction.FROM_CSMS, "", Draws(1, "x")) == Fate()
