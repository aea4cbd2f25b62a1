"""What the stations of one process tell of one storm, counted, so that a note a second is enough for thousands."""

from __future__ import annotations

from collections import Counter
from typing import Any, Final

from loadtest.plugins.storms.neighbours import StruckCalls

__all__ = ["PER_SECOND", "Tally"]

PER_SECOND: Final = 100
"""Buckets in a second, for all times of a storm."""
_COUNTERS: Final = ("struck", "back", "booted", "drained", "outage", "opened", "attempts", "failed", "queued", "away")
_NUMBERS: Final = (
    "refused",
    "lost_again",
    "old_closed",
    "old_open",
    "new_kicked",
    "twin_opened",
    "twin_refused",
    "twin_kicked",
    "real_kicked",
)


class Tally:
    """Counts of one storm in one process, by hundredths of a second since its beginning."""

    def __init__(self, number: int, begins: float) -> None:
        """Begin at `begins`, in monotonic seconds."""
        self.number = number
        self.begins = begins
        self.calls = StruckCalls()
        self._counts: dict[str, Counter[Any]] = {name: Counter() for name in _COUNTERS}
        self.refused = 0
        """Attempts that failed because the storm has it so; no packet left."""
        self.lost_again = 0
        """Connections that were lost once more, though the storm had passed."""
        self.old_closed = 0
        """Old sockets that the CSMS had ended when they were read again."""
        self.old_open = 0
        self.new_kicked = 0
        """New connections that ended while the old socket was still there."""
        self.twin_opened = 0
        """Second connections with the identity of a station."""
        self.twin_refused = 0
        """Those that the CSMS did not let in."""
        self.twin_kicked = 0
        """Those that the CSMS ended."""
        self.real_kicked = 0
        """Connections of the stations themselves that ended while their twins were there."""

    def struck(self, now: float) -> None:
        """Count a station that is hit."""
        self._at("struck", now, 1)

    def back(self, now: float, change: int) -> None:
        """Count a station that is connected again, or was not for good (-1)."""
        self._at("back", now, change)

    def booted(self, now: float, change: int) -> None:
        """Count a station that is accepted again, or was not for good (-1)."""
        self._at("booted", now, change)

    def drained(self, now: float) -> None:
        """Count a station that has got all its answers."""
        self._at("drained", now, 1)

    def outage(self, seconds: float, change: int) -> None:
        """Count how long a station was away."""
        self._counts["outage"][int(seconds * PER_SECOND)] += change

    def opened(self, now: float) -> None:
        """Count a connection."""
        self._counts["opened"][int(now - self.begins)] += 1

    def failed(self, outcome: str, now: float) -> None:
        """Count an attempt that failed at the CSMS."""
        self._counts["failed"][outcome] += 1
        self._counts["attempts"][int(now - self.begins)] += 1

    def stays_away(self, why: str) -> None:
        """Count a station that takes the loss for the end, by what it takes for that."""
        self._counts["away"][why] += 1

    def queued(self, now: float, messages: int) -> None:
        """Note how many transaction messages wait in this second."""
        if messages:
            self._counts["queued"][int(now - self.begins)] = messages

    def take(self) -> dict[str, Any]:
        """Return what was counted since the last call, in types that msgpack knows; empty where nothing was."""
        news: dict[str, Any] = {name: dict(counter) for name, counter in self._counts.items() if counter}
        for counter in self._counts.values():
            counter.clear()
        for name in _NUMBERS:
            if getattr(self, name):
                news[name] = getattr(self, name)
                setattr(self, name, 0)
        return news

    def _at(self, name: str, now: float, change: int) -> None:
        self._counts[name][max(int((now - self.begins) * PER_SECOND), 0)] += change
