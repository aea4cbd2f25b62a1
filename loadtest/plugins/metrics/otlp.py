"""OTLP over HTTP: the metrics are pushed to a collector of OpenTelemetry; the usual `OTEL_*` variables say where.

The exporter of OpenTelemetry reads the variables, packs, sends and tries again; the figures are ours, always
cumulative, and no meter of the SDK runs.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping, Sequence
from typing import Any, Final

from opentelemetry.exporter.otlp.proto.http import metric_exporter
from opentelemetry.sdk.metrics import export as sdk
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.util.instrumentation import InstrumentationScope

from evidence.redact import redact_text, redact_url
from loadtest.plugins.metrics.exporter import NotSent, Picture
from loadtest.plugins.metrics.families import BOUNDS, Distribution, Family, Sample
from ocppj.errors import UsageError

__all__ = ["Otlp", "otlp_name"]

_EVERY: Final = 10.0
_LEAST_EVERY: Final = 1.0
_DEFAULT: Final = "http://localhost:4318"
_SUFFIXES: Final = {"s": "_seconds", "By": "_bytes", "1": "_ratio"}
"""What a receiver that writes to Prometheus puts behind the name for each unit."""
_UNNAMED: Final = "unknown_service"
_MOST_WORDS: Final = 10
_LONGEST_WORD: Final = 300


class Otlp:
    """An exporter that pushes where the environment says."""

    kind = "otlp"
    served = 0

    def __init__(self) -> None:
        """Read the environment; raises `UsageError` for what cannot be done."""
        protocol = _variable("PROTOCOL") or "http/protobuf"
        if protocol != "http/protobuf":
            raise UsageError(
                f"--otlp sends by http/protobuf, but OTEL_EXPORTER_OTLP_PROTOCOL is {protocol!r}; take the port for "
                "HTTP, which is 4318 as a rule"
            )
        self.every: float | None = _interval()
        self.to = redact_url(_endpoint())
        self._words = _Words()
        logging.getLogger("opentelemetry").addHandler(self._words)
        # One warning of ours is enough.
        logging.getLogger("opentelemetry").propagate = False
        try:
            self._exporter = metric_exporter.OTLPMetricExporter()
        except (OSError, ValueError) as error:
            raise UsageError(f"--otlp: {error}; look at the variables OTEL_EXPORTER_OTLP_…") from None
        resource = Resource.create()
        if str(resource.attributes.get("service.name", _UNNAMED)).startswith(_UNNAMED):
            resource = resource.merge(Resource({"service.name": "plugstorm"}))
        self._resource = resource
        self._labels: Mapping[str, str] = {}
        self._started = 0

    def begin(self, picture: Picture, labels: Mapping[str, str], started: float) -> None:  # noqa: ARG002 - others fetch
        """Take the attributes of every series, and since when it counts."""
        self._labels, self._started = labels, int(started * 1e9)

    def pack(self, samples: Sequence[Sample], at: float) -> sdk.MetricsData:
        """Write the metrics as the SDK knows them."""
        now = int(at * 1e9)
        metrics = [self._metric(sample, now) for sample in samples]
        scope = sdk.ScopeMetrics(scope=InstrumentationScope("plugstorm"), metrics=metrics, schema_url="")
        return sdk.MetricsData([sdk.ResourceMetrics(resource=self._resource, scope_metrics=[scope], schema_url="")])

    def send(self, packed: sdk.MetricsData) -> None:
        """Push; raises `NotSent`."""
        self._words.heard.clear()
        if self._exporter.export(packed) is not sdk.MetricExportResult.SUCCESS:
            raise NotSent(next(iter(self._words.heard), "the collector did not take it"))

    def _metric(self, sample: Sample, now: int) -> sdk.Metric:
        family = sample.family
        points: list[Any] = []
        for own, value in sample.points:
            attributes = {**self._labels, **dict(zip(family.labels, own, strict=True))}
            if isinstance(value, Distribution):
                points.append(_histogram_point(attributes, value, self._started, now))
            else:
                points.append(sdk.NumberDataPoint(attributes, self._started, now, value))
        cumulative = sdk.AggregationTemporality.CUMULATIVE
        match family.kind:
            case "counter":
                data: Any = sdk.Sum(data_points=points, aggregation_temporality=cumulative, is_monotonic=True)
            case "gauge":
                data = sdk.Gauge(data_points=points)
            case "histogram":
                data = sdk.Histogram(data_points=points, aggregation_temporality=cumulative)
        return sdk.Metric(name=otlp_name(family), description=family.says, unit=family.unit, data=data)


def otlp_name(family: Family) -> str:
    """Return the name without what a receiver adds again: the unit, and `_total` of a counter."""
    name = family.name.removesuffix("_total") if family.kind == "counter" else family.name
    return name.removesuffix(_SUFFIXES.get(family.unit, ""))


class _Words(logging.Handler):
    """Keeps what the exporter says of itself; the first line names the cause, the later ones what came of it."""

    def __init__(self) -> None:
        super().__init__()
        self.heard: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        if len(self.heard) < _MOST_WORDS:
            self.heard.append(redact_text(record.getMessage())[:_LONGEST_WORD].rstrip("."))


def _histogram_point(attributes: Mapping[str, str], value: Distribution, started: int, now: int) -> Any:
    filled = [index for index, count in enumerate(value.counts) if count]
    edges = (0.0, *BOUNDS, BOUNDS[-1])
    return sdk.HistogramDataPoint(
        attributes=attributes,
        start_time_unix_nano=started,
        time_unix_nano=now,
        count=value.count,
        sum=value.sum,
        bucket_counts=value.counts,
        explicit_bounds=BOUNDS,
        # The edges of the outermost buckets; nothing finer is kept.
        min=edges[filled[0]] if filled else 0.0,
        max=edges[filled[-1] + 1] if filled else 0.0,
    )


def _variable(name: str) -> str:
    """Read a variable of OTLP; what is said for metrics alone goes first."""
    return os.environ.get(f"OTEL_EXPORTER_OTLP_METRICS_{name}") or os.environ.get(f"OTEL_EXPORTER_OTLP_{name}") or ""


def _endpoint() -> str:
    if own := os.environ.get("OTEL_EXPORTER_OTLP_METRICS_ENDPOINT"):
        return own
    return (os.environ.get("OTEL_EXPORTER_OTLP_ENDPOINT") or _DEFAULT).rstrip("/") + "/v1/metrics"


def _interval() -> float:
    text = os.environ.get("OTEL_METRIC_EXPORT_INTERVAL")
    if not text:
        return _EVERY
    try:
        return max(float(text) / 1000, _LEAST_EVERY)
    except ValueError:
        raise UsageError(f"OTEL_METRIC_EXPORT_INTERVAL: expected milliseconds, but it is {text!r}") from None
