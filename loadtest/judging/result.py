"""From the merged figures of a load run to its folder, its verdict and its exit code."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple

import msgspec

from evidence import exit_codes
from evidence.histogram import Histogram, write_hlog
from evidence.redact import redact_url
from evidence.run_folder import RunFolder, describe_environment, describe_tool
from evidence.run_model import (
    ActionStats,
    CallErrors,
    CallStats,
    Generator,
    LoadRun,
    LostConnections,
    Percentiles,
    RunTarget,
    SloResult,
    StageResult,
    Stations,
    WindowResult,
)
from evidence.verdicts import EXIT_CODES, RunVerdict
from evidence.vocabulary import FROM_CSMS, MEASURE, OPENED, STAYS_AWAY, TO_CSMS, is_failure
from loadtest.judging.quantities import Values
from loadtest.judging.settings import Settings
from loadtest.judging.slo import AtEnd, Broken, Figures
from loadtest.judging.slo_built_in import CERTAIN
from loadtest.judging.symptoms import Observed, slices_of, symptoms
from loadtest.measuring.merged import Latencies, Merged, Second
from loadtest.measuring.recorder import Key
from ocppj.outcomes import Outcome
from ocppj.trace import wall_clock

__all__ = ["Course", "at_end", "build_run", "exit_code", "run_verdict", "slo_figures", "write_result"]

_PERCENTILES: Final = (10.0, 50.0, 90.0, 99.0, 99.9)
_MOST_ROWS: Final = 7200
_FIELDS: Final = {field.name: field.type for field in msgspec.structs.fields(LoadRun)}


class Course(msgspec.Struct, kw_only=True):
    """What happened to the run as a whole; times in seconds since 1970, on a clock that is never set."""

    started: float
    finished: float
    windows: list[tuple[str, float]] = []
    """Each window with the time of its beginning."""
    stations: int = 0
    """How many users Locust was asked for."""
    interrupted: bool = False
    broken: Broken | None = None
    """The objective that ended the run before its time."""
    alone: str = ""
    """That the run ended before its time because nobody was connected any more, and when."""
    warnings: list[str] = []
    """What was plainly wrong within the first seconds."""
    stopped: float | None = None
    """When the stations were told to leave."""
    wanted: int | None = None
    """How many users Locust wanted at that moment; None where that is not known."""


class WindowSpan(NamedTuple):
    """A window's place in the run, in seconds since its start."""

    name: str
    start: float
    seconds: float


def spans(course: Course) -> list[WindowSpan]:
    """Return how long each window lasted."""
    ends = [start for _, start in course.windows[1:]] + [course.finished]
    return [
        WindowSpan(name, start - course.started, max(end - start, 0.0))
        for (name, start), end in zip(course.windows, ends, strict=True)
    ]


def measured_seconds(course: Course) -> float:
    """Return the length of the window `measure`, 0 where it never began."""
    return sum(span.seconds for span in spans(course) if span.name == MEASURE)


_LAST_SECONDS: Final = 5
"""A station that the CSMS resets is away for some seconds, and no fault of anybody."""


def at_end(merged: Merged, course: Course) -> AtEnd:
    """Return how many stations were accepted in the last seconds, of those that had been and were still wanted."""
    seconds = merged.seconds()
    stopped = int(course.finished if course.stopped is None else course.stopped)
    away = sum(count for kind, count in merged.injected.items() if kind.startswith(STAYS_AWAY))
    most = max(max((second.booted for second in seconds), default=0) - away, 0)
    last = [second.booted for second in seconds if stopped - _LAST_SECONDS <= second.t <= stopped]
    return AtEnd(
        accepted=max(last, default=0), had_been_accepted=most if course.wanted is None else min(most, course.wanted)
    )


def slo_figures(
    merged: Merged,
    settings: Settings,
    course: Course,
    generator: Generator | None = None,
    *,
    plugins: Values | None = None,
    end: AtEnd | None = None,
    window: Callable[[str], Mapping[Key, Latencies]],
) -> Figures:
    """Gather what objectives are held against; `window` gives the series of one window."""
    seconds = merged.seconds()
    lengths: dict[str, float] = {}
    for span in spans(course):
        lengths[span.name] = lengths.get(span.name, 0.0) + span.seconds
    return Figures(
        window=window,
        seconds=lengths,
        requested=settings.stations or course.stations,
        connected=max((second.connected for second in seconds), default=0),
        booted=max((second.booted for second in seconds), default=0),
        lost=merged.lost,
        calls=merged.calls,
        faults=merged.faults,
        connections=merged.connections,
        generator=generator,
        plugins=plugins or {},
        at_end=end,
    )


def build_run(
    merged: Merged,
    settings: Settings,
    course: Course,
    generator: Generator,
    slo: list[SloResult] | None = None,
    *,
    fields: Mapping[str, Any] | None = None,
) -> LoadRun:
    """Build the content of `run.json`, with the fields that plugins have filled; pure."""
    windows = [_window(span, merged) for span in spans(course)]
    # A worker may be in the next window a moment before the run ends without it.
    known = {window.name for window in windows}
    end = course.finished - course.started
    windows += [_window(WindowSpan(name, end, 0.0), merged) for name in merged.windows if name not in known]
    calls = [call for window in windows if window.name == MEASURE for call in window.calls]
    seconds = merged.seconds()
    run = LoadRun(
        tool=describe_tool(),
        target=RunTarget(url=redact_url(settings.url), ocpp=settings.ocpp, driver=settings.driver),
        started=wall_clock(course.started),
        finished=wall_clock(course.finished),
        seed=settings.seed,
        environment=describe_environment(),
        verdict=RunVerdict.PASSED,
        interrupted=course.interrupted,
        settings=settings.details,
        label=settings.label,
        stations=Stations(
            requested=settings.stations or course.stations,
            connected_peak=max((second.connected for second in seconds), default=0),
            booted=max((second.booted for second in seconds), default=0),
            lost=merged.lost,
        ),
        calls=calls,
        throughput=_throughput(calls, measured_seconds(course), merged),
        generator=generator,
        actions=_actions(merged.windows.get(MEASURE, {})),
        lost_connections=_lost_connections(merged, int(course.started)),
        callerrors=_callerrors(merged, int(course.started)),
        slo=slo or [],
        stopped_early=course.broken.reason if course.broken else course.alone,
        warnings=course.warnings,
        timeline=_timeline(merged, course.started),
        faults=dict(merged.faults),
        injected=dict(merged.injected),
        activity=dict(merged.activity),
        connections=dict(merged.connections),
        windows=windows,
        stages=_stages(settings, seconds, int(course.started)),
        **{name: msgspec.convert(content, _FIELDS[name]) for name, content in (fields or {}).items()},
    )
    run.symptoms = symptoms(_observed(run, merged, course))
    run.verdict = run_verdict(run)
    return run


def run_verdict(run: LoadRun) -> RunVerdict:
    """Judge a load run: whether anything can be concluded, and if so, whether it kept what was asked of it.

    Lost money needs no objective to fail a run (`loadtest.plugins.ledger.plugin`). A CSMS that is gone or lets nobody
    in has failed however well the load was generated.
    """
    if _never_reached(run):
        return RunVerdict.INCONCLUSIVE
    if any(not slo.passed and slo.built_in in CERTAIN for slo in run.slo):
        return RunVerdict.FAILED
    if run.generator.verdict == "INVALID":
        return RunVerdict.INVALID
    if any(not slo.passed and not slo.undecided for slo in run.slo) or run.ledger.failed:
        return RunVerdict.FAILED
    if any(slo.undecided for slo in run.slo):
        return RunVerdict.INCONCLUSIVE
    if run.interrupted and not run.calls:
        return RunVerdict.INCONCLUSIVE
    return RunVerdict.PASSED


def exit_code(run: LoadRun) -> int:
    """Return the exit code of a load run; the person who interrupted it knows why it is not finished."""
    if run.interrupted:
        return exit_codes.INTERRUPTED
    return exit_codes.UNREACHABLE if _never_reached(run) else EXIT_CODES[run.verdict]


def write_result(folder: RunFolder, run: LoadRun, merged: Merged, settings: Settings, course: Course) -> None:
    """Write `run.json` and then one HDR log a window; raises `UsageError` when the disk refuses."""
    folder.write_run(run, settings.secrets)
    for window in merged.windows:
        write_hlog(folder.histograms / f"{window}.hlog", merged.intervals(window), started=course.started)


def _never_reached(run: LoadRun) -> bool:
    return bool(run.connections) and not run.connections.get(OPENED)


def _window(span: WindowSpan, merged: Merged) -> WindowResult:
    figures = sorted(merged.windows.get(span.name, {}).items())
    return WindowResult(
        name=span.name,
        start=round(span.start, 3),
        seconds=round(span.seconds, 3),
        calls=[_call_stats(key, latencies) for key, latencies in figures],
    )


def _call_stats(key: Key, figures: Latencies) -> CallStats:
    ocpp, action, direction, outcome = key
    return CallStats(
        ocpp=ocpp,
        action=action,
        direction=FROM_CSMS if direction == FROM_CSMS else TO_CSMS,
        outcome=outcome,
        count=figures.response.count,
        service_ms=_percentiles(figures.service),
        response_ms=_percentiles(figures.response),
    )


def _stages(settings: Settings, seconds: list[Second], started: int) -> list[StageResult]:
    found, begin = [], 0.0
    for name, lasts in settings.stages:
        end = begin + lasts
        part = [second for second in seconds if begin <= second.t - started < end]
        count = max(len(part), 1)
        found.append(
            StageResult(
                name=name,
                at=begin,
                seconds=lasts,
                connected_peak=max((second.connected for second in part), default=0),
                booted_peak=max((second.booted for second in part), default=0),
                calls_per_s=round(sum(second.calls for second in part) / count, 3),
                failed_per_s=round(sum(second.errors for second in part) / count, 3),
                waiting_most=max((second.waiting for second in part), default=0),
            )
        )
        begin = end
    return found


def _actions(series: Mapping[Key, Latencies]) -> list[ActionStats]:
    """Add up the outcomes of each action, the most frequent action first."""
    found: dict[tuple[str, str, str], dict[str, Latencies]] = {}
    for (ocpp, action, direction, outcome), latencies in series.items():
        found.setdefault((ocpp, action, direction), {})[outcome] = latencies
    rows = []
    for (ocpp, action, direction), by_outcome in found.items():
        service, response = Histogram(), Histogram()
        for outcome, latencies in by_outcome.items():
            if outcome == Outcome.INJECTED:
                continue
            service.merge(latencies.service.counts)
            response.merge(latencies.response.counts)
        rows.append(
            ActionStats(
                ocpp=ocpp,
                action=action,
                direction=FROM_CSMS if direction == FROM_CSMS else TO_CSMS,
                count=sum(latencies.response.count for latencies in by_outcome.values()),
                outcomes={outcome: latencies.response.count for outcome, latencies in sorted(by_outcome.items())},
                service_ms=_percentiles(service),
                response_ms=_percentiles(response),
            )
        )
    return sorted(rows, key=lambda row: (-row.count, row.ocpp, row.action, row.direction))


def _lost_connections(merged: Merged, started: int) -> list[LostConnections]:
    found = [
        LostConnections(
            how=how,
            code=code,
            reason=reason,
            after=after,
            count=losses.number,
            first=float(max(losses.first - started, 0)),
            last=float(max(losses.last - started, 0)),
        )
        for (how, code, reason, after), losses in merged.losses.items()
    ]
    return sorted(found, key=lambda one: (-one.count, one.first, one.how, one.code, one.after))


def _callerrors(merged: Merged, started: int) -> list[CallErrors]:
    found = [
        CallErrors(
            ocpp=ocpp,
            action=action,
            direction=FROM_CSMS if direction == FROM_CSMS else TO_CSMS,
            code=code,
            description=text,
            count=spell.number,
            first=float(max(spell.first - started, 0)),
            last=float(max(spell.last - started, 0)),
        )
        for (ocpp, action, direction, code, text), spell in merged.callerrors.items()
    ]
    return sorted(found, key=lambda one: (-one.count, one.first, one.ocpp, one.action, one.code, one.description))


def _observed(run: LoadRun, merged: Merged, course: Course) -> Observed:
    """Gather what symptoms are looked for in."""
    generator, started = run.generator, int(course.started)
    stopped = course.finished if course.stopped is None else course.stopped
    stalls = [worker.get("longest_stall_ms", 0.0) for worker in generator.details.get("workers", ())]
    return Observed(
        most=run.stations.connected_peak,
        rows=[second._replace(t=second.t - started) for second in merged.seconds()],
        slices=slices_of(interval for window in list(merged.windows) for interval in merged.intervals(window)),
        stopped=stopped - course.started,
        struck=min((storm.at for storm in run.storms), default=math.inf),
        lag=(generator.lag_ms_p99 or 0.0) / 1000,
        stall=max(stalls, default=0.0) / 1000,
        trusted=generator.verdict != "INVALID",
        strained=generator.verdict != "VALID",
        lost=run.lost_connections,
        connections=run.connections,
        outcomes=_outcomes(run),
    )


def _outcomes(run: LoadRun) -> dict[str, dict[str, int]]:
    found: dict[str, dict[str, int]] = {}
    for call in (call for window in run.windows for call in window.calls if call.direction == TO_CSMS):
        counts = found.setdefault(call.action, {})
        counts[call.outcome] = counts.get(call.outcome, 0) + call.count
    return found


def _percentiles(histogram: Histogram) -> Percentiles | None:
    if not histogram.counts:
        return None
    p10, p50, p90, p99, p999 = (value / 1000 for value in histogram.percentiles(_PERCENTILES))
    return Percentiles(
        p50=p50,
        p90=p90,
        p99=p99,
        p999=p999,
        max=histogram.max / 1000,
        mean=round(histogram.mean / 1000, 3),
        p10=p10,
    )


def _throughput(calls: list[CallStats], seconds: float, merged: Merged) -> dict[str, float]:
    """Return rates over the window `measure`, and the number of CALLs in the whole run."""
    throughput = {"calls_total": float(merged.calls), "measured_s": round(seconds, 3)}
    if seconds > 0:
        mine = [call for call in calls if call.direction == TO_CSMS]
        throughput |= {
            "calls_per_s": round(sum(call.count for call in mine) / seconds, 3),
            "accepted_per_s": round(sum(c.count for c in mine if c.outcome == Outcome.ACCEPTED) / seconds, 3),
            "failed_per_s": round(sum(call.count for call in mine if is_failure(call.outcome)) / seconds, 3),
            "commands_per_s": round(sum(call.count for call in calls if call.direction == FROM_CSMS) / seconds, 3),
        }
    return throughput


def _timeline(merged: Merged, started: float) -> list[dict[str, float]]:
    """Return a row for each second; a run of many hours keeps every n-th, with its rates averaged over the n."""
    seconds = merged.seconds()
    step = -(-len(seconds) // _MOST_ROWS) or 1
    rows = []
    for first in range(0, len(seconds), step):
        chunk = seconds[first : first + step]
        rows.append(
            {
                "t": float(chunk[0].t - int(started)),
                "connected": float(max(second.connected for second in chunk)),
                "booted": float(max(second.booted for second in chunk)),
                "calls": sum(second.calls for second in chunk) / len(chunk),
                "errors": sum(second.errors for second in chunk) / len(chunk),
                "opened": sum(second.opened for second in chunk) / len(chunk),
                "waiting": float(max(second.waiting for second in chunk)),
            }
        )
    return rows
