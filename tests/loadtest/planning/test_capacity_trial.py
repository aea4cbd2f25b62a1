"""From a finished run to one trial of a search."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from evidence.capacity_model import Trial
from evidence.histogram import Histogram, Interval, Tag, write_hlog
from evidence.plugin_results import ChargingResult, KpiResult
from evidence.run_model import CallStats as Calls
from evidence.run_model import Generator, LoadRun, Percentiles, RunTarget, SloResult, Stations, WindowResult
from evidence.verdicts import RunVerdict
from loadtest.judging.slo import threshold
from loadtest.planning.capacity_trial import MOST_STRAIN, flows_in, queue_grows, strain, trial_of, with_booted


@pytest.mark.parametrize(
    ("line", "value", "passed", "used"),
    [
        ("response p99 < 500 ms", 250.0, True, 0.5),
        ("response p99 < 500 ms", 1000.0, False, 2.0),
        ("throughput >= 100 /s", 50.0, False, 2.0),
        ("throughput >= 100 /s", 200.0, True, 0.5),
        ("stations booted >= 99 %", 100.0, True, 0.0),
        ("stations booted >= 99 %", 98.0, False, 2.0),
        ("stations booted >= 100 %", 100.0, True, 0.0),
        ("stations booted >= 100 %", 98.0, False, MOST_STRAIN),
        ("timeout == 0", 0.0, True, 0.0),
        ("timeout == 0", 3.0, False, MOST_STRAIN),
        ("timeout <= 0", 3.0, False, MOST_STRAIN),
        ("errors < 1 %", 99.0, False, MOST_STRAIN),
        ("errors < 1 %", None, False, MOST_STRAIN),
    ],
)
def test_strain_tells_how_far_an_objective_is_used_up(
    line: str, value: float | None, *, passed: bool, used: float
) -> None:
    assert strain(threshold(line), SloResult(expr=line, value=value, passed=passed)) == used


def run(verdict: str, *results: SloResult, **fields: Any) -> LoadRun:
    latency = Percentiles(p50=1, p90=2, p99=30, p999=4, max=5)
    call = Calls(
        ocpp="1.6", action="Authorize", direction="station-to-csms", outcome="accepted", count=9, response_ms=latency
    )
    generator: Any = Generator(verdict=verdict, reasons=["it lagged"] if verdict != "VALID" else [])  # type: ignore[arg-type]  # a table of words
    defaults: dict[str, Any] = {
        "tool": {},
        "target": RunTarget(url="ws://127.0.0.1", ocpp=["1.6"]),
        "started": "",
        "finished": "",
        "seed": 1,
        "environment": {},
        "verdict": RunVerdict.PASSED,
        "stations": Stations(requested=9, connected_peak=9, booted=9, lost=0),
        "calls": [call],
        "throughput": {"calls_per_s": 4.5},
        "generator": generator,
        "slo": list(results),
    }
    return LoadRun(**(defaults | fields))


def test_a_trial_is_what_a_run_says() -> None:
    one = threshold("response p99 < 20 ms")
    missed = SloResult(expr=one.text, value=30.0, passed=False, unit="ms")
    trial = trial_of(run("VALID", missed), [one], 9, "step-01")
    assert trial == Trial(
        stations=9,
        word="missed",
        missed=["response p99 < 20 ms (measured 30 ms)"],
        seed=1,
        strain=1.5,
        calls_per_s=4.5,
        p50_ms=1.0,
        p99_ms=30.0,
        folder="step-01",
    )


@pytest.mark.parametrize("verdict", ["DEGRADED", "INVALID"])
def test_a_strained_generator_says_nothing_about_the_csms(verdict: str) -> None:
    one = threshold("response p99 < 20 ms")
    kept = SloResult(expr=one.text, value=3.0, passed=True, unit="ms")
    assert trial_of(run(verdict, kept), [one], 9).word == "generator"


def test_objectives_may_speak_of_booted_stations_themselves() -> None:
    assert with_booted([threshold("errors == 0"), threshold("stations booted >= 50 %")])
    assert not with_booted([threshold("stations lost == 0")])


LATE = ["lag_ms_p99"]


def late(broken: list[str] = LATE, worker: dict[str, float] | None = None) -> Any:
    return Generator(
        verdict="DEGRADED",
        reasons=["Timers ran late."],
        lag_ms_p99=30.0,
        broken=broken,
        details={"workers": [worker or {}]},
    )


@pytest.mark.parametrize(
    ("value", "broken", "word"),
    [
        (15.0, LATE, "kept"),
        (15.0, ["lag_ms_p99", "longest_stall_ms"], "kept"),
        (70.0, LATE, "generator"),
        (90.0, LATE, "missed"),
        (15.0, ["shortfall"], "generator"),
        (900.0, ["lag_ms_p99", "left"], "generator"),
    ],
)
def test_late_timers_hide_only_what_their_lateness_explains(value: float, broken: list[str], word: str) -> None:
    """A p99 of 20 ms is asked for, and timers that run 30 ms late may add 60 ms."""
    one = threshold("response p99 < 20 ms")
    result = SloResult(expr=one.text, value=value, passed=value < 20, unit="ms")
    trial = trial_of(run("VALID", result, generator=late(broken)), [one], 9)
    assert trial.word == word
    assert bool(trial.notes) == (word != "generator")


@pytest.mark.parametrize(
    ("worker", "starved"),
    [
        ({"waited": 0.05, "cpu": 0.03, "busiest": 0.1}, True),
        ({"waited": 0.0, "stolen": 0.2, "cpu": 0.03, "busiest": 0.1}, True),
        ({"waited": 0.05, "cpu": 0.7, "busiest": 0.9}, False),
        ({"waited": 0.001, "stolen": 0.0, "cpu": 0.03, "busiest": 0.1}, False),
    ],
)
def test_a_generator_without_a_processor_is_told_apart_from_a_busy_one(
    worker: dict[str, float], *, starved: bool
) -> None:
    assert trial_of(run("VALID", generator=late(worker=worker)), [], 9).starved is starved


def waiting(values: list[float], calls: float = 50.0) -> list[dict[str, float]]:
    return [{"t": float(t), "waiting": float(value), "calls": calls} for t, value in enumerate(values)]


@pytest.mark.parametrize(
    ("values", "grows"),
    [
        ([10 + 2 * t for t in range(30)], True),
        ([10 + 2 * t + (t % 5) for t in range(30)], True),
        ([40] * 30, False),
        ([40 + 5 * (t % 7) for t in range(30)], False),
        ([200 if 12 <= t < 16 else 5 for t in range(30)], False),
        ([60 - 2 * t for t in range(30)], False),
        ([t % 3 for t in range(30)], False),
        ([10 + 2 * t for t in range(6)], False),
    ],
)
def test_a_queue_grows_when_every_third_has_more_of_it(values: list[float], *, grows: bool) -> None:
    assert (queue_grows(waiting(values), 50.0) is not None) is grows


def measured(rows: list[dict[str, float]], **fields: Any) -> dict[str, Any]:
    window = WindowResult(name="measure", start=0.0, seconds=float(len(rows)), calls=[])
    return {"windows": [window], "timeline": rows, "throughput": {"calls_per_s": 5.0, "measured_s": 30.0}, **fields}


def test_a_queue_that_still_grows_at_the_end_is_not_held_though_every_objective_is_kept() -> None:
    one = threshold("response p99 < 20 ms")
    kept = SloResult(expr=one.text, value=3.0, passed=True, unit="ms")
    rows = waiting([5 + 3.0 * t for t in range(30)])
    trial = trial_of(run("VALID", kept, **measured(rows)), [one], 9)
    assert trial.word == "missed"
    assert "a queue that does not grow (it grew by" in trial.missed[0]


@pytest.mark.parametrize(("attempts", "word"), [(1500, "kept"), (1450, "kept"), (1200, "missed")])
def test_a_rate_that_was_not_reached_is_not_held(attempts: int, word: str) -> None:
    """50 sessions a second are asked for, for 30 s."""
    kpis = KpiResult(charging=ChargingResult(attempts=attempts - 100, succeeded=9, cut_short=100))
    rows = waiting([3.0] * 30)
    trial = trial_of(run("VALID", **measured(rows, kpis=kpis)), [], 100, rate=50.0)
    assert (trial.word, trial.rate, trial.achieved) == (word, 50.0, attempts / 30)


def test_flows_are_read_from_the_histograms_of_a_run_folder(tmp_path: Path) -> None:
    """The CSMS answers ten StartTransactions a second, each slice more slowly than the one before."""
    (tmp_path / "histograms").mkdir()
    intervals = []
    for number in range(6):
        histogram = Histogram()
        for _ in range(50):
            histogram.record((number + 1) * 100_000)
        tag = str(Tag("1.6", "StartTransaction", "station-to-csms", "accepted", "service"))
        intervals.append(Interval(tag, number * 5.0, 5.0, histogram))
    write_hlog(tmp_path / "histograms" / "measure.hlog", intervals, started=1_772_442_000.0)
    window = WindowResult(name="measure", start=4.0, seconds=26.0, calls=[])
    (flow,) = flows_in(tmp_path, run("VALID", windows=[window]))
    assert (flow.action, flow.per_s) == ("StartTransaction", 10.0)
    assert flow.queue_first == pytest.approx(10 * 0.2, rel=0.01)
    assert flow.queue_last == pytest.approx(10 * 0.6, rel=0.01)
    assert flow.service_ms == pytest.approx(400, rel=0.01)
