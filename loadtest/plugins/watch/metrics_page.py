"""The page of metrics of a CSMS, asked over HTTP."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final
from urllib.parse import urlsplit

import requests

from evidence.redact import redact_url
from loadtest.plugins.watch.contract import Gone, Reading
from loadtest.plugins.watch.prometheus import parse_metrics, select
from ocppj.errors import UsageError

__all__ = ["MOST_SERIES", "MetricsPage"]

MOST_SERIES: Final = 40
_TIMEOUT: Final = (2.0, 3.0)
"""Seconds to connect, and for each piece of the answer."""
_MOST_BYTES: Final = 4 * 2**20


class MetricsPage:
    """One address with Prometheus text."""

    def __init__(self, url: str, wanted: Sequence[str] = ()) -> None:
        """Ask once; raises `UsageError` where no metrics are there.

        `wanted` are names of series, `*` for anything; without them, gauges and counters are taken.
        """
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise UsageError(f"--watch-url {redact_url(url)} is not an address; write http://HOST:PORT/metrics")
        self.source = redact_url(url)
        self._url = url
        self._wanted = tuple(wanted)
        self._http = requests.Session()
        # A proxy between the harness and its target would be measured instead of the target.
        self._http.trust_env = False
        self.left_out = 0
        """Series that were not kept because there are too many."""
        try:
            found = self.sample()
        except Gone as gone:
            raise UsageError(f"--watch-url {self.source} gives no metrics: {gone}") from None
        if not found:
            names = ", ".join(self._wanted) or "gauges or counters"
            raise UsageError(f"--watch-url {self.source} has no {names}; see what it offers, and name it")

    def sample(self) -> list[Reading]:
        """Return the figures of the moment; raises `Gone`."""
        try:
            with self._http.get(self._url, timeout=_TIMEOUT, stream=True) as answer:
                if not answer.ok:
                    raise Gone(f"it answers with HTTP {answer.status_code}")
                body = answer.raw.read(_MOST_BYTES, decode_content=True)
        except (requests.RequestException, OSError) as error:
            raise Gone(f"it does not answer ({type(error).__name__})") from None
        chosen, left_out = select(parse_metrics(body.decode("utf-8", errors="replace")), self._wanted, MOST_SERIES)
        self.left_out = max(self.left_out, left_out)
        return [Reading(name=one.series, value=one.value, is_counter=one.is_counter) for one in chosen]
