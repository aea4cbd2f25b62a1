"""What goes wrong at one station and is no fault of the CSMS, because the run itself has it so.

A CALL whose answer was refused, lost or not read for such a reason counts as `injected`, and a stray answer as none.
The station itself goes by what it sees: it repeats what was lost, whoever lost it.
"""

from __future__ import annotations

from typing import Final

from ocppj.outcomes import Outcome

__all__ = ["Excuses"]

_MOST: Final = 1000
"""Message ids that are remembered; an answer that comes later than that is stray."""


class Excuses:
    """The excuses of one station; made when it first needs one."""

    __slots__ = ("_ids", "everything", "mute", "refusals")

    def __init__(self, *, refusals: bool = False) -> None:
        """Excuse nothing; with `refusals` every CALLERROR, because what the station says breaks OCPP on purpose."""
        self._ids: dict[str, None] = {}
        self.refusals = refusals
        self.everything = False
        """Whether the station hears nothing at all."""
        self.mute = False
        """Whether a storm keeps the CSMS from answering."""

    def add(self, message_id: str) -> None:
        """Excuse whatever becomes of a message, and a second answer to it."""
        self._ids[message_id] = None
        if len(self._ids) > _MOST:
            del self._ids[next(iter(self._ids))]

    def covers(self, message_id: str, outcome: str) -> bool:
        """Return whether it is the run's own doing that a CALL ended so."""
        refused = self.refusals and outcome.startswith(Outcome.CALLERROR)
        return refused or self.everything or self.mute or message_id in self._ids

    def knows(self, message_id: str) -> bool:
        """Return whether a stray answer belongs to a message that the run has meddled with."""
        return self.everything or message_id in self._ids
