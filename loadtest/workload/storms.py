"""The storms as data: their parameters, what each imitates, and how people write them.

storms:                                # in a load profile, or in a file of its own
  - {storm: csms-restart, at: 60s, down: 5s}
  - {storm: lb-drain, at: 3m, share: 0.5, batches: 10}

--storm csms-restart@60s,down=5s       # on the command line, and without the time while a run goes on
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import reduce
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Any, ClassVar, Final

import msgspec

from config.assignments import split_assignment
from config.errors import ConfigError
from config.locations import Location
from config.quantities import seconds, share
from config.typed import convert
from config.words import hint
from config.yaml_files import read_yaml
from loadtest.workload.impair import Direction, Impairment
from ocppj.errors import UsageError, as_usage_error
from ocppj.identity import check_target_url

__all__ = [
    "STORMS",
    "Blackout",
    "BrokerRestart",
    "BrokerSlow",
    "ClockSurge",
    "CsmsRestart",
    "FirmwareRollout",
    "Flapping",
    "HalfOpen",
    "Impair",
    "LbDrain",
    "MassRemoteStart",
    "MiddleRestart",
    "OfflineFlush",
    "PortScan",
    "RegionFailover",
    "RollingDeploy",
    "RootChange",
    "SlowConsumer",
    "Storm",
    "TariffSwitch",
    "Twins",
    "add_storm",
    "known_storms",
    "make_storm",
    "parameters",
    "read_storm_words",
    "read_storms",
    "write_storm",
]

_Share = Annotated[float, msgspec.Meta(gt=0, le=1)]
_Part = Annotated[float, msgspec.Meta(ge=0, le=1)]
_Count = Annotated[int, msgspec.Meta(ge=1, le=100_000)]


class Storm(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What every storm has; times in seconds, written as 90, 5s, 2m or 1h."""

    name: ClassVar[str] = ""
    says: ClassVar[str] = ""
    """What it imitates, in a sentence."""
    cuts: ClassVar[bool] = True
    """Whether stations lose their connection and are back when they are accepted again; else a station is back when all
    that it has said is answered."""

    at: float = 10.0
    """From the beginning of the window `measure`."""
    share: _Share = 1.0
    """Of all stations, drawn from the seed."""
    stations: Annotated[int, msgspec.Meta(ge=0)] = 0
    """How many instead of a share; 0 leaves it to `share`."""
    grace: float = 0.0
    """From the end of the storm until the CSMS is expected to be as before; 0 takes it from the back-off formula."""

    def __post_init__(self) -> None:
        """Refuse what is not a valid time."""
        for field in msgspec.structs.fields(type(self)):
            if field.type is float and not (0 <= (value := getattr(self, field.name)) < _LONGEST):
                raise ValueError(f"`{field.name}` is {value:g}; write a time from 0 up to a week")


_LONGEST: Final = 7 * 86_400.0


class CsmsRestart(Storm, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The CSMS restarts."""

    name: ClassVar[str] = "csms-restart"
    says: ClassVar[str] = "The CSMS restarts: every connection ends at once, and new ones are refused until it is up."

    down: float = 5.0
    """How long new connections are refused."""
    cut: bool = True
    """Whether the stations play it; `false` only watches a restart that somebody else does."""
    command: str = ""
    """Shell command that really restarts the CSMS, run where the test is led; the stations then play nothing."""


class BrokerRestart(CsmsRestart, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The broker between stations and CSMS restarts."""

    name: ClassVar[str] = "broker-restart"
    says: ClassVar[str] = (
        "The broker restarts: all sessions of stations and CSMS are gone at once, and both have to find it again."
    )


class RollingDeploy(Storm, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The nodes of the CSMS restart in turn."""

    name: ClassVar[str] = "rolling-deploy"
    says: ClassVar[str] = (
        "The CSMS's nodes restart in turn, some at a time; stations go over to nodes whose turn is still to come."
    )

    nodes: _Count = 4
    k: _Count = 1
    """Nodes that restart at the same time."""
    every: float = 20.0
    """From one turn to the next."""
    down: float = 0.0
    """How long a station is refused after its node went; 0 when others take over at once."""
    sticky: bool = False
    """Whether a station comes back to its own node only, so that it is hit once."""


class LbDrain(Storm, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A load balancer drains its connections."""

    name: ClassVar[str] = "lb-drain"
    says: ClassVar[str] = "A load balancer drains a node: connections are closed politely, one batch after the other."

    batches: _Count = 10
    every: float = 2.0
    """From one batch to the next."""
    code: Annotated[int, msgspec.Meta(ge=1000, le=4999)] = 1001
    """Status of the Close frame (RFC 6455 §7.4): 1001 going away, 1012 service restart."""


class RegionFailover(Storm, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A region fails."""

    name: ClassVar[str] = "region-failover"
    says: ClassVar[str] = "A region fails: nothing answers until traffic is switched, then all go to the other region."

    to: str = ""
    """URL of the other region; without it the same CSMS takes them back."""
    down: float = 30.0
    """Until traffic is switched."""


class Blackout(Storm, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The power fails."""

    name: ClassVar[str] = "blackout"
    says: ClassVar[str] = "The power fails and returns: transactions end with PowerLoss, and all stations boot."

    down: float = 30.0
    """Without power."""
    spread: float = 0.0
    """Over how long the stations come up; 0 for all at once."""


class HalfOpen(Storm, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Connections become half-open."""

    name: ClassVar[str] = "half-open"
    says: ClassVar[str] = (
        "Connections die without a word on one side: stations connect anew while their old sockets stay open and mute."
    )

    hold: float = 30.0
    """How long the old socket stays."""
    spread: float = 1.0
    """Over how long the stations connect anew."""


class OfflineFlush(Storm, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The network is away while charging goes on."""

    name: ClassVar[str] = "offline-flush"
    says: ClassVar[str] = (
        "The mobile network is away while cars charge on: transaction messages queue, and all are delivered after it."
    )

    down: float = 60.0
    """Without network."""
    together: bool = False
    """Whether all connect in the moment that the network is back, instead of by their own back-off."""


class ClockSurge(Storm, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """All meters are read at once."""

    name: ClassVar[str] = "clock-surge"
    says: ClassVar[str] = "Clock-aligned meter values: every connector of the fleet is read at the same instant."
    cuts: ClassVar[bool] = False

    align: float = 0.0
    """Wait for the next multiple of this time of day, as 900 does for the quarter of an hour; 0 waits for nothing."""
    spread: float = 0.0
    """How far the clocks of the stations are apart."""


class TariffSwitch(Storm, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """All cars begin to charge."""

    name: ClassVar[str] = "tariff-switch"
    says: ClassVar[str] = (
        "A cheaper tariff begins: cars that wait for it, plugged in, all begin to charge at one instant."
    )
    cuts: ClassVar[bool] = False

    before: float = 10.0
    """How long the cars wait, suspended, before they begin."""
    plug_in: bool = True
    """Whether a car comes to every free EVSE first."""
    stay: float = 600.0
    """How long such a car stays after the switch."""


class FirmwareRollout(Storm, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """All stations get new firmware."""

    name: ClassVar[str] = "firmware-rollout"
    says: ClassVar[str] = "New firmware goes out in waves: stations download, install, restart and boot."

    waves: _Count = 4
    every: float = 15.0
    """From one wave to the next."""
    download: float = 3.0
    install: float = 3.0
    """Up to the restart; how long that takes says `reboot` of the profile."""


class MassRemoteStart(Storm, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The CSMS starts transactions everywhere."""

    name: ClassVar[str] = "mass-remote-start"
    says: ClassVar[str] = "A fleet operator starts charging everywhere at once, through the CSMS's own interface."
    cuts: ClassVar[bool] = False

    spread: float = 0.0
    """Over how long the commands are given."""


class Flapping(Storm, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Connections flap."""

    name: ClassVar[str] = "flapping"
    says: ClassVar[str] = "A bad modem or switch: stations lose their connection and come back, again and again."

    count: _Count = 5
    """How often."""
    period: float = 4.0
    """From one loss to the next."""
    away: float = 1.0
    """From a loss to the next attempt."""


class MiddleRestart(Storm, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What stands behind the CSMS's sockets restarts."""

    name: ClassVar[str] = "middle-restart"
    says: ClassVar[str] = (
        "A broker behind the CSMS's sockets restarts: every connection stays, and nothing is answered meanwhile."
    )
    cuts: ClassVar[bool] = False

    down: float = 5.0
    """How long nothing is answered."""
    command: str = ""
    """Shell command that really does it, run where the test is led; the practice CSMS needs none."""


class PortScan(Storm, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Somebody knocks at the CSMS's port who is no station."""

    name: ClassVar[str] = "port-scan"
    says: ClassVar[str] = (
        "A scanner knocks: connections without a byte, bytes of another protocol, half a request held open; then "
        "stations reconnect."
    )

    share: _Share = 0.05
    empty: _Count = 200
    """Connections that are opened and closed without a byte."""
    foreign: _Count = 200
    """Connections that begin with another protocol: TLS where the CSMS speaks none, and else a plain request."""
    half: _Count = 50
    """Connections with half a request line, held open."""
    hold: float = 10.0
    """How long these are held; then the stations that are hit lose their connection, and connect at once."""


class RootChange(Storm, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The CSMS shows certificates of another root."""

    name: ClassVar[str] = "root-change"
    says: ClassVar[str] = (
        "The CSMS goes over to certificates of another root: stations that trust only the old one are out."
    )

    down: float = 1.0
    """How long new connections are refused."""
    outdated: _Part = 0.1
    """Of the stations that are hit: those that do not trust the new root."""
    lasts: float = 30.0
    """How long the attempts of these are looked at."""
    ca: str = ""
    """File with the new root (PEM), where the stations run; the practice CSMS makes one."""
    command: str = ""
    """Shell command that changes the certificates, run where the test is led; the practice CSMS needs none."""


class Twins(Storm, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Identities are there twice."""

    name: ClassVar[str] = "twins"
    says: ClassVar[str] = (
        "Identities are there twice: a second connection with the same identity comes and goes, again and again."
    )
    cuts: ClassVar[bool] = False

    lasts: float = 10.0
    """How long the twins come and go."""
    every: float = 0.2
    """From one coming or going to the next."""


class Impair(Storm, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The network is bad for a while."""

    name: ClassVar[str] = "impair"
    says: ClassVar[str] = "The network is bad for a while: frames are late, doubled or lost, or connections half-open."
    cuts: ClassVar[bool] = False

    lasts: float = 30.0
    """How long frames are impaired."""
    direction: Direction = Direction.BOTH
    actions: str = ""
    """Of the frames, joined by +, as in MeterValues+Heartbeat; empty for all."""
    latency: float = 0.3
    jitter: float = 0.2
    duplicates: _Part = 0.0
    loss: _Part = 0.0
    half_open: _Part = 0.0
    hold: float = 30.0
    """How long a half-open connection stays unnoticed."""

    def __post_init__(self) -> None:
        """Refuse what is no impairment."""
        super().__post_init__()
        _ = self.rule

    @property
    def rule(self) -> Impairment:
        """What the stations that are struck are under."""
        return Impairment(
            direction=self.direction,
            actions=frozenset(filter(None, self.actions.split("+"))),
            latency=self.latency,
            jitter=self.jitter,
            duplicates=self.duplicates,
            loss=self.loss,
            half_open=self.half_open,
            hold=self.hold,
        )


class BrokerSlow(Storm, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The broker delivers late."""

    name: ClassVar[str] = "broker-slow"
    says: ClassVar[str] = "The broker delivers late: every message takes longer, both ways, and none is lost."
    cuts: ClassVar[bool] = False

    lasts: float = 30.0
    """How long it is slow."""
    latency: float = 1.0
    """How much longer each message takes, each way."""
    jitter: float = 0.5

    def __post_init__(self) -> None:
        """Refuse a broker that is not slow."""
        super().__post_init__()
        _ = self.rule

    @property
    def rule(self) -> Impairment:
        """What the stations that are struck are under."""
        return Impairment(latency=self.latency, jitter=self.jitter)


class SlowConsumer(Storm, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Stations stop reading."""

    name: ClassVar[str] = "slow-consumer"
    says: ClassVar[str] = "Stations stop reading while the CSMS has to answer them: its send buffers must hold it."
    cuts: ClassVar[bool] = False

    pause: float = 30.0
    """How long nothing is read."""


_KINDS: Final[tuple[type[Storm], ...]] = (
    CsmsRestart,
    RollingDeploy,
    LbDrain,
    RegionFailover,
    RootChange,
    Blackout,
    HalfOpen,
    OfflineFlush,
    ClockSurge,
    TariffSwitch,
    FirmwareRollout,
    MassRemoteStart,
    MiddleRestart,
    Flapping,
    Twins,
    PortScan,
    Impair,
    SlowConsumer,
    BrokerRestart,
    BrokerSlow,
)
STORMS: Final[Mapping[str, type[Storm]]] = MappingProxyType({kind.name: kind for kind in _KINDS})
"""Every built-in storm by its name."""
_OWN: Final[dict[str, type[Storm]]] = {}


def known_storms() -> Mapping[str, type[Storm]]:
    """Return the built-in storms, and those of somebody's own making that this process has read."""
    return {**STORMS, **_OWN}


def add_storm(kind: type[Storm]) -> None:
    """Make a storm of somebody's own making known; raises `UsageError` for a name that is taken or none."""
    if not kind.name or kind.name in STORMS:
        raise UsageError(f"The storm {kind.__name__} needs a `name` that no built-in storm has")
    _OWN[kind.name] = kind


def parameters(kind: type[Storm]) -> dict[str, Any]:
    """Return the parameters of a storm with their defaults, its own ones first."""
    names = [field.name for field in msgspec.structs.fields(kind)]
    common = [field.name for field in msgspec.structs.fields(Storm)]
    plain = kind()
    return {name: getattr(plain, name) for name in [n for n in names if n not in common] + common}


def write_storm(storm: Storm) -> dict[str, Any]:
    """Write a storm as `make_storm` reads it, in types that msgpack knows."""
    return {"storm": storm.name} | msgspec.structs.asdict(storm)


# -- reading -----------------------------------------------------------------------------------------------------------


@as_usage_error(ConfigError)
def make_storm(entry: Any, location: Location) -> Storm:
    """Make a storm from its name and parameters; raises `UsageError` that says where the mistake is.

    Values may be text, as they come from a command line.
    """
    if isinstance(entry, str):
        entry = {"storm": entry}
    if not isinstance(entry, dict) or not isinstance(entry.get("storm"), str):
        raise location.error("a storm needs its name, as in {storm: csms-restart, at: 60s}")
    name = entry["storm"]
    known = known_storms()
    if name not in known:
        raise location.below("storm").error(f"there is no storm {name!r}; {hint(name, known)}")
    kind = known[name]
    types = {field.name: field.type for field in msgspec.structs.fields(kind)}
    given = {key: _value(value, types.get(key), location.below(key)) for key, value in entry.items() if key != "storm"}
    storm = convert(given, kind, location, strict=False)
    _check(storm, location)
    return storm


def _value(value: Any, kind: Any, location: Location) -> Any:
    """Read text with a unit."""
    read = {float: seconds, _Share: share, _Part: share}.get(kind)
    if read is None or not isinstance(value, str):
        return value
    try:
        return read(value)
    except ConfigError as error:
        raise location.error(str(error)) from None


def _check(storm: Storm, location: Location) -> None:
    """Refuse what fits each type and still makes no sense."""
    if storm.stations and storm.share != 1.0:
        raise location.error("`stations` and `share` exclude each other; leave one out")
    if isinstance(storm, RollingDeploy) and storm.k > storm.nodes:
        raise location.below("k").error(f"`k` is {storm.k}, more than the {storm.nodes} `nodes`")
    if isinstance(storm, RollingDeploy) and storm.k == storm.nodes and not storm.sticky:
        raise location.below("k").error("`k` takes all `nodes` at once; that is csms-restart")
    if isinstance(storm, RootChange) and bool(storm.ca) != bool(storm.command):
        raise location.below("ca").error(
            "`ca` and `command` need each other: a new root, and what makes the CSMS use it"
        )
    if isinstance(storm, Twins) and storm.every < _FASTEST_TWIN:
        raise location.below("every").error(f"`every` must be at least {_FASTEST_TWIN:g} s")
    if isinstance(storm, Flapping) and storm.away >= storm.period:
        raise location.below("away").error("`away` must be shorter than `period`")
    if isinstance(storm, RegionFailover) and storm.to:
        try:
            check_target_url(storm.to, mqtt=True)
        except UsageError as error:
            raise location.below("to").error(str(error)) from None


_FASTEST_TWIN: Final = 0.05


@as_usage_error(ConfigError)
def read_storms(document: Any, location: Location) -> list[Storm]:
    """Read a list of storms, one storm, or a document with a list under `storms`; raises `UsageError`."""
    if isinstance(document, dict) and "storms" in document:
        for key in document:
            if key != "storms":
                raise location.below(key).error(f"the key {key!r} is unknown; a file of storms holds `storms` alone")
        document, location = document["storms"], location.below("storms")
    if not isinstance(document, list):
        return [make_storm(document, location)]
    return [make_storm(entry, location.below(index)) for index, entry in enumerate(document)]


@as_usage_error(ConfigError)
def read_storm_words(words: Iterable[str]) -> list[Storm]:
    """Read what was given as `--storm`: names with time and parameters, or files; raises `UsageError`."""
    return [storm for word in words for storm in _read_word(word)]


def _read_word(word: str) -> Sequence[Storm]:
    head = word.split(",", 1)[0]
    if head.endswith((".yaml", ".yml")) or "/" in head:
        return read_storms(*read_yaml(Path(word), "storm file"))
    # A shell command may hold commas itself, so it is the last.
    before, _, command = word.partition(",command=")
    name, *rest = before.split(",")
    name, _, at = name.partition("@")
    entry: dict[str, Any] = {"storm": name.strip()}
    if at:
        entry["at"] = at
    if command:
        entry["command"] = command
    return [make_storm(reduce(lambda found, pair: found | _pair(pair, word), rest, entry), Location(f"--storm {head}"))]


def _pair(text: str, word: str) -> dict[str, str]:
    key, value = split_assignment(text)
    if value is None:
        raise UsageError(f"--storm {word}: {text!r} is not a parameter; write csms-restart@60s,down=5s,share=0.5")
    return {key: value}
