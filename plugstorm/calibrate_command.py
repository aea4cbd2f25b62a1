"""`plugstorm calibrate`: what this machine can generate, measured against the built-in sink; and what a plan needs."""

from __future__ import annotations

import contextlib
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import msgspec
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from evidence import exit_codes
from evidence.run_folder import RunFolder, describe_environment, describe_tool, read_run, utc_now
from evidence.run_model import LoadRun
from loadtest.locust_edge.request import LoadRequest
from loadtest.planning.calibrate import Measured, Plan, Recommendation, measured, recommend
from loadtest.planning.machine_check import Machine, machine
from loadtest.workload.profile import load_profile
from mqtt.dialect import dialect_names
from ocppj.errors import InconclusiveError, UsageError
from ocppj.versions import Version
from plugstorm.children import run_child
from plugstorm.load_command import check, environment_of, locust_command

__all__ = ["Effort", "Result", "run"]

_ROOT: Final = Path(__file__).resolve().parent.parent
_PATIENCE: Final = 10.0
_FLOOR_HEARTBEAT: Final = 10.0
_BUSY_HEARTBEAT: Final = 0.1


class Effort(msgspec.Struct, frozen=True, kw_only=True):
    """How hard to try; times in seconds."""

    stations: int
    """Of the quiet run."""
    busy_stations: int
    """Of the busy run; each sends ten CALLs a second."""
    seconds: int
    """Of each run."""
    dialect: str | None = None
    """Of OCPP over MQTT; None for WebSocket."""
    mqtt_connections: int | None = None
    """How many the stations share; None where each has its own."""


class Result(msgspec.Struct, kw_only=True):
    """`calibration.json`."""

    format: int = 1
    kind: str = "calibration"
    tool: dict[str, str]
    started: str
    finished: str
    environment: dict[str, Any]
    machine: Machine
    effort: Effort
    measured: Measured
    recommendation: Recommendation | None = None


def run(effort: Effort, plan: Plan | None, *, out: Path | None, as_json: bool) -> int:
    """Measure, recommend, write `calibration.json`, and return the exit code: 3 where a run could not be believed."""
    if plan is not None:
        # Before anything is measured for nothing.
        load_profile(plan.profile)
    have = machine()
    request = _request(effort)
    check(request)
    started = utc_now()
    with _sink(effort) as url:
        folder = RunFolder.create(out, "calibrate")
        for empty in (folder.traces, folder.histograms):
            empty.rmdir()
        quiet = _measure(request, url, folder, "quiet", heartbeat=_FLOOR_HEARTBEAT)
        few = msgspec.structs.replace(request, stations=effort.busy_stations, spawn_rate=float(effort.busy_stations))
        busy = _measure(few, url, folder, "busy", heartbeat=_BUSY_HEARTBEAT)
    found = measured(quiet, busy, have)
    result = Result(
        tool=describe_tool(),
        started=started,
        finished=utc_now(),
        environment=describe_environment(),
        machine=have,
        effort=effort,
        measured=found,
        recommendation=None if plan is None else _recommend(plan, effort, found, have),
    )
    document = msgspec.json.format(msgspec.json.encode(result), indent=2).decode()
    folder.write_text("calibration.json", document + "\n")
    if as_json:
        print(document)  # noqa: T201 - this is a command
    else:
        _show(result, folder.path)
    return exit_codes.INVALID if "INVALID" in (found.quiet, found.busy) else exit_codes.PASSED


def _request(effort: Effort) -> LoadRequest:
    return LoadRequest(
        # Stands for the sink, whose port is not known yet.
        url="ws://127.0.0.1:9/ocpp" if effort.dialect is None else "mqtt://127.0.0.1:9",
        dialect=effort.dialect,
        mqtt_connections=effort.mqtt_connections,
        ocpp=((Version.V16, 1),),
        stations=effort.stations,
        spawn_rate=float(effort.stations),
        duration=effort.seconds,
        seed=1,
        warm_up=0.5,
    )


@contextlib.contextmanager
def _sink(effort: Effort) -> Iterator[str]:
    """Start the sink of the bench as a process of its own, which ends with its input, and give its URL."""
    words = []
    if effort.dialect is not None:
        # The sink runs in another folder than the person.
        is_file = effort.dialect not in dialect_names()
        words = ["--dialect", str(Path(effort.dialect).resolve()) if is_file else effort.dialect]
    with tempfile.TemporaryFile() as said:
        process = subprocess.Popen(  # noqa: S603 - our own words
            [sys.executable, "-m", "benchmarks.sink", *words],
            cwd=_ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=said,
            # Ctrl-C is for us; the sink ends when we do.
            process_group=0,
        )
        assert process.stdout is not None
        try:
            line = process.stdout.readline()
            if not line:
                process.wait(_PATIENCE)
                said.seek(0)
                last = said.read().decode(errors="replace").strip().rpartition("\n")[2]
                raise UsageError(f"The built-in sink does not run ({last}); install its packages with make setup")
            yield str(msgspec.json.decode(line)["url"])
        finally:
            # Closes its input, and waits.
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.communicate(timeout=_PATIENCE)
            process.kill()
            process.wait()


def _measure(request: LoadRequest, url: str, folder: RunFolder, name: str, *, heartbeat: float) -> LoadRun:
    out = RunFolder.create(folder.path / name, "load").path
    profile = out / "profile.yaml"
    profile.write_text(
        f"title: Heartbeats and nothing else\nmodels: {{home-wallbox: 1}}\nheartbeat: {heartbeat}\n", encoding="ascii"
    )
    one = msgspec.structs.replace(request, profile=str(profile))
    sys.stderr.write(f"{name} run: {one.stations} stations for {one.duration} s …\n")
    code = run_child(
        locust_command(one, url=url, out=out, master_port=None),
        environment=environment_of(one),
        output=out / "output.txt",
    )
    if code == exit_codes.INTERRUPTED:
        raise KeyboardInterrupt
    if not (out / "run.json").exists():
        raise InconclusiveError(f"The {name} run left no result; see {out / 'output.txt'}")
    found = read_run(out)
    assert isinstance(found, LoadRun)
    return found


def _recommend(plan: Plan, effort: Effort, found: Measured, have: Machine) -> Recommendation:
    from loadtest.planning.forecast import forecast  # noqa: PLC0415 - its stations bring gevent along

    seen = forecast(
        load_profile(plan.profile),
        {Version.V16: 1},
        have,
        stations=plan.stations,
        spawn_rate=plan.rate,
        duration=3600.0,
    )
    busiest = max(window.calls_per_s for window in seen.windows)
    return recommend(
        plan,
        found,
        have,
        calls_per_s=busiest,
        connects_per_s=seen.connects_per_s,
        dialect=effort.dialect,
        mqtt_connections=effort.mqtt_connections,
    )


def _show(result: Result, folder: Path) -> None:
    console = Console()
    found = result.measured
    table = Table(box=SIMPLE_HEAD, title="One worker on this machine", title_justify="left")
    table.add_column("Figure")
    table.add_column("Value", justify="right")
    for name, value in _rows(found, is_shared=result.effort.mqtt_connections is not None):
        table.add_row(name, value)
    console.print(table)
    for reason in found.reasons:
        console.print(f"  {reason}", highlight=False, soft_wrap=True, markup=False)
    advice = result.recommendation
    if advice is not None:
        _advise(advice, console)
    console.print(f"results  {folder / 'calibration.json'}", highlight=False, soft_wrap=True, markup=False)


def _rows(found: Measured, *, is_shared: bool) -> Sequence[tuple[str, str]]:
    files = [] if is_shared else [("stations that a worker may open files for", f"{found.stations_per_worker:,}")]
    return (
        ("stations tried, connected", f"{found.stations_tried:,}, {found.stations_connected:,}"),
        *files,
        ("memory of a station", _figure(found.kb_per_station, "KB")),
        ("connects in a second, the most", f"{found.connects_per_s:,.0f}"),
        ("CALL/s tried", f"{found.calls_per_s_tried:,.0f}"),
        ("CALL/s of a whole core", _figure(found.calls_per_s_per_core, "")),
        ("processor of a worker without CALLs", f"{found.base_cpu:.1%} of a core"),
        ("processor time of a CALL", _figure(found.cpu_us_per_call, "µs")),
        ("latency floor p50, p99", f"{_figure(found.floor_p50_ms, 'ms')}, {_figure(found.floor_p99_ms, 'ms')}"),
        ("generator, quiet and busy run", f"{found.quiet}, {found.busy}"),
    )


def _advise(advice: Recommendation, console: Console) -> None:
    plan = advice.plan
    console.print(
        f"{plan.stations:,} stations, profile {plan.profile}: at most {advice.calls_per_s:,.0f} CALL/s and "
        f"{advice.connects_per_s:,.0f} connects/s.",
        highlight=False,
        soft_wrap=True,
    )
    workers = f"{advice.workers} workers" if advice.workers > 1 else "1 worker"
    machines = f"{advice.machines} machines like this one" if advice.machines > 1 else "this machine"
    console.print(
        f"Take {workers} ({advice.because}) on {machines}; {advice.memory_mb:,.0f} MB of memory, "
        f"{advice.source_addresses} source address{'es' if advice.source_addresses > 1 else ''}.",
        highlight=False,
        soft_wrap=True,
    )
    console.print(f"  {advice.command}", highlight=False, soft_wrap=True, markup=False)


def _figure(value: float | None, unit: str) -> str:
    return "not measured" if value is None else f"{value:,.6g} {unit}".rstrip()
