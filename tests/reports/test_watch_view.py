from __future__ import annotations

from pathlib import Path

from evidence.plugin_results import WatchedSeries, WatchResult
from tests.reports.report_builders import page_text, write_load

POINTS = [(float(second), 100.0 + second) for second in range(30)]


def watched(name: str, source: str = "pid 4711", **fields: object) -> WatchedSeries:
    return WatchedSeries(name=name, source=source, points=POINTS, **fields)  # type: ignore[arg-type]  # any field


def test_the_figures_of_the_csms_stand_beside_the_curves_of_the_run(tmp_path: Path) -> None:
    series = [
        watched("queue<depth>", "http://127.0.0.1:9/metrics", mean=3.0, most=7.0),
        watched("rss", unit="MB", mean=115.0, most=129.0, growth=0.26),
    ]
    watch = WatchResult(series=series, problems=["http://127.0.0.1:9/metrics: it does not answer"])
    page = page_text(write_load(tmp_path / "run", watch=watch))
    for text in (
        "What the CSMS says of itself",
        "it does not answer",
        "pid 4711, mean 115 MB, at most 129 MB, from the beginning to the end of the measurement +26.0 %.",
        "queue&lt;depth&gt;",
    ):
        assert text in page, text
    assert page.index("Memory</") < page.index("queue&lt;depth&gt;</")


def test_a_run_that_nobody_watched_has_no_such_section(tmp_path: Path) -> None:
    assert "What the CSMS says of itself" not in page_text(write_load(tmp_path / "run"))


def test_more_figures_than_a_page_holds_are_counted(tmp_path: Path) -> None:
    series = [watched(f"metric_{number}", "http://127.0.0.1:9/metrics", growth=number / 10) for number in range(30)]
    page = page_text(write_load(tmp_path / "run", watch=WatchResult(series=series)))
    assert "6 further figures that changed less" in page
    assert "metric_29" in page
    assert "metric_3<" not in page
