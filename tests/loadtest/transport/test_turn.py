from __future__ import annotations

from collections.abc import Callable
from typing import Any

from gevent import getcurrent
from gevent.hub import RawGreenlet

from loadtest.timing.timers import TimerQueue
from loadtest.transport.turn import MOST, Pause, Turn


class Loop:
    """Keeps callbacks until the test runs them."""

    def __init__(self) -> None:
        self.callbacks: list[Callable[[], object]] = []

        self.errors: list[str] = []

    def run_callback(self, function: Callable[[], object]) -> None:
        self.callbacks.append(function)

    def handle_error(self, _: object, __: type[BaseException], error: BaseException, ___: object) -> None:
        self.errors.append(str(error))

    def turn(self) -> None:
        callbacks, self.callbacks = self.callbacks, []
        for callback in callbacks:
            callback()


def waiting(switch: Callable[[Any], object], value: str) -> Pause:
    """Make the pause of a greenlet that goes on with this function and value."""
    pause = Pause()
    pause.greenlet, pause.value = RawGreenlet(switch), value
    return pause


def wake(turn: Turn, pause: Pause) -> None:
    """Do what the end of a CALL does."""
    turn.woken.append(pause)
    if not turn.collects:
        turn.wake_soon()


class Line:
    """A connection that echoes, and notes what happens in which order."""

    def __init__(self, turn: Turn, name: str, seen: list[str]) -> None:
        self.turn = turn
        self.name = name
        self.seen = seen

    def take(self, data: bytes, now: float) -> None:
        assert self.turn.collects
        self.seen.append(f"{self.name} takes {data.decode()} of {now:g}")
        self.turn.say(self.write, data)

    def write(self, frame: bytes) -> None:
        self.seen.append(f"{self.name} writes {frame.decode()}")


def made() -> tuple[Turn, Loop, list[str], Line, Line]:
    loop = Loop()
    turn, seen = Turn(loop), list[str]()
    return turn, loop, seen, Line(turn, "a", seen), Line(turn, "b", seen)


def test_reads_come_first_then_what_stations_make_of_them_then_writes() -> None:
    turn, loop, seen, a, b = made()
    turn.hear(a, b"1", 1.0)
    turn.hear(b, b"2", 2.0)
    assert seen == []
    turn.end()
    assert seen == ["a takes 1 of 1", "b takes 2 of 2", "a writes 1", "b writes 2"]
    assert not turn.collects
    assert loop.callbacks == []


def test_a_full_batch_does_not_wait_for_the_end_of_the_turn() -> None:
    turn, _, seen, a, _ = made()
    for number in range(MOST):
        turn.hear(a, b"x", float(number))
    assert seen.count("a writes x") == MOST
    turn.end()
    assert len(seen) == 2 * MOST


def test_what_many_timers_say_goes_out_in_batches() -> None:
    turn, _, seen, a, _ = made()
    timers = TimerQueue()
    timers.batch = turn
    for _ in range(MOST + 1):
        timers.at(1.0, lambda _: turn.say(a.write, b"beat"))
    timers.at(1.0, lambda _: seen.append(f"{seen.count('a writes beat')} are out"))
    timers.run_due(1.0)
    assert seen == ["a writes beat"] * MOST + [f"{MOST} are out", "a writes beat"]


def test_timers_run_after_what_was_read_before_them() -> None:
    turn, _, seen, a, _ = made()
    timers = TimerQueue()
    timers.batch = turn
    timers.at(1.0, lambda _: seen.append("timer"))
    turn.hear(a, b"1", 1.0)
    timers.run_due(1.0)
    assert seen == ["a takes 1 of 1", "a writes 1", "timer"]


def test_a_greenlet_goes_on_when_the_stations_have_acted_and_what_it_says_is_in_the_batch() -> None:
    turn, _, seen, _, b = made()

    def go_on(value: Any) -> None:
        seen.append(f"greenlet has {value}")
        turn.say(b.write, b"next")

    class Asking(Line):
        def take(self, data: bytes, now: float) -> None:
            super().take(data, now)
            wake(turn, waiting(go_on, "answer"))

    turn.hear(Asking(turn, "a", seen), b"1", 1.0)
    turn.end()
    assert seen == ["a takes 1 of 1", "a writes 1", "greenlet has answer", "b writes next"]


def test_a_greenlet_whose_answer_comes_outside_of_a_batch_goes_on_in_the_next_turn() -> None:
    turn, loop, seen, _, _ = made()
    wake(turn, waiting(seen.append, "first"))
    wake(turn, waiting(seen.append, "second"))
    assert seen == []
    loop.turn()
    assert seen == ["first", "second"]


def test_a_greenlet_that_was_killed_is_left_alone_and_one_that_fails_costs_the_others_nothing() -> None:
    turn, loop, seen, _, _ = made()

    def fail(_: Any) -> None:
        raise ValueError("a mistake of a task")

    pauses = [waiting(switch, "answer") for switch in (seen.append, fail, seen.append)]
    for pause in pauses:
        wake(turn, pause)
    pauses[0].greenlet = None
    loop.turn()
    assert seen == ["answer"]
    assert loop.errors == ["a mistake of a task"]


def test_a_greenlet_that_waits_again_lets_the_next_one_go_on_without_the_hub() -> None:
    turn, loop, seen, _, _ = made()
    hub = getcurrent()

    def leave() -> Any:
        seen.append("the hub goes on")
        return hub.switch()

    def ask_twice(value: str) -> None:
        seen.append(f"{value} is there")
        seen.append(f"{turn.rest(leave)} is there")

    first, killed, second = (waiting(ask_twice, value) for value in ("first", "killed", "second"))
    killed.greenlet = None
    for pause in (first, killed, second):
        wake(turn, pause)
    loop.turn()
    assert seen == ["first is there", "second is there", "the hub goes on"]
    for pause, value in ((second, "second again"), (first, "first again")):
        pause.value = value
        wake(turn, pause)
    loop.turn()
    assert seen[3:] == ["second again is there", "first again is there"]
    assert first.greenlet.dead
    assert second.greenlet.dead
    assert loop.errors == []
