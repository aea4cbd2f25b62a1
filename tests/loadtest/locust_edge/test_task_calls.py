"""A task that sends a CALL waits for the end of that CALL, whatever became of the CALLs before it."""

from __future__ import annotations

import os
from types import SimpleNamespace
from typing import Any

import pytest

# The process that runs the tests must stay as it is.
os.environ["LOCUST_SKIP_MONKEY_PATCH"] = "1"
try:
    import gevent
    from locust.env import Environment

    from loadtest.locust_edge import users
finally:
    del os.environ["LOCUST_SKIP_MONKEY_PATCH"]

from loadtest.transport.turn import Turn
from ocppj.outcomes import Outcome


class Station:
    """Keeps what each CALL wants to hear at its end, until the test ends it."""

    def __init__(self) -> None:
        self.open: dict[str, Any] = {}
        self.accepts = True
        self.context = SimpleNamespace(engine=SimpleNamespace(turn=Turn(gevent.get_hub().loop)))

    def call(self, action: str, payload: Any, intended_at: float, on_end: Any) -> bool:
        assert isinstance(intended_at, float)
        if payload == "no JSON":
            raise TypeError("no JSON")
        if self.accepts:
            self.open[action] = on_end
        return self.accepts

    def end(self, action: str) -> None:
        self.open.pop(action)({"of": action}, Outcome.ACCEPTED)


class Custom(users.ChargePointUser):
    """Has a station of the test."""


@pytest.fixture
def user() -> Any:
    user: Any = Custom(Environment(user_classes=[Custom]))
    user.station = Station()
    return user


def ask(user: Any, action: str, payload: Any = None) -> Any:
    """Let a greenlet send a CALL and wait."""
    asking = gevent.spawn(user.call, action, payload)
    gevent.sleep(0)
    return asking


def test_a_task_gets_the_answer_to_its_call(user: Any) -> None:
    for action in ("Heartbeat", "MeterValues"):
        asking = ask(user, action)
        assert not asking.ready()
        user.station.end(action)
        assert asking.get(timeout=10) == ("accepted", {"of": action})


def test_greenlets_of_one_user_get_the_answers_to_their_own_calls(user: Any) -> None:
    first, second = ask(user, "First"), ask(user, "Second")
    third = ask(user, "Third")
    for action in ("Second", "First", "Third"):
        user.station.end(action)
    asked = {"First": first, "Second": second, "Third": third}
    assert {action: one.get(timeout=10).payload for action, one in asked.items()} == {
        action: {"of": action} for action in asked
    }


def test_the_answer_to_a_call_whose_task_was_killed_is_not_taken_for_that_of_the_next_one(user: Any) -> None:
    ask(user, "Old").kill()
    asking = ask(user, "New")
    user.station.end("Old")
    gevent.sleep(0)
    assert not asking.ready()
    user.station.end("New")
    assert asking.get(timeout=10).payload == {"of": "New"}


def test_a_task_hears_at_once_that_its_call_cannot_be_sent(user: Any) -> None:
    user.station.accepts = False
    assert user.call("Heartbeat") == ("never-sent", None)
    with pytest.raises(TypeError):
        user.call("Heartbeat", "no JSON")
    user.station = None
    assert Custom(user.environment).call("Heartbeat") == ("never-sent", None)


def test_calls_go_to_the_station_that_the_user_has_now(user: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    asking = ask(user, "First")
    user.station.end("First")
    asking.get(timeout=10)
    before, after = user.station, Station()
    monkeypatch.setattr(before, "abort", lambda: None, raising=False)
    monkeypatch.setattr(user, "make_station", lambda *_: after)
    user._fenced(None)
    assert user.call("Heartbeat") == ("never-sent", None)
    user._context, user._process = object(), SimpleNamespace(admit=lambda _: None)
    user._leased(None)
    ask(user, "Second")
    assert list(after.open) == ["Second"]
    assert before.open == {}
