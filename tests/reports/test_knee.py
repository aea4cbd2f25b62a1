from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evidence.run_model import StageResult
from reports.knee import LoadPoint, find_knee, view_knee
from tests.reports.report_builders import page_text, write_load


def points(limit: float, *, most: int = 200, calm_ms: float = 5.0, queue_ms: float = 40.0) -> list[LoadPoint]:
    """A CSMS that answers one call a second for each station, up to a limit; beyond it, calls wait."""
    return [
        LoadPoint(
            load=float(load),
            per_s=min(float(load), limit),
            latency_ms=calm_ms + load % 3 + queue_ms * max(load - limit, 0.0),
        )
        for load in range(5, most + 1, 5)
    ]


@given(st.integers(60, 180))
def test_the_knee_is_where_more_stations_bring_no_more_calls(limit: int) -> None:
    knee = find_knee(points(limit))
    assert knee is not None
    assert limit - 13 <= knee.load <= limit + 26
    assert knee.is_flat
    assert knee.per_s == pytest.approx(limit, rel=0.1)


def test_a_csms_that_keeps_up_has_no_knee() -> None:
    assert find_knee(points(1000.0)) is None
    said = view_knee(points(1000.0), unit="stations", latency="response p95").says
    assert said.startswith("No knee was seen up to ")


def test_one_slow_moment_on_the_way_is_no_knee() -> None:
    odd = [
        LoadPoint(load=one.load, per_s=one.per_s, latency_ms=900.0 if one.load == 95 else one.latency_ms)
        for one in points(1000.0)
    ]
    assert find_knee(odd) is None


def test_calls_that_wait_while_the_throughput_still_grows_are_a_knee_that_is_not_flat() -> None:
    slow = [
        LoadPoint(load=float(load), per_s=float(load), latency_ms=5.0 if load < 100 else 200.0)
        for load in range(5, 201, 5)
    ]
    knee = find_knee(slow)
    assert knee is not None
    assert not knee.is_flat
    assert 88 <= knee.load <= 113


def test_too_few_loads_show_nothing() -> None:
    few = [LoadPoint(load=float(load), per_s=1.0, latency_ms=load * 100.0) for load in (10, 100, 200)]
    assert find_knee(few) is None
    assert "too few" in view_knee(few, unit="stations", latency="response p95").says
    assert find_knee([]) is None


def test_both_charts_mark_the_knee_and_count_in_the_unit_of_the_load() -> None:
    view = view_knee(points(100.0), unit="sessions/s", latency="slowest p99")
    assert "The knee is near 1" in view.says
    assert "the throughput stays near 100 calls per second" in view.says
    throughput, latency = view.figures
    for figure in (throughput, latency):
        assert "knee" in figure.svg
        assert figure.table.columns[0] == "sessions/s"
    assert latency.table.columns[1] == "slowest p99"


def test_a_run_with_stages_has_the_charts_and_every_other_run_has_none(tmp_path: Path) -> None:
    stages = [
        StageResult(
            name="to 200", at=0.0, seconds=30.0, connected_peak=200, booted_peak=200, calls_per_s=1.0, failed_per_s=0.0,
            waiting_most=3,
        )
    ]  # fmt: skip
    with_stages = page_text(write_load(tmp_path / "staged", stages=stages))
    for words in ("The knee", "No knee was seen up to", "Throughput against load", "Latency against load"):
        assert words in with_stages, words
    assert "Throughput against load" not in page_text(write_load(tmp_path / "plain"))
