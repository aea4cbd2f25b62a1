"""All engines in one run against the same sink: interleaved repetitions, each engine alone while it runs."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Final

import msgspec

from benchmarks.children import Child, SinkProcess
from benchmarks.engines.speech import CALL_PATIENCE, Order, Ran, Ready
from benchmarks.engines.table import Engine, Plan
from benchmarks.figures import UNDISTURBED, Opening, Sample
from benchmarks.workloads import WORKLOADS, Workload
from ocppj.errors import InconclusiveError

__all__ = ["Cores", "await_ready", "compare", "open_stations", "run_loop", "start"]

Say = Callable[[str], None]
_CONNECT_PATIENCE: Final = 240.0
_WARM_UP: Final = 0.5


class Cores(msgspec.Struct, frozen=True):
    """Where the processes run."""

    sink: int
    engine: int


def start(engine: Engine, plan: Plan, core: int) -> Child:
    """Start an engine."""
    return Child(engine.title, engine.command(plan), core=core, environment=engine.environment())


def await_ready(child: Child) -> Ready:
    """Wait until all stations of an engine are connected."""
    return msgspec.convert(child.hear(_CONNECT_PATIENCE), Ready)


def run_loop(child: Child, sink: SinkProcess, workload: Workload, seconds: float) -> tuple[Ran, int, float]:
    """Run one closed loop; returns what the engine says, the CALLs that the sink counted, and its processor time."""
    order = Order(action=workload.action, payload=workload.payload, seconds=seconds)
    before = sink.reset()
    child.tell(msgspec.json.encode(order).decode())
    ran = msgspec.convert(child.hear(seconds + 2 * CALL_PATIENCE), Ran)
    after = sink.stats()
    return ran, after.total, after.cpu_s - before.cpu_s


def compare(
    engines: Sequence[Engine],
    plan: Plan,
    sinks: Mapping[bool, SinkProcess],
    cores: Cores,
    *,
    repetitions: int,
    seconds: float,
    attempts: int,
    say: Say,
    failed: Say = lambda _: None,
    workloads: Sequence[Workload] = WORKLOADS,
) -> list[Sample]:
    """Let all engines connect, and then run by turns, so that the loops of one repetition stand side by side.

    `sinks` are the one for WebSocket and the one for MQTT, by whether it is the latter; each engine has that of its
    transport, and every plan its URL.

    An engine that fails takes no further part, `failed` hears why, and its samples so far count.

    A loop that other programs disturbed is tried again, at most `attempts` times; the least disturbed one counts.
    """
    samples = []
    with contextlib.ExitStack() as stack:
        children: dict[str, Child] = {}
        running = list(engines)

        def drop(engine: Engine, error: InconclusiveError) -> None:
            say(f"{engine.title} failed: {error}")
            failed(f"{engine.title}: {error}")
            running.remove(engine)

        for engine in engines:
            say(f"connecting {plan.stations} stations: {engine.title}")
            own = msgspec.structs.replace(plan, url=sinks[engine.over_mqtt].url)
            child = children[engine.name] = stack.enter_context(start(engine, own, cores.engine))
            try:
                await_ready(child)
                for workload in workloads:
                    run_loop(child, sinks[engine.over_mqtt], workload, min(_WARM_UP, seconds))
            except InconclusiveError as error:
                drop(engine, error)
        for repetition in range(1, repetitions + 1):
            for workload in workloads:
                say(f"repetition {repetition} of {repetitions}: {workload.action}")
                # The order turns, so that none of them always runs after the same neighbour.
                turn = repetition % max(len(running), 1)
                for engine in [*running[turn:], *running[:turn]]:
                    child, sink = children[engine.name], sinks[engine.over_mqtt]
                    measure = partial(_measure, engine.name, child, sink, workload, repetition, seconds)
                    try:
                        samples.append(_least_disturbed(attempts, measure))
                    except InconclusiveError as error:
                        drop(engine, error)
    return samples


def _least_disturbed(attempts: int, measure: Callable[[], Sample]) -> Sample:
    """Measure until nothing disturbs it, at most so many times."""
    best = measure()
    for _ in range(attempts - 1):
        if best.pace_cpu >= UNDISTURBED:
            break
        best = max(best, measure(), key=lambda sample: sample.pace_cpu)
    return best


def _measure(  # noqa: PLR0917 - for `partial`
    engine: str, child: Child, sink: SinkProcess, workload: Workload, repetition: int, seconds: float
) -> Sample:
    ran, sink_calls, sink_cpu_s = run_loop(child, sink, workload, seconds)
    return Sample(
        engine=engine,
        message=workload.action,
        repetition=repetition,
        calls=ran.calls,
        seconds=ran.seconds,
        cpu_s=ran.cpu_s,
        errors=ran.errors,
        counted=ran.counted,
        sink_calls=sink_calls,
        sink_cpu_s=sink_cpu_s,
        rss_kb=ran.rss_kb,
    )


def open_stations(engine: Engine, plan: Plan, cores: Cores, repetition: int = 1) -> Opening:
    """Connect a fleet that then does nothing, and tell what it cost."""
    with start(engine, plan, cores.engine) as child:
        ready = await_ready(child)
    return Opening(
        engine=engine.name,
        repetition=repetition,
        stations=ready.stations,
        connects_per_s=ready.stations / ready.seconds,
        cpu_ms_per_connect=ready.cpu_s / ready.stations * 1000,
        kb_per_station=(ready.rss_after_kb - ready.rss_before_kb) / ready.stations,
    )
