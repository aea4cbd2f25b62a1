"""When cars come: the plan of each EVSE follows from draws alone, never from how fast the CSMS answers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fixtures.tokens import POOL_SIZE, is_pool_token, pool_token
from loadtest.pacing import van_der_corput
from loadtest.station.deeds.reservations import admits
from loadtest.station.visit import Visit

if TYPE_CHECKING:
    from loadtest.profiles import Sessions
    from loadtest.station.station import Station
    from loadtest.station.visit import Outlet
    from loadtest.timers import Timer

__all__ = ["Arrivals", "token_for"]

_TOKENS_APART = POOL_SIZE // 8


def token_for(station: Station, outlet: Outlet) -> str:
    """Choose the token that drivers use at this connector.

    Every connector of the fleet has its own: one token at two connectors is ConcurrentTx (OCPP 1.6 §7.2). Where a list
    names the station's one token, that is used everywhere.
    """
    token, number = station.lease.token, outlet.place.number
    if number == 1 or not is_pool_token(token):
        return token
    return pool_token((station.lease.number + (number - 1) * _TOKENS_APART) % POOL_SIZE)


class Arrivals:
    """The arrivals at one station; of the connectors of one EVSE, one is used at a time."""

    __slots__ = ("_evses", "_sessions", "_station")

    def __init__(self, station: Station, sessions: Sessions) -> None:
        """Plan for every EVSE of the station."""
        self._station = station
        self._sessions = sessions
        by_evse: dict[int, list[Outlet]] = {}
        for outlet in station.outlets:
            by_evse.setdefault(outlet.place.evse_id, []).append(outlet)
        self._evses = [_Evse(station, sessions, outlets) for outlets in by_evse.values()]

    def plan(self, now: float) -> None:
        """Let the first cars come, spread over the whole fleet and the whole cycle."""
        for place, evse in enumerate(self._evses):
            phase = van_der_corput(self._station.lease.number + place * _FAR_APART)
            evse.expect(now + phase * self._sessions.cycle)

    def cancel(self) -> None:
        """Let no more cars come."""
        for evse in self._evses:
            evse.cancel()


_FAR_APART = 0x5555
"""Distance in the sequence of phases between the EVSEs of one station, so that they do not move in step."""


class _Evse:
    __slots__ = ("_next", "_outlets", "_sessions", "station")

    def __init__(self, station: Station, sessions: Sessions, outlets: list[Outlet]) -> None:
        self.station = station
        self._sessions = sessions
        self._outlets = outlets
        self._next: Timer | None = None

    def expect(self, when: float) -> None:
        self._next = self.station.fleet.timers.at(when, self._arrives)

    def cancel(self) -> None:
        self.station.fleet.timers.cancel(self._next)
        self._next = None

    def _arrives(self, when: float) -> None:
        station, sessions = self.station, self._sessions
        fleet, draws = station.fleet, station.draws
        until = when + fleet.draw(sessions.duration, draws)
        gap = fleet.draw(sessions.gap, draws)
        outlet = self._outlets[draws.below(len(self._outlets))]
        self.expect(until + gap)
        # A driver who finds the place taken or out of order drives on.
        token = token_for(station, outlet)
        if outlet.operative and not any(other.visit for other in self._outlets) and admits(outlet, token):
            Visit(outlet, token).begin(when, until, authorize=sessions.authorize)
