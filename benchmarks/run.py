"""The whole bench: engines side by side, connecting, growing, truth; and the folder that it leaves behind."""

from __future__ import annotations

import contextlib
import json
import sys
import tempfile
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Final, TypeVar

import msgspec
from rich.console import Console

from benchmarks import machine, picture, scale, show, truth
from benchmarks.children import SinkProcess, cores
from benchmarks.compare import Cores, compare, open_stations
from benchmarks.engines.table import CEILING, MQTT, PLUGSTORM, SHARED, Engine, Plan, choose
from benchmarks.figures import OVER, EngineRow, Opening, Result, Sample, ScaleRow, engine_rows, goals, with_fleets
from benchmarks.truth import Checked
from benchmarks.workloads import WORKLOADS
from evidence import exit_codes
from evidence.run_folder import RunFolder
from ocppj.errors import HarnessError

__all__ = ["PARTS", "Wanted", "run"]

T = TypeVar("T")


class Size(msgspec.Struct, frozen=True, kw_only=True):
    """How long and how large."""

    repetitions: int
    openings: int
    """How often the engines whose connects are compared connect by turns."""
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
    curve: tuple[int, ...]
    """Stations in one worker at which the cost per CALL is measured with `--scale`."""
    many: tuple[int, int, float, int]
    """Stations in how many workers with `--scale`, how many of them a second, and for how many seconds then: for longer
    than the ramp takes, because measuring begins when half of a run is over, whether all are there or not."""
    master: tuple[int, int]
    """Simulated workers of a master with `--scale`, and for how many seconds."""


_FULL: Final = Size(
    repetitions=5,
    openings=3,
    seconds=1.0,
    attempts=4,
    stations=200,
    opened=3000,
    idle=10_000,
    idle_tls=4000,
    shared=20_000,
    paced=6000,
    pace=1000,
    curve=scale.CURVE,
    many=(60_000, 4, 600, 120),
    master=(256, 10),
)
_QUICK: Final = Size(
    repetitions=3,
    openings=2,
    seconds=0.5,
    attempts=2,
    stations=100,
    opened=500,
    idle=1000,
    idle_tls=300,
    shared=2000,
    paced=1000,
    pace=500,
    curve=(100, 1000),
    many=(1000, 2, 250, 5),
    master=(16, 3),
)

PARTS: Final = ("engines", "fleets", "workers", "master", "truth")
"""What a bench consists of: engines side by side, fleets in one worker, a fleet in several, the master, the truth."""
_QUICKER: Final = 4
"""By how much the runs of the truth are shorter in a first look."""
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
    only: frozenset[str] = frozenset()
    """The only `PARTS` to measure, whatever else is asked for; none: all."""
    stations: int | None = None
    """Of the fleet in several workers."""

    def takes(self, part: str) -> bool:
        """Whether a part of the bench is to be measured."""
        return not self.only or part in self.only

    @property
    def grows(self) -> bool:
        """Whether the fleets that need minutes are to be measured."""
        return self.scale or bool(self.only)


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
    steps = _Steps()
    with tempfile.TemporaryDirectory(prefix="plugstorm-bench-") as name:
        work = Path(name)
        rows, samples = _speed(engines, size, wanted, work, steps) if wanted.takes("engines") else ([], [])
        grown = []
        if not wanted.mqtt and any(engine.name == PLUGSTORM for engine in engines):
            grown += _growth(size, wanted, work, steps) if wanted.takes("fleets") else []
            grown += _workers(size, wanted, work, steps)
        if wanted.takes("fleets"):
            grown += _growth_over_mqtt(engines, size, work, steps)
        checked = [] if wanted.mqtt or not wanted.takes("truth") else _truth(size, wanted, work, steps)
    reached = goals(rows, grown, checked)
    result = Result(
        machine=facts,
        method=_method(size, wanted),
        engines=rows,
        scale=grown,
        truth=checked,
        # Those of a short run with small fleets would say nothing.
        goals=[] if wanted.quick else reached,
        failed=steps.failed,
    )
    _write(folder, result, samples)
    console = Console(stderr=wanted.as_json)
    if not console.is_terminal:
        console.width = _WIDE
    show.print_result(result, console)
    console.print(f"Written: {folder}", soft_wrap=True)
    if wanted.as_json:
        sys.stdout.write(json.dumps(msgspec.to_builtins(with_fleets(rows, grown)), indent=2) + "\n")
    return exit_codes.INVALID if steps.failed else exit_codes.PASSED


class _Steps:
    """Measurements one after the other: one that fails is told, and costs the others nothing."""

    def __init__(self) -> None:
        self.failed: list[str] = []

    def take(self, what: str, measure: Callable[[], T]) -> list[T]:
        """Measure, and return the result; nothing where that failed."""
        _say(what)
        try:
            return [measure()]
        except (HarnessError, OSError) as error:
            self.failed.append(f"{what}: {error}")
            _say(f"{what} failed: {error}")
            return []


def _speed(
    engines: Sequence[Engine], size: Size, wanted: Wanted, work: Path, steps: _Steps
) -> tuple[list[EngineRow], list[Sample]]:
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
            failed=steps.failed.append,
        )
        for repetition in range(1, size.openings + 1):
            for engine in present:
                if repetition > 1 and engine.name not in (PLUGSTORM, CEILING):
                    continue
                opened = min(size.opened, engine.most_stations or size.opened)
                own = msgspec.structs.replace(plan, url=sinks[engine.over_mqtt].url, stations=opened)
                what = f"opening {opened:,} stations: {engine.title}"
                openings += steps.take(what, partial(open_stations, engine, own, where, repetition))
    return engine_rows({engine.name: engine.title for engine in engines}, samples, openings, skipped), samples


def _growth(size: Size, wanted: Wanted, work: Path, steps: _Steps) -> list[ScaleRow]:
    where = Cores(*cores())
    rows = []
    for tls, stations, pace in ((False, size.idle, size.pace), (True, size.idle_tls, size.pace / 4)):
        words = ", TLS" if tls else ""
        idle = partial(scale.idle_fleet, folder=work, cores=where, tls=tls)
        rows += steps.take(f"idle fleet of {stations:,} stations in one worker{words}", partial(idle, stations))
        paced = size.paced // 4 if tls else size.paced
        rows += steps.take(f"{paced:,} stations at {pace:g} connects/s{words}", partial(idle, paced, rate=pace))
    bare = partial(scale.bare_handshakes, size.idle_tls, work, where)
    rows += steps.take(f"{size.idle_tls:,} bare TLS handshakes", bare)
    fleets = size.curve if wanted.grows else tuple(stations for stations in size.curve if stations <= size.idle)
    grow = partial(scale.curve, fleets, work, where, repetitions=size.repetitions, seconds=size.seconds, say=_say)
    for found in steps.take("cost per CALL as the fleet grows", lambda: list(grow())):
        rows += found
    return rows


def _workers(size: Size, wanted: Wanted, work: Path, steps: _Steps) -> list[ScaleRow]:
    rows: list[ScaleRow] = []
    if wanted.grows and wanted.takes("workers"):
        stations, workers, rate, hold = size.many
        stations = wanted.stations or stations
        many = partial(scale.many_workers, stations, workers, work, rate=rate, profile="public_ac", hold=hold)
        rows += steps.take(f"{stations:,} stations with a real profile in {workers} workers", many)
    if wanted.grows and wanted.takes("master"):
        rows += steps.take(f"a master of {size.master[0]} simulated workers", partial(scale.master, *size.master))
    return rows


def _growth_over_mqtt(engines: Sequence[Engine], size: Size, work: Path, steps: _Steps) -> list[ScaleRow]:
    where = Cores(*cores())
    rows = []
    for name, stations in ((MQTT, size.idle), (SHARED, size.shared)):
        if any(engine.name == name for engine in engines):
            what = f"idle fleet of {stations:,} stations in one worker over {OVER[name]}"
            rows += steps.take(what, partial(scale.idle_fleet, stations, work, where, engine=name))
    return rows


def _truth(size: Size, wanted: Wanted, work: Path, steps: _Steps) -> list[Checked]:
    if wanted.quick and not wanted.grows:
        return []
    checked = []
    for case in truth.FULL:
        one = msgspec.structs.replace(case, seconds=case.seconds // _QUICKER) if wanted.quick else case
        measure = partial(truth.least_disturbed, size.attempts, partial(truth.check, one, work))
        checked += steps.take(f"truth: {one.latency} for {one.seconds} s", measure)
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
        "truth": f"run and sink on a core each; a run from which other programs and the host took more than "
        f"{truth.MOST_DISTURBED:.1%} of the time is tried again, up to {size.attempts} times",
        "cores": f"all engines on core {engine}, sink on core {sink}",
        "sink": "picows on uvloop in a process of its own, canned answers, counts every CALL; over MQTT a broker and "
        "CSMS in one, on uvloop, dialect raw with QoS 0 both ways",
        "memory": f"resident set before the first and after the last of {size.opened:,} stations",
        "connects": f"processor time until the last of {size.opened:,} stations is accepted and has told its statuses, "
        "two to three CALLs (the ceiling: connected, none); Plugstorm spreads them over a second, a hundredth of it "
        "apart, and the others connect as fast as they go, the ceiling 200 at once; "
        f"Plugstorm and the ceiling {size.openings} times by turns, medians",
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
