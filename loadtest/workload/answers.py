"""How stations answer commands, and how long files take them, as parts of a load profile.

    answers:
      RemoteStartTransaction: {delay: [0.2, 2.0], reject: 0.05, silence: 0.01}
      "*": {delay: 0.05}
    files: {download: [20, 60], upload: 5, reboot: false}

Pure: what happens to one command follows from its rule and a draw.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import StrEnum
from functools import cache
from math import isfinite
from typing import Annotated, Any, Final, NamedTuple

import msgspec

from config.words import hint
from loadtest.timing.pacing import Draws
from ocppj.actions import csms_actions
from ocppj.schemas import schema
from ocppj.versions import Version

__all__ = [
    "ANY",
    "AnswerRule",
    "Files",
    "Manner",
    "Verdict",
    "check_actions",
    "manner_of",
    "negative_status",
    "rule_for",
]

ANY: Final = "*"
"""Stands for every action that has no rule of its own."""

_Share = Annotated[float, msgspec.Meta(ge=0, le=1)]
_Span = float | tuple[float, float]


def _check(owner: msgspec.Struct, *names: str) -> None:
    for name in names:
        value = getattr(owner, name)
        low, high = value if isinstance(value, tuple) else (value, value)
        if not 0 <= low <= high or not isfinite(high):
            raise ValueError(f"`{name}` must be seconds from 0 up, or a pair with the lower bound first")


class AnswerRule(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How one action is answered; shares from 0 to 1."""

    delay: _Span = 0.0
    """Seconds until the station decides and answers."""
    reject: _Share = 0.0
    """Share that is answered with a no, whatever the station could do."""
    silence: _Share = 0.0
    """Share that is never answered."""

    def __post_init__(self) -> None:
        """Refuse invalid times, and shares of more than everything."""
        _check(self, "delay")
        if self.reject + self.silence > 1:
            raise ValueError("`reject` and `silence` together are more than 1")


class Files(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How long firmware and logs take, in seconds; no file really moves."""

    download: _Span = (20.0, 60.0)
    install: _Span = (20.0, 60.0)
    upload: _Span = (5.0, 20.0)
    reboot: bool = True
    """Whether new firmware begins with a restart."""
    fail: _Share = 0.0
    """Share of the downloads, uploads and installations that fail."""

    def __post_init__(self) -> None:
        """Refuse what is not a valid time."""
        _check(self, "download", "install", "upload")


def check_actions(rules: Iterable[str]) -> None:
    """Refuse rules for what no CSMS can send; raises `ValueError` that names the nearest action."""
    known = sorted({action for version in Version for action in csms_actions(version)})
    for name in rules:
        if name != ANY and name not in known:
            near = hint(name, known, "write it as OCPP does, or '*' for every action")
            raise ValueError(f"`answers` has {name!r}, which is not an action of a CSMS; {near}")


class Verdict(StrEnum):
    """What becomes of one command."""

    ANSWER = "answer"
    REJECT = "reject"
    SILENCE = "silence"


class Manner(NamedTuple):
    """What becomes of one command, and after how many seconds."""

    verdict: Verdict
    delay: float


def rule_for(rules: Mapping[str, AnswerRule], action: str) -> AnswerRule | None:
    """Find the rule of an action."""
    return rules.get(action) or rules.get(ANY)


def manner_of(rule: AnswerRule, draws: Draws) -> Manner:
    """Draw what becomes of one command; two draws each time, so that no rule changes the fate of later commands."""
    point, share = draws.uniform(), draws.uniform()
    low, high = rule.delay if isinstance(rule.delay, tuple) else (rule.delay, rule.delay)
    verdict = Verdict.ANSWER
    if point < rule.silence:
        verdict = Verdict.SILENCE
    elif point < rule.silence + rule.reject:
        verdict = Verdict.REJECT
    return Manner(verdict, low + (high - low) * share)


# The no of each action, in the order in which the words are looked for: some actions have several.
_NEGATIVE: Final = ("Rejected", "Failed", "UnlockFailed", "Unknown", "NotFound", "NoFirmware", "NoProfiles")


@cache
def negative_status(version: Version, action: str) -> str | None:
    """Return the status by which an action is refused; None where its answer has none."""
    document: dict[str, Any] = schema(version, action, "response")
    node = document.get("properties", {}).get("status", {})
    if "$ref" in node:
        node = document["definitions"][node["$ref"].rsplit("/", 1)[-1]]
    words = node.get("enum", ())
    return next((word for word in _NEGATIVE if word in words), None)
