"""A sink that echoes dots and counts them, and sees when an identity is connected twice at one time."""

from __future__ import annotations

import asyncio
import threading
from collections import Counter
from types import TracebackType
from typing import Self

__all__ = ["Sink"]


class Sink:
    """Runs in a thread of its own; use it as a context manager."""

    def __init__(self) -> None:
        self.calls: Counter[str] = Counter()
        self.connected: Counter[str] = Counter()
        self.twice: list[str] = []
        self.seen: Counter[str] = Counter()
        self.changed = threading.Condition()
        self._loop = asyncio.new_event_loop()
        self._started = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    @property
    def total(self) -> int:
        return sum(self.calls.values())

    def wait_for(self, calls: int, timeout: float = 90.0) -> None:
        """Return when so many dots came."""
        with self.changed:
            assert self.changed.wait_for(lambda: self.total >= calls, timeout), f"only {self.total} calls came"

    def wait_for_connected(self, count: int, timeout: float = 90.0) -> None:
        """Return when so many identities are connected."""
        with self.changed:
            reached = self.changed.wait_for(lambda: len(+self.connected) == count, timeout)
            assert reached, f"{len(+self.connected)} are connected"

    def wait_for_reconnected(self, count: int, timeout: float = 90.0) -> None:
        """Return when so many identities connected once more."""
        with self.changed:
            reached = self.changed.wait_for(lambda: sum(n > 1 for n in self.seen.values()) >= count, timeout)
            assert reached, f"only {self.seen} came back"

    def __enter__(self) -> Self:
        self._thread.start()
        assert self._started.wait(10)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(10)

    def _run(self) -> None:
        self._loop.run_until_complete(self._serve())
        self._loop.close()

    async def _serve(self) -> None:
        self._stop = asyncio.Event()
        server = await asyncio.start_server(self._handle, "127.0.0.1", 0)
        self.address = "{}:{}".format(*server.sockets[0].getsockname())
        self._started.set()
        await self._stop.wait()
        server.close()
        for task in asyncio.all_tasks() - {asyncio.current_task()}:
            task.cancel()

    async def _handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        identity = (await reader.readline()).decode().strip()
        with self.changed:
            self.seen[identity] += 1
            self.connected[identity] += 1
            if self.connected[identity] > 1:
                self.twice.append(identity)
            self.changed.notify_all()
        try:
            while dots := await reader.read(100):
                with self.changed:
                    self.calls[identity] += len(dots)
                    self.changed.notify_all()
                writer.write(dots)
        except (ConnectionError, asyncio.CancelledError):
            pass
        finally:
            with self.changed:
                self.connected[identity] -= 1
                self.changed.notify_all()
            writer.close()
