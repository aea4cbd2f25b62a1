"""What a person sees while a load run goes on, and when it is over."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import msgspec
from rich.box import SIMPLE_HEAD
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from evidence.histogram import Histogram
from evidence.injected_words import injected_sentences
from evidence.lost_words import capital, how_lost, refused
from evidence.plugin_results import StormResult
from evidence.run_model import ActionStats, LoadRun
from evidence.vocabulary import MEASURE, OPENED, TO_CSMS, is_failure
from loadtest.measuring.merged import Merged
from ocppj.outcomes import Outcome

__all__ = ["Progress", "Snapshot", "print_error", "print_result", "snapshot"]

PLAIN_EVERY: Final = 5.0
"""Seconds between two lines where the output is not a terminal."""
_MAIN_ACTIONS: Final = 4
_MOST_CAUSES: Final = 8
_TITLE: Final = f"CALLs intended in the window {MEASURE}; response latency in ms, time-outs and every outcome included"
_COLUMNS: Final = ("Action", "OCPP", "CALLs", "Accepted", "Other outcomes", "p50", "p99", "max")
_LOG_WIDTH: Final = 120


class Snapshot(msgspec.Struct, kw_only=True):
    """The state of a run at one moment."""

    elapsed: float
    window: str
    target: int
    connected: int = 0
    booted: int = 0
    calls_per_s: int = 0
    failed_per_s: int = 0
    calls: int = 0
    lost: int = 0
    p99_ms: dict[str, float] = {}
    """99th percentile of the response time of the busiest actions over the last seconds."""
    workers: int = 1
    lines: list[str] = []
    """What plugins of the run have to show."""


def snapshot(
    merged: Merged,
    *,
    elapsed: float,
    window: str,
    target: int,
    connected: int,
    booted: int,
    workers: int = 1,
    lines: list[str] | None = None,
) -> Snapshot:
    """Boil the figures of the moment down."""
    second = merged.latest()
    view = Snapshot(
        elapsed=elapsed,
        window=window,
        target=target,
        connected=connected,
        booted=booted,
        calls=merged.calls,
        lost=merged.lost,
        workers=workers,
        lines=lines or [],
    )
    if second is not None:
        view.calls_per_s, view.failed_per_s = second.calls, second.errors
    actions: dict[str, list[Histogram]] = {}
    for (_, action, direction, _), histogram in merged.recent():
        if direction == TO_CSMS:
            actions.setdefault(action, []).append(histogram)
    busiest = sorted(actions, key=lambda action: -sum(histogram.count for histogram in actions[action]))
    view.p99_ms = {action: _p99(actions[action]) for action in busiest[:_MAIN_ACTIONS]}
    return view


def _p99(histograms: list[Histogram]) -> float:
    merged = Histogram()
    for histogram in histograms:
        merged.merge(histogram.counts)
    return merged.percentile(99) / 1000


class Progress:
    """A table that is drawn over on a terminal, a line every few seconds elsewhere."""

    def __init__(self, console: Console | None = None) -> None:
        """Draw on this console; by default the standard error output, so that results can be piped."""
        self._console = console or _standard_error()
        self._live: Live | None = None
        self._next_line = 0.0

    def due(self, elapsed: float) -> bool:
        """Whether the state at this second of the run would be shown; asked first, because it takes time to find."""
        return self._console.is_terminal or elapsed >= self._next_line

    def show(self, view: Snapshot) -> None:
        """Show the present state; called once a second."""
        if not self._console.is_terminal:
            if self.due(view.elapsed):
                self._next_line = view.elapsed + PLAIN_EVERY
                self._console.print(_line(view), highlight=False, soft_wrap=True)
            return
        if self._live is None:
            # Without its own thread: the event loop is gevent's.
            self._live = Live(console=self._console, auto_refresh=False, transient=True)
            self._live.start()
        self._live.update(_table(view), refresh=True)

    def warn(self, sentence: str) -> None:
        """Show a warning that stays."""
        (self._live.console if self._live else self._console).print(
            f"[bold yellow]warning:[/] {escape(sentence)}", highlight=False, soft_wrap=True
        )

    def close(self) -> None:
        """Leave the terminal as it was."""
        if self._live is not None:
            self._live.stop()
            self._live = None
        self._next_line = 0.0


def _standard_error() -> Console:
    # Its table of emojis would be read at the first line, while stations wait for the loop.
    console = Console(stderr=True, emoji=False)
    # A log file has no width; rich would take 80.
    return console if console.is_terminal else Console(stderr=True, emoji=False, width=_LOG_WIDTH)


def _line(view: Snapshot) -> str:
    parts = [
        f"{view.elapsed:4.0f} s {view.window}: {view.connected}/{view.target} connected, {view.booted} booted",
        f"{view.calls_per_s} CALL/s, {view.failed_per_s} failed/s",
    ]
    if view.p99_ms:
        parts.append("p99 " + ", ".join(f"{action} {value:.1f} ms" for action, value in view.p99_ms.items()))
    return "; ".join(parts + view.lines)


def _table(view: Snapshot) -> RenderableType:
    table = Table.grid(padding=(0, 2))
    table.add_column(style="bold")
    table.add_column(justify="right")
    table.add_column(style="bold")
    table.add_column(justify="right")
    table.add_row("Elapsed", f"{view.elapsed:.0f} s", "Window", view.window)
    table.add_row("Connected", f"{view.connected} / {view.target}", "Booted", str(view.booted))
    table.add_row(
        "CALL/s", str(view.calls_per_s), "Failed/s", f"[red]{view.failed_per_s}" if view.failed_per_s else "0"
    )
    table.add_row("CALLs", str(view.calls), "Lost", f"[red]{view.lost}" if view.lost else "0")
    actions = list(view.p99_ms.items())
    for first, second in zip(actions[::2], [*actions[1::2], ("", None)], strict=False):
        table.add_row(*_p99_cells(*first), *_p99_cells(*second))
    if view.workers > 1:
        table.add_row("Workers", str(view.workers), "", "")
    if view.lines:
        return Group(table, *(Text(line, style="bold yellow") for line in view.lines))
    return table


def _p99_cells(action: str, value: float | None) -> tuple[str, str]:
    return (f"p99 {action}", f"{value:.1f} ms") if value is not None else ("", "")


def print_error(sentence: str) -> None:
    """Print what went wrong at the end of a run, where there may be no room for a log."""
    _standard_error().print(f"[bold red]error:[/] {escape(sentence)}", highlight=False, soft_wrap=True)


def print_result(run: LoadRun, folder: Path, console: Console | None = None) -> None:
    """Print the short table that ends a run, and where the rest is."""
    console = console or _standard_error()
    table = Table(box=SIMPLE_HEAD, padding=(0, 1))
    for name in _COLUMNS:
        table.add_column(name, justify="left" if name in {"Action", "OCPP", "Other outcomes"} else "right")
    for row in map(_row, run.actions):
        table.add_row(*row)
    if run.actions:
        console.print(_TITLE, highlight=False, soft_wrap=True)
        console.print(table)
    _print_connections(run, console)
    _print_callerrors(run, console)
    _print_sentences(run, console)
    _print_built_in(run, console)
    for slo in run.slo:
        if slo.built_in:
            continue
        word = "[green]met" if slo.passed else "[yellow]UNDECIDED" if slo.undecided else "[red]MISSED"
        measured = slo.reason or "nothing" if slo.value is None else f"{slo.value:g} {slo.unit}".rstrip()
        measured += "" if slo.n is None else f" of {slo.n} CALLs"
        measured += f"; {slo.reason}" if slo.undecided else ""
        console.print(
            f"SLO {word}[/]: {escape(slo.expr)} (measured: {escape(measured)})", highlight=False, soft_wrap=True
        )
    if run.stopped_early:
        console.print(f"[red]The run was {escape(run.stopped_early)}", highlight=False, soft_wrap=True)
    console.print(f"Generator {run.generator.verdict}", highlight=False)
    for reason in run.generator.reasons:
        console.print(f"  {escape(reason)}", highlight=False, soft_wrap=True)
    interrupted = ", interrupted" if run.interrupted else ""
    for symptom in run.symptoms:
        console.print(f"[bold red]{escape(capital(symptom.says))}.", highlight=False, soft_wrap=True)
    console.print(
        f"Verdict: {run.verdict}{interrupted}. Results: {escape(str(folder))}", highlight=False, soft_wrap=True
    )


def _print_connections(run: LoadRun, console: Console) -> None:
    """Print how many stations there were, and what became of connections."""
    stations, rate = run.stations, run.throughput.get("calls_per_s", 0.0)
    lost = f"{stations.lost} connections lost{' besides those of storms' if run.storms else ''}"
    console.print(
        f"{stations.connected_peak} of {stations.requested} stations connected, {stations.booted} booted, "
        f"{lost}; {rate:.1f} CALL/s; {run.throughput['calls_total']:.0f} CALLs in all",
        highlight=False,
    )
    for one in run.lost_connections[:_MOST_CAUSES]:
        console.print(f"[red]{escape(how_lost(one))}", highlight=False, soft_wrap=True)
    for outcome, count in sorted(run.connections.items()):
        if outcome != OPENED:
            console.print(f"[red]{count} connection attempts: {escape(outcome)}", highlight=False)
    for storm in run.storms:
        console.print(_storm_line(storm), highlight=False, soft_wrap=True)


def _print_callerrors(run: LoadRun, console: Console) -> None:
    """Print what CALLERRORs said, the most frequent first."""
    for one in run.callerrors[:_MOST_CAUSES]:
        console.print(f"[red]{escape(refused(one))}", highlight=False, soft_wrap=True)
    if len(run.callerrors) > _MOST_CAUSES:
        console.print(f"[red]and {len(run.callerrors) - _MOST_CAUSES} more CALLERRORs in the report", highlight=False)


def _print_built_in(run: LoadRun, console: Console) -> None:
    """Print which built-in objectives were met, and each that was missed with its reason."""
    kept = [slo.built_in for slo in run.slo if slo.built_in and slo.passed]
    if kept:
        console.print(f"Built-in objectives [green]met[/]: {', '.join(kept)}", highlight=False, soft_wrap=True)
    for slo in run.slo:
        if slo.built_in and not slo.passed:
            missed = escape(f"{slo.built_in}: {slo.reason}")
            console.print(f"Built-in objective [red]MISSED[/]: {missed}", highlight=False, soft_wrap=True)
    if all(slo.built_in for slo in run.slo):
        console.print("No objective was set by you (--slo FILE)", highlight=False)


def _print_sentences(run: LoadRun, console: Console) -> None:
    for sentence in (*injected_sentences(run), *run.kpis.says):
        console.print(escape(sentence), highlight=False, soft_wrap=True)
    colour = "[red]" if run.ledger.failed else ""
    for sentence in run.ledger.says:
        console.print(f"{colour}Ledger: {escape(sentence)}", highlight=False, soft_wrap=True)


_STORMS: Final[dict[bool | None, str]] = {True: "recovered", False: "[red]not recovered[/]", None: "not judged"}


def _storm_line(storm: StormResult) -> str:
    struck, unrecovered = storm.stations.struck, storm.stations.unrecovered
    missing = f", {unrecovered} of them did not come back" if unrecovered else ""
    reasons = f": {escape('; '.join(storm.reasons))}" if storm.reasons else ""
    return (
        f"Storm {escape(storm.storm)} after {storm.at:.0f} s struck {struck} stations{missing}: "
        f"{_STORMS[storm.recovered]}{reasons}"
    )


def _row(one: ActionStats) -> list[str]:
    """Write one action, with all its outcomes and the response latency of all its CALLs."""
    latency = one.response_ms
    figures = [f"{latency.p50:.2f}", f"{latency.p99:.2f}", f"{latency.max:.2f}"] if latency else ["", "", ""]
    name = escape(one.action) if one.direction == TO_CSMS else f"{escape(one.action)} (from CSMS)"
    others = ", ".join(
        f"[red]{count} {escape(outcome)}[/]" if is_failure(outcome) else f"{count} {escape(outcome)}"
        for outcome, count in sorted(one.outcomes.items(), key=lambda pair: -pair[1])
        if outcome != Outcome.ACCEPTED
    )
    accepted = str(one.outcomes.get(Outcome.ACCEPTED, 0))
    return [name, one.ocpp, str(one.count), accepted, others, *figures]
