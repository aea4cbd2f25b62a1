"""The local authorization list: what it says about a token (OCPP 1.6 §3.5, 2.x C13 and C14)."""

from __future__ import annotations

from typing import NamedTuple

from loadtest.station.contract import Host, State
from loadtest.station.state.connectors import Token
from loadtest.station.state.settings import flag
from loadtest.station.state.store import peek

__all__ = ["ListEntry", "LocalList", "known_parent", "list_verdict"]


class ListEntry(NamedTuple):
    """What the list says about a token."""

    status: str
    parent: str


class LocalList(State):
    """The list of one station."""

    __slots__ = ("entries", "version")

    def __init__(self, station: Host) -> None:
        """Start as the empty list of a new station."""
        super().__init__(station)
        self.version = 0
        self.entries: dict[Token, ListEntry] = {}


def known_parent(station: Host, token: Token) -> str | None:
    """Look up the group of a token; None for a token that is not in the list."""
    entry = _entry(station, token)
    return None if entry is None else entry.parent


def list_verdict(station: Host, token: Token) -> bool | None:
    """Return whether the list lets a token charge; None where it says nothing."""
    entry = _entry(station, token)
    return None if entry is None else entry.status == "Accepted"


def _entry(station: Host, token: Token) -> ListEntry | None:
    kept = peek(station, LocalList)
    return kept.entries.get(token) if kept and flag(station, "local_list") else None
