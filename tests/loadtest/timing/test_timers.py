from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial

import gevent
import gevent.event
import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadtest.timing.timers import BATCH, HubTimers, TimerQueue


@given(st.lists(st.floats(0, 1000)))
def test_timers_run_in_the_order_of_their_times(times: list[float]) -> None:
    queue = TimerQueue()
    ran: list[float] = []
    for when in times:
        queue.at(when, ran.append)
    while queue.run_due(1000.0):
        pass
    assert ran == sorted(times)


def test_a_callback_gets_the_intended_time_however_late_it_runs() -> None:
    queue = TimerQueue()
    ran: list[float] = []
    queue.at(3.0, ran.append)
    queue.run_due(17.5)
    assert ran == [3.0]
    assert queue.take_worst_lag() == 14.5
    assert queue.take_worst_lag() == 0.0


def test_nothing_runs_before_its_time() -> None:
    queue = TimerQueue()
    ran: list[float] = []
    queue.at(3.0, ran.append)
    assert queue.run_due(2.999) == 0
    assert ran == []
    assert queue.next_at == 3.0


def test_cancelled_timers_do_not_run_and_cost_nothing_for_long() -> None:
    queue = TimerQueue()
    ran: list[float] = []
    timers = [queue.at(float(n), ran.append) for n in range(5000)]
    for timer in timers[:-1]:
        queue.cancel(timer)
        queue.cancel(timer)
    queue.cancel(None)
    assert len(queue) == 1
    assert len(queue._heap) < 2000
    assert queue.next_at == 4999.0
    queue.run_due(5000.0)
    assert ran == [4999.0]
    assert not timers[-1].pending


def test_an_empty_queue_has_nothing_next() -> None:
    queue = TimerQueue()
    queue.cancel(queue.at(1.0, print))
    assert queue.next_at is None
    assert len(queue) == 0


def test_a_callback_may_cancel_its_neighbours_while_they_are_being_run() -> None:
    queue = TimerQueue()
    ran: list[float] = []
    others = [queue.at(1.0 + n / 1000, ran.append) for n in range(3000)]

    def cancel_all(when: float) -> None:
        ran.append(when)
        for other in others:
            queue.cancel(other)

    queue.at(0.0, cancel_all)
    queue.run_due(10.0, limit=10_000)
    assert ran == [0.0]


def test_a_failing_callback_does_not_stop_the_others(caplog: pytest.LogCaptureFixture) -> None:
    queue = TimerQueue()
    ran: list[float] = []
    queue.at(1.0, fail)
    queue.at(2.0, ran.append)
    queue.run_due(3.0)
    assert ran == [2.0]
    assert "a mistake" in caplog.text


class Owner:
    """Collects what went wrong."""

    def __init__(self) -> None:
        self.errors: list[str] = []

    def on_crash(self, error: Exception) -> None:
        self.errors.append(str(error))


def fail(_: float) -> None:
    raise ValueError("a mistake")


@pytest.mark.parametrize("callback", [fail, partial(fail), lambda _: fail(0.0)], ids=["function", "partial", "lambda"])
def test_the_owner_of_a_timer_gets_its_error_and_keeps_it_out_of_the_log(
    callback: Callable[[float], object], caplog: pytest.LogCaptureFixture
) -> None:
    queue, owner = TimerQueue(), Owner()
    queue.at(1.0, callback, owner)
    queue.run_due(3.0)
    assert owner.errors == ["a mistake"]
    assert caplog.text == ""


def test_an_owner_that_fails_does_not_stop_the_other_timers(caplog: pytest.LogCaptureFixture) -> None:
    class Failing:
        def on_crash(self, error: Exception) -> None:
            raise TypeError("a second mistake") from error

    queue, owner = TimerQueue(), Owner()
    queue.at(1.0, fail, Failing())
    queue.at(2.0, fail, owner)
    queue.run_due(3.0)
    assert owner.errors == ["a mistake"]
    assert "a second mistake" in caplog.text


def test_one_turn_runs_a_batch_and_leaves_the_rest_for_the_next() -> None:
    queue = TimerQueue()
    ran: list[float] = []
    for n in range(BATCH + 10):
        queue.at(float(n), ran.append)
    assert queue.run_due(1e9) == BATCH
    assert queue.run_due(1e9) == 10


def test_the_hub_runs_timers_on_time_and_again_after_each_change() -> None:
    timers = HubTimers(gevent.get_hub().loop)
    ran: list[str] = []
    done: gevent.event.AsyncResult = gevent.event.AsyncResult()

    def third(_: float) -> None:
        ran.append("third")
        done.set()

    def second(when: float) -> None:
        ran.append("second")
        timers.at(when, third)

    now = time.monotonic()
    late = timers.at(now + 3600, lambda _: ran.append("never"))
    timers.at(now + 0.02, second)
    timers.at(now + 0.01, lambda _: ran.append("first"))
    done.get(timeout=10)
    timers.cancel(late)
    assert ran == ["first", "second", "third"]
    assert timers.next_at is None
    timers.close()


def test_more_timers_than_a_batch_all_run_on_the_hub() -> None:
    timers = HubTimers(gevent.get_hub().loop)
    done: gevent.event.AsyncResult = gevent.event.AsyncResult()
    left = [3 * BATCH]

    def count(_: float) -> None:
        left[0] -= 1
        if not left[0]:
            done.set()

    for _ in range(3 * BATCH):
        timers.at(0.0, count)
    done.get(timeout=10)
    timers.close()
