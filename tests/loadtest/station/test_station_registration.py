from __future__ import annotations

import base64
from itertools import pairwise

import pytest

from loadtest.station import Station
from loadtest.station.day import HEARTBEAT
from loadtest.station.life import Life
from loadtest.station.registrar import BOOT_RETRY
from loadtest.timing.backoff import SPEC, Backoff
from loadtest.timing.pacing import van_der_corput
from loadtest.transport.contract import How
from loadtest.workload.identities import Lease
from loadtest.workload.profile import Profile
from ocppj.versions import Version
from tests.loadtest.fleet_harness import IDLE, SILENT, FleetHarness, charging

every_version = pytest.mark.parametrize("version", list(Version))
every_2x = pytest.mark.parametrize("version", [Version.V201, Version.V21])


def boot(status: str, interval: int = 0) -> dict[str, object]:
    return {"status": status, "currentTime": "2026-01-01T00:00:00Z", "interval": interval}


@every_version
def test_an_accepted_station_tells_its_connectors_and_beats_from_then_on(version: Version) -> None:
    harness = FleetHarness(version, Profile(title="dual", models={"ac-dual": 1.0})).start()
    connectors = 3 if version is Version.V16 else 2
    assert harness.actions == ["BootNotification"] + ["StatusNotification"] * connectors
    harness.run(3 * 300.0)
    assert harness.actions[1 + connectors :] == ["Heartbeat"] * 3
    assert harness.outcomes().keys() == {
        ("BootNotification", "accepted"),
        ("StatusNotification", "accepted"),
        ("Heartbeat", "accepted"),
    }
    assert harness.faults == {}
    assert harness.connections == {"opened": 1}
    assert harness.recorder.connected_now == harness.recorder.booted_now == 1


@every_version
def test_a_station_says_who_it_is_on_connecting(version: Version) -> None:
    harness = FleetHarness(version, password="secret:äöü").start()
    request = harness.sockets[0].request
    assert request is not None
    url, subprotocol, headers = request
    assert url == "ws://csms.example/ocpp/PS000001"
    assert subprotocol == f"ocpp{version}"
    scheme, _, value = headers["Authorization"].partition(" ")
    assert scheme == "Basic"
    assert base64.b64decode(value) == "PS000001:secret:äöü".encode()


def test_the_password_of_a_list_wins_over_the_common_one() -> None:
    harness = FleetHarness(password="common")
    lease = Lease(1, "A", "04504C47000000", "0102030405060708090A0B0C0D0E0F1011121314")
    assert base64.b64decode(harness.context.headers(lease, Version.V16)["Authorization"][6:]) == b"A:" + bytes(
        range(1, 21)
    )
    assert FleetHarness().context.headers(lease, Version.V201)["Authorization"].startswith("Basic ")
    assert FleetHarness().context.headers(Lease(2, "B", "04"), Version.V16) == {}


def test_heartbeats_follow_the_interval_of_the_csms_in_the_phase_of_the_station() -> None:
    harness = FleetHarness(answers={"BootNotification": boot("Accepted", 60)}, number=3).start().run(600.0)
    beats = [call.at for call in harness.sent("Heartbeat")]
    assert [after - before for before, after in pairwise(beats)] == [pytest.approx(60.0)] * 9
    assert ((beats[0] - harness.context.epoch) / 60.0) % 1 == pytest.approx(van_der_corput(3))


@pytest.mark.parametrize("interval", [0, -5, 10**12, "soon", None, True])
def test_an_interval_that_is_none_leaves_the_heartbeat_to_the_station(interval: object) -> None:
    answer = {"status": "Accepted", "currentTime": "2026-01-01T00:00:00Z", "interval": interval}
    harness = FleetHarness(answers={"BootNotification": answer}).start()
    assert harness.station.heartbeat_interval == HEARTBEAT


def test_a_profile_may_set_the_heartbeat_so_that_runs_can_be_compared() -> None:
    harness = (
        FleetHarness(profile=Profile(title="own pace", models={"ac-single": 1.0}, heartbeat=20.0)).start().run(100.0)
    )
    assert len(harness.sent("Heartbeat")) == 5


def test_a_slow_csms_does_not_shift_the_schedule_and_the_wait_is_part_of_the_response_time() -> None:
    harness = FleetHarness(answers={"BootNotification": boot("Accepted", 10)}).start()
    harness.latency = 25.0
    harness.run(200.0)
    beats = harness.sent("Heartbeat")
    assert [round(after.at - before.at, 6) for before, after in pairwise(beats)] == [25.0] * 7
    delta = harness.recorder.take(final=True)
    ((service, response),) = [(s, r) for _, action, _, _, s, r in delta["windows"]["ramp"] if action == "Heartbeat"]
    assert len(service) == 1  # every answer took 25 s
    assert len(response) == len(beats) - 1  # and each of them came later than the one before, by its own schedule
    assert delta["offered"]["ramp"] == 3 + 20


@every_version
@pytest.mark.parametrize("status", ["Pending", "Rejected"])
def test_a_station_that_is_not_accepted_sends_only_boot(version: Version, status: str) -> None:
    harness = FleetHarness(version, charging(), answers={"BootNotification": boot(status, 40)}).start().run(119.0)
    assert harness.actions == ["BootNotification"] * 3
    assert [call.at for call in harness.calls] == [1000.0, 1040.0, 1080.0]
    assert harness.recorder.booted_now == 0
    harness.answers["BootNotification"] = boot("Accepted", 300)
    harness.run(2.0)
    assert harness.recorder.booted_now == 1
    assert "StatusNotification" in harness.actions
    assert harness.outcomes()["BootNotification", "rejected"] == 3


@every_version
def test_interval_zero_lets_a_rejected_station_choose_without_flooding(version: Version) -> None:
    harness = FleetHarness(version, answers={"BootNotification": boot("Rejected", 0)}).start().run(BOOT_RETRY * 3 - 1)
    assert harness.actions == ["BootNotification"] * 3


@pytest.mark.parametrize(
    "answer", [SILENT, [4, "ID", "InternalError", "", {}], [3, "ID", {"status": "Perhaps"}], [3, "ID", {"status": []}]]
)
def test_a_boot_without_a_proper_answer_is_tried_again(answer: object) -> None:
    harness = FleetHarness(answers={"BootNotification": answer}).start().run(61.0)
    assert harness.actions == ["BootNotification"] * 2 + ["BootNotification"] * (answer is not SILENT)
    harness.answers["BootNotification"] = boot("Accepted", 300)
    harness.run(61.0)
    assert harness.station.online


def test_reconnecting_before_the_wait_is_over_does_not_shorten_it() -> None:
    harness = FleetHarness(answers={"BootNotification": boot("Rejected", 100)}).start().run(10.0)
    harness.lose()
    harness.run(80.0)
    assert len(harness.sockets) == 2
    assert len(harness.calls) == 1
    harness.run(20.0)
    assert [call.at for call in harness.calls] == [1000.0, 1100.0]


# -- coming back -------------------------------------------------------------------------------------------------------


@every_version
def test_an_accepted_station_that_reconnects_does_not_boot_again(version: Version) -> None:
    harness = FleetHarness(version).start().run(10.0)
    before = len(harness.calls)
    harness.lose()
    assert (harness.recorder.connected_now, harness.recorder.booted_now) == (0, 0)
    harness.run(10.0)
    assert harness.attempts == [1000.0, 1015.0]
    assert len(harness.calls) == before  # nothing had changed while it was away
    assert (harness.recorder.connected_now, harness.recorder.booted_now) == (1, 1)
    harness.run(300.0)
    assert harness.actions[-1] == "Heartbeat"
    harness.outcomes()
    assert harness.lost == 1


def test_after_a_long_time_offline_all_statuses_are_told_again() -> None:
    harness = FleetHarness().start().run(10.0)
    harness.lose(refuse_with="refused")
    harness.run(700.0)
    harness.refuse_with = None
    harness.run(10.0)
    assert harness.statuses == ["Available", "Available"]


def test_waits_double_while_nobody_answers_and_start_over_after_a_success() -> None:
    harness = FleetHarness(backoff=Backoff("spec", 4.0, 0.0, 2)).start()
    harness.lose(refuse_with="http-503")
    harness.run(100.0)
    waits = [after - before for before, after in pairwise(harness.attempts)]
    assert waits[:6] == [4.0, 8.0, 16.0, 16.0, 16.0, 16.0]
    harness.refuse_with = None
    harness.run(20.0)
    harness.attempts.clear()
    began = harness.now
    harness.lose()
    harness.run(5.0)
    assert harness.attempts == [began + 4.0]
    harness.outcomes()
    assert harness.connections == {"opened": 3, "http-503": len(waits)}


def test_the_random_part_spreads_a_fleet_that_was_cut_off_at_once() -> None:
    waits = []
    for number in range(1, 40):
        harness = FleetHarness(backoff=SPEC, number=number).start()
        harness.lose()
        harness.run(14.0)
        waits.append(harness.attempts[1] - 1000.0)
    assert all(3.0 <= wait < 13.0 for wait in waits)
    assert len(set(waits)) == 39
    assert max(waits) - min(waits) > 7.0


def test_a_call_that_was_open_or_waiting_when_the_line_broke_is_recorded() -> None:
    harness = FleetHarness(answers={"Heartbeat": SILENT, "BootNotification": boot("Accepted", 5)}).start().run(12.0)
    assert harness.station.messaging.session.queue_depth == 1
    harness.lose(How.PEER)
    outcomes = harness.outcomes()
    assert outcomes["Heartbeat", "lost"] == 1
    assert outcomes["Heartbeat", "never-sent"] == 1
    assert harness.lost == 1


# -- the end -----------------------------------------------------------------------------------------------------------


def stopped(harness: FleetHarness, patience: float = 5.0) -> list[float]:
    times: list[float] = []
    harness.station.stop(lambda: times.append(harness.now), patience)
    return times


@every_version
def test_an_idle_station_closes_at_once_and_leaves_no_timer(version: Version) -> None:
    harness = FleetHarness(version).start().run(10.0)
    times = stopped(harness)
    harness.run()
    assert times == [1010.0]
    assert harness.sockets[0].closed_with == 1001
    assert len(harness.timers) == 0
    assert harness.station.life is Life.OFF
    harness.outcomes()
    assert harness.lost == 0
    assert stopped(harness) == [1010.0]


@pytest.mark.parametrize("open_first", [True, False])
def test_a_station_that_is_not_connected_stops_at_once(open_first: bool) -> None:  # noqa: FBT001 - a parameter
    harness = FleetHarness()
    harness.refuse_with = None if open_first else "refused"
    harness.start()
    if open_first:
        harness.lose(refuse_with="refused")
    times = stopped(harness)
    assert len(times) == 1
    harness.run(100.0)
    assert len(harness.attempts) == 1
    assert len(harness.timers) == 0


def test_a_station_whose_connection_is_still_being_made_stops_without_it() -> None:
    harness = FleetHarness()
    harness.station.start()
    assert len(stopped(harness)) == 1
    harness.run(100.0)
    assert harness.sockets[0].closed_with == 0
    assert harness.calls == []


def test_a_csms_that_never_answers_delays_the_end_only_for_so_long() -> None:
    harness = FleetHarness(answers={"Heartbeat": SILENT, "BootNotification": boot("Accepted", 5)}).start().run(5.0)
    times = stopped(harness, patience=7.0)
    harness.run(60.0)
    assert times == [1012.0]
    assert harness.outcomes()["Heartbeat", "lost"] == 1


def test_a_station_that_is_cut_off_while_it_stops_has_stopped() -> None:
    harness = FleetHarness(answers={"Heartbeat": SILENT, "BootNotification": boot("Accepted", 5)}).start().run(5.0)
    times = stopped(harness)
    harness.lose()
    harness.run(60.0)
    assert times == [1005.0]
    assert len(harness.attempts) == 1


def test_an_aborted_station_says_nothing_more_and_is_counted_down() -> None:
    harness = FleetHarness(profile=charging()).start().run(100.0)
    before = len(harness.calls)
    harness.station.abort()
    harness.station.abort()
    harness.run(500.0)
    assert len(harness.calls) == before
    assert len(harness.timers) == 0
    assert (harness.recorder.connected_now, harness.recorder.booted_now) == (0, 0)
    harness.outcomes()
    assert harness.lost == 0


def test_models_are_drawn_by_their_weights_and_repeat_with_the_seed() -> None:
    profile = Profile(title="mix", models={"ac-single": 3.0, "dc-150": 1.0})

    def models(seed: int) -> list[str]:
        harness = FleetHarness(profile=profile, seed=seed)
        leases = [Lease(n, f"PS{n}", "04") for n in range(400)]
        return [Station(harness.context, Version.V16, lease).model.name for lease in leases]

    drawn = models(5)
    assert drawn == models(5)
    assert drawn != models(6)
    assert 250 <= drawn.count("ac-single") <= 350
    assert set(drawn) == {"ac-single", "dc-150"}


def test_the_idle_profile_of_the_harness_never_charges() -> None:
    harness = FleetHarness(profile=IDLE).start().run(3600.0)
    assert "Authorize" not in harness.actions
