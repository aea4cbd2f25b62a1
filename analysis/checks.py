"""What is asked of the payloads of one version at one station, gathered by action."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from analysis.figures import Figures
from analysis.model import Side
from analysis.rulebook.contract import ActionChecks, Watcher
from ocppj.actions import ACTIONS
from ocppj.schemas import validator
from ocppj.versions import Version

__all__ = ["Checks"]

FiguresOf = Callable[[Version, Side, str], Figures]


class Checks:
    """The watchers of a station in one version, and the schemas that they rely on."""

    __slots__ = ("_answers", "_calls", "_errors", "_figures", "_losses", "_made", "version", "watchers")

    def __init__(self, version: Version, watchers: list[Watcher], figures: FiguresOf) -> None:
        """Gather what the watchers want to see; `figures` gives what is counted of an action."""
        self.version = version
        self.watchers = watchers
        self._figures = figures
        self._calls = _gather(watcher.calls for watcher in watchers)
        self._answers = _gather(watcher.answers for watcher in watchers)
        self._errors = _gather(watcher.errors for watcher in watchers)
        self._losses = _gather(watcher.losses for watcher in watchers)
        self._made: dict[Side, dict[str, ActionChecks]] = {side: {} for side in Side}

    def made_for(self, side: Side) -> Mapping[str, ActionChecks]:
        """Return what is asked of the actions that a side has sent already."""
        return self._made[side]

    def make(self, side: Side, action: str) -> ActionChecks:
        """Return what is asked of an action of a side; one that the version does not have is not kept."""
        known = ACTIONS[self.version].get(action)
        if known is None:
            return ActionChecks(known=None, allowed=False, figures=self._figures(self.version, side, action))
        call = validator(self.version, action, "request").is_valid
        # What travels as SEND has no answer.
        answer = call if known.unconfirmed else validator(self.version, action, "response").is_valid
        checks = self._made[side][action] = ActionChecks(
            known=known,
            allowed=known.by_station if side is Side.STATION else known.by_csms,
            figures=self._figures(self.version, side, action),
            fits_call=call,
            fits_answer=answer,
            empty_call=call({}),
            empty_answer=answer({}),
            calls=self._calls.get(action, ()),
            answers=self._answers.get(action, ()),
            errors=self._errors.get(action, ()),
            losses=self._losses.get(action, ()),
        )
        return checks


def _gather(tables: Iterable[Mapping[str, Any]]) -> dict[str, tuple[Any, ...]]:
    found: dict[str, tuple[Any, ...]] = {}
    for table in tables:
        for action, check in table.items():
            found[action] = (*found.get(action, ()), check)
    return found
