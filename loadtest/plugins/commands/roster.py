"""What the leader of a run knows of the stations: which are there, what they do, and which may get a command."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final

import msgspec

from loadtest.timing.pacing import Draws
from loadtest.workload.command_catalogue import Candidates
from ocppj.versions import Version

__all__ = ["ConnectorSeen", "Roster", "StationSeen", "connector_id"]

_TRIES: Final = 24
"""Stations that are looked at for one command before all count as busy."""


class ConnectorSeen(msgspec.Struct, frozen=True, array_like=True):
    """One connector, as its station reports it."""

    number: int
    """Of 1.6, where every connector of the station has its own."""
    evse_id: int
    connector_id: int
    """Within its EVSE."""
    busy: bool
    transaction_id: int | str | None = None
    """Of the transaction that is under way there, where the CSMS knows it."""


_CONNECTOR_IDS: Final[Mapping[str, Callable[[ConnectorSeen], int]]] = MappingProxyType(
    {
        Version.V16: lambda connector: connector.number,
        Version.V201: lambda connector: connector.connector_id,
        Version.V21: lambda connector: connector.connector_id,
    }
)


def connector_id(ocpp: str, connector: ConnectorSeen) -> int:
    """Return what a message of this version calls a connector: counted over the station, or within its EVSE."""
    return _CONNECTOR_IDS[ocpp](connector)


class StationSeen(msgspec.Struct, frozen=True, array_like=True):
    """One station, as it reports itself when something has changed."""

    identity: str
    ocpp: str
    online: bool
    token: str
    connectors: list[ConnectorSeen]

    @property
    def targets(self) -> frozenset[Candidates]:
        """What it could be chosen for."""
        if not self.online:
            return frozenset()
        found = {Candidates.ANY}
        if not any(connector.busy for connector in self.connectors):
            found.add(Candidates.IDLE)
        if any(connector.transaction_id is not None for connector in self.connectors):
            found.add(Candidates.CHARGING)
        return frozenset(found)

    def connector_for(self, target: Candidates) -> ConnectorSeen:
        """Choose the connector that a command is about."""
        if target is Candidates.CHARGING:
            return next(connector for connector in self.connectors if connector.transaction_id is not None)
        return next((connector for connector in self.connectors if not connector.busy), self.connectors[0])


class Roster:
    """All stations by what they could be chosen for; choosing costs the same for ten and for ten thousand."""

    def __init__(self) -> None:
        """Know no station."""
        self._stations: dict[str, StationSeen] = {}
        self._bags: dict[tuple[str, Candidates], _Bag] = {}
        self.online = 0
        """How many are there."""

    def __len__(self) -> int:
        return len(self._stations)

    def find(self, identity: str) -> StationSeen | None:
        """Return what a station reported last."""
        return self._stations.get(identity)

    def learn(self, rows: Sequence[Any]) -> None:
        """Take what stations report."""
        for seen in msgspec.convert(rows, list[StationSeen]):
            before = self._stations.get(seen.identity)
            self._stations[seen.identity] = seen
            old = before.targets if before is not None else frozenset()
            new = seen.targets
            for target in old - new:
                self._bag(seen.ocpp, target).remove(seen.identity)
            for target in new - old:
                self._bag(seen.ocpp, target).add(seen.identity)
            self.online += seen.online - (before.online if before is not None else False)

    def choose(
        self, versions: Collection[Version], target: Candidates, draws: Draws, free: Callable[[str], bool]
    ) -> StationSeen | None:
        """Draw a station that fits and is `free`; None where there is none, or hardly any."""
        bags = [bag for version in versions if (bag := self._bag(version, target))]
        total = sum(map(len, bags))
        for _ in range(min(_TRIES, total * 4)):
            drawn = draws.below(total)
            for bag in bags:
                if drawn < len(bag):
                    if free(bag[drawn]):
                        return self._stations[bag[drawn]]
                    break
                drawn -= len(bag)
        return None

    def _bag(self, ocpp: str, target: Candidates) -> _Bag:
        key = str(ocpp), target
        bag = self._bags.get(key)
        if bag is None:
            bag = self._bags[key] = _Bag()
        return bag


class _Bag:
    """A set from which a random member is drawn at once."""

    __slots__ = ("_indices", "_items")

    def __init__(self) -> None:
        self._items: list[str] = []
        self._indices: dict[str, int] = {}

    def __len__(self) -> int:
        return len(self._items)

    def __getitem__(self, index: int) -> str:
        return self._items[index]

    def add(self, item: str) -> None:
        self._indices[item] = len(self._items)
        self._items.append(item)

    def remove(self, item: str) -> None:
        index, last = self._indices.pop(item), self._items.pop()
        if last != item:
            self._items[index] = last
            self._indices[last] = index
