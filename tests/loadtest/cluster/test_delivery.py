from __future__ import annotations

import random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evidence.vocabulary import MEASURE, TO_CSMS
from loadtest.cluster.delivery import RESEND_AFTER, Ack, Collector, Report, ReportQueue
from loadtest.measuring.recorder import Recorder


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


class Worker:
    """A recorder with its transaction message queue on a clock that the test moves."""

    def __init__(self, name: str, clock: Clock, run: int = 1) -> None:
        self.name = name
        self.made = 0
        self.recorder = Recorder(clock=clock, wall=1_700_000_000.0)
        self.report_queue = ReportQueue(self.recorder, lambda: {"pid": 1}, clock, run)

    def call(self, count: int = 1) -> None:
        for _ in range(count):
            self.recorder.call("1.6", "Heartbeat", TO_CSMS, "accepted", 0.001, 0.001)
        self.made += count


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def worker(clock: Clock) -> Worker:
    return Worker("w", clock)


@pytest.fixture
def collector(clock: Clock) -> Collector:
    return Collector(1, clock)


def deliver(collector: Collector, worker: Worker, reports: list[Report]) -> list[Ack | None]:
    return [collector.receive(worker.name, report) for report in reports]


def test_reports_add_up_to_what_was_recorded(collector: Collector, worker: Worker) -> None:
    for count in (3, 0, 5):
        worker.call(count)
        for ack in deliver(collector, worker, worker.report_queue.reports()):
            assert ack is not None
            worker.report_queue.acked(ack)
    worker.call(2)
    deliver(collector, worker, worker.report_queue.reports(last=True))
    assert collector.merged.calls == 10
    state = collector.workers["w"]
    assert (state.complete, state.calls, state.miscounted, state.missed) == (True, 10, 0, 0)
    assert collector.incomplete == []


def test_calls_that_end_after_the_last_report_are_in_the_sum_and_in_the_workers_own_count(
    collector: Collector, worker: Worker, clock: Clock
) -> None:
    worker.call(3)
    deliver(collector, worker, worker.report_queue.reports(last=True))
    clock.now += 0.1
    worker.call(2)
    deliver(collector, worker, worker.report_queue.reports())
    state = collector.workers["w"]
    assert (collector.merged.calls, state.complete, state.miscounted) == (5, True, 0)


def test_a_repeated_report_counts_once(collector: Collector, worker: Worker) -> None:
    worker.call(4)
    reports = worker.report_queue.reports()
    deliver(collector, worker, reports * 3)
    assert collector.merged.calls == 4
    assert collector.workers["w"].repeated == 2


def test_a_lost_report_is_noticed_and_sent_again(collector: Collector, worker: Worker, clock: Clock) -> None:
    worker.call(4)
    worker.report_queue.reports()
    worker.call(2)
    for ack in deliver(collector, worker, worker.report_queue.reports()):
        assert ack == {"run": 1, "upto": 0}
        worker.report_queue.acked(ack)
    assert collector.workers["w"].missed == 1
    clock.now += RESEND_AFTER
    deliver(collector, worker, worker.report_queue.reports())
    state = collector.workers["w"]
    assert (collector.merged.calls, state.missed, state.resent) == (6, 0, 1)


def test_a_worker_is_complete_only_without_gaps(collector: Collector, worker: Worker) -> None:
    worker.call(4)
    lost = worker.report_queue.reports()
    deliver(collector, worker, worker.report_queue.reports(last=True)[-1:])
    assert not collector.workers["w"].complete
    deliver(collector, worker, lost)
    assert collector.workers["w"].complete


def test_the_last_report_brings_all_that_are_not_acknowledged(collector: Collector, worker: Worker) -> None:
    for _ in range(5):
        worker.call(1)
        worker.report_queue.reports()
    deliver(collector, worker, worker.report_queue.reports(last=True))
    assert collector.merged.calls == 5
    assert collector.workers["w"].complete


def test_what_is_acknowledged_is_not_sent_again(worker: Worker, clock: Clock) -> None:
    worker.report_queue.acked(Ack(run=1, upto=worker.report_queue.reports()[0]["seq"]))
    assert worker.report_queue.unacked == 0
    clock.now += RESEND_AFTER
    assert [report["seq"] for report in worker.report_queue.reports()] == [2]


def test_an_acknowledgement_of_another_run_is_ignored(worker: Worker) -> None:
    worker.report_queue.reports()
    worker.report_queue.acked(Ack(run=7, upto=100))
    assert worker.report_queue.unacked == 1


def test_while_the_master_is_away_figures_stay_in_the_recorder(
    collector: Collector, worker: Worker, clock: Clock
) -> None:
    for _ in range(200):
        clock.now += 0.01
        worker.call(1)
        worker.report_queue.reports()
    assert worker.report_queue.unacked < 100
    deliver(collector, worker, worker.report_queue.reports(last=True))
    assert collector.merged.calls == 200


def test_after_the_last_report_only_figures_make_another_one(worker: Worker) -> None:
    worker.call(1)
    for report in worker.report_queue.reports(last=True):
        worker.report_queue.acked(Ack(run=1, upto=report["seq"]))
    assert worker.report_queue.reports() == []
    worker.call(1)
    assert len(worker.report_queue.reports()) == 1


def test_a_new_run_begins_with_nothing(worker: Worker, clock: Clock) -> None:
    worker.call(3)
    worker.report_queue.reports()
    worker.call(3)
    worker.report_queue.begin(2)
    worker.call(1)
    second = Collector(2, clock)
    deliver(second, worker, worker.report_queue.reports(last=True))
    assert second.merged.calls == 1
    assert second.workers["w"].complete


def test_what_is_recorded_before_the_master_speaks_belongs_to_the_first_run(clock: Clock) -> None:
    worker = Worker("w", clock, run=0)
    worker.call(2)
    assert worker.report_queue.reports() == []
    worker.report_queue.begin(5)
    collector = Collector(5, clock)
    deliver(collector, worker, worker.report_queue.reports(last=True))
    assert collector.merged.calls == 2


def test_idle_seconds_before_the_first_run_are_forgotten(clock: Clock) -> None:
    worker = Worker("w", clock, run=0)
    clock.now += 50
    worker.report_queue.begin(1)
    [report] = worker.report_queue.reports(last=True)
    assert len(report["delta"]["rows"]) == 1


def test_a_report_of_another_run_is_not_applied(collector: Collector, clock: Clock) -> None:
    stranger = Worker("w", clock, run=9)
    stranger.call(5)
    assert deliver(collector, stranger, stranger.report_queue.reports()) == [None]
    assert collector.merged.calls == 0


def test_a_worker_that_dies_is_known_with_its_last_figures(collector: Collector, worker: Worker, clock: Clock) -> None:
    collector.expect("w", "worker 1")
    worker.recorder.connected(+40)
    for _ in range(5):
        clock.now += 1.0
        worker.call(100)
        deliver(collector, worker, worker.report_queue.reports())
    clock.now += 30.0
    [state] = collector.incomplete
    assert (state.name, state.calls, state.most_stations) == ("worker 1", 500, 40)
    assert state.estimated_loss(clock.now, 1.0) == 100


def test_a_worker_that_still_lives_may_have_lost_more(collector: Collector, worker: Worker, clock: Clock) -> None:
    for _ in range(5):
        clock.now += 1.0
        worker.call(100)
        deliver(collector, worker, worker.report_queue.reports())
    clock.now += 10.0
    collector.hear("w")
    assert collector.workers["w"].estimated_loss(clock.now + 20, 1.0) == 1100


def test_nothing_is_lost_of_a_complete_worker(collector: Collector, worker: Worker, clock: Clock) -> None:
    worker.call(100)
    deliver(collector, worker, worker.report_queue.reports(last=True))
    assert collector.workers["w"].estimated_loss(clock.now + 100, 1.0) == 0


def test_a_worker_that_never_reported_is_incomplete(collector: Collector) -> None:
    collector.expect("w", "worker 1")
    assert [state.name for state in collector.incomplete] == ["worker 1"]
    assert collector.workers["w"].estimated_loss(500.0, 1.0, typical=70.0) == 70


def test_a_wrong_sum_is_found(collector: Collector, worker: Worker) -> None:
    worker.call(5)
    [report] = worker.report_queue.reports(last=True)
    report["delta"]["windows"]["ramp"] = []
    deliver(collector, worker, [report])
    assert collector.workers["w"].miscounted == 5


@settings(max_examples=100)
@given(st.integers(), st.integers(1, 4), st.integers(0, 80))
def test_the_sum_is_exact_whatever_the_network_does(seed: int, count: int, steps: int) -> None:
    """Reports and acknowledgements get lost, repeated and reordered; the last ones arrive in the end."""
    chance, clock = random.Random(seed), Clock()
    collector = Collector(1, clock)
    workers = {f"w{n}": Worker(f"w{n}", clock) for n in range(count)}
    network: list[tuple[Worker, Any]] = []

    def arrive(worker: Worker, report: Report) -> None:
        ack = collector.receive(worker.name, report)
        if ack is not None and chance.random() < 0.7:
            worker.report_queue.acked(ack)

    for _ in range(steps):
        clock.now += chance.random() * 2
        worker = chance.choice(list(workers.values()))
        if chance.random() < 0.2:
            worker.recorder.window(MEASURE)
        worker.call(chance.randint(0, 20))
        network += [(worker, report) for report in worker.report_queue.reports() if chance.random() < 0.7]
        chance.shuffle(network)
        for sender, report in network[: chance.randint(0, len(network))]:
            arrive(sender, report)
            if chance.random() < 0.8:
                network.remove((sender, report))
    for worker in workers.values():
        for report in worker.report_queue.reports(last=True):
            arrive(worker, report)
    assert collector.incomplete == []
    assert {name: state.calls for name, state in collector.workers.items()} == {
        name: worker.made for name, worker in workers.items()
    }
    assert collector.merged.calls == sum(worker.made for worker in workers.values())
    assert all(state.miscounted == state.missed == 0 for state in collector.workers.values())
