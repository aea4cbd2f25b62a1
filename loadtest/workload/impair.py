"""Impaired networks as data: what a run does to frames between a station and the CSMS, on purpose and seeded.

    impair:
      - {latency: 200ms, jitter: 100ms}
      - {direction: to-csms, actions: [MeterValues], duplicates: 1%}
      - {stations: 5%, loss: 0.1%, half_open: 0.01%, hold: 60s}

Pure: what becomes of a frame follows from the rules and the draws of its station. A frame meets every rule that names
its direction and action; an answer has the action of its CALL.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from typing import Annotated, Any, Final, NamedTuple

import msgspec

from config.errors import ConfigError
from config.locations import Location
from config.quantities import seconds, share
from config.typed import convert
from config.words import hint
from loadtest.timing.pacing import Draws
from ocppj.actions import ACTIONS
from ocppj.errors import UsageError, as_usage_error
from ocppj.versions import Version

__all__ = ["Direction", "Fate", "Impairment", "fate_of", "read_impairments", "rules_for"]

_Share = Annotated[float, msgspec.Meta(ge=0, le=1)]
_Seconds = Annotated[float, msgspec.Meta(ge=0, le=3600)]


class Direction(StrEnum):
    """Which frames are meant."""

    TO_CSMS = "to-csms"
    FROM_CSMS = "from-csms"
    BOTH = "both"


class Impairment(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One rule; shares are of the frames that it is about."""

    direction: Direction = Direction.BOTH
    actions: frozenset[str] = frozenset()
    """Of the CALLs, and of the answers to them; none: all."""
    stations: _Share = 1.0
    """Of the stations, drawn from the seed."""
    latency: _Seconds = 0.0
    """Seconds by which a frame is late; those behind it wait, as on TCP."""
    jitter: _Seconds = 0.0
    """Up to so many seconds more."""
    duplicates: _Share = 0.0
    loss: _Share = 0.0
    """What TCP cannot deliver ends the connection, and the frame is gone."""
    half_open: _Share = 0.0
    """From such a frame on nothing passes either way, and nobody is told."""
    hold: _Seconds = 30.0
    """Seconds of that until the station notices and reconnects."""

    def __post_init__(self) -> None:
        """Refuse a rule that does nothing, and an action that there is none of."""
        if not any((self.latency, self.jitter, self.duplicates, self.loss, self.half_open)):
            raise ValueError("an impairment needs one of latency, jitter, duplicates, loss and half_open")
        for action in sorted(self.actions):
            if action not in _ACTIONS:
                raise ValueError(f"`actions` has {action!r}; {hint(action, _ACTIONS)}")


_ACTIONS: Final = sorted({action for version in Version for action in ACTIONS[version]})
_READERS: Final = {
    **dict.fromkeys(("latency", "jitter", "hold"), seconds),
    **dict.fromkeys(("stations", "duplicates", "loss", "half_open"), share),
}


class Fate(NamedTuple):
    """What becomes of one frame."""

    delay: float = 0.0
    duplicated: bool = False
    lost: bool = False
    half_open: float | None = None
    """Seconds for which the connection is half-open from now on."""


UNTOUCHED: Final = Fate()


def fate_of(rules: Sequence[Impairment], direction: Direction, action: str, draws: Draws) -> Fate:
    """Decide about a frame; each rule that is about it draws as often as it has shares, whatever another decides."""
    fate = UNTOUCHED
    for rule in rules:
        if rule.direction not in (direction, Direction.BOTH) or (rule.actions and action not in rule.actions):
            continue
        delay = rule.latency + (draws.uniform() * rule.jitter if rule.jitter else 0.0)
        duplicated = bool(rule.duplicates) and draws.uniform() < rule.duplicates
        lost = bool(rule.loss) and draws.uniform() < rule.loss
        opens = bool(rule.half_open) and draws.uniform() < rule.half_open
        fate = Fate(
            fate.delay + delay,
            fate.duplicated or duplicated,
            fate.lost or lost,
            rule.hold if opens and fate.half_open is None else fate.half_open,
        )
    return fate


def rules_for(rules: Sequence[Impairment], identity: str, seed: int) -> tuple[Impairment, ...]:
    """Return the rules that a station is under; the same in every process and run with this seed."""
    return tuple(
        rule
        for number, rule in enumerate(rules)
        if rule.stations >= 1 or Draws(seed, identity, f"impair/{number}").uniform() < rule.stations
    )


@as_usage_error(ConfigError)
def read_impairments(document: Any, location: Location) -> tuple[Impairment, ...]:
    """Read a list of rules, or one rule; raises `UsageError` that says where the mistake is."""
    entries = document if isinstance(document, list) else [document]
    return tuple(
        _read(entry, location.below(index) if isinstance(document, list) else location)
        for index, entry in enumerate(entries)
    )


def _read(entry: Any, location: Location) -> Impairment:
    if not isinstance(entry, dict):
        raise location.error("an impairment is a mapping, as in {latency: 200ms, loss: 0.1%}")
    given = dict(entry)
    for key, read in _READERS.items():
        if isinstance(given.get(key), str):
            try:
                given[key] = read(given[key])
            except (ConfigError, UsageError) as error:
                raise location.below(key).error(str(error)) from None
    return convert(given, Impairment, location)
