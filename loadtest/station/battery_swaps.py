"""The drivers who come to a swap station, and those whom the CSMS sends there (OCPP 2.1 S01, S02)."""

from __future__ import annotations

from functools import partial
from typing import Any

from fixtures.tokens import Token
from loadtest.station.contract import Host
from loadtest.station.state.battery_bay import REFUSED, BatteryBay
from loadtest.station.state.connectors import token_for
from loadtest.station.state.store import need
from loadtest.timing.timers import Timer
from loadtest.workload.profile import Swaps
from ocppj.outcomes import Outcome, as_seen

__all__ = ["BatterySwaps"]


class BatterySwaps:
    """The arrivals at one swap station; a slow CSMS does not move them."""

    __slots__ = ("_next", "_station", "_swaps")

    def __init__(self, station: Host, swaps: Swaps) -> None:
        """Wait for `plan`."""
        self._station = station
        self._swaps = swaps
        self._next: Timer | None = None

    def plan(self, now: float) -> None:
        """Let the first driver come, at any moment of a gap between two."""
        self._expect(now + self._gap() * self._station.draws.uniform())

    def cancel(self) -> None:
        """Let nobody come any more."""
        self._station.context.timers.cancel(self._next)
        self._next = None

    def _gap(self) -> float:
        return self._station.context.draw(self._swaps.gap, self._station.draws)

    def _expect(self, when: float) -> None:
        self._next = self._station.context.timers.at(when, self._comes, self._station)

    def _comes(self, when: float) -> None:
        station = self._station
        self._expect(when + self._gap())
        token = token_for(station, station.connectors[0])
        if not need(station, BatteryBay).ready:
            return
        asked = self._swaps.authorize and station.call(
            "Authorize", station.dialect.authorize(token), when, partial(self._authorized, token)
        )
        if not asked:
            # Offline, a station trusts the driver, as with a charging session.
            self._swap(token, when)

    def _authorized(self, token: str, _: Any, outcome: str) -> None:
        if outcome == Outcome.ACCEPTED or as_seen(outcome) in (Outcome.LOST, Outcome.NEVER_SENT):
            self._swap(token, self._station.context.clock())
        else:
            self._station.context.recorder.activity(REFUSED)

    def _swap(self, token: str, at: float) -> None:
        station, bay = self._station, need(self._station, BatteryBay)
        if bay.ready:
            bay.swap(Token(value=token), station.context.draw(self._swaps.takes, station.draws), at)
