"""Load profiles: what the stations of a run are and what they do all day, as YAML files in this folder or anywhere.

What happens at a connector is one of three: `sessions` (uniform spans, one car after the other), `workload` (arrivals
by the curve of a day, published durations and energies) or `replay` (recorded sessions, or a recorded trace). A `mix`
gives each station one of other profiles. A value of `sessions` is one number or a pair `[low, high]`, from which each
station draws for itself.
"""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Sequence
from functools import cache
from math import isfinite
from pathlib import Path
from typing import Annotated, Any, Final, Literal

import msgspec

from config.errors import ConfigError
from config.locations import Location
from config.quantities import rate
from config.typed import convert
from config.words import hint
from config.yaml_files import read_yaml
from fixtures.models import station_models
from loadtest.timing.pacing import Draws, van_der_corput
from loadtest.workload.answers import AnswerRule, Files, check_actions
from loadtest.workload.commands import Command
from loadtest.workload.curve import DAY, DAYS, clock_text, seconds_of_day
from loadtest.workload.impair import read_impairments
from loadtest.workload.recording import Recorded, Replay
from loadtest.workload.replay import read_recorded
from loadtest.workload.sessions import Workload
from loadtest.workload.spread import draw
from loadtest.workload.stages import read_stage_list
from loadtest.workload.storms import read_storms
from loadtest.workload.vendor import find_vendor
from ocppj.actions import ACTIONS
from ocppj.errors import UsageError, as_usage_error
from ocppj.versions import Version

__all__ = [
    "NEVER_IN_A_FILE",
    "Profile",
    "Sessions",
    "Span",
    "V2x",
    "bounds",
    "check_versions",
    "checked_profile",
    "load_profile",
    "profile_names",
    "read_profile",
    "with_time",
]

SHORTEST_CYCLE = 0.1
"""Seconds from one arrival to the next; a shorter one is a closed loop, and `plugstorm bench` does that better."""

_FOLDER = Path(__file__).with_name("profiles")

_Seconds = Annotated[float, msgspec.Meta(ge=0)]
_Positive = Annotated[float, msgspec.Meta(gt=0)]
# Without constraints of its own: msgspec 0.22 misreads a constrained number beside a tuple.
Span = float | tuple[float, float]
"""Seconds: one number, or the bounds to draw between."""


class V2x(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How cars feed energy back (OCPP 2.1), until the CSMS names a setpoint; seconds, W and percent."""

    charge: Span = (60.0, 300.0)
    """How long a car charges before it feeds back."""
    discharge: Span = (60.0, 300.0)
    """How long it feeds back before it charges again."""
    power: _Positive = 7000.0
    """What it feeds back."""
    reserve: Annotated[float, msgspec.Meta(ge=0, le=100)] = 20.0
    """Of its battery, what it keeps."""

    def __post_init__(self) -> None:
        """Refuse what is not a valid time."""
        _check_spans(self, "charge", "discharge")
        if min(bounds(self.charge)[0], bounds(self.discharge)[0]) < SHORTEST_CYCLE:
            raise ValueError(f"`charge` and `discharge` must be at least {SHORTEST_CYCLE:g} s each")


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
    v2x: V2x | None = None
    """How the cars feed energy back; OCPP 2.1 only."""

    def __post_init__(self) -> None:
        """Refuse what is not a valid time."""
        _check_spans(self, "duration", "gap", "unplug")
        if bounds(self.duration)[0] + bounds(self.gap)[0] < SHORTEST_CYCLE:
            raise ValueError(f"`duration` and `gap` together must be at least {SHORTEST_CYCLE:g} s")

    @property
    def cycle(self) -> float:
        """Mean seconds from one arrival to the next."""
        return (sum(bounds(self.duration)) + sum(bounds(self.gap))) / 2


class Swaps(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What happens at a station that swaps batteries (OCPP 2.1); seconds."""

    gap: Span
    """From one driver to the next."""
    takes: Span = (15.0, 60.0)
    """From the battery that comes in to the one that goes out."""
    authorize: bool = True
    """Whether the driver presents a token that the CSMS is asked about."""

    def __post_init__(self) -> None:
        """Refuse what is not a valid time."""
        _check_spans(self, "gap", "takes")
        if bounds(self.gap)[0] < SHORTEST_CYCLE:
            raise ValueError(f"`gap` must be at least {SHORTEST_CYCLE:g} s")


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
    vendors: dict[str, _Positive] = {}
    """Kinds of firmware (`loadtest.workload.vendor`, or YAML files beside this one) and weights; none: no habits."""
    reboot: Span = (5.0, 15.0)
    """Seconds that a station is gone when it restarts."""
    sessions: Sessions | None = None
    """Without it, a workload or a replay no car charges, unless the CSMS starts a transaction."""
    swaps: Swaps | None = None
    """What a station that swaps batteries does; OCPP 2.1 only."""
    commands: list[Command] = []
    """What the CSMS is made to send, through a driver (`docs/commands.md`)."""
    answers: dict[str, AnswerRule] = {}
    """How commands are answered, by action or `*`; without a rule, at once and as well as the station can."""
    files: Files = Files()
    """How long firmware and logs take."""
    impair: tuple[dict[str, Any], ...] = ()
    """What is done to frames on purpose (`loadtest.workload.impair`)."""
    storms: tuple[dict[str, Any], ...] = ()
    """What strikes the stations (`loadtest.workload.storms`)."""
    stages: tuple[dict[str, Any], ...] = ()
    """How many stations there are to be (`loadtest.workload.stages`), unless the command line has stages of its own."""
    arrival_rate: str = ""
    """Of charging sessions at all stations together, as in 5/s; empty leaves it to `sessions`."""
    workload: Workload | None = None
    replay: Replay | None = None
    objectives: dict[str, str | float | bool] = {}
    """Of a run with these stations, the built-in ones: another limit, or `off` (`docs/slo.md`)."""
    mix: dict[str, _Positive] = {}
    """Other profiles, by name or file, and their weights; a station belongs to one of them."""
    start_at: str | int | None = None
    """Time of the day at which the run begins on the curve; without it, its busiest moment."""
    weekday: Literal["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"] = "monday"
    compression: _Positive = 1.0
    """Seconds of the simulated day in a second of the clock; see `loadtest.workload.car` for what stays true."""
    compress_intervals: bool = False
    """Whether heartbeats and meter values come as much more often, too."""
    members: tuple[tuple[Profile, float], ...] = ()
    """What `mix` names, read; never in the file."""
    recorded: Recorded = Recorded()
    """What `replay` names, read; never in the file."""
    cars: Any = None
    """A function that says when cars come (`loadtest.workload.own_profile`); never in the file."""

    def __post_init__(self) -> None:
        """Refuse what contradicts itself."""
        _check_spans(self, "reboot")
        check_actions(self.answers)
        if self.start_at is not None:
            seconds_of_day(self.start_at)
        if self.arrival_rate:
            _per_second(self.arrival_rate)
        given = [name for name in ("sessions", "workload", "replay", "mix", "cars", "swaps") if getattr(self, name)]
        if len(given) > 1:
            raise ValueError(f"`{given[0]}` and `{given[1]}` exclude each other; the parts of a `mix` have their own")

    @property
    def arrivals_per_s(self) -> float | None:
        """How many charging sessions begin in a second at all stations; None where `sessions` alone says it."""
        return _per_second(self.arrival_rate) if self.arrival_rate else None

    @property
    def start(self) -> float:
        """When the run begins, in seconds from Monday, midnight."""
        day = DAYS.index(self.weekday) * DAY
        if self.start_at is not None:
            return day + seconds_of_day(self.start_at)
        return day + _peak(self)

    @property
    def interval_scale(self) -> float:
        """By what the intervals of heartbeats and meter values are divided."""
        return self.compression if self.compress_intervals else 1.0

    def member(self, number: int) -> Profile:
        """Return the profile of a station by its number: the shares of a mix hold for every first so many stations."""
        if not self.members:
            return self
        point = van_der_corput(number, 5) * sum(weight for _, weight in self.members)
        for profile, weight in self.members:
            if point < weight:
                return profile
            point -= weight
        return self.members[-1][0]

    def stay(self, draws: Draws) -> float | None:
        """Draw how many seconds a driver stays whom the CSMS lets charge; None where nothing says it."""
        if self.sessions is not None:
            low, high = bounds(self.sessions.duration)
            return low if low == high else draws.between(low, high)
        return None if self.workload is None else draw(self.workload.duration, draws) / self.compression


def _per_second(text: str) -> float:
    found = rate(text)
    if found.of_each:
        raise ValueError(f"`arrival_rate` is that of all stations together, as in 5/s, but it is {text!r}")
    return found.per_second


def bounds(span: Span) -> tuple[float, float]:
    """Return the lowest and the highest value of a span."""
    return span if isinstance(span, tuple) else (span, span)


def _peak(profile: Profile) -> float:
    """Find the busiest quarter of an hour of the day; half past eight where nothing has a curve."""
    parts = profile.members or ((profile, 1.0),)
    shares = [
        [weight * part.workload.per_day * share for share in part.workload.curve.shares(DAYS.index(profile.weekday))]
        for part, weight in parts
        if part.workload is not None
    ]
    if not shares:
        return 8.5 * 3600
    total = [sum(slot) for slot in zip(*shares, strict=True)]
    return total.index(max(total)) * DAY / len(total)


def with_time(profile: Profile, *, compression: float | None = None, start_at: str | None = None) -> Profile:
    """Set the time of a profile and of all its parts; raises `UsageError`."""
    changes: dict[str, Any] = {} if compression is None else {"compression": compression}
    if start_at is not None:
        try:
            seconds_of_day(start_at)
        except ValueError as error:
            raise UsageError(f"--start-at {error}") from None
        changes["start_at"] = start_at
    return _same_clock(msgspec.structs.replace(profile, **changes))


def _same_clock(profile: Profile) -> Profile:
    """Let the parts of a mix live in the same day."""
    clock: dict[str, Any] = {
        "start_at": clock_text(profile.start)[-5:],
        "weekday": profile.weekday,
        "compression": profile.compression,
        "compress_intervals": profile.compress_intervals,
    }
    parts = tuple((msgspec.structs.replace(part, **clock), weight) for part, weight in profile.members)
    return msgspec.structs.replace(profile, members=parts)


def check_versions(profile: Profile, versions: Sequence[Version]) -> None:
    """Raise `UsageError` where a version does not know what a profile does, or the messages of a trace in it."""
    parts = [part for part, _ in profile.members] or [profile]
    old = [version for version in versions if "BatterySwap" not in ACTIONS[version]]
    if old and any(part.swaps is not None for part in parts):
        raise UsageError(f"{profile.name} swaps batteries, which OCPP {old[0]} does not know; choose --ocpp 2.1")
    if old and any(part.sessions is not None and part.sessions.v2x is not None for part in parts):
        raise UsageError(f"{profile.name} feeds energy back, which OCPP {old[0]} does not know; choose --ocpp 2.1")
    actions = {cue.action for part in parts for cues in part.recorded.cues for cue in cues}
    for version in versions:
        unknown = sorted(actions - set(ACTIONS[version]))
        if unknown:
            raise UsageError(
                f"The trace that {profile.name} replays has {unknown[0]}, which OCPP {version} does not know; "
                "choose another version with --ocpp"
            )


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
    if name_or_path.endswith(".py"):
        return _read_python(Path(name_or_path))
    if _is_file(name_or_path):
        return read_profile(Path(name_or_path))
    names = profile_names()
    if name_or_path not in names:
        near = hint(name_or_path, names, "or name a file that ends in .yaml")
        raise UsageError(f"There is no load profile {name_or_path!r}; known are {', '.join(names)}; {near}")
    return read_profile(_FOLDER / f"{name_or_path}.yaml")


@as_usage_error(ConfigError)
def read_profile(path: Path) -> Profile:
    """Read one file and what it names; raises `UsageError` that says where the mistake is and what was meant."""
    profile, location = _read(path)
    if not profile.mix:
        return profile
    members = []
    for name, weight in profile.mix.items():
        here = location.below("mix", name)
        try:
            part = _read(path.parent / name)[0] if _is_file(name) else load_profile(name)
        except (ConfigError, UsageError) as error:
            raise here.error(str(error)) from None
        if part.mix:
            raise here.error(f"{name!r} is a mix itself; name its parts here")
        members.append((part, weight))
    return _same_clock(msgspec.structs.replace(profile, members=tuple(members)))


@cache
def _read_python(path: Path) -> Profile:
    """Run a Python file, once, and return the one profile in it."""
    module_name = f"plugstorm_profile_{path.stem}"
    spec = importlib.util.spec_from_file_location(module_name, path)
    if spec is None or spec.loader is None or not path.is_file():
        raise UsageError(f"The profile {path} cannot be read")
    module = importlib.util.module_from_spec(spec)
    sys.modules[module_name] = module
    spec.loader.exec_module(module)
    found = {id(value): value for value in vars(module).values() if isinstance(value, Profile)}
    if len(found) != 1:
        raise UsageError(f"{path} has {len(found)} profiles; a file has one, made with @own_profile")
    return next(iter(found.values()))


def _is_file(name: str) -> bool:
    return name.endswith((".yaml", ".yml")) or "/" in name


def _read(path: Path) -> tuple[Profile, Location]:
    document, location = read_yaml(path, "load profile")
    if isinstance(document, dict) and isinstance(document.get("replay"), str):
        document["replay"] = {"file": document["replay"]}
    profile = convert(document, Profile, location, hidden=NEVER_IN_A_FILE)
    if profile.mix:
        for key in _OF_THE_PARTS:
            if key in document:
                raise location.below(key).error(f"`{key}` has no meaning beside `mix`; write it in the parts")
    profile = checked_profile(profile, location, path.parent)
    try:
        recorded = Recorded() if profile.replay is None else read_recorded(profile.replay, path.parent)
    except UsageError as error:
        raise location.below("replay").error(str(error)) from None
    return msgspec.structs.replace(profile, name=path.stem, recorded=recorded), location


def checked_profile(profile: Profile, location: Location, folder: Path) -> Profile:
    """Check what a profile names, and find its vendors, files of them in `folder`; raises `ConfigError`."""
    _check_lists(profile, location)
    models = station_models()
    for model in profile.models:
        if model not in models:
            raise location.below("models", model).error(f"there is no station model {model!r}; {hint(model, models)}")
    vendors = {}
    for name, weight in profile.vendors.items():
        try:
            vendors[find_vendor(name, folder)] = weight
        except UsageError as error:
            raise location.below("vendors", name).error(str(error)) from None
    return msgspec.structs.replace(profile, vendors=vendors)


def _check_lists(profile: Profile, location: Location) -> None:
    read_storms(list(profile.storms), location.below("storms"))
    read_impairments(list(profile.impair), location.below("impair"))
    if profile.stages:
        read_stage_list(profile.stages, location.below("stages"))


_OF_THE_PARTS = ("heartbeat", "meter", "models", "reboot")
NEVER_IN_A_FILE: Final = frozenset({"name", "members", "recorded", "cars"})
"""Fields of a profile that nobody writes down."""
