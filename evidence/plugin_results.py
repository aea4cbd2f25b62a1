"""What the plugins of a load run leave in `run.json`: the ledger, the figures of drivers, storms and commands.

The fields are those of the file, in its order. A field that a run does not write has a default, so that a file of
another version can be read; one that is written only now and then is UNSET.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Any, Final

import msgspec
from msgspec import UNSET, UnsetType

__all__ = [
    "EFFECT_NONE",
    "ChargingResult",
    "CommandLatency",
    "CommandOutcome",
    "CommandResult",
    "KpiResult",
    "LedgerClass",
    "LedgerResult",
    "MetricsResult",
    "NeighbourSample",
    "RemoteStartResult",
    "StormFormula",
    "StormMessages",
    "StormNeighbours",
    "StormResult",
    "StormSample",
    "StormStations",
    "WatchResult",
    "WatchedSeries",
]


class LedgerClass(StrEnum):
    """What can be found about a transaction, the gravest first."""

    LOST = "lost"
    DUPLICATED = "duplicated"
    CROSSED = "crossed"
    WRONG_ID = "wrong-id"
    WRONG_ENERGY = "wrong-energy"
    WRONG_TIME = "wrong-time"
    PHANTOM = "phantom"
    UNANSWERED = "unanswered"
    REFUSED = "refused"
    OPEN = "open"
    AMBIGUOUS = "ambiguous"


class LedgerResult(msgspec.Struct, frozen=True, kw_only=True):
    """Every transaction reconciled: what stations sent, what the CSMS answered, what it recorded."""

    says: list[str] = []
    """The result in sentences, the most important one first."""
    failed: bool = False
    """Whether it fails the run by itself."""
    source: str = ""
    """Where the records came from."""
    no_records: str = ""
    """Why there are none."""
    keeps: int | None = None
    """How many closed transactions of a station the CSMS keeps; None for all."""
    charging_sessions: int = 0
    transactions: int = 0
    judged: int = 0
    """Transactions that were compared with the records."""
    records: int | None = None
    counts: dict[str, int | None] = {}
    """Findings by `LedgerClass`; None where nothing could be measured."""
    examples: dict[str, list[dict[str, Any]]] = {}
    """By class: station, transaction, what it says, and further facts."""
    earlier: int = 0
    unreadable: int = 0
    unjudged: int = 0
    shared_ids: int = 0


class ChargingResult(msgspec.Struct, frozen=True, kw_only=True):
    """How many drivers could charge."""

    attempts: int = 0
    succeeded: int = 0
    share: float | None = None
    failed: dict[str, int] = {}
    """By what kept the driver from charging."""
    cut_short: int = 0
    refused_as_expected: int = 0


class RemoteStartResult(msgspec.Struct, frozen=True, kw_only=True):
    """How many starts that the CSMS asked for and a station agreed to became a transaction."""

    accepted: int = 0
    succeeded: int = 0
    share: float | None = None
    to_start_s: dict[str, float] = {}


class KpiResult(msgspec.Struct, frozen=True, kw_only=True):
    """What drivers would notice."""

    window: str = ""
    """The one that is judged."""
    says: list[str] = []
    charging: ChargingResult = ChargingResult()
    charging_whole_run: ChargingResult = ChargingResult()
    authorize_to_start_s: dict[str, float] = {}
    """count, p50, p95, p99 and max; empty where nothing was measured, and so are the other spreads."""
    remote_start: RemoteStartResult = RemoteStartResult()
    sessions: dict[str, int] = {}
    """Charging sessions started, ended, refused."""
    energy_kwh: float | None = None
    timeline: list[dict[str, float]] = []
    """`t` seconds since the start, attempts, succeeded."""


class StormStations(msgspec.Struct, frozen=True, kw_only=True):
    """How many stations a storm struck, and how far they came back."""

    struck: int = 0
    connected: int = 0
    accepted: int = 0
    settled: int = 0
    """Those that have delivered everything."""
    unrecovered: int = 0
    stay_away: int = 0
    """Of those, the ones that take the loss for the end, as their vendor's firmware does."""
    lost_again: int = 0


class StormFormula(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What the back-off of the stations promises, and how far the curve is from it; empty without a promise."""

    backoff: str = ""
    expected_ms: dict[str, float] = {}
    deviation: float | UnsetType | None = UNSET
    """Largest distance from the expected curve as a share of the stations, beyond half a second to either side."""
    distance: float | UnsetType | None = UNSET


class StormMessages(msgspec.Struct, frozen=True, kw_only=True):
    """The transaction messages of the struck stations."""

    queued_most: int = 0
    lost: int = 0


class StormSample(msgspec.Struct, frozen=True, kw_only=True):
    """What the run was like for some seconds."""

    seconds: int = 0
    calls_per_s: float = 0.0
    offered_per_s: float = 0.0
    failed_share: float = 0.0
    p99_ms: float | None = None
    booted: float = 0.0
    connects_per_s: float = 0.0


class NeighbourSample(msgspec.Struct, frozen=True, kw_only=True):
    """The CALLs of the stations that a storm left alone; percentiles of the response time, None for too few CALLs."""

    calls: int = 0
    calls_per_s: float = 0.0
    failed_share: float = 0.0
    p50_ms: float | None = None
    p95_ms: float | None = None
    p99_ms: float | None = None


class StormNeighbours(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """How the stations fared that a storm left alone; empty where it struck everybody."""

    stations: int = 0
    before: NeighbourSample = NeighbourSample()
    during: NeighbourSample = NeighbourSample()
    slower: float | None = None
    """How many times as long the p95 was while the storm struck the others; None where too little was measured."""
    curve: list[dict[str, float]] = []
    """`t` seconds since the storm began, and `p95_ms` of that second."""


class StormResult(msgspec.Struct, frozen=True, kw_only=True):
    """One storm with its times, its curve of recovery and its cost.

    Times in ms are by percentile of the struck stations: p50, p95, p999 and max; None for those that never came so far.
    """

    storm: str
    number: int = 0
    says: str = ""
    trigger: str = ""
    at: float = 0.0
    """Seconds since the start of the run."""
    ends: float = 0.0
    parameters: dict[str, Any] = {}
    stations: StormStations = StormStations()
    recovery_ms: dict[str, float | None] = {}
    connected_ms: dict[str, float | None] = {}
    settled_ms: dict[str, float | None] = {}
    outage_ms: dict[str, float | None] = {}
    formula: StormFormula = StormFormula()
    peak_connects_per_s: int = 0
    failed_upgrades: dict[str, int] = {}
    """Connection attempts by how they failed."""
    refused_by_storm: int = 0
    messages: StormMessages = StormMessages()
    calls: dict[str, StormSample] = {}
    """Before, during and after."""
    neighbours: StormNeighbours = StormNeighbours()
    recovered: bool | None = None
    """None where that cannot be told."""
    reasons: list[str] = []
    curve: list[dict[str, float]] = []
    """`t` seconds since the storm began, and how many stations are how far."""
    twins: dict[str, int] | UnsetType = UNSET
    """What the CSMS did with two connections of one station, where the storm makes them."""
    scan: dict[str, dict[str, int]] | UnsetType = UNSET
    """What the CSMS did with connections that were none of a station, by kind, where the storm makes them."""
    command_exit_code: int | UnsetType = UNSET


class WatchedSeries(msgspec.Struct, frozen=True, kw_only=True):
    """One figure of the CSMS over time: of its processes, or of its page of metrics."""

    source: str
    """`pid N`, or the URL without secrets."""
    name: str
    """`cpu`, `rss`, `fds`, `threads`, or that of the metric with its labels."""
    unit: str = ""
    is_rate: bool = False
    """Whether it is the rise of a counter in a second."""
    mean: float | None = None
    """Of the window `measure`, as all that follows but the points."""
    most: float | None = None
    growth: float | None = None
    """By which share the last fifth is higher than the first one; None where that cannot be told."""
    points: list[tuple[float, float]] = []
    """Seconds since the start of the run, and values."""


class WatchResult(msgspec.Struct, frozen=True, kw_only=True):
    """What the CSMS said of itself and its machine of it."""

    series: list[WatchedSeries] = []
    problems: list[str] = []
    """Sources that gave no figures for a while, and figures that were left out."""


EFFECT_NONE: Final = "none"
"""The effect of a command that nothing has to follow."""


class CommandOutcome(StrEnum):
    """How a command ended, the gravest first; each has exactly one."""

    WRONG_STATION = "wrong-station"
    """Another station than the one that was meant saw it."""
    WRONG_TOKEN = "wrong-token"  # noqa: S105 - a word
    """The station was asked to start with another token."""
    NEVER_SENT = "never-sent"
    """So many were under way that its turn did not come in time."""
    API_ERROR = "api-error"
    NEVER_SEEN = "never-seen"
    """The station never saw it, though the API reported no failure."""
    API_TIMEOUT = "api-timeout"
    """The station saw it, and the API did not answer in time."""
    REJECTED = "rejected"
    """The station said no, or answered with a CALLERROR."""
    NO_EFFECT = "no-effect"
    """The station took it, and what had to follow did not."""
    ACCEPTED = "accepted"
    OPEN = "open"
    """The run, or the transaction, ended before more could be known."""
    NO_TARGET = "no-target"
    """No station was there that it fitted; nothing was sent."""


class CommandLatency(msgspec.Struct, frozen=True, kw_only=True):
    """One latency of a command, in ms."""

    count: int = 0
    p50: float | None = None
    p90: float | None = None
    p95: float | None = None
    p99: float | None = None
    p999: float | None = None
    max: float | None = None


class CommandResult(msgspec.Struct, frozen=True, kw_only=True):
    """One command of the CSMS in one version: how it ended, and its way from the API to the effect.

    A latency is UNSET where nothing was measured.
    """

    command: str
    action: str
    ocpp: str
    effect: str = EFFECT_NONE
    """What a station does that shows that the command worked."""
    intended: int = 0
    sent: int = 0
    late: int = 0
    """Sent more than a second after their time."""
    outcomes: dict[str, int] = {}
    """By `CommandOutcome`."""
    api: dict[str, int] = {}
    """By what the CSMS's API said."""
    seen: int = 0
    seen_again: int = 0
    taken: int = 0
    effects: int = 0
    service_ms: CommandLatency | UnsetType = UNSET
    """From the API call to its answer."""
    response_ms: CommandLatency | UnsetType = UNSET
    """From the intended time to that answer."""
    reach_ms: CommandLatency | UnsetType = UNSET
    """From the API call to the CALL at the station."""
    started_ms: CommandLatency | UnsetType = UNSET
    """From the API call to the answered start of the transaction."""
    effect_ms: CommandLatency | UnsetType = UNSET
    """From the API call to the effect."""
    reasons: list[str] | UnsetType = UNSET
    """What the API said when it failed."""


class MetricsResult(msgspec.Struct, frozen=True, kw_only=True):
    """One way on which metrics left the process of a run."""

    kind: str
    """`page`, `remote-write` or `otlp`."""
    to: str
    """Where they went, or where they could be fetched; without secrets."""
    sent: int = 0
    """How often they arrived, or were fetched."""
    failed: int = 0
    """How often they did not arrive."""
    why: str = ""
    """Of the latest failure."""
