"""Worker processes that may crash or hang without taking with them what others find out.

A pool of the standard library waits for a worker that never ends, and gives up everything when one dies. Here a worker
that dies or is late is a result like any other, and leaving the worker pool ends all workers at once.
"""

from __future__ import annotations

import contextlib
import faulthandler
import os
import queue
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import traceback
from collections import deque
from collections.abc import Callable, Iterator
from multiprocessing.connection import Connection, wait
from typing import Any

import msgspec

__all__ = ["Ended", "WorkerPool", "serve"]

Work = Callable[[Any], Any]
OpenWork = Callable[[], contextlib.AbstractContextManager[Work]]

LAST_WORDS = 2.0
"""Seconds for a late worker to write down where it hangs."""


class Ended(msgspec.Struct, frozen=True, kw_only=True):
    """A task and what came of it: a value, or the problem because of which there is none."""

    task: Any
    value: Any = None
    problem: str | None = None


class _Worker:
    """One process, and what it is at."""

    def __init__(self, open_work: OpenWork, lanes: int, folder: str) -> None:
        ours, theirs = socket.socketpair()
        with theirs:
            # In a session of its own Ctrl-C does not reach it: the worker pool ends it.
            self.process = subprocess.Popen(  # noqa: S603  # our own module
                [
                    sys.executable,
                    "-c",
                    f"from interop_suite.selftest.worker_pool import serve; serve({theirs.fileno()})",
                ],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                env={**os.environ, "TMPDIR": folder},
                start_new_session=True,
            )
        self.pipe = Connection(ours.detach())
        self.at_work: dict[int, float] = {}
        """Until when each task must have ended."""
        self.send(open_work)
        self.send(lanes)

    def send(self, message: Any) -> None:
        # One that has died is found by its end of the pipe.
        with contextlib.suppress(OSError):
            self.pipe.send(message)

    def end(self, number: signal.Signals = signal.SIGKILL) -> int:
        """End it with a signal, and give what its process returned."""
        with contextlib.suppress(OSError):
            self.process.send_signal(number)
        try:
            returned = self.process.wait(LAST_WORDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            returned = self.process.wait()
        self.pipe.close()
        return returned


class WorkerPool(contextlib.AbstractContextManager["WorkerPool"]):
    """Some processes that work on tasks, several at a time each."""

    def __init__(self, open_work: OpenWork, *, processes: int, lanes: int, limit: float) -> None:
        """Start nothing yet; a task that takes longer than `limit` seconds ends its worker.

        `open_work` is called once in each process. What it gives must bear calls from `lanes` threads at a time, and
        like the tasks and their values it must be fit to be pickled.
        """
        self._open_work = open_work
        self._processes = processes
        self._lanes = lanes
        self._limit = limit
        self._tasks: list[Any] = []
        self._waiting: deque[int] = deque()
        self._workers: list[_Worker] = []
        self._folder = tempfile.TemporaryDirectory(prefix="plugstorm-", ignore_cleanup_errors=True)
        """For temporary files of the workers, which are killed and leave them behind."""

    def __exit__(self, *exc: object) -> None:
        for worker in self._workers:
            worker.end()
        self._workers.clear()
        self._folder.cleanup()

    def give(self, *tasks: Any) -> None:
        """Add tasks, also while others are worked on."""
        for task in tasks:
            self._waiting.append(len(self._tasks))
            self._tasks.append(task)

    def ended(self) -> Iterator[Ended]:
        """Give each task when it has ended, in any order, until there is none left."""
        while self._waiting or any(worker.at_work for worker in self._workers):
            self._hand_out()
            nearest = min(until for worker in self._workers for until in worker.at_work.values())
            wait([worker.pipe for worker in self._workers], max(0.0, nearest - time.monotonic()))
            for worker in list(self._workers):
                yield from self._hear(worker)

    def _hand_out(self) -> None:
        while self._waiting:
            free = [worker for worker in self._workers if len(worker.at_work) < self._lanes]
            if len(self._workers) < self._processes and all(worker.at_work for worker in free):
                free.append(_Worker(self._open_work, self._lanes, self._folder.name))
                self._workers.append(free[-1])
            if not free:
                return
            number = self._waiting.popleft()
            worker = min(free, key=lambda each: len(each.at_work))
            worker.at_work[number] = time.monotonic() + self._limit
            worker.send((number, self._tasks[number]))

    def _hear(self, worker: _Worker) -> Iterator[Ended]:
        try:
            while worker.pipe.poll():
                number, value, problem = worker.pipe.recv()
                del worker.at_work[number]
                yield Ended(task=self._tasks[number], value=value, problem=problem)
        except (EOFError, OSError):
            self._workers.remove(worker)
            how = _in_words(worker.end())
            for number in worker.at_work:
                yield Ended(task=self._tasks[number], problem=f"its worker process {how}")
            return
        now = time.monotonic()
        late = [number for number, until in worker.at_work.items() if until <= now]
        if late:
            self._workers.remove(worker)
            # SIGABRT makes it write down where each of its threads is.
            worker.end(signal.SIGABRT)
            self._waiting.extendleft(reversed([number for number in worker.at_work if number not in late]))
            for number in late:
                yield Ended(task=self._tasks[number], problem=f"it did not end within {self._limit:g} s")


def serve(descriptor: int) -> None:
    """Be a worker: take tasks from a socket until its other end is gone."""
    faulthandler.enable()
    pipe = Connection(descriptor)
    try:
        open_work, lanes = pipe.recv(), pipe.recv()
        tasks: queue.SimpleQueue[tuple[int, Any]] = queue.SimpleQueue()
        lock = threading.Lock()
        with open_work() as work:
            for _ in range(lanes):
                threading.Thread(target=_be_a_lane, args=(pipe, lock, tasks, work), daemon=True).start()
            while True:
                tasks.put(pipe.recv())
    except EOFError:
        # Whatever is still at work is of no use to anybody.
        os._exit(0)


def _be_a_lane(pipe: Connection, lock: threading.Lock, tasks: queue.SimpleQueue[tuple[int, Any]], work: Work) -> None:
    while True:
        number, task = tasks.get()
        value, problem = None, None
        try:
            value = work(task)
        except Exception as error:  # noqa: BLE001  # a task that breaks is a result, and the others go on
            traceback.print_exc()
            problem = f"it broke: {type(error).__name__}: {error}"
        with lock:
            pipe.send((number, value, problem))


def _in_words(returned: int) -> str:
    return f"died of {signal.Signals(-returned).name}" if returned < 0 else f"ended with exit code {returned}"
