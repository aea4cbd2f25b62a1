"""Service level objectives: the file that names them, and whether a run kept them.

    window: measure              # of all thresholds that name none
    thresholds:
      - Authorize response p99 < 500 ms
      - expr: errors < 0.1 %
        abort: true              # end the run as soon as it is broken …
        delay: 10s               # … but not within the first 10 s of its window

Evaluated on the merged histograms, after the last figures of every worker are in. What was never measured is missed.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

import msgspec

from config.errors import ConfigError
from config.locations import Location
from config.quantities import seconds
from config.typed import convert
from config.words import hint
from config.yaml_files import read_yaml
from evidence.histogram import Histogram
from evidence.run_model import Generator, SloResult
from evidence.vocabulary import MEASURE, OPENED, WINDOWS, is_failure
from loadtest.judging.quantities import Quantities, Values
from loadtest.judging.slo_expression import CALLS, ERRORS, FAILED, GOODPUT, NO_QUANTITIES, Expression, parse
from loadtest.measuring.merged import Latencies
from loadtest.measuring.recorder import Key
from ocppj.errors import UsageError, as_usage_error
from ocppj.outcomes import Outcome

__all__ = [
    "DELAY",
    "AtEnd",
    "Broken",
    "Figures",
    "Reading",
    "SloWatch",
    "Threshold",
    "judge",
    "measure",
    "needed",
    "read_abort",
    "read_slo",
    "threshold",
]

DELAY: Final = 10.0
"""Seconds at the beginning of its window in which a threshold with `abort` is not looked at."""
_ABOUT_CALLS: Final = frozenset({"latency", "outcome", "rate"})
_WHOLE_RUN: Final = frozenset({"stations", "connections", "faults", "generator", "plugin"})
_DIGITS: Final = 6


class Threshold(msgspec.Struct, frozen=True, kw_only=True):
    """One objective of a file."""

    expression: Expression
    window: str = MEASURE
    abort: bool = False
    delay: float = DELAY
    """Seconds."""
    least: int | None = None
    """How many CALLs it takes to keep it; None takes what its percentile needs."""
    patience: float = 0.0
    """Seconds for which it has to be missed without a break before it ends the run."""

    @property
    def whole_run(self) -> bool:
        """Whether it is about something that has no windows."""
        return self.expression.family in _WHOLE_RUN

    @property
    def text(self) -> str:
        """The line, and the window where it is not the usual one."""
        elsewhere = self.window != MEASURE and not self.whole_run
        return f"{self.expression.text} ({self.window})" if elsewhere else self.expression.text


class AtEnd(msgspec.Struct, kw_only=True):
    """What was left of the CSMS and its stations when the run ended."""

    answers: bool | None = None
    """Whether the CSMS served a fresh connection once all stations had left; None where that is not known."""
    why: str = ""
    """What was missing, for people."""
    accepted: int = 0
    """Stations, in the last seconds before they were told to leave."""
    had_been_accepted: int = 0
    """Stations, the most at one time, of those that were still wanted."""


class Figures(msgspec.Struct, kw_only=True):
    """What thresholds are held against."""

    window: Callable[[str], Mapping[Key, Latencies]]
    seconds: Mapping[str, float]
    """Length of each window so far."""
    requested: int
    connected: int
    """Stations, the most at one time."""
    booted: int
    """Stations, the most at one time."""
    lost: int
    """Connections that ended unwanted."""
    calls: int
    """CALLs of the whole run."""
    faults: Mapping[str, int]
    connections: Mapping[str, int]
    generator: Generator | None = None
    plugins: Values = {}
    """By the words of a line: a group and a quantity."""
    at_end: AtEnd | None = None
    """None while the run goes on."""


class Reading(NamedTuple):
    """The value in base units (ms, count or ratio, 1/s, KB), or why there is none."""

    value: float | None
    reason: str = ""
    n: int | None = None
    """How many CALLs it rests on; None where it is about something else."""


class Broken(NamedTuple):
    """A threshold that ended a run."""

    threshold: Threshold
    value: float
    """In the unit of the line."""
    at: float
    """Seconds since the start of the run."""

    @property
    def reason(self) -> str:
        """A sentence for people."""
        unit = f" {self.threshold.expression.unit}" if self.threshold.expression.unit else ""
        patience = self.threshold.patience
        how_long = f", for {patience:g} s without a break" if patience else ""
        return f"stopped after {self.at:.0f} s: {self.threshold.text} was broken with {self.value:g}{unit}{how_long}"


# -- the file ----------------------------------------------------------------------------------------------------------


class _Entry(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    expr: str
    window: str | None = None
    abort: bool = False
    delay: str | float = DELAY
    min: int | None = None
    """How many CALLs it takes to keep it."""


class _File(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    thresholds: list[Any] = []
    window: str = MEASURE
    title: str = ""
    objectives: dict[str, Any] = {}
    """Of the built-in ones (`loadtest.judging.slo_built_in`)."""


@as_usage_error(ConfigError)
def read_slo(path: Path, quantities: Quantities) -> list[Threshold]:
    """Read the thresholds of a file of objectives; raises `UsageError` that says which line of it is wrong.

    `quantities` are those of the plugins that take part (`loadtest.plugins.quantities`).
    """
    document, location = read_yaml(path, "SLO file")
    if isinstance(document, list):
        file = _File(thresholds=document)
    else:
        file, location = convert(document, _File, location), location.below("thresholds")
    if not file.thresholds and not file.objectives:
        raise location.error("there are no thresholds; write at least one, as in - errors < 0.1 %")
    found: list[Threshold] = []
    for index, entry in enumerate(file.thresholds):
        here = location.below(index)
        one = _threshold(entry, file.window, quantities, here)
        if any(one.text == before.text for before in found):
            raise here.error(f"{one.text!r} stands there twice; leave one out")
        found.append(one)
    return found


def threshold(text: str, *, window: str = MEASURE, quantities: Quantities = NO_QUANTITIES) -> Threshold:
    """Make a threshold from one line; raises `UsageError`."""
    return Threshold(expression=parse(text, quantities), window=window)


_FOR: Final = re.compile(r"(?P<objective>.+?)\s+for\s+(?P<time>\S+)")


def read_abort(text: str, quantities: Quantities) -> Threshold:
    """Read an objective that ends the run when it is missed, as in `errors < 5 % for 30s`; raises `UsageError`."""
    found = _FOR.fullmatch(text.strip())
    line, patience = (found["objective"], found["time"]) if found else (text, "0s")
    try:
        expression = parse(line, quantities)
        wait = seconds(patience)
    except (UsageError, ConfigError) as error:
        raise UsageError(f"--abort-when {text!r}: {error}") from None
    if expression.family == "generator":
        raise UsageError(f"--abort-when {text!r}: the generator is judged at the end of a run; name another objective")
    return Threshold(expression=expression, abort=True, delay=0.0, patience=wait)


def _threshold(entry: Any, window: str, quantities: Quantities, location: Location) -> Threshold:
    given = _Entry(expr=entry) if isinstance(entry, str) else convert(entry, _Entry, location)
    try:
        expression = parse(given.expr, quantities)
    except UsageError as error:
        raise location.error(str(error)) from None
    if given.window is not None and expression.family in _WHOLE_RUN:
        raise location.below("window").error(f"{expression.family} are those of the whole run; leave window out")
    if expression.family == "generator" and given.abort:
        raise location.below("abort").error("the generator is judged at the end; leave abort out")
    chosen = given.window or window
    if chosen not in WINDOWS:
        raise location.below("window").error(f"{chosen!r} is not a window; {hint(chosen, WINDOWS)}")
    try:
        delay = seconds(given.delay)
    except ConfigError as error:
        raise location.below("delay").error(str(error)) from None
    if given.min is not None and (given.min < 1 or expression.family not in _ABOUT_CALLS):
        raise location.below("min").error("expected a number of CALLs above 0, for an objective about CALLs")
    return Threshold(expression=expression, window=chosen, abort=given.abort, delay=delay, least=given.min)


# -- evaluation --------------------------------------------------------------------------------------------------------


def judge(thresholds: Sequence[Threshold], figures: Figures, broken: Broken | None = None) -> list[SloResult]:
    """Hold every threshold against a finished run; one that ended it stays missed with the value that it had then."""
    results = []
    for one in thresholds:
        expression = one.expression
        value, reason, n = measure(one, figures)
        passed = value is not None and expression.holds(value)
        too_few = passed and n is not None and n < needed(one)
        if too_few:
            passed, reason = False, f"{n} CALLs are too few to decide that; it takes {needed(one)}"
        shown = None if value is None else round(value / expression.scale, _DIGITS)
        if broken is not None and one == broken.threshold:
            shown, passed, reason = broken.value, False, broken.reason
            too_few = False
        results.append(
            SloResult(
                expr=one.text,
                value=shown,
                passed=passed,
                reason=reason,
                unit=expression.unit,
                n=n,
                undecided=too_few,
            )
        )
    return results


def needed(one: Threshold) -> int:
    """Return how many CALLs it takes to keep a threshold: with fewer, no value lies beyond its percentile."""
    if one.least is not None:
        return one.least
    percentile = one.expression.percentile if one.expression.family == "latency" else None
    return 1 if percentile is None else math.ceil(round(100 / (100 - percentile), 6))


def measure(one: Threshold, figures: Figures) -> Reading:
    """Return the value that a threshold is about."""
    return _FAMILIES[one.expression.family](one, figures)


class SloWatch:
    """Looks at the thresholds with `abort` while a run goes on."""

    def __init__(self, thresholds: Sequence[Threshold]) -> None:
        """Watch those that may end a run."""
        self._watched = [one for one in thresholds if one.abort]
        self._missed_since: dict[str, float] = {}

    def check(self, figures: Figures, elapsed: float) -> Broken | None:
        """Return the first threshold that is broken `elapsed` seconds after the start.

        One about something that was not measured yet is not broken.
        """
        for one in self._watched:
            since = elapsed if one.whole_run else figures.seconds.get(one.window, 0.0)
            if since <= 0 or since < one.delay:
                continue
            value = measure(one, figures).value
            if value is None or one.expression.holds(value):
                self._missed_since.pop(one.text, None)
            elif elapsed - self._missed_since.setdefault(one.text, elapsed) >= one.patience:
                return Broken(one, round(value / one.expression.scale, _DIGITS), elapsed)
        return None

    def __bool__(self) -> bool:
        """Return whether there is anything to watch."""
        return bool(self._watched)


def _selected(one: Threshold, figures: Figures) -> dict[Key, Latencies]:
    expression = one.expression
    return {
        key: latencies
        for key, latencies in figures.window(one.window).items()
        if key[2] == expression.direction and expression.ocpp in (None, key[0]) and expression.action in (None, key[1])
    }


def _nothing(one: Threshold) -> Reading:
    return Reading(None, f"no {one.expression.subject} was measured in the window {one.window}")


def _latency(one: Threshold, figures: Figures) -> Reading:
    expression = one.expression
    histogram = Histogram()
    for key, latencies in _selected(one, figures).items():
        if key[3] == Outcome.INJECTED:
            # How long the run kept an answer from a station says nothing about the CSMS.
            continue
        histogram.merge((latencies.service if expression.latency == "service" else latencies.response).counts)
    if not histogram.counts:
        return _nothing(one)
    percentile = expression.percentile
    if percentile is not None:
        return Reading(histogram.percentile(percentile) / 1000, n=histogram.count)
    statistics = {"min": histogram.min, "mean": histogram.mean, "max": histogram.max}
    return Reading(statistics[expression.metric] / 1000, n=histogram.count)


def _is_of(outcome: str, metric: str) -> bool:
    if metric == CALLS:
        return True
    if metric == ERRORS:
        return is_failure(outcome)
    return outcome == metric or (metric == Outcome.CALLERROR and outcome.startswith(f"{Outcome.CALLERROR}:"))


def _outcome(one: Threshold, figures: Figures) -> Reading:
    counts = {key: latencies.response.count for key, latencies in _selected(one, figures).items()}
    total = sum(counts.values())
    if not total:
        return _nothing(one)
    hits = sum(count for key, count in counts.items() if _is_of(key[3], one.expression.metric))
    return Reading(hits / total if one.expression.is_share else float(hits), n=total)


def _rate(one: Threshold, figures: Figures) -> Reading:
    seconds = figures.seconds.get(one.window, 0.0)
    selected = _selected(one, figures)
    if seconds <= 0 or not selected:
        return _nothing(one)
    only_accepted = one.expression.metric == GOODPUT
    calls = sum(
        latencies.response.count
        for key, latencies in selected.items()
        if key[3] == Outcome.ACCEPTED or not only_accepted
    )
    return Reading(calls / seconds, n=sum(latencies.response.count for latencies in selected.values()))


def _stations(one: Threshold, figures: Figures) -> Reading:
    metric = one.expression.metric
    if metric == "lost" and not figures.connected:
        return Reading(None, "no station was ever connected")
    count = {"booted": figures.booted, "connected": figures.connected, "lost": figures.lost}[metric]
    return _amount(one, count, figures.requested, "no station was asked for")


def _connections(one: Threshold, figures: Figures) -> Reading:
    attempts = sum(figures.connections.values())
    if not attempts:
        return Reading(None, "no connection was tried")
    opened = figures.connections.get(OPENED, 0)
    metric = one.expression.metric
    count = attempts - opened if metric == FAILED else figures.connections.get(metric, 0)
    return _amount(one, count, attempts, "")


def _faults(one: Threshold, figures: Figures) -> Reading:
    if not figures.calls:
        return Reading(None, "no CALL was made")
    return _amount(one, figures.faults.get(one.expression.metric, 0), figures.calls, "")


def _generator(one: Threshold, figures: Figures) -> Reading:
    generator = figures.generator
    value: float | None = None
    if generator is not None:
        match one.expression.metric:
            case "lag":
                value = generator.lag_ms_p99
            case "cpu":
                value = generator.cpu
            case "memory":
                value = generator.rss_kb_per_station
            case _:
                stalls = [worker.get("longest_stall_ms", 0.0) for worker in generator.details.get("workers", [])]
                value = max(stalls, default=None)
    return Reading(value, "" if value is not None else f"the generator did not measure its {one.expression.metric}")


def _plugin(one: Threshold, figures: Figures) -> Reading:
    metric = one.expression.metric
    value, whole = figures.plugins.get(metric, (None, None))
    if value is None:
        return Reading(None, f"nothing was measured of {metric}")
    if not one.expression.is_share or whole is None:
        return Reading(value)
    return Reading(value / whole) if whole else Reading(None, f"nothing was measured of {metric}")


def _amount(one: Threshold, count: int, whole: int, why: str) -> Reading:
    if not one.expression.is_share:
        return Reading(float(count))
    return Reading(count / whole) if whole else Reading(None, why)


_FAMILIES: Final[Mapping[str, Callable[[Threshold, Figures], Reading]]] = {
    "latency": _latency,
    "outcome": _outcome,
    "rate": _rate,
    "stations": _stations,
    "connections": _connections,
    "faults": _faults,
    "generator": _generator,
    "plugin": _plugin,
}
