"""The storms of a load run, prepared for the page: the curve of recovery beside the expected one, times and costs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec
from msgspec import UNSET

from evidence.plugin_results import StormResult
from evidence.run_model import LoadRun
from reports.charts import Figure, Mark, Series, Table, time_chart
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


_WORDS: Mapping[bool | None, tuple[str, str]] = {
    True: ("pass", "recovered"),
    False: ("miss", "not recovered"),
    None: ("none", "not judged"),
}


def view_storms(run: LoadRun) -> tuple[StormView, ...]:
    """Prepare the storms of a run."""
    return tuple(map(_view, run.storms))


def _view(storm: StormResult) -> StormView:
    tone, word = _WORDS[storm.recovered]
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


def _sentence(storm: StormResult) -> str:
    struck, unrecovered = storm.stations.struck, storm.stations.unrecovered
    trigger = f" ({storm.trigger})" if storm.trigger else ""
    parts = [
        storm.says,
        f"It struck {plural(struck, 'station')} {duration(storm.at)} after the start of the run{trigger}.",
    ]
    slowest = storm.recovery_ms.get("p999")
    if struck and not unrecovered and slowest is not None:
        parts.append(f"99.9 % of them were back after {duration(slowest / 1000)}.")
    elif unrecovered:
        parts.append(f"{count(unrecovered)} of them did not come back.")
    slower = storm.neighbours.slower
    if slower is not None:
        others = plural(storm.neighbours.stations, "station")
        parts.append(f"Calls of the other {others} took {number(slower)} times as long (p95).")
    deviation, distance = storm.formula.deviation, storm.formula.distance
    if isinstance(deviation, float) and isinstance(distance, float):
        parts.append(
            f"The curve differs from the one that the back-off {storm.formula.backoff} predicts by at most "
            f"{percent(distance)} of the stations; {percent(deviation)} if half a second early or late is allowed."
        )
    return " ".join(filter(None, parts))


_LINES = (
    ("struck", "struck", "s4", True),
    ("back", "connected again", "s1", False),
    ("booted", "accepted again", "s3", False),
    ("drained", "all answered", "s2", False),
    ("expected", "predicted from the back-off", "s2 dashed", False),
)


def _figures(storm: StormResult) -> tuple[Figure, ...]:
    rows = [row for row in storm.curve if "t" in row]
    if not rows:
        return ()
    # Where a storm leaves the connections open, only the answers show the recovery.
    lines = [line for line in _LINES if line[0] == "struck" or any(row.get(line[0], 0.0) for row in rows)]
    if any(line[0] == "back" for line in lines):
        lines = [line for line in lines if line[0] != "drained"]
    recovery = time_chart(
        "Recovery",
        "Stations that the storm struck, and how many of them are back.",
        [_series(rows, key, name, look, filled=filled) for key, name, look, filled in lines],
        unit="stations",
        axis="seconds since the storm began",
    )
    attempts = time_chart(
        "Connections opened and failed",
        "Connections that the struck stations opened, and attempts that failed.",
        [
            _series(rows, "connects_per_s", "opened", "s1", filled=True),
            _series(rows, "failed_per_s", "failed", "bad"),
        ],
        unit="per second",
        axis="seconds since the storm began",
    )
    figures = [recovery, attempts]
    figures += _neighbours(storm)
    if any(row.get("queued") for row in rows):
        figures.append(
            time_chart(
                "Transaction messages waiting",
                "Transaction messages that the struck stations have not delivered yet.",
                [_series(rows, "queued", "waiting", "s4", filled=True)],
                unit="messages",
                axis="seconds since the storm began",
            )
        )
    return tuple(figures)


def _neighbours(storm: StormResult) -> list[Figure]:
    """Draw how the stations fared that the storm left alone."""
    neighbours = storm.neighbours
    points = tuple((row["t"], row["p95_ms"]) for row in neighbours.curve if "t" in row and "p95_ms" in row)
    if not points:
        return []
    before, during = milliseconds(neighbours.before.p95_ms), milliseconds(neighbours.during.p95_ms)
    times = "" if neighbours.slower is None else f", {number(neighbours.slower)} times as long"
    return [
        time_chart(
            "Neighbours",
            f"{plural(neighbours.stations, 'station')} that the storm left alone: response p95 {before} before it, "
            f"{during} while it struck the others{times}.",
            [Series("response p95", "s4", points)],
            unit="ms",
            marks=[Mark("storm", 0.0)],
            axis="seconds since the storm began",
        )
    ]


def _series(rows: Sequence[Mapping[str, float]], key: str, name: str, look: str, *, filled: bool = False) -> Series:
    return Series(name, look, tuple((row["t"], row[key]) for row in rows if key in row), filled=filled)


_PERCENTILES = ("p50", "p95", "p999", "max")


def _times(storm: StormResult) -> Table | None:
    rows: list[tuple[str, Mapping[str, float | None]]] = [
        ("until connected again", storm.connected_ms),
        ("until connected again, as predicted from the back-off", {**storm.formula.expected_ms}),
        ("until accepted again" if storm.connected_ms else "until back", storm.recovery_ms),
        ("until everything was answered", storm.settled_ms),
        ("time away, each station by itself", storm.outage_ms),
    ]
    shown = tuple((name, *(milliseconds(times.get(word)) for word in _PERCENTILES)) for name, times in rows if times)
    return Table(("share of the stations", "50 %", "95 %", "99.9 %", "all"), shown) if shown else None


_PERIODS = ("before", "during", "after")


def _calls(storm: StormResult) -> Table | None:
    rows = [
        (
            f"{name} the storm",
            number(sample.calls_per_s),
            percent(sample.failed_share),
            milliseconds(sample.p99_ms),
            number(sample.booted),
            number(sample.connects_per_s),
        )
        for name in _PERIODS
        if (sample := storm.calls.get(name))
    ]
    columns = ("period", "calls/s", "failed", "response p99", "stations accepted", "connections/s")
    return Table(columns, tuple(rows)) if rows else None


def _costs(storm: StormResult) -> tuple[tuple[str, str], ...]:
    rows = [("most connections opened", f"{number(storm.peak_connects_per_s)} per second")]
    rows += [(f"failed attempts: {outcome}", count(amount)) for outcome, amount in storm.failed_upgrades.items()]
    if storm.refused_by_storm:
        rows.append(("attempts refused by the storm itself", count(storm.refused_by_storm)))
    rows.append(("transaction messages waiting, at most", count(storm.messages.queued_most)))
    rows.append(("transaction messages lost", count(storm.messages.lost)))
    if storm.stations.lost_again:
        rows.append(("connections lost again afterwards", count(storm.stations.lost_again)))
    if storm.twins is not UNSET:
        rows += [(_TWINS.get(name, field_words(name)), count(amount)) for name, amount in storm.twins.items()]
    if storm.scan is not UNSET:
        for kind, outcomes in storm.scan.items():
            said = ", ".join(f"{count(amount)} {outcome}" for outcome, amount in outcomes.items())
            rows.append((f"knocks of the kind {kind}", said))
    if storm.command_exit_code is not UNSET:
        rows.append(("exit code of the command", str(storm.command_exit_code)))
    return tuple(rows)


_TWINS = {
    "old_closed": "second connections for which the CSMS closed the old one",
    "old_open": "second connections beside which the old one stayed open",
    "new_kicked": "second connections that ended while the old one was open",
    "twin_opened": "twins that were let in",
    "twin_refused": "twins that were refused",
    "twin_kicked": "twins that the CSMS closed",
    "real_kicked": "connections of the stations themselves that ended meanwhile",
}
