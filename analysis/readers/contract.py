"""What a reader is: lines of a log in, records out; nothing that it cannot read is dropped silently."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Protocol

from analysis.model import Record, Traits, Unread

__all__ = ["Lines", "Reader"]

Lines = Iterable[tuple[int, str]]
"""Numbered lines of one file, without their ends."""


class Reader(Protocol):
    """Reads one kind of log."""

    name: str
    """The word for `--format`."""
    title: str
    """One line for people."""
    traits: Traits

    def likeness(self, head: Sequence[str]) -> int:
        """Count how many of the first lines of a file look like this kind of log."""

    def read(self, lines: Lines, station: str) -> Iterator[Record | Unread]:
        """Read one file; `station` stands for the identity where the log names none."""
