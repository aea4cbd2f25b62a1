"""Load profiles that people write in Python: a function that says when the next car comes, and how long it stays.

    @own_profile(title="Buses that come in at night", models={"dc-150": 1}, meter=5)
    def buses(station, evse, draws):
        while True:
            yield Car(after=draws.between(1, 3), stay=draws.between(4, 6))

`docs/custom-stations.md` explains it with an example.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec

from config.errors import ConfigError
from config.locations import Location
from config.typed import convert
from loadtest.timing.pacing import Draws
from loadtest.workload.profile import NEVER_IN_A_FILE, Profile, checked_profile
from ocppj.errors import as_usage_error

__all__ = ["Car", "Cars", "own_profile"]


class Car(msgspec.Struct, frozen=True, kw_only=True):
    """One car at one EVSE; times in seconds."""

    after: float
    """From the moment when the car before was to leave, or when the station was accepted, to this one."""
    stay: float
    """From plugging in to driving away, whatever the CSMS does."""
    token: str | None = None
    """What the driver presents; without it, a token of the run."""
    authorize: bool = True

    def __post_init__(self) -> None:
        """Refuse what is no time; raises `ValueError`."""
        if not (self.after >= 0 and self.stay > 0):
            raise ValueError("`after` must be 0 or more, and `stay` above 0")


Cars = Callable[[str, int, Draws], Iterator[Car]]
"""Gets the identity of a station, the number of an EVSE (from 1) and its seeded draws; yields cars without end or not.

What it yields must follow from its arguments alone, so that the same seed gives the same load."""


def own_profile(**keys: Any) -> Callable[[Cars], Profile]:
    """Make a load profile of a function; `keys` are those of a profile file, such as `title`, `models` and `meter`.

    Raises `UsageError` for a key or a value that a profile file could not have.
    """

    @as_usage_error(ConfigError)
    def make(cars: Cars) -> Profile:
        name = cars.__name__
        location = Location(f"The profile {name}")
        profile = convert(keys, Profile, location, hidden=NEVER_IN_A_FILE)
        profile = msgspec.structs.replace(profile, name=name, cars=cars)
        return checked_profile(profile, location, Path.cwd())

    return make
