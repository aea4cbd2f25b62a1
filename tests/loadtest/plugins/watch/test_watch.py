"""The CSMS's own figures: processes, pages of metrics, growth, objectives."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import msgspec
import pytest

from evidence.plugin_results import WatchResult
from evidence.vocabulary import COOL_DOWN, MEASURE, RAMP
from loadtest.judging.slo import Figures, judge, threshold
from loadtest.locust_edge.request import LoadRequest
from loadtest.locust_edge.run_settings import settings_of
from loadtest.plugins.contract import Conclusion, RunAccess
from loadtest.plugins.quantities import QUANTITIES
from loadtest.plugins.watch.contract import Gone, Reading
from loadtest.plugins.watch.metrics_page import MOST_SERIES, MetricsPage
from loadtest.plugins.watch.plugin import WatchPlugin
from loadtest.plugins.watch.processes import ProcessTree
from loadtest.plugins.watch.prometheus import parse_metrics, select
from loadtest.plugins.watch.series import Series, growth, quantities_of
from ocppj.errors import UsageError
from ocppj.versions import Version

PAGE = """\
# HELP process_open_fds Number of open file descriptors.
# TYPE process_open_fds gauge
process_open_fds 42.0
# TYPE http_requests_total counter
http_requests_total{method="GET",path="/a \\"b\\" {c}"} 1027 1395066363000
http_requests_total{method="POST"} 3
# TYPE took_seconds histogram
took_seconds_bucket{le="0.1"} 5
took_seconds_bucket{le="+Inf"} 7
took_seconds_sum 12.5
took_seconds_count 7
queue_depth 9
broken NaN
not a metric at all
"""


def test_a_page_of_metrics_is_read_as_prometheus_writes_it() -> None:
    found = {one.series: one for one in parse_metrics(PAGE)}
    assert found["process_open_fds"].value == 42
    assert not found["process_open_fds"].is_counter
    assert found['http_requests_total{method="POST"}'].is_counter
    assert found['http_requests_total{method="GET",path="/a \\"b\\" {c}"}'].value == 1027
    assert found["queue_depth"].is_plain
    assert not found["took_seconds_sum"].is_plain
    assert "broken" not in found


def test_gauges_and_counters_are_taken_unless_series_are_named() -> None:
    metrics = parse_metrics(PAGE)
    names = {one.name for one in select(metrics, [], 40)[0]}
    assert names == {"process_open_fds", "http_requests_total", "queue_depth"}
    assert {one.name for one in select(metrics, ["took_*", "queue_depth"], 40)[0]} == {
        "took_seconds_bucket",
        "took_seconds_sum",
        "took_seconds_count",
        "queue_depth",
    }
    kept, left_out = select(metrics, [], 3)
    assert (len(kept), left_out) == (3, 1)


def test_growth_compares_the_end_with_the_beginning() -> None:
    assert growth([100.0] * 50) == 0
    assert growth([float(value) for value in range(100, 200)]) == pytest.approx(80 / 109.5, rel=1e-4)
    assert growth([200.0] * 20 + [100.0] * 20) == -0.5
    assert growth([1.0] * 9) is None
    assert growth([0.0] * 20) is None


def series(name: str, values: list[float], unit: str = "", *, is_counter: bool = False) -> Series:
    made = Series("pid 7", Reading(name=name, value=0.0, unit=unit, is_counter=is_counter))
    for second, value in enumerate(values):
        made.add(float(second), value)
    return made


def test_a_counter_is_shown_as_its_rise_in_a_second_and_survives_a_restart() -> None:
    made = series("requests_total", [0.0, 10.0, 30.0, 5.0, 15.0], is_counter=True)
    assert made.points == [(1.0, 10.0), (2.0, 20.0), (3.0, 5.0), (4.0, 10.0)]
    assert made.unit == "/s"


def test_a_series_of_a_long_run_stays_bounded_and_keeps_its_beginning() -> None:
    made = series("rss", [float(second) for second in range(10_000)], "MB")
    assert len(made.points) <= 901
    assert made.points[0][0] < 20
    assert made.points[-1][0] > 9900


@pytest.mark.parametrize(
    ("line", "value", "passed"),
    [
        ("watch rss growth < 20 %", 40.0, False),
        ("watch rss-growth < 50 %", 40.0, True),
        ("watch rss-max < 1 GB", 0.146484, True),
        ("watch rss-max < 100 MB", 150.0, False),
        ("watch cpu mean < 70 %", 50.0, True),
        ("watch db_pool_in_use max <= 9", 10.0, False),
        ("watch absent_metric growth < 20 %", None, False),
    ],
)
def test_objectives_are_held_against_growth_mean_and_maximum(line: str, value: float | None, *, passed: bool) -> None:
    found = quantities_of(
        [
            series("rss", [100.0] * 10 + [140.0] * 8 + [150.0] + [130.0], "MB"),
            series("cpu", [50.0] * 20, "%"),
            series('db_pool_in_use{db="a"}', [4.0] * 20),
            series('db_pool_in_use{db="b"}', [10.0] * 20),
        ],
        None,
        None,
    )
    figures = Figures(
        window=lambda _: {}, seconds={}, requested=1, connected=1, booted=1, lost=0, calls=1, faults={}, connections={},
        plugins={f"watch {name}": pair for name, pair in found.items()},
    )  # fmt: skip
    (result,) = judge([threshold(line, quantities=QUANTITIES)], figures)
    assert (result.value, result.passed) == (value, passed)


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        ("watch rss growth < 20", "needs a unit"),
        ("watch rss smells < 20 %", "takes one word"),
        ("watch < 20 %", "takes one word"),
        ("ledger rss growth < 20 %", "takes one word"),
    ],
)
def test_what_nobody_watches_is_refused(line: str, complaint: str) -> None:
    with pytest.raises(UsageError, match=complaint):
        threshold(line, quantities=QUANTITIES)


class Fake:
    """A source whose answers are given."""

    source = "pid 7"

    def __init__(self, answers: list[list[Reading] | Gone]) -> None:
        self.answers = answers

    def sample(self) -> list[Reading]:
        answer = self.answers.pop(0)
        if isinstance(answer, Gone):
            raise answer
        return answer


def watched(answers: list[Any], windows: list[str]) -> Conclusion:
    plugin = WatchPlugin([Fake(answers)], spawn=lambda job: job())
    now = 0.0
    access: Any = RunAccess(order=lambda _: None, folder=Path(), url="", stations=1, started=0.0, clock=lambda: now)
    plugin.begin(access)
    for window in windows:
        now += 1.0
        plugin.beat(now, window)
    plugin.stopping()
    return plugin.conclude()


def test_only_the_window_measure_counts_for_growth() -> None:
    values = [1000.0] * 5 + [100.0] * 10 + [110.0] * 10 + [5000.0] * 3
    windows = [RAMP] * 5 + [MEASURE] * 20 + [COOL_DOWN] * 3
    found = watched([[Reading(name="rss", value=value, unit="MB")] for value in values], windows)
    (one,) = msgspec.convert(found.fields["watch"], WatchResult).series
    assert one.growth == pytest.approx(0.1, abs=0.001)
    assert len(one.points) == 28
    assert found.quantities["rss-growth"][0] == one.growth


def test_a_source_that_goes_away_is_named_with_the_second_and_asked_again() -> None:
    reading = [Reading(name="rss", value=5.0, unit="MB")]
    found = watched([reading, Gone("it does not answer"), Gone("it is still gone"), reading], [MEASURE] * 4)
    result = msgspec.convert(found.fields["watch"], WatchResult)
    assert result.problems == ["pid 7: it does not answer, 2 s after the start"]
    assert [at for at, _ in result.series[0].points] == [1.0, 4.0]


def test_a_source_that_does_not_answer_is_not_asked_twice_at_once() -> None:
    jobs: list[Callable[[], None]] = []
    plugin = WatchPlugin([Fake([])], spawn=jobs.append)
    plugin.beat(1.0, MEASURE)
    plugin.beat(2.0, MEASURE)
    assert len(jobs) == 1


def test_a_process_is_watched_with_its_children() -> None:
    child = "import sys; f = [open('/dev/null') for _ in range(50)]; print('up', flush=True); sys.stdin.read()"
    code = (
        "import subprocess, sys; "
        f"c = subprocess.Popen([sys.executable, '-c', {child!r}], stdin=sys.stdin, stdout=sys.stdout); c.wait()"
    )
    process = subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == b"up\n"
        tree = ProcessTree(process.pid)
        first = {one.name: one.value for one in tree.sample()}
        assert first["fds"] > 50
        assert first["threads"] >= 2
        assert first["rss"] > 1
        assert "cpu" not in first
        second = {one.name: one for one in tree.sample()}
        assert second["cpu"].value >= 0
    finally:
        process.communicate(b"")
    with pytest.raises(Gone):
        tree.sample()


def test_a_process_that_is_not_there_is_one_line() -> None:
    with pytest.raises(UsageError, match="--watch-pid 999999999: there is no such process"):
        ProcessTree(999_999_999)


@pytest.fixture
def page() -> Iterator[tuple[str, dict[str, Any]]]:
    """A page of metrics on loopback: its address, and what it says."""
    says: dict[str, Any] = {"status": 200, "text": PAGE}

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = says["text"].encode()
            self.send_response(says["status"])
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - a name of the library
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://user:secret@127.0.0.1:{server.server_address[1]}/metrics", says
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_a_page_is_asked_over_http_and_named_without_its_password(page: tuple[str, dict[str, Any]]) -> None:
    url, says = page
    source = MetricsPage(url)
    assert "secret" not in source.source
    assert {one.name for one in source.sample()} >= {"process_open_fds", "queue_depth"}
    says["status"] = 503
    with pytest.raises(Gone, match="HTTP 503"):
        source.sample()


def test_a_page_with_too_many_series_is_cut_and_says_so(page: tuple[str, dict[str, Any]]) -> None:
    url, says = page
    says["text"] = "".join(f"metric_{number} 1\n" for number in range(MOST_SERIES + 5))
    source = MetricsPage(url)
    assert (len(source.sample()), source.left_out) == (MOST_SERIES, 5)


def test_mistakes_are_found_before_the_run(page: tuple[str, dict[str, Any]]) -> None:
    url, says = page
    with pytest.raises(UsageError, match="has no nothing_like_it"):
        MetricsPage(url, ["nothing_like_it"])
    says["status"] = 404
    with pytest.raises(UsageError, match="gives no metrics: it answers with HTTP 404"):
        MetricsPage(url)
    with pytest.raises(UsageError, match="is not an address"):
        MetricsPage("127.0.0.1:9/metrics")


def test_a_run_watches_what_it_is_asked_to(page: tuple[str, dict[str, Any]]) -> None:
    url, _ = page
    request = LoadRequest(
        url="ws://127.0.0.1:1/x", stations=1, seed=1, watch_pids=(os.getpid(),), watch_urls=(url,), duration=9
    )
    plugins = settings_of(request, [Version.V16]).plugins
    assert [plugin.name for plugin in plugins].count("watch") == 1
    with pytest.raises(UsageError, match="--watch-series names metrics of a page"):
        settings_of(msgspec.structs.replace(request, watch_urls=(), watch_series=("up",)), [Version.V16])
