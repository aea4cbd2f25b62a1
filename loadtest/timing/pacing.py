"""When things happen, as pure functions: phases that spread a fleet, seeded draws, and connects without bursts."""

from __future__ import annotations

from collections import deque
from math import floor, log
from typing import Generic, TypeVar
from zlib import crc32

__all__ = ["ConnectPacer", "Draws", "next_in_phase", "van_der_corput"]

T = TypeVar("T")


def van_der_corput(n: int, base: int = 2) -> float:
    """Return element `n` of the van der Corput sequence in [0, 1): evenly spread for every length of the sequence."""
    if base == 2:  # noqa: PLR2004 - its digits are those of the number, and every station asks for one
        return int(f"{n:b}"[::-1], 2) / (1 << n.bit_length())
    value, scale = 0.0, 1.0
    while n:
        scale /= base
        n, digit = divmod(n, base)
        value += digit * scale
    return value


def next_in_phase(now: float, interval: float, phase: float, epoch: float = 0.0) -> float:
    """Find the first time after `now` that lies `phase` (0 to 1) of an interval behind a multiple of it since `epoch`.

    Stations that share the epoch keep their distance however the fleet grows.
    """
    start = epoch + phase * interval
    return start + (floor((now - start) / interval) + 1) * interval


class Draws:
    """A stream of seeded random numbers in eight bytes of state, where `random.Random` keeps 2.5 KB (splitmix64).

    The same seed, station and stream give the same numbers on every machine.
    """

    __slots__ = ("_state",)

    def __init__(self, seed: int, station: str, stream: str = "") -> None:
        """Begin the stream `stream` of one station."""
        name = f"{station}/{stream}".encode()
        self._state = ((seed & _MASK) ^ (crc32(name) << 32) ^ crc32(name, _OTHER)) & _MASK

    def uniform(self) -> float:
        """Draw from [0, 1)."""
        return (self.bits() >> 11) * _TO_UNIT

    def between(self, low: float, high: float) -> float:
        """Draw evenly from [low, high)."""
        return low + (high - low) * self.uniform()

    def below(self, limit: int) -> int:
        """Draw an integer from 0 to `limit` - 1."""
        return int(self.uniform() * limit)

    def exponential(self, mean: float) -> float:
        """Draw the time to the next arrival of a Poisson process."""
        return -mean * log(1.0 - self.uniform())

    def bits(self) -> int:
        """Draw 64 random bits."""
        self._state = (self._state + 0x9E3779B97F4A7C15) & _MASK
        z = self._state
        z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
        z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & _MASK
        return z ^ (z >> 31)


_MASK = 0xFFFFFFFFFFFFFFFF
_OTHER = 0x5EED
_TO_UNIT = 1.0 / (1 << 53)


class ConnectPacer(Generic[T]):
    """Turns batches into an even stream: whoever waits when a window opens is let go evenly over that window.

    Locust starts a whole second's users back to back; connected at once, they would be a burst that nobody asked for.
    """

    __slots__ = ("_gap", "_next", "_rested", "_waiting", "_window_ends", "rest", "settle", "window")

    def __init__(self, window: float = 1.0, settle: float = 0.05, rest: float = 0.01) -> None:
        """Spread over `window` seconds, beginning `settle` seconds after a first arrival so that its batch is whole.

        `rest` seconds lie between two moments at which somebody is let go: a connect that has every turn of the event
        loop to itself costs nearly twice as much as one in company.
        """
        self.window = window
        self.settle = settle
        self.rest = rest
        self._waiting: deque[T] = deque()
        self._next: float | None = None
        self._rested = 0.0
        self._window_ends = 0.0
        self._gap = 0.0

    def __len__(self) -> int:
        return len(self._waiting)

    @property
    def next_at(self) -> float | None:
        """When `due` lets somebody go next; None while nobody waits."""
        return max(self._next, self._rested) if self._waiting and self._next is not None else None

    def arrive(self, item: T, now: float) -> None:
        """Queue one."""
        if not self._waiting and (self._next is None or now >= self._window_ends):
            self._next = now + self.settle
            self._window_ends = self._next
        self._waiting.append(item)
        if self._next is not None and self._window_ends - now > self.window / 2:
            # A batch takes its time to come: who is late for the opening of a window has a place in it nevertheless.
            self._gap = (self._window_ends - max(self._next, now)) / len(self._waiting)

    def due(self, now: float) -> list[T]:
        """Let go whoever's turn has come, in the order of arrival."""
        released: list[T] = []
        if self._next is not None and now - self._next > self.settle:
            # The process was busy elsewhere: the stream goes on from here, it does not catch up in a burst.
            self._window_ends += now - self._next
            self._next = now
        while self._waiting and self._next is not None and self._next <= now:
            if self._next >= self._window_ends - self._gap / 2:
                self._gap = self.window / len(self._waiting)
                self._window_ends = self._next + self.window
            released.append(self._waiting.popleft())
            self._next += self._gap
        if released:
            self._rested = now + self.rest
        return released
