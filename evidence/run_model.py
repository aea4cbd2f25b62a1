"""The shape of `run.json`, format 1; others read it, so fields are added and never changed."""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from evidence.plugin_results import CommandResult, KpiResult, LedgerResult, MetricsResult, StormResult, WatchResult
from evidence.verdicts import RunVerdict, Verdict

__all__ = [
    "FIRST_VERDICT",
    "FORMAT",
    "ActionStats",
    "CallErrors",
    "CallStats",
    "CaseResult",
    "Claims",
    "Coverage",
    "Generator",
    "InteropRun",
    "Latency",
    "LoadRun",
    "LostConnections",
    "Percentiles",
    "Run",
    "RunTarget",
    "SloResult",
    "StageResult",
    "Stations",
    "Symptom",
    "WindowResult",
]

FORMAT = 1
FIRST_VERDICT = "first_verdict"
"""The observation that keeps how a case was judged before it was judged again and otherwise."""


class RunTarget(msgspec.Struct, kw_only=True):
    """The CSMS that was tested; the URL is redacted."""

    url: str
    ocpp: list[str]
    driver: str | None = None
    dialect: str = ""
    """How OCPP was written over MQTT, by name or file; empty for a CSMS that takes WebSocket."""
    name: str = ""
    """Of the product, as whoever tested it wrote it; empty where nobody did."""
    version: str = ""
    """Of the product."""


class Latency(msgspec.Struct, kw_only=True):
    """Latency of one action in an interop case or run, in ms."""

    count: int
    p50: float
    p95: float
    p99: float
    max: float


class CaseResult(msgspec.Struct, kw_only=True):
    """One case of an interop run."""

    id: str
    ocpp: str
    title: str
    verdict: Verdict
    reason: str
    clause: str
    level: str
    profile: str
    duration_ms: float
    expected: list[str] = []
    actual: list[str] = []
    trace: str = ""
    """Path of the trace file, relative to the run folder."""
    latency_ms: dict[str, Latency] = {}
    findings: list[dict[str, Any]] = []
    """Each single finding: verdict, claim, actual, clause, frame (line of the trace file)."""
    observations: dict[str, Any] = {}
    """What was seen where the text leaves freedom."""
    sends: str = ""
    expects: str = ""
    reproduce: str = ""
    attempts: list[str] = []
    """Trace files of every attempt, the judged one last."""
    block: str = ""
    """Functional block; of an id of the certification list as the list has it."""
    certification: str = ""
    """Profile of the certification list that has the id; empty for a case of our own."""


class Claims(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a CSMS claims to support of one version."""

    profiles: list[str]
    """Certification profiles."""
    features: list[str] = []
    """Optional features, by their ids in OCPP 2.0.1 Part 5."""


class Coverage(msgspec.Struct, kw_only=True):
    """One certification profile and block of a version, or one block of our own cases."""

    ocpp: str
    profile: str
    """Empty for cases of our own."""
    block: str
    ids: int
    """How many ids the certification list has, without those that were withdrawn."""
    withdrawn: list[str]
    exist: int
    """How many cases the suite has."""
    missing: list[str]
    """Ids of the list that have no case."""
    counts: dict[Verdict, int] = {}
    """Verdicts of the cases that the run was about."""


class Percentiles(msgspec.Struct, kw_only=True):
    """A latency distribution in ms."""

    p50: float
    p90: float
    p99: float
    p999: float
    max: float
    mean: float | None = None
    p10: float | None = None
    """What the fastest tenth took at most: a machine that is busy with others hardly moves it."""


class CallStats(msgspec.Struct, kw_only=True):
    """All CALLs of one action, direction and outcome."""

    ocpp: str
    action: str
    direction: Literal["station-to-csms", "csms-to-station"]
    """`TO_CSMS` or `FROM_CSMS` of the vocabulary; a type checker takes no names here."""
    outcome: str
    count: int
    service_ms: Percentiles | None = None
    response_ms: Percentiles | None = None


class ActionStats(msgspec.Struct, kw_only=True):
    """All CALLs of one action and direction, however they ended; a time-out counts with at least its time limit."""

    ocpp: str
    action: str
    direction: Literal["station-to-csms", "csms-to-station"]
    count: int
    outcomes: dict[str, int]
    service_ms: Percentiles | None = None
    response_ms: Percentiles | None = None


class LostConnections(msgspec.Struct, kw_only=True):
    """Connections that ended against the will of the stations, all in the same way."""

    how: str
    """Who ended them: `closed-by-csms`, `lost` (TCP ended without a Close frame), or a fault of the CSMS."""
    code: int
    """That of the Close frame; 1005 for a Close frame without one, 1006 for no Close frame."""
    reason: str = ""
    """What the Close frame or the system said."""
    after: str = ""
    """The CALL of the station that had no answer yet; empty where none was open."""
    count: int
    first: float
    """Seconds from the start of the run to the first one."""
    last: float
    """Seconds from the start of the run to the last one."""


class Symptom(msgspec.Struct, kw_only=True):
    """What a load run shows of the CSMS's illness."""

    word: str
    """`gone`, `mute`, `refuses-tokens`, `slow` since a moment, `slowing` more and more, `stalls`, `loses-answers`, or
    `serialised`."""
    says: str
    """A sentence without its end, for people who read one line."""
    at: float | None = None
    """Seconds from the start of the run to its beginning; None where it has none."""


class CallErrors(msgspec.Struct, kw_only=True):
    """CALLs that were refused with the same CALLERROR."""

    ocpp: str
    action: str
    direction: Literal["station-to-csms", "csms-to-station"]
    code: str
    description: str
    """The first one that was seen of those that differ in numbers only."""
    count: int
    first: float
    """Seconds from the start of the run to the first one."""
    last: float


class StageResult(msgspec.Struct, kw_only=True):
    """One stage of a load run: a ramp or a hold."""

    name: str
    at: float
    """Seconds since the start of the run."""
    seconds: float
    connected_peak: int
    booted_peak: int
    calls_per_s: float
    failed_per_s: float
    waiting_most: int
    """CALLs of the stations that had no answer yet, the most at one time."""


class WindowResult(msgspec.Struct, kw_only=True):
    """A part of a load run, one of `WINDOWS`; a CALL belongs to the one in which it was intended."""

    name: str
    start: float
    """Seconds since the start of the run."""
    seconds: float
    calls: list[CallStats]


class Stations(msgspec.Struct, kw_only=True):
    """How many stations a load run asked for and got."""

    requested: int
    connected_peak: int
    booted: int
    lost: int


class Generator(msgspec.Struct, kw_only=True):
    """What the load generator says of itself."""

    verdict: Literal["VALID", "DEGRADED", "INVALID"]
    reasons: list[str]
    lag_ms_p99: float | None = None
    cpu: float | None = None
    """Share of one core, 0 to 1, of the busiest worker."""
    rss_kb_per_station: float | None = None
    details: dict[str, Any] = {}
    broken: list[str] = []
    """Facts that made it less than VALID, such as `lag_ms_p99`, in the order of `reasons`."""


class SloResult(msgspec.Struct, kw_only=True):
    """One threshold and how it went; `value` None where nothing was measured."""

    expr: str
    value: float | None
    passed: bool
    reason: str = ""
    """Why there is no value, or what it led to."""
    unit: str = ""
    """Of the value; that of the expression."""
    n: int | None = None
    """How many CALLs the value rests on; None where it is about no CALLs."""
    undecided: bool = False
    """Whether it was kept on too few CALLs to say so; then it is not `passed`."""
    built_in: str = ""
    """Name of the built-in objective; empty for one that somebody has set."""


class _Common(msgspec.Struct, kw_only=True):
    format: int = FORMAT
    tool: dict[str, str]
    target: RunTarget
    started: str
    finished: str
    seed: int | None
    environment: dict[str, Any]
    verdict: RunVerdict
    interrupted: bool = False
    settings: dict[str, Any] = {}
    """Everything that was asked for, so that the run can be repeated."""
    label: str = ""
    """The commit or release of the CSMS, as whoever ran it wrote it; empty where nobody did."""


class InteropRun(_Common, kw_only=True, tag_field="kind", tag="interop"):
    """`run.json` of an interop run."""

    counts: dict[Verdict, int]
    cases: list[CaseResult]
    latency_ms: dict[str, Latency] = {}
    planned: int = 0
    """How many cases were selected; 0 where that was not written down."""
    complete: bool = True
    """False while the run goes: what stays so was killed, and `cases` holds what had been judged by then."""
    embedded: bool = False
    """Whether the CSMS was the practice CSMS of the run itself."""
    tester: str = ""
    laboratory: str = ""
    features: dict[str, Claims] | None = None
    """What the CSMS claims, by version; None where no file of features was given."""
    coverage: list[Coverage] = []
    """How much of the certification list of the tested versions exists and was judged, and our own cases apart."""
    stopped_early: str = ""
    """Why the run ended before its last case, such as a CSMS that died; empty where it did not."""


class LoadRun(_Common, kw_only=True, tag_field="kind", tag="load"):
    """`run.json` of a load run."""

    stations: Stations
    calls: list[CallStats]
    """Those of the window `measure`, which alone is judged."""
    throughput: dict[str, float]
    generator: Generator
    actions: list[ActionStats] = []
    """Those of the window `measure` by action, every outcome in every percentile."""
    lost_connections: list[LostConnections] = []
    """Why connections were lost, the most frequent first."""
    callerrors: list[CallErrors] = []
    """Every CALLERROR by action, code and text, the most frequent first."""
    symptoms: list[Symptom] = []
    """What the CSMS did wrong in plain words, the gravest first."""
    slo: list[SloResult] = []
    stopped_early: str = ""
    """What ended the run before its time, and when; empty where nothing did."""
    warnings: list[str] = []
    """What was plainly wrong within the first seconds, with what to do about it."""
    ledger: LedgerResult = LedgerResult()
    kpis: KpiResult = KpiResult()
    storms: list[StormResult] = []
    commands: list[CommandResult] = []
    """By command and version."""
    watch: WatchResult = WatchResult()
    """The CSMS's own figures, where somebody asked for them."""
    metrics: list[MetricsResult] = []
    """How metrics went to other programs, where somebody asked for that."""
    timeline: list[dict[str, float]] = []
    """One row a second: `t` seconds since the start, `connected`, `booted`, `calls`, `errors`, …"""
    faults: dict[str, int] = {}
    """Frames of the CSMS that were no proper answer: unreadable, unsolicited, duplicate, late, schema-invalid."""
    injected: dict[str, int] = {}
    """What the run itself did to frames and connections on purpose, and what followed from it, by kind."""
    activity: dict[str, int] = {}
    """What stations did besides their CALLs, by kind: SENDs, costs on their displays, monitors that fired."""
    connections: dict[str, int] = {}
    """Connection attempts by outcome: opened, refused by HTTP status, reset, timed out."""
    windows: list[WindowResult] = []
    """All parts of the run in their order; together they hold every CALL."""
    stages: list[StageResult] = []
    """Ramps and holds in their order, where the number of stations was to change."""


Run = InteropRun | LoadRun
