"""Watches the CSMS beside the run: asks every source once a second, and adds the figures to `run.json`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, ClassVar

from evidence.vocabulary import COOL_DOWN, MEASURE
from loadtest.plugins.contract import Conclusion, Plugin, RunAccess
from loadtest.plugins.watch.contract import Gone, Source
from loadtest.plugins.watch.series import Series, quantities_of

__all__ = ["WatchPlugin"]


class WatchPlugin(Plugin):
    """The figures of some sources over one run after another."""

    name: ClassVar[str] = "watch"
    _series: dict[tuple[str, str], Series]
    _problems: dict[str, str]
    _asked: set[str]
    """Sources that have not answered yet."""
    _since: float | None
    """When the window `measure` began, in seconds since the start of the run …"""
    _until: float | None
    """… and when it ended."""
    _clock: Callable[[], float]

    def __init__(self, sources: Sequence[Source], spawn: Callable[[Callable[[], None]], object] | None = None) -> None:
        """Watch these sources; `spawn` asks one of them without keeping the run waiting."""
        self._sources = list(sources)
        self._spawn = spawn or _spawn
        self._reset()

    def begin(self, access: RunAccess) -> None:
        """Begin a run."""
        self._reset()
        self._clock = access.clock

    def beat(self, elapsed: float, window: str) -> None:
        """Ask each source that has answered the question before."""
        if window == MEASURE and self._since is None:
            self._since = elapsed
        if window == COOL_DOWN and self._until is None:
            self._until = elapsed
        for source in self._sources:
            if source.source not in self._asked:
                self._asked.add(source.source)
                self._spawn(partial(self._ask, source))

    def stopping(self) -> None:
        """Note that the run ends: the goodbye of all stations is no growth."""
        if self._until is None:
            self._until = self._clock()

    def standing(self) -> Conclusion:
        """Return what objectives that end the run can be about."""
        return Conclusion(quantities=self._quantities())

    def conclude(self) -> Conclusion:
        """Write every series."""
        series = [one.told(self._since, self._until) for one in self._series.values() if one.points]
        problems = [f"{source}: {why}" for source, why in self._problems.items()]
        problems += [
            f"{source.source}: {left_out} further series were left out; name those that matter with --watch-series"
            for source in self._sources
            if (left_out := getattr(source, "left_out", 0))
        ]
        fields: dict[str, Any] = {"watch": {"series": series, "problems": problems}}
        return Conclusion(fields=fields, quantities=self._quantities())

    # -- inside ------------------------------------------------------------------------------------------------------

    def _reset(self) -> None:
        self._series = {}
        self._problems = {}
        self._asked = set()
        self._since = self._until = None
        self._clock = float

    def _quantities(self) -> Any:
        return quantities_of(list(self._series.values()), self._since, self._until)

    def _ask(self, source: Source) -> None:
        try:
            readings = source.sample()
            now = self._clock()
        except Gone as gone:
            self._problems.setdefault(source.source, f"{gone}, {self._clock():.0f} s after the start")
            return
        finally:
            self._asked.discard(source.source)
        for reading in readings:
            key = (source.source, reading.name)
            series = self._series.get(key)
            if series is None:
                series = self._series[key] = Series(source.source, reading)
            series.add(now, reading.value)


def _spawn(job: Callable[[], None]) -> None:
    import gevent  # noqa: PLC0415 - `plugstorm` makes plugins too, and has no event loop

    gevent.spawn(job)
