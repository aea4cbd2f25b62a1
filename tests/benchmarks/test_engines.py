from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks.children import SinkProcess
from benchmarks.compare import Cores, await_ready, compare, run_loop, start
from benchmarks.engines.table import CEILING, ENGINES, K6, MQTT, PAHO, PLUGSTORM, SHARED, Engine, Plan, choose
from benchmarks.scale import BROKER
from benchmarks.workloads import VERSION, WORKLOADS, Workload
from evidence.run_folder import read_run
from evidence.run_model import LoadRun
from ocppj.errors import UsageError
from ocppj.schemas import validator

pytestmark = pytest.mark.waits

PYTHON_ENGINES = [engine for engine in ENGINES if engine.name not in ("ocpp-rpc", K6)]
STATIONS = 4


@pytest.fixture(scope="module")
def sink() -> Iterator[SinkProcess]:
    with SinkProcess() as process:
        yield process


@pytest.fixture(scope="module")
def broker() -> Iterator[SinkProcess]:
    with SinkProcess(*BROKER) as process:
        yield process


@pytest.mark.sampled(4, by=lambda *, engine: engine.over_mqtt)
@pytest.mark.parametrize("engine", PYTHON_ENGINES, ids=lambda engine: engine.name)
def test_engine_and_sink_count_the_same_calls(
    engine: Engine, sink: SinkProcess, broker: SinkProcess, tmp_path: Path
) -> None:
    sink = broker if engine.over_mqtt else sink
    sink.reset()
    plan = Plan(url=sink.url, stations=STATIONS, folder=tmp_path, schema_share=0.5)
    with start(engine, plan, min(os.sched_getaffinity(0))) as child:
        ready = await_ready(child)
        opening = sink.stats()
        assert opening.connected == STATIONS
        for workload in WORKLOADS:
            ran, sink_calls, sink_cpu = run_loop(child, sink, workload, 0.1)
            assert ran.calls > 0
            assert ran.errors == 0
            assert ran.calls == sink_calls
            assert ran.counted in (None, ran.calls)
            assert ran.cpu_s > 0
            assert sink_cpu > 0
    assert ready.stations == STATIONS
    assert ready.rss_after_kb >= ready.rss_before_kb > 0


def test_every_call_of_the_loop_is_in_the_histograms_of_the_run(sink: SinkProcess, tmp_path: Path) -> None:
    sink.reset()
    engine = choose([PLUGSTORM])[0]
    plan = Plan(url=sink.url, stations=STATIONS, folder=tmp_path)
    with start(engine, plan, min(os.sched_getaffinity(0))) as child:
        await_ready(child)
        opening = sink.stats().total
        run_loop(child, sink, WORKLOADS[0], 0.1)
    # Each loop begins with a reset of the sink, so its stats are those of the loop.
    sent = opening + sink.stats().total
    (folder,) = tmp_path.glob("run-*")
    run = read_run(folder)
    assert isinstance(run, LoadRun)
    assert sum(call.count for window in run.windows for call in window.calls) == sent


@pytest.mark.parametrize("workload", WORKLOADS, ids=lambda workload: workload.action)
def test_workload_is_valid_ocpp(workload: Workload) -> None:
    assert validator(VERSION, workload.action, "request").is_valid(workload.payload)


def test_meter_values_are_of_about_a_kilobyte() -> None:
    sizes = {workload.action: workload.size for workload in WORKLOADS}
    assert 900 <= sizes["MeterValues"] <= 1200


def test_ceiling_is_always_among_the_engines() -> None:
    assert [engine.name for engine in choose(["plugstorm"])] == ["plugstorm", "ceiling"]
    assert len(choose([])) == len(ENGINES)


def test_engines_over_mqtt_are_chosen_with_the_one_that_they_are_held_against() -> None:
    assert [engine.name for engine in choose([], mqtt=True)] == [PLUGSTORM, MQTT, SHARED, PAHO]


def test_unknown_engine_is_refused_with_the_known_ones() -> None:
    with pytest.raises(UsageError, match="websocket-client"):
        choose(["websocket"])


def test_the_fleets_of_one_bench_run_side_by_side_and_ours_is_a_fair_share_of_the_ceiling(
    sink: SinkProcess, tmp_path: Path
) -> None:
    """A smoke bench: a ratio of processor times within one repetition, which no busy machine halves in all of them."""
    engines = choose([PLUGSTORM, "plugstorm-task"])
    plan = Plan(url=sink.url, stations=40, folder=tmp_path)
    core = min(os.sched_getaffinity(0))
    samples = compare(
        engines,
        plan,
        {False: sink},
        Cores(sink=core, engine=core),
        repetitions=3,
        seconds=0.2,
        attempts=1,
        say=lambda _: None,
        workloads=WORKLOADS[:1],
    )
    cost = {engine.name: min(s.cpu_us for s in samples if s.engine == engine.name) for engine in engines}
    assert all(sample.calls and not sample.errors for sample in samples)
    assert cost[CEILING] / cost[PLUGSTORM] > 0.25
    assert cost[CEILING] / cost["plugstorm-task"] > 0.15
