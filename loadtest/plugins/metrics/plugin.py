"""Shows the figures of a run to other programs while it goes on, and notes in `run.json` whether they arrived.

Everything is made from what the master has merged anyway, when somebody fetches it or a sending is due. A receiver that
cannot be reached costs one warning; the run does not wait for it, except for the last sending, a few seconds at most.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, ClassVar, Final, Protocol

import msgspec

from evidence.plugin_results import MetricsResult
from evidence.redact import redact_url
from loadtest.measuring.recorder import Delta
from loadtest.plugins.contract import Conclusion, Plugin, RunAccess
from loadtest.plugins.metrics.exporter import Exporter, NotSent, aside
from loadtest.plugins.metrics.families import Sample
from loadtest.plugins.metrics.picture import CommandCount, RunName, picture
from loadtest.plugins.metrics.totals import Totals

__all__ = ["Job", "MetricsPlugin"]

_LAST: Final = 15.0
"""Seconds that the end of a run waits for the last sending …"""
_LAST_AFTER_FAILURE: Final = 2.0
"""… and for one to a receiver that did not take the one before."""


class Job(Protocol):
    """Something that runs beside the run."""

    def join(self, timeout: float) -> object:
        """Wait until it is over, so many seconds at most."""


class _Way:
    """One exporter within one run."""

    def __init__(self, exporter: Exporter) -> None:
        self.exporter = exporter
        self.due = 0.0
        self.under_way: Job | None = None
        self.sent = self.failed = 0
        self.why = ""
        self.fails = False
        """Whether the latest sending has failed."""

    def result(self) -> dict[str, Any]:
        one = self.exporter
        sent = self.sent + one.served
        found: dict[str, Any] = msgspec.to_builtins(
            MetricsResult(kind=one.kind, to=one.to, sent=sent, failed=self.failed, why=self.why)
        )
        return found


class MetricsPlugin(Plugin):
    """The metrics of one run after another."""

    name: ClassVar[str] = "metrics"
    _access: RunAccess
    _ways: list[_Way]

    def __init__(
        self,
        exporters: Sequence[Exporter],
        *,
        ocpp: Sequence[str],
        labels: Mapping[str, str] | None = None,
        storms: Callable[[], Iterable[Mapping[str, Any]]] = tuple,
        commands: Callable[[], Iterable[CommandCount]] = tuple,
        spawn: Callable[[Callable[[], None]], Job] | None = None,
    ) -> None:
        """Export on these ways, with these further labels on every series.

        `storms` and `commands` give those of the run so far; `spawn` does something without keeping the run waiting.
        """
        self._exporters = list(exporters)
        self._ocpp = list(ocpp)
        self._labels = dict(labels or {})
        self._storms = storms
        self._commands = commands
        self._spawn = spawn or _spawn

    def begin(self, access: RunAccess) -> None:
        """Begin a run."""
        self._access = access
        self._totals = Totals()
        self._ways = [_Way(exporter) for exporter in self._exporters]
        self._name = RunName(run=access.folder.name, target=redact_url(access.url), ocpp=", ".join(self._ocpp))
        for exporter in self._exporters:
            exporter.begin(self._picture, self._labels, access.started)

    def delta(self, delta: Delta) -> None:
        """Count what a process recorded."""
        self._totals.add(delta)

    def beat(self, elapsed: float, window: str) -> None:
        """Send what is due; a sending that still waits for its receiver is not overtaken."""
        del window
        for way in self._ways:
            every = way.exporter.every
            if every is not None and elapsed >= way.due and way.under_way is None:
                way.due = elapsed + every
                self._begin_sending(way)

    def conclude(self) -> Conclusion:
        """Send the last figures, and note how it went."""
        pushing = [way for way in self._ways if way.exporter.every is not None]
        is_ill = any(way.fails for way in pushing)
        deadline = time.monotonic() + (_LAST_AFTER_FAILURE if is_ill else _LAST)
        for last in (False, True):
            for way in pushing:
                if last and way.under_way is None:
                    self._begin_sending(way)
            for way in pushing:
                if way.under_way is not None:
                    way.under_way.join(max(deadline - time.monotonic(), 0.0))
        for way in pushing:
            if way.under_way is not None:
                way.failed += 1
                way.why = "no answer when the run was over"
        return Conclusion(fields={"metrics": [way.result() for way in self._ways]})

    # -- inside ------------------------------------------------------------------------------------------------------

    def _picture(self) -> list[Sample]:
        return picture(
            self._name, self._totals, self._access.moment(), storms=self._storms(), commands=self._commands()
        )

    def _begin_sending(self, way: _Way) -> None:
        samples, at = self._picture(), self._access.started + self._access.clock()
        way.under_way = self._spawn(lambda: self._send(way, samples, at))

    def _send(self, way: _Way, samples: list[Sample], at: float) -> None:
        try:
            way.exporter.send(aside(lambda: way.exporter.pack(samples, at)))
            way.sent += 1
            way.fails = False
        except NotSent as error:
            way.failed += 1
            way.fails, way.why = True, str(error)
            if way.failed == 1:
                self._access.warn(
                    f"Metrics did not arrive at {way.exporter.to} ({way.exporter.kind}): {error}. The run goes on, and "
                    f"they are sent again every {way.exporter.every:g} s"
                )
        finally:
            way.under_way = None


def _spawn(job: Callable[[], None]) -> Job:
    import gevent  # noqa: PLC0415 - `plugstorm` makes plugins too, and has no event loop

    found: Job = gevent.spawn(job)
    return found
