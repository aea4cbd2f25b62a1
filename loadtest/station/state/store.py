"""What only some stations keep: the state behind commands, made when a command first needs it.

A station that nobody commands pays one empty slot for all of it. A feature brings a class of its own, derived from
`contract.State`, and finds what it keeps by that class:

    settings = peek(station, Settings)     # None where nobody has changed a setting
    settings = need(station, Settings)     # made now, if it is not there
"""

from __future__ import annotations

from typing import Any, TypeVar

from loadtest.station.contract import Host, State, Store
from loadtest.timing.pacing import Draws

__all__ = ["StateStore", "need", "peek", "store_of"]


Kept = TypeVar("Kept", bound=State)


class StateStore:
    """The states of one station by their classes, in the order in which they were needed."""

    __slots__ = ("_draws", "_kept", "_station")

    def __init__(self, station: Host) -> None:
        """Keep nothing yet."""
        self._station = station
        self._kept: dict[type[Any], Any] = {}
        self._draws: dict[str, Draws] = {}

    def get(self, kind: type[Kept]) -> Kept | None:
        """Return the state of a feature; None where it was never needed."""
        found: Kept | None = self._kept.get(kind)
        return found

    def need(self, kind: type[Kept]) -> Kept:
        """Return the state of a feature, made now if it is not there."""
        found = self.get(kind)
        if found is None:
            found = kind(self._station)
            self._kept[kind] = found
        return found

    def draws(self, purpose: str) -> Draws:
        """Return random numbers for one purpose, apart from those of the drivers."""
        draws = self._draws.get(purpose)
        if draws is None:
            station = self._station
            draws = self._draws[purpose] = Draws(station.context.seed, station.lease.identity, purpose)
        return draws

    def back(self, now: float, *, booted: bool) -> None:
        """Take note that the CSMS hears the station again, after a boot or a lost connection."""
        for state in list(self._kept.values()):
            state.back(now, booted=booted)

    def charging_session_over(self, now: float) -> None:
        """Take note that a car has left."""
        for state in list(self._kept.values()):
            state.charging_session_over(now)

    def changed(self, now: float) -> None:
        """Take note that what the station shows of itself may be another."""
        for state in list(self._kept.values()):
            state.changed(now)

    def close(self) -> None:
        """Stop everything that is still to come."""
        for state in self._kept.values():
            state.close()


def peek(station: Host, kind: type[Kept]) -> Kept | None:
    """Return what a station keeps for a feature; None where it keeps nothing."""
    return None if station.store is None else station.store.get(kind)


def need(station: Host, kind: type[Kept]) -> Kept:
    """Return what a station keeps for a feature, made now if it is not there."""
    return store_of(station).need(kind)


def store_of(station: Host) -> Store:
    """Return the store of a station, made now if there is none."""
    if station.store is None:
        station.store = StateStore(station)
    return station.store
