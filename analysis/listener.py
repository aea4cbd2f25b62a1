"""Who hears of what a dialogue finds and loses, and counts for it."""

from __future__ import annotations

from collections import deque
from typing import Protocol

from analysis.figures import Figures
from analysis.model import Direction, Side
from ocppj.versions import Version

__all__ = ["Listener", "SeenFrame", "Speaker"]

SeenFrame = tuple[int, float | None, Direction, str]
"""Line, time, direction and text of a frame."""


class Speaker(Protocol):
    """What a listener may ask of the dialogue that speaks."""

    name: str
    at: float | None
    line: int
    recent: deque[SeenFrame]

    @property
    def known_version(self) -> Version | None:
        """Return the version, where it is known."""

    @property
    def connection(self) -> int:
        """Count the connections up to this one."""


class Listener(Protocol):
    """Who hears of what is found and counted."""

    ids_each: int
    """How many message ids of each side of a station may be remembered."""
    last_gap: int
    """The last line that could not be read."""

    def found(
        self,
        speaker: Speaker,
        rule: str,
        side: Side,
        detail: str,
        where: tuple[int, float | None],
    ) -> list[SeenFrame] | None:
        """Take a finding, and its line and time; returns the list for the frames after it, where they are wanted."""

    def lost(self, speaker: Speaker, connector: int, side: Side, reason: str, line: int) -> None:
        """Take a lost charging session."""

    def figures(self, version: Version, sender: Side, action: str) -> Figures:
        """Return what is counted of an action that a side sends."""
