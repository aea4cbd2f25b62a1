"""Plugstorm as it storms a CSMS: `ChargePointUser` under Locust, with everything switched on.

Locust's events and statistics, both latency histograms, outcome classes, the schema check of `--schema-share` of the
answers, the self-check and the run folder. The closed loop takes the way that a station's own timers take.
"""

from __future__ import annotations

import time
from typing import Any, Final

from benchmarks.engines.on_locust import obey
from benchmarks.engines.settled import settled, told
from benchmarks.engines.speech import Order
from benchmarks.workloads import VERSION
from loadtest.locust_edge.process import UserStation
from loadtest.locust_edge.users import ChargePointUser
from ocppj.outcomes import Outcome

__all__ = ["BenchStation"]

_ACCEPTED: Final = Outcome.ACCEPTED
_stations: list[UserStation] = []


class BenchStation(ChargePointUser):
    """A charging station that waits for orders."""

    ocpp = VERSION

    def _leased(self, lease: Any) -> None:
        super()._leased(lease)
        assert self.station is not None
        _stations.append(self.station)


class _Loop:
    def __init__(self, order: Order) -> None:
        self.calls = self.errors = self.open = 0
        self._order = order
        self._running = True
        self._senders = [_Sender(self, station, order) for station in _stations]

    def start(self) -> None:
        self.open = len(self._senders)
        for sender in self._senders:
            sender.send()

    def stop(self) -> None:
        self._running = False

    @property
    def running(self) -> bool:
        return self._running


class _Sender:
    """One station's part of the loop."""

    __slots__ = ("_action", "_call", "_loop", "_payload")

    def __init__(self, loop: _Loop, station: UserStation, order: Order) -> None:
        self._loop = loop
        self._call = station.call
        self._action = order.action
        self._payload = order.payload

    def send(self) -> None:
        if not self._call(self._action, self._payload, time.monotonic(), self.on_end):
            self._loop.errors += 1
            self._loop.open -= 1

    def on_end(self, _: Any, outcome: str) -> None:
        loop = self._loop
        if outcome == _ACCEPTED:
            loop.calls += 1
        else:
            loop.errors += 1
        if loop._running:  # noqa: SLF001 - one unit
            self.send()
        else:
            loop.open -= 1


obey(lambda environment: settled(environment, _stations), _Loop, told)
