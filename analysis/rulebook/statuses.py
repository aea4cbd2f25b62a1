"""The status of connectors in 1.6: which may follow which, and how often they change."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from typing import Final

from analysis.rulebook.contract import CallCheck, Exchange, StationView, Watcher

__all__ = ["Statuses16"]

_SUSPENDED: Final = frozenset({"SuspendedEV", "SuspendedEVSE"})
_ENERGY: Final = _SUSPENDED | {"Charging"}
_OFF: Final = frozenset({"Unavailable", "Faulted"})
# OCPP 1.6 §4.9, the table of transitions.
_NEXT: Final[Mapping[str, frozenset[str]]] = {
    "Available": frozenset({"Preparing", "Reserved"}) | _ENERGY | _OFF,
    "Preparing": frozenset({"Available", "Finishing", "Faulted"}) | _ENERGY,
    "Charging": frozenset({"Available", "Finishing"}) | _SUSPENDED | _OFF,
    "SuspendedEV": frozenset({"Available", "Finishing", "Charging", "SuspendedEVSE"}) | _OFF,
    "SuspendedEVSE": frozenset({"Available", "Finishing", "Charging", "SuspendedEV"}) | _OFF,
    "Finishing": frozenset({"Available", "Preparing"}) | _OFF,
    "Reserved": frozenset({"Available", "Preparing"}) | _OFF,
    "Unavailable": frozenset({"Available", "Preparing", "Faulted"}) | _ENERGY,
    "Faulted": frozenset({"Available", "Preparing", "Finishing", "Reserved", "Unavailable"}) | _ENERGY,
}
_OF_THE_WHOLE: Final = frozenset({"Available", "Unavailable", "Faulted"})
_CHANGES: Final = 20
_WITHIN: Final = 60.0


class Statuses16(Watcher):
    """Follows StatusNotification of each connector."""

    def __init__(self, station: StationView) -> None:
        """Start without a status."""
        super().__init__(station)
        self._status: dict[int, tuple[str, int]] = {}
        """By connector: the last status, and how often the station had registered then."""
        self._changes: deque[float] = deque(maxlen=_CHANGES)
        self._flapping = False

    @property
    def calls(self) -> Mapping[str, CallCheck]:
        """Return what to do with CALLs."""
        return {"StatusNotification": self._told}

    def _told(self, exchange: Exchange) -> None:
        station, payload = self.station, exchange.payload or {}
        connector, status = payload["connectorId"], payload["status"]
        if connector == 0:
            if status not in _OF_THE_WHOLE:
                station.find("connector-zero-status", f"connector 0 is {status}")
            return
        before, boots = self._status.get(connector, (status, station.boots))
        self._status[connector] = (status, station.boots)
        if status == before or station.in_gap():
            return
        # After a restart, as after a time offline, only the present status is told (1.6 §4.9).
        if boots == station.boots and status not in _NEXT[before]:
            station.find("status-transition", f"connector {connector} goes from {before} to {status}")
        if exchange.at is not None:
            self._flaps(exchange.at, connector)

    def _flaps(self, at: float, connector: int) -> None:
        self._changes.append(at)
        if len(self._changes) < _CHANGES or not 0 <= at - self._changes[0] <= _WITHIN:
            self._flapping = False
        elif not self._flapping:
            self._flapping = True
            self.station.find(
                "status-flapping",
                f"{_CHANGES} changes of status within {at - self._changes[0]:.0f} s, the last on connector {connector}",
            )
