"""Recorded load: a CSV of sessions, or a trace of messages, as what the stations of a run do.

    replay: sessions.csv
    replay: {file: trace.jsonl}
    replay: {file: acn.csv, stations: 50, columns: {start: Plug In, end: Plug Out, energy: Energy (kWh)}}

A file that ends in `.jsonl` is a trace (`ocppj.trace`), everything else a CSV with a header. Times count from the first
row or record, which happens when the run begins. Where a run has more stations than the recording, each begins the list
of recorded stations anew.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import msgspec

from loadtest.workload.sessions import PlannedSession
from ocppj.actions import ACTIONS
from ocppj.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from loadtest.workload.profile import Profile
    from ocppj.versions import Version

__all__ = ["Cue", "Recorded", "Replay", "check_versions", "read_recorded"]


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


def read_recorded(replay: Replay, folder: Path) -> Recorded:
    """Read the file that a profile in `folder` names; raises `UsageError` with the row of the first mistake."""
    from loadtest.workload.replay_csv import read_sessions  # noqa: PLC0415 - both need the types above
    from loadtest.workload.replay_trace import read_trace  # noqa: PLC0415 - both need the types above

    path = folder / replay.file
    try:
        text = path.read_text("utf-8-sig")
    except OSError as error:
        raise UsageError(f"Replay file {path} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise UsageError(f"Replay file {path} is no text in UTF-8") from None
    if path.suffix == ".jsonl":
        return read_trace(text, path)
    return Recorded(sessions=read_sessions(text, path, replay))


def check_versions(profile: Profile, versions: Iterable[Version]) -> None:
    """Raise `UsageError` where a trace that a profile replays has messages that a version does not know."""
    parts = [part for part, _ in profile.members] or [profile]
    actions = {cue.action for part in parts for cues in part.recorded.cues for cue in cues}
    for version in versions:
        unknown = sorted(actions - set(ACTIONS[version]))
        if unknown:
            raise UsageError(
                f"The trace that {profile.name} replays has {unknown[0]}, which OCPP {version} does not know; "
                "choose another version with --ocpp"
            )
