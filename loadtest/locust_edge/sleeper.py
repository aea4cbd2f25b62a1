"""The sleep of a user whose station does everything by itself: a greenlet that has not started, and so has no stack.

A greenlet that waits holds a page of Python's own stack and a copy of the machine's: 6 KB, more than all the rest of a
station. A user that only waits for its end needs neither. So its first greenlet, in which Locust lets it start, ends
with `FallsAsleep`, and a `Sleeper` takes its place in Locust's group of users: Locust counts it, finds the user in its
`args`, and stops it as any other. Stopped, it starts, and does what the user does at its end.

The module imports Locust, which monkey-patches the process.
"""

from __future__ import annotations

from typing import Any, Protocol

from gevent import Greenlet, GreenletExit

__all__ = ["FallsAsleep", "Sleeper"]


class FallsAsleep(BaseException):
    """A user has nothing more to do in its greenlet until it is woken."""


class Sleeping(Protocol):
    """A user that can be woken."""

    def wake(self, error: Any) -> None:
        """Go on in the present greenlet, as if the error had been raised where the user fell asleep."""


class Sleeper(Greenlet):  # type: ignore[misc]  # gevent has no types there
    """The greenlet of a user that sleeps; whatever kills it wakes the user."""

    __slots__ = ("_error", "_is_awake")

    def __init__(self, user: Sleeping) -> None:
        """Sleep; Locust finds the user in `args`."""
        super().__init__(None, user)
        self._error: Any = None
        self._is_awake = False

    def kill(
        self,
        exception: Any = GreenletExit,
        block: bool = True,  # noqa: FBT001, FBT002 - gevent's signature
        timeout: float | None = None,
    ) -> None:
        """Raise an exception where the user sleeps; a second one before the user is awake changes nothing."""
        if self._is_awake:
            super().kill(exception, block, timeout)
            return
        if self._error is None:
            self._error = exception
            self.start()
        if block:
            self.join(timeout)

    def _run(self, user: Sleeping) -> None:
        self._is_awake = True
        user.wake(self._error)
