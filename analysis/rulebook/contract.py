"""What a check may know and do: the CALL before it, the state of the station, and a way to say what it found."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol

import msgspec

from analysis.figures import Figures
from analysis.model import Side, Traits
from ocppj.actions import Action
from ocppj.registration import Registration
from ocppj.versions import Rules, Version

__all__ = ["ActionChecks", "AnswerCheck", "CallCheck", "ErrorCheck", "Exchange", "Payload", "StationView", "Watcher"]

Payload = dict[str, Any]


def _fits(payload: object) -> bool:
    """Return True: nothing is asked of the payload."""
    del payload
    return True


class ActionChecks(msgspec.Struct, kw_only=True, eq=False):
    """What is asked of the CALLs of one action by one side, and of their answers."""

    known: Action | None
    """None for an action that the version does not have."""
    allowed: bool
    """The side may send it."""
    figures: Figures
    fits_call: Callable[[object], bool] = _fits
    """Whether the payload of a CALL fits its schema."""
    fits_answer: Callable[[object], bool] = _fits
    empty_call: bool = True
    """The payload of a CALL may be empty."""
    empty_answer: bool = True
    calls: tuple[CallCheck, ...] = ()
    answers: tuple[AnswerCheck, ...] = ()
    errors: tuple[ErrorCheck, ...] = ()
    losses: tuple[CallCheck, ...] = ()


class Exchange(msgspec.Struct, gc=False, eq=False):
    """A CALL, and what became of it."""

    message_id: str
    action: str
    payload: Payload | None
    """None where the log does not show it."""
    at: float | None
    line: int
    sender: Side
    checks: ActionChecks
    """What is asked of it and of its answer."""
    valid: bool = False
    """The payload is known and can be worked with."""
    clean: bool = False
    """Nothing at all is wrong with the payload."""


class StationView(Protocol):
    """What the checks of one station share."""

    name: str
    at: float | None
    """The time of the frame that is being looked at."""
    line: int
    traits: Traits
    rules: Rules
    """The wire rules of the version."""
    registration: Registration
    boots: int
    """How many BootNotifications were answered."""
    heard: set[Side]
    """The sides of which the log holds anything."""

    @property
    def version(self) -> Version:
        """Return the version of the connection."""

    def find(self, rule: str, detail: str, *, side: Side | None = None, about: Exchange | None = None) -> None:
        """Say that a rule is broken; `about` the CALL that shows it, where that is not the frame being looked at."""

    def lose(self, connector: object, side: Side, reason: str, line: int) -> None:
        """Say that a charging session was lost, and which line shows it."""

    def in_gap(self) -> bool:
        """Return whether lines nearby could not be read, so that nothing follows from what is missing."""

    def set_csms_time(self, seconds: float) -> None:
        """Take what the clock of the CSMS shows."""

    def csms_time(self) -> float | None:
        """Return what the clock of the CSMS shows now, as far as its answers tell."""


CallCheck = Callable[[Exchange], None]
AnswerCheck = Callable[[Exchange, Payload], None]
ErrorCheck = Callable[[Exchange, str], None]


class Watcher:
    """Checks with a memory; one for each station. Every table is optional."""

    def __init__(self, station: StationView) -> None:
        """Start before the first frame of a station."""
        self.station = station

    @property
    def calls(self) -> Mapping[str, CallCheck]:
        """Return what to do with a CALL whose payload fits its schema, by action."""
        return {}

    @property
    def answers(self) -> Mapping[str, AnswerCheck]:
        """Return what to do with a CALLRESULT that fits its schema, by the action of its CALL."""
        return {}

    @property
    def errors(self) -> Mapping[str, ErrorCheck]:
        """Return what to do with the code of a CALLERROR, by the action of its CALL."""
        return {}

    @property
    def losses(self) -> Mapping[str, CallCheck]:
        """Return what to do with a CALL that is never answered, by its action."""
        return {}

    def silence(self, seconds: float) -> None:
        """Take how long the station said nothing on a connection that stayed open."""

    @property
    def transactions(self) -> int:
        """Count the transactions that began."""
        return 0
