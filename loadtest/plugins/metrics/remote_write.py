"""Remote write: the metrics are pushed to Prometheus, Mimir and others, for runs that nobody would come to scrape.

The messages are those of Prometheus's remote write protocol 1.0, which every receiver takes. Their description is
small enough to stand here, so no generated code is needed.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator, Mapping, Sequence
from itertools import accumulate, islice
from typing import Any, Final

import cramjam
import requests
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

from evidence.redact import redact_text, redact_url
from loadtest.plugins.metrics.exporter import NotSent, Picture
from loadtest.plugins.metrics.families import BOUNDS, Distribution, Sample

__all__ = ["TOKEN", "RemoteWrite", "series_of"]

TOKEN: Final = "PLUGSTORM_REMOTE_WRITE_TOKEN"  # noqa: S105 - the name of a variable
"""Environment variable with a bearer token for the receiver."""
_EVERY: Final = 5.0
_TIMEOUT: Final = 5.0
_NOT_TAKEN: Final = 300
"""Status from which on a receiver has not taken it; a push is not redirected."""
_MOST_SERIES: Final = 2000
"""In one request; receivers limit its size."""
_BOUNDS: Final = (*map(str, BOUNDS), "+Inf")
_HEADERS: Final = {
    "Content-Encoding": "snappy",
    "Content-Type": "application/x-protobuf",
    "User-Agent": "plugstorm",
    "X-Prometheus-Remote-Write-Version": "0.1.0",
}

_Field = descriptor_pb2.FieldDescriptorProto
_MESSAGES: Final[dict[str, dict[str, tuple[int, Any, bool]]]] = {
    "Label": {"name": (1, _Field.TYPE_STRING, False), "value": (2, _Field.TYPE_STRING, False)},
    "Sample": {"value": (1, _Field.TYPE_DOUBLE, False), "timestamp": (2, _Field.TYPE_INT64, False)},
    "TimeSeries": {"labels": (1, "Label", True), "samples": (2, "Sample", True)},
    "WriteRequest": {"timeseries": (1, "TimeSeries", True)},
}
"""By message and field: its number, its type or message, and whether it repeats."""


class RemoteWrite:
    """An exporter that pushes to one address."""

    kind = "remote-write"
    every: float | None = _EVERY
    served = 0

    def __init__(self, url: str) -> None:
        """Push to this address; a user and a password in it are sent as HTTP Basic."""
        self.to = redact_url(url)
        self._url = url
        self._session = requests.Session()
        self._labels: Mapping[str, str] = {}
        self._message = _write_request()
        if token := os.environ.get(TOKEN):
            self._session.headers["Authorization"] = f"Bearer {token}"
            # A file of the user's home (.netrc) must not replace it.
            self._session.trust_env = False

    def begin(self, picture: Picture, labels: Mapping[str, str], started: float) -> None:  # noqa: ARG002 - others may need it
        """Take the labels of every series; who scrapes adds `job` and `instance`, so they are added here."""
        self._labels = {"job": "plugstorm", "instance": socket.gethostname()} | dict(labels)

    def pack(self, samples: Sequence[Sample], at: float) -> list[bytes]:
        """Write the bodies of the requests."""
        moment = int(at * 1000)
        series = series_of(samples, self._labels)
        bodies = []
        while part := list(islice(series, _MOST_SERIES)):
            message = self._message()
            for labels, value in part:
                one = message.timeseries.add()
                for name, text in labels:
                    one.labels.add(name=name, value=text)
                one.samples.add(value=value, timestamp=moment)
            bodies.append(bytes(cramjam.snappy.compress_raw(message.SerializeToString())))
        return bodies

    def send(self, packed: list[bytes]) -> None:
        """Push; raises `NotSent`."""
        for body in packed:
            self._post(body)

    def _post(self, body: bytes) -> None:
        try:
            answer = self._session.post(self._url, data=body, headers=_HEADERS, timeout=_TIMEOUT, allow_redirects=False)
        except requests.RequestException as error:
            raise NotSent(_reason(error)) from None
        if answer.status_code >= _NOT_TAKEN:
            said = redact_text(answer.text[:200]).strip()
            raise NotSent(f"HTTP {answer.status_code} {answer.reason}" + (f": {said}" if said else ""))


def series_of(samples: Sequence[Sample], labels: Mapping[str, str]) -> Iterator[tuple[list[tuple[str, str]], float]]:
    """Return each series of Prometheus with its labels in their order, the name included, and its value."""
    for family, points in samples:
        for own, value in points:
            known = {**labels, **dict(zip(family.labels, own, strict=True))}
            if not isinstance(value, Distribution):
                yield _sorted(known, family.name), value
                continue
            for bound, count in zip(_BOUNDS, accumulate(value.counts), strict=True):
                yield _sorted(known | {"le": bound}, f"{family.name}_bucket"), float(count)
            yield _sorted(known, f"{family.name}_sum"), value.sum
            yield _sorted(known, f"{family.name}_count"), float(value.count)


def _sorted(labels: Mapping[str, str], name: str) -> list[tuple[str, str]]:
    # An empty label is no label, and receivers refuse it.
    return sorted([("__name__", name), *((key, value) for key, value in labels.items() if value)])


def _reason(error: requests.RequestException) -> str:
    """Return what went wrong in a few words; the library's own text holds addresses of objects."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, OSError) and cause.strerror:
            return cause.strerror
        cause = getattr(cause, "reason", None) or cause.__cause__ or cause.__context__
    return "no answer in time" if isinstance(error, requests.Timeout) else type(error).__name__


def _write_request() -> Any:
    """Make the class of the message that is sent."""
    file = descriptor_pb2.FileDescriptorProto(
        name="plugstorm_remote_write.proto", package="prometheus", syntax="proto3"
    )
    for name, fields in _MESSAGES.items():
        message = file.message_type.add(name=name)
        for field, (number, kind, repeats) in fields.items():
            one = message.field.add(name=field, number=number)
            one.label = _Field.LABEL_REPEATED if repeats else _Field.LABEL_OPTIONAL
            if isinstance(kind, str):
                one.type, one.type_name = _Field.TYPE_MESSAGE, f".prometheus.{kind}"
            else:
                one.type = kind
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("prometheus.WriteRequest"))
