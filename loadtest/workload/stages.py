"""How many stations there are to be, stage by stage: ramps and holds; pure but for the reading of a file.

1000/2m, 5m, 0/1m           on a command line: to 1000 within 2 min, hold for 5 min, to 0 within 1 min
- {to: 1000, over: 2m}      the same in a file
- {hold: 5m}
- {to: 0, over: 1m}

A load profile has the same list under `stages`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

import msgspec

from config.errors import ConfigError
from config.locations import Location
from config.quantities import seconds, whole
from config.typed import convert
from config.yaml_files import read_yaml
from ocppj.errors import as_usage_error

__all__ = [
    "Stage",
    "most_stations",
    "read_stage_list",
    "read_stages",
    "stages_seconds",
    "stations_at",
    "write_stages",
]

_FILES: Final = (".yaml", ".yml")


class Stage(NamedTuple):
    """One part of a run."""

    to: int
    """Stations at its end."""
    seconds: float
    is_hold: bool = False
    """Whether it keeps the number that the stage before has reached."""


class _Entry(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    to: int | None = None
    over: str | float | None = None
    hold: str | float | None = None


@as_usage_error(ConfigError)
def read_stages(text: str) -> tuple[Stage, ...]:
    """Read stages from the words of a command line, or from the YAML file that they name; raises `UsageError`."""
    if text.endswith(_FILES):
        document, location = read_yaml(Path(text), "file of stages")
        return read_stage_list(document, location)
    location = Location("--stages")
    return _joined([(_word(word, location), location) for word in text.split(",")], location)


def read_stage_list(given: Any, location: Location) -> tuple[Stage, ...]:
    """Read the list of a file; raises `ConfigError`."""
    if not isinstance(given, (list, tuple)):
        raise location.error("expected a list of stages, as in - {to: 1000, over: 2m}")
    entries = [(_entry(entry, location.below(index)), location.below(index)) for index, entry in enumerate(given)]
    return _joined(entries, location)


def _joined(entries: Sequence[tuple[tuple[int | None, float], Location]], location: Location) -> tuple[Stage, ...]:
    found: list[Stage] = []
    for (to, time), here in entries:
        if to is None and not found:
            raise here.error("the first stage has nothing to hold; begin with how many stations there are to be")
        found.append(Stage(found[-1].to if to is None else to, time, is_hold=to is None))
    if not found or not most_stations(found) or not stages_seconds(found):
        raise location.error("there is no station or no time in the stages; write them as in 1000/2m, 5m, 0/1m")
    return tuple(found)


def _entry(given: Any, location: Location) -> tuple[int | None, float]:
    entry = convert(given, _Entry, location)
    ramp = entry.to is not None and entry.over is not None
    if ramp == (entry.hold is not None) or (entry.to is None) != (entry.over is None):
        raise location.error("a stage is either {to: NUMBER, over: TIME} or {hold: TIME}")
    try:
        if entry.hold is not None:
            return None, seconds(entry.hold)
        return whole(entry.to or 0), seconds(entry.over or 0.0)
    except ConfigError as error:
        raise location.error(str(error)) from None


def _word(word: str, location: Location) -> tuple[int | None, float]:
    number, slash, time = word.strip().partition("/")
    try:
        return (whole(number.strip()), seconds(time.strip())) if slash else (None, seconds(number))
    except ConfigError as error:
        raise location.error(str(error)) from None


def write_stages(stages: Sequence[Stage]) -> str:
    """Write stages as the words of a command line."""
    return ", ".join(f"{one.seconds:g}s" if one.is_hold else f"{one.to}/{one.seconds:g}s" for one in stages)


def stages_seconds(stages: Sequence[Stage]) -> float:
    """Return how long all stages together take."""
    return sum(one.seconds for one in stages)


def most_stations(stages: Sequence[Stage]) -> int:
    """Return how many stations there are at most."""
    return max((one.to for one in stages), default=0)


def stations_at(stages: Sequence[Stage], elapsed: float) -> int | None:
    """Return how many stations there are to be after so many seconds; None when the last stage is over.

    A ramp is a straight line from the number before it; a ramp of no time is a step.
    """
    begin, before = 0.0, 0
    for one in stages:
        if elapsed < begin + one.seconds:
            share = (elapsed - begin) / one.seconds
            number = before + (one.to - before) * share
            return math.ceil(number) if one.to >= before else math.floor(number)
        begin, before = begin + one.seconds, one.to
    return None
