"""What is asked of the payloads of one version at one station, gathered by action."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from analysis.rulebook.contract import Watcher
from ocppj.actions import ACTIONS
from ocppj.schemas import Part, validator
from ocppj.versions import Version

__all__ = ["Checks"]


class Checks:
    """The watchers of a station in one version, and the schemas that they rely on."""

    __slots__ = (
        "actions", "answers", "calls", "empty_answers", "empty_calls", "errors", "losses", "valid_answer", "valid_call",
        "version", "watchers",
    )  # fmt: skip

    def __init__(self, version: Version, watchers: list[Watcher]) -> None:
        """Gather what the watchers want to see."""
        self.version = version
        self.actions = ACTIONS[version]
        self.watchers = watchers
        self.calls = _gather(watcher.calls for watcher in watchers)
        self.answers = _gather(watcher.answers for watcher in watchers)
        self.errors = _gather(watcher.errors for watcher in watchers)
        self.losses = _gather(watcher.losses for watcher in watchers)
        self.valid_call: dict[str, Callable[[object], bool]] = {}
        """Whether the payload of a CALL fits its schema, by action; filled as actions are met."""
        self.valid_answer: dict[str, Callable[[object], bool]] = {}
        self.empty_calls: set[str] = set()
        """Actions that were met and may have an empty payload."""
        self.empty_answers: set[str] = set()

    def test(self, action: str, part: Part) -> Callable[[object], bool]:
        """Return the test of a payload, and note it where it is looked for next time."""
        found = validator(self.version, action, part).is_valid
        (self.valid_call if part == "request" else self.valid_answer)[action] = found
        if found({}):
            (self.empty_calls if part == "request" else self.empty_answers).add(action)
        return found


def _gather(tables: Iterable[Mapping[str, Any]]) -> dict[str, tuple[Any, ...]]:
    found: dict[str, tuple[Any, ...]] = {}
    for table in tables:
        for action, check in table.items():
            found[action] = (*found.get(action, ()), check)
    return found
