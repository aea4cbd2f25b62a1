from __future__ import annotations

from typing import Any

import msgspec
import pytest

from evidence.run_model import CallStats, Generator, LoadRun, Percentiles, RunTarget, Stations
from evidence.verdicts import RunVerdict
from loadtest.planning.calibrate import COMFORTABLE, Measured, Plan, Recommendation, measured, read_plan, recommend
from loadtest.planning.machine_check import Machine
from ocppj.errors import UsageError

HERE = Machine(
    descriptors=20_064, soft_descriptors=20_064, hard_descriptors=20_064, ports=28_000, memory_mb=8000.0, cores=4
)
FOUND = Measured(
    stations_tried=2000,
    stations_connected=2000,
    calls_per_s_tried=3000.0,
    calls_per_s_per_core=10_000,
    base_cpu=0.0,
    cpu_us_per_call=100.0,
    kb_per_station=20.0,
    connects_per_s=1000.0,
    floor_p50_ms=0.2,
    floor_p99_ms=2.0,
    stations_per_worker=20_000,
    quiet="VALID",
    busy="VALID",
)


def advise(plan: Plan, calls_per_s: float, connects_per_s: float = 100.0, **changes: Any) -> Recommendation:
    found = msgspec.structs.replace(FOUND, **changes)
    return recommend(plan, found, HERE, calls_per_s=calls_per_s, connects_per_s=connects_per_s)


def test_a_small_plan_needs_one_worker() -> None:
    advice = advise(Plan(stations=1000), 100.0)
    assert (advice.workers, advice.machines, advice.source_addresses) == (1, 1, 1)
    assert advice.because == "one is enough"
    assert "--workers" not in advice.command


def test_each_bottleneck_asks_for_its_workers_and_is_named() -> None:
    files = advise(Plan(stations=50_000), 100.0)
    assert (files.workers, files.source_addresses) == (3, 2)
    assert "files" in files.because
    calls = advise(Plan(stations=1000), 4 * 10_000 * COMFORTABLE)
    assert calls.workers == 4
    assert "processor time" in calls.because
    connects = advise(Plan(stations=1000), 100.0, connects_per_s=1500.0)
    assert connects.workers == 2
    assert "connects" in connects.because
    assert "--workers 2" in connects.command


def test_more_calls_than_all_cores_need_more_machines() -> None:
    assert advise(Plan(stations=1000), HERE.cores * 10_000 * COMFORTABLE).machines == 1
    assert advise(Plan(stations=1000), 2 * HERE.cores * 10_000 * COMFORTABLE).machines == 2


def test_memory_follows_what_was_measured() -> None:
    small, large = advise(Plan(stations=10_000), 1.0), advise(Plan(stations=10_000), 1.0, kb_per_station=50.0)
    assert large.memory_mb - small.memory_mb == pytest.approx(30 * 10_000 / 1024, rel=0.01)


def test_what_could_not_be_measured_asks_for_nothing() -> None:
    assert advise(Plan(stations=10), 1e9, calls_per_s_per_core=None, kb_per_station=None).workers == 1


@pytest.mark.parametrize(
    ("text", "plan"),
    [
        ("20000 stations, steady", Plan(stations=20_000, profile="steady")),
        ("20 000 stations", Plan(stations=20_000)),
        ("7", Plan(stations=7)),
        ("1 station, 500/s, idle", Plan(stations=1, profile="idle", spawn_rate=500.0)),
        ("5 stations, my.yaml, 0.5 / s", Plan(stations=5, profile="my.yaml", spawn_rate=0.5)),
    ],
)
def test_a_plan_is_read_from_words(text: str, plan: Plan) -> None:
    assert read_plan(text) == plan


@pytest.mark.parametrize("text", ["", "many stations", "steady, 20000 stations", "0 stations", "5 stations, 0/s"])
def test_a_plan_that_says_nothing_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="--plan"):
        read_plan(text)


def test_stations_start_within_ten_seconds_where_no_rate_is_given() -> None:
    assert (Plan(stations=500).rate, Plan(stations=3).rate, Plan(stations=500, spawn_rate=9.0).rate) == (50.0, 1.0, 9.0)


def run(**generator: Any) -> LoadRun:
    latency = Percentiles(p50=0.2, p90=1, p99=2, p999=4, max=5)
    return LoadRun(
        tool={},
        target=RunTarget(url="ws://127.0.0.1", ocpp=["1.6"]),
        started="",
        finished="",
        seed=1,
        environment={},
        verdict=RunVerdict.PASSED,
        stations=Stations(requested=90, connected_peak=88, booted=88, lost=0),
        calls=[
            CallStats(
                ocpp="1.6",
                action="Heartbeat",
                direction="station-to-csms",
                outcome="accepted",
                count=9,
                service_ms=latency,
            )
        ],
        throughput={"calls_per_s": 2000.0},
        generator=Generator(verdict="VALID", reasons=["it sighed"], **generator),
        timeline=[{"t": 0.0, "opened": 60.0}, {"t": 1.0, "opened": 30.0}],
    )


def test_figures_come_from_the_run_that_shows_them_best() -> None:
    found = measured(run(rss_kb_per_station=21.37), run(cpu=0.5), HERE)
    assert (found.stations_tried, found.stations_connected, found.connects_per_s) == (90, 88, 60.0)
    assert (found.cpu_us_per_call, found.calls_per_s_per_core) == (250.0, 4000)
    assert (found.kb_per_station, found.floor_p50_ms, found.floor_p99_ms) == (21.4, 0.2, 2)
    assert found.stations_per_worker == 20_000
    assert found.reasons == ["it sighed", "it sighed"]


def test_a_call_costs_what_the_busy_run_took_more_than_the_quiet_one() -> None:
    quiet, busy = run(cpu=0.1), run(cpu=0.4)
    quiet.throughput["calls_per_s"] = 500.0
    found = measured(quiet, busy, HERE)
    assert found.cpu_us_per_call == 200.0
    assert found.base_cpu == pytest.approx(0.0, abs=1e-9)
    quiet.generator.cpu = 0.2
    found = measured(quiet, busy, HERE)
    assert found.cpu_us_per_call == 133.3
    assert found.base_cpu == pytest.approx(0.1333, abs=1e-3)
    assert found.calls_per_s_per_core == pytest.approx((1 - 0.1333) / 133.3e-6, rel=0.01)


def test_what_a_run_does_not_show_stays_unknown() -> None:
    found = measured(run(), run(), HERE)
    assert (found.kb_per_station, found.cpu_us_per_call, found.calls_per_s_per_core) == (None, None, None)
