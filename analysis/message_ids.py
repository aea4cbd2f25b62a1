"""Message ids that a side used, whoever judges them: an id belongs to one CALL."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from math import inf
from types import MappingProxyType
from typing import Final, Generic, TypeVar

from ocppj.versions import Version

__all__ = ["IDS_START_ANEW", "UsedIds"]

IDS_START_ANEW: Final[Mapping[Version, bool]] = MappingProxyType(
    {Version.V16: True, Version.V201: False, Version.V21: False}
)
"""Whether a message id may be used again on the next connection (J16 §4.1.4; 2.0.1 errata 2024-09 §4.6 forbids it)."""

Id = TypeVar("Id", bound=Hashable)
Content = TypeVar("Content")


class UsedIds(Generic[Id, Content]):
    """Remembers what bore each id; the same CALL with the same id is a retry (2.0.1 errata 2024-09 §4.6).

    An id may be any value that tells the CALLs of two senders apart; contents are compared with `==`.
    """

    __slots__ = ("_old", "_young")

    def __init__(self) -> None:
        """Start before the first CALL."""
        self._young: dict[Id, Content] = {}
        self._old: dict[Id, Content] = {}

    def other(self, message_id: Id, content: Content, most: float = inf) -> Content | None:
        """Take a CALL; returns the other content that its id had before, or None.

        At least the last half of `most` ids are remembered.
        """
        young = self._young
        known = young.get(message_id)
        if known is None:
            known = self._old.get(message_id)
            if known is None:
                young[message_id] = content
                if len(young) * 2 > most:
                    self._young, self._old = {}, young
                return None
        if known == content:
            return None
        young[message_id] = content
        return known

    def clear(self) -> None:
        """Begin anew, as on a new connection of a version that allows it."""
        self._young, self._old = {}, {}
