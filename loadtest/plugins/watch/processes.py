"""A process and its children: processor time, memory, open files and threads, all together."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

import psutil

from loadtest.plugins.watch.contract import Gone, Reading
from ocppj.errors import UsageError

__all__ = ["ProcessTree"]

_LOOK_EVERY: Final = 5
"""Samples between two looks for new children, which read the whole list of processes."""
_MB: Final = 1024 * 1024


class ProcessTree:
    """One process by its number; sampled about once a second."""

    def __init__(self, pid: int, clock: Callable[[], float] = time.monotonic) -> None:
        """Take a process that runs; raises `UsageError` where there is none."""
        self.source = f"pid {pid}"
        self._clock = clock
        try:
            self._root = psutil.Process(pid)
        except (psutil.Error, ValueError, OverflowError):
            raise UsageError(f"--watch-pid {pid}: there is no such process") from None
        self._tree = [self._root]
        self._spent: dict[int, float] = {}
        self._sampled = clock()
        self._samples = 0

    def sample(self) -> list[Reading]:
        """Return the figures of the moment; raises `Gone` once the process has ended."""
        if not self._root.is_running() or self._status(self._root) == psutil.STATUS_ZOMBIE:
            raise Gone("the process has ended")
        if self._samples % _LOOK_EVERY == 0:
            self._tree = self._find()
        self._samples += 1
        now = self._clock()
        spent: dict[int, float] = {}
        memory = files = threads = 0
        for process in self._tree:
            try:
                with process.oneshot():
                    times = process.cpu_times()
                    spent[process.pid] = times.user + times.system
                    memory += process.memory_info().rss
                    threads += process.num_threads()
                files += process.num_fds()
            except psutil.Error:
                continue
        seconds, before = now - self._sampled, self._spent
        used = sum(total - before.get(pid, total) for pid, total in spent.items())
        readings = [
            Reading(name="rss", value=memory / _MB, unit="MB"),
            Reading(name="fds", value=float(files)),
            Reading(name="threads", value=float(threads)),
        ]
        if before and seconds > 0:
            readings.insert(0, Reading(name="cpu", value=max(used, 0.0) / seconds * 100, unit="%"))
        self._spent, self._sampled = spent, now
        return readings

    def _find(self) -> list[psutil.Process]:
        try:
            return [self._root, *self._root.children(recursive=True)]
        except psutil.Error:
            return [self._root]

    def _status(self, process: psutil.Process) -> str:
        try:
            return process.status()
        except psutil.Error:
            return psutil.STATUS_ZOMBIE
