from __future__ import annotations

import re
from pathlib import Path

from evidence.plugin_results import StormResult
from evidence.run_folder import read_run
from evidence.run_model import LoadRun
from reports.charts import Mark, Period, Series, time_chart
from reports.load_view import view_load
from tests.reports.report_builders import page_text, write_load


def figures(folder: Path) -> dict[str, str]:
    run = read_run(folder)
    assert isinstance(run, LoadRun)
    view = view_load(folder, run, prefix="r", name="run")
    return {figure.title: f"{figure.says} {figure.svg}" for figure in view.latency_figures}


def test_a_stall_in_the_middle_of_a_run_is_seen_in_the_latency_of_every_frequent_action(tmp_path: Path) -> None:
    """The stations of the builder wait eight times as long in the second 15 of 30."""
    found = figures(write_load(tmp_path / "run"))
    assert len(found) >= 4
    told = [re.search(r"the highest response p99 is .*, (\d+) s after the start", text) for text in found.values()]
    assert {match[1] for match in told if match} == {"15"}
    assert all(f"response {percentile}" in text for text in found.values() for percentile in ("p50", "p95", "p99"))
    assert all("service p99" in text for text in found.values())


def test_storms_are_marked_on_every_chart_over_time(tmp_path: Path) -> None:
    folder = write_load(tmp_path / "run", storms=[StormResult(storm="lb-drain<", at=12.0)])
    found = figures(folder)
    assert all("lb-drain&lt;, 12 s after the start" in text for text in found.values())
    assert page_text(folder).count("lb-drain&lt;, 12 s after the start") >= len(found) + 2


def test_the_goodbye_of_all_stations_does_not_squash_the_scale() -> None:
    points = tuple((float(second), 10.0 if second < 30 else 9000.0) for second in range(32))
    periods = [Period("measure", 0.0, 30.0), Period("cool-down", 30.0, 32.0)]
    chart = time_chart("Calls", "", [Series("calls", "s1", points)], unit="", periods=periods)
    labels = re.findall(r'class="tick"[^>]*>([\d,.]+)<', str(chart.svg))
    assert "9,000" not in labels
    assert "10" in labels
    assert ("31 s", "9,000") in chart.table.rows


def test_a_mark_outside_of_the_axis_is_not_drawn() -> None:
    points = tuple((float(second), 1.0) for second in range(10))
    chart = time_chart("Calls", "", [Series("calls", "s1", points)], unit="", marks=[Mark("late", 60.0)])
    assert "late" not in str(chart.svg)


def test_windows_of_a_run_without_histograms_have_no_such_charts(tmp_path: Path) -> None:
    folder = write_load(tmp_path / "run", histograms=False)
    assert figures(folder) == {}
    assert "Latency over time" not in page_text(folder)
