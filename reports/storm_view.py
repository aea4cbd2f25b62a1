"""The storms of a load run, prepared for the page: the curve of recovery beside the expected one, times and costs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import isfinite
from typing import Any

import msgspec

from evidence.run_model import LoadRun
from reports.charts import Figure, Series, Table, time_chart
from reports.facts import facts, field_words
from reports.words import count, duration, milliseconds, number, percent, plural

__all__ = ["StormView", "view_storms"]


class StormView(msgspec.Struct, frozen=True, kw_only=True):
    """One storm, ready to be shown."""

    title: str
    says: str
    tone: str
    """Class of the badge: pass, miss or none."""
    word: str
    reasons: tuple[str, ...]
    figures: tuple[Figure, ...]
    times: Table | None
    calls: Table | None
    costs: tuple[tuple[str, str], ...]
    parameters: tuple[tuple[str, str], ...]


class _Storm(msgspec.Struct, kw_only=True):
    """What a page needs of a storm in `run.json`; what is missing is not shown."""

    storm: str
    number: int = 0
    says: str = ""
    trigger: str = ""
    at: float = 0.0
    parameters: dict[str, Any] = {}
    stations: dict[str, int] = {}
    recovery_ms: dict[str, float | None] = {}
    connected_ms: dict[str, float | None] = {}
    settled_ms: dict[str, float | None] = {}
    outage_ms: dict[str, float | None] = {}
    formula: dict[str, Any] = {}
    peak_connects_per_s: float = 0
    failed_upgrades: dict[str, int] = {}
    refused_by_storm: int = 0
    messages: dict[str, int] = {}
    calls: dict[str, dict[str, float]] = {}
    twins: dict[str, int] = {}
    recovered: bool | None = None
    reasons: list[str] = []
    curve: list[dict[str, float]] = []
    command_exit_code: int | None = None


def view_storms(run: LoadRun) -> tuple[StormView, ...]:
    """Prepare the storms of a run; one that is damaged shows as what it holds."""
    return tuple(map(_view, run.storms))


def _view(document: Mapping[str, Any]) -> StormView:
    try:
        storm = msgspec.convert(document, _Storm)
    except msgspec.ValidationError as error:
        says = f"This storm cannot be read: {error}"
        return StormView(
            title=str(document.get("storm", "storm")),
            says=says,
            tone="none",
            word="?",
            reasons=(),
            figures=(),
            times=None,
            calls=None,
            costs=(),
            parameters=facts(document),
        )
    tone, word = {True: ("pass", "recovered"), False: ("miss", "not recovered"), None: ("none", "not judged")}[
        storm.recovered
    ]
    return StormView(
        title=f"Storm {storm.number}: {storm.storm}",
        says=_sentence(storm),
        tone=tone,
        word=word,
        reasons=tuple(storm.reasons),
        figures=_figures(storm),
        times=_times(storm),
        calls=_calls(storm),
        costs=_costs(storm),
        parameters=facts(storm.parameters),
    )


def _sentence(storm: _Storm) -> str:
    struck = storm.stations.get("struck", 0)
    parts = [storm.says, f"It struck {plural(struck, 'station')} {duration(storm.at)} after the start of the run"]
    parts[-1] += f" ({storm.trigger})." if storm.trigger else "."
    unrecovered = storm.stations.get("unrecovered", 0)
    slowest = storm.recovery_ms.get("p999")
    if struck and not unrecovered and slowest is not None:
        parts.append(f"99.9 % were back after {duration(slowest / 1000)}.")
    elif unrecovered:
        parts.append(f"{count(unrecovered)} of them did not come back.")
    deviation, apart = storm.formula.get("deviation"), storm.formula.get("distance")
    if isinstance(deviation, int | float) and isinstance(apart, int | float) and isfinite(deviation + apart):
        parts.append(
            f"The curve is at most {percent(apart)} of the stations away from what the back-off "
            f"{storm.formula.get('backoff', '')} promises, {percent(deviation)} beyond half a second to either side."
        )
    return " ".join(parts)


_LINES = (
    ("struck", "struck", "s4", True),
    ("back", "connected again", "s1", False),
    ("booted", "accepted again", "s3", False),
    ("drained", "all answered", "s2", False),
    ("expected", "expected from the back-off", "s2 dashed", False),
)


def _figures(storm: _Storm) -> tuple[Figure, ...]:
    rows = [row for row in storm.curve if "t" in row]
    if not rows:
        return ()
    # Of a storm that leaves the connections alone, only the answers say anything.
    lines = [line for line in _LINES if line[0] == "struck" or any(row.get(line[0], 0.0) for row in rows)]
    if any(line[0] == "back" for line in lines):
        lines = [line for line in lines if line[0] != "drained"]
    recovery = time_chart(
        "Recovery",
        "Stations that were struck, and those that are back, since the storm began.",
        [_series(rows, key, name, look, filled=filled) for key, name, look, filled in lines],
        unit="stations",
        axis="seconds since the storm began",
    )
    attempts = time_chart(
        "Connects and failures",
        "Connections opened by the struck stations, and attempts that the CSMS failed.",
        [
            _series(rows, "connects_per_s", "opened", "s1", filled=True),
            _series(rows, "failed_per_s", "failed", "bad"),
        ],
        unit="per second",
        axis="seconds since the storm began",
    )
    figures = [recovery, attempts]
    if any(row.get("queued") for row in rows):
        figures.append(
            time_chart(
                "Transaction messages that wait",
                "What the struck stations could not deliver yet.",
                [_series(rows, "queued", "waiting", "s4", filled=True)],
                unit="messages",
                axis="seconds since the storm began",
            )
        )
    return tuple(figures)


def _series(rows: Sequence[Mapping[str, float]], key: str, name: str, look: str, *, filled: bool = False) -> Series:
    return Series(name, look, tuple((row["t"], row[key]) for row in rows if key in row), filled=filled)


_PERCENTILES = ("p50", "p95", "p999", "max")


def _times(storm: _Storm) -> Table | None:
    expected = storm.formula.get("expected_ms")
    rows: list[tuple[str, Mapping[str, Any]]] = [
        ("connected again", storm.connected_ms),
        ("expected from the back-off", expected if isinstance(expected, dict) else {}),
        ("accepted again" if storm.connected_ms else "back", storm.recovery_ms),
        ("everything answered", storm.settled_ms),
        ("away, single stations", storm.outage_ms),
    ]
    shown = tuple((name, *(_milliseconds(times.get(word)) for word in _PERCENTILES)) for name, times in rows if times)
    return Table(("time until", "50 %", "95 %", "99.9 %", "all"), shown) if shown else None


def _milliseconds(value: Any) -> str:
    return milliseconds(float(value) if isinstance(value, int | float) else None)


_SPANS = ("before", "during", "after")


def _calls(storm: _Storm) -> Table | None:
    rows = [
        (
            name,
            number(sample.get("calls_per_s", 0.0)),
            percent(sample.get("failed_share", 0.0)),
            milliseconds(sample.get("p99_ms")),
            number(sample.get("booted", 0.0)),
            number(sample.get("connects_per_s", 0.0)),
        )
        for name in _SPANS
        if (sample := storm.calls.get(name))
    ]
    columns = ("the storm", "calls/s", "failed", "response p99", "stations accepted", "connects/s")
    return Table(columns, tuple(rows)) if rows else None


def _costs(storm: _Storm) -> tuple[tuple[str, str], ...]:
    rows = [("peak of connects", f"{number(storm.peak_connects_per_s)} per second")]
    rows += [(f"failed attempts: {outcome}", count(amount)) for outcome, amount in storm.failed_upgrades.items()]
    if storm.refused_by_storm:
        rows.append(("attempts refused by the storm itself", count(storm.refused_by_storm)))
    if "queued_most" in storm.messages:
        rows.append(("transaction messages waiting, at most", count(storm.messages["queued_most"])))
    if "lost" in storm.messages:
        rows.append(("transaction messages lost", count(storm.messages["lost"])))
    if storm.stations.get("lost_again"):
        rows.append(("connections lost again afterwards", count(storm.stations["lost_again"])))
    rows += [(f"twins: {_TWINS.get(name, field_words(name))}", count(amount)) for name, amount in storm.twins.items()]
    if storm.command_exit_code is not None:
        rows.append(("exit code of the command", str(storm.command_exit_code)))
    return tuple(rows)


_TWINS = {
    "old_closed": "old connection ended by the CSMS",
    "old_open": "old connection left open",
    "new_kicked": "new connection ended while the old one was there",
}
