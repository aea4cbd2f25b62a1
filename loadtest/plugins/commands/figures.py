"""The figures of commands: latencies in histograms, and how many ended in which way, for each command and version."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any, Final

from evidence.histogram import Histogram, Interval, Tag
from evidence.plugin_results import CommandOutcome
from loadtest.judging.quantities import Kind, Values
from loadtest.plugins.commands.matching import Api, Sent

__all__ = ["CLOCKS", "FAILURES", "QUANTITIES", "Figures", "live_line"]

CLOCKS: Final = ("service", "response", "reach", "started", "effect")
"""From the API call to its answer, from the intended time to that answer, and from the API call to the CALL at the
station, to the answered start of the transaction, and to the effect."""
FAILURES: Final = frozenset(
    {
        CommandOutcome.WRONG_STATION,
        CommandOutcome.WRONG_TOKEN,
        CommandOutcome.NEVER_SENT,
        CommandOutcome.API_ERROR,
        CommandOutcome.NEVER_SEEN,
        CommandOutcome.API_TIMEOUT,
        CommandOutcome.NO_EFFECT,
    }
)
_UNKNOWN: Final = frozenset({CommandOutcome.OPEN, CommandOutcome.NO_TARGET})
QUANTITIES: Final[Mapping[str, Kind]] = MappingProxyType(
    {
        **{
            f"{clock}-{statistic}": "time"
            for clock in CLOCKS
            for statistic in ("p50", "p90", "p95", "p99", "p99.9", "max")
        },
        "failed": "amount",
        **{verdict.value: "amount" for verdict in CommandOutcome if verdict not in _UNKNOWN},
    }
)
_PERCENTILES: Final = (50.0, 90.0, 95.0, 99.0, 99.9)
_NAMES: Final = ("p50", "p90", "p95", "p99", "p999")
_LATE: Final = 1.0
"""Seconds behind its time from which a command counts as late."""
_MOST_REASONS: Final = 5


class _Tally:
    """One command in one version."""

    def __init__(self, action: str, effect: str) -> None:
        self.action = action
        self.effect = effect
        self.clocks = {clock: Histogram() for clock in CLOCKS}
        self.verdicts: Counter[CommandOutcome] = Counter()
        self.api: Counter[Api] = Counter()
        self.intended = self.late = self.seen = self.seen_again = self.taken = self.effects = 0
        self.reasons: Counter[str] = Counter()


class Figures:
    """All commands of a run."""

    def __init__(self) -> None:
        """Start empty."""
        self._tallies: dict[tuple[str, str], _Tally] = {}

    def close(self, sent: Sent, verdict: CommandOutcome) -> None:
        """Count a command that is over; times are those of one clock, in seconds."""
        tally = self._tally(sent.errand.label, sent.ocpp, sent.recipe.action, sent.recipe.effect)
        tally.intended += 1
        tally.verdicts[verdict] += 1
        tally.late += sent.sent - sent.intended > _LATE
        if sent.why and len(tally.reasons) < _MOST_REASONS:
            tally.reasons[sent.why] += 1
        if sent.api is not None:
            tally.api[sent.api] += 1
        if sent.answered is not None and sent.api is not Api.ERROR:
            _record(tally, "service", sent.answered - sent.sent)
            _record(tally, "response", sent.answered - sent.intended)
        if verdict in (CommandOutcome.WRONG_STATION, CommandOutcome.WRONG_TOKEN) or sent.seen is None:
            return
        tally.seen += 1
        tally.seen_again += sent.seen_again
        tally.taken += sent.taken
        _record(tally, "reach", sent.seen - sent.sent)
        if sent.started is not None:
            _record(tally, "started", sent.started - sent.sent)
        if sent.effect is not None:
            tally.effects += 1
            _record(tally, "effect", sent.effect - sent.sent)

    def never_sent(self, label: str, ocpp: str, action: str, effect: str, waited: float | None) -> None:
        """Count a command that was not sent: after so many seconds, or for want of a station (None)."""
        tally = self._tally(label, ocpp, action, effect)
        tally.intended += 1
        tally.verdicts[CommandOutcome.NO_TARGET if waited is None else CommandOutcome.NEVER_SENT] += 1
        if waited is not None:
            # Left out, it would make the percentiles look better the worse it gets.
            _record(tally, "response", waited)

    def rows(self) -> list[dict[str, Any]]:
        """Write them as `run.json` holds them."""
        return [_row(label, ocpp, tally) for (label, ocpp), tally in sorted(self._tallies.items())]

    def outcomes(self) -> Iterator[tuple[str, str, str, int]]:
        """Return command, version and outcome, and how often that was."""
        for (label, ocpp), tally in self._tallies.items():
            for outcome, number in tally.verdicts.items():
                yield label, ocpp, str(outcome), number

    def intervals(self, seconds: float) -> Iterator[Interval]:
        """Write them as lines of an HDR log that spans the run."""
        for (label, ocpp), tally in sorted(self._tallies.items()):
            for clock, histogram in tally.clocks.items():
                if histogram.counts:
                    yield Interval(str(Tag(ocpp, label, "command", "all", clock)), 0.0, seconds, histogram)

    def quantities(self) -> Values:
        """Write what objectives are about: ms, and numbers with the whole that they are shares of."""
        found: dict[str, tuple[float | None, float | None]] = {}
        for clock in CLOCKS:
            merged = self.merged(clock)
            values = merged.percentiles(_PERCENTILES) if merged.counts else [None] * len(_PERCENTILES)
            for percentile, value in zip(_PERCENTILES, values, strict=True):
                found[f"{clock}-p{percentile:g}"] = (None if value is None else value / 1000, None)
            found[f"{clock}-max"] = (merged.max / 1000 if merged.counts else None, None)
        verdicts = self.verdicts
        known = sum(number for verdict, number in verdicts.items() if verdict not in _UNKNOWN)
        whole = float(known) if known else None
        for verdict in CommandOutcome:
            found[verdict] = (float(verdicts[verdict]) if whole else None, whole)
        failed = sum(number for verdict, number in verdicts.items() if verdict in FAILURES)
        found["failed"] = (float(failed) if whole else None, whole)
        return found

    @property
    def verdicts(self) -> Counter[CommandOutcome]:
        """How all commands ended."""
        total: Counter[CommandOutcome] = Counter()
        for tally in self._tallies.values():
            total.update(tally.verdicts)
        return total

    def merged(self, clock: str) -> Histogram:
        """Merge one clock over all commands."""
        total = Histogram()
        for tally in self._tallies.values():
            total.merge(tally.clocks[clock].counts)
        return total

    def _tally(self, label: str, ocpp: str, action: str, effect: str) -> _Tally:
        key = label, str(ocpp)
        tally = self._tallies.get(key)
        if tally is None:
            tally = self._tallies[key] = _Tally(action, str(effect))
        return tally


def live_line(verdicts: Mapping[CommandOutcome, int], under_way: int, reach: Histogram) -> str:
    """Write the state of all commands in a line."""
    failed = sum(number for verdict, number in verdicts.items() if verdict in FAILURES)
    sent = sum(verdicts.values()) - verdicts.get(CommandOutcome.NO_TARGET, 0) + under_way
    parts = [f"commands {sent} sent, {failed} failed"]
    if reach.counts:
        parts.append(f"reach p95 {reach.percentile(95) / 1000:.1f} ms")
    return ", ".join(parts)


def _record(tally: _Tally, clock: str, seconds: float) -> None:
    tally.clocks[clock].record(int(max(seconds, 0.0) * 1e6 + 0.5))


def _row(label: str, ocpp: str, tally: _Tally) -> dict[str, Any]:
    unsent = tally.verdicts[CommandOutcome.NEVER_SENT] + tally.verdicts[CommandOutcome.NO_TARGET]
    row: dict[str, Any] = {
        "command": label,
        "action": tally.action,
        "ocpp": ocpp,
        "effect": tally.effect,
        "intended": tally.intended,
        "sent": tally.intended - unsent,
        "late": tally.late,
        "outcomes": {str(verdict): number for verdict in CommandOutcome if (number := tally.verdicts[verdict])},
        "api": {str(word): number for word in Api if (number := tally.api[word])},
        "seen": tally.seen,
        "seen_again": tally.seen_again,
        "taken": tally.taken,
        "effects": tally.effects,
    }
    for clock, histogram in tally.clocks.items():
        if histogram.counts:
            values = zip(_NAMES, histogram.percentiles(_PERCENTILES), strict=True)
            row[f"{clock}_ms"] = {
                "count": histogram.count,
                **{name: value / 1000 for name, value in values},
                "max": histogram.max / 1000,
            }
    if tally.reasons:
        row["reasons"] = [reason for reason, _ in tally.reasons.most_common()]
    return row
