from __future__ import annotations

import io
from pathlib import Path

from rich.console import Console

from evidence.plugin_results import StormResult, StormStations
from evidence.run_model import (
    ActionStats,
    CallStats,
    Generator,
    LoadRun,
    LostConnections,
    Percentiles,
    RunTarget,
    Stations,
)
from evidence.verdicts import RunVerdict
from evidence.vocabulary import TO_CSMS
from loadtest.cluster.live import PLAIN_EVERY, Progress, Snapshot, print_result, snapshot
from loadtest.measuring.merged import Merged
from loadtest.measuring.recorder import Recorder


def view(elapsed: float = 12.0) -> Snapshot:
    return Snapshot(
        elapsed=elapsed,
        window="measure",
        target=200,
        connected=199,
        booted=198,
        calls_per_s=450,
        failed_per_s=3,
        p99_ms={"Heartbeat": 1.25, "MeterValues": 3.0, "Authorize": 9.0},
    )


def shown(progress: Progress, console_file: io.StringIO) -> str:
    progress.close()
    return console_file.getvalue()


def test_without_a_terminal_a_plain_line_comes_every_few_seconds() -> None:
    file = io.StringIO()
    progress = Progress(Console(file=file, width=40))
    due = []
    for second in range(12):
        due += [second] if progress.due(float(second)) else []
        progress.show(view(float(second)))
    lines = shown(progress, file).splitlines()
    assert len(lines) == len(range(0, 12, int(PLAIN_EVERY)))
    assert due == list(range(0, 12, int(PLAIN_EVERY)))
    assert lines[0] == (
        "   0 s measure: 199/200 connected, 198 booted; 450 CALL/s, 3 failed/s; "
        "p99 Heartbeat 1.2 ms, MeterValues 3.0 ms, Authorize 9.0 ms"
    )


def test_what_takes_part_beside_the_measuring_has_its_line() -> None:
    for terminal in (False, True):
        file = io.StringIO()
        progress = Progress(Console(file=file, width=120, force_terminal=terminal))
        state = view()
        state.lines = ["12 charging sessions over, charging success [99] %"]
        progress.show(state)
        assert "12 charging sessions over, charging success [99] %" in shown(progress, file)


def test_on_a_terminal_every_second_is_shown() -> None:
    progress = Progress(Console(file=io.StringIO(), width=120, force_terminal=True))
    progress.show(view(1.0))
    assert progress.due(1.1)
    progress.close()


def test_on_a_terminal_a_table_is_drawn_over() -> None:
    file = io.StringIO()
    progress = Progress(Console(file=file, force_terminal=True, width=100, legacy_windows=False))
    progress.show(view())
    progress.show(view())
    text = shown(progress, file)
    assert "199 / 200" in text
    assert "p99 Heartbeat" in text
    assert "\x1b[" in text


def test_busiest_actions_are_shown_with_their_outcomes_together() -> None:
    recorder, merged = Recorder(), Merged()
    for action, count in (("A", 5), ("B", 50), ("C", 40), ("D", 30), ("E", 20)):
        for n in range(count):
            outcome = "accepted" if n % 2 else "timeout"
            recorder.call("1.6", action, TO_CSMS, outcome, 0.010, 0.010)
    recorder.call("1.6", "FromCsms", "csms-to-station", "accepted", 0.010, 0.010)
    merged.add(recorder.take(final=True), 0.0)
    seen = snapshot(merged, elapsed=1.0, window="ramp", target=5, connected=3, booted=2)
    assert list(seen.p99_ms) == ["B", "C", "D", "E"]
    assert (seen.calls, seen.connected, seen.booted) == (146, 3, 2)


def finished(**changes: object) -> LoadRun:
    times = Percentiles(p50=1.0, p90=2.0, p99=3.5, p999=4.0, max=5.0)
    outcomes = (("accepted", 90), ("rejected", 7), ("timeout", 3))
    run = LoadRun(
        tool={},
        target=RunTarget(url="ws://127.0.0.1", ocpp=["1.6"]),
        started="",
        finished="",
        seed=None,
        environment={},
        verdict=RunVerdict.PASSED,
        stations=Stations(requested=10, connected_peak=9, booted=8, lost=1),
        calls=[
            CallStats(
                ocpp="1.6",
                action="Authorize",
                direction="station-to-csms",
                outcome=outcome,
                count=count,
                response_ms=times,
            )
            for outcome, count in outcomes
        ],
        actions=[
            ActionStats(
                ocpp="1.6",
                action="Authorize",
                direction="station-to-csms",
                count=sum(count for _, count in outcomes),
                outcomes=dict(outcomes),
                response_ms=times,
            )
        ],
        throughput={"calls_total": 130.0, "calls_per_s": 10.0},
        generator=Generator(verdict="DEGRADED", reasons=["Worker 1 [slow] did x."]),
        connections={"opened": 9, "refused 401": 1},
    )
    for name, value in changes.items():
        setattr(run, name, value)
    return run


def test_the_end_shows_actions_flaws_verdict_and_folder() -> None:
    file = io.StringIO()
    print_result(finished(interrupted=True), Path("runs/x"), Console(file=file, width=120))
    text = file.getvalue()
    row = next(line for line in text.splitlines() if "Authorize" in line)
    assert row.split() == [*["Authorize", "1.6", "100", "90", "7", "rejected,", "3", "timeout"], "1.00", "3.50", "5.00"]
    assert "response latency in ms, time-outs and every outcome included" in text
    assert "9 of 10 stations connected" in text
    assert "1 connection attempts: refused 401" in text
    assert "Worker 1 [slow] did x." in text
    assert "Verdict: passed, interrupted. Results: runs/x" in text


def test_the_end_names_why_connections_were_lost_and_what_became_of_each_storm() -> None:
    run = finished(
        lost_connections=[
            LostConnections(how="closed-by-csms", code=1011, reason="out of [memory]", count=7, first=25.0, last=26.0)
        ],
        storms=[
            StormResult(storm="lb-drain", at=12.0, stations=StormStations(struck=9, unrecovered=4), recovered=False),
            StormResult(storm="clock-surge", at=3.0, stations=StormStations(struck=9), recovered=True),
        ],
    )
    file = io.StringIO()
    print_result(run, Path("runs/x"), Console(file=file, width=120))
    text = file.getvalue()
    assert '7 connections lost from 25 s to 26 s: the CSMS closed with 1011 "out of [memory]"' in text
    assert "Storm lb-drain after 12 s struck 9 stations, 4 of them did not come back: not recovered" in text
    assert "Storm clock-surge after 3 s struck 9 stations: recovered" in text


def test_a_run_without_calls_has_no_empty_table() -> None:
    file = io.StringIO()
    print_result(
        finished(calls=[], actions=[], throughput={"calls_total": 0.0}), Path("runs/x"), Console(file=file, width=120)
    )
    assert "Authorize" not in file.getvalue()
    assert "─" not in file.getvalue()
