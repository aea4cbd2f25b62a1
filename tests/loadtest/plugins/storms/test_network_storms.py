"""Storms of the network and behind the sockets, as one station lives them, on a clock that jumps."""

from __future__ import annotations

import msgspec
import pytest

from loadtest.station.impairments import ImpairedWire
from loadtest.timing.backoff import Backoff
from loadtest.transport.contract import How
from loadtest.workload.storms import (
    Blackout,
    BrokerRestart,
    BrokerSlow,
    ClockSurge,
    Impair,
    LbDrain,
    MiddleRestart,
    PortScan,
    RootChange,
    Storm,
    Twins,
)
from ocppj.versions import Version
from tests.loadtest.fleet_harness import IDLE, SILENT, HarnessSocket
from tests.loadtest.plugins.storms.test_storms import ALL_BACK, VERSIONS, storm


@VERSIONS
def test_a_bad_network_delays_loses_and_is_good_again(version: Version) -> None:
    profile = msgspec.structs.replace(IDLE, heartbeat=5.0)
    sky = storm(version, profile=profile)
    harness = sky.harness
    sky.start(Impair(lasts=60.0, latency=1.0, jitter=0.0, loss=0.3, actions="Heartbeat"))
    first = harness.station.socket
    assert isinstance(first, ImpairedWire), "the connection that stands is impaired, too"
    before = len(harness.sent("Heartbeat"))
    harness.run(59.0)
    late = [call.at for call in harness.sent("Heartbeat")[before:]]
    assert late
    assert len(harness.sockets) > 1
    harness.run(60.0)
    assert sky.counts()["struck"] == sky.counts()["drained"] == 1
    before = len(harness.sockets)
    harness.run(300.0)
    assert len(harness.sockets) == before
    assert harness.station.storm is None
    harness.lose()
    harness.run(20.0)
    assert isinstance(harness.station.socket, HarnessSocket), "and the next one is not"


def test_storms_with_the_same_impairment_end_one_by_one() -> None:
    sky = storm()
    sky.start(Impair(lasts=10.0, latency=1.0, jitter=0.0), number=1)
    sky.start(Impair(lasts=20.0, latency=1.0, jitter=0.0), number=2)
    harness = sky.harness

    def delay() -> float:
        before, at = len(harness.replies), harness.now
        harness.command_later("TriggerMessage", {"requestedMessage": "Heartbeat"})
        while len(harness.replies) == before:
            harness.run(0.5)
        return harness.now - at

    assert delay() == 4.0
    harness.run(12.0 - (harness.now - 1030.0))
    assert delay() == 2.0
    harness.run(22.0 - (harness.now - 1030.0))
    assert delay() <= 0.5


def test_stations_that_take_a_close_for_the_end_are_named_and_no_fault_of_the_csms() -> None:
    profile = msgspec.structs.replace(IDLE, vendors={"stays-away": 1.0})
    sky = storm(profile=profile)
    sky.start(LbDrain(batches=1))
    sky.harness.run(600.0)
    assert sky.counts() == {"struck": 1, "back": 0, "booted": 0, "drained": 0}
    assert dict(sky.totals().counts("away")) == {"close": 1}
    assert len(sky.harness.sockets) == 1


@pytest.mark.parametrize(
    ("what", "comes_between"),
    [(MiddleRestart(down=10.0), True), (Impair(lasts=60.0), True), (Blackout(down=20.0), True), (ClockSurge(), False)],
)
def test_what_loads_the_csms_does_not_come_between_and_what_silences_does(what: Storm, *, comes_between: bool) -> None:
    sky = storm()
    sky.harness.answers["MeterValues"] = SILENT
    sky.start(what)
    sky.harness.run(1.0)
    assert sky.harness.station.storm is not None
    assert sky.harness.station.storm.comes_between is comes_between


@VERSIONS
def test_a_csms_that_is_mute_behind_its_sockets_is_not_blamed_until_it_should_answer_again(version: Version) -> None:
    profile = msgspec.structs.replace(IDLE, heartbeat=7.0)
    sky = storm(version, profile=profile, call_timeout=20.0)
    harness = sky.harness
    beats = harness.answers["Heartbeat"]
    harness.outcomes()
    harness.answers["Heartbeat"] = SILENT
    sky.start(MiddleRestart(down=10.0))
    harness.run(10.0)
    harness.answers["Heartbeat"] = beats
    assert sky.counts()["drained"] == 0
    harness.run(40.0)
    assert sky.counts()["struck"] == sky.counts()["drained"] == 1
    assert len(harness.sockets) == 1
    assert sky.totals().when("drained", 1.0) == pytest.approx(20.2, abs=0.3)
    assert sky.outcomes["Heartbeat", "injected"] == 1
    assert not sky.outcomes["Heartbeat", "timeout"]
    assert sky.outcomes["Heartbeat", "accepted"] > 3


def test_a_csms_that_stays_mute_is_blamed() -> None:
    profile = msgspec.structs.replace(IDLE, heartbeat=7.0)
    sky = storm(profile=profile, call_timeout=20.0)
    sky.harness.answers["Heartbeat"] = SILENT
    sky.start(MiddleRestart(down=10.0))
    sky.harness.run(100.0)
    assert sky.counts()["drained"] == 0
    assert sky.outcomes["Heartbeat", "injected"] == 1
    assert sky.outcomes["Heartbeat", "timeout"] >= 3


def test_twins_come_and_go_and_the_station_has_its_answers_in_the_end() -> None:
    sky = storm()
    harness = sky.harness
    sky.start(Twins(lasts=2.0, every=0.2))
    harness.run(1.9)
    twins = harness.sockets[1:]
    assert [socket.closed_with for socket in twins] == [0] * 5, "each is gone after its time"
    requests = [socket.request for socket in harness.sockets]
    assert len({request[0] for request in requests if request is not None}) == 1, "all have one identity"
    harness.sockets[0].open = False
    harness.station.on_closed(1008, "twice", How.PEER)
    harness.run(30.0)
    totals = sky.totals()
    assert sky.counts()["struck"] == sky.counts()["drained"] == 1
    assert totals.numbers["twin_opened"] in (5, 6)
    assert totals.numbers["real_kicked"] == 1
    assert not any(socket.open for socket in harness.sockets[:-1])
    assert harness.station.storm is None


def test_a_twin_that_the_csms_closes_or_refuses_is_counted_so() -> None:
    sky = storm()
    harness = sky.harness
    sky.start(Twins(lasts=1.0, every=0.2))
    harness.run(0.05)
    harness.sockets[-1].open = False
    harness.sockets[-1].station.on_closed(1008, "twice", How.PEER)
    harness.refuse_with = "http-409"
    harness.run(0.5)
    harness.refuse_with = None
    harness.run(30.0)
    numbers = sky.totals().numbers
    assert numbers["twin_kicked"] == 1
    assert numbers["twin_refused"] >= 1
    assert numbers["real_kicked"] == 0
    assert sky.counts()["drained"] == 1


def test_stations_reconnect_at_once_when_the_scanner_is_gone() -> None:
    sky = storm(backoff=Backoff("fixed", 30.0, 0.0, 0))
    sky.start(PortScan(hold=5.0))
    sky.harness.run(4.0)
    assert sky.harness.station.online
    sky.harness.run(6.0)
    assert sky.counts() == ALL_BACK
    assert sky.totals().when("back", 1.0) == pytest.approx(5.0, abs=0.1)


def test_a_station_that_trusts_the_new_root_comes_back_with_it() -> None:
    sky = storm(backoff=Backoff("fixed", 2.0, 0.0, 0))
    sky.start(RootChange(outdated=0.0))
    sky.harness.run(60.0)
    assert sky.found == ["new.pem"]
    assert sky.counts() == ALL_BACK
    request = sky.harness.sockets[-1].request
    assert request is not None
    assert request[0].startswith("ws://new-root.example")


def test_a_station_that_trusts_the_old_root_only_is_locked_out_and_named() -> None:
    sky = storm(backoff=Backoff("fixed", 2.0, 0.0, 0))
    sky.start(RootChange(outdated=1.0))
    sky.harness.refuse_with = "tls-failed"
    sky.harness.run(60.0)
    request = sky.harness.sockets[-1].request
    assert request is not None
    assert request[0].startswith("ws://csms.example")
    assert sky.counts() == {"struck": 1, "back": 0, "booted": 0, "drained": 0}
    totals = sky.totals()
    assert totals.counts("away").total() == 1
    assert totals.counts("failed")["tls-failed"] == 30


@VERSIONS
def test_a_broker_that_restarts_takes_every_session_with_it(version: Version) -> None:
    sky = storm(version)
    before = len(sky.harness.sockets)
    sky.start(BrokerRestart(down=5.0))
    sky.harness.run(120.0)
    assert sky.counts() == ALL_BACK
    assert len(sky.harness.sockets) > before


def test_a_slow_broker_delays_both_ways_and_ends_nothing() -> None:
    profile = msgspec.structs.replace(IDLE, heartbeat=5.0)
    sky = storm(profile=profile)
    harness = sky.harness
    sky.start(BrokerSlow(lasts=30.0, latency=2.0, jitter=0.0))
    before = len(harness.sockets)
    harness.run(29.0)
    assert isinstance(harness.station.socket, ImpairedWire)
    harness.run(60.0)
    assert sky.counts()["struck"] == sky.counts()["drained"] == 1
    assert len(harness.sockets) == before
