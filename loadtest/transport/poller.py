"""Which connections of a process can go on: one look at all of them for each turn of the event loop.

A watcher of gevent's for each connection costs the loop a call, and a station memory. So all descriptors are in one
epoll, and gevent watches that one. Where the system has no epoll, there is a watcher for each.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any, Final, Protocol

__all__ = ["READ", "WRITE", "Epoll", "Poller", "Watchers", "poller_of"]

READ, WRITE = 1, 2
"""What a connection waits for."""
_MOST: Final = 1024
"""Connections that go on before timers and greenlets have their turn.

With 128, stations that start overtake those in a TLS handshake, which hold more memory: 7 KB a station more at the end.
"""
_NO_WAIT: Final = 0
_EVENTS: Final = {READ: 1, WRITE: 4, READ | WRITE: 5}
"""EPOLLIN and EPOLLOUT."""

Callback = Callable[[], object]


def _epoll() -> Any:
    """Return the class of the system, None where it has none.

    Locust's patches take it away, because to wait in it would stop the loop; here nobody waits.
    """
    from gevent.monkey import get_original  # noqa: PLC0415 - who only reads results needs no gevent

    return get_original("select", "epoll") if sys.platform == "linux" else None


class Poller(Protocol):
    """Calls a connection back in the hub when it can go on."""

    def watch(self, descriptor: int, events: int, callback: Callback) -> None:
        """Call back whenever one of these events is there, instead of what was asked for before; 0 is none."""

    def drop(self, descriptor: int) -> None:
        """Forget a descriptor; before it is closed, because the system gives its number away again."""


class Epoll:
    """All descriptors in one epoll, which is there while it has any."""

    __slots__ = ("_after", "_callbacks", "_changed", "_epoll", "_loop", "_watcher")

    def __init__(self, loop: Any, after: Callback) -> None:
        """Use a gevent loop; `after` is called when all connections have read that could."""
        self._loop = loop
        self._after = after
        self._callbacks: dict[int, Callback] = {}
        self._changed: set[int] = set()
        """Descriptors about which an event that was fetched before says nothing any more."""
        self._epoll: Any = None
        self._watcher: Any = None

    def watch(self, descriptor: int, events: int, callback: Callback) -> None:
        """Call back whenever one of these events is there."""
        if not events:
            self.drop(descriptor)
            return
        callbacks = self._callbacks
        if descriptor in callbacks:
            self._changed.add(descriptor)
            self._epoll.modify(descriptor, _EVENTS[events])
        else:
            if not callbacks:
                self._epoll = _epoll()()
                self._watcher = self._loop.io(self._epoll.fileno(), READ)
                self._watcher.start(self._look)
            self._epoll.register(descriptor, _EVENTS[events])
        callbacks[descriptor] = callback

    def drop(self, descriptor: int) -> None:
        """Forget a descriptor."""
        if self._callbacks.pop(descriptor, None) is not None:
            self._changed.add(descriptor)
            self._epoll.unregister(descriptor)
            if not self._callbacks:
                self._watcher.stop()
                self._watcher.close()
                self._epoll.close()

    def _look(self) -> None:
        callbacks, changed = self._callbacks, self._changed
        changed.clear()
        try:
            for descriptor, _ in self._epoll.poll(_NO_WAIT, _MOST):
                if descriptor not in changed:
                    try:
                        callbacks[descriptor]()
                    except Exception as error:  # noqa: BLE001 - the others go on
                        # As gevent does with a watcher of its own: it would fail again and again.
                        self.drop(descriptor)
                        self._tell(error)
            self._after()
        except BaseException as error:  # noqa: BLE001 - gevent would never call back again
            self._tell(error)

    def _tell(self, error: BaseException) -> None:
        self._loop.handle_error(self, type(error), error, error.__traceback__)


class Watchers:
    """A watcher of the loop for each descriptor."""

    __slots__ = ("_after", "_loop", "_watchers")

    def __init__(self, loop: Any, after: Callback) -> None:
        """Use a gevent loop; `after` is called when a connection has read."""
        self._loop = loop
        self._after = after
        self._watchers: dict[int, Any] = {}

    def watch(self, descriptor: int, events: int, callback: Callback) -> None:
        """Call back whenever one of these events is there."""
        self.drop(descriptor)
        if events:
            watcher = self._watchers[descriptor] = self._loop.io(descriptor, events)
            watcher.start(self._go_on, callback)

    def drop(self, descriptor: int) -> None:
        """Forget a descriptor."""
        watcher = self._watchers.pop(descriptor, None)
        if watcher is not None:
            watcher.stop()
            watcher.close()

    def _go_on(self, callback: Callback) -> None:
        try:
            callback()
        finally:
            self._after()


def poller_of(loop: Any, after: Callback) -> Poller:
    """Make what the system has."""
    return Watchers(loop, after) if _epoll() is None else Epoll(loop, after)
