"""Quirks: what firmware in the field does and a CSMS has to live with, as switches of a vendor file.

Some of them break OCPP. What a CSMS refuses because of that, or what a station does not hear, is no failure of the
CSMS: it counts as `injected` (`loadtest.station.excuses`).
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Final

import msgspec

from fixtures.time_style import TimeStyle
from ocppj.versions import Version

__all__ = ["Leaving", "Pong", "Probe", "Quirks"]

_LONGEST: Final = 7 * 86_400.0

_Time = Annotated[float, msgspec.Meta(ge=0, lt=_LONGEST)]


class Leaving(StrEnum):
    """After what a station may stay away for good."""

    CLOSE = "close"
    """An orderly Close frame of the CSMS, with 1000 or 1001."""
    PASSWORD = "password"  # noqa: S105 - the word of a vendor file
    """A new password that the CSMS has set."""
    PONG = "pong"
    """A pong that did not come."""


class Pong(StrEnum):
    """What a station does with a ping of the CSMS (RFC 6455 §5.5.2 wants an answer)."""

    ANSWERS = "answers"
    NEVER = "never"
    DROPS = "drops"
    """It drops the connection."""


class Probe(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A first connection that offers another version, says nothing and is closed."""

    ocpp: Version
    hold: _Time = 3.0
    """Seconds until it is closed."""
    gap: _Time = 1.0
    """Seconds from its end to the real connection."""


class Quirks(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The switches; without any, a station keeps to the specification."""

    time_zone: str = "Z"
    """How time stamps end: `Z`, `none` (which strict CSMSs refuse), or an offset such as `+02:00` or `+02`."""
    fraction_digits: int = 3
    """Digits of the second's fraction in time stamps."""
    clock_from_1970: bool = False
    """Whether the clock begins in 1970 when the station is switched on, and stays there whatever the CSMS tells it."""
    clock_ahead: Annotated[float, msgspec.Meta(gt=-_LONGEST, lt=_LONGEST)] = 0.0
    """Seconds by which the clock is ahead, below 0 behind."""
    lower_case_tokens: bool = False
    """Whether tokens of hexadecimal digits are sent in lower case; their case never counts."""
    decimal_values: bool = False
    """Whether whole readings carry a decimal, as in `12.0`."""
    empty_lists: bool = False
    """Whether meter messages have an empty `sampledValue`, which the schemas forbid."""
    transaction_data: Annotated[int, msgspec.Meta(ge=0, le=5000)] = 0
    """How many readings the end of a transaction carries."""
    status_repeats: Annotated[int, msgspec.Meta(ge=0, le=10)] = 0
    """How many more times each StatusNotification is sent."""
    status_flap: _Time = 0.0
    """Seconds after which every free connector turns from Available to Faulted and back, 0 for never."""
    skips_authorize: bool = False
    """Whether transactions start without Authorize, as after a look into a local list."""
    forgets_lost_start: bool = False
    """Whether a StartTransaction without answer is given up at once; what follows carries transactionId -1."""
    retries_with_same_id: bool = False
    """Whether a transaction message keeps its message id when it is sent again (2.0.1 errata 2024-09 §4.6)."""
    boot_id: Annotated[str, msgspec.Meta(max_length=36)] = ""
    """The message id of every BootNotification; empty for new ones."""
    speaks_first: bool = False
    """Whether each connection begins with a StatusNotification, before any BootNotification."""
    probe: Probe | None = None
    stays_away_after: frozenset[Leaving] = frozenset()
    """What the station takes for the end: it connects no more by itself."""
    pong: Pong = Pong.ANSWERS
    deaf_after: _Time = 0.0
    """Seconds from the begin of a connection until nothing is read any more, 0 for never."""
    deaf_for: _Time = 0.0
    """Seconds of that; 0 lasts until the connection ends."""
    memory: Annotated[int, msgspec.Meta(ge=0)] = 0
    """Longest value of a setting, in characters, that does not overwrite its neighbour; 0 for any length."""
    reconnects_on_trigger: frozenset[str] = frozenset()
    """Messages; asked for one of them, the station drops its connection and comes back to boot."""

    def __post_init__(self) -> None:
        """Refuse what no time stamp looks like, and what cannot be together."""
        self.time_style.check()
        if self.clock_from_1970 and self.clock_ahead:
            raise ValueError("`clock_from_1970` and `clock_ahead` exclude each other")
        if self.deaf_for and not self.deaf_after:
            raise ValueError("`deaf_for` needs `deaf_after`")
        if self.status_flap and self.status_flap < _FASTEST_FLAP:
            raise ValueError(f"`status_flap` must be 0, or at least {_FASTEST_FLAP:g} s")

    @property
    def time_style(self) -> TimeStyle:
        """How time stamps are spelled."""
        return TimeStyle(zone=self.time_zone, digits=self.fraction_digits)

    @property
    def breaks_ocpp(self) -> bool:
        """Whether a correct CSMS may refuse what the station says."""
        return not self.time_style.is_legal or self.empty_lists or self.speaks_first


_FASTEST_FLAP: Final = 0.1
