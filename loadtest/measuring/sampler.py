"""What a worker sees of itself: how late its event loop runs, and its processor time, memory and descriptors.

`loadtest.judging.generator` judges it. The `Sampler` has no timer of its own; `loadtest.locust_edge.wiring` calls
`probe` and `sample`.
"""

from __future__ import annotations

import os
import resource
import time
from collections import deque
from collections.abc import Callable
from typing import Any, Final

import msgspec
import psutil

from evidence.histogram import Histogram
from evidence.vocabulary import MEASURE
from loadtest.measuring.kernel import local_ports, stolen_by_host, waited_for_cpu
from loadtest.measuring.recorder import Recorder

__all__ = ["PROBE_EVERY", "STALL", "Health", "Sampler", "WindowHealth"]

PROBE_EVERY: Final = 0.02
"""Seconds between two probes of the event loop."""
STALL: Final = 0.1
"""Seconds; a probe that is later than this counts as a stall of the loop."""
_CPU_OVER: Final = 5
_MOST_MISSED_PROBES: Final = 50_000


class WindowHealth(msgspec.Struct, kw_only=True):
    """What a worker saw of itself within one window."""

    lag: dict[int, int] = {}
    """How late the probes were: counts by bucket of `Histogram`, µs."""
    stalls: int = 0
    longest_stall: float = 0.0
    """Seconds."""
    cpu: float = 0.0
    """Seconds of processor time, all threads together."""
    waited: float = 0.0
    """Seconds in which the process could have run and got no processor."""
    stolen: float = 0.0
    """Seconds that the host of a virtual machine gave to others, of a processor on the average."""
    seconds: float = 0.0


class Health(msgspec.Struct, kw_only=True):
    """What a worker says of itself since its start; sent complete each time, so the latest is enough."""

    pid: int
    windows: dict[str, WindowHealth] = {}
    busiest: float = 0.0
    """Highest share of one processor over 5 s in the window `measure`."""
    rss_idle: int = 0
    """Bytes before the first station."""
    rss: int = 0
    """Bytes, the most seen."""
    stations: int = 0
    """Connections, the most seen."""
    descriptors: int = 0
    """The most seen."""
    descriptor_limit: int = 0
    ports: int = 0
    """Local ports that one source address offers."""
    errors: int = 0
    """Exceptions of Plugstorm itself."""
    fences: int = 0
    """How often the worker closed its stations because the master was silent."""
    untraced: int = 0
    """Frames of traced stations that could not be written."""


class Sampler:
    """Watches one process; costs less than a thousandth of a core."""

    def __init__(self, recorder: Recorder, clock: Callable[[], float] = time.monotonic) -> None:
        """Begin before the first station is there."""
        self._recorder = recorder
        self._clock = clock
        self._process = psutil.Process()
        self._due = self._sampled = clock()
        self._lags: dict[str, Histogram] = {}
        self._recent: deque[tuple[float, float]] = deque(maxlen=_CPU_OVER)
        self._cpu = time.process_time()
        self._waited = waited_for_cpu()
        self._stolen = stolen_by_host()
        rss = self._process.memory_info().rss
        limit = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
        self.health = Health(
            pid=os.getpid(),
            rss_idle=rss,
            rss=rss,
            descriptors=_descriptors(limit),
            descriptor_limit=limit,
            ports=local_ports(),
        )

    def restart(self) -> None:
        """Forget the windows of the run before."""
        self._lags.clear()
        self._recent.clear()
        self.health.windows = {}
        self.health.busiest = 0.0
        self.health.stations = self.health.errors = self.health.fences = self.health.untraced = 0

    def probe(self) -> float:
        """Note how late this call is, and return the seconds until the next one is due.

        The probes that a stall swallowed are counted with the lag that they would have had, so that the percentiles
        are those of time and not those of the probes that happened to run.
        """
        now = self._clock()
        lag = now - self._due
        name = self._recorder.current_window
        histogram = self._lags.get(name)
        if histogram is None:
            histogram = self._lags[name] = Histogram()
        histogram.record(int(lag * 1e6))
        if lag > PROBE_EVERY:
            for missed in range(1, min(int(lag / PROBE_EVERY), _MOST_MISSED_PROBES) + 1):
                histogram.record(int((lag - missed * PROBE_EVERY) * 1e6))
        if lag > STALL:
            window = self._window(name)
            window.stalls += 1
            window.longest_stall = max(window.longest_stall, lag)
        self._due = now + PROBE_EVERY
        return PROBE_EVERY

    def sample(self) -> None:
        """Look at processor time, memory and descriptors; called once a second."""
        now, cpu, waited, stolen = self._clock(), time.process_time(), waited_for_cpu(), stolen_by_host()
        health, seconds = self.health, max(now - self._sampled, 1e-6)
        name = self._recorder.current_window
        window = self._window(name)
        window.cpu += cpu - self._cpu
        window.waited += waited - self._waited
        window.stolen += stolen - self._stolen
        window.seconds += seconds
        if name == MEASURE:
            self._recent.append((cpu - self._cpu, seconds))
            if len(self._recent) == _CPU_OVER:
                spent, passed = map(sum, zip(*self._recent, strict=True))
                health.busiest = max(health.busiest, spent / passed)
        self._sampled, self._cpu, self._waited, self._stolen = now, cpu, waited, stolen
        health.rss = max(health.rss, self._process.memory_info().rss)
        health.stations = max(health.stations, self._recorder.connected_now)
        health.descriptors = max(health.descriptors, _descriptors(health.descriptor_limit))

    def error(self) -> None:
        """Count an exception of Plugstorm itself."""
        self.health.errors += 1

    def untraced(self, frames: int) -> None:
        """Count frames of traced stations that could not be written."""
        self.health.untraced += frames

    def snapshot(self) -> dict[str, Any]:
        """Return the present `Health` in types that msgpack knows."""
        for name, histogram in self._lags.items():
            self._window(name).lag = dict(histogram.counts)
        snapshot: dict[str, Any] = msgspec.to_builtins(self.health)
        return snapshot

    def _window(self, name: str) -> WindowHealth:
        window = self.health.windows.get(name)
        if window is None:
            window = self.health.windows[name] = WindowHealth()
        return window


def _descriptors(limit: int) -> int:
    """Return the lowest free descriptor: as many are open at least, and asking costs the same with 20,000 of them."""
    try:
        descriptor = os.dup(0)
    except OSError:
        return limit
    os.close(descriptor)
    return descriptor
