"""The whole bench: engines side by side, connecting, growing, truth; and the folder that it leaves behind."""

from __future__ import annotations

import contextlib
import json
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import msgspec
from rich.console import Console

from benchmarks import machine, picture, scale, show, truth
from benchmarks.children import SinkProcess, cores
from benchmarks.compare import Cores, compare, open_stations
from benchmarks.engines.table import MQTT, PLUGSTORM, SHARED, Engine, Plan, choose
from benchmarks.figures import EngineRow, Opening, Result, Sample, ScaleRow, engine_rows, goals
from benchmarks.truth import Checked
from benchmarks.workloads import WORKLOADS
from evidence import exit_codes
from evidence.run_folder import RunFolder

__all__ = ["Wanted", "run"]


class Size(msgspec.Struct, frozen=True, kw_only=True):
    """How long and how large."""

    repetitions: int
    seconds: float
    """Of one closed loop."""
    attempts: int
    """At a closed loop that other programs disturb."""
    stations: int
    """In the closed loops of all engines."""
    opened: int
    """Stations that each engine opens to show memory and connects."""
    idle: int
    """Stations of Plugstorm's own idle fleet."""
    idle_tls: int
    shared: int
    """Stations of an idle fleet that shares few MQTT connections."""
    paced: int
    pace: float


_FULL: Final = Size(
    repetitions=7,
    seconds=1.0,
    attempts=6,
    stations=200,
    opened=3000,
    idle=10_000,
    idle_tls=4000,
    shared=20_000,
    paced=6000,
    pace=1000,
)
_QUICK: Final = Size(
    repetitions=3,
    seconds=0.5,
    attempts=2,
    stations=100,
    opened=500,
    idle=1000,
    idle_tls=300,
    shared=2000,
    paced=1000,
    pace=500,
)

_WIDE: Final = 140
"""Columns where nobody watches."""


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """What was asked for."""

    quick: bool = False
    scale: bool = False
    as_json: bool = False
    out: Path | None = None
    engines: tuple[str, ...] = ()
    schema_share: float = 0.01
    mqtt: bool = False
    """Only what is about MQTT."""


def run(wanted: Wanted) -> int:
    """Run the bench and write its folder; raises `UsageError` and `InconclusiveError`."""
    engines = choose(list(wanted.engines), mqtt=wanted.mqtt)
    folder = RunFolder.create(wanted.out, "bench").path
    _clear(folder)
    size = _QUICK if wanted.quick else _FULL
    facts = machine.describe()
    if warning := machine.load_warning():
        facts["load"] = warning
        _say(f"note: {warning}")
    with tempfile.TemporaryDirectory(prefix="plugstorm-bench-") as name:
        work = Path(name)
        rows, samples = _speed(engines, size, wanted, work)
        grown = [] if wanted.mqtt or all(e.name != PLUGSTORM for e in engines) else list(_growth(size, wanted, work))
        grown += _growth_over_mqtt(engines, size, work)
        checked = [] if wanted.mqtt else _truth(wanted, work)
    result = Result(
        machine=facts,
        method=_method(size, wanted),
        engines=rows,
        scale=grown,
        truth=checked,
        goals=[] if wanted.quick else goals(rows, grown, checked),
    )
    _write(folder, result, samples)
    console = Console(stderr=wanted.as_json)
    if not console.is_terminal:
        console.width = _WIDE
    show.print_result(result, console)
    console.print(f"Written: {folder}", soft_wrap=True)
    if wanted.as_json:
        sys.stdout.write(json.dumps(msgspec.to_builtins(rows), indent=2) + "\n")
    return exit_codes.PASSED


def _speed(engines: Sequence[Engine], size: Size, wanted: Wanted, work: Path) -> tuple[list[EngineRow], list[Sample]]:
    skipped = {engine.name: reason for engine in engines if (reason := engine.missing())}
    for name, reason in skipped.items():
        _say(f"{name} is skipped: {reason}")
    present = [engine for engine in engines if engine.name not in skipped]
    where = Cores(*cores())
    openings: list[Opening] = []
    with contextlib.ExitStack() as stack:
        sinks = {
            over_mqtt: stack.enter_context(SinkProcess(*(scale.BROKER if over_mqtt else ()), core=where.sink))
            for over_mqtt in dict.fromkeys(engine.over_mqtt for engine in present)
        }
        plan = Plan(url="", stations=size.stations, folder=work, schema_share=wanted.schema_share)
        samples = compare(
            present,
            plan,
            sinks,
            where,
            repetitions=size.repetitions,
            seconds=size.seconds,
            attempts=size.attempts,
            say=_say,
        )
        for engine in present:
            opened = min(size.opened, engine.most_stations or size.opened)
            _say(f"opening {opened:,} stations: {engine.title}")
            own = msgspec.structs.replace(plan, url=sinks[engine.over_mqtt].url, stations=opened)
            openings.append(open_stations(engine, own, where))
    return engine_rows({engine.name: engine.title for engine in engines}, samples, openings, skipped), samples


def _growth(size: Size, wanted: Wanted, work: Path) -> list[ScaleRow]:
    where = Cores(*cores())
    rows = []
    for tls, stations, pace in ((False, size.idle, size.pace), (True, size.idle_tls, size.pace / 4)):
        words = ", TLS" if tls else ""
        _say(f"idle fleet of {stations:,} stations in one worker{words}")
        rows.append(scale.idle_fleet(stations, work, where, tls=tls))
        paced = size.paced // 4 if tls else size.paced
        _say(f"{paced:,} stations at {pace:g} connects/s{words}")
        rows.append(scale.idle_fleet(paced, work, where, tls=tls, rate=pace))
    fleets = scale.CURVE if wanted.scale else tuple(stations for stations in scale.CURVE if stations <= size.idle)
    rows += scale.curve(fleets, work, where, repetitions=size.repetitions, seconds=size.seconds, say=_say)
    if wanted.scale:
        _say("60,000 stations with a real profile in four workers")
        rows.append(scale.many_workers(60_000, 4, work, rate=600, profile="public_ac", hold=60))
    return rows


def _growth_over_mqtt(engines: Sequence[Engine], size: Size, work: Path) -> list[ScaleRow]:
    where = Cores(*cores())
    rows = []
    for name, stations in ((MQTT, size.idle), (SHARED, size.shared)):
        if any(engine.name == name for engine in engines):
            _say(f"idle fleet of {stations:,} stations in one worker over {scale.OVER[name]}")
            rows.append(scale.idle_fleet(stations, work, where, engine=name))
    return rows


def _truth(wanted: Wanted, work: Path) -> list[Checked]:
    checked = []
    for case in () if wanted.quick else truth.FULL:
        _say(f"truth: {case.latency} for {case.seconds} s")
        checked.append(truth.check(case, work))
    return checked


def _method(size: Size, wanted: Wanted) -> dict[str, str]:
    sink, engine = cores()
    messages = ", ".join(f"{workload.action} ({workload.size:,} bytes)" for workload in WORKLOADS)
    return {
        "engines": "Plugstorm with Locust's events and statistics, both latency histograms, outcome classes, schema "
        "check, self-check and run folder; the others as their documentation shows; the ceiling without statistics",
        "closed loop": f"{size.stations} stations, one open CALL each; {messages}; OCPP 2.0.1",
        "repetitions": f"{size.repetitions} of {size.seconds:g} s, the engines by turns within each; medians; "
        f"a loop whose core other programs used, too, is tried again, up to {size.attempts} times",
        "ratios": "CPU time per CALL of two engines within the same repetition, then the median",
        "cores": f"all engines on core {engine}, sink on core {sink}",
        "sink": "picows on uvloop in a process of its own, canned answers, counts every CALL; over MQTT a broker and "
        "CSMS in one, on uvloop, dialect raw with QoS 0 both ways",
        "memory": f"resident set before the first and after the last of {size.opened:,} stations",
        "schema check": f"{wanted.schema_share:.0%} of the answers in Plugstorm",
    }


def _write(folder: Path, result: Result, samples: list[Sample]) -> None:
    encode = msgspec.json.Encoder(order="sorted").encode
    (folder / "bench.json").write_bytes(msgspec.json.format(encode(result), indent=2) + b"\n")
    (folder / "samples.json").write_bytes(msgspec.json.format(encode(samples), indent=2) + b"\n")
    (folder / "bench.md").write_text(show.markdown(result), encoding="utf-8")
    (folder / "bench.html").write_text(picture.page(result), encoding="utf-8")
    (folder / "speed.svg").write_text(str(picture.speed_svg(result)), encoding="utf-8")
    if any(row.name == "curve" for row in result.scale):
        (folder / "scale.svg").write_text(str(picture.curve_svg(result.scale)), encoding="utf-8")


def _clear(folder: Path) -> None:
    """Remove the places of traces and histograms, which a bench does not keep."""
    for path in (folder / "traces", folder / "histograms"):
        if path.is_dir() and not any(path.iterdir()):
            path.rmdir()


def _say(line: str) -> None:
    sys.stderr.write(f"{line}\n")
    sys.stderr.flush()
