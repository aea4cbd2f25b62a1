"""k6, where it is installed: this process stands between the bench and k6, which reads no orders itself.

One k6 only keeps its stations connected, and shows memory and connects. Each order starts another one, whose stations
connect, wait for a common start and run the closed loop; its processor time counts from that start.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import msgspec
import psutil

from benchmarks.engines.on_asyncio import arguments
from benchmarks.engines.speech import CALL_PATIENCE, Order, Ran, Ready, read_order, say

_SCRIPT: Final = Path(__file__).with_name("k6_stations.js")
_LEAD: Final = 2.0
"""Seconds until the common start, and one more for so many stations: k6 makes an interpreter for each of them first."""
_IN_A_SECOND: Final = 500
_LOOK_EVERY: Final = 0.1


class _Counts(msgspec.Struct):
    calls: int
    errors: int


class _K6:
    """One run of k6; use it as a context manager."""

    def __init__(self, url: str, stations: int, order: Order | None = None) -> None:
        """Start it; without an order its stations only stay connected."""
        self.began = time.monotonic()
        lead = _LEAD + stations / _IN_A_SECOND
        self.starts_at = self.began + lead
        given = {"URL": url, "STATIONS": str(stations), "START": f"{time.time() + lead:.3f}", "SECONDS": "0"}
        if order is not None:
            payload = msgspec.json.encode(order.payload).decode()
            given |= {"SECONDS": f"{order.seconds:g}", "ACTION": order.action, "PAYLOAD": payload}
        words = ["k6", "run", "--quiet", "--no-usage-report", "--address", "", str(_SCRIPT)]
        self._process = subprocess.Popen(  # noqa: S603 - our own words
            words, env=os.environ | given, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE
        )
        self._seen = psutil.Process(self._process.pid)

    @property
    def cpu_s(self) -> float:
        times = self._seen.cpu_times()
        return times.user + times.system

    @property
    def rss_kb(self) -> int:
        return int(self._seen.memory_info().rss) // 1024

    @property
    def descriptors(self) -> int:
        return self._seen.num_fds()

    def connected(self, stations: int) -> float:
        """Wait until all stations are connected, and return when that was: when k6 has nothing to do any more."""
        spent, since = -1.0, time.monotonic()
        while True:
            now, cpu = time.monotonic(), self.cpu_s
            if cpu > spent:
                spent, since = cpu, now
            elif sum(c.status == psutil.CONN_ESTABLISHED for c in self._seen.net_connections("tcp")) >= stations:
                return since
            if self._process.poll() is not None:
                raise SystemExit("k6 ended before its stations were connected")
            time.sleep(_LOOK_EVERY)

    def counts(self) -> _Counts:
        """Wait for its end, and read what it counted."""
        out, _ = self._process.communicate(timeout=CALL_PATIENCE)
        if self._process.returncode:
            raise SystemExit(f"k6 ended with exit code {self._process.returncode}")
        return msgspec.json.decode(out.splitlines()[-1], type=_Counts)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self._process.kill()
        self._process.communicate()


def _idle(url: str, stations: int) -> _K6:
    with _K6(url, 1) as alone:
        alone.connected(1)
        cpu_s, rss_kb = alone.cpu_s, alone.rss_kb
    k6 = _K6(url, stations)
    done = k6.connected(stations)
    ready = Ready(
        stations=stations,
        seconds=done - k6.began,
        cpu_s=max(k6.cpu_s - cpu_s, 0.0),
        rss_before_kb=rss_kb,
        rss_after_kb=k6.rss_kb,
        descriptors=k6.descriptors,
    )
    say(ready)
    return k6


def _loop(url: str, stations: int, order: Order) -> Ran:
    with _K6(url, stations, order) as k6:
        time.sleep(max(k6.starts_at - time.monotonic(), 0.0))
        began, cpu_s = time.monotonic(), k6.cpu_s
        time.sleep(order.seconds)
        seconds, cpu_s, rss_kb = time.monotonic() - began, k6.cpu_s - cpu_s, k6.rss_kb
        counts = k6.counts()
    return Ran(calls=counts.calls, errors=counts.errors, seconds=seconds, cpu_s=cpu_s, rss_kb=rss_kb)


def main() -> None:
    """Run until the standard input ends."""
    given = arguments()
    with _idle(given.url, given.stations):
        line = sys.stdin.readline()
    while line:
        say(_loop(given.url, given.stations, read_order(line)))
        line = sys.stdin.readline()


if __name__ == "__main__":
    main()
