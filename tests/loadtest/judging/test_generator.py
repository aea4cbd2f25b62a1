from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest

from evidence.histogram import Histogram
from evidence.vocabulary import MEASURE
from loadtest.judging.generator import LIMITS, Facts, Limit, WorkerFacts, gather, judge, worker_facts
from loadtest.measuring.sampler import Health, WindowHealth
from loadtest.measuring.worker_state import WorkerState


def worker(name: str = "worker 1", **facts: Any) -> WorkerFacts:
    return WorkerFacts(**{"name": name, "pid": 4711, "stations": 100, "calls": 1000, **facts})


def facts(*workers: WorkerFacts, **known: Any) -> Facts:
    return Facts(**{"workers": list(workers) or [worker()], "calls": 1000, "measured": 900, "seconds": 60.0, **known})


def test_a_calm_run_is_valid() -> None:
    generator = judge(facts(worker(cpu=0.3, lag_ms_p99=1.2)))
    assert (generator.verdict, generator.reasons) == ("VALID", [])
    assert (generator.cpu, generator.lag_ms_p99) == (0.3, 1.2)


BREAKS: list[tuple[str, Facts, Facts | None]] = [
    ("lag_ms_p99", facts(worker(lag_ms_p99=150.0)), facts(worker(lag_ms_p99=30.0))),
    ("longest_stall_ms", facts(worker(longest_stall_ms=2500.0)), facts(worker(longest_stall_ms=700.0))),
    ("cpu", facts(worker(cpu=0.99)), facts(worker(cpu=0.85))),
    ("shortfall", facts(offered=1000, measured=900), facts(offered=1000, measured=980)),
    ("descriptors", facts(worker(descriptors=1.0)), facts(worker(descriptors=0.95))),
    ("ports", facts(ports=0.99), facts(ports=0.9)),
    ("lost_share", facts(worker(complete=False, stations=1, estimated_loss=50), worker("worker 2", stations=99)), None),
    ("lost_stations", facts(worker(complete=False), worker("worker 2")), None),
    ("miscounted", facts(worker(miscounted=1)), None),
    ("duplicates", facts(duplicates=1), None),
    ("errors", facts(worker(errors=1)), None),
    ("errors", facts(errors=1), None),
    ("unmeasured", facts(measured=0), None),
]


@pytest.mark.parametrize(("_", "invalid", "degraded"), BREAKS, ids=[row[0] for row in BREAKS])
def test_a_broken_limit_invalidates_or_degrades_and_says_why(_: str, invalid: Facts, degraded: Facts | None) -> None:
    generator = judge(invalid)
    assert generator.verdict == "INVALID"
    assert generator.reasons
    if degraded is not None:
        generator = judge(degraded)
        assert generator.verdict == "DEGRADED"
        assert len(generator.reasons) == 1


DEGRADES = [
    facts(worker(complete=False, stations=1, estimated_loss=2), worker("worker 2", stations=99)),
    facts(worker(left=True, stations=1), worker("worker 2", stations=99)),
    facts(worker(unended=2)),
    facts(worker(missed=1)),
    facts(worker(fences=1)),
    facts(worker(untraced=1)),
    facts(waiting=3),
    facts(unstarted=0.4),
    facts(cut_short=30.0),
]


@pytest.mark.parametrize("degraded", DEGRADES)
def test_a_flaw_that_leaves_the_figures_usable_degrades(degraded: Facts) -> None:
    assert judge(degraded).verdict == "DEGRADED"


def test_every_row_of_the_table_is_tested() -> None:
    tested = {row[0] for row in BREAKS}
    only_degrade = {limit.fact for limit in LIMITS if limit.invalid is None}
    assert {limit.fact for limit in LIMITS} == tested | only_degrade
    assert len(only_degrade) == len(DEGRADES)


def facts_at(fact: str, value: float) -> Facts:
    """Make facts in which one fact has exactly this value, and all others break nothing."""
    match fact:
        case "lag_ms_p99" | "longest_stall_ms" | "cpu" | "descriptors":
            given: dict[str, Any] = {fact: value}
            return facts(worker(**given))
        case "ports" | "unstarted" | "cut_short":
            return facts(**{fact: value})
        case "shortfall":
            return facts(offered=1000, measured=round(1000 * (1 - value)))
        case "lost_share":
            lost = round(1000 * value)
            return facts(worker(complete=False, stations=0, estimated_loss=lost), worker("worker 2"), calls=1000 - lost)
        case "lost_stations":
            lost = round(100 * value)
            return facts(worker(left=True, stations=lost), worker("worker 2", stations=100 - lost))
    assert value == 0
    return facts()


@pytest.mark.parametrize("limit", [limit for limit in LIMITS if limit.degraded is not None], ids=lambda one: one.fact)
def test_a_value_at_the_limit_does_not_degrade_a_run(limit: Limit) -> None:
    assert limit.degraded is not None
    generator = judge(facts_at(limit.fact, limit.degraded))
    assert (generator.verdict, generator.reasons) == ("VALID", [])


@pytest.mark.parametrize("limit", [limit for limit in LIMITS if limit.invalid is not None], ids=lambda one: one.fact)
def test_a_value_at_the_limit_does_not_make_a_run_invalid(limit: Limit) -> None:
    assert limit.invalid is not None
    assert judge(facts_at(limit.fact, limit.invalid)).verdict != "INVALID"


@pytest.mark.parametrize("limit", [limit for limit in LIMITS if limit.invalid], ids=lambda one: one.fact)
def test_a_value_just_above_the_limit_makes_a_run_invalid(limit: Limit) -> None:
    assert limit.invalid is not None
    assert judge(facts_at(limit.fact, limit.invalid + 0.01)).verdict == "INVALID"


def test_a_worker_that_died_is_named_with_its_loss() -> None:
    generator = judge(facts(worker(complete=False, estimated_loss=321), worker("worker 2", calls=50_000)))
    text = " ".join(generator.reasons)
    assert "Worker 1 (pid 4711, 100 stations, 1000 CALLs counted)" in text
    assert "321 CALLs" in text


def test_an_overloaded_worker_is_told_apart_from_a_starved_one() -> None:
    overloaded = judge(facts(worker(lag_ms_p99=200.0, waited=0.01))).reasons[0]
    starved = judge(facts(worker(lag_ms_p99=200.0, waited=0.6))).reasons[0]
    assert "more workers" in overloaded
    assert "waited for a processor 60% of the time" in starved


def test_the_worst_worker_decides() -> None:
    generator = judge(facts(worker(cpu=0.1), worker("worker 2", cpu=0.99), worker("worker 3", cpu=0.2)))
    assert generator.cpu == 0.99
    assert generator.reasons[0].startswith("Worker 2 used 99% of a processor core")


def test_without_calls_to_judge_an_interrupted_run_is_not_blamed_on_the_generator() -> None:
    assert judge(facts(seconds=None, measured=0)).verdict == "VALID"


def test_details_can_be_written_to_a_file() -> None:
    details = judge(facts(worker(lag_ms_p99=150.0))).details
    assert msgspec.json.decode(msgspec.json.encode(details))["workers"][0]["lag_ms_p99"] == 150.0


def state(name: str, **fields: Any) -> WorkerState:
    return WorkerState(name=name, joined=0.0, heard=10.0, reported=10.0, **fields)


def test_facts_follow_from_the_window_that_is_judged() -> None:
    lag = Histogram()
    lag.record(1_000, 98)
    lag.record(50_000, 2)
    health = Health(
        pid=7,
        windows={
            "ramp": WindowHealth(cpu=9.0, seconds=10.0, longest_stall=5.0),
            MEASURE: WindowHealth(lag=dict(lag.counts), cpu=6.0, waited=1.0, seconds=20.0, longest_stall=0.3, stalls=1),
        },
        rss_idle=50 * 2**20,
        rss=60 * 2**20,
        stations=1000,
        descriptors=900,
        descriptor_limit=1000,
    )
    found = worker_facts(state("w", health=msgspec.to_builtins(health), last=True), now=20.0, interval=1.0)
    assert found.cpu == 0.3
    assert found.waited == 0.05
    assert found.lag_ms_p99 == pytest.approx(50, rel=0.001)
    assert found.longest_stall_ms == 300
    assert found.rss_kb_per_station == pytest.approx(10.24)
    assert found.descriptors == 0.9


def test_memory_of_few_stations_is_not_divided() -> None:
    health = msgspec.to_builtins(Health(pid=7, rss=100, stations=3))
    assert worker_facts(state("w", health=health, last=True), now=20.0, interval=1.0).rss_kb_per_station is None


def test_workers_of_one_machine_share_its_ports() -> None:
    health = {"pid": 1, "ports": 1000}
    states = [
        ("one", state("a", most_stations=300, health=health)),
        ("one", state("b", most_stations=400, health=health)),
    ]
    assert gather(states, now=0.0, interval=1.0).ports == pytest.approx(0.7)
    assert gather(states, now=0.0, interval=1.0, source_addresses=2).ports == pytest.approx(0.35)
    apart = [("one", states[0][1]), ("two", states[1][1])]
    assert gather(apart, now=0.0, interval=1.0).ports == pytest.approx(0.4)


def test_stations_that_share_connections_need_only_their_ports() -> None:
    health = {"pid": 1, "ports": 1000}
    states = [
        ("one", state("a", most_stations=50_000, health=health)),
        ("one", state("b", most_stations=3, health=health)),
    ]
    assert gather(states, now=0.0, interval=1.0, shared_connections=8).ports == pytest.approx(0.011)


def test_the_page_about_degraded_runs_has_the_limits_of_the_code() -> None:
    page = (Path(__file__).parents[3] / "docs" / "slo.md").read_text("utf-8")
    section = page.split("## When a run is DEGRADED or INVALID")[1].split("\n## ")[0]
    rows = [line.split("|")[2:4] for line in section.splitlines() if line.startswith("| ") and "above" not in line]
    told = sorted(tuple(_number(cell) for cell in cells) for cells in rows if "---" not in cells[0])
    graded = [limit for limit in LIMITS if limit.degraded or limit.invalid]
    assert told == sorted((limit.degraded or 0.0, limit.invalid or 0.0) for limit in graded)


def _number(cell: str) -> float:
    number, _, unit = cell.strip().partition(" ")
    return float(number or 0) / (100 if unit == "%" else 1)
