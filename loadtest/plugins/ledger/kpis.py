"""What drivers would notice: whether they could charge, how long it took to begin, and whether the app could start it.

An attempt is a car that plugs in and a driver whose token should be accepted, or a start that the CSMS has asked for
and the station has agreed to. It succeeds when the transaction began, was accepted, ended, each of both messages was
answered, and energy flowed where the car wanted some. Attempts count by the window in which they fell due, and
`measure` alone is judged; what the end of the run cut short says nothing about the CSMS and is left out, as is what
failed in a storm because a message was not sent, was lost with its connection, or waited too long for the driver.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

from evidence.histogram import Histogram
from evidence.vocabulary import MEASURE
from loadtest.judging.quantities import Kind, Values
from loadtest.measuring.session_row import Row
from ocppj.outcomes import Outcome

__all__ = ["CUT", "QUANTITIES", "SPOILT", "SUCCEEDED", "Kpis", "outcome_of"]

SUCCEEDED: Final = "succeeded"
CUT: Final = "cut short"
SPOILT: Final = "spoilt by an injected fault"
"""Of the station, the network or a storm."""
NOT_MEANT: Final = "refused as expected"
_START_UNANSWERED: Final = "start unanswered"
_STOP_UNANSWERED: Final = "stop unanswered"
_ASIDE: Final = (CUT, NOT_MEANT, SPOILT)
"""What is neither a success nor a failure of the CSMS."""
_CUT_OFF: Final = frozenset({Outcome.LOST, Outcome.NEVER_SENT})
"""How messages of a station end that a storm keeps from the CSMS."""
_LONG_ENOUGH: Final = 10.0
"""Seconds in which the smallest of these cars takes more than one Wh."""
_TRUSTING: Final = frozenset({"", Outcome.ACCEPTED, Outcome.LOST, Outcome.NEVER_SENT})
"""Outcomes of Authorize with which a station begins: without a connection it trusts the driver."""

QUANTITIES: Final[Mapping[str, Kind]] = MappingProxyType(
    {
        "charging-success": "share",
        "authorize-to-start-p50": "time",
        "authorize-to-start-p95": "time",
        "authorize-to-start-p99": "time",
        "remote-start-success": "share",
        "unanswered": "amount",
    }
)

_BUCKET: Final = 5.0
_MOST_BUCKETS: Final = 240
_PERCENTILES: Final = (50.0, 95.0, 99.0)


def outcome_of(row: Row) -> str:
    """Return how an attempt went: `succeeded`, `cut short`, or what kept the driver from charging."""
    failure = _failure(row)
    if failure is None:
        return SUCCEEDED
    refused = Outcome.REJECTED in (row.authorize, row.start)
    if refused and not row.expected:
        return NOT_MEANT
    messages = (row.authorize, row.start, row.stop)
    if not refused and any(one.startswith(Outcome.INJECTED) for one in messages):
        return SPOILT
    if not refused and row.storm and (any(one in _CUT_OFF for one in messages) or not (row.authorize or row.start)):
        return SPOILT
    return CUT if row.cut and not refused else failure


def _failure(row: Row) -> str | None:
    if not row.start:
        return "token refused" if row.authorize == Outcome.REJECTED else "no answer to Authorize"
    if row.start == Outcome.REJECTED:
        return "start refused"
    if not row.start_answered:
        return _START_UNANSWERED
    if not row.stop_answered:
        return _STOP_UNANSWERED
    if row.thirsty and row.seconds >= _LONG_ENOUGH and row.energy is not None and row.energy <= 0:
        return "no energy"
    return None


class Kpis:
    """The figures of a run so far."""

    def __init__(self, started: float = 0.0) -> None:
        """Begin; `started` in seconds since 1970."""
        self._started = started
        self._outcomes: Counter[tuple[str, str]] = Counter()
        self._to_start: dict[str, Histogram] = {}
        self._remote: Counter[tuple[str, bool]] = Counter()
        self._remote_to_start = Histogram()
        self._buckets: dict[int, list[int]] = {}
        self._bucket = _BUCKET
        self._begun = self._ended = self._refused = 0
        self._energy_wh = 0.0

    def add(self, row: Row) -> None:
        """Count a charging session."""
        outcome = outcome_of(row)
        self._outcomes[row.window, outcome] += 1
        self._begun += row.start_answered
        self._ended += row.stop_answered
        self._refused += Outcome.REJECTED in (row.start, row.authorize)
        if row.energy is not None and row.stop_answered:
            self._energy_wh += max(row.energy, 0.0)
        if row.to_start is not None:
            if row.remote:
                self._remote_to_start.record(round(row.to_start * 1e6))
            elif row.authorize == Outcome.ACCEPTED:
                self._to_start.setdefault(row.window, Histogram()).record(round(row.to_start * 1e6))
        if row.remote and outcome not in (CUT, SPOILT):
            works = row.start == Outcome.ACCEPTED and (row.metered or row.stop_answered)
            self._remote[row.window, works] += 1
        if outcome not in _ASIDE:
            self._count(row.plugged - self._started, succeeded=outcome == SUCCEEDED)

    def quantities(self) -> Values:
        """Return what objectives can be about, of the window `measure`."""
        succeeded, attempts = self._charging([MEASURE])
        remote = self._remote[MEASURE, True]
        remotes = remote + self._remote[MEASURE, False]
        found: dict[str, tuple[float | None, float | None]] = {
            "charging-success": (float(succeeded), float(attempts)) if attempts else (None, None),
            "remote-start-success": (float(remote), float(remotes)) if remotes else (None, None),
            "unanswered": self._unanswered(),
        }
        histogram = self._to_start.get(MEASURE)
        for percentile in _PERCENTILES:
            value = None if histogram is None else histogram.percentile(percentile) / 1000
            found[f"authorize-to-start-p{percentile:.0f}"] = (value, None)
        return found

    def figures(self) -> dict[str, Any]:
        """Return the field `kpis` of `run.json`."""
        windows = sorted({window for window, _ in self._outcomes})
        remote = self._remote[MEASURE, True]
        remotes = remote + self._remote[MEASURE, False]
        return {
            "window": MEASURE,
            "says": self.says(),
            "charging": self._charging_figures([MEASURE]),
            "charging_whole_run": self._charging_figures(windows),
            "authorize_to_start_s": _seconds(self._to_start.get(MEASURE)),
            "remote_start": {
                "accepted": remotes,
                "succeeded": remote,
                "share": round(remote / remotes, 6) if remotes else None,
                "to_start_s": _seconds(self._remote_to_start),
            },
            "sessions": {"started": self._begun, "ended": self._ended, "refused": self._refused},
            "energy_kwh": round(self._energy_wh / 1000, 3),
            "timeline": [
                {"t": index * self._bucket, "attempts": float(attempts), "succeeded": float(succeeded)}
                for index, (attempts, succeeded) in sorted(self._buckets.items())
            ],
        }

    def says(self) -> list[str]:
        """Write the most important figures in sentences; none without an attempt in the window `measure`."""
        succeeded, attempts = self._charging([MEASURE])
        said = []
        if attempts:
            said.append(f"Charging success {_percent(succeeded, attempts)}: {succeeded:,} of {attempts:,} attempts.")
        to_start = _seconds(self._to_start.get(MEASURE))
        if to_start:
            figures = ", ".join(f"{name} {to_start[name]:g} s" for name in ("p50", "p95", "p99"))
            said.append(f"Authorize to start: {figures}.")
        remote = self._remote[MEASURE, True]
        remotes = remote + self._remote[MEASURE, False]
        if remotes:
            said.append(f"Remote start success {_percent(remote, remotes)}: {remote:,} of {remotes:,}.")
        return said

    def line(self) -> str:
        """Write the state of the moment, over the whole run so far; empty before the first charging session is over."""
        succeeded, attempts = self._charging({window for window, _ in self._outcomes})
        if not attempts:
            return ""
        parts = [f"{attempts:,} charging sessions over, charging success {_percent(succeeded, attempts)}"]
        together = Histogram()
        for histogram in self._to_start.values():
            together.merge(histogram.counts)
        if together.counts:
            parts.append(f"authorize to start p95 {together.percentile(95) / 1e6:.2f} s")
        return ", ".join([*parts, f"{self._energy_wh / 1000:.1f} kWh"])

    # -- inside ------------------------------------------------------------------------------------------------------

    def _unanswered(self) -> tuple[float | None, float | None]:
        """Return how many transactions of the whole run got no answer to their start or stop, and of how many."""
        outcomes = self._of({window for window, _ in self._outcomes})
        unanswered = outcomes[_START_UNANSWERED] + outcomes[_STOP_UNANSWERED]
        whole = self._begun + outcomes[_START_UNANSWERED]
        return (float(unanswered), float(whole)) if whole else (None, None)

    def _charging(self, windows: Any) -> tuple[int, int]:
        counts = self._of(windows)
        attempts = counts.total() - sum(counts[outcome] for outcome in _ASIDE)
        return counts[SUCCEEDED], attempts

    def _charging_figures(self, windows: Any) -> dict[str, Any]:
        counts = self._of(windows)
        succeeded, attempts = self._charging(windows)
        aside = (SUCCEEDED, *_ASIDE)
        return {
            "attempts": attempts,
            "succeeded": succeeded,
            "share": round(succeeded / attempts, 6) if attempts else None,
            "failed": {name: count for name, count in counts.most_common() if name not in aside},
            "cut_short": counts[CUT],
            "refused_as_expected": counts[NOT_MEANT],
        }

    def _of(self, windows: Any) -> Counter[str]:
        counts: Counter[str] = Counter()
        for (window, outcome), count in self._outcomes.items():
            if window in windows:
                counts[outcome] += count
        return counts

    def _count(self, at: float, *, succeeded: bool) -> None:
        bucket = self._buckets.setdefault(int(max(at, 0.0) / self._bucket), [0, 0])
        bucket[0] += 1
        bucket[1] += succeeded
        if len(self._buckets) > _MOST_BUCKETS:
            joined: dict[int, list[int]] = {}
            for index, (attempts, successes) in self._buckets.items():
                pair = joined.setdefault(index // 2, [0, 0])
                pair[0] += attempts
                pair[1] += successes
            self._buckets, self._bucket = joined, self._bucket * 2


def _seconds(histogram: Histogram | None) -> dict[str, float]:
    if histogram is None or not histogram.counts:
        return {}
    found = {f"p{percentile:.0f}": round(histogram.percentile(percentile) / 1e6, 4) for percentile in _PERCENTILES}
    return {"count": float(histogram.count), **found, "max": round(histogram.max / 1e6, 4)}


def _percent(part: int, whole: int) -> str:
    # Rounded down: one failure in a million is not 100 %.
    return f"{int(part / whole * 10_000) / 100:g} %"
