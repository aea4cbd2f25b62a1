"""What an engine and the bench say to each other: lines of JSON on the standard input and output.

An engine connects its stations, then says `Ready`. Each `Order` that it reads is a closed loop: every station sends the
CALL, waits for the answer and sends the next, for so many seconds; when the last answer is there the engine says `Ran`.
The end of the input ends the engine.
"""

from __future__ import annotations

import os
import sys
import time
from typing import Any, Final

import msgspec

__all__ = ["CALL_PATIENCE", "Order", "Ran", "Ready", "Stopwatch", "read_order", "rss_kb", "say"]

CALL_PATIENCE: Final = 30.0


class Ready(msgspec.Struct, kw_only=True):
    """All stations are connected."""

    stations: int
    seconds: float
    """From the first attempt to the last success."""
    cpu_s: float
    """Processor time that this took."""
    rss_before_kb: int
    rss_after_kb: int
    descriptors: int | None = None
    """Open files of the process, where it tells."""


class Order(msgspec.Struct, kw_only=True):
    """Run a closed loop."""

    action: str
    payload: dict[str, Any]
    seconds: float


class Ran(msgspec.Struct, kw_only=True):
    """A closed loop is over."""

    calls: int
    """CALLs that were answered."""
    seconds: float
    cpu_s: float
    rss_kb: int
    errors: int = 0
    """CALLs that ended in another way."""
    counted: int | None = None
    """The same CALLs as the engine's own statistics count them, where it has any."""


class Stopwatch:
    """Time and processor time since it was made."""

    def __init__(self) -> None:
        """Start."""
        self._since = time.monotonic()
        self._cpu = time.process_time()

    @property
    def seconds(self) -> float:
        """Wall time."""
        return time.monotonic() - self._since

    @property
    def cpu_s(self) -> float:
        """Processor time of all threads."""
        return time.process_time() - self._cpu

    def ran(self, calls: int, *, errors: int = 0, counted: int | None = None) -> Ran:
        """Write the result of a loop that began when the watch did."""
        return Ran(calls=calls, seconds=self.seconds, cpu_s=self.cpu_s, rss_kb=rss_kb(), errors=errors, counted=counted)

    def ready(self, stations: int, rss_before_kb: int) -> Ready:
        """Write that the connecting which began with the watch is over."""
        return Ready(
            stations=stations,
            seconds=self.seconds,
            cpu_s=self.cpu_s,
            rss_before_kb=rss_before_kb,
            rss_after_kb=rss_kb(),
            descriptors=len(os.listdir("/proc/self/fd")),  # noqa: PTH208 - thousands of names, no paths
        )


def say(message: msgspec.Struct) -> None:
    """Write one line."""
    line = msgspec.json.encode(message) + b"\n"
    while line:
        line = line[os.write(sys.stdout.fileno(), line) :]


def read_order(line: str | bytes) -> Order:
    """Read one line."""
    return msgspec.json.decode(line, type=Order)


def rss_kb() -> int:
    """Return the resident memory of this process."""
    with open("/proc/self/statm", encoding="ascii") as file:  # noqa: PTH123 - read often, and cheap
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") // 1024
