"""What a source of figures about the CSMS is."""

from __future__ import annotations

from typing import Protocol

import msgspec

__all__ = ["Gone", "Reading", "Source"]


class Reading(msgspec.Struct, frozen=True, kw_only=True):
    """One figure at one moment."""

    name: str
    """Of the series, with its labels."""
    value: float
    unit: str = ""
    is_counter: bool = False
    """Whether only its rise means something."""


class Gone(Exception):  # noqa: N818 - what has happened, not an error of ours
    """A source gives no figures at the moment, and says why."""


class Source(Protocol):
    """Something that can be asked about once a second."""

    source: str
    """What it is called, for people; without secrets."""

    def sample(self) -> list[Reading]:
        """Return the figures of the moment; raises `Gone`."""
