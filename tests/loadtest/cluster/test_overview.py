"""What Locust's page shows of a run is what was merged."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evidence.histogram import Histogram
from evidence.run_folder import read_run
from evidence.run_model import Generator, LoadRun
from evidence.vocabulary import COOL_DOWN, MEASURE, OPENED, RAMP, TO_CSMS
from loadtest.cluster.overview import ActionTotals, ActionView, Overview, overview_of, overview_of_result
from loadtest.judging.moment import Moment, WorkerMoment
from loadtest.measuring.merged import Merged
from loadtest.measuring.recorder import Recorder
from tests.reports.report_builders import write_load


def of_two_workers() -> tuple[Merged, ActionTotals]:
    merged, actions = Merged(), ActionTotals()
    for worker in range(2):
        clock = [100.0]
        recorder = Recorder(clock=lambda clock=clock: clock[0], wall=1000.0)  # type: ignore[misc]  # a default binds it
        recorder.connection(OPENED)
        recorder.connection("refused 503")
        recorder.connected(+1)
        recorder.booted(+1)
        recorder.call("1.6", "BootNotification", TO_CSMS, "accepted", 0.5, 0.5)
        recorder.window(MEASURE)
        clock[0] = 101.0
        for _ in range(50):
            recorder.call("1.6", "Heartbeat", TO_CSMS, "accepted", 0.010, 0.020, at=101.5)
        recorder.call("1.6", "Heartbeat", TO_CSMS, "timeout", None, 0.3 + worker, at=102.5 + worker)
        recorder.call("1.6", "Reset", "csms-to-station", "rejected", 0.001, 0.001, at=101.5)
        recorder.lost("lost", 1006)
        clock[0] = 105.0
        delta = recorder.take(final=True)
        merged.add(delta, 5.0)
        actions.add(delta)
    return merged, actions


def moment(window: str) -> Moment:
    return Moment(
        window=window,
        elapsed=5.04,
        wanted=5,
        connected=2,
        booted=2,
        charging=1,
        workers=[WorkerMoment(name="worker 1"), WorkerMoment(name="worker 2", left=True)],
        generator=Generator(verdict="DEGRADED", reasons=["Why."]),
    )


def test_actions_of_all_workers_are_one_row_with_both_latencies() -> None:
    view = overview_of(moment(MEASURE), *of_two_workers())
    heartbeat, reset = view.actions
    assert heartbeat == ActionView(
        action="Heartbeat",
        ocpp="1.6",
        direction=TO_CSMS,
        calls=102,
        failed=2,
        outcomes={"accepted": 100, "timeout": 2},
        service_p50=heartbeat.service_p50,
        service_p99=heartbeat.service_p99,
        response_p50=heartbeat.response_p50,
        response_p99=heartbeat.response_p99,
    )
    assert heartbeat.service_p99 == pytest.approx(10, rel=0.01)
    assert heartbeat.response_p50 == pytest.approx(20, rel=0.01)
    assert heartbeat.response_p99 == pytest.approx(300, rel=0.01)
    assert (reset.action, reset.failed) == ("Reset", 0)


def test_the_fleet_and_the_generator_are_those_of_the_moment() -> None:
    view = overview_of(moment(MEASURE), *of_two_workers())
    assert (view.wanted, view.connected, view.booted, view.charging, view.offline) == (5, 2, 2, 1, 3)
    assert (view.generator, view.reasons, view.workers) == ("DEGRADED", ["Why."], 1)
    assert (view.lost, view.refusals) == (2, {"refused 503": 2})
    assert sum(second.connects for second in view.seconds) == 2
    assert sum(second.calls for second in view.seconds) == 106


def test_the_calls_are_those_of_the_window_and_at_the_end_those_that_are_judged() -> None:
    seen = of_two_workers()
    assert [one.action for one in overview_of(moment(RAMP), *seen).actions] == ["BootNotification"]
    assert overview_of(moment(COOL_DOWN), *seen).shown == MEASURE
    assert [one.action for one in overview_of(moment(COOL_DOWN), *seen).actions] == ["Heartbeat", "Reset"]


def test_a_run_that_is_over_shows_its_result(tmp_path: Path) -> None:
    run = read_run(write_load(tmp_path / "run"))
    assert isinstance(run, LoadRun)
    view = overview_of_result(run)
    assert (view.window, view.verdict, view.generator) == ("", str(run.verdict), run.generator.verdict)
    assert [(one.action, one.calls) for one in view.actions] == [(one.action, one.count) for one in run.actions]
    assert Overview().verdict == ""


@given(st.lists(st.floats(0.00001, 60.0), min_size=1, max_size=300))
def test_percentiles_of_the_page_are_those_of_the_report_to_a_hundredth(values: list[float]) -> None:
    recorder, exact, actions = Recorder(), Histogram(), ActionTotals()
    for value in values:
        recorder.call("1.6", "Heartbeat", TO_CSMS, "accepted", value, value)
        exact.record(int(value * 1e6 + 0.5))
    for window in (delta := recorder.take(final=True))["windows"]:
        actions.add(delta)
        (row,) = actions.rows(window)
        for shown, percentile in ((row.response_p50, 50), (row.service_p99, 99)):
            assert shown == pytest.approx(exact.percentile(percentile) / 1000, rel=0.01, abs=0.001)
