"""Users that only wait for their end: Locust counts and stops them, and no stack waits with them."""

from __future__ import annotations

import os
from typing import Any

import pytest

# The process that runs the tests must stay as it is, and the programs that it starts must not.
os.environ["LOCUST_SKIP_MONKEY_PATCH"] = "1"
try:
    import gevent
    import gevent.pool
    from gevent import GreenletExit
    from locust import task
    from locust.env import Environment
    from locust.exception import RescheduleTask, StopUser

    from loadtest.locust_edge import users
    from loadtest.locust_edge.sleeper import Sleeper
finally:
    del os.environ["LOCUST_SKIP_MONKEY_PATCH"]

stopped: list[object] = []


class Quiet(users.ChargePointUser):
    """Has nothing to do."""

    def on_stop(self) -> None:
        """Say that it ends."""
        stopped.append(self)


class Slow(Quiet):
    """Takes its time at its start."""

    def on_start(self) -> None:
        """Wait."""
        gevent.sleep(0.001)


class Busy(Quiet):
    """Has a task of its own."""

    @task
    def wait_long(self) -> None:
        """Do nothing for long."""
        gevent.sleep(60)


@pytest.fixture
def runner(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setattr(users, "process_of", lambda _: None)
    stopped.clear()
    environment = Environment(user_classes=[Quiet, Slow, Busy])
    return environment.create_local_runner()


def spawn(runner: Any, kind: type[users.ChargePointUser], count: int = 3) -> list[Any]:
    spawned: list[Any] = runner.spawn_users({kind.__name__: count})
    with gevent.Timeout(10):
        while kind is not Busy and not all(isinstance(user.greenlet, Sleeper) for user in spawned):
            gevent.sleep(0)
    return spawned


@pytest.mark.parametrize("kind", [Quiet, Slow])
@pytest.mark.parametrize("stop_timeout", [None, 5])
def test_locust_counts_and_stops_users_that_sleep(
    runner: Any, kind: type[users.ChargePointUser], stop_timeout: float | None
) -> None:
    runner.environment.stop_timeout = stop_timeout
    spawned = spawn(runner, kind)
    assert runner.user_classes_count == {"Quiet": 0, "Slow": 0, "Busy": 0} | {kind.__name__: 3}
    assert runner.user_count == 3
    # No greenlet, and so no stack.
    assert not any(isinstance(one, gevent.Greenlet) for one in runner.user_greenlets)
    runner.stop_users({kind.__name__: 1})
    assert (runner.user_count, len(stopped)) == (2, 1)
    runner.stop_users({kind.__name__: 2})
    assert runner.user_count == 0
    assert set(stopped) == set(spawned)


def test_a_user_with_tasks_does_not_sleep(runner: Any) -> None:
    (user,) = spawn(runner, Busy, 1)
    gevent.sleep(0)
    assert not isinstance(user.greenlet, Sleeper)
    assert user.greenlet.gr_frame is not None
    runner.stop_users({"Busy": 1})
    assert stopped == [user]


def test_who_is_killed_twice_ends_once(runner: Any) -> None:
    (user,) = spawn(runner, Quiet, 1)
    sleeper = user.greenlet
    sleeper.kill(block=False)
    sleeper.kill()
    assert sleeper.ready()
    sleeper.kill()
    assert stopped == [user]


def test_an_exception_of_locust_takes_effect_where_the_user_sleeps(runner: Any) -> None:
    first, second, third = spawn(runner, Quiet)
    first.greenlet.kill(StopUser(), block=False)
    second.greenlet.kill(RescheduleTask())
    runner.user_greenlets.kill(GreenletExit, block=False)
    assert third.greenlet.args == (third,)
    with gevent.Timeout(10):
        runner.user_greenlets.join()
    assert set(stopped) == {first, second, third}


def test_who_is_told_to_go_on_sleeps_again(runner: Any) -> None:
    (user,) = spawn(runner, Quiet, 1)
    before = user.greenlet
    before.kill(RescheduleTask())
    assert stopped == []
    assert runner.user_count == 1
    assert isinstance(user.greenlet, Sleeper)
    assert user.greenlet is not before
    runner.stop_users({"Quiet": 1})
    assert stopped == [user]


def test_who_waits_for_the_end_of_a_user_hears_of_it(runner: Any) -> None:
    (user,) = spawn(runner, Quiet, 1)
    sleeper, group = user.greenlet, gevent.pool.Group()
    group.add(sleeper)
    heard: list[object] = []
    sleeper.rawlink(heard.append)
    sleeper.rawlink(stopped.append)
    sleeper.unlink(stopped.append)
    assert not group.join(timeout=0.001)
    assert not sleeper.dead
    sleeper.join(timeout=0.001)
    group.kill(timeout=10)
    assert (len(group), heard, stopped) == (0, [sleeper], [user])
    assert sleeper.dead
    sleeper.rawlink(heard.append)
    gevent.sleep(0)
    assert heard == [sleeper, sleeper]


def test_no_group_remembers_a_user_that_has_ended(runner: Any) -> None:
    (user,) = spawn(runner, Quiet, 1)
    runner.user_greenlets.killone(user.greenlet)
    assert not runner.user_greenlets.greenlets
    assert not runner.user_greenlets.dying


def test_a_user_that_ends_the_run_while_it_ends_does_not_wait_for_itself(runner: Any) -> None:
    class Last(Quiet):
        def on_stop(self) -> None:
            super().on_stop()
            assert self.greenlet is gevent.getcurrent()
            runner.stop_users({"Last": 1})

    runner.environment.user_classes = [Last]
    (user,) = spawn(runner, Last, 1)
    with gevent.Timeout(10):
        user.greenlet.kill()
    assert stopped == [user]
    assert runner.user_count == 0
