"""What an analysis comes to: findings with the frames around them, and figures."""

from __future__ import annotations

from typing import Any

import msgspec

from analysis.model import Direction, Level, Side
from ocppj.versions import Version

__all__ = ["ActionFigures", "Analysis", "FrameSeen", "Judged", "Lost", "SourceFigures", "StationFigures", "UnreadLine"]


class FrameSeen(msgspec.Struct, frozen=True):
    """A frame near a finding."""

    line: int
    at: float | None
    direction: Direction
    text: str
    marked: bool = False


class Judged(msgspec.Struct, kw_only=True):
    """One broken rule, where it shows."""

    rule: str
    side: Side
    level: Level
    clause: str
    asks: str
    station: str
    connection: int
    file: str
    line: int
    at: float | None
    version: Version | None
    detail: str
    frames: list[FrameSeen] = []


class Lost(msgspec.Struct, frozen=True, kw_only=True):
    """A charging session that one of the sides has no record of, and why."""

    station: str
    connector: int
    side: Side
    file: str
    line: int
    reason: str


class ActionFigures(msgspec.Struct, kw_only=True):
    """How often an action was sent, and how long its answers took."""

    action: str
    sender: Side
    calls: int = 0
    versions: dict[Version, int] = {}
    """CALLs by OCPP version."""
    results: int = 0
    errors: int = 0
    unanswered: int = 0
    mean_ms: float | None = None
    p50_ms: float | None = None
    p95_ms: float | None = None
    max_ms: float | None = None


class StationFigures(msgspec.Struct, kw_only=True):
    """What one station did."""

    station: str
    versions: list[Version]
    frames: int
    connections: int
    transactions: int
    first: float | None
    last: float | None
    findings: dict[str, int]
    """By rule."""
    spans: list[tuple[float, float]]
    """Beginnings and ends of its first connections."""


class UnreadLine(msgspec.Struct, frozen=True):
    """A line that could not be read."""

    file: str
    line: int
    text: str
    why: str


class SourceFigures(msgspec.Struct, kw_only=True):
    """One log."""

    name: str
    format: str
    frames: int = 0
    cut: int = 0
    """Frames of which the log shows only a part."""
    unread: int = 0
    steps_back: int = 0
    """How often its clock went backwards."""


class Analysis(msgspec.Struct, kw_only=True):
    """Everything that was found in the logs."""

    sources: list[SourceFigures]
    frames: int
    stations: list[StationFigures]
    actions: list[ActionFigures]
    counts: dict[str, dict[str, int]]
    """Findings by side and rule."""
    required: dict[str, list[str]]
    """The required rules that each side broke."""
    findings: list[Judged]
    """The first of each rule and station."""
    lost: list[Lost]
    unread: list[UnreadLine]
    """The first of them."""
    notes: list[str] = []
    """What could not be judged, and why."""

    def total(self, side: Side) -> int:
        """Count the findings of a side."""
        return sum(self.counts.get(side, {}).values())

    def rules_of(self, side: Side) -> int:
        """Count the rules that a side broke."""
        return len(self.counts.get(side, {}))

    def as_builtins(self) -> dict[str, Any]:
        """Return it for JSON."""
        told: dict[str, Any] = msgspec.to_builtins(self)
        return told
