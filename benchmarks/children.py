"""Child processes that are asked in lines of JSON and answer in lines of JSON: engines and sinks."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Final, Self

import msgspec

from benchmarks.canned import Address, Stats
from ocppj.errors import InconclusiveError

__all__ = ["ROOT", "Child", "SinkProcess", "cores"]

ROOT: Final = Path(__file__).resolve().parent.parent
_START: Final = 60.0
_ANSWER: Final = 30.0
_END: Final = 30.0
_GLANCE: Final = 0.05
_SHOWN: Final = 1500


def cores() -> tuple[int, int]:
    """Choose the core of the sink and the core of the engines; the same one where there is no second."""
    allowed = sorted(os.sched_getaffinity(0))
    return allowed[-1], allowed[0]


class Child:
    """One process; use it as a context manager. Lines on its standard output that are no JSON object are left out."""

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        *,
        core: int | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        """Start it on one core, or on all."""
        self.name = name
        self._log: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 - lives as long as the child
        self._pending = b""
        # Unbuffered: `select` must see everything that has come.
        self._process = subprocess.Popen(  # noqa: S603 - our own words
            command,
            bufsize=0,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            cwd=ROOT,
            env={**os.environ, **(environment or {})},
            process_group=0,
        )
        self.pid = self._process.pid
        if core is not None:
            os.sched_setaffinity(self.pid, {core})

    def ask(self, line: str, timeout: float = _ANSWER) -> dict[str, Any]:
        """Write a line and return the next answer; raises `InconclusiveError`."""
        self.tell(line)
        return self.hear(timeout)

    def tell(self, line: str) -> None:
        """Write a line."""
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(line.encode() + b"\n")
        except BrokenPipeError:
            raise self._broken("ended") from None

    def hear(self, timeout: float = _ANSWER) -> dict[str, Any]:
        """Return the next JSON object that it writes; raises `InconclusiveError` where none comes."""
        assert self._process.stdout is not None
        deadline = time.monotonic() + timeout
        while True:
            line, newline, rest = self._pending.partition(b"\n")
            if newline:
                self._pending = rest
                if line.startswith(b"{"):
                    answer: dict[str, Any] = msgspec.json.decode(line)
                    return answer
                continue
            left = deadline - time.monotonic()
            if left <= 0 or not select.select([self._process.stdout], [], [], left)[0]:
                raise self._broken(f"said nothing for {timeout:g} s")
            data = os.read(self._process.stdout.fileno(), 1 << 16)
            if not data:
                raise self._broken("ended")
            self._pending += data

    def wait(self, timeout: float) -> int:
        """Wait until it has ended by itself, and return its exit code; raises `InconclusiveError` when it does not."""
        process = self._process
        assert process.stdout is not None
        deadline = time.monotonic() + timeout
        # Whatever it still writes must not stop it.
        while process.poll() is None and time.monotonic() < deadline:
            if select.select([process.stdout], [], [], _GLANCE)[0] and not os.read(process.stdout.fileno(), 1 << 16):
                break
        try:
            return process.wait(max(deadline - time.monotonic(), _GLANCE))
        except subprocess.TimeoutExpired:
            raise self._broken(f"did not end within {timeout:g} s") from None

    def end(self) -> None:
        """Close its input, and wait until it has ended."""
        process = self._process
        assert process.stdin is not None
        assert process.stdout is not None
        with contextlib.suppress(OSError):
            process.stdin.close()
        try:
            with contextlib.suppress(InconclusiveError):
                self.wait(_END)
        finally:
            # What it has started itself goes with it.
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self.pid, signal.SIGKILL)
            process.wait()
            process.stdout.close()
            self._log.close()

    def _broken(self, how: str) -> InconclusiveError:
        self._log.flush()
        self._log.seek(0, os.SEEK_END)
        self._log.seek(max(0, self._log.tell() - _SHOWN))
        last = " ".join(self._log.read().decode(errors="replace").split())
        return InconclusiveError(f"{self.name} {how}; its last words: {last or 'none'}")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self.end()


class SinkProcess:
    """One sink, or several that share a port: a process may open only so many files."""

    def __init__(self, *arguments: str, core: int | None = None, processes: int = 1) -> None:
        """Start and wait until all listen; `arguments` are those of `benchmarks.sink`."""
        command = [sys.executable, "-m", "benchmarks.sink", *arguments]
        share = ["--share-port"] if processes > 1 else []
        self._children = [Child("The sink", command + share, core=core)]
        try:
            self.address = msgspec.convert(self._children[0].hear(_START), Address)
            self.url = self.address.url
            port = self.url.rpartition(":")[2]
            for _ in range(1, processes):
                child = Child("The sink", [*command, *share, "--port", port], core=core)
                self._children.append(child)
                child.hear(_START)
        except BaseException:
            self.end()
            raise

    def stats(self) -> Stats:
        """Ask what it has seen."""
        return self._ask("stats")

    def reset(self) -> Stats:
        """Let it forget its counts, and return them."""
        return self._ask("reset")

    def end(self) -> None:
        """End it."""
        for child in self._children:
            child.end()

    def _ask(self, line: str) -> Stats:
        for child in self._children:
            child.tell(line)
        return _add([msgspec.convert(child.hear(), Stats, strict=False) for child in self._children])

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self.end()


def _add(parts: list[Stats]) -> Stats:
    """Put the counts of sinks that share a port together."""
    if len(parts) == 1:
        return parts[0]
    calls: Counter[str] = Counter()
    arrivals: Counter[int] = Counter()
    for part in parts:
        calls.update(part.calls)
        arrivals.update(part.arrivals)
    return Stats(
        calls=dict(calls),
        others=sum(part.others for part in parts),
        connected=sum(part.connected for part in parts),
        connected_most=sum(part.connected_most for part in parts),
        opened=sum(part.opened for part in parts),
        arrivals=dict(arrivals),
        twice=[identity for part in parts for identity in part.twice],
        held_us={},
        cpu_s=sum(part.cpu_s for part in parts),
        rss_kb=sum(part.rss_kb for part in parts),
    )
