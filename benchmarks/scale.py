"""How far one worker and one machine go with Plugstorm: memory, connects, cost per CALL as the fleet grows."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from statistics import fmean, median
from typing import Final

from benchmarks.canned import BUCKET, SELDOM, Stats
from benchmarks.children import Child, SinkProcess
from benchmarks.compare import Cores, await_ready, run_loop, start
from benchmarks.engines.speech import Ready
from benchmarks.engines.table import ENGINES, PLUGSTORM, Engine, Plan
from benchmarks.figures import OVER, ScaleRow
from benchmarks.truth import recorded
from benchmarks.workloads import HEADLINE, WORKLOADS
from evidence.run_folder import read_run
from evidence.run_model import LoadRun
from ocppj.errors import InconclusiveError
from ocppj.outcomes import Outcome

__all__ = [
    "BROKER",
    "CURVE",
    "bare_handshakes",
    "busiest",
    "curve",
    "idle_fleet",
    "many_workers",
    "master",
    "pace",
]

Say = Callable[[str], None]

CURVE: Final = (100, 1000, 5000, 15_000)
"""Stations in one worker at which the cost per CALL is measured."""
BROKER: Final = ("--dialect", "raw", "--qos", "0")
"""Words of the sink that is a broker."""
_HEARTBEAT: Final = next(workload for workload in WORKLOADS if workload.action == HEADLINE)
_FILES_OF_A_PROCESS: Final = 18_000
_END_PATIENCE: Final = 120
"""Seconds that a whole run may take to begin and to end."""
_MASTER_PATIENCE: Final = 10
"""How many times the seconds that the master is watched all may take."""
_HEARTBEAT_EVERY: Final = 60
"""Seconds between the Heartbeats of a station in a fleet of many workers."""


def idle_fleet(
    stations: int,
    folder: Path,
    cores: Cores,
    *,
    tls: bool = False,
    rate: float | None = None,
    engine: str = PLUGSTORM,
) -> ScaleRow:
    """Connect a fleet at a rate, None being as fast as it goes, let it boot and then do nothing."""
    with _sink(cores, *(BROKER if OVER[engine] else ()), tls=tls) as sink:
        plan = _plan(sink, stations, folder, rate)
        with start(_plugstorm(engine), plan, cores.engine) as child:
            ready, stats = await_ready(child), sink.stats()
    row = _row("idle" if rate is None else "paced", ready, stats, tls=tls)
    row.over = OVER[engine]
    if rate is not None:
        row.busiest_100ms = busiest(without_canary(stats.arrivals))
        row.note = f"{rate:g} connects/s asked for"
    return row


def bare_handshakes(connections: int, folder: Path, cores: Cores) -> ScaleRow:
    """Connect with TLS and nothing else, one after the other: what the TLS of a fleet is held against."""
    with _sink(cores, tls=True) as sink:
        plan = _plan(sink, connections, folder, None)
        words = [sys.executable, "-m", "benchmarks.engines.bare_tls", "--url", plan.url]
        words += ["--stations", str(connections), "--option", str(plan.ca_file)]
        with Child("bare TLS", words, core=cores.engine) as child:
            ready = await_ready(child)
    # The sink counts WebSocket connections, which these are not.
    return ScaleRow(
        name="bare",
        stations=connections,
        tls=True,
        connected=ready.stations,
        connects_per_s=ready.stations / ready.seconds,
        cpu_ms_per_connect=ready.cpu_s / ready.stations * 1000,
        kb_per_station=(ready.rss_after_kb - ready.rss_before_kb) / ready.stations,
    )


def master(workers: int, seconds: int) -> ScaleRow:
    """Measure what a master spends on the reports of so many simulated workers (`benchmarks.master_merge`)."""
    words = [sys.executable, "-m", "benchmarks.master_merge", "--json", "--seconds", str(seconds), str(workers)]
    with Child("the master", words) as child:
        measured = child.hear(_MASTER_PATIENCE * seconds)
    return ScaleRow(
        name="master",
        stations=0,
        workers=workers,
        calls_per_s=measured["calls_per_s"],
        master_core=measured["core"],
        note=f"{measured['ms_per_report']:.1f} ms for a report of {measured['report_kb']:.0f} kB",
    )


def curve(
    fleets: tuple[int, ...], folder: Path, cores: Cores, *, repetitions: int, seconds: float, say: Say
) -> Iterator[ScaleRow]:
    """Measure the cost per CALL in a closed loop, for fleets of growing size in one worker."""
    for stations in fleets:
        say(f"closed loop over {stations:,} stations in one worker")
        with _sink(cores) as sink:
            plan = _plan(sink, stations, folder, 1500)
            with start(_plugstorm(), plan, cores.engine) as child:
                ready, stats = await_ready(child), sink.stats()
                run_loop(child, sink, _HEARTBEAT, seconds / 2)
                rans = [run_loop(child, sink, _HEARTBEAT, seconds)[0] for _ in range(repetitions)]
        row = _row("curve", ready, stats)
        row.cpu_us_per_call = median(ran.cpu_s / ran.calls * 1e6 for ran in rans)
        row.calls_per_s = median(ran.calls / ran.seconds for ran in rans)
        yield row
        if stations == max(fleets):
            yield ScaleRow(name="one worker", stations=stations, connected=row.connected, descriptors=row.descriptors)


def many_workers(stations: int, workers: int, folder: Path, *, rate: float, profile: str, hold: int) -> ScaleRow:
    """Run `plugstorm load` itself, with workers and a pool of source addresses, and hold the fleet for `hold` s."""
    sinks = -(-stations // _FILES_OF_A_PROCESS)
    duration = int(stations / rate) + hold
    out = folder / f"many-{stations}"
    words = [sys.executable, "-m", "plugstorm", "load", "--stations", str(stations), "--workers", str(workers)]
    words += ["--spawn-rate", f"{rate:g}", "--duration", f"{duration}s", "--profile", profile, "--ocpp", "2.0.1"]
    words += ["--seed", "1", "--out", str(out), "--no-objective", "csms-answers"]
    pool = ["--source-address", f"127.0.0.2-127.0.0.{2 + stations // 10_000}", "--connect-timeout", "60"]
    with SinkProcess("--interval", str(_HEARTBEAT_EVERY), processes=sinks) as sink:
        with Child("plugstorm load", [*words, "--url", sink.url, "--", *pool]) as child:
            code = child.wait(duration * 3 + _END_PATIENCE)
        stats = sink.stats()
    run = read_run(out)
    if not isinstance(run, LoadRun):
        raise InconclusiveError(f"plugstorm load left no result; exit code {code}")
    counted = sum(histogram.count for tag, histogram in recorded(out) if tag.kind == "service")
    calls = [call for window in run.windows for call in window.calls]
    generator = run.generator
    return ScaleRow(
        name="many workers",
        stations=stations,
        workers=workers,
        connected=stats.connected_most,
        connects_per_s=pace(without_canary(stats.arrivals)),
        kb_per_station=generator.rss_kb_per_station,
        calls_per_s=run.throughput.get("calls_per_s"),
        verdict=str(generator.verdict),
        reasons=generator.reasons,
        counted=counted,
        lost=sum(call.count for call in calls if call.outcome == Outcome.LOST),
        sink_calls=stats.total,
        note=f"generator {generator.verdict}, exit code {code}; {counted:,} CALLs counted, sink {stats.total:,}",
    )


def pace(arrivals: Mapping[int, int]) -> float:
    """Return the mean of connections in a second."""
    return sum(arrivals.values()) / ((max(arrivals) - min(arrivals) + 1) * BUCKET) if arrivals else 0.0


def busiest(arrivals: Mapping[int, int]) -> float | None:
    """Compare the busiest tenth of a second with the mean; the first and the last one are not whole and left out."""
    whole = [arrivals.get(bucket, 0) for bucket in range(min(arrivals) + 1, max(arrivals))] if arrivals else []
    return max(whole) / fmean(whole) if whole and any(whole) else None


def without_canary(arrivals: Mapping[int, int]) -> dict[int, int]:
    """Leave out the one connection that Plugstorm tries before all others."""
    left = dict(arrivals)
    if left:
        first = min(left)
        left[first] -= 1
        if not left[first]:
            del left[first]
    return left


def _plugstorm(name: str = PLUGSTORM) -> Engine:
    return next(engine for engine in ENGINES if engine.name == name)


def _sink(cores: Cores, *words: str, tls: bool = False) -> SinkProcess:
    return SinkProcess("--interval", str(SELDOM), *words, *(["--tls"] if tls else []), core=cores.sink)


def _plan(sink: SinkProcess, stations: int, folder: Path, rate: float | None) -> Plan:
    ca_file = None
    if sink.address.ca_pem:
        ca_file = folder / "ca.pem"
        ca_file.write_text(sink.address.ca_pem, encoding="ascii")
    return Plan(url=sink.url, stations=stations, folder=folder, spawn_rate=rate, ca_file=ca_file)


def _row(name: str, ready: Ready, stats: Stats, *, tls: bool = False) -> ScaleRow:
    return ScaleRow(
        name=name,
        stations=ready.stations,
        tls=tls,
        connected=stats.connected_most,
        connects_per_s=pace(without_canary(stats.arrivals)),
        cpu_ms_per_connect=ready.cpu_s / ready.stations * 1000,
        kb_per_station=(ready.rss_after_kb - ready.rss_before_kb) / ready.stations,
        descriptors=ready.descriptors,
    )
