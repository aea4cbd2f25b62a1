"""What stations hear and say within one turn of the event loop, in batches.

The system's part of a `recv` or `send` is so long that Python's own code has left the caches of the processor after it,
and then takes twice its time. So the reads of a turn come first, then what the stations make of them, and at last the
writes. A batch is small enough not to be seen in a latency: 32 frames are a few tenths of a millisecond, and only a
process at its limit has so many at once.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any, Final, Protocol

__all__ = ["MOST", "Batched", "Pause", "Turn"]

MOST: Final = 32
"""Messages that wait for the others."""


class Batched(Protocol):
    """A connection that hears in batches."""

    def take(self, data: bytes, now: float) -> None:
        """Act on what was read; never raise."""


class Pause:
    """The wait of a greenlet for one value; it serves one wait after the other, because making it costs as much."""

    __slots__ = ("greenlet", "value")

    def __init__(self) -> None:
        """Nobody waits."""
        self.greenlet: Any = None
        """Who waits; None for nobody, or who was killed meanwhile."""
        self.value: Any = None


class Turn:
    """The present batch of a process; empty whenever the loop waits."""

    __slots__ = ("_heard", "_loop", "_said", "collects", "woken")

    def __init__(self, loop: Any) -> None:
        """Use a gevent loop."""
        self._loop = loop
        self._heard: list[tuple[Batched, bytes, float]] = []
        self._said: list[tuple[Callable[[bytes], object], bytes]] = []
        self.woken: deque[Pause] = deque()
        """Whose values are there; who appends to it calls `wake_soon` while not `collects`."""
        self.collects = False
        """Whether frames are to go to `say`: the stations are acting on a batch."""

    def hear(self, connection: Batched, data: bytes, now: float) -> None:
        """Keep what was read at this moment, until the other reads of the turn are done and somebody calls `end`."""
        heard = self._heard
        heard.append((connection, data, now))
        if len(heard) >= MOST:
            self.end()

    def say(self, write: Callable[[bytes], object], frame: bytes) -> None:
        """Keep a frame for `write` until the stations have acted on the whole batch; only while `collects`."""
        self._said.append((write, frame))
        if len(self._said) >= MOST:
            self.write()

    def end(self) -> None:
        """Let the stations act on what was read, and write what they say."""
        heard = self._heard
        if not heard or self.collects:
            return
        self._heard = []
        self.collects = True
        try:
            for connection, data, now in heard:
                connection.take(data, now)
        finally:
            self.finish()

    def end_within(self) -> None:
        """Let the stations act on what was read while they act on a batch."""
        heard, self._heard = self._heard, []
        for connection, data, now in heard:
            connection.take(data, now)

    def begin(self) -> None:
        """Act on what was read, and collect what is said from now on."""
        self.end()
        self.collects = True

    def finish(self) -> None:
        """Let greenlets go on, and write what was said since `begin`."""
        self.write()
        try:
            self.wake()
        finally:
            self.collects = False
            self.write()

    def wake_soon(self) -> None:
        """Let the greenlets go on that are `woken` outside of a batch."""
        if len(self.woken) == 1:
            self._loop.run_callback(self.wake)

    def wake(self) -> None:
        """Let the greenlets go on whose values are there; only within the hub."""
        woken = self.woken
        while woken:
            pause = woken.popleft()
            waiting = pause.greenlet
            if waiting is not None:
                try:
                    waiting.switch(pause.value)
                except Exception as error:  # noqa: BLE001 - the others go on
                    self._loop.handle_error(pause, type(error), error, error.__traceback__)

    def rest(self, leave: Callable[[], Any]) -> Any:
        """Wait in the present greenlet for the value of its pause; `leave` lets the hub go on.

        The next one whose value is there goes on at once: without the hub in between there is half as much to switch.
        """
        woken = self.woken
        while woken:
            pause = woken.popleft()
            waiting = pause.greenlet
            if waiting is not None:
                return waiting.switch(pause.value)
        return leave()

    def write(self) -> None:
        """Write what was said so far, in this order."""
        said = self._said
        if said:
            self._said = []
            for write, frame in said:
                write(frame)
