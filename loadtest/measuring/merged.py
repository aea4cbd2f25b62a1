"""The figures of all workers together; merging is addition, so nothing is rounded and nothing is lost."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Final, NamedTuple, TypeVar

import msgspec

from evidence.histogram import Histogram, Interval, Tag
from evidence.vocabulary import TO_CSMS
from loadtest.measuring.recorder import Delta, Key, SecondCounts

__all__ = ["INTERVAL", "ErrorKey", "Latencies", "LossKey", "Merged", "Second", "Spell"]

INTERVAL: Final = 1.0
"""Seconds of one interval in the HDR logs, until a run lasts so long that intervals are joined."""
_MOST_INTERVALS: Final = 240
_RECENT: Final = 5.0
"""Seconds of which a person watches the latencies."""

_K = TypeVar("_K")

_pack = msgspec.msgpack.Encoder().encode
_unpack = msgspec.msgpack.Decoder(dict[int, int]).decode


class Latencies(NamedTuple):
    """Both latencies of one series; a CALL that never went to the wire has no service time."""

    service: Histogram
    response: Histogram


class Second(NamedTuple):
    """What happened in one second; `t` is seconds since 1970."""

    t: int
    calls: int
    errors: int
    connected: int
    booted: int
    opened: int
    waiting: int = 0
    """CALLs of the stations that had no answer yet when it was over."""


LossKey = tuple[str, int, str, str]
"""How a connection was lost, the code, the reason, and the CALL that was open."""


ErrorKey = tuple[str, str, str, str, str]
"""ocpp, action, direction, code and text of a CALLERROR."""


class Spell(NamedTuple):
    """How often something happened, and the seconds since 1970 of the first and the last time."""

    number: int
    first: int
    last: int


class Merged:
    """Everything that was recorded in one run."""

    def __init__(self, interval: float = INTERVAL) -> None:
        """Start empty."""
        self.faults: Counter[str] = Counter()
        self.connections: Counter[str] = Counter()
        self.offered: Counter[str] = Counter()
        self.injected: Counter[str] = Counter()
        self.activity: Counter[str] = Counter()
        self.losses: dict[LossKey, Spell] = {}
        self.callerrors: dict[ErrorKey, Spell] = {}
        self.calls = 0
        """CALLs in all windows together."""
        self.ended = 0
        """Those of stations among them."""
        self._seconds: dict[int, list[int]] = {}
        self._newest = 0
        self._interval = interval
        self._index = 0
        self._open: dict[tuple[str, Key], Latencies] = {}
        self._lately: list[tuple[float, dict[tuple[str, Key], Latencies]]] = []
        self._totals: dict[str, dict[Key, Latencies]] = {}
        self._closed: dict[int, dict[tuple[str, Key], tuple[bytes, bytes]]] = {}

    def add(self, delta: Delta, elapsed: float) -> int:
        """Add what one process recorded, known `elapsed` seconds after the start; returns its number of CALLs."""
        if int(elapsed / self._interval) > self._index:
            self._close_interval()
            self._index = int(elapsed / self._interval)
        before = self.calls
        for window, entries in delta["windows"].items():
            for ocpp, action, direction, outcome, service, response in entries:
                latencies = _find(self._open, (window, (ocpp, action, direction, outcome)))
                latencies.service.merge(service)
                latencies.response.merge(response)
                count = sum(response.values())
                self.calls += count
                if direction == TO_CSMS:
                    self.ended += count
        for row in delta["rows"]:
            self._add_row(row)
        self.faults.update(delta["faults"])
        self.connections.update(delta["connections"])
        self.offered.update(delta["offered"])
        self.injected.update(delta["injected"])
        self.activity.update(delta["activity"])
        for how, code, reason, after, *spell in delta["lost"]:
            _prolong(self.losses, (how, code, reason, after), Spell(*spell))
        for ocpp, action, direction, error, text, *spell in delta["callerrors"]:
            _prolong(self.callerrors, (ocpp, action, direction, error, text), Spell(*spell))
        return self.calls - before

    @property
    def lost(self) -> int:
        """How many connections ended against the will of stations."""
        return sum(found.number for found in self.losses.values())

    @property
    def windows(self) -> dict[str, dict[Key, Latencies]]:
        """Everything by window and series."""
        self._close_interval()
        return self._totals

    def window(self, name: str) -> dict[Key, Latencies]:
        """Return copies of what one window holds so far; leaves the interval that is being filled alone."""
        copies: dict[Key, Latencies] = {}
        parts = [*self._totals.get(name, {}).items()]
        parts += [(key, latencies) for (window, key), latencies in self._open.items() if window == name]
        for key, latencies in parts:
            for copy, part in zip(_find(copies, key), latencies, strict=True):
                copy.merge(part.counts)
        return copies

    def answered(self) -> Counter[Key]:
        """Count the CALLs of each series in all windows together; far cheaper than to copy what a window holds."""
        counts: Counter[Key] = Counter()
        parts = [pair for table in self._totals.values() for pair in table.items()]
        parts += [(key, latencies) for (_, key), latencies in self._open.items()]
        for key, latencies in parts:
            counts[key] += latencies.response.count
        return counts

    def seconds(self) -> list[Second]:
        """Return every second in which some process reported, in their order."""
        return [Second(t, *row) for t, row in sorted(self._seconds.items())]

    def latest(self) -> Second | None:
        """Return the second before the newest: the newest one is not reported by every process yet."""
        t = self._newest - 1
        return Second(t, *self._seconds[t]) if t in self._seconds else None

    def recent(self) -> list[tuple[Key, Histogram]]:
        """Return the response times of the last seconds, some of them for each series; do not change them."""
        tables = [*(table for _, table in self._lately), self._open]
        return [(key, latencies.response) for table in tables for (_, key), latencies in table.items()]

    def latest_seconds(self, most: int) -> list[Second]:
        """Return the newest seconds that every process has reported, in their order."""
        found = range(self._newest - most, self._newest)
        return [Second(t, *self._seconds[t]) for t in found if t in self._seconds]

    def intervals(self, window: str) -> Iterator[Interval]:
        """Return the lines of the HDR log of a window: each interval in which figures of a series came in."""
        self._close_interval()
        for index in sorted(self._closed):
            for (name, key), packed in sorted(self._closed[index].items()):
                if name != window:
                    continue
                for kind, counts in zip(("service", "response"), packed, strict=True):
                    histogram = Histogram(_unpack(counts))
                    if histogram.counts:
                        tag = str(Tag(*key, kind))
                        yield Interval(tag, index * self._interval, self._interval, histogram)

    def _add_row(self, row: SecondCounts) -> None:
        second, *figures = row
        self._newest = max(self._newest, second)
        known = self._seconds.get(second)
        if known is None:
            self._seconds[second] = figures
        else:
            self._seconds[second] = [a + b for a, b in zip(known, figures, strict=True)]

    def _close_interval(self) -> None:
        if self._open:
            self._store(self._index, self._open)
            for (window, key), latencies in self._open.items():
                for total, part in zip(_find(self._totals.setdefault(window, {}), key), latencies, strict=True):
                    total.merge(part.counts)
            now = self._index * self._interval
            self._lately = [(at, table) for at, table in self._lately if at > now - _RECENT] + [(now, self._open)]
            self._open = {}
        if len(self._closed) > _MOST_INTERVALS:
            self._join_intervals()

    def _store(self, index: int, table: dict[tuple[str, Key], Latencies]) -> None:
        stored = self._closed.setdefault(index, {})
        for key, latencies in table.items():
            if key in stored:
                for histogram, packed in zip(latencies, stored[key], strict=True):
                    histogram.merge(_unpack(packed))
            stored[key] = (_pack(dict(latencies.service.counts)), _pack(dict(latencies.response.counts)))

    def _join_intervals(self) -> None:
        """Make intervals twice as long, so that a run of days fits in memory."""
        closed, self._closed = self._closed, {}
        self._interval *= 2
        self._index //= 2
        for index, table in closed.items():
            unpacked = {key: Latencies(*map(Histogram, map(_unpack, packed))) for key, packed in table.items()}
            self._store(index // 2, unpacked)


def _prolong(table: dict[_K, Spell], key: _K, new: Spell) -> None:
    old = table.get(key, new._replace(number=0))
    table[key] = Spell(old.number + new.number, min(old.first, new.first), max(old.last, new.last))


def _find(table: dict[_K, Latencies], key: _K) -> Latencies:
    latencies = table.get(key)
    if latencies is None:
        latencies = table[key] = Latencies(Histogram(), Histogram())
    return latencies
