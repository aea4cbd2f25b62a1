"""What a sink answers, and what it counts, whatever transport it speaks: a CSMS without a memory."""

from __future__ import annotations

import time
from collections import Counter, defaultdict
from typing import Final

import msgspec

from benchmarks.engines.speech import rss_kb
from benchmarks.latency import Hold
from evidence.histogram import Histogram

__all__ = ["BUCKET", "EMPTY", "SELDOM", "TICK", "Address", "Sink", "Stats"]

BUCKET: Final = 0.1
"""Seconds of one bucket of arrivals."""
SELDOM: Final = 900_000_000
"""Seconds between Heartbeats that even 50,000 stations do not reach within a run."""
_NOW: Final = b'"2026-01-01T00:00:00Z"'
_MOST_TWICE: Final = 100
_GAP: Final = 50e-6
"""Seconds between two pieces of work in which the loop did not look for what had come in, or found nothing."""
TICK: Final = 0.001
"""Seconds between two looks of a sink that holds answers back, where nothing else happens."""
_PAUSE: Final = 0.0025
"""Seconds without a look after which something else kept the sink from running."""

# What stands behind the id in the answer. Everything else gets an empty payload.
_COMMON: Final = {
    b"Heartbeat": b'",{"currentTime":' + _NOW + b"}]",
    b"BootNotification": b'",{"currentTime":' + _NOW + b',"interval":%d,"status":"Accepted"}]',
}
_TAILS_16: Final = _COMMON | {
    b"Authorize": b'",{"idTagInfo":{"status":"Accepted"}}]',
    b"StartTransaction": b'",{"idTagInfo":{"status":"Accepted"},"transactionId":1}]',
    b"StopTransaction": b'",{"idTagInfo":{"status":"Accepted"}}]',
    b"DataTransfer": b'",{"status":"Accepted"}]',
}
_TAILS_2X: Final = _COMMON | {
    b"Authorize": b'",{"idTokenInfo":{"status":"Accepted"}}]',
    b"DataTransfer": b'",{"status":"Accepted"}]',
}
EMPTY: Final = b'",{}]'


class Address(msgspec.Struct, frozen=True):
    """Where a sink can be reached: the first line that it writes."""

    url: str
    pid: int
    ca_pem: str = ""
    """The root to trust, with TLS."""


class Stats(msgspec.Struct, kw_only=True):
    """What a sink has seen since its start, or since `reset`."""

    calls: dict[str, int]
    """By action."""
    others: int
    """Frames that were no CALL."""
    connected: int
    """Right now."""
    connected_most: int
    opened: int
    """Connections that were accepted."""
    arrivals: dict[int, int]
    """Connections by the tenth of a second of the monotonic clock in which they came."""
    twice: list[str]
    """Identities that were connected twice at one time, each time once; the first hundred."""
    held_us: dict[int, int]
    """How long answers were held back, in fact: counts by bucket of `evidence.histogram.Histogram`."""
    held_most_us: dict[int, int] = {}
    """The same with the time that the CALLs may have waited unread: the sink was at work on others, or not at all."""
    cpu_s: float
    """Processor time of the sink since its start."""
    rss_kb: int

    @property
    def total(self) -> int:
        """All CALLs."""
        return sum(self.calls.values())


class Sink:
    """Everything that the connections of one process share."""

    def __init__(self, *, hold: Hold | None = None, interval: int = SELDOM) -> None:
        """Answer at once, or as late as `hold` says; stations are told to send a Heartbeat every `interval` s."""
        self.hold = hold
        self.tails_16 = _with_interval(_TAILS_16, interval)
        self.tails_2x = _with_interval(_TAILS_2X, interval)
        self.identities: Counter[str] = Counter()
        self.connected = 0
        self.first_call: float | None = None
        self.reset()

    def reset(self) -> None:
        """Forget what was counted; connections stay."""
        self.calls: defaultdict[bytes, int] = defaultdict(int)
        self.others = 0
        self.opened: list[float] = []
        self.twice: list[str] = []
        self.held = Histogram()
        self.held_most = Histogram()
        self._busy_since = self._idle_since = time.monotonic()
        self.connected_most = self.connected

    def stats(self) -> Stats:
        """Return what was counted."""
        return Stats(
            calls={action.decode(): count for action, count in self.calls.items()},
            others=self.others,
            connected=self.connected,
            connected_most=self.connected_most,
            opened=len(self.opened),
            arrivals=dict(Counter(int(at / BUCKET) for at in self.opened)),
            twice=self.twice[:_MOST_TWICE],
            held_us=dict(self.held.counts),
            held_most_us=dict(self.held_most.counts),
            cpu_s=time.process_time(),
            rss_kb=rss_kb(),
        )

    def begin(self, now: float) -> float:
        """Begin a piece of work, and return since when nothing was read: what is read now came later.

        That is since the first of several pieces one after the other, or since the last look before a pause in which
        the sink had no processor.
        """
        idle = now - self._idle_since
        if idle > _PAUSE:
            self._busy_since = self._idle_since
        elif idle > _GAP:
            self._busy_since = now
        return self._busy_since

    def end(self, now: float) -> None:
        """End it."""
        self._idle_since = now

    def arrived(self, identity: str) -> None:
        """Count a connection."""
        self.opened.append(time.monotonic())
        self.connected += 1
        self.connected_most = max(self.connected_most, self.connected)
        self.identities[identity] += 1
        if self.identities[identity] > 1:
            self.twice.append(identity)

    def left(self, identity: str) -> None:
        """Take note that a connection is gone."""
        self.connected -= 1
        self.identities[identity] -= 1
        if not self.identities[identity]:
            del self.identities[identity]


def _with_interval(tails: dict[bytes, bytes], interval: int) -> dict[bytes, bytes]:
    return tails | {b"BootNotification": tails[b"BootNotification"] % interval}
