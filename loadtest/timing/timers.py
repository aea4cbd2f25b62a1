"""One timer queue per process: everything that a station does later waits here.

`TimerQueue` is the core, with the time handed in; `HubTimers` drives it from a single timer of the gevent hub, so that
ten thousand stations cost the event loop one timer.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from heapq import heapify, heappop, heappush
from time import monotonic
from typing import Any, Protocol

__all__ = ["HubTimers", "Owner", "Timer", "TimerQueue"]

_logger = logging.getLogger(__name__)

BATCH = 256
"""How many due timers run before sockets get their turn."""
_COMPACT_FROM = 512
_COMPACT_SHARE = 4
"""One in so many timers may be a cancelled one: each costs 0.2 KB, and every connect leaves one behind."""


class Owner(Protocol):
    """Who answers for a timer."""

    def on_crash(self, error: Exception) -> object:
        """Take an exception that the callback of a timer raised."""


class Batch(Protocol):
    """Who collects what due timers make stations say."""

    def begin(self) -> None:
        """Collect from now on."""

    def finish(self) -> None:
        """Write what was collected."""


class Timer:
    """One future call."""

    __slots__ = ("callback", "owner")

    def __init__(self, callback: Callable[[float], object], owner: Owner | None = None) -> None:
        """Hold the callback, which gets the intended time and not the one at which it really runs."""
        self.callback: Callable[[float], object] | None = callback
        self.owner = owner

    @property
    def pending(self) -> bool:
        """Whether the call is still to come."""
        return self.callback is not None


class TimerQueue:
    """Timers in the order of their times; equal times run in the order of their making."""

    __slots__ = ("_cancelled", "_count", "_heap", "batch", "worst_lag")

    def __init__(self) -> None:
        """Start empty."""
        self._heap: list[tuple[float, int, Timer]] = []
        self._count = 0
        self._cancelled = 0
        self.batch: Batch | None = None
        """Who is told before timers run, and after."""
        self.worst_lag = 0.0
        """Seconds by which a timer ran late at most, since `take_worst_lag`."""

    def __len__(self) -> int:
        return len(self._heap) - self._cancelled

    @property
    def next_at(self) -> float | None:
        """When `run_due` has something to do next."""
        heap = self._heap
        while heap and heap[0][2].callback is None:
            heappop(heap)
            self._cancelled -= 1
        return heap[0][0] if heap else None

    def at(self, when: float, callback: Callable[[float], object], owner: Owner | None = None) -> Timer:
        """Call `callback(when)` at that time, in monotonic seconds, or as soon as possible when it has passed.

        An exception of the callback goes to its owner; without an owner it is logged.
        """
        timer = Timer(callback, owner)
        self._count += 1
        heappush(self._heap, (when, self._count, timer))
        return timer

    def cancel(self, timer: Timer | None) -> None:
        """Forget a timer; None, one that ran and one that was cancelled are fine."""
        if timer is None or timer.callback is None:
            return
        timer.callback = None
        self._cancelled += 1
        if self._cancelled > _COMPACT_FROM and self._cancelled * _COMPACT_SHARE > len(self._heap):
            # In place: `run_due` may be walking this very list.
            self._heap[:] = [entry for entry in self._heap if entry[2].callback is not None]
            heapify(self._heap)
            self._cancelled = 0

    def run_due(self, now: float, limit: int = BATCH) -> int:
        """Run what is due at `now`, at most `limit` of them, and return how many ran; no callback can end it."""
        batch = self.batch
        if batch is None:
            return self._run_due(now, limit)
        batch.begin()
        try:
            return self._run_due(now, limit)
        finally:
            batch.finish()

    def _run_due(self, now: float, limit: int) -> int:
        heap = self._heap
        ran = 0
        while heap and heap[0][0] <= now and ran < limit:
            when, _, timer = heappop(heap)
            callback = timer.callback
            if callback is None:
                self._cancelled -= 1
                continue
            timer.callback = None
            ran += 1
            self.worst_lag = max(self.worst_lag, now - when)
            try:
                callback(when)
            except Exception as error:  # noqa: BLE001 - whatever it is, the other timers must go on
                self._tell_owner(timer.owner, error)
        return ran

    def _tell_owner(self, owner: Owner | None, error: Exception) -> None:
        if owner is not None:
            try:
                owner.on_crash(error)
            except Exception as second:  # noqa: BLE001 - neither may this one
                error = second
            else:
                return
        _logger.error("A timer's callback failed; the other timers go on.", exc_info=error)

    def take_worst_lag(self) -> float:
        """Return the worst lag in seconds since the last call."""
        lag, self.worst_lag = self.worst_lag, 0.0
        return lag


class HubTimers(TimerQueue):
    """The timer queue of a process, on its gevent hub."""

    __slots__ = ("_hub_timer", "_loop", "_running", "_wakes_at")

    def __init__(self, loop: Any) -> None:
        """Use `loop`, the event loop of a gevent hub."""
        super().__init__()
        self._loop = loop
        self._hub_timer: Any = None
        self._wakes_at: float | None = None
        self._running = False

    def at(self, when: float, callback: Callable[[float], object], owner: Owner | None = None) -> Timer:
        """Call `callback(when)` in the hub; it must neither block nor switch greenlets."""
        timer = TimerQueue.at(self, when, callback, owner)
        if not self._running and (self._wakes_at is None or when < self._wakes_at):
            self._wake_at(when)
        return timer

    def close(self) -> None:
        """Stop for good."""
        self._stop_hub_timer()
        self._heap.clear()

    def _wake_at(self, when: float) -> None:
        self._stop_hub_timer()
        self._wakes_at = when
        self._hub_timer = self._loop.timer(max(when - monotonic(), 0.0))
        # The loop's own idea of now is as old as its last iteration.
        self._hub_timer.start(self._wake, update=True)

    def _stop_hub_timer(self) -> None:
        self._wakes_at = None
        if self._hub_timer is not None:
            self._hub_timer.stop()
            self._hub_timer.close()
            self._hub_timer = None

    def _wake(self) -> None:
        self._running = True
        try:
            self.run_due(monotonic())
        finally:
            self._running = False
            when = self.next_at
            if when is None:
                self._stop_hub_timer()
            else:
                self._wake_at(when)
