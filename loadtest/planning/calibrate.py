"""What this machine can generate, boiled down from two runs against the fastest CSMS there is; and for which plans.

The quiet run has many stations that say little: memory, connects, latency floor. The busy one has few that say much:
processor time of a CALL. Both go through the same path as every load run; pure.
"""

from __future__ import annotations

import re
from math import ceil
from typing import Final

import msgspec

from config.errors import ConfigError
from config.quantities import rate
from evidence.run_model import LoadRun
from loadtest.planning.machine_check import PORTS_USED, SPARE_DESCRIPTORS, STATION_KB, WORKER_MB, Machine
from loadtest.workload.defaults import DEFAULT_PROFILE
from ocppj.errors import UsageError, as_usage_error

__all__ = ["COMFORTABLE", "Measured", "Plan", "Recommendation", "measured", "read_plan", "recommend"]

COMFORTABLE: Final = 0.6
"""Share of a processor core that a worker may use on average, so that peaks do not degrade the run."""
CONNECTS_USED: Final = 0.8
"""Share of the measured connects a second that a plan may count on."""
_DEFAULT_RAMP: Final = 10.0


class Measured(msgspec.Struct, frozen=True, kw_only=True):
    """What two runs have shown of this machine."""

    stations_tried: int
    """In one worker."""
    stations_connected: int
    calls_per_s_tried: float
    """By one worker."""
    calls_per_s_per_core: float | None
    """What a whole processor core would do, from the processor time of a CALL."""
    base_cpu: float
    """Share of a core that a worker takes without a single CALL."""
    cpu_us_per_call: float | None
    """What one CALL adds to that."""
    kb_per_station: float | None
    """None where too few stations were tried to tell."""
    connects_per_s: float
    """The most within one second."""
    floor_p50_ms: float | None
    """Service time of an answer that took no time: network, event loops and measuring."""
    floor_p99_ms: float | None
    stations_per_worker: int
    """As many as one process may open files for."""
    quiet: str
    """Verdict of the generator on itself in the quiet run."""
    busy: str
    reasons: list[str] = []


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """A load run that somebody has in mind."""

    stations: int
    profile: str = DEFAULT_PROFILE
    spawn_rate: float | None = None

    @property
    def rate(self) -> float:
        """How many stations start in a second."""
        return self.spawn_rate or max(1.0, self.stations / _DEFAULT_RAMP)


class Recommendation(msgspec.Struct, frozen=True, kw_only=True):
    """How to run a plan."""

    plan: Plan
    calls_per_s: float
    """The most in any window."""
    connects_per_s: float
    workers: int
    because: str
    """What asks for so many."""
    machines: int
    """Like this one."""
    source_addresses: int
    memory_mb: float
    """Of all workers together."""
    command: str


def measured(quiet: LoadRun, busy: LoadRun, have: Machine) -> Measured:
    """Boil both runs down."""
    calls = busy.throughput.get("calls_per_s", 0.0)
    each, base = _costs(quiet, busy)
    floor = next((call.service_ms for call in quiet.calls if call.action == "Heartbeat" and call.service_ms), None)
    return Measured(
        stations_tried=quiet.stations.requested,
        stations_connected=quiet.stations.connected_peak,
        calls_per_s_tried=calls,
        calls_per_s_per_core=round((1 - base) / each) if each else None,
        base_cpu=round(base, 4),
        cpu_us_per_call=round(each * 1e6, 1) if each else None,
        kb_per_station=None
        if quiet.generator.rss_kb_per_station is None
        else round(quiet.generator.rss_kb_per_station, 1),
        connects_per_s=max((row.get("opened", 0.0) for row in quiet.timeline), default=0.0),
        floor_p50_ms=floor.p50 if floor else None,
        floor_p99_ms=floor.p99 if floor else None,
        stations_per_worker=max(have.descriptors - SPARE_DESCRIPTORS, 0),
        quiet=quiet.generator.verdict,
        busy=busy.generator.verdict,
        reasons=[*quiet.generator.reasons, *busy.generator.reasons],
    )


def _costs(quiet: LoadRun, busy: LoadRun) -> tuple[float | None, float]:
    """Return the processor seconds of one CALL, and the share of a core that is spent anyway.

    From the difference of both runs; where that is lost in the noise, the CALLs of the busy run bear everything.
    """
    few, many = quiet.throughput.get("calls_per_s", 0.0), busy.throughput.get("calls_per_s", 0.0)
    idle, cpu = quiet.generator.cpu, busy.generator.cpu
    if not cpu or many <= 0:
        return None, 0.0
    if idle is not None and many > few and cpu > idle:
        each = (cpu - idle) / (many - few)
        return each, min(max(idle - each * few, 0.0), 0.9)
    return cpu / many, 0.0


def recommend(
    plan: Plan,
    found: Measured,
    have: Machine,
    *,
    calls_per_s: float,
    connects_per_s: float,
    kb_per_station: float = STATION_KB,
    dialect: str | None = None,
    mqtt_connections: int | None = None,
) -> Recommendation:
    """Say how many workers a plan needs; its rates come from `loadtest.planning.forecast`.

    `dialect` is that of OCPP over MQTT, None for WebSocket; `mqtt_connections` is how many all stations share.
    """
    # Who shares a connection needs no file and no port.
    sockets = plan.stations if mqtt_connections is None else mqtt_connections
    reasons = {
        "so many stations need files of their own": _parts(sockets, found.stations_per_worker),
        "of the processor time of the CALLs": _parts(calls_per_s, (found.calls_per_s_per_core or 0) * COMFORTABLE),
        "of the pace of the connects": _parts(connects_per_s, found.connects_per_s * CONNECTS_USED),
    }
    because, workers = max(reasons.items(), key=lambda item: item[1])
    processes = workers + (workers > 1)
    sources = _parts(sockets, have.ports * PORTS_USED)
    words = ["plugstorm load --url ws://…" if dialect is None else f"plugstorm load --url mqtt://… --dialect {dialect}"]
    words += [f"--mqtt-connections {mqtt_connections}"] if mqtt_connections is not None else []
    words += [f"--stations {plan.stations} --profile {plan.profile}"]
    words += [f"--spawn-rate {plan.spawn_rate:g}"] if plan.spawn_rate else []
    words += [f"--workers {workers}"] if workers > 1 else []
    words += [f"--source-address FIRST-LAST ({sources} addresses)"] if sources > 1 else []
    kb = found.kb_per_station or kb_per_station
    return Recommendation(
        plan=plan,
        calls_per_s=round(calls_per_s, 1),
        connects_per_s=round(connects_per_s, 1),
        workers=workers,
        because=because if workers > 1 else "one is enough",
        machines=_parts(calls_per_s, (found.calls_per_s_per_core or 0) * COMFORTABLE * have.cores),
        source_addresses=sources,
        memory_mb=round(processes * WORKER_MB + plan.stations * kb / 1024),
        command=" ".join(words),
    )


_STATIONS: Final = re.compile(r"(\d[\d_ ]*)\s*(?:stations?)?")
_RATE: Final = re.compile(r"[-\d.]+\s*%?\s*/.*")


def read_plan(text: str) -> Plan:
    """Read `20000 stations, steady, 500/s`: stations first, then a profile and a spawn rate in any order."""
    stations, *rest = [part.strip() for part in text.split(",")]
    match = _STATIONS.fullmatch(stations)
    if match is None or not int(match[1].replace(" ", "")):
        raise UsageError(f"--plan {text!r} does not begin with a number of stations, as in '20000 stations, steady'")
    profile, pace = DEFAULT_PROFILE, None
    for part in rest:
        if _RATE.fullmatch(part) is None:
            profile = part
            continue
        with as_usage_error(ConfigError, prefix=f"--plan {text!r}: "):
            found = rate(part)
        if found.of_each:
            raise UsageError(f"--plan {text!r}: stations come at a number per second, as in 500/s, not at a share")
        pace = found.per_second
    return Plan(stations=int(match[1].replace(" ", "")), profile=profile, spawn_rate=pace)


def _parts(whole: float, each: float) -> int:
    """Return in how many parts of at most `each` a whole falls; 1 where nobody knows how large a part may be."""
    return max(1, ceil(whole / each)) if each > 0 else 1
