from __future__ import annotations

import random
from collections import deque
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from loadtest.cluster.leases import Lease, LeaseClient, LeaseServer, LeaseTable
from loadtest.workload.identities import Identities

FENCE_AFTER = 3.0
QUARANTINE = 8.0
SETTLE = 1.0


def table(capacity: int | None = None) -> LeaseTable:
    return LeaseTable(capacity, quarantine=QUARANTINE, settle=SETTLE)


def serve(leases: LeaseTable, now: float) -> dict[str, list[int]]:
    return {grant.worker: grant.numbers for grant in leases.serve(now)}


# -- the table --------------------------------------------------------------------------------------------------------


def test_low_numbers_are_given_first_and_none_twice() -> None:
    leases = table()
    leases.ask("a", 1, 3, 0.0)
    leases.ask("b", 1, 2, 0.0)
    assert serve(leases, 0.0) == {"a": [1, 2, 3], "b": [4, 5]}
    assert leases.held == {"a": 3, "b": 2}


def test_asking_again_for_the_same_gives_nothing_more() -> None:
    leases = table()
    leases.ask("a", 1, 3, 0.0)
    serve(leases, 0.0)
    leases.ask("a", 1, 3, 0.1)
    assert serve(leases, 0.1) == {}
    leases.ask("a", 1, 5, 0.2)
    assert serve(leases, 0.2) == {"a": [4, 5]}


def test_a_released_number_settles_before_its_next_use() -> None:
    leases = table(capacity=1)
    leases.ask("a", 1, 1, 0.0)
    serve(leases, 0.0)
    leases.release("a", [1], 10.0)
    leases.ask("b", 1, 1, 10.0)
    assert serve(leases, 10.0 + SETTLE / 2) == {}
    assert leases.waiting == 1
    assert serve(leases, 10.0 + SETTLE) == {"b": [1]}


def test_a_number_is_released_only_by_its_holder() -> None:
    leases = table(capacity=1)
    leases.ask("a", 1, 1, 0.0)
    serve(leases, 0.0)
    leases.release("b", [1, 99], 0.0)
    assert leases.held == {"a": 1}


def test_who_asks_first_is_served_first_when_numbers_are_short() -> None:
    leases = table(capacity=3)
    leases.ask("a", 1, 2, 0.0)
    leases.ask("b", 1, 2, 0.0)
    assert serve(leases, 0.0) == {"a": [1, 2], "b": [3]}
    assert leases.waiting == 1


def test_numbers_of_a_silent_worker_are_kept_for_the_quarantine() -> None:
    leases = table(capacity=1)
    leases.ask("a", 1, 1, 0.0)
    serve(leases, 0.0)
    leases.ask("b", 1, 1, 1.0)
    assert serve(leases, QUARANTINE) == {}
    leases.hear("b", QUARANTINE)
    assert serve(leases, QUARANTINE + 0.1) == {"b": [1]}


def test_a_worker_that_is_heard_keeps_its_numbers_for_ever() -> None:
    leases = table(capacity=1)
    leases.ask("a", 1, 1, 0.0)
    serve(leases, 0.0)
    for now in range(1, 60):
        leases.hear("a", float(now))
        leases.ask("b", 1, 1, float(now))
        assert serve(leases, float(now)) == {}


def test_without_a_limit_numbers_of_a_silent_worker_are_never_reused() -> None:
    leases = table()
    leases.ask("a", 1, 2, 0.0)
    serve(leases, 0.0)
    leases.ask("b", 1, 2, 100.0)
    assert serve(leases, 100.0) == {"b": [3, 4]}


def test_a_worker_that_leaves_gives_everything_back() -> None:
    leases = table(capacity=2)
    leases.ask("a", 1, 2, 0.0)
    serve(leases, 0.0)
    leases.leave("a", 5.0)
    leases.ask("b", 1, 2, 5.0 + SETTLE)
    assert serve(leases, 5.0 + SETTLE) == {"b": [1, 2]}


def test_a_worker_that_was_frozen_beyond_the_quarantine_leaves_duplicates() -> None:
    leases = table(capacity=1)
    leases.ask("a", 1, 1, 0.0)
    serve(leases, 0.0)
    leases.ask("b", 1, 1, 20.0)
    assert serve(leases, 20.0) == {"b": [1]}
    leases.fenced("a", [1], silent=25.0, now=25.0)
    assert leases.duplicates == {1}
    assert leases.held == {"b": 1}


def test_a_worker_that_closed_its_stations_in_time_leaves_none_however_late_it_says_so() -> None:
    leases = table(capacity=1)
    leases.ask("a", 1, 1, 0.0)
    serve(leases, 0.0)
    leases.ask("b", 1, 1, 20.0)
    serve(leases, 20.0)
    leases.fenced("a", [1], silent=FENCE_AFTER + 0.5, now=25.0)
    assert leases.duplicates == set()


# -- server and holders together ---------------------------------------------------------------------------------------


class Station:
    """What the engine does with a lease: it is open from the grant until it is fenced or closed."""

    def __init__(self, holder: LeaseClient) -> None:
        self.holder = holder
        self.lease: Lease | None = None
        self.fences = 0
        self.request = holder.acquire(self.on_lease, self.on_fenced)

    def on_lease(self, lease: Lease) -> None:
        assert self.lease is None
        self.lease = lease

    def on_fenced(self, lease: Lease) -> None:
        assert lease == self.lease
        self.lease = None
        self.fences += 1
        self.request = self.holder.acquire(self.on_lease, self.on_fenced)

    def close(self) -> None:
        self.request.cancel()
        if self.lease is not None:
            self.holder.release(self.lease)
            self.lease = None


class Cluster:
    """A server and workers on one simulated clock; messages wait while a worker is frozen or cut off."""

    def __init__(self, workers: int, capacity: int | None) -> None:
        self.now = 100.0
        rows = None if capacity is None else [Identities().lease(n + 1) for n in range(capacity)]
        self.server = LeaseServer(Identities(rows=rows), self.send_down, lambda: self.now, table(capacity))
        self.names = [f"w{n}" for n in range(workers)]
        self.up: dict[str, deque[dict[str, Any]]] = {name: deque() for name in self.names}
        self.down: dict[str, deque[dict[str, Any]]] = {name: deque() for name in self.names}
        self.soon: dict[str, deque[Any]] = {name: deque() for name in self.names}
        self.frozen: set[str] = set()
        self.cut_off: set[str] = set()
        self.holders = {
            name: LeaseClient(self.up[name].append, lambda: self.now, self.soon[name].append, fence_after=FENCE_AFTER)
            for name in self.names
        }
        self.stations: dict[str, list[Station]] = {name: [] for name in self.names}

    def send_down(self, worker: str, message: dict[str, Any]) -> None:
        self.down[worker].append(message)

    def start(self, worker: str, count: int = 1) -> None:
        self.stations[worker] += [Station(self.holders[worker]) for _ in range(count)]

    def pass_second(self, _: str = "") -> None:
        """Let a second pass: timers first, then messages until all is quiet."""
        self.now += 1.0
        for name in self.names:
            if name not in self.frozen:
                self.holders[name].tick()
        self.server.tick()
        self.deliver()

    def deliver(self) -> None:
        busy = True
        while busy:
            busy = False
            for name in self.names:
                while self.soon[name] and name not in self.frozen:
                    self.soon[name].popleft()()
                    busy = True
                while self.up[name] and name not in self.cut_off:
                    self.server.handle(name, self.up[name].popleft())
                    busy = True
                while self.down[name] and name not in self.frozen | self.cut_off:
                    self.holders[name].handle(self.down[name].popleft())
                    busy = True

    def open(self) -> list[str]:
        """List the identities that are connected, those of frozen workers included."""
        stations = [station for group in self.stations.values() for station in group]
        return [station.lease.identity for station in stations if station.lease is not None]


def test_a_station_gets_identity_and_token_without_waiting_for_others() -> None:
    cluster = Cluster(1, None)
    cluster.start("w0", 3)
    cluster.deliver()
    assert cluster.open() == ["PS000001", "PS000002", "PS000003"]
    assert cluster.holders["w0"].held == 3


def test_many_stations_ask_with_one_message() -> None:
    cluster = Cluster(1, None)
    cluster.start("w0", 1000)
    cluster.soon["w0"].popleft()()
    assert not cluster.soon["w0"]
    assert [message["want"] for message in cluster.up["w0"]] == [1000]


def test_a_cancelled_wish_gets_no_lease() -> None:
    cluster = Cluster(1, capacity=1)
    cluster.start("w0", 2)
    cluster.stations["w0"][0].close()
    cluster.deliver()
    assert cluster.stations["w0"][0].lease is None
    assert cluster.open() == ["PS000001"]


def test_a_lease_that_nobody_wants_any_more_goes_back() -> None:
    cluster = Cluster(1, capacity=1)
    cluster.start("w0")
    cluster.soon["w0"].popleft()()
    cluster.server.handle("w0", cluster.up["w0"].popleft())
    cluster.stations["w0"][0].close()
    cluster.deliver()
    assert cluster.server.table.held == {}


def test_a_worker_without_the_master_closes_its_stations_and_gets_new_leases_later() -> None:
    cluster = Cluster(1, capacity=2)
    cluster.start("w0", 2)
    cluster.pass_second()
    cluster.cut_off.add("w0")
    for _ in range(int(FENCE_AFTER)):
        cluster.pass_second()
    assert len(cluster.open()) == 2
    cluster.pass_second()
    assert cluster.open() == []
    assert cluster.holders["w0"].fences == 1
    cluster.cut_off.clear()
    for _ in range(4):
        cluster.pass_second()
    assert sorted(cluster.open()) == ["PS000001", "PS000002"]


def test_a_worker_that_is_frozen_for_less_than_the_fence_goes_on() -> None:
    cluster = Cluster(2, capacity=2)
    cluster.start("w0")
    cluster.start("w1")
    cluster.pass_second()
    cluster.frozen.add("w0")
    for _ in range(2):
        cluster.pass_second()
    cluster.frozen.clear()
    cluster.pass_second()
    assert sorted(cluster.open()) == ["PS000001", "PS000002"]
    assert cluster.stations["w0"][0].fences == 0


def test_an_answer_that_waited_while_the_worker_was_frozen_does_not_renew() -> None:
    cluster = Cluster(1, capacity=1)
    cluster.start("w0")
    cluster.pass_second()
    cluster.holders["w0"].tick()
    cluster.frozen.add("w0")
    cluster.deliver()
    assert cluster.down["w0"]
    cluster.now += FENCE_AFTER + 2
    cluster.frozen.clear()
    cluster.deliver()
    cluster.holders["w0"].tick()
    assert cluster.stations["w0"][0].fences == 1


def test_a_grant_that_comes_after_the_fence_is_not_used() -> None:
    cluster = Cluster(1, capacity=1)
    cluster.start("w0")
    cluster.soon["w0"].popleft()()
    cluster.server.handle("w0", cluster.up["w0"].popleft())
    cluster.now += FENCE_AFTER + 1
    cluster.holders["w0"].handle(cluster.down["w0"].popleft())
    assert cluster.open() == []
    cluster.pass_second()
    for _ in range(3):
        cluster.pass_second()
    assert cluster.open() == ["PS000001"]


def test_a_lost_question_is_asked_again() -> None:
    cluster = Cluster(1, capacity=1)
    cluster.start("w0")
    cluster.soon["w0"].popleft()()
    cluster.up["w0"].clear()
    for _ in range(14):
        cluster.pass_second()
    assert cluster.open() == ["PS000001"]


def test_leaving_tells_the_master_that_nothing_is_connected() -> None:
    cluster = Cluster(1, capacity=1)
    cluster.start("w0")
    cluster.deliver()
    cluster.holders["w0"].leave()
    cluster.deliver()
    assert cluster.server.table.held == {}


class Mishaps(Cluster):
    """A cluster in which anything happens at random, except that nobody is frozen for longer than is safe."""

    def __init__(self, seed: int, capacity: int) -> None:
        super().__init__(3, capacity)
        self.chance = random.Random(seed)
        self.frozen_since: dict[str, float] = {}

    def step(self) -> None:
        name = self.chance.choice(self.names)
        choices: list[Callable[[str], None]] = [self.pass_second] * 4 + [self.cut_off_or_mend, self.freeze_or_thaw]
        if name not in self.frozen:
            choices += [self.start_some, self.close_one]
        self.chance.choice(choices)(name)
        self.deliver()

    def start_some(self, name: str) -> None:
        self.start(name, self.chance.randint(1, 4))

    def close_one(self, name: str) -> None:
        if self.stations[name]:
            self.stations[name].pop(self.chance.randrange(len(self.stations[name]))).close()

    def cut_off_or_mend(self, name: str) -> None:
        self.cut_off ^= {name}

    def freeze_or_thaw(self, name: str) -> None:
        if name in self.frozen:
            self.thaw(name)
        else:
            self.frozen.add(name)
            self.frozen_since[name] = self.now

    def thaw(self, name: str) -> None:
        self.frozen.discard(name)
        del self.frozen_since[name]
        self.holders[name].tick()

    def pass_second(self, _: str = "") -> None:
        for name, since in list(self.frozen_since.items()):
            if self.now - since >= QUARANTINE - FENCE_AFTER - 2:
                self.thaw(name)
        super().pass_second()


@settings(max_examples=60)
@given(st.integers(), st.integers(2, 12))
def test_no_identity_is_ever_open_twice(seed: int, capacity: int) -> None:
    cluster = Mishaps(seed, capacity)
    for _ in range(200):
        cluster.step()
        opened = cluster.open()
        assert len(opened) == len(set(opened))
    cluster.cut_off.clear()
    for name in list(cluster.frozen):
        cluster.thaw(name)
    for _ in range(int(QUARANTINE) + 15):
        cluster.pass_second()
    wanted = sum(len(group) for group in cluster.stations.values())
    assert len(set(cluster.open())) == min(wanted, capacity)
    assert cluster.server.table.duplicates == set()


@pytest.mark.parametrize("silence", [FENCE_AFTER + 1, QUARANTINE + 20])
def test_freezing_for_long_is_seen_and_said(silence: float) -> None:
    cluster = Cluster(2, capacity=1)
    cluster.start("w0")
    cluster.pass_second()
    cluster.start("w1")
    cluster.frozen.add("w0")
    for _ in range(int(silence)):
        cluster.pass_second()
    overlapped = len(cluster.open()) == 2
    cluster.frozen.clear()
    cluster.pass_second()
    assert bool(cluster.server.table.duplicates) is overlapped is (silence > QUARANTINE)
    assert cluster.stations["w0"][0].fences == 1
