"""A trace file that the stations of one process write without waiting for the disk.

Records are written as text in the event loop, in about ten microseconds each, and go to the disk in blocks from a
thread of their own. What waits for a slow disk is bounded; what could not be written is counted, and told once.
"""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from evidence.run_folder import complete_record
from loadtest.timing.timers import Timer, TimerQueue
from ocppj.trace import TraceRecord, encode_record

Outcome = tuple[int, str]
Submit = Callable[[Callable[[], Outcome], Callable[[Outcome], object]], object]

__all__ = ["BLOCK", "FLUSH_EVERY", "MOST_WAITING", "TraceFile"]

BLOCK: Final = 256 * 1024
"""Bytes that are written at once, at the least, unless the time is over."""
FLUSH_EVERY: Final = 0.5
"""Seconds after which anything is written."""
MOST_WAITING: Final = 16 * 1024 * 1024
"""Bytes that may wait for the disk."""

_logger = logging.getLogger(__name__)


class TraceFile:
    """One file `traces/*.jsonl`; opened by the first record."""

    def __init__(
        self,
        path: Callable[[], Path],
        timers: TimerQueue,
        submit: Submit,
        lost: Callable[[int], object],
        *,
        most_waiting: int = MOST_WAITING,
        wall_offset: float | None = None,
    ) -> None:
        """Write to `path`, asked for when the first record comes.

        `submit` runs its first argument in a thread and gives what it returns to the second one in the event loop.
        `lost` is told how many records could not be written. `wall_offset` is what a monotonic second is behind 1970.
        """
        self._find_path = path
        self._timers = timers
        self._submit = submit
        self._lost = lost
        self._most_waiting = most_waiting
        self._wall_offset = time.time() - time.monotonic() if wall_offset is None else wall_offset
        self._path: Path | None = None
        self._file = -1
        self._lines: list[bytes] = []
        self._size = 0
        self._in_flight = 0
        """Bytes that the thread has now."""
        self._timer: Timer | None = None
        self._told = False
        self._closed = False
        self.broken = ""
        """Why nothing is written any more."""

    @property
    def idle(self) -> bool:
        """Whether everything is on the disk, or lost."""
        return not self._lines and not self._in_flight

    def write(self, record: TraceRecord, secrets: frozenset[str]) -> None:
        """Keep a record, redacted and with its wall time, until the next block goes out; never waits, never raises."""
        if self._closed or self.broken:
            self._lost(1)
            return
        if self._size + self._in_flight > self._most_waiting:
            self._lost(1)
            self._tell("the disk is too slow")
            return
        line = encode_record(complete_record(record, secrets, self._wall_offset)) + b"\n"
        self._lines.append(line)
        self._size += len(line)
        if self._size >= BLOCK:
            self.flush()
        elif self._timer is None:
            self._timer = self._timers.at(time.monotonic() + FLUSH_EVERY, self._due)

    def flush(self) -> None:
        """Hand what waits to the thread, unless that is still busy with the last block."""
        if self._in_flight or not self._lines:
            return
        data = b"".join(self._lines)
        self._lines.clear()
        self._in_flight, self._size = self._size, 0
        self._submit(lambda: self._write_out(data), self._written)

    def close(self) -> None:
        """Write no more, and count what no thread has taken yet as lost; call it when `idle`, or tired of waiting."""
        self._timers.cancel(self._timer)
        self._timer = None
        if not self._closed and self._lines:
            self._drop_lines("the run is over")
        self._closed = True
        if self._file >= 0 and not self._in_flight:
            os.close(self._file)
            self._file = -1

    def _due(self, _: float) -> None:
        self._timer = None
        self.flush()
        if self._lines:
            self._timer = self._timers.at(time.monotonic() + FLUSH_EVERY, self._due)

    def _write_out(self, data: bytes) -> Outcome:
        """Write a block, in the thread; returns how many of its records are lost, and why."""
        done = 0
        try:
            if self._file < 0:
                self._path = self._find_path()
                self._path.parent.mkdir(parents=True, exist_ok=True)
                self._file = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o644)
            while done < len(data):
                done += os.write(self._file, data[done:] if done else data)
        except (OSError, ValueError) as error:
            whole = data.rfind(b"\n", 0, done) + 1
            self._cut_off(done - whole)
            return data.count(b"\n", whole), getattr(error, "strerror", None) or type(error).__name__
        return 0, ""

    def _cut_off(self, size: int) -> None:
        """Take half a line away, so that the file can be read."""
        try:
            if size:
                os.ftruncate(self._file, os.fstat(self._file).st_size - size)
        except OSError as error:
            _logger.debug("The last line of %s stays cut off: %s.", self._path, error)

    def _written(self, outcome: Outcome) -> None:
        self._in_flight = 0
        lost, reason = outcome
        if reason:
            self.broken = reason
            self._lost(lost)
            self._drop_lines(reason)
        elif self._closed:
            self.close()
        elif self._size >= BLOCK:
            self.flush()

    def _drop_lines(self, reason: str) -> None:
        self._lost(len(self._lines))
        self._lines.clear()
        self._size = 0
        self._tell(reason)

    def _tell(self, reason: str) -> None:
        if not self._told:
            self._told = True
            _logger.error(
                "Frames are missing in the trace %s: %s; the run goes on and says how many.",
                self._path or "of the run",
                reason,
            )
