"""Recorded load as data: what a profile asks to replay, and what was recorded."""

from __future__ import annotations

from typing import Any, Literal, NamedTuple

import msgspec

from loadtest.workload.sessions import PlannedSession

__all__ = ["Cue", "Recorded", "Replay"]


class Replay(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What to replay."""

    file: str
    """Relative to the profile."""
    columns: dict[Literal["start", "end", "duration", "energy", "station", "connector", "token"], str] = {}
    """Headers of a CSV, by what they hold; those of common data sets are known."""
    stations: int | None = None
    """Deals the rows of a CSV to so many stations in turn; None keeps those of its station column, or makes as few as
    never have two cars at once."""
    tokens: Literal["own", "recorded"] = "own"
    """Whose tokens the drivers present: those of the run, or those that were recorded."""

    def __post_init__(self) -> None:
        """Refuse what deals nothing."""
        if self.stations is not None and self.stations < 1:
            raise ValueError("`stations` must be at least 1")


class Cue(NamedTuple):
    """A recorded CALL: seconds from the begin of the recording, and the time of the clock then."""

    at: float
    wall: float
    action: str
    payload: dict[str, Any]
    transaction: int | None = None
    """The id that the CSMS gave in its answer to StartTransaction (1.6)."""


class Recorded(msgspec.Struct, frozen=True, kw_only=True):
    """Recorded stations, of one kind."""

    sessions: tuple[tuple[PlannedSession, ...], ...] = ()
    cues: tuple[tuple[Cue, ...], ...] = ()
    left_out: int = 0
    """Messages about transactions that had begun before the recording."""

    @property
    def stations(self) -> int:
        """How many stations were recorded."""
        return len(self.sessions) or len(self.cues)
