"""Metrics arrive as Prometheus and OpenTelemetry read them; what does not arrive disturbs nobody."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import cramjam
import gevent
import pytest
import requests
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.metrics.v1.metrics_pb2 import AggregationTemporality
from prometheus_client.openmetrics.parser import text_string_to_metric_families as openmetrics
from prometheus_client.parser import text_string_to_metric_families as prometheus

from loadtest.plugins.contract import RunAccess
from loadtest.plugins.metrics.exporter import Exporter, NotSent
from loadtest.plugins.metrics.families import FAMILIES, Sample
from loadtest.plugins.metrics.otlp import Otlp, otlp_name
from loadtest.plugins.metrics.page import Page
from loadtest.plugins.metrics.plugin import Job, MetricsPlugin
from loadtest.plugins.metrics.remote_write import TOKEN, RemoteWrite, _write_request
from ocppj.errors import UsageError
from tests.loadtest.plugins.metrics.receiver import MOMENT, receiver, recorded, samples

LABELS = {"testid": "nightly"}


@pytest.fixture(autouse=True)
def no_settings_of_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("ENDPOINT", "PROTOCOL", "HEADERS", "TIMEOUT"):
        monkeypatch.delenv(f"OTEL_EXPORTER_OTLP_{name}", raising=False)
    monkeypatch.delenv("OTEL_METRIC_EXPORT_INTERVAL", raising=False)
    monkeypatch.delenv("OTEL_RESOURCE_ATTRIBUTES", raising=False)
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "2")
    monkeypatch.delenv(TOKEN, raising=False)


def fetch(url: str, **headers: str) -> requests.Response:
    """Fetch from a server that lives in this thread."""
    found: requests.Response = gevent.get_hub().threadpool.apply(lambda: requests.get(url, headers=headers, timeout=20))
    return found


def page() -> Page:
    found = Page("127.0.0.1", 0)
    found.begin(samples, LABELS, 1000.0)
    return found


# -- the page ----------------------------------------------------------------------------------------------------------


def test_the_page_is_read_by_the_parser_of_prometheus() -> None:
    answer = fetch(page().to)
    assert answer.headers["Content-Type"].startswith("text/plain")
    found = {family.name: family for family in prometheus(answer.text)}
    wanted = {family.name.removesuffix("_total") if family.kind == "counter" else family.name for family in FAMILIES}
    assert set(found) == wanted
    calls = {one.labels["outcome"]: one for one in found["plugstorm_calls"].samples}
    assert calls["accepted"].labels == {
        "action": "Heartbeat", "version": "1.6", "direction": "station-to-csms", "outcome": "accepted",
        "testid": "nightly",
    }  # fmt: skip
    buckets = [one for one in found["plugstorm_call_service_seconds"].samples if one.name.endswith("_bucket")]
    assert [one.value for one in buckets if one.labels["le"] in {"0.003", "0.005", "+Inf"}] == [0.0, 1.0, 1.0]


def test_the_page_speaks_openmetrics_to_those_who_ask() -> None:
    answer = fetch(page().to, Accept="application/openmetrics-text; version=1.0.0")
    assert "openmetrics" in answer.headers["Content-Type"]
    assert {"plugstorm_calls", "plugstorm_call_response_seconds"} <= {one.name for one in openmetrics(answer.text)}  # type: ignore[no-untyped-call]  # it has no types


def test_a_page_counts_who_fetched_and_knows_no_other_path() -> None:
    one = page()
    before = one.served
    assert fetch(one.to).ok
    assert fetch(one.to.replace("/metrics", "/secrets")).status_code == 404
    assert one.served == before + 1


def test_a_port_that_is_in_use_is_a_mistake_with_a_way_out() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        with pytest.raises(
            UsageError, match=f"--metrics 127.0.0.1:{port} cannot be used: Address already in use; name"
        ):
            Page("127.0.0.1", port)


# -- remote write ------------------------------------------------------------------------------------------------------


def push(exporter: Exporter) -> None:
    exporter.begin(samples, LABELS, 1000.0)
    exporter.send(exporter.pack(samples(), 1234.5))


def test_remote_write_sends_every_series_with_its_labels_in_order() -> None:
    with receiver(204) as found:
        push(RemoteWrite(f"{found.url}/api/v1/write"))
    (pushed,) = found.pushed
    assert pushed.path == "/api/v1/write"
    assert pushed.headers["Content-Encoding"] == "snappy"
    assert pushed.headers["X-Prometheus-Remote-Write-Version"] == "0.1.0"
    message = _write_request()()
    message.ParseFromString(bytes(cramjam.snappy.decompress_raw(pushed.body)))
    series = {tuple((one.name, one.value) for one in row.labels): row.samples for row in message.timeseries}
    assert len(series) == len(message.timeseries)
    for labels, values in series.items():
        assert list(labels) == sorted(labels)
        assert [one.timestamp for one in values] == [1_234_500]
    (booted,) = [row for labels, row in series.items() if ("__name__", "plugstorm_stations_booted") in labels]
    assert booted[0].value == MOMENT.booted
    assert all(dict(labels)["testid"] == "nightly" and dict(labels)["job"] == "plugstorm" for labels in series)


@pytest.mark.parametrize("status", [302, 400, 503])
def test_a_receiver_that_refuses_is_quoted(status: int) -> None:
    with receiver(status) as found, pytest.raises(NotSent, match=f"HTTP {status} .*") as said:
        push(RemoteWrite(found.url))
    if status >= 400:
        assert str(said.value).endswith(": said")


def test_nobody_listening_is_said_in_plain_words() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    with pytest.raises(NotSent, match=r"^Connection refused$"):
        push(RemoteWrite(f"http://127.0.0.1:{port}"))


def test_credentials_reach_the_receiver_and_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    with receiver() as found:
        basic = RemoteWrite(found.url.replace("//", "//me:hush@"))
        push(basic)
        monkeypatch.setenv(TOKEN, "sesame")
        push(RemoteWrite(found.url))
    assert [one.headers["Authorization"] for one in found.pushed] == ["Basic bWU6aHVzaA==", "Bearer sesame"]
    assert "hush" not in basic.to


# -- OTLP --------------------------------------------------------------------------------------------------------------


def test_otlp_goes_where_the_environment_says_with_what_it_says(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_HEADERS", "api-key=sesame")
    monkeypatch.setenv("OTEL_RESOURCE_ATTRIBUTES", "deployment.environment=lab")
    monkeypatch.setenv("OTEL_METRIC_EXPORT_INTERVAL", "2500")
    with receiver() as found:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", found.url)
        exporter = Otlp()
        push(exporter)
    (pushed,) = found.pushed
    assert (pushed.path, pushed.headers["api-key"]) == ("/v1/metrics", "sesame")
    assert (exporter.every, exporter.to) == (2.5, f"{found.url}/v1/metrics")
    message = ExportMetricsServiceRequest()
    message.ParseFromString(pushed.body)
    (resource,) = message.resource_metrics
    attributes = {one.key: one.value.string_value for one in resource.resource.attributes}
    assert (attributes["service.name"], attributes["deployment.environment"]) == ("plugstorm", "lab")
    metrics = {one.name: one for one in resource.scope_metrics[0].metrics}
    assert set(metrics) == {otlp_name(family) for family in FAMILIES}
    calls = metrics["plugstorm_calls"].sum
    assert calls.is_monotonic
    assert calls.aggregation_temporality == AggregationTemporality.AGGREGATION_TEMPORALITY_CUMULATIVE
    latency = metrics["plugstorm_call_response"]
    assert latency.unit == "s"
    (late,) = [
        one for one in latency.histogram.data_points if {"timeout"} <= {a.value.string_value for a in one.attributes}
    ]
    assert (late.count, late.start_time_unix_nano, late.time_unix_nano) == (1, 1000 * 10**9, 12345 * 10**8)
    assert len(late.bucket_counts) == len(late.explicit_bounds) + 1


def test_a_collector_that_refuses_is_quoted(monkeypatch: pytest.MonkeyPatch) -> None:
    with receiver(400) as found:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", found.url)
        with pytest.raises(NotSent, match="400"):
            push(Otlp())


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc", "by http/protobuf"),
        ("OTEL_METRIC_EXPORT_INTERVAL", "soon", "expected milliseconds"),
    ],
)
def test_variables_that_cannot_work_are_refused(
    name: str, value: str, says: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(UsageError, match=says):
        Otlp()


# -- the run -----------------------------------------------------------------------------------------------------------


class Later:
    """Jobs of a run that are carried out when the test wants."""

    def __init__(self) -> None:
        self.jobs: list[Callable[[], None]] = []

    def __call__(self, job: Callable[[], None]) -> Job:
        self.jobs.append(job)
        return self

    def join(self, timeout: float) -> None:
        del timeout
        self.run()

    def run(self) -> None:
        while self.jobs:
            self.jobs.pop(0)()


class Scripted:
    """An exporter that fails when it is told to."""

    kind, to, served = "remote-write", "http://receiver", 0
    every: float | None = 5.0

    def __init__(self, *failures: str | None) -> None:
        self.failures = list(failures)
        self.sent: list[Any] = []

    def begin(self, picture: Any, labels: Any, started: float) -> None:
        pass

    def pack(self, samples: Sequence[Sample], at: float) -> tuple[list[Sample], float]:
        return list(samples), at

    def send(self, packed: Any) -> None:
        why = self.failures.pop(0) if self.failures else None
        if why is not None:
            raise NotSent(why)
        self.sent.append(packed)


class Run:
    def __init__(self, exporter: Exporter, tmp_path: Path) -> None:
        self.now = 0.0
        self.later = Later()
        self.warnings: list[str] = []
        self.plugin = MetricsPlugin([exporter], ocpp=["1.6"], spawn=self.later)
        self.plugin.begin(
            RunAccess(
                order=lambda _: None,
                folder=tmp_path,
                url="ws://me:hush@csms/ocpp",
                stations=1,
                started=1000.0,
                clock=lambda: self.now,
                moment=lambda: MOMENT,
                warn=self.warnings.append,
            )
        )

    def beat(self, until: int) -> None:
        while self.now < until:
            self.plugin.beat(self.now, "measure")
            self.later.run()
            self.now += 1.0

    def result(self) -> dict[str, Any]:
        (found,) = self.plugin.conclude().fields["metrics"]
        assert isinstance(found, dict)
        return found


def test_a_run_is_pushed_every_few_seconds_and_at_its_end(tmp_path: Path) -> None:
    exporter = Scripted()
    run = Run(exporter, tmp_path)
    run.beat(11)
    run.plugin.delta(recorded().take(final=True))
    assert run.result() == {"kind": "remote-write", "to": "http://receiver", "sent": 4, "failed": 0, "why": ""}
    assert [at for _, at in exporter.sent] == [1000.0, 1005.0, 1010.0, 1011.0]
    last = {family.name: points for family, points in exporter.sent[-1][0]}
    assert sum(float(point.value) for point in last["plugstorm_calls_total"]) == 2.0
    assert "hush" not in str(last)


def test_a_receiver_that_is_away_is_one_warning_and_a_figure(tmp_path: Path) -> None:
    run = Run(Scripted("Connection refused", "Connection refused", None), tmp_path)
    run.beat(11)
    result = run.result()
    assert (result["sent"], result["failed"], result["why"]) == (2, 2, "Connection refused")
    (warning,) = run.warnings
    assert warning.startswith("Metrics did not arrive at http://receiver (remote-write): Connection refused.")


def test_a_receiver_that_does_not_answer_is_not_overtaken_and_not_waited_for(tmp_path: Path) -> None:
    with receiver() as found:
        found.hold.clear()
        exporter = RemoteWrite(found.url)
        run = Run(exporter, tmp_path)
        threads: list[threading.Thread] = []

        def spawn(job: Callable[[], None]) -> Job:
            threads.append(threading.Thread(target=job))
            threads[-1].start()
            return threads[-1]

        run.plugin._spawn = spawn
        run.plugin._ways[0].fails = True
        for _ in range(3):
            run.plugin.beat(run.now, "measure")
            run.now += 100.0
        result = run.result()
        assert len(threads) == 1
        assert (result["sent"], result["failed"]) == (0, 1)
        assert "when the run was over" in result["why"]
        found.hold.set()
        threads[0].join()
