"""A station that a trigger of the CSMS makes reconnect, and whether the CSMS thereby keeps it in a loop."""

from __future__ import annotations

from typing import Final

from evidence.vocabulary import TRIGGER_LOOP
from loadtest.station.contract import Host, State

__all__ = ["TriggerLoop"]

_SOON: Final = 60.0
"""Seconds from a connection to the trigger that ends it; a CSMS that asks later asks for a reason of its own."""
_TURNS: Final = 3
"""Triggers in a row, each soon after the connection that the one before led to, that make a loop."""


class TriggerLoop(State):
    """Counts the turns at one station."""

    __slots__ = ("_turns",)

    def __init__(self, station: Host) -> None:
        """Begin without a turn."""
        super().__init__(station)
        self._turns = 0

    def turn(self) -> None:
        """Count a trigger that makes the station reconnect; a loop is the CSMS's, and told as its fault."""
        context = self.station.context
        soon = context.clock() - self.station.online_since <= _SOON
        self._turns = self._turns + 1 if soon else 1
        if self._turns >= _TURNS:
            context.recorder.fault(TRIGGER_LOOP)
