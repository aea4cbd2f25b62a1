"""Each storm as one station lives it, on a clock that jumps."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from loadtest.plugins.storms.figures import Totals
from loadtest.plugins.storms.process import KIND, StormProcess
from loadtest.station.dialect.contract import Status
from loadtest.station.impairments import ImpairedWire
from loadtest.timing.backoff import Backoff
from loadtest.transport.contract import How
from loadtest.transport.target import Target
from loadtest.workload.storms import (
    STORMS,
    Blackout,
    ClockSurge,
    CsmsRestart,
    FirmwareRollout,
    Flapping,
    HalfOpen,
    Impair,
    LbDrain,
    MassRemoteStart,
    MiddleRestart,
    OfflineFlush,
    PortScan,
    RegionFailover,
    RollingDeploy,
    SlowConsumer,
    Storm,
    TariffSwitch,
    Twins,
    write_storm,
)
from ocppj.versions import Version
from tests.loadtest.fleet_harness import IDLE, SILENT, FleetHarness, HarnessSocket, charging

V16, V201 = Version.V16, Version.V201
VERSIONS = pytest.mark.parametrize("version", [V16, V201])


class Weather:
    """A harness with a front that moves over its one station."""

    def __init__(self, harness: FleetHarness) -> None:
        self.harness = harness
        self.found: list[str] = []
        self.outcomes: Counter[tuple[str, str]] = Counter()
        """How CALLs ended, as far as `totals` was asked."""
        self.storm_process = StormProcess(
            harness.timers,
            harness.recorder,
            7,
            {harness.station.lease.identity: harness.station},
            find_target=self._find,
            clock=harness.clock,
        )

    def _find(self, url: str, found: Callable[[Target], object]) -> None:
        self.found.append(url)
        found(Target(url))

    def start(self, storm: Storm, number: int = 1) -> float:
        """Begin a storm now; return the time."""
        self.storm_process.order(
            {"kind": KIND, "number": number, "storm": write_storm(storm), "delay": 0.0, "total": 1}
        )
        began = self.harness.now
        self.harness.run()
        return began

    def totals(self, number: int = 1) -> Totals:
        """Add up the notes so far, and those that are still to be told."""
        self.storm_process.report()
        delta = self.harness.recorder.take()
        for entries in delta["windows"].values():
            for _, action, _, outcome, _, response in entries:
                self.outcomes[action, outcome] += sum(response.values())
        taken = [note for note in delta["notes"] if note[0] == KIND]
        self.notes = [*getattr(self, "notes", []), *taken]
        totals = Totals()
        for kind, at, news in self.notes:
            assert kind == KIND
            if at == number:
                totals.add(news)
        return totals

    def counts(self, number: int = 1) -> dict[str, int]:
        totals = self.totals(number)
        return {name: totals.total(name) for name in ("struck", "back", "booted", "drained")}


ALL_BACK = {"struck": 1, "back": 1, "booted": 1, "drained": 1}


def storm(version: Version = V16, **settings: Any) -> Weather:
    return Weather(FleetHarness(version, **settings).start().run(30.0))


@VERSIONS
def test_csms_restart_cuts_refuses_and_lets_the_back_off_bring_stations_back(version: Version) -> None:
    sky = storm(version, backoff=Backoff("spec", 1.0, 0.0, 2))
    harness = sky.harness
    began = sky.start(CsmsRestart(down=5.0))
    assert harness.sockets[0].closed_with == 0  # without a Close frame
    assert harness.recorder.connected_now == 0
    harness.run(60.0)
    # Waits of 1, 2 and 4 s: two attempts are refused before any packet, the third finds the CSMS up.
    assert [round(at - began, 3) for at in harness.attempts[1:]] == [7.0]
    assert harness.station.online
    totals = sky.totals()
    assert sky.counts() == ALL_BACK
    assert totals.numbers["refused"] == 2
    assert totals.when("back", 1.0) == pytest.approx(7.0, abs=0.02)
    assert harness.station.storm is None
    assert harness.recorder.take(final=True)["lost"] == []


def test_a_restart_by_somebody_else_is_watched_and_what_the_csms_refuses_is_counted() -> None:
    sky = storm(backoff=Backoff("spec", 1.0, 0.0, 2))
    harness = sky.harness
    sky.start(CsmsRestart(down=5.0, cut=False))
    harness.run(0.5)
    assert harness.station.online
    harness.lose(How.PEER, refuse_with="http-503")
    harness.run(4.0)
    harness.refuse_with = None
    harness.run(20.0)
    totals = sky.totals()
    assert sky.counts() == ALL_BACK
    assert dict(totals.counts("failed")) == {"http-503": 2}
    assert totals.numbers["refused"] == 0
    assert totals.when("struck", 1.0) == pytest.approx(0.51)


def test_a_restart_that_is_faster_than_our_timers_is_seen_all_the_same() -> None:
    sky = storm(backoff=Backoff("spec", 1.0, 0.0, 2))
    order = {"kind": KIND, "number": 1, "storm": write_storm(CsmsRestart(cut=False)), "delay": 0.5, "total": 1}
    sky.storm_process.order(order)
    sky.harness.lose(How.PEER)
    sky.harness.run(20.0)
    assert sky.counts() == ALL_BACK


def test_a_restart_that_nobody_does_strikes_nobody() -> None:
    sky = storm()
    sky.start(CsmsRestart(cut=False))
    sky.harness.run(60.0)
    assert sky.counts() == {"struck": 0, "back": 0, "booted": 0, "drained": 0}
    assert sky.harness.station.storm is None


def test_rolling_deploy_hits_a_station_again_that_moved_to_a_node_whose_turn_comes() -> None:
    sky = storm(backoff=Backoff("fixed", 1.0, 0.0, 0))
    harness = sky.harness
    # One station stands on the first of two nodes, so it moves to the second.
    began = sky.start(RollingDeploy(nodes=2, k=1, every=20.0))
    harness.run(60.0)
    assert [round(at - began, 3) for at in harness.attempts[1:]] == [1.0, 21.0]
    totals = sky.totals()
    assert sky.counts() == ALL_BACK
    assert totals.when("booted", 1.0) == pytest.approx(21.0, abs=0.02)
    assert totals.numbers["lost_again"] == 0


def test_lb_drain_closes_politely_with_its_code() -> None:
    sky = storm(backoff=Backoff("fixed", 2.0, 0.0, 0))
    sky.start(LbDrain(batches=1, code=1012))
    assert sky.harness.sockets[0].closed_with == 1012
    sky.harness.run(30.0)
    assert sky.counts() == ALL_BACK
    assert sky.harness.station.online


def test_region_failover_sends_stations_to_the_other_region_for_good() -> None:
    sky = storm(backoff=Backoff("fixed", 2.0, 0.0, 0))
    harness = sky.harness
    sky.start(RegionFailover(to="ws://other.example/csms", down=3.0))
    harness.run(30.0)
    assert sky.found == ["ws://other.example/csms"]
    assert sky.counts() == ALL_BACK
    harness.lose()
    harness.run(30.0)
    urls = [socket.request[0] for socket in harness.sockets if socket.request]
    assert [url.rsplit("/", 1)[0] for url in urls] == [
        "ws://csms.example/ocpp",
        "ws://other.example/csms",
        "ws://other.example/csms",
    ]


@VERSIONS
def test_blackout_ends_transactions_with_power_loss_and_boots_everybody(version: Version) -> None:
    sky = storm(version, profile=charging(duration=300.0, gap=1.0))
    harness = sky.harness
    harness.run(160.0)
    began = sky.start(Blackout(down=20.0))
    harness.run(10.0)
    assert len(harness.attempts) == 1
    harness.run(40.0)
    assert [round(at - began, 3) for at in harness.attempts[1:]] == [20.0]
    boots = harness.sent("BootNotification")
    assert len(boots) == 2
    if version is V16:
        (stop,) = harness.sent("StopTransaction")
        assert stop.payload["reason"] == "PowerLoss"
    else:
        assert boots[1].payload["reason"] == "PowerUp"
        stop = next(call for call in harness.sent("TransactionEvent") if call.payload["eventType"] == "Ended")
        assert stop.payload["transactionInfo"]["stoppedReason"] == "PowerLoss"
        assert stop.payload["triggerReason"] == "AbnormalCondition"
    assert stop.at >= began + 20.0
    assert sky.counts() == ALL_BACK


def test_blackout_spreads_the_return_of_power() -> None:
    times = set()
    for number in range(1, 6):
        sky = storm(number=number)
        began = sky.start(Blackout(down=5.0, spread=10.0))
        sky.harness.run(30.0)
        times.add(round(sky.harness.attempts[1] - began, 2))
    assert len(times) == 5
    assert all(5.0 <= at < 15.0 for at in times)


@pytest.mark.parametrize(("csms_ends_it", "kicked"), [(True, "old_closed"), (False, "old_open")])
def test_half_open_leaves_a_mute_twin_and_tells_what_the_csms_did_with_it(csms_ends_it: bool, kicked: str) -> None:  # noqa: FBT001 - a parameter of the test
    sky = storm()
    harness = sky.harness
    sky.start(HalfOpen(hold=10.0, spread=0.0))
    old, new = harness.sockets
    assert (old.open, old.paused) == (True, True)
    assert harness.station.online
    assert new.request == old.request  # the same station, so no other identity is lent
    if csms_ends_it:
        old.hear(lambda: old.station.on_closed(1000, "twin", How.PEER))
    harness.run(9.0)
    assert not old.closed_with
    harness.run(5.0)
    totals = sky.totals()
    assert sky.counts() == ALL_BACK
    assert {name: totals.numbers[name] for name in ("old_closed", "old_open", "new_kicked")} == {
        "old_closed": 0,
        "old_open": 0,
        "new_kicked": 0,
    } | {kicked: 1}
    assert old.closed_with == 0
    assert harness.station.online


def test_half_open_counts_a_csms_that_throws_the_new_connection_out() -> None:
    sky = storm()
    harness = sky.harness
    sky.start(HalfOpen(hold=20.0, spread=0.0))
    harness.lose(How.PEER)
    harness.run(60.0)
    totals = sky.totals()
    assert totals.numbers["new_kicked"] == 1
    assert totals.numbers["lost_again"] == 1
    assert sky.counts() == ALL_BACK


def test_half_open_sockets_are_closed_when_the_station_ends() -> None:
    sky = storm()
    harness = sky.harness
    sky.start(HalfOpen(hold=1000.0, spread=0.0))
    harness.station.stop(lambda: None, 1.0)
    harness.run(5.0)
    assert not any(socket.open for socket in harness.sockets)
    assert len(harness.timers) <= 1  # the front looks on until the run ends


@VERSIONS
def test_offline_flush_delivers_what_queued_while_cars_charged_on(version: Version) -> None:
    sky = storm(version, profile=charging(duration=40.0, gap=20.0), backoff=Backoff("fixed", 3.0, 0.0, 0))
    harness = sky.harness
    harness.run(60.0)
    before = len(harness.calls)
    began = sky.start(OfflineFlush(down=200.0))
    harness.run(199.0)
    assert len(harness.calls) == before
    waiting = harness.station.messages_waiting
    assert waiting > 10
    harness.run(30.0)
    assert harness.station.messages_waiting == 0
    totals = sky.totals()
    assert sky.counts() == ALL_BACK
    # The messages of the seconds on which the sessions went on while it came back are there too.
    assert max(totals.counts("queued").values()) >= waiting
    assert totals.when("drained", 1.0) >= 200.0  # type: ignore[operator]  # all came, so it has a value
    flushed = [call.at for call in harness.calls[before:] if call.action in ("StartTransaction", "TransactionEvent")]
    assert min(flushed) >= began + 200.0


def test_offline_flush_together_does_not_wait_for_the_back_off() -> None:
    sky = storm(backoff=Backoff("fixed", 500.0, 0.0, 0))
    began = sky.start(OfflineFlush(down=20.0, together=True))
    sky.harness.run(40.0)
    assert [round(at - began, 3) for at in sky.harness.attempts[1:]] == [20.0]


@VERSIONS
def test_clock_surge_reads_every_connector_at_one_instant(version: Version) -> None:
    sky = storm(version, profile=charging(duration=300.0, gap=1.0))
    harness = sky.harness
    harness.run(165.0)
    before = len(harness.calls)
    began = sky.start(ClockSurge())
    harness.run(1.0)
    (read,) = [call for call in harness.calls[before:] if call.action in ("MeterValues", "TransactionEvent")]
    assert read.at == began
    values = read.payload["meterValue"][0]["sampledValue"]
    assert {value["context"] for value in values} == {"Sample.Clock"}
    if version is V201:
        assert read.payload["triggerReason"] == "MeterValueClock"
    assert sky.counts()["struck"] == sky.counts()["drained"] == 1


def test_clock_surge_reads_connectors_without_a_car_too() -> None:
    sky = storm()
    sky.start(ClockSurge())
    sky.harness.run(1.0)
    (read,) = sky.harness.sent("MeterValues")
    assert read.payload["meterValue"][0]["sampledValue"][0]["context"] == "Sample.Clock"


@VERSIONS
def test_tariff_switch_lets_waiting_cars_begin_at_one_instant(version: Version) -> None:
    sky = storm(version)
    harness = sky.harness
    began = sky.start(TariffSwitch(before=10.0, stay=100.0))
    harness.run(9.0)
    (connector,) = harness.station.connectors
    assert connector.charging_session is not None
    assert str(connector.status) == Status.SUSPENDED_EV
    assert connector.charging_session.reading.power == 0.0
    assert sky.counts()["struck"] == 0
    energy = connector.charging_session.reading.energy_wh
    harness.run(1.0)
    assert str(connector.status) == Status.CHARGING
    assert connector.charging_session.reading.energy_wh == energy
    harness.run(1.0)
    assert sky.counts()["struck"] == sky.counts()["drained"] == 1
    at_switch = [call for call in harness.calls if call.at == began + 10.0]
    if version is V16:
        assert "Charging" in [call.payload.get("status") for call in at_switch]
    else:
        assert [call.payload["triggerReason"] for call in at_switch] == ["ChargingStateChanged"]
        assert at_switch[0].payload["transactionInfo"]["chargingState"] == "Charging"
    harness.run(200.0)
    assert connector.charging_session is None


def test_tariff_switch_without_cars_strikes_nobody() -> None:
    sky = storm()
    sky.start(TariffSwitch(before=10.0, plug_in=False))
    sky.harness.run(30.0)
    assert sky.counts()["struck"] == 0


@VERSIONS
def test_firmware_rollout_goes_from_downloading_over_a_restart_to_installed(version: Version) -> None:
    sky = storm(version)
    harness = sky.harness
    sky.start(FirmwareRollout(waves=1, download=3.0, install=4.0))
    harness.run(60.0)
    statuses = [call.payload["status"] for call in harness.sent("FirmwareStatusNotification")]
    assert statuses == ["Downloading", "Downloaded", "Installing", "Installed"]
    assert len(harness.sent("BootNotification")) == 2
    boot, installed = harness.sent("BootNotification")[1], harness.sent("FirmwareStatusNotification")[3]
    assert installed.at >= boot.at
    assert sky.counts() == ALL_BACK


def test_mass_remote_start_waits_for_the_transactions_that_the_csms_begins() -> None:
    sky = storm()
    harness = sky.harness
    sky.start(MassRemoteStart())
    harness.run(5.0)
    assert sky.counts() == {"struck": 1, "back": 0, "booted": 0, "drained": 0}
    harness.command("RemoteStartTransaction", {"idTag": "TAG", "connectorId": 1})
    harness.run(5.0)
    assert sky.counts()["drained"] == 1


def test_flapping_connects_anew_without_waiting_as_often_as_it_is_told() -> None:
    sky = storm(backoff=Backoff("fixed", 100.0, 0.0, 0))
    harness = sky.harness
    began = sky.start(Flapping(count=3, period=4.0, away=1.0))
    harness.run(60.0)
    assert [round(at - began, 3) for at in harness.attempts[1:]] == [1.0, 5.0, 9.0]
    totals = sky.totals()
    assert sky.counts() == ALL_BACK
    assert totals.total("opened") == 3
    assert totals.when("booted", 1.0) == pytest.approx(9.0, abs=0.02)


def test_slow_consumer_reads_nothing_for_a_while_and_then_everything() -> None:
    sky = storm()
    harness = sky.harness
    beats = len(harness.sent("Heartbeat"))
    sky.start(SlowConsumer(pause=10.0))
    harness.run(9.0)
    assert len(harness.sent("Heartbeat")) == beats + 1
    assert len(harness.sockets[0].unread) == 1
    assert sky.counts()["drained"] == 0
    harness.run(3.0)
    assert harness.sockets[0].unread == []
    assert sky.counts()["struck"] == sky.counts()["drained"] == 1
    assert len(harness.sockets) == 1


@pytest.mark.parametrize("name", STORMS)
def test_every_storm_leaves_a_station_that_can_be_stopped_at_any_moment(name: str) -> None:
    for seconds in (0.0, 0.5, 5.5, 31.0):
        sky = storm(profile=charging(duration=20.0, gap=5.0))
        sky.start(STORMS[name]())
        sky.harness.run(seconds)
        stopped: list[bool] = []
        sky.harness.station.stop(lambda said=stopped: said.append(True), 2.0)  # type: ignore[misc]  # mypy cannot infer it
        sky.harness.run(120.0)
        assert stopped == [True]
        assert sky.harness.recorder.connected_now == sky.harness.recorder.booted_now == 0
        assert not any(socket.open for socket in sky.harness.sockets)


def test_two_storms_at_once_are_both_told_of_the_return() -> None:
    sky = storm(backoff=Backoff("fixed", 2.0, 0.0, 0))
    harness = sky.harness
    sky.start(CsmsRestart(down=10.0), number=1)
    harness.run(1.0)
    sky.start(CsmsRestart(down=3.0), number=2)
    harness.run(60.0)
    assert sky.counts(1) == ALL_BACK
    assert sky.counts(2) == ALL_BACK
    assert sky.totals(2).when("back", 1.0) > 8.0  # type: ignore[operator]  # the first storm refuses still
    assert harness.station.storm is None


def test_a_station_that_is_thrown_out_again_is_not_back() -> None:
    sky = storm(backoff=Backoff("fixed", 2.0, 0.0, 0), latency=1.0)
    harness = sky.harness
    sky.start(Blackout(down=1.0))
    harness.run(2.5)
    assert sky.counts()["booted"] == 1
    harness.lose(refuse_with="refused")
    assert sky.counts() == {"struck": 1, "back": 0, "booted": 0, "drained": 0}
    harness.refuse_with = None
    harness.run(20.0)
    assert sky.counts() == ALL_BACK
    assert sky.totals().numbers["lost_again"] == 1


def test_a_loss_that_another_storm_plays_is_not_the_csms_throwing_stations_out() -> None:
    sky = storm(backoff=Backoff("fixed", 2.0, 0.0, 0))
    sky.start(HalfOpen(hold=20.0, spread=0.0), number=1)
    sky.harness.run(5.0)
    sky.start(CsmsRestart(down=1.0), number=2)
    sky.harness.run(60.0)
    totals = sky.totals(1)
    assert totals.numbers["new_kicked"] == totals.numbers["lost_again"] == 0
    assert sky.counts(1) == sky.counts(2) == ALL_BACK


def test_a_station_that_has_not_started_is_spared() -> None:
    sky = Weather(FleetHarness())
    sky.start(CsmsRestart())
    assert sky.harness.station.storm is None


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
    assert {socket.request and socket.request[0] for socket in twins} == {harness.sockets[0].request[0]}  # type: ignore[index]
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
