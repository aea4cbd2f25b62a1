"""A bench as tables, on the terminal and in Markdown."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

import msgspec
from rich import box
from rich.console import Console
from rich.table import Table

from benchmarks.figures import EngineRow, MessageRow, Result, ScaleRow

__all__ = ["Grid", "grids", "markdown", "print_result"]

_NOTHING: Final = "–"


class Grid(msgspec.Struct, frozen=True):
    """One table in text form; the first column names the row."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    notes: tuple[str, ...] = ()


Columns = dict[str, Callable[[Any], str]]


def _number(value: float | None, digits: int = 0) -> str:
    return _NOTHING if value is None else f"{value:,.{digits}f}"


def _times(value: float | None) -> str:
    return _NOTHING if value is None else f"{value:.2f} ×"


_FLEETS: Final = {
    "idle": "idle, as fast as it goes",
    "paced": "idle, paced",
    "bare": "TCP and a handshake of Python's ssl alone",
    "curve": "closed loop of Heartbeat",
    "many workers": "plugstorm load",
    "master": "a master of simulated workers",
}


def _fleet(row: ScaleRow) -> str:
    words = _FLEETS[row.name] + (f", {row.over}" if row.over else "") + (", TLS" if row.tls else "")
    return f"{words}, {row.workers}{' workers' if row.stations else ''}" if row.workers > 1 else words


def _fleet_notes(row: ScaleRow) -> list[str]:
    """Return what else is to be said of a fleet: why its generator was not VALID, too."""
    return [f"{_fleet(row)}: {note}" for note in ([f"{row.note}."] if row.note else []) + row.reasons]


_SCALE_COLUMNS: Final[Columns] = {
    "fleet": _fleet,
    "stations": lambda row: _number(row.stations or None),
    "connected": lambda row: _number(row.connected or None),
    "connects/s": lambda row: _number(row.connects_per_s),
    "ms CPU/connect": lambda row: _number(row.cpu_ms_per_connect, 2),
    "busiest 100 ms": lambda row: _NOTHING if row.busiest_100ms is None else f"{row.busiest_100ms:.2f} × mean",
    "KB/station": lambda row: _number(row.kb_per_station, 1),
    "open files": lambda row: _number(row.descriptors),
    "µs CPU/CALL": lambda row: _number(row.cpu_us_per_call, 1),
    "CALL/s": lambda row: _number(row.calls_per_s),
    "of a core": lambda row: _NOTHING if row.master_core is None else f"{row.master_core:.0%}",
}
_OPENING_COLUMNS: Final[Columns] = {
    "engine": lambda row: row.title,
    "KB/station": lambda row: _number(row.kb_per_station, 1),
    "connects/s": lambda row: _number(row.connects_per_s),
    "ms CPU/connect": lambda row: _number(row.cpu_ms_per_connect, 2),
    "of ceiling": lambda row: _times(row.connect_to_ceiling),
}
_GOAL_COLUMNS: Final[Columns] = {
    "goal": lambda goal: goal.text,
    "wanted": lambda goal: goal.wanted,
    "measured": lambda goal: goal.measured,
    "reached": lambda goal: "yes" if goal.reached else "no",
}


def _grid(title: str, columns: Columns, rows: Sequence[Any], notes: Sequence[str] = ()) -> Grid | None:
    """Fill a table; columns that hold nothing are left out."""
    if not rows:
        return None
    filled = [(name, [write(row) for row in rows]) for name, write in columns.items()]
    filled = [(name, cells) for name, cells in filled if any(cell != _NOTHING for cell in cells)]
    lines = tuple(zip(*(cells for _, cells in filled), strict=True))
    return Grid(title, tuple(name for name, _ in filled), lines, tuple(notes))


def _speed_grid(message: str, ours: MessageRow | None, rows: Sequence[EngineRow]) -> Grid | None:
    pairs = [(row, figures) for row in rows for figures in row.messages if figures.message == message]
    ratios = ours.ratios if ours else {}
    columns: Columns = {
        "engine": lambda pair: pair[0].title,
        "CALL/s": lambda pair: _number(pair[1].calls_per_s),
        "µs CPU/CALL": lambda pair: _number(pair[1].cpu_us_per_call, 1),
        "of ceiling": lambda pair: _number(pair[1].ratio_to_ceiling, 2),
        "Plugstorm is": lambda pair: _times(ratios.get(pair[0].engine)),
        "own core": lambda pair: f"{pair[1].engine_cpu:.0%}",
        "sink core": lambda pair: f"{pair[1].sink_cpu:.0%}",
    }
    notes = [f"{row.title} did not run: {row.skipped}." for row in rows if row.skipped]
    for row, figures in pairs:
        if figures.limited_by == "sink":
            notes.append(f"{row.title}: the sink set the pace, so CALL/s is too low; CPU per CALL still tells.")
        if figures.errors or not figures.exact:
            notes.append(f"{row.title}: {figures.errors} CALLs failed, or the counts of engine and sink differ.")
    if pairs and all(figures.exact and not figures.errors for _, figures in pairs):
        notes.append("Every CALL was answered, and every engine and the sink counted the same to the unit.")
    if any(figures.limited_by == "others" for _, figures in pairs):
        notes.append("Other programs took part of the cores: compare CPU per CALL and the ratios, not CALL/s.")
    return _grid(f"Closed loop of {message}", columns, pairs, notes)


def grids(result: Result) -> list[Grid]:
    """Make all tables of a bench."""
    by_message = {row.message: row for engine in reversed(result.engines) for row in engine.messages}
    ours = result.engines[0] if result.engines and result.engines[0].messages else None
    found = [
        _speed_grid(
            message,
            next((row for row in ours.messages if row.message == message), None) if ours else None,
            result.engines,
        )
        for message in by_message
    ]
    found.append(
        _grid(
            "Connecting and holding idle stations",
            _OPENING_COLUMNS,
            [row for row in result.engines if row.kb_per_station is not None],
        )
    )
    for title, names in (
        ("Plugstorm: connects and memory in one worker", ("idle", "paced", "bare")),
        ("Plugstorm: cost per CALL as the fleet grows, one worker", ("curve",)),
        ("Plugstorm: several workers", ("many workers", "master")),
    ):
        rows = [row for row in result.scale if row.name in names]
        found.append(_grid(title, _SCALE_COLUMNS, rows, [note for row in rows for note in _fleet_notes(row)]))
    found.append(_grid("Goals", _GOAL_COLUMNS, result.goals))
    return [grid for grid in found if grid is not None]


def print_result(result: Result, console: Console) -> None:
    """Print the tables."""
    for grid in grids(result):
        table = Table(title=grid.title, title_justify="left", box=box.SIMPLE)
        for index, column in enumerate(grid.columns):
            table.add_column(column, justify="left" if index == 0 else "right", overflow="fold")
        for row in grid.rows:
            table.add_row(*row)
        console.print(table)
        for note in grid.notes:
            console.print(f"  {note}", soft_wrap=True, highlight=False)
        if grid.notes:
            console.print()
    for failure in result.failed:
        console.print(f"Not measured: {failure}", soft_wrap=True, highlight=False, markup=False)


def markdown(result: Result) -> str:
    """Write the tables, the machine and the method as Markdown."""
    parts = []
    for grid in grids(result):
        lines = [" | ".join(grid.columns), " | ".join(["---"] + ["---:"] * (len(grid.columns) - 1))]
        lines += [" | ".join(row) for row in grid.rows]
        table = "\n".join(f"| {line} |" for line in lines)
        parts.append("\n\n".join([f"### {grid.title}", table, *grid.notes]))
    if result.failed:
        parts.append("### Not measured\n\n" + "\n".join(f"- {failure}" for failure in result.failed))
    for title, facts in (("Machine", result.machine), ("Method", result.method)):
        parts.append(f"### {title}\n\n" + "\n".join(f"- {name}: {fact}" for name, fact in facts.items()))
    return "\n\n".join(parts) + "\n"
