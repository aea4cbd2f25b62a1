"""The storms of one process with stations: it takes the master's orders and reports once a second."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from config.locations import Location
from loadtest.measuring.recorder import Recorder
from loadtest.plugins.storms.neighbours import CALLS
from loadtest.plugins.storms.plan import Shuffle, plan, position_of
from loadtest.plugins.storms.station_storm import StationStorm
from loadtest.plugins.storms.tally import Tally
from loadtest.station.life import Life
from loadtest.station.station import Station
from loadtest.timing.pacing import Draws
from loadtest.timing.timers import TimerQueue
from loadtest.transport.target import Target
from loadtest.workload.storms import RegionFailover, Storm, make_storm

__all__ = ["KIND", "StormProcess"]

KIND: Final = "storm"
"""Of the orders that come and of the notes that go."""

_LOOK_EVERY: Final = 0.25
_TELL_EVERY: Final = 1.0
_CHUNK: Final = 400
"""How many stations are looked at before sockets get their turn."""


class _Storm:
    """One storm in this process."""

    def __init__(self, order: dict[str, Any], storm: Storm, seed: int, begins: float, target: Target | None) -> None:
        self.storm = storm
        self.number: int = order["number"]
        self.total: int = order["total"]
        self.begins = begins
        self.target = target
        self.shuffle = Shuffle(seed, self.total, f"storm/{self.number}")
        self.tally = Tally(self.number, begins)
        self.station_storms: list[StationStorm] = []
        self.planned = False


class StormProcess:
    """All storms of this process within one run."""

    def __init__(
        self,
        timers: TimerQueue,
        recorder: Recorder,
        seed: int,
        stations: Mapping[str, Station],
        *,
        find_target: Callable[[str, Callable[[Target], object]], object],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Begin without a storm.

        `find_target` looks up a URL and gives the target to a callback, without blocking.
        """
        self._timers = timers
        self._recorder = recorder
        self._seed = seed
        self._stations = stations
        self._find_target = find_target
        self._clock = clock
        self._storms: list[_Storm] = []
        self._looks = False
        self._tell_at = 0.0
        recorder.before_take.append(self._tell_calls)

    def order(self, order: dict[str, Any]) -> None:
        """Let a storm come.

        An order holds a `storm` as `write_storm` writes it, its `number`, the `delay` in seconds, and the `total` of
        stations that its share is taken of.
        """
        storm = make_storm(order["storm"], Location("the master's order"))
        begins = self._clock() + order["delay"]

        def begin(target: Target | None = None) -> None:
            one = _Storm(order, storm, self._seed, begins, target)
            self._storms.append(one)
            self._plan_some(one, iter(list(self._stations.values())))
            if not self._looks:
                self._looks = True
                self._timers.at(self._clock() + _LOOK_EVERY, self._look)

        if isinstance(storm, RegionFailover) and storm.to:
            self._find_target(storm.to, begin)
        else:
            begin()

    def close(self) -> None:
        """Report the last that was seen; the run ends."""
        self.report()
        self._recorder.before_take.remove(self._tell_calls)
        self._storms.clear()

    def report(self) -> None:
        """Leave a note of what was counted since the last one; done by itself once a second."""
        now = self._clock()
        self._tell_calls()
        for one in self._storms:
            if now >= one.begins:
                one.tally.queued(
                    now, sum(station_storm.station.messages_waiting for station_storm in one.station_storms)
                )
            news = one.tally.take()
            if news:
                self._recorder.note(KIND, one.number, news)

    def _tell_calls(self) -> None:
        """Leave a note of the CALLs of struck stations beside those CALLs themselves."""
        for one in self._storms:
            if (taken := one.tally.calls.take()) is not None:
                self._recorder.note(CALLS, *taken)

    # -- inside ------------------------------------------------------------------------------------------------------

    def _plan_some(self, one: _Storm, stations: Iterator[Station]) -> None:
        for _, station in zip(range(_CHUNK), stations, strict=False):
            self._plan(one, station)
        rest = next(stations, None)
        if rest is None:
            one.planned = True
            return
        self._plan(one, rest)
        # A moment later, and not at once: timers that are due are run before any socket.
        self._timers.at(self._clock() + 0.001, lambda _: self._plan_some(one, stations))

    def _plan(self, one: _Storm, station: Station) -> None:
        if station.life is not Life.ON:
            return
        number = station.lease.number
        draws = Draws(self._seed, station.lease.identity, f"storm/{one.number}")
        place = position_of(one.storm, one.shuffle, number, one.total, draws)
        if place is not None:
            steps = plan(one.storm, place)
            if steps:
                station_storm = StationStorm(
                    station, one.tally, steps, one.begins, cuts=one.storm.cuts, target=one.target
                )
                one.station_storms.append(station_storm)

    def _look(self, _: float) -> None:
        now = self._clock()
        for one in self._storms:
            for station_storm in one.station_storms:
                station_storm.look(now)
            if any(station_storm.done for station_storm in one.station_storms):
                done = [station_storm for station_storm in one.station_storms if station_storm.done]
                one.station_storms = [station_storm for station_storm in one.station_storms if not station_storm.done]
                for station_storm in done:
                    station_storm.leave()
        if now >= self._tell_at:
            self._tell_at = now + _TELL_EVERY
            self.report()
            self._storms = [one for one in self._storms if one.station_storms or not one.planned]
        self._looks = bool(self._storms)
        if self._looks:
            self._timers.at(now + _LOOK_EVERY, self._look)
