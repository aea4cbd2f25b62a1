from __future__ import annotations

import base64
from itertools import pairwise

import pytest

from loadtest.station import Station
from loadtest.station.context import BOOT_RETRY, HEARTBEAT
from loadtest.station.station import Life
from loadtest.timing.backoff import SPEC, Backoff
from loadtest.timing.pacing import van_der_corput
from loadtest.transport.socket import How
from loadtest.workload.identities import Lease
from loadtest.workload.profile import Profile
from ocppj.versions import Version
from tests.loadtest.fleet_harness import IDLE, SILENT, Yard, charging

every_version = pytest.mark.parametrize("version", list(Version))
every_2x = pytest.mark.parametrize("version", [Version.V201, Version.V21])


def boot(status: str, interval: int = 0) -> dict[str, object]:
    return {"status": status, "currentTime": "2026-01-01T00:00:00Z", "interval": interval}


@every_version
def test_an_accepted_station_tells_its_connectors_and_beats_from_then_on(version: Version) -> None:
    yard = Yard(version, Profile(title="dual", models={"ac-dual": 1.0})).start()
    connectors = 3 if version is Version.V16 else 2
    assert yard.actions == ["BootNotification"] + ["StatusNotification"] * connectors
    yard.run(3 * 300.0)
    assert yard.actions[1 + connectors :] == ["Heartbeat"] * 3
    assert yard.outcomes().keys() == {
        ("BootNotification", "accepted"),
        ("StatusNotification", "accepted"),
        ("Heartbeat", "accepted"),
    }
    assert yard.faults == {}
    assert yard.connections == {"opened": 1}
    assert yard.recorder.connected_now == yard.recorder.booted_now == 1


@every_version
def test_a_station_says_who_it_is_on_connecting(version: Version) -> None:
    yard = Yard(version, password="secret:äöü").start()
    request = yard.sockets[0].request
    assert request is not None
    url, subprotocol, headers = request
    assert url == "ws://csms.example/ocpp/PS000001"
    assert subprotocol == f"ocpp{version}"
    scheme, _, value = headers["Authorization"].partition(" ")
    assert scheme == "Basic"
    assert base64.b64decode(value) == "PS000001:secret:äöü".encode()


def test_the_password_of_a_list_wins_over_the_common_one() -> None:
    yard = Yard(password="common")
    lease = Lease(1, "A", "04504C47000000", "0102030405060708090A0B0C0D0E0F1011121314")
    assert base64.b64decode(yard.fleet.headers(lease, Version.V16)["Authorization"][6:]) == b"A:" + bytes(range(1, 21))
    assert Yard().fleet.headers(lease, Version.V201)["Authorization"].startswith("Basic ")
    assert Yard().fleet.headers(Lease(2, "B", "04"), Version.V16) == {}


def test_heartbeats_follow_the_interval_of_the_csms_in_the_phase_of_the_station() -> None:
    yard = Yard(answers={"BootNotification": boot("Accepted", 60)}, number=3).start().run(600.0)
    beats = [call.at for call in yard.sent("Heartbeat")]
    assert [after - before for before, after in pairwise(beats)] == [pytest.approx(60.0)] * 9
    assert ((beats[0] - yard.fleet.epoch) / 60.0) % 1 == pytest.approx(van_der_corput(3))


@pytest.mark.parametrize("interval", [0, -5, 10**12, "soon", None, True])
def test_an_interval_that_is_none_leaves_the_heartbeat_to_the_station(interval: object) -> None:
    answer = {"status": "Accepted", "currentTime": "2026-01-01T00:00:00Z", "interval": interval}
    yard = Yard(answers={"BootNotification": answer}).start()
    assert yard.station.heartbeat_interval == HEARTBEAT


def test_a_profile_may_set_the_heartbeat_so_that_runs_can_be_compared() -> None:
    yard = Yard(profile=Profile(title="own pace", models={"ac-single": 1.0}, heartbeat=20.0)).start().run(100.0)
    assert len(yard.sent("Heartbeat")) == 5


def test_a_slow_csms_does_not_shift_the_schedule_and_the_wait_is_part_of_the_response_time() -> None:
    yard = Yard(answers={"BootNotification": boot("Accepted", 10)}).start()
    yard.latency = 25.0
    yard.run(200.0)
    beats = yard.sent("Heartbeat")
    assert [round(after.at - before.at, 6) for before, after in pairwise(beats)] == [25.0] * 7
    delta = yard.recorder.take(final=True)
    ((service, response),) = [(s, r) for _, action, _, _, s, r in delta["windows"]["ramp"] if action == "Heartbeat"]
    assert len(service) == 1  # every answer took 25 s
    assert len(response) == len(beats) - 1  # and each of them came later than the one before, by its own schedule
    assert delta["offered"]["ramp"] == 3 + 20


@every_version
@pytest.mark.parametrize("status", ["Pending", "Rejected"])
def test_a_station_that_is_not_accepted_sends_only_boot(version: Version, status: str) -> None:
    yard = Yard(version, charging(), answers={"BootNotification": boot(status, 40)}).start().run(119.0)
    assert yard.actions == ["BootNotification"] * 3
    assert [call.at for call in yard.calls] == [1000.0, 1040.0, 1080.0]
    assert yard.recorder.booted_now == 0
    yard.answers["BootNotification"] = boot("Accepted", 300)
    yard.run(2.0)
    assert yard.recorder.booted_now == 1
    assert "StatusNotification" in yard.actions
    assert yard.outcomes()["BootNotification", "rejected"] == 3


@every_version
def test_interval_zero_lets_a_rejected_station_choose_without_flooding(version: Version) -> None:
    yard = Yard(version, answers={"BootNotification": boot("Rejected", 0)}).start().run(BOOT_RETRY * 3 - 1)
    assert yard.actions == ["BootNotification"] * 3


@pytest.mark.parametrize(
    "answer", [SILENT, [4, "ID", "InternalError", "", {}], [3, "ID", {"status": "Perhaps"}], [3, "ID", {"status": []}]]
)
def test_a_boot_without_a_proper_answer_is_tried_again(answer: object) -> None:
    yard = Yard(answers={"BootNotification": answer}).start().run(61.0)
    assert yard.actions == ["BootNotification"] * 2 + ["BootNotification"] * (answer is not SILENT)
    yard.answers["BootNotification"] = boot("Accepted", 300)
    yard.run(61.0)
    assert yard.station.online


def test_reconnecting_before_the_wait_is_over_does_not_shorten_it() -> None:
    yard = Yard(answers={"BootNotification": boot("Rejected", 100)}).start().run(10.0)
    yard.lose()
    yard.run(80.0)
    assert len(yard.sockets) == 2
    assert len(yard.calls) == 1
    yard.run(20.0)
    assert [call.at for call in yard.calls] == [1000.0, 1100.0]


# -- coming back -------------------------------------------------------------------------------------------------------


@every_version
def test_an_accepted_station_that_reconnects_does_not_boot_again(version: Version) -> None:
    yard = Yard(version).start().run(10.0)
    before = len(yard.calls)
    yard.lose()
    assert (yard.recorder.connected_now, yard.recorder.booted_now) == (0, 0)
    yard.run(10.0)
    assert yard.attempts == [1000.0, 1015.0]
    assert len(yard.calls) == before  # nothing had changed while it was away
    assert (yard.recorder.connected_now, yard.recorder.booted_now) == (1, 1)
    yard.run(300.0)
    assert yard.actions[-1] == "Heartbeat"
    yard.outcomes()
    assert yard.lost == 1


def test_after_a_long_time_offline_all_statuses_are_told_again() -> None:
    yard = Yard().start().run(10.0)
    yard.lose(refuse_with="refused")
    yard.run(700.0)
    yard.refuse_with = None
    yard.run(10.0)
    assert yard.statuses == ["Available", "Available"]


def test_waits_double_while_nobody_answers_and_start_over_after_a_success() -> None:
    yard = Yard(backoff=Backoff("spec", 4.0, 0.0, 2)).start()
    yard.lose(refuse_with="http-503")
    yard.run(100.0)
    waits = [after - before for before, after in pairwise(yard.attempts)]
    assert waits[:6] == [4.0, 8.0, 16.0, 16.0, 16.0, 16.0]
    yard.refuse_with = None
    yard.run(20.0)
    yard.attempts.clear()
    began = yard.now
    yard.lose()
    yard.run(5.0)
    assert yard.attempts == [began + 4.0]
    yard.outcomes()
    assert yard.connections == {"opened": 3, "http-503": len(waits)}


def test_the_random_part_spreads_a_fleet_that_was_cut_off_at_once() -> None:
    waits = []
    for number in range(1, 40):
        yard = Yard(backoff=SPEC, number=number).start()
        yard.lose()
        yard.run(14.0)
        waits.append(yard.attempts[1] - 1000.0)
    assert all(3.0 <= wait < 13.0 for wait in waits)
    assert len(set(waits)) == 39
    assert max(waits) - min(waits) > 7.0


def test_a_call_that_was_open_or_waiting_when_the_line_broke_is_recorded() -> None:
    yard = Yard(answers={"Heartbeat": SILENT, "BootNotification": boot("Accepted", 5)}).start().run(12.0)
    assert yard.station.session.queue_depth == 1
    yard.lose(How.PEER)
    outcomes = yard.outcomes()
    assert outcomes["Heartbeat", "lost"] == 1
    assert outcomes["Heartbeat", "never-sent"] == 1
    assert yard.lost == 1


# -- the end -----------------------------------------------------------------------------------------------------------


def stopped(yard: Yard, patience: float = 5.0) -> list[float]:
    times: list[float] = []
    yard.station.stop(lambda: times.append(yard.now), patience)
    return times


@every_version
def test_an_idle_station_closes_at_once_and_leaves_no_timer(version: Version) -> None:
    yard = Yard(version).start().run(10.0)
    times = stopped(yard)
    yard.run()
    assert times == [1010.0]
    assert yard.sockets[0].closed_with == 1001
    assert len(yard.timers) == 0
    assert yard.station.life is Life.OFF
    yard.outcomes()
    assert yard.lost == 0
    assert stopped(yard) == [1010.0]


@pytest.mark.parametrize("open_first", [True, False])
def test_a_station_that_is_not_connected_stops_at_once(open_first: bool) -> None:  # noqa: FBT001 - a parameter
    yard = Yard()
    yard.refuse_with = None if open_first else "refused"
    yard.start()
    if open_first:
        yard.lose(refuse_with="refused")
    times = stopped(yard)
    assert len(times) == 1
    yard.run(100.0)
    assert len(yard.attempts) == 1
    assert len(yard.timers) == 0


def test_a_station_whose_connection_is_still_being_made_stops_without_it() -> None:
    yard = Yard()
    yard.station.start()
    assert len(stopped(yard)) == 1
    yard.run(100.0)
    assert yard.sockets[0].closed_with == 0
    assert yard.calls == []


def test_a_csms_that_never_answers_delays_the_end_only_for_so_long() -> None:
    yard = Yard(answers={"Heartbeat": SILENT, "BootNotification": boot("Accepted", 5)}).start().run(5.0)
    times = stopped(yard, patience=7.0)
    yard.run(60.0)
    assert times == [1012.0]
    assert yard.outcomes()["Heartbeat", "lost"] == 1


def test_a_station_that_is_cut_off_while_it_stops_has_stopped() -> None:
    yard = Yard(answers={"Heartbeat": SILENT, "BootNotification": boot("Accepted", 5)}).start().run(5.0)
    times = stopped(yard)
    yard.lose()
    yard.run(60.0)
    assert times == [1005.0]
    assert len(yard.attempts) == 1


def test_an_aborted_station_says_nothing_more_and_is_counted_down() -> None:
    yard = Yard(profile=charging()).start().run(100.0)
    before = len(yard.calls)
    yard.station.abort()
    yard.station.abort()
    yard.run(500.0)
    assert len(yard.calls) == before
    assert len(yard.timers) == 0
    assert (yard.recorder.connected_now, yard.recorder.booted_now) == (0, 0)
    yard.outcomes()
    assert yard.lost == 0


def test_models_are_drawn_by_their_weights_and_repeat_with_the_seed() -> None:
    profile = Profile(title="mix", models={"ac-single": 3.0, "dc-150": 1.0})

    def models(seed: int) -> list[str]:
        yard = Yard(profile=profile, seed=seed)
        leases = [Lease(n, f"PS{n}", "04") for n in range(400)]
        return [Station(yard.fleet, Version.V16, lease).model.name for lease in leases]

    drawn = models(5)
    assert drawn == models(5)
    assert drawn != models(6)
    assert 250 <= drawn.count("ac-single") <= 350
    assert set(drawn) == {"ac-single", "dc-150"}


def test_the_idle_profile_of_the_yard_never_charges() -> None:
    yard = Yard(profile=IDLE).start().run(3600.0)
    assert "Authorize" not in yard.actions
