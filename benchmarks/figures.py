"""From samples to figures: medians, ratios within one repetition, goals. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from itertools import starmap
from statistics import median
from typing import Final

import msgspec

from benchmarks.engines.table import CEILING, ENGINES, K6, MQTT, PAHO, PLUGSTORM, PLUGSTORM_TASK, SHARED
from benchmarks.truth import MOST_DISTURBED, Checked
from benchmarks.workloads import HEADLINE

__all__ = [
    "BUSY",
    "OVER",
    "UNDISTURBED",
    "EngineRow",
    "Goal",
    "MessageRow",
    "Opening",
    "Result",
    "Sample",
    "ScaleRow",
    "engine_rows",
    "goals",
    "with_fleets",
]

OVER: Final = {PLUGSTORM: "", MQTT: "MQTT", SHARED: "MQTT, shared"}
"""What the fleets of an engine are called, where it is not WebSocket."""
BUSY: Final = 0.9
"""Share of a core from which on a process counts as the one that sets the pace."""
UNDISTURBED: Final = 0.95
"""Share of a core that the process which sets the pace has when no other program takes part of it."""


class Sample(msgspec.Struct, frozen=True, kw_only=True):
    """One closed loop of one engine."""

    engine: str
    message: str
    repetition: int
    calls: int
    seconds: float
    cpu_s: float
    errors: int
    counted: int | None
    """CALLs in the engine's own statistics."""
    sink_calls: int
    sink_cpu_s: float
    rss_kb: int

    @property
    def pace_cpu(self) -> float:
        """Share of its core that the busier of engine and sink had: 1 when nothing else ran there."""
        return max(self.cpu_s, self.sink_cpu_s) / self.seconds

    @property
    def cpu_us(self) -> float:
        """Processor time of the engine per CALL, in µs."""
        return self.cpu_s / max(self.calls, 1) * 1e6


class Opening(msgspec.Struct, frozen=True, kw_only=True):
    """What it cost an engine to connect, and to hold, a number of stations."""

    engine: str
    repetition: int = 1
    """Within one the engines stand side by side."""
    stations: int
    connects_per_s: float
    cpu_ms_per_connect: float
    kb_per_station: float


class MessageRow(msgspec.Struct, kw_only=True):
    """One engine with one message: medians over the repetitions."""

    message: str
    calls_per_s: float
    cpu_us_per_call: float
    ratio_to_ceiling: float | None
    """CALL/s per core, as a share of what the ceiling did in the same repetition."""
    ratios: dict[str, float]
    """How many times the CALL/s per core of each other engine."""
    engine_cpu: float
    """Share of a core."""
    sink_cpu: float
    limited_by: str
    """`engine`, `sink`, or `others` where neither had its core to itself."""
    exact: bool
    """Whether engine, its statistics and sink counted the same in every repetition."""
    errors: int


class EngineRow(msgspec.Struct, kw_only=True):
    """One engine; the figures on top are those of the first message."""

    engine: str
    title: str
    calls_per_s: float | None = None
    cpu_us_per_call: float | None = None
    kb_per_station: float | None = None
    connects_per_s: float | None = None
    ratio_to_ceiling: float | None = None
    cpu_ms_per_connect: float | None = None
    connect_to_ceiling: float | None = None
    """Processor time of a connect, as a multiple of what the ceiling needed in the same repetition."""
    messages: list[MessageRow] = []
    skipped: str = ""
    """Why it did not run."""
    fleets: list[ScaleRow] = []
    """Fleets of this engine alone, on the standard output of `--json`."""


class ScaleRow(msgspec.Struct, kw_only=True):
    """One fleet of Plugstorm's."""

    name: str
    stations: int
    workers: int = 1
    tls: bool = False
    over: str = ""
    """What it speaks, where that is not WebSocket."""
    connected: int = 0
    """Most connections that the sink saw at one time."""
    connects_per_s: float | None = None
    cpu_ms_per_connect: float | None = None
    busiest_100ms: float | None = None
    """Connects in the busiest tenth of a second, as a multiple of the mean."""
    kb_per_station: float | None = None
    cpu_us_per_call: float | None = None
    calls_per_s: float | None = None
    descriptors: int | None = None
    verdict: str = ""
    """What a whole run said about its generator."""
    reasons: list[str] = []
    """Why the generator was not VALID."""
    counted: int | None = None
    """CALLs of a whole run that went to the wire, by its own figures."""
    lost: int = 0
    """Those of them whose connection ended before their answer: the sink may have them or not."""
    sink_calls: int | None = None
    master_core: float | None = None
    """Share of a core that the master of simulated workers took."""
    note: str = ""

    @property
    def exact(self) -> bool | None:
        """Whether a whole run and the sink counted the same, to the unit; None where nobody compared."""
        if self.counted is None or self.sink_calls is None:
            return None
        return self.counted - self.lost <= self.sink_calls <= self.counted


class Goal(msgspec.Struct, kw_only=True):
    """A goal, and what was measured."""

    text: str
    wanted: str
    measured: str
    reached: bool


class Result(msgspec.Struct, kw_only=True):
    """Everything that a bench found out."""

    machine: dict[str, str]
    method: dict[str, str]
    engines: list[EngineRow]
    scale: list[ScaleRow] = []
    truth: list[Checked] = []
    goals: list[Goal] = []
    failed: list[str] = []
    """Measurements that could not be made, and why."""


def engine_rows(
    titles: Mapping[str, str], samples: Iterable[Sample], openings: Iterable[Opening], skipped: Mapping[str, str]
) -> list[EngineRow]:
    """Make one row for each engine, in the order of `titles`."""
    samples = list(samples)
    openings = list(openings)
    ceiling = {opening.repetition: opening.cpu_ms_per_connect for opening in openings if opening.engine == CEILING}
    rows = []
    for name, title in titles.items():
        row = EngineRow(engine=name, title=title, skipped=skipped.get(name, ""))
        row.messages = _message_rows(name, samples)
        first = next((message for message in row.messages if message.message == HEADLINE), None)
        if first is not None:
            row.calls_per_s = first.calls_per_s
            row.cpu_us_per_call = first.cpu_us_per_call
            row.ratio_to_ceiling = first.ratio_to_ceiling
        if mine := [opening for opening in openings if opening.engine == name]:
            row.connects_per_s = median(opening.connects_per_s for opening in mine)
            row.cpu_ms_per_connect = median(opening.cpu_ms_per_connect for opening in mine)
            row.kb_per_station = median(opening.kb_per_station for opening in mine)
            pairs = [(one.cpu_ms_per_connect, ceiling[one.repetition]) for one in mine if ceiling.get(one.repetition)]
            row.connect_to_ceiling = median(ours / theirs for ours, theirs in pairs) if pairs else None
        rows.append(row)
    return rows


def with_fleets(rows: Iterable[EngineRow], scale: Iterable[ScaleRow]) -> list[EngineRow]:
    """Hang each fleet on the row of its engine, which is made where the engine ran in no comparison."""
    found = {row.engine: msgspec.structs.replace(row, fleets=[]) for row in rows}
    for fleet in scale:
        name = next(name for name, over in OVER.items() if over == fleet.over)
        if name not in found:
            found[name] = EngineRow(engine=name, title=next(one.title for one in ENGINES if one.name == name))
        found[name].fleets.append(fleet)
    return list(found.values())


def _message_rows(engine: str, samples: list[Sample]) -> list[MessageRow]:
    rows = []
    for message in dict.fromkeys(sample.message for sample in samples):
        mine = [sample for sample in samples if sample.engine == engine and sample.message == message]
        if not mine:
            continue
        ratios = {
            other: _ratio(mine, [sample for sample in samples if (sample.engine, sample.message) == (other, message)])
            for other in dict.fromkeys(sample.engine for sample in samples if sample.engine != engine)
        }
        known = {other: ratio for other, ratio in ratios.items() if ratio is not None}
        engine_cpu, sink_cpu = _share(mine, lambda s: s.cpu_s), _share(mine, lambda s: s.sink_cpu_s)
        rows.append(
            MessageRow(
                message=message,
                calls_per_s=median(sample.calls / sample.seconds for sample in mine),
                cpu_us_per_call=median(sample.cpu_us for sample in mine),
                ratio_to_ceiling=1.0 if engine == CEILING else known.get(CEILING),
                ratios=known,
                engine_cpu=engine_cpu,
                sink_cpu=sink_cpu,
                limited_by="engine" if engine_cpu >= BUSY else "sink" if sink_cpu >= BUSY else "others",
                exact=all(s.sink_calls == s.calls + s.errors and s.counted in (None, s.calls + s.errors) for s in mine),
                errors=sum(sample.errors for sample in mine),
            )
        )
    return rows


def _ratio(mine: list[Sample], others: list[Sample]) -> float | None:
    """Compare what stood side by side, and take the median."""
    by_repetition = {sample.repetition: sample for sample in others if sample.calls}
    pairs = [(sample, by_repetition[sample.repetition]) for sample in mine if sample.repetition in by_repetition]
    return median(other.cpu_us / sample.cpu_us for sample, other in pairs if sample.calls) if pairs else None


def _share(samples: list[Sample], cpu: Callable[[Sample], float]) -> float:
    return median(cpu(sample) / sample.seconds for sample in samples)


def goals(rows: list[EngineRow], scale: list[ScaleRow], truth: list[Checked]) -> list[Goal]:
    """Hold the figures against the goals of the load engine; a goal without a figure is left out."""
    groups = (_speed_goals(rows), _memory_goals(scale), _connect_goals(scale), _scale_goals(scale), _truth_goals(truth))
    return [goal for group in groups for goal in group]


_NEEDED: Final = (
    (PLUGSTORM, CEILING, 0.70),
    (PLUGSTORM, "websocket-client", 4.0),
    (PLUGSTORM, "mobilityhouse-unchecked", 6.0),
    (PLUGSTORM, K6, 4.0),
    (PLUGSTORM_TASK, CEILING, 0.60),
    (MQTT, PAHO, 4.0),
    (MQTT, PLUGSTORM, 0.7),
)
"""How many times the CALL/s per core of another engine one of ours is to do."""
_CONNECT_MOST: Final = 1.15
_LESS_THAN_K6: Final = 10
"""By which factor a station of ours is to need less memory than one of k6."""
_MASTER_MOST: Final = 0.5
_MOST_KB: Final = {("", False): 10, ("", True): 32, ("MQTT", False): 16, ("MQTT, shared", False): 4}
"""Of an idle station, by what it speaks and whether within TLS."""


def _speed_goals(rows: list[EngineRow]) -> list[Goal]:
    by_name = {row.engine: row for row in rows}
    found = [
        Goal(
            text=f"CALL/s per core with {message.message}, {by_name[ours].title} against: {by_name[other].title}",
            wanted=f"≥ {least:g} ×",
            measured=f"{message.ratios[other]:.2f} ×",
            reached=message.ratios[other] >= least,
        )
        for ours, other, least in _NEEDED
        for message in (by_name[ours].messages if ours in by_name else [])
        if other in message.ratios
    ]
    ours, k6 = by_name.get(PLUGSTORM), by_name.get(K6)
    if ours is not None and k6 is not None and ours.kb_per_station and k6.kb_per_station:
        less = k6.kb_per_station / ours.kb_per_station
        found.append(
            Goal(
                text=f"Memory per idle station, {ours.title} against: {k6.title}",
                wanted=f"≥ {_LESS_THAN_K6:g} × less",
                measured=f"{less:.1f} × less",
                reached=less >= _LESS_THAN_K6,
            )
        )
    if ours is not None and ours.connect_to_ceiling is not None:
        found.append(
            Goal(
                text=f"Processor time of a connect and its boot, against: {by_name[CEILING].title}",
                wanted=f"≤ {_CONNECT_MOST:g} ×",
                measured=f"{ours.connect_to_ceiling:.2f} ×",
                reached=ours.connect_to_ceiling <= _CONNECT_MOST,
            )
        )
    return found


def _memory_goals(scale: list[ScaleRow]) -> list[Goal]:
    return [
        Goal(
            text=f"Memory per idle station, {row.stations:,} stations in one worker{_words(row)}",
            wanted=f"≤ {most} KB",
            measured=f"{row.kb_per_station:.1f} KB",
            reached=row.kb_per_station <= most,
        )
        for row in scale
        if row.name == "idle" and row.kb_per_station is not None
        for most in (_MOST_KB[row.over, row.tls],)
    ]


def _words(row: ScaleRow) -> str:
    return (f", {row.over}" if row.over else "") + (", TLS" if row.tls else "")


def _connect_goals(scale: list[ScaleRow]) -> list[Goal]:
    found = _tls_goals(scale)
    for row in scale:
        tls = ", TLS" if row.tls else ""
        if row.name == "idle" and not row.over and row.connects_per_s is not None:
            least = 500 if row.tls else 1500
            found.append(
                Goal(
                    text=f"Connects per second and worker{tls}",
                    wanted=f"≥ {least:,}",
                    measured=f"{row.connects_per_s:,.0f}",
                    reached=row.connects_per_s >= least * 0.99,
                )
            )
        if row.name == "paced" and row.busiest_100ms is not None:
            found.append(
                Goal(
                    text=f"Evenness: busiest 100 ms at {row.note}{tls}",
                    wanted="≤ 2 × the mean",
                    measured=f"{row.busiest_100ms:.2f} ×",
                    reached=row.busiest_100ms <= 2,  # noqa: PLR2004 - the goal
                )
            )
    return found


def _tls_goals(scale: list[ScaleRow]) -> list[Goal]:
    """Hold TLS against a bare handshake: a whole connect with upgrade and boot, and what TLS alone adds to one."""
    costs = {(row.name, row.tls): row.cpu_ms_per_connect for row in scale if not row.over and row.cpu_ms_per_connect}
    bare, whole, plain = costs.get(("bare", True)), costs.get(("idle", True)), costs.get(("idle", False))
    if bare is None or whole is None:
        return []
    rows = [("A connect with TLS, its upgrade and boot", whole)]
    rows += [("What TLS adds to a connect", whole - plain)] if plain is not None else []
    return [
        Goal(
            text=f"{what}: processor time against TCP and a bare handshake of Python's ssl",
            wanted=f"≤ {_CONNECT_MOST:g} ×",
            measured=f"{cost / bare:.2f} ×",
            reached=cost / bare <= _CONNECT_MOST,
        )
        for what, cost in rows
    ]


def _scale_goals(scale: list[ScaleRow]) -> list[Goal]:
    curve = {row.stations: row.cpu_us_per_call for row in scale if row.name == "curve" and row.cpu_us_per_call}
    found: list[Goal] = []
    if len(curve) > 1:
        middle = (max(curve.values()) + min(curve.values())) / 2
        swing = (max(curve.values()) - min(curve.values())) / 2 / middle
        found.append(
            Goal(
                text=f"CPU per CALL from {min(curve):,} to {max(curve):,} stations",
                wanted="flat ± 20 %",
                measured=f"{min(curve.values()):.1f}–{max(curve.values()):.1f} µs, ± {swing:.0%}",
                reached=swing <= 0.2,  # noqa: PLR2004 - the goal
            )
        )
    found += [
        Goal(
            text=f"{row.stations:,} stations in {row.workers} worker{'s' if row.workers > 1 else ''} on this machine",
            wanted="all connected" + (", VALID" if row.verdict else ""),
            measured=f"{row.connected:,} connected" + (f", {row.verdict}" if row.verdict else ""),
            reached=row.connected >= row.stations and row.verdict in ("", "VALID"),
        )
        for row in scale
        if row.name in ("one worker", "many workers")
    ]
    found += [
        Goal(
            text=f"CALLs in the run and at the sink with {row.stations:,} stations in {row.workers} workers",
            wanted=f"{row.sink_calls:,}",
            measured=f"{row.counted:,}" + (f", {row.lost:,} of them lost with their connections" if row.lost else ""),
            reached=row.exact,
        )
        for row in scale
        if row.exact is not None
    ]
    found += [
        Goal(
            text=f"The master of {row.workers} simulated workers, share of one core",
            wanted=f"< {_MASTER_MOST:.0%}",
            measured=f"{row.master_core:.0%}",
            reached=row.master_core < _MASTER_MOST,
        )
        for row in scale
        if row.name == "master" and row.master_core is not None
    ]
    return found


def _truth_goals(truth: list[Checked]) -> list[Goal]:
    found = []
    for run in truth:
        found.append(
            Goal(
                text=f"Service p50, p99, p99.9 with {run.latency}",
                wanted="within max(1 ms, 5 %) of " + ", ".join(starmap(_span, run.spans)),
                measured=", ".join(f"{reported:.1f}" for reported in run.service_ms) + f" ms{_disturbance(run)}",
                reached=run.true,
            )
        )
        found.append(
            Goal(
                text=f"CALLs in the run and at the sink with {run.latency}",
                wanted=f"{run.sink_calls:,}",
                measured=f"{run.counted:,}",
                reached=run.exact,
            )
        )
        if run.name == "stall":
            service, response = run.service_ms[1], run.response_ms[1]
            found.append(
                Goal(
                    text="The stall that service p99 hides shows in response p99",
                    wanted="≥ 10 × service",
                    measured=f"{response:.0f} ms against {service:.1f} ms",
                    reached=response >= 10 * service,
                )
            )
    return found


def _disturbance(run: Checked) -> str:
    return f" (others took {run.disturbed:.1%} of its time)" if run.disturbed > MOST_DISTURBED else ""


def _span(least: float, most: float) -> str:
    words = f"{least:.1f}", f"{most:.1f}"
    return words[0] if words[0] == words[1] else f"{words[0]}–{words[1]}"
