"""What a CALLRESULT is worth: accepted, rejected, or against its schema."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

from loadtest.measuring.recorder import Recorder
from ocppj.actions import ACTIONS, station_actions
from ocppj.outcomes import Outcome, is_accepted
from ocppj.schemas import validator
from ocppj.versions import Version

__all__ = ["AnswerJudge", "compile_answers"]

# A member of an enumeration costs a look-up in its class each time.
_ACCEPTED, _REJECTED = Outcome.ACCEPTED, Outcome.REJECTED


@cache
def compile_answers(version: Version) -> None:
    """Compile the schemas of all answers that stations get, 5 to 20 ms: one by one, answers would wait for it later."""
    for action in station_actions(version):
        if not ACTIONS[version][action].unconfirmed:
            validator(version, action, "response")


class AnswerJudge:
    """Judges the answers that all stations of a process get; an even share of them is checked against the schema."""

    __slots__ = ("_due", "_recorder", "_share")

    def __init__(self, recorder: Recorder, share: float) -> None:
        """Check a share (0 to 1) of the answers."""
        self._recorder = recorder
        self._share = share
        self._due = 0.0

    def judge(self, version: Version, action: str, payload: Mapping[str, Any] | None) -> str:
        """Return the outcome of a CALL with this answer."""
        self._due += self._share
        if self._due >= 1.0:
            self._due -= 1.0
            if action in ACTIONS[version] and not validator(version, action, "response").is_valid(payload or {}):
                self._recorder.fault(Outcome.SCHEMA_INVALID)
                return Outcome.SCHEMA_INVALID
        # An empty answer is what most CALLs get.
        return _ACCEPTED if not payload or is_accepted(payload) else _REJECTED
