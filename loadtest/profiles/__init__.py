"""Load profiles: what the stations of a run are and what they do all day, as YAML files in this folder or anywhere.

A value that may vary is one number or a pair `[low, high]`, from which each station draws for itself.
"""

from __future__ import annotations

import re
from difflib import get_close_matches
from math import isfinite
from pathlib import Path
from typing import Annotated, Any

import msgspec
import yaml

from fixtures.models import station_models
from loadtest.storms.model import read_storms
from ocppj.errors import UsageError

__all__ = ["DEFAULT_PROFILE", "Profile", "Sessions", "Span", "bounds", "load_profile", "profile_names", "read_profile"]

DEFAULT_PROFILE = "quick"

SHORTEST_CYCLE = 0.1
"""Seconds from one arrival to the next; a shorter one is a closed loop, and `plugstorm bench` does that better."""

_FOLDER = Path(__file__).parent

_Seconds = Annotated[float, msgspec.Meta(ge=0)]
_Positive = Annotated[float, msgspec.Meta(gt=0)]
# Without constraints of its own: msgspec 0.22 misreads a constrained number beside a tuple.
Span = float | tuple[float, float]
"""Seconds: one number, or the bounds to draw between."""


class Sessions(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What happens at every connector; seconds. Arrivals and departures follow from the draws alone.

    A slow CSMS does not move them: the next car comes when it comes.
    """

    duration: Span
    """From plugging in to driving away."""
    gap: Span
    """From driving away to the next car."""
    authorize: bool = True
    """Whether the driver presents a token that the CSMS is asked about."""
    unplug: Span = 1.0
    """From the end of the transaction to pulling the plug."""

    def __post_init__(self) -> None:
        """Refuse what is no span of time."""
        _check_spans(self, "duration", "gap", "unplug")
        if bounds(self.duration)[0] + bounds(self.gap)[0] < SHORTEST_CYCLE:
            raise ValueError(f"`duration` and `gap` together must be at least {SHORTEST_CYCLE:g} s")

    @property
    def cycle(self) -> float:
        """Mean seconds from one arrival to the next."""
        return (sum(bounds(self.duration)) + sum(bounds(self.gap))) / 2


class Profile(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One kind of fleet and its day."""

    name: str = ""
    title: str
    models: Annotated[dict[str, _Positive], msgspec.Meta(min_length=1)] = msgspec.field(
        default_factory=lambda: {"ac-dual": 1.0}
    )
    """Station models (`fixtures/stations.yaml`) and their weights."""
    heartbeat: _Positive | None = None
    """Seconds between Heartbeats; without it, what the CSMS said in its BootNotification answer."""
    meter: _Seconds | None = None
    """Seconds between meter values while charging, 0 for none; without it, what the station model does."""
    reboot: Span = (5.0, 15.0)
    """Seconds that a station is gone when it restarts."""
    sessions: Sessions | None = None
    """Without it nobody charges, unless the CSMS starts a transaction."""
    storms: tuple[dict[str, Any], ...] = ()
    """What strikes the stations (`loadtest.storms.model`)."""

    def __post_init__(self) -> None:
        """Refuse what is no span of time."""
        _check_spans(self, "reboot")


def bounds(span: Span) -> tuple[float, float]:
    """Return the lowest and the highest value of a span."""
    return span if isinstance(span, tuple) else (span, span)


def _check_spans(owner: msgspec.Struct, *names: str) -> None:
    for name in names:
        low, high = bounds(getattr(owner, name))
        if low < 0 or not isfinite(high):
            raise ValueError(f"`{name}` must be a number of seconds from 0 up")
        if low > high:
            raise ValueError(f"`{name}` is [{low:g}, {high:g}]; write the lower bound first")


def profile_names() -> list[str]:
    """List the profiles that come with Plugstorm."""
    return sorted(path.stem for path in _FOLDER.glob("*.yaml"))


def load_profile(name_or_path: str) -> Profile:
    """Find a profile by its name, or read it from a file; raises `UsageError`."""
    if name_or_path.endswith((".yaml", ".yml")) or "/" in name_or_path:
        return read_profile(Path(name_or_path))
    names = profile_names()
    if name_or_path not in names:
        near = get_close_matches(name_or_path, names, n=1, cutoff=0.4)
        hint = f"did you mean {near[0]!r}?" if near else "or name a file that ends in .yaml."
        raise UsageError(f"There is no load profile {name_or_path!r}; known are {', '.join(names)}; {hint}")
    return read_profile(_FOLDER / f"{name_or_path}.yaml")


def read_profile(path: Path) -> Profile:
    """Read one file; raises `UsageError` that says where the mistake is and what was probably meant."""
    try:
        document = yaml.safe_load(path.read_text("utf-8"))
    except OSError as error:
        raise UsageError(f"Load profile {path} cannot be read: {error.strerror}") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise UsageError(f"Load profile {path} is no YAML: {' '.join(str(error).split())}") from None
    try:
        profile = msgspec.convert(document, Profile)
    except msgspec.ValidationError as error:
        raise UsageError(f"Load profile {path}: {_explain(str(error))}") from None
    read_storms(list(profile.storms), f"Load profile {path}")
    models = station_models()
    for model in profile.models:
        if model not in models:
            near = get_close_matches(model, models, n=1, cutoff=0.4)
            hint = f"did you mean {near[0]!r}?" if near else f"known are {', '.join(models)}"
            raise UsageError(f"Load profile {path}: there is no station model {model!r}; {hint}")
    return msgspec.structs.replace(profile, name=path.stem)


_UNKNOWN_FIELD = re.compile(r"unknown field `(?P<name>[^`]*)`")


def _explain(message: str) -> str:
    """Add the nearest known key to msgspec's sentence about an unknown one."""
    match = _UNKNOWN_FIELD.search(message)
    if match is None:
        return message
    owner: Any = Sessions if "$.sessions" in message else Profile
    known = [field for field in owner.__struct_fields__ if field != "name"]
    near = get_close_matches(match["name"], known, n=1, cutoff=0.4)
    hint = f"did you mean {near[0]!r}?" if near else f"known are {', '.join(known)}"
    return f"the key {match['name']!r} is unknown; {hint}"
