"""What the leader of a run knows of the stations: which are there, what they do, and whom a command may go to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import msgspec

from loadtest.workload.command_catalogue import Target
from ocppj.versions import Version

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

    from loadtest.timing.pacing import Draws

__all__ = ["Place", "Roster", "Seen"]

_TRIES: Final = 24
"""Stations that are looked at for one command before nobody counts as free."""


class Place(msgspec.Struct, frozen=True, array_like=True):
    """One connector, as its station tells of it."""

    number: int
    """Of 1.6, where every connector of the station has its own."""
    evse_id: int
    connector_id: int
    """Within its EVSE."""
    busy: bool
    transaction_id: int | str | None = None
    """Of the transaction that is under way there, where the CSMS knows it."""


class Seen(msgspec.Struct, frozen=True, array_like=True):
    """One station, as it tells of itself when something has changed."""

    identity: str
    ocpp: str
    online: bool
    token: str
    places: list[Place]

    @property
    def targets(self) -> frozenset[Target]:
        """What it could be chosen for."""
        if not self.online:
            return frozenset()
        found = {Target.ANY}
        if not any(place.busy for place in self.places):
            found.add(Target.IDLE)
        if any(place.transaction_id is not None for place in self.places):
            found.add(Target.CHARGING)
        return frozenset(found)

    def place_for(self, target: Target) -> Place:
        """Choose the connector that a command is about."""
        if target is Target.CHARGING:
            return next(place for place in self.places if place.transaction_id is not None)
        return next((place for place in self.places if not place.busy), self.places[0])


class Roster:
    """All stations by what they could be chosen for; choosing costs the same for ten and for ten thousand."""

    def __init__(self) -> None:
        """Know nobody."""
        self._stations: dict[str, Seen] = {}
        self._bags: dict[tuple[str, Target], _Bag] = {}
        self.online = 0
        """How many are there."""

    def __len__(self) -> int:
        return len(self._stations)

    def find(self, identity: str) -> Seen | None:
        """Return what a station told last."""
        return self._stations.get(identity)

    def learn(self, rows: Sequence[Any]) -> None:
        """Take what stations tell."""
        for seen in msgspec.convert(rows, list[Seen]):
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
        self, versions: Collection[Version], target: Target, draws: Draws, free: Callable[[str], bool]
    ) -> Seen | None:
        """Draw a station that fits and is `free`; None where there is none, or hardly any."""
        bags = [bag for version in versions if (bag := self._bag(version, target))]
        total = sum(map(len, bags))
        for _ in range(min(_TRIES, total * 4)):
            place = draws.below(total)
            for bag in bags:
                if place < len(bag):
                    if free(bag[place]):
                        return self._stations[bag[place]]
                    break
                place -= len(bag)
        return None

    def _bag(self, ocpp: str, target: Target) -> _Bag:
        key = str(ocpp), target
        bag = self._bags.get(key)
        if bag is None:
            bag = self._bags[key] = _Bag()
        return bag


class _Bag:
    """A set from which a random member is drawn at once."""

    __slots__ = ("_items", "_places")

    def __init__(self) -> None:
        self._items: list[str] = []
        self._places: dict[str, int] = {}

    def __len__(self) -> int:
        return len(self._items)

    def __getitem__(self, place: int) -> str:
        return self._items[place]

    def add(self, item: str) -> None:
        self._places[item] = len(self._items)
        self._items.append(item)

    def remove(self, item: str) -> None:
        place, last = self._places.pop(item), self._items.pop()
        if last != item:
            self._items[place] = last
            self._places[last] = place
