"""A load run, prepared for the page."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import msgspec
from markupsafe import Markup

from evidence.lost_words import why_lost
from evidence.run_model import CallStats, LoadRun, Percentiles
from evidence.vocabulary import (
    CHECK,
    FROM_CSMS,
    NOTES_DROPPED,
    OPENED,
    SLOW_CONSUMER,
    SLOW_READER,
    STATION_CRASH,
    TO_CSMS,
    UNDELIVERED,
)
from ocppj.outcomes import Outcome
from reports.charts import Figure, Mark, Part, Period, Series, share_bar, time_chart
from reports.commands_view import CommandsView, view_commands
from reports.facts import facts, field_words
from reports.headline import Headline, all_calls, headline
from reports.histograms import Histograms, curve, read_histograms
from reports.knee import KneeView, knee_of
from reports.latency_charts import MAXIMUM, Band, latency_overview, percentile_curves
from reports.latency_over_time import latency_over_time
from reports.ledger_view import LedgerView, ledger_figure, view_ledger
from reports.storm_view import StormView, view_storms
from reports.svg import log_ticks
from reports.watch_view import WatchView, view_watch
from reports.words import count, duration, milliseconds, number, percent, plural, run_seconds

__all__ = ["Bar", "Cell", "LoadView", "Tile", "view_load"]

_MOST_BANDS = 14
_MOST_CURVES = 6
_LEAST_FOR_CURVE = 30
"""With fewer calls, a curve shows only chance."""


class Tile(msgspec.Struct, frozen=True):
    """One number that matters, and what it is."""

    value: str
    name: str
    note: str = ""


class Bar(msgspec.Struct, frozen=True):
    """One row of a share chart."""

    name: str
    total: int
    bar: Markup
    note: str


class Cell(msgspec.Struct, frozen=True):
    """One cell of a table that can be sorted."""

    text: str
    key: float | str


class LoadView(msgspec.Struct, frozen=True, kw_only=True):
    """A whole run, ready to be shown."""

    kind: str = "load"
    prefix: str
    name: str
    run: LoadRun
    headline: Headline
    tiles: tuple[Tile, ...]
    time_figures: tuple[Figure, ...]
    latency_figures: tuple[Figure, ...]
    overview: Figure | None
    curves: tuple[Figure, ...]
    latency_note: str
    outcomes: tuple[Bar, ...]
    outcome_legend: tuple[tuple[str, str], ...]
    columns: tuple[str, ...]
    calls: tuple[tuple[Cell, ...], ...]
    connections: tuple[Bar, ...]
    knee: KneeView | None
    stages: tuple[tuple[str, ...], ...]
    """Name, start, length, stations accepted, calls and failed calls a second, most calls that waited."""
    callerrors: tuple[tuple[str, ...], ...]
    """Action, who refused it, code, text, how many, when the first and the last."""
    lost: tuple[tuple[str, ...], ...]
    """Why connections were lost, how many, when the first and the last, and the CALL without an answer."""
    faults: tuple[tuple[str, str], ...]
    """Frames of the CSMS."""
    unread: tuple[tuple[str, str], ...]
    """How often the CSMS did not read what was sent to it."""
    own_faults: tuple[tuple[str, str], ...]
    injected: tuple[tuple[str, str], ...]
    activity: tuple[tuple[str, str], ...]
    """What the run did on purpose, and what followed from it."""
    checks: tuple[tuple[str, str], ...]
    """Failed checks of people's own stations."""
    throughput: tuple[tuple[str, str], ...]
    generator: tuple[tuple[str, str], ...]
    details: tuple[tuple[str, str], ...]
    ledger: LedgerView | None
    commands: CommandsView | None
    stations: tuple[tuple[str, str], ...]
    storms: tuple[StormView, ...]
    watch: WatchView | None


def view_load(folder: Path, run: LoadRun, *, prefix: str, name: str) -> LoadView:
    """Prepare a run; percentiles come from its histograms where they exist, else from `run.json`."""
    histograms, everything = read_histograms(folder), read_histograms(folder, every_window=True)
    bands = _bands(run, histograms)
    overview, curves = _latency_figures(bands, complete=bool(histograms.series))
    present = sorted({call.outcome for call in run.calls}, key=_outcome_place)
    return LoadView(
        prefix=prefix,
        name=name,
        run=run,
        headline=headline(run),
        tiles=_tiles(run),
        time_figures=_time_figures(run),
        latency_figures=latency_over_time(run, everything, *_marks(run)),
        overview=overview,
        curves=curves,
        latency_note=_latency_note(run, histograms),
        outcomes=_outcomes(run),
        outcome_legend=tuple((outcome_look(outcome), outcome) for outcome in present),
        columns=_COLUMNS,
        calls=tuple(map(_call_row, sorted(run.calls, key=lambda call: -call.count))),
        connections=_connections(run),
        knee=knee_of(run, everything),
        stages=tuple(
            (
                stage.name,
                duration(stage.at),
                duration(stage.seconds),
                count(stage.booted_peak),
                number(stage.calls_per_s),
                number(stage.failed_per_s),
                count(stage.waiting_most),
            )
            for stage in run.stages
        ),
        callerrors=tuple(
            (
                f"{one.action}, OCPP {one.ocpp}",
                "station" if one.direction == FROM_CSMS else "CSMS",
                one.code,
                one.description,
                count(one.count),
                duration(one.first),
                duration(one.last),
            )
            for one in run.callerrors
        ),
        lost=tuple(
            (why_lost(one), count(one.count), duration(one.first), duration(one.last), one.after)
            for one in run.lost_connections
        ),
        faults=_faults(run, lambda kind: kind not in _OURS | _UNREAD and not kind.startswith(CHECK)),
        unread=_faults(run, lambda kind: kind in _UNREAD),
        own_faults=_faults(run, lambda kind: kind in _OURS),
        injected=tuple((kind, count(amount)) for kind, amount in sorted(run.injected.items(), key=lambda one: -one[1])),
        activity=tuple((kind, count(amount)) for kind, amount in sorted(run.activity.items(), key=lambda one: -one[1])),
        checks=_faults(run, lambda kind: kind.startswith(CHECK)),
        throughput=tuple((field_words(key), number(value, 4)) for key, value in run.throughput.items()),
        generator=_generator(run),
        details=facts(run.generator.details),
        ledger=view_ledger(run),
        commands=view_commands(run),
        storms=view_storms(run),
        watch=view_watch(run, *_marks(run)),
        stations=_stations(run),
    )


_UNREAD = frozenset({SLOW_READER, SLOW_CONSUMER})
_OURS = frozenset({UNDELIVERED, NOTES_DROPPED, STATION_CRASH})


def _faults(run: LoadRun, wanted: Callable[[str], bool]) -> tuple[tuple[str, str], ...]:
    chosen = [(kind, amount) for kind, amount in run.faults.items() if wanted(kind)]
    return tuple((kind.removeprefix(CHECK), count(amount)) for kind, amount in sorted(chosen, key=lambda one: -one[1]))


def _stations(run: LoadRun) -> tuple[tuple[str, str], ...]:
    stations = run.stations
    return (
        ("requested", count(stations.requested)),
        ("connected at the same time, at most", count(stations.connected_peak)),
        ("booted", count(stations.booted)),
        ("connections lost besides those of storms" if run.storms else "connections lost", count(stations.lost)),
    )


def _tiles(run: LoadRun) -> tuple[Tile, ...]:
    total = sum(call.count for call in run.calls)
    accepted = sum(call.count for call in run.calls if call.outcome == Outcome.ACCEPTED)
    stations = run.stations
    tiles = [
        Tile(count(stations.connected_peak), "stations connected", f"of {count(stations.requested)} requested"),
        Tile(count(stations.booted), "stations booted", f"{plural(stations.lost, 'connection')} lost"),
        Tile(count(all_calls(run)), "calls", _measured(run, total)),
    ]
    if "calls_per_s" in run.throughput:
        tiles.append(Tile(number(run.throughput["calls_per_s"]), "calls per second"))
    if total:
        tiles.append(Tile(percent(accepted / total), "accepted", f"{count(total - accepted)} with another outcome"))
    if figure := ledger_figure(run):
        tiles.append(Tile(f"{figure[0]} lost", "transactions", f"of {figure[1]}"))
    if run.slo:
        met = sum(slo.passed for slo in run.slo)
        own = sum(not slo.built_in for slo in run.slo)
        built_in = len(run.slo) - own
        tiles.append(Tile(f"{met} of {len(run.slo)}", "SLOs met", f"{built_in} of them built in" if built_in else ""))
    return tuple(tiles)


def _measured(run: LoadRun, judged: int) -> str:
    if "measured_s" in run.throughput:
        return f"{count(judged)} of them judged, in {duration(run.throughput['measured_s'])}"
    return f"in {duration(run_seconds(run))}"


_TITLES = {"opened": "Connections opened per second", "waiting": "Calls that wait for an answer"}
_KNOWN_COLUMNS = {"t", "connected", "booted", "calls", "errors"}


def _marks(run: LoadRun) -> tuple[list[Period], list[Mark]]:
    """Return what is marked on every chart over time: the windows, and the storms."""
    periods = [Period(window.name, window.start, window.start + window.seconds) for window in run.windows]
    marks = [Mark(stage.name, stage.at) for stage in run.stages if stage.at]
    return periods, [*marks, *(Mark(storm.storm, storm.at) for storm in run.storms)]


def _time_figures(run: LoadRun) -> tuple[Figure, ...]:
    rows = [row for row in run.timeline if "t" in row]
    if not rows:
        return ()
    periods, marks = _marks(run)
    figures = [
        time_chart(
            "Throughput",
            "Calls that ended in each second, and those among them without a proper answer.",
            [_series(rows, "calls", "calls", "s1", filled=True), _series(rows, "errors", "errors", "bad")],
            unit="per second",
            periods=periods,
            marks=marks,
        ),
        time_chart(
            "Stations",
            "Stations with an open connection, and stations that the CSMS had accepted.",
            [
                _series(rows, "connected", "connected", "s1", filled=True),
                _series(rows, "booted", "booted", "s3 dashed"),
            ],
            unit="stations",
            periods=periods,
            marks=marks,
        ),
    ]
    others = dict.fromkeys(key for row in rows for key in row if key not in _KNOWN_COLUMNS)
    figures += [
        time_chart(
            _TITLES.get(key) or field_words(key).capitalize(),
            "",
            [_series(rows, key, field_words(key), "s4", filled=True)],
            unit="",
            periods=periods,
            marks=marks,
        )
        for key in others
    ]
    return tuple(figures)


def _series(rows: Sequence[Mapping[str, float]], key: str, name: str, look: str, *, filled: bool = False) -> Series:
    return Series(name, look, tuple((row["t"], row[key]) for row in rows if key in row), filled=filled)


# -- latency ---------------------------------------------------------------------------------------------------------


def _bands(run: LoadRun, histograms: Histograms) -> list[Band]:
    totals: dict[tuple[str, str, str], int] = {}
    for call in run.calls:
        key = (call.ocpp, call.action, call.direction)
        totals[key] = totals.get(key, 0) + call.count
    bands = []
    for (ocpp, action, direction), total in sorted(totals.items(), key=lambda pair: -pair[1]):
        service = curve(histograms.merged(ocpp, action, direction, "service"))
        response = curve(histograms.merged(ocpp, action, direction, "response"))
        detail = f"OCPP {ocpp}{_DIRECTIONS.get(direction, '')}"
        if not service and not response:
            largest = max(
                (call for call in run.calls if (call.ocpp, call.action, call.direction) == (ocpp, action, direction)),
                key=lambda call: call.count,
            )
            service, response = _from_run_json(largest.service_ms), _from_run_json(largest.response_ms)
            detail += f", {largest.outcome} only"
        if service or response:
            bands.append(Band(name=action, detail=detail, count=total, service=service, response=response))
    return bands


_DIRECTIONS = {FROM_CSMS: ", asked by the CSMS"}


def _from_run_json(percentiles: Percentiles | None) -> dict[float, float]:
    if percentiles is None:
        return {}
    return {
        50: percentiles.p50,
        90: percentiles.p90,
        99: percentiles.p99,
        99.9: percentiles.p999,
        MAXIMUM: percentiles.max,
    }


def _latency_figures(bands: Sequence[Band], *, complete: bool) -> tuple[Figure | None, tuple[Figure, ...]]:
    if not bands:
        return None, ()
    shown = bands[:_MOST_BANDS]
    curves = [band for band in shown[:_MOST_CURVES] if complete and band.count >= _LEAST_FOR_CURVE]
    ticks = log_ticks([value for band in curves for _, _, values in band.clocks for value in values.values()])
    return latency_overview(shown), tuple(percentile_curves(band, ticks) for band in curves)


def _latency_note(run: LoadRun, histograms: Histograms) -> str:
    notes = []
    if run.calls and not histograms.series:
        notes.append(
            "No histogram file was found: these are the percentiles of run.json for one outcome of each action."
        )
    if histograms.unreadable:
        notes.append(f"These files are not readable: {', '.join(histograms.unreadable)}.")
    actions = {(call.ocpp, call.action, call.direction) for call in run.calls}
    if len(actions) > _MOST_BANDS:
        notes.append(
            f"Only the {_MOST_BANDS} most frequent of {len(actions)} actions are shown; the table below has all."
        )
    return " ".join(notes)


# -- outcomes --------------------------------------------------------------------------------------------------------

_LOOKS: Mapping[str, str] = {
    Outcome.ACCEPTED: "o-accepted",
    Outcome.REJECTED: "o-rejected",
    Outcome.CALLERROR: "o-callerror",
    Outcome.TIMEOUT: "o-timeout",
    Outcome.LOST: "o-lost",
    Outcome.NEVER_SENT: "o-never",
    Outcome.LATE: "o-late",
    Outcome.SCHEMA_INVALID: "o-schema",
    Outcome.UNSOLICITED: "o-late",
    Outcome.INJECTED: "o-late",
}


def outcome_look(outcome: str) -> str:
    """Name the class of the style sheet for an outcome; the codes of a CALLERROR share one."""
    return _LOOKS.get(outcome.partition(":")[0], "o-other")


def _outcome_place(outcome: str) -> tuple[int, str]:
    names = list(_LOOKS)
    head = outcome.partition(":")[0]
    return (names.index(head) if head in names else len(names), outcome)


def _outcomes(run: LoadRun) -> tuple[Bar, ...]:
    by_action: dict[tuple[str, str, str], list[CallStats]] = {}
    for call in run.calls:
        by_action.setdefault((call.ocpp, call.action, call.direction), []).append(call)
    rows = [_outcome_bar("All calls", run.calls)] if run.calls else []
    for (ocpp, action, direction), calls in sorted(by_action.items(), key=lambda pair: -_total(pair[1])):
        rows.append(_outcome_bar(f"{action}, OCPP {ocpp}{_DIRECTIONS.get(direction, '')}", calls))
    return tuple(rows)


def _outcome_bar(name: str, calls: Sequence[CallStats]) -> Bar:
    total = _total(calls)
    amounts: dict[str, int] = {}
    for call in calls:
        amounts[call.outcome] = amounts.get(call.outcome, 0) + call.count
    ordered = sorted(amounts.items(), key=lambda pair: _outcome_place(pair[0]))
    told = ", ".join(f"{outcome} {percent(amount / total)}" for outcome, amount in ordered) if total else ""
    bar = share_bar(
        f"Outcomes of {name}", [Part(outcome, outcome_look(outcome), amount) for outcome, amount in ordered]
    )
    return Bar(name, total, bar, told)


def _total(calls: Sequence[CallStats]) -> int:
    return sum(call.count for call in calls)


def _connections(run: LoadRun) -> tuple[Bar, ...]:
    total = sum(run.connections.values())
    return tuple(
        Bar(
            outcome,
            amount,
            share_bar(
                f"Connection attempts that ended as {outcome}",
                [
                    Part(outcome, "o-accepted" if outcome == OPENED else "o-callerror", amount),
                    Part("", "rest", total - amount),
                ],
            ),
            percent(amount / total) if total else "",
        )
        for outcome, amount in sorted(run.connections.items(), key=lambda pair: -pair[1])
    )


_COLUMNS = (
    "OCPP",
    "action",
    "asked by",
    "outcome",
    "count",
    *(f"{clock} {name}" for clock in ("service", "response") for name in ("p50", "p90", "p99", "p99.9", "max")),
)


def _call_row(call: CallStats) -> tuple[Cell, ...]:
    latencies = [
        value
        for percentiles in (call.service_ms, call.response_ms)
        for value in (
            (None,) * 5
            if percentiles is None
            else (percentiles.p50, percentiles.p90, percentiles.p99, percentiles.p999, percentiles.max)
        )
    ]
    return (
        Cell(call.ocpp, call.ocpp),
        Cell(call.action, call.action),
        Cell("station" if call.direction == TO_CSMS else "CSMS", call.direction),
        Cell(call.outcome, call.outcome),
        Cell(count(call.count), call.count),
        *(Cell(milliseconds(value), -1.0 if value is None else value) for value in latencies),
    )


# -- plain facts -----------------------------------------------------------------------------------------------------


def _generator(run: LoadRun) -> tuple[tuple[str, str], ...]:
    generator = run.generator
    rows: list[tuple[str, str]] = []
    if generator.lag_ms_p99 is not None:
        rows.append(("scheduling lag, p99", milliseconds(generator.lag_ms_p99)))
    if generator.cpu is not None:
        rows.append(("CPU of the busiest worker", f"{percent(generator.cpu)} of one core"))
    if generator.rss_kb_per_station is not None:
        rows.append(("memory per station", f"{number(generator.rss_kb_per_station)} KB"))
    return tuple(rows)
