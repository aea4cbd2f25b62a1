"""When commands are meant to be sent: seeded draws alone decide, never how fast the CSMS's API answers."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Sequence

import msgspec

from loadtest.timing.pacing import Draws
from loadtest.workload.commands import Errand

__all__ = ["CommandSchedule", "Due"]


class Due(msgspec.Struct, frozen=True, kw_only=True):
    """One command at its time."""

    errand: Errand
    at: float
    station: str | None = None
    """The one that it is for; None chooses one that fits when it is sent."""


class CommandSchedule:
    """The arrivals of all commands, each a Poisson process of its own; times in seconds of one clock."""

    def __init__(self, errands: Sequence[Errand], seed: int, stations: Callable[[], int]) -> None:
        """Begin without anything due; `stations` tells how many there are, for rates that are a share of them."""
        self._stations = stations
        self._draws = {errand.label: Draws(seed, errand.label, "commands") for errand in errands}
        self._errands = {errand.label: errand for errand in errands}
        self._next: list[tuple[float, str]] = []
        self._extra: list[tuple[float, int, Due]] = []
        self._number = 0

    def begin(self, labels: Sequence[str], now: float) -> None:
        """Let commands come from now on."""
        for label in labels:
            self._plan(label, now)

    def end(self) -> None:
        """Let no more come but those that were put in."""
        self._next.clear()

    def clear(self) -> None:
        """Let none come at all."""
        self._next.clear()
        self._extra.clear()

    def add(self, due: Due) -> None:
        """Put in one command more, at whatever time."""
        self._number += 1
        heapq.heappush(self._extra, (due.at, self._number, due))

    @property
    def next_at(self) -> float | None:
        """When the next one is due; None while nothing is planned."""
        heads = [heap[0][0] for heap in (self._next, self._extra) if heap]
        return min(heads, default=None)

    def due(self, now: float) -> list[Due]:
        """Take everything that is due by now, in its order."""
        found: list[Due] = []
        while self._next and self._next[0][0] <= now:
            at, label = heapq.heappop(self._next)
            found.append(Due(errand=self._errands[label], at=at))
            self._plan(label, at)
        while self._extra and self._extra[0][0] <= now:
            found.append(heapq.heappop(self._extra)[2])
        return sorted(found, key=lambda due: due.at)

    def _plan(self, label: str, since: float) -> None:
        rate = self._errands[label].rate.of(self._stations())
        if rate > 0:
            heapq.heappush(self._next, (since + self._draws[label].exponential(1 / rate), label))
