"""The sleep of a user whose station does everything by itself: no greenlet, and so no stack.

A greenlet that waits holds a page of Python's own stack and a copy of the machine's: 6 KB, more than all the rest of a
station; and one that has not even started 0.6 KB. A user that only waits for its end needs neither. So its first
greenlet, in which Locust lets it start, ends with `FallsAsleep`, and a `Sleeper` takes its place in Locust's group of
users: Locust counts it, finds the user in its `args`, and stops it as any other. Stopped, it gives its place to a
greenlet that does what the user does at its end.

The module imports Locust, which monkey-patches the process.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

import gevent.event
from gevent import Greenlet, GreenletExit, get_hub

__all__ = ["FallsAsleep", "Sleeper"]

Link = Callable[[Any], object]


class FallsAsleep(BaseException):
    """A user has nothing more to do in its greenlet until it is woken."""


class Sleeping(Protocol):
    """A user that can be woken."""

    def wake_in(self, greenlet: Any) -> None:
        """Let a greenlet, which begins soon and calls `wake`, take the place of the sleeper."""

    def wake(self, error: Any) -> None:
        """Go on in the present greenlet, as if the error had been raised where the user fell asleep."""


class _Waking(Greenlet):  # type: ignore[misc]  # gevent has no types there
    """The greenlet in which a user comes to its end; killed before that has begun it begins nevertheless."""

    __slots__ = ("_error", "is_awake")

    def __init__(self, user: Sleeping, error: Any) -> None:
        # Locust looks for the user in `args`, here as well.
        super().__init__(None, user)
        self._error = error
        self.is_awake = False

    def kill(
        self,
        exception: Any = GreenletExit,
        block: bool = True,  # noqa: FBT001, FBT002 - gevent's signature
        timeout: float | None = None,
    ) -> None:
        if self.is_awake:
            super().kill(exception, block, timeout)
        elif block:
            self.join(timeout)

    def _run(self, user: Sleeping) -> None:
        self.is_awake = True
        user.wake(self._error)


class Sleeper:
    """Stands for a user that sleeps, where Locust and gevent's groups look for a greenlet; who kills it wakes the user.

    It has what they ask of a greenlet, and the meaning is gevent's.
    """

    __slots__ = ("_greenlet", "_links", "_user")

    def __init__(self, user: Sleeping) -> None:
        """Sleep."""
        self._user = user
        self._greenlet: _Waking | None = None
        """Where the user is awake, once it was killed."""
        self._links: list[Link] | None = None

    @property
    def args(self) -> tuple[Sleeping]:
        """Where Locust finds the user."""
        return (self._user,)

    @property
    def name(self) -> str:
        """What Locust writes into its log."""
        return f"the greenlet of {self._user!r}"

    @property
    def dead(self) -> bool:
        """Whether the user was killed, and has come to its end."""
        return self.ready()

    def ready(self) -> bool:
        """Return whether the user was killed, and has come to its end."""
        return self._greenlet is not None and bool(self._greenlet.ready())

    def kill(
        self,
        exception: Any = GreenletExit,
        block: bool = True,  # noqa: FBT001, FBT002 - gevent's signature
        timeout: float | None = None,
    ) -> None:
        """Raise an exception where the user sleeps; a second one before the user is awake changes nothing."""
        if self._greenlet is None:
            greenlet = self._greenlet = _Waking(self._user, exception)
            self._user.wake_in(greenlet)
            greenlet.rawlink(self._ended)
            greenlet.start()
        else:
            self._greenlet.kill(exception, block=False)
        if block:
            self.join(timeout)

    def join(self, timeout: float | None = None) -> None:
        """Wait for the end of the user."""
        if not self.ready():
            ended = gevent.event.Event()
            self.rawlink(lambda _: ended.set())
            ended.wait(timeout)

    def rawlink(self, callback: Link) -> None:
        """Call back in the hub, with the sleeper, when the user has come to its end."""
        if self.ready():
            get_hub().loop.run_callback(callback, self)
        elif self._links is None:
            self._links = [callback]
        else:
            self._links.append(callback)

    def unlink(self, callback: Link) -> None:
        """Do not call back any more."""
        if self._links is not None and callback in self._links:
            self._links.remove(callback)

    def _ended(self, _: Any) -> None:
        links, self._links = self._links, None
        for link in links or ():
            link(self)
