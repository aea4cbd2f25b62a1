"""A station that says again what was recorded: the same CALLs in the same order at the same distances.

New are the message ids, the transaction ids, the time stamps, which keep their distance to the moment of sending, and
the tokens, unless the profile keeps the recorded ones. A message about a transaction waits for the answer to its
begin, as in any station, and all of them wait while the connection is down.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from evidence.vocabulary import TO_CSMS
from loadtest.station.contract import Host
from loadtest.station.dialect.contract import Payload
from loadtest.timing.timers import Timer
from loadtest.workload.recording import Cue
from ocppj.outcomes import Outcome, as_seen

__all__ = ["ReplayPlayer"]

_TIME_STAMP = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:?\d\d)")
_KEPT = (Outcome.LOST, Outcome.NEVER_SENT)


class ReplayPlayer:
    """The part of one station."""

    __slots__ = ("_began", "_cues", "_due", "_ids", "_next", "_on_way", "_position", "_token", "station")

    def __init__(self, station: Host, cues: Sequence[Cue], token: Callable[[], str] | None) -> None:
        """Take the part; `token` gives the one to present instead of the recorded ones."""
        self.station = station
        self._cues = cues
        self._token = token
        self._ids: dict[Any, int | str] = {}
        self._position = 0
        self._began = 0.0
        self._due: list[tuple[Cue, float]] = []
        self._on_way = False
        self._next: Timer | None = None

    def plan(self, now: float) -> None:
        """Begin the recording now, however long the station had to wait for its registration."""
        self._began = now
        self._expect()

    def cancel(self) -> None:
        """Say no more; what is due and was not said counts as never sent."""
        station, context = self.station, self.station.context
        context.timers.cancel(self._next)
        self._next = None
        now = context.clock()
        for cue, when in self._due[self._on_way :]:
            waited = max(0.0, now - when)
            context.recorder.call(station.dialect.ocpp, cue.action, TO_CSMS, Outcome.NEVER_SENT, None, waited, now)
        self._due.clear()

    def _expect(self) -> None:
        if self._position < len(self._cues):
            when = self._began + self._cues[self._position].at / self.station.profile.compression
            self._next = self.station.context.timers.at(when, self._is_due, self.station)

    def _is_due(self, when: float) -> None:
        self._due.append((self._cues[self._position], when))
        self._position += 1
        self._expect()
        self.pump()

    def pump(self) -> None:
        """Say what is due, if that is possible now."""
        station = self.station
        if not self._due or self._on_way or not station.online:
            return
        cue, when = self._due[0]
        self._on_way = True
        # While it was offline a station intended nothing.
        if not station.call(cue.action, self._rewrite(cue), max(when, station.online_since), self._ended):
            self._on_way = False

    def _ended(self, payload: Payload | None, outcome: str) -> None:
        self._on_way = False
        if not self._due or as_seen(outcome) in _KEPT:
            return
        cue, _ = self._due.pop(0)
        if cue.transaction is not None and payload is not None and type(payload.get("transactionId")) is int:
            self._ids[cue.transaction] = payload["transactionId"]
        self.pump()

    # -- what is new -------------------------------------------------------------------------------------------------

    def _rewrite(self, cue: Cue) -> Payload:
        context = self.station.context

        def stamp(text: str) -> str:
            try:
                return context.timestamp(context.clock() + datetime.fromisoformat(text).timestamp() - cue.wall)
            except (ValueError, OverflowError):
                return text

        def renew(key: str, value: Any) -> Any:
            if isinstance(value, dict):
                return {name: renew(name, item) for name, item in value.items()}
            if isinstance(value, list):
                return [renew(key, item) for item in value]
            if key == "transactionId":
                return self._id(value)
            if isinstance(value, str):
                if key in ("idTag", "idToken") and value and self._token is not None:
                    return self._token()
                return stamp(value) if _TIME_STAMP.fullmatch(value) else value
            return value

        renewed: Payload = renew("", cue.payload)
        return renewed

    def _id(self, recorded: Any) -> Any:
        """Give a transaction its new id: the answer of the CSMS (1.6), or a UUID of the station's own (2.x)."""
        if isinstance(recorded, str) and recorded not in self._ids:
            draws = self.station.draws
            self._ids[recorded] = str(UUID(int=draws.bits() << 64 | draws.bits(), version=4))
        # Of a transaction that this CSMS never numbered (OCPP 1.6 errata §3.18).
        return self._ids.get(recorded, -1)
