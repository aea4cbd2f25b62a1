"""What a storm does to each station and when, as pure functions: same seed, same stations, same times.

A plan is a list of steps in seconds since the beginning of the storm. Which stations are hit follows from a seeded
permutation of their numbers, so that every process finds its own without asking the others.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Any, Final, NamedTuple

import msgspec

from loadtest.station.contract import Host
from loadtest.timing.pacing import Draws, van_der_corput
from loadtest.workload.impair import Impairment
from loadtest.workload.storms import (
    Blackout,
    BrokerRestart,
    BrokerSlow,
    ClockSurge,
    CsmsRestart,
    FirmwareRollout,
    Flapping,
    HalfOpen,
    Impair,
    LbDrain,
    MassRemoteStart,
    MiddleRestart,
    OfflineFlush,
    PortScan,
    RegionFailover,
    RollingDeploy,
    RootChange,
    SlowConsumer,
    Storm,
    TariffSwitch,
    Twins,
)

__all__ = [
    "Position",
    "Return",
    "Shuffle",
    "StormStep",
    "Verb",
    "add_plan",
    "ends",
    "is_outdated",
    "plan",
    "position_of",
    "returns",
    "victims",
]


class Verb(StrEnum):
    """What may happen to a station."""

    CUT = "cut"
    """The connection ends without a Close frame; attempts fail until `value`."""
    CLOSE = "close"
    """The connection ends with a Close frame of the code `value`."""
    OFF = "off"
    """The power fails."""
    ON = "on"
    """The power is back."""
    CONNECT = "connect"
    """The station connects without waiting for its back-off."""
    PART = "part"
    """The connection is taken for dead on this side, and a new one made; the old one stays for `value` seconds."""
    MUTE = "mute"
    """Nothing is read for `value` seconds."""
    METERS = "meters"
    """All meters are read."""
    PLUG_IN = "plug-in"
    """A car comes to every free EVSE for `value` seconds."""
    SUSPEND = "suspend"
    """Cars stop to draw power."""
    RESUME = "resume"
    """They draw power again."""
    FIRMWARE = "firmware"
    """The station says how far a firmware update is, in `word`."""
    REBOOT = "reboot"
    """The station restarts in order."""
    EXPECT = "expect"
    """The CSMS makes the station begin a transaction."""
    BEAT = "beat"
    """A message is sent that the CSMS has to answer."""
    FALL_MUTE = "fall-mute"
    """The same, and nothing is answered until the next `beat`."""
    TWIN = "twin"
    """A second connection with the same identity comes and goes every `value` seconds, until the next `beat`."""
    DO = "do"
    """Something that a storm of somebody's own making does."""
    LOCKED_OUT = "locked-out"
    """The CSMS is no longer trusted, so that no connection can be made."""
    IMPAIR = "impair"
    """Its frames are under the rule of the step from now on."""
    RELIEVE = "relieve"
    """They are so no longer."""
    WATCH = "watch"
    """The CSMS is restarted by other means: whatever happens until `value` counts."""


class StormStep(NamedTuple):
    """One step of a plan; `at` is seconds since the beginning of the storm."""

    at: float
    verb: Verb
    value: float = 0.0
    word: str = ""
    rule: Impairment | None = None
    act: Callable[[Host, float], object] | None = None


class Position(msgspec.Struct, frozen=True):
    """Where a station stands among those that are hit."""

    index: int
    """Counts from 0."""
    count: int
    draws: Draws
    """The station's own for this storm."""


class Shuffle:
    """A seeded permutation of 0 … n - 1 that costs no memory: a Feistel network, walked until it stays in range."""

    __slots__ = ("_half", "_keys", "_mask", "_total")

    def __init__(self, seed: int, total: int, stream: str) -> None:
        """Permute `total` numbers; each `stream` of a seed has its own order."""
        self._total = max(total, 1)
        self._half = max((self._total - 1).bit_length() + 1, 2) // 2
        self._mask = (1 << self._half) - 1
        draws = Draws(seed, "", stream)
        self._keys = tuple(draws.bits() for _ in range(_ROUNDS))

    def __getitem__(self, number: int) -> int:
        """Return the position of a number; one beyond the range counts as the one that it wraps to."""
        value = number % self._total
        while True:
            left, right = value >> self._half, value & self._mask
            for key in self._keys:
                mixed = ((right ^ key) * 0x9E3779B97F4A7C15) & 0xFFFFFFFFFFFFFFFF
                left, right = right, left ^ ((mixed ^ mixed >> 29) >> 7) & self._mask
            value = left << self._half | right
            if value < self._total:
                return value


_ROUNDS: Final = 5


def victims(storm: Storm, total: int) -> int:
    """Return how many of `total` stations are hit: at least one."""
    wanted = storm.stations or round(storm.share * total)
    return min(max(wanted, 1), max(total, 1))


def position_of(storm: Storm, shuffle: Shuffle, number: int, total: int, draws: Draws) -> Position | None:
    """Find the position of the station of this number, which counts from 1; None where it is spared."""
    index, count = shuffle[number - 1], victims(storm, total)
    return Position(index, count, draws) if index < count else None


def plan(storm: Storm, position: Position) -> list[StormStep]:
    """List what happens to one station, in the order of time."""
    own = _OWN.get(type(storm))
    return _PLANS[type(storm)](storm, position) if own is None else own[0](storm, position)


def ends(storm: Storm) -> float:
    """Return when the storm is over, however long its traces last."""
    own = _OWN.get(type(storm))
    return _ENDS[type(storm)](storm) if own is None else own[1](storm)


def add_plan(
    kind: type[Storm], steps: Callable[[Any, Position], list[StormStep]], ends: Callable[[Any], float]
) -> None:
    """Tell what a storm of somebody's own making does."""
    _OWN[kind] = steps, ends


_OWN: Final[dict[type[Storm], tuple[Callable[[Any, Position], list[StormStep]], Callable[[Any], float]]]] = {}


class Return(NamedTuple):
    """When a station is free to come back for the last time, in seconds since the beginning of the storm."""

    lost_at: float
    free_from: float
    """Attempts before fail."""
    at_once: bool
    """Whether it connects at `free_from`, rather than at the first attempt of its back-off after it."""


def returns(steps: list[StormStep]) -> Return | None:
    """Return how a station comes back after its plan; None where it never goes, or the plan does not say."""
    for step in reversed(steps):
        match step.verb:
            case Verb.CUT:
                return Return(step.at, max(step.value, step.at), at_once=False)
            case Verb.CLOSE:
                return Return(step.at, step.at, at_once=False)
            case Verb.ON | Verb.CONNECT | Verb.PART:
                return Return(step.at, step.at, at_once=True)
            case Verb.REBOOT | Verb.LOCKED_OUT:
                return None
    return None


# -- the plans ---------------------------------------------------------------------------------------------------------


def _batch(position: Position, batches: int) -> int:
    return position.index * batches // position.count


def _csms_restart(storm: CsmsRestart, _: Position) -> list[StormStep]:
    if storm.command or not storm.cut:
        return [StormStep(0.0, Verb.WATCH, _watched(storm))]
    return [StormStep(0.0, Verb.CUT, storm.down)]


def _watched(storm: CsmsRestart) -> float:
    """Return until when a loss of the connection counts as the restart's: commands take their time to begin."""
    return storm.down + 30.0


def _rolling_deploy(storm: RollingDeploy, position: Position) -> list[StormStep]:
    node, steps = position.index * storm.nodes // position.count, []
    for turn in range(_turns(storm)):
        gone = range(turn * storm.k, min((turn + 1) * storm.k, storm.nodes))
        if node not in gone:
            continue
        at = turn * storm.every
        steps.append(StormStep(at, Verb.CUT, at + storm.down))
        if storm.sticky:
            break
        others = [other for other in range(storm.nodes) if other not in gone]
        node = others[position.draws.below(len(others))]
    return steps


def _turns(storm: RollingDeploy) -> int:
    return -(-storm.nodes // storm.k)


def _lb_drain(storm: LbDrain, position: Position) -> list[StormStep]:
    return [StormStep(_batch(position, storm.batches) * storm.every, Verb.CLOSE, storm.code)]


def _region_failover(storm: RegionFailover, _: Position) -> list[StormStep]:
    return [StormStep(0.0, Verb.CUT, storm.down)]


def is_outdated(storm: Storm, position: Position) -> bool:
    """Return whether a station keeps to the root that the CSMS gives up."""
    return isinstance(storm, RootChange) and position.index < round(storm.outdated * position.count)


def _root_change(storm: RootChange, position: Position) -> list[StormStep]:
    steps = [StormStep(0.0, Verb.CUT, storm.down)]
    return [*steps, StormStep(0.0, Verb.LOCKED_OUT)] if is_outdated(storm, position) else steps


def _blackout(storm: Blackout, position: Position) -> list[StormStep]:
    up = storm.down + position.draws.uniform() * storm.spread
    return [StormStep(0.0, Verb.OFF), StormStep(up, Verb.ON)]


def _half_open(storm: HalfOpen, position: Position) -> list[StormStep]:
    return [StormStep(van_der_corput(position.index) * storm.spread, Verb.PART, storm.hold)]


def _offline_flush(storm: OfflineFlush, _: Position) -> list[StormStep]:
    steps = [StormStep(0.0, Verb.CUT, storm.down)]
    return [*steps, StormStep(storm.down, Verb.CONNECT)] if storm.together else steps


def _clock_surge(storm: ClockSurge, position: Position) -> list[StormStep]:
    return [StormStep(position.draws.uniform() * storm.spread, Verb.METERS)]


def _tariff_switch(storm: TariffSwitch, _: Position) -> list[StormStep]:
    arrive = [StormStep(0.0, Verb.PLUG_IN, storm.before + storm.stay)] if storm.plug_in else []
    # Those that came a moment ago have begun their transaction by then.
    return [*arrive, StormStep(storm.before / 2, Verb.SUSPEND), StormStep(storm.before, Verb.RESUME)]


def _firmware_rollout(storm: FirmwareRollout, position: Position) -> list[StormStep]:
    at = _batch(position, storm.waves) * storm.every
    loaded = at + storm.download
    return [
        StormStep(at, Verb.FIRMWARE, word="Downloading"),
        StormStep(loaded, Verb.FIRMWARE, word="Downloaded"),
        StormStep(loaded, Verb.FIRMWARE, word="Installing"),
        StormStep(loaded + storm.install, Verb.REBOOT),
    ]


def _mass_remote_start(storm: MassRemoteStart, position: Position) -> list[StormStep]:
    return [StormStep(position.index / position.count * storm.spread, Verb.EXPECT)]


def _flapping(storm: Flapping, position: Position) -> list[StormStep]:
    first = van_der_corput(position.index) * storm.period
    times = [first + turn * storm.period for turn in range(storm.count)]
    return [
        step
        for at in times
        for step in (StormStep(at, Verb.CUT, at + storm.away), StormStep(at + storm.away, Verb.CONNECT))
    ]


def _middle_restart(storm: MiddleRestart, _: Position) -> list[StormStep]:
    return [StormStep(0.0, Verb.FALL_MUTE), StormStep(storm.down, Verb.BEAT)]


def _port_scan(storm: PortScan, _: Position) -> list[StormStep]:
    return [StormStep(storm.hold, Verb.CUT, storm.hold), StormStep(storm.hold, Verb.CONNECT)]


def _twins(storm: Twins, position: Position) -> list[StormStep]:
    first = van_der_corput(position.index) * storm.every
    return [StormStep(first, Verb.TWIN, storm.every), StormStep(first + storm.lasts, Verb.BEAT)]


def _impair(storm: Impair | BrokerSlow, _: Position) -> list[StormStep]:
    rule = storm.rule
    return [StormStep(0.0, Verb.IMPAIR, rule=rule), StormStep(storm.lasts, Verb.RELIEVE, rule=rule)]


def _slow_consumer(storm: SlowConsumer, _: Position) -> list[StormStep]:
    return [StormStep(0.0, Verb.MUTE, storm.pause)]


_PLANS: Final[Mapping[type[Storm], Callable[[Any, Position], list[StormStep]]]] = MappingProxyType(
    {
        CsmsRestart: _csms_restart,
        BrokerRestart: _csms_restart,
        BrokerSlow: _impair,
        RollingDeploy: _rolling_deploy,
        LbDrain: _lb_drain,
        RegionFailover: _region_failover,
        RootChange: _root_change,
        Blackout: _blackout,
        HalfOpen: _half_open,
        OfflineFlush: _offline_flush,
        ClockSurge: _clock_surge,
        TariffSwitch: _tariff_switch,
        FirmwareRollout: _firmware_rollout,
        MassRemoteStart: _mass_remote_start,
        Flapping: _flapping,
        MiddleRestart: _middle_restart,
        PortScan: _port_scan,
        Twins: _twins,
        Impair: _impair,
        SlowConsumer: _slow_consumer,
    }
)
_ENDS: Final[Mapping[type[Storm], Callable[[Any], float]]] = MappingProxyType(
    {
        CsmsRestart: lambda storm: storm.down,
        BrokerRestart: lambda storm: storm.down,
        BrokerSlow: lambda storm: storm.lasts,
        RollingDeploy: lambda storm: (_turns(storm) - 1) * storm.every + storm.down,
        LbDrain: lambda storm: (storm.batches - 1) * storm.every,
        RegionFailover: lambda storm: storm.down,
        RootChange: lambda storm: storm.lasts,
        Blackout: lambda storm: storm.down + storm.spread,
        HalfOpen: lambda storm: storm.spread + storm.hold,
        OfflineFlush: lambda storm: storm.down,
        ClockSurge: lambda storm: storm.spread,
        TariffSwitch: lambda storm: storm.before,
        FirmwareRollout: lambda storm: (storm.waves - 1) * storm.every + storm.download + storm.install,
        MassRemoteStart: lambda storm: storm.spread,
        Flapping: lambda storm: storm.count * storm.period + storm.away,
        MiddleRestart: lambda storm: storm.down,
        PortScan: lambda storm: storm.hold,
        Twins: lambda storm: storm.every + storm.lasts,
        Impair: lambda storm: storm.lasts,
        SlowConsumer: lambda storm: storm.pause,
    }
)
