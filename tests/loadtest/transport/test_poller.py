"""Which connections can go on: all of them behind one epoll, or a watcher for each."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import gevent
import psutil
import pytest

from loadtest.transport.poller import READ, WRITE, Epoll, Poller, Watchers, poller_of

PATIENCE = 20.0
KINDS = [pytest.param(Watchers, id="watchers")]
if isinstance(poller_of(gevent.get_hub().loop, list), Epoll):
    KINDS.append(pytest.param(Epoll, id="epoll"))


class Line:
    """One end of a pair of sockets; the other end is `far`."""

    def __init__(self, seen: list[str], name: str) -> None:
        self.near, self.far = socket.socketpair()
        self.near.setblocking(False)
        self.seen = seen
        self.name = name

    @property
    def fd(self) -> int:
        return self.near.fileno()

    def read(self) -> None:
        self.seen.append(f"{self.name} {self.near.recv(100).decode()}")

    def close(self) -> None:
        self.near.close()
        self.far.close()


class World:
    """A poller on the real hub, and what was seen."""

    def __init__(self, kind: Callable[..., Poller]) -> None:
        self.seen: list[str] = []
        self.turns = 0
        self.kind = kind
        self.poller = kind(gevent.get_hub().loop, self.after)
        self.lines: list[Line] = []

    def after(self) -> None:
        self.turns += 1

    def line(self, name: str) -> Line:
        self.lines.append(Line(self.seen, name))
        return self.lines[-1]

    def until(self, count: int) -> None:
        with gevent.Timeout(PATIENCE):
            while len(self.seen) < count:
                gevent.sleep(0.001)

    def turn(self) -> None:
        """Let the loop look at its sockets, however little there is to see."""
        turned: list[int] = []
        reading, writing = os.pipe()
        watcher = gevent.get_hub().loop.io(reading, READ)
        watcher.start(turned.append, 1)
        os.write(writing, b"x")
        try:
            with gevent.Timeout(PATIENCE):
                while not turned:
                    gevent.sleep(0.001)
        finally:
            watcher.stop()
            watcher.close()
            os.close(reading)
            os.close(writing)


@pytest.fixture(params=KINDS)
def world(request: pytest.FixtureRequest) -> Iterator[World]:
    world = World(request.param)
    yield world
    for line in world.lines:
        if line.fd >= 0:
            world.poller.drop(line.fd)
        line.close()


def test_each_connection_is_called_back_when_it_can_go_on_and_the_batch_ends_afterwards(world: World) -> None:
    lines = [world.line(name) for name in "abc"]
    for line in lines:
        world.poller.watch(line.fd, READ, line.read)
    for line in lines[:2]:
        line.far.send(b"1")
    world.until(2)
    assert sorted(world.seen) == ["a 1", "b 1"]
    assert world.turns
    lines[2].far.send(b"2")
    world.until(3)
    assert world.seen[2] == "c 2"


def test_what_is_asked_for_last_counts(world: World) -> None:
    line = world.line("a")
    world.poller.watch(line.fd, READ, line.read)

    def can_write() -> None:
        world.seen.append("writable")
        world.poller.watch(line.fd, READ, line.read)

    world.poller.watch(line.fd, READ | WRITE, can_write)
    world.until(1)
    line.far.send(b"1")
    world.until(2)
    assert world.seen == ["writable", "a 1"]


def test_a_connection_that_waits_for_nothing_is_not_called_even_when_its_peer_is_gone(world: World) -> None:
    line = world.line("a")
    world.poller.watch(line.fd, READ, line.read)
    world.poller.watch(line.fd, 0, line.read)
    line.far.send(b"1")
    line.far.close()
    world.turn()
    assert world.seen == []
    world.poller.watch(line.fd, READ, line.read)
    world.until(1)
    assert world.seen[0] == "a 1"


def test_a_connection_that_another_one_has_ended_in_the_same_turn_is_not_called(world: World) -> None:
    lines = [world.line(name) for name in "ab"]

    def end_the_other(me: int) -> None:
        lines[me].read()
        other = lines[1 - me]
        world.poller.drop(other.fd)
        fd = other.fd
        other.close()
        # The system gives the number to the next one, which nobody has written to.
        world.lines.append(heir := Line(world.seen, "heir"))
        assert fd in (heir.fd, heir.far.fileno())
        world.poller.watch(heir.fd, READ, heir.read)

    for line in lines:
        line.far.send(b"1")
    for number, line in enumerate(lines):
        world.poller.watch(line.fd, READ, partial(end_the_other, number))
    world.until(1)
    world.turn()
    assert len(world.seen) == 1
    assert "heir" not in world.seen[0]


def test_a_mistake_of_one_connection_costs_the_others_nothing(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[Any] = []
    monkeypatch.setattr(gevent.get_hub(), "handle_error", lambda *what: told.append(what[2]))
    lines = [world.line(name) for name in "abc"]

    def fail() -> None:
        lines[0].near.recv(100)
        raise ValueError("a mistake of ours")

    for line, callback in zip(lines, (fail, lines[1].read, lines[2].read), strict=True):
        line.far.send(b"1")
        world.poller.watch(line.fd, READ, callback)
    world.until(2)
    assert sorted(world.seen) == ["b 1", "c 1"]
    assert [str(error) for error in told] == ["a mistake of ours"]
    for line in lines:
        line.far.send(b"2")
    world.until(4)
    assert sorted(world.seen[2:]) == ["b 2", "c 2"]


def test_a_mistake_at_the_end_of_a_batch_does_not_end_the_reading(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[Any] = []
    monkeypatch.setattr(gevent.get_hub(), "handle_error", lambda *what: told.append(what[2]))
    line = world.line("a")

    def after() -> None:
        raise KeyboardInterrupt

    world.poller = world.kind(gevent.get_hub().loop, after)
    world.poller.watch(line.fd, READ, line.read)
    line.far.send(b"1")
    world.until(1)
    world.turn()
    assert [type(error) for error in told] == [KeyboardInterrupt]
    if isinstance(world.poller, Epoll):
        line.far.send(b"2")
        world.until(2)
        assert world.seen == ["a 1", "a 2"]


def test_a_poller_without_connections_holds_no_descriptor_and_does_not_keep_the_loop_busy(world: World) -> None:
    lines = [world.line(name) for name in "ab"]
    before = psutil.Process().num_fds()
    for line in lines:
        world.poller.watch(line.fd, READ, line.read)
    for line in lines:
        world.poller.drop(line.fd)
        world.poller.drop(line.fd)
    assert psutil.Process().num_fds() == before
    world.poller.watch(lines[0].fd, READ, lines[0].read)
    lines[0].far.send(b"again")
    world.until(1)
    assert world.seen == ["a again"]
