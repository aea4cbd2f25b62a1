"""A real run with everything in it, as Prometheus, a collector of OpenTelemetry and the dashboard see it."""

from __future__ import annotations

import contextlib
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import requests
import yaml
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from prometheus_client.parser import text_string_to_metric_families

from evidence.run_folder import read_run
from evidence.run_model import LoadRun
from fixtures.csms import spawn_practice_csms
from loadtest.plugins.metrics.families import FAMILIES
from plugstorm.load_command import free_port
from tests.deploy.dashboard import metrics_of, queries
from tests.loadtest.plugins.metrics.receiver import receiver

pytestmark = pytest.mark.timeout(900)

# With a second answer to each Heartbeat, messages that arrive twice, connections that others end, and commands: so no
# metric is without a series.
PROFILE = """
title: Everything that metrics show
models: {ac-single: 1, dc-150: 1}
heartbeat: 3
meter: 3
sessions: {duration: [8, 15], gap: [2, 4]}
impair:
  - {direction: to-csms, actions: [MeterValues], duplicates: 20%, jitter: 5ms}
"""
# Stations know no vendor, so the second one is rejected.
COMMANDS = """
- {action: trigger-status, rate: 5/s}
- {action: DataTransfer, rate: 5/s, payload: {vendorId: com.example}}
"""
STATIONS = 60


class Seen(NamedTuple):
    run: LoadRun
    said: str
    page: str
    """What `/metrics` held when the run had everything."""
    prometheus: str | None
    """URL of a Prometheus that scraped, and was pushed to."""
    began: float
    ended: float
    otlp: list[ExportMetricsServiceRequest]


@pytest.fixture(scope="module")
def prometheus(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str | None, int]]:
    """Start a Prometheus that scrapes a port; gives its URL (None where none is installed) and that port."""
    program, port, own = shutil.which("prometheus"), free_port(), free_port()
    if program is None:
        yield None, port
        return
    folder = tmp_path_factory.mktemp("prometheus")
    job = {"job_name": "scraped", "static_configs": [{"targets": [f"127.0.0.1:{port}"]}]}
    config = {"global": {"scrape_interval": "1s"}, "scrape_configs": [job]}
    (folder / "prometheus.yaml").write_text(yaml.safe_dump(config))
    words = [program, f"--config.file={folder}/prometheus.yaml", f"--storage.tsdb.path={folder}/data"]
    words += [f"--web.listen-address=127.0.0.1:{own}", "--web.enable-remote-write-receiver", "--log.level=error"]
    with (folder / "log").open("w") as log, subprocess.Popen(words, stdout=log, stderr=log) as process:
        url = f"http://127.0.0.1:{own}"
        try:
            while not is_ready(url):
                assert process.poll() is None, (folder / "log").read_text()
                time.sleep(0.1)
            yield url, port
        finally:
            process.terminate()


def is_ready(url: str) -> bool:
    try:
        return requests.get(f"{url}/-/ready", timeout=5).ok
    except requests.RequestException:
        return False


@pytest.fixture(scope="module")
def seen(prometheus: tuple[str | None, int], tmp_path_factory: pytest.TempPathFactory) -> Seen:
    """Run stations with storms, commands and faults until every metric has been on the page."""
    url, port = prometheus
    folder = tmp_path_factory.mktemp("run")
    (folder / "profile.yaml").write_text(PROFILE)
    (folder / "commands.yaml").write_text(COMMANDS)
    began = time.time()
    with spawn_practice_csms(defects=["answer-twice"]) as csms, receiver() as collector:
        words = [
            str(Path(sys.prefix) / "bin" / "plugstorm"),
            "load",
            "--url",
            csms.url,
            "--control-url",
            csms.control_url,
        ]
        words += ["--stations", str(STATIONS), "--duration", "40s", "--out", "run"]
        words += ["--ocpp", "1.6", "--ocpp", "2.0.1", "--profile", "profile.yaml", "--commands", "commands.yaml"]
        words += ["--storm", "twins@2s,lasts=4s,every=2s", "--metrics", str(port), "--metrics-label", "testid=whole"]
        words += ["--otlp"] + (["--remote-write", f"{url}/api/v1/write"] if url else [])
        with subprocess.Popen(
            words,
            cwd=folder,
            env={"PATH": "/usr/bin:/bin", "OTEL_EXPORTER_OTLP_ENDPOINT": collector.url, "OTEL_SERVICE_NAME": "whole"},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        ) as process:
            page = fullest_page(f"http://127.0.0.1:{port}/metrics", process)
            said, _ = process.communicate(timeout=600)
        pushed = [message_of(one.body) for one in collector.pushed]
    run = read_run(folder / "run")
    assert isinstance(run, LoadRun), said
    return Seen(run, said, page, url, began, time.time(), pushed)


def fullest_page(url: str, process: subprocess.Popen[str]) -> str:
    """Fetch the page until every metric is there, or the run is over."""
    page = ""
    while process.poll() is None:
        with contextlib.suppress(requests.RequestException):
            page = requests.get(url, timeout=10).text
        if all(f"# TYPE {family.name} " in page for family in FAMILIES):
            break
        time.sleep(0.5)
    return page


def message_of(body: bytes) -> ExportMetricsServiceRequest:
    message = ExportMetricsServiceRequest()
    message.ParseFromString(body)
    return message


def ask(seen: Seen, path: str, **given: Any) -> Any:
    if seen.prometheus is None:
        pytest.skip("prometheus is not installed here (Debian has a package of this name)")
    answer = requests.get(f"{seen.prometheus}/api/v1/{path}", params=given, timeout=30).json()
    assert answer["status"] == "success", answer
    return answer["data"]["result"]


def test_a_real_run_exposes_every_metric_of_the_table(seen: Seen) -> None:
    exposed = {family.name for family in text_string_to_metric_families(seen.page)}
    wanted = {family.name.removesuffix("_total") if family.kind == "counter" else family.name for family in FAMILIES}
    assert wanted - exposed == set(), seen.said


def test_no_label_holds_the_identity_of_a_station(seen: Seen) -> None:
    values = {
        value
        for family in text_string_to_metric_families(seen.page)
        for sample in family.samples
        for value in sample.labels.values()
    }
    assert "Heartbeat" in values
    assert [value for value in values if value.startswith("PS0")] == []


def test_every_query_of_the_dashboard_names_a_metric_that_the_run_exposes(seen: Seen) -> None:
    exposed = {sample.name for family in text_string_to_metric_families(seen.page) for sample in family.samples}
    assert {name: lacking for name, expr in queries().items() if (lacking := metrics_of(expr) - exposed)} == {}


@pytest.mark.parametrize("name", queries())
def test_every_query_of_the_dashboard_gives_data_in_prometheus(seen: Seen, name: str) -> None:
    found = ask(seen, "query_range", query=queries()[name], start=seen.began, end=seen.ended, step=1)
    assert [series for series in found if series["values"]], queries()[name]


def test_prometheus_scraped_the_fleet_as_it_was(seen: Seen) -> None:
    (most,) = ask(
        seen, "query", query='max_over_time(plugstorm_stations_connected{job="scraped"}[30m])', time=seen.ended + 1
    )
    assert float(most["value"][1]) == seen.run.stations.connected_peak == STATIONS
    assert most["metric"]["testid"] == "whole"


def test_what_was_pushed_at_the_end_is_what_run_json_holds_to_the_unit(seen: Seen) -> None:
    calls = 'sum by (direction) (last_over_time(plugstorm_call_response_seconds_count{job="plugstorm"}[30m]))'
    counts = {
        one["metric"]["direction"]: float(one["value"][1])
        for one in ask(seen, "query", query=calls, time=seen.ended + 1)
    }
    wanted: dict[str, float] = {}
    for window in seen.run.windows:
        for call in window.calls:
            wanted[call.direction] = wanted.get(call.direction, 0.0) + call.count
    assert counts == wanted


def test_opentelemetry_got_the_same_calls(seen: Seen) -> None:
    total = sum(call.count for window in seen.run.windows for call in window.calls)
    (resource,) = seen.otlp[-1].resource_metrics
    assert {"whole"} <= {one.value.string_value for one in resource.resource.attributes if one.key == "service.name"}
    metrics = {one.name: one for one in resource.scope_metrics[0].metrics}
    assert sum(point.as_double for point in metrics["plugstorm_calls"].sum.data_points) == total
    assert sum(point.count for point in metrics["plugstorm_call_response"].histogram.data_points) == total


def test_run_json_says_where_the_metrics_went(seen: Seen) -> None:
    ways = {one.kind: one for one in seen.run.metrics}
    assert ways.keys() == {"page", "otlp"} | ({"remote-write"} if seen.prometheus else set())
    assert all(one.sent and not one.failed for one in ways.values()), ways
    assert [warning for warning in seen.run.warnings if "etrics" in warning] == []


def test_a_run_with_two_workers_is_one_fleet_on_the_page_and_in_the_tab(tmp_path: Path) -> None:
    port, ui = free_port(), free_port()
    words = [str(Path(sys.prefix) / "bin" / "plugstorm"), "load", "--stations", "40", "--workers", "2", "--out", "run"]
    words += ["--duration", "5m", "--metrics", str(port), "--ui", "--ui-port", str(ui)]
    with (
        (tmp_path / "said").open("w") as said,
        subprocess.Popen(words, cwd=tmp_path, stdout=said, stderr=said, text=True) as process,
    ):
        values: dict[str, float] = {}
        found: list[Any] = []
        wanted = {"plugstorm_workers": 2.0, "plugstorm_stations_booted": 40.0, "plugstorm_stations_connected": 40.0}
        while process.poll() is None and not wanted.items() <= values.items():
            time.sleep(0.5)
            with contextlib.suppress(requests.RequestException):
                page = requests.get(f"http://127.0.0.1:{port}/metrics", timeout=10).text
                found = list(text_string_to_metric_families(page))
                values = {one.name: one.value for family in found for one in family.samples if not one.labels}
        assert process.poll() is None, (tmp_path / "said").read_text()
        shares = {
            one.labels["worker"]: one.value
            for family in found
            for one in family.samples
            if one.name == "plugstorm_worker_stations"
        }
        now = requests.get(f"http://127.0.0.1:{ui}/charge-points/now", timeout=60).json()
        process.send_signal(signal.SIGINT)
        process.wait(300)
    assert shares == {"worker 1": 20.0, "worker 2": 20.0}
    assert (now["workers"], now["wanted"], now["connected"]) == (2, 40, 40)
    assert sum(second[3] for second in now["seconds"]) <= 40
    assert now["generator"] in {"VALID", "DEGRADED", "INVALID"}
