"""Users begin and end a few at a time, and answers are read meanwhile."""

from __future__ import annotations

import os
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

# The process that runs the tests must stay as it is, and the programs that it starts must not.
os.environ["LOCUST_SKIP_MONKEY_PATCH"] = "1"
try:
    import gevent
    from locust import runners, task
    from locust.env import Environment

    from loadtest.locust_edge import process, stopping, users
    from loadtest.locust_edge.stopping import AT_ONCE, stop_users
finally:
    del os.environ["LOCUST_SKIP_MONKEY_PATCH"]

COUNT = 5 * AT_ONCE + 1
ended: list[object] = []


class Quiet(users.ChargePointUser):
    """Has nothing to do."""

    def on_stop(self) -> None:
        """Say that it ends."""
        ended.append(self)


class Dawdling(Quiet):
    """Never ends by itself."""

    @task
    def wait_long(self) -> None:
        """Do nothing for long."""
        gevent.sleep(60)


class Ending(Quiet):
    """Ends the run from its task, as any task may."""

    @task
    def end(self) -> None:
        """Stop all."""
        self.environment.runner.stop()


@pytest.fixture
def spawn(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    """Let users of these classes begin, so many of each, and return their runner."""
    monkeypatch.setattr(users, "process_of", lambda _: None)
    ended.clear()

    def spawn(*kinds: type[users.ChargePointUser], count: int = COUNT) -> Any:
        runner: Any = Environment(user_classes=list(kinds)).create_local_runner()
        runner.spawn_users({kind.__name__: count for kind in kinds})
        with gevent.Timeout(30):
            while any(user._state is None for user in (one.args[0] for one in runner.user_greenlets)):
                gevent.sleep(0)
        return runner

    return spawn


def test_answers_are_read_after_every_few_users_that_end(
    spawn: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    runner, between = spawn(Quiet), list[int]()

    def breathe() -> None:
        gevent.sleep(0.001)
        between.append(len(ended))

    monkeypatch.setattr(stopping, "breathe", breathe)
    stop_users(runner, {"Quiet": COUNT})
    assert len(ended) == COUNT
    assert between == list(range(0, COUNT, AT_ONCE))
    assert runner.user_count == 0


def test_locusts_runners_stop_in_this_way() -> None:
    assert runners.Runner.stop_users is stop_users
    assert all(kind.stop_users is stop_users for kind in (runners.LocalRunner, runners.WorkerRunner))


def test_so_many_users_of_each_class_end(spawn: Callable[..., Any]) -> None:
    runner = spawn(Quiet, Dawdling)
    stop_users(runner, {"Quiet": 3, "Dawdling": 2 * AT_ONCE})
    assert runner.user_classes_count == {"Quiet": COUNT - 3, "Dawdling": COUNT - 2 * AT_ONCE}
    stop_users(runner, {"Quiet": COUNT, "Dawdling": COUNT})
    assert len(ended) == len(set(ended)) == 2 * COUNT


def test_tasks_have_their_time_to_end_and_are_killed_then(spawn: Callable[..., Any]) -> None:
    runner = spawn(Dawdling, count=AT_ONCE + 1)
    runner.environment.stop_timeout = 0.01
    # A second order, as when the run ends within a ramp down, finds them told already.
    gevent.joinall([gevent.spawn(stop_users, runner, {"Dawdling": COUNT}) for _ in range(2)], timeout=30)
    assert runner.user_count == 0
    assert len(ended) == AT_ONCE + 1


def test_a_task_that_ends_the_run_does_not_wait_for_itself(spawn: Callable[..., Any]) -> None:
    runner = spawn(Quiet, Ending, count=AT_ONCE)
    with gevent.Timeout(30):
        runner.user_greenlets.join()
    assert len(ended) == 2 * AT_ONCE


def test_answers_are_read_after_every_few_users_that_begin_once_somebody_is_connected(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    breaths: list[int] = []
    fleet: Any = SimpleNamespace(_begun=0, recorder=SimpleNamespace(connected_now=0))
    monkeypatch.setattr(process, "breathe", lambda: breaths.append(fleet._begun))
    for connected in (0, 1):
        fleet.recorder.connected_now = connected
        for _ in range(2 * process.START_AT_ONCE):
            process.LoadProcess.begin_user(fleet)
    assert breaths == [3 * process.START_AT_ONCE, 4 * process.START_AT_ONCE]


def test_schemas_are_compiled_before_the_first_user_begins(monkeypatch: pytest.MonkeyPatch) -> None:
    order: list[object] = []
    fleet = SimpleNamespace(prepare=order.append, lives_long=lambda: None, begin_user=lambda: order.append("begun"))
    monkeypatch.setattr(users, "process_of", lambda _: fleet)
    runner: Any = Environment(user_classes=[Quiet]).create_local_runner()
    runner.spawn_users({"Quiet": 2})
    assert order == [Quiet.ocpp, "begun"] * 2
