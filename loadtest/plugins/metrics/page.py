"""The page that Prometheus fetches: `/metrics`, as text of Prometheus or of OpenMetrics."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache
from itertools import accumulate
from typing import Any, Final
from wsgiref.types import StartResponse, WSGIEnvironment

from gevent import socket
from gevent.pywsgi import WSGIServer
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.exposition import make_wsgi_app
from prometheus_client.registry import Collector, CollectorRegistry

from loadtest.plugins.metrics.exporter import Picture, aside
from loadtest.plugins.metrics.families import BOUNDS, Distribution, Sample
from ocppj.errors import UsageError

__all__ = ["Page", "families_of"]

_BOUNDS: Final = (*map(str, BOUNDS), "+Inf")
_PATHS: Final = ("/", "/metrics")

_logger = logging.getLogger(__name__)


class Page:
    """An exporter that waits for others to come."""

    kind = "page"
    every: float | None = None

    def __init__(self, host: str, port: int) -> None:
        """Listen; raises `UsageError` where that cannot be done. The port stays open when the run is over."""
        self._server = _listen(host, port)
        self.to = self._server.url

    def begin(self, picture: Picture, labels: Mapping[str, str], started: float) -> None:  # noqa: ARG002 - others may need it
        """Show this run from now on."""
        self._server.show(picture, labels)

    def pack(self, samples: Sequence[Sample], at: float) -> None:
        """Do nothing: others fetch."""

    def send(self, packed: None) -> None:
        """Do nothing."""

    @property
    def served(self) -> int:
        """How often somebody fetched in this run."""
        return self._server.served


class _Server:
    def __init__(self, host: str, port: int) -> None:
        self._picture: Picture = list
        self._labels: Mapping[str, str] = {}
        self.served = 0
        listener = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
        try:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind((host, port))
            listener.listen()
        except OSError as error:
            listener.close()
            # gevent adds the address to the words of the system.
            why = os.strerror(error.errno) if error.errno and error.errno > 0 else error.strerror or str(error)
            raise UsageError(f"--metrics {host}:{port} cannot be used: {why}; name another port") from None
        shown = f"[{host}]" if ":" in host else host
        self.url = f"http://{shown}:{listener.getsockname()[1]}/metrics"
        WSGIServer(listener, self._answer, log=None, error_log=_logger).start()
        _logger.info("Metrics are at %s.", self.url)

    def show(self, picture: Picture, labels: Mapping[str, str]) -> None:
        self._picture, self._labels, self.served = picture, labels, 0

    def _answer(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        if environ["PATH_INFO"] not in _PATHS:
            start_response("404 Not Found", [("Content-Type", "text/plain")])
            return [b"The metrics are at /metrics.\n"]
        self.served += environ["REQUEST_METHOD"] == "GET"
        registry = CollectorRegistry(auto_describe=False)
        registry.register(_Fixed(self._picture(), self._labels))
        app: Any = make_wsgi_app(registry)
        began: list[Any] = []
        answer: Iterable[bytes] = aside(lambda: app(environ, lambda *head: began.append(head)))
        start_response(*began[0])
        return answer


class _Fixed(Collector):
    """The metrics of one moment."""

    def __init__(self, samples: Sequence[Sample], labels: Mapping[str, str]) -> None:
        self._samples = samples
        self._labels = labels

    def collect(self) -> Iterator[Metric]:
        return families_of(self._samples, self._labels)


@cache
def _listen(host: str, port: int) -> _Server:
    """Open a port once in a process: one run follows another there, as Locust's page has it."""
    return _Server(host, port)


def families_of(samples: Sequence[Sample], labels: Mapping[str, str]) -> Iterator[Metric]:
    """Return the metrics as `prometheus_client` knows them."""
    names, values = list(labels), list(labels.values())
    for family, points in samples:
        known = [*family.labels, *names]
        match family.kind:
            case "counter":
                metric: Any = CounterMetricFamily(family.name, family.says, labels=known)
            case "gauge":
                metric = GaugeMetricFamily(family.name, family.says, labels=known)
            case "histogram":
                metric = HistogramMetricFamily(family.name, family.says, labels=known)
        for own, value in points:
            if isinstance(value, Distribution):
                buckets = list(zip(_BOUNDS, map(float, accumulate(value.counts)), strict=True))
                metric.add_metric([*own, *values], buckets, value.sum)
            else:
                metric.add_metric([*own, *values], value)
        yield metric
