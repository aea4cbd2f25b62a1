"""Plugstorm with a Locust task of one's own, which sends with `ChargePointUser.call` and blocks for the answer."""

from __future__ import annotations

from typing import Final

import gevent.event
from locust import task

from benchmarks.engines.on_locust import obey
from benchmarks.engines.settled import settled, told
from benchmarks.engines.speech import Order
from benchmarks.workloads import VERSION
from loadtest.locust_edge.users import ChargePointUser
from ocppj.outcomes import Outcome

__all__ = ["BenchTaskStation"]

_ACCEPTED: Final = Outcome.ACCEPTED
_users: list[BenchTaskStation] = []


class _Loop:
    current: _Loop | None = None
    begun = gevent.event.Event()

    def __init__(self, order: Order) -> None:
        self.calls = self.errors = self.open = 0
        self.order = order
        self.running = True

    def start(self) -> None:
        self.open = len(_users)
        _Loop.current = self
        _Loop.begun.set()

    def stop(self) -> None:
        self.running = False
        _Loop.begun.clear()


class BenchTaskStation(ChargePointUser):
    """A charging station with a task that obeys orders."""

    ocpp = VERSION

    def on_start(self) -> None:
        """Connect."""
        super().on_start()
        _users.append(self)

    @task
    def obey(self) -> None:
        """Send, wait, send the next."""
        _Loop.begun.wait()
        loop = _Loop.current
        assert loop is not None
        while loop.running:
            answer = self.call(loop.order.action, loop.order.payload)
            if answer.outcome == _ACCEPTED:
                loop.calls += 1
            else:
                loop.errors += 1
        loop.open -= 1


obey(lambda environment: settled(environment, (user.station for user in _users)), _Loop, told)
