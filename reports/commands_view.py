"""The commands of a load run, prepared for the page: how each ended, and how long it took until its effect."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import msgspec
from markupsafe import Markup
from msgspec import UNSET

from evidence.plugin_results import EFFECT_NONE, CommandLatency, CommandOutcome, CommandResult
from evidence.run_model import LoadRun
from reports.charts import Figure, Part, Table, share_bar
from reports.svg import Scale, drawing, el, log_ticks, logarithmic
from reports.words import count, milliseconds, percent

__all__ = ["COLUMNS", "CommandBar", "CommandsView", "command_rows", "view_commands"]

_LOOKS: Final[Mapping[str, str]] = {
    CommandOutcome.ACCEPTED: "o-accepted",
    CommandOutcome.REJECTED: "o-rejected",
    CommandOutcome.OPEN: "o-other",
    CommandOutcome.NO_TARGET: "o-other",
    CommandOutcome.NEVER_SENT: "o-never",
    CommandOutcome.API_ERROR: "o-callerror",
    CommandOutcome.API_TIMEOUT: "o-timeout",
    CommandOutcome.NEVER_SEEN: "o-lost",
    CommandOutcome.NO_EFFECT: "o-late",
    CommandOutcome.WRONG_STATION: "o-schema",
    CommandOutcome.WRONG_TOKEN: "o-schema",
}
_NO_FAILURE: Final = frozenset(
    {CommandOutcome.ACCEPTED, CommandOutcome.REJECTED, CommandOutcome.OPEN, CommandOutcome.NO_TARGET}
)
_STATISTICS: Final = ("p50", "p90", "p95", "p99", "p999", "max")
_SHOWN: Final = ("API answer", "CALL at the station", "effect")
_LINES: Final = ("s1", "s2", "s3")
COLUMNS: Final = (
    "command",
    "sent",
    "failed",
    *(f"{name} {statistic}" for name in _SHOWN for statistic in ("p50", "p99")),
)

_ROW: Final = 62
_NAME: Final = 230
_FIGURE: Final = 90
_WIDE: Final = 940


class CommandBar(msgspec.Struct, frozen=True):
    """How one command ended."""

    name: str
    total: int
    bar: Markup
    note: str
    reasons: tuple[str, ...]
    """What the API said when it failed."""


class CommandsView(msgspec.Struct, frozen=True, kw_only=True):
    """All commands of a run, ready to be shown."""

    figure: Figure | None
    bars: tuple[CommandBar, ...]
    legend: tuple[tuple[str, str], ...]
    table: Table


def view_commands(run: LoadRun) -> CommandsView | None:
    """Prepare the commands of a run; None where it had none."""
    rows = run.commands
    if not rows:
        return None
    present = {outcome for row in rows for outcome in row.outcomes}
    return CommandsView(
        figure=_figure(rows),
        bars=tuple(map(_bar, rows)),
        legend=tuple((look, outcome) for outcome, look in _LOOKS.items() if outcome in present),
        table=Table(COLUMNS, tuple(command_rows(run))),
    )


def command_rows(run: LoadRun) -> list[tuple[str, ...]]:
    """Write one row for each command, under `COLUMNS`."""
    return [
        (
            _name(row),
            count(row.sent),
            count(sum(amount for outcome, amount in row.outcomes.items() if outcome not in _NO_FAILURE)),
            *(
                milliseconds(value)
                for latency in _latencies(row)
                for value in ((latency.p50, latency.p99) if latency else (None, None))
            ),
        )
        for row in run.commands
    ]


def _name(row: CommandResult) -> str:
    if row.command == row.action:
        return f"{row.command}, OCPP {row.ocpp}"
    return f"{row.command} ({row.action}, OCPP {row.ocpp})"


def _latencies(row: CommandResult) -> tuple[CommandLatency | None, ...]:
    """Return the latencies that the page shows, in the order of `_SHOWN`; None where nothing was measured."""
    return tuple(None if one is UNSET else one for one in (row.response_ms, row.reach_ms, row.effect_ms))


def _values(latency: CommandLatency) -> dict[str, float]:
    return {name: value for name in _STATISTICS if (value := getattr(latency, name)) is not None}


def _bar(row: CommandResult) -> CommandBar:
    total = sum(row.outcomes.values())
    ordered = sorted(row.outcomes.items(), key=lambda pair: -pair[1])
    parts = [Part(outcome, _LOOKS.get(outcome, "o-other"), amount) for outcome, amount in ordered]
    notes = [", ".join(f"{outcome} {percent(amount / total)}" for outcome, amount in ordered if total)]
    if row.seen_again:
        notes.append(f"{count(row.seen_again)} reached the station twice")
    if row.late:
        notes.append(f"{count(row.late)} were sent more than a second late")
    return CommandBar(
        _name(row),
        total,
        share_bar(f"Outcomes of {_name(row)}", parts),
        "; ".join(filter(None, notes)),
        () if row.reasons is UNSET else tuple(row.reasons),
    )


def _figure(rows: Sequence[CommandResult]) -> Figure | None:
    """Draw one row a command with its three latencies from the median to the maximum, on one logarithmic axis."""
    shown = [row for row in rows if any(_latencies(row))]
    if not shown:
        return None
    measured = [
        (row, name, latency)
        for row in shown
        for name, latency in zip(_SHOWN, _latencies(row), strict=True)
        if latency is not None
    ]
    ticks = log_ticks([value for _, _, latency in measured for value in _values(latency).values()])
    height = _ROW * len(shown) + 44
    x = logarithmic(ticks[0], ticks[-1], _NAME, _WIDE - _FIGURE)
    parts = [el("text", "p99", x=_WIDE, y=12, class_="tick", text_anchor="end")]
    for tick in ticks:
        parts.append(el("line", x1=x(tick), x2=x(tick), y1=12, y2=height - 26, class_="grid"))
        parts.append(el("text", milliseconds(tick), x=x(tick), y=height - 8, class_="tick", text_anchor="middle"))
    for index, row in enumerate(shown):
        top = 14 + index * _ROW
        parts.append(el("text", row.command, x=0, y=top + 17, class_="name"))
        parts.append(el("text", f"{row.action}, OCPP {row.ocpp}", x=0, y=top + 33, class_="tick"))
        if row.effect != EFFECT_NONE:
            parts.append(el("text", row.effect, x=0, y=top + 48, class_="tick"))
        for place, (name, look, latency) in enumerate(zip(_SHOWN, _LINES, _latencies(row), strict=True)):
            if latency is not None:
                parts += _whisker(name, look, _values(latency), x, top + 13 + 15 * place)
    return Figure(
        title="From the API to the station and the effect",
        says=(
            "Each box spans the median to p99, the thin line ends at the maximum; the axis is logarithmic. "
            "The time of the API answer counts from the moment the command was planned, so waiting for a slow API "
            "counts. The CALL at the station and the effect count from the API call."
        ),
        svg=drawing(_WIDE, height, *parts, title="Commands: API answer, CALL and effect", class_="chart wide"),
        legend=tuple(zip(_LINES, _SHOWN, strict=True)),
        table=Table(
            ("command", "count", *("p99.9" if statistic == "p999" else statistic for statistic in _STATISTICS)),
            tuple(
                (
                    f"{_name(row)}, {name}",
                    count(latency.count),
                    *(milliseconds(_values(latency).get(statistic)) for statistic in _STATISTICS),
                )
                for row, name, latency in measured
            ),
        ),
    )


def _whisker(name: str, look: str, values: Mapping[str, float], x: Scale, y: float) -> list[Markup]:
    middle, tail, top = (values.get(statistic) for statistic in ("p50", "p99", "max"))
    if middle is None or tail is None or top is None:
        return []
    told = "".join(f"\n{part}: {milliseconds(values[part])}" for part in _STATISTICS if part in values)
    return [
        el("line", x1=x(middle), x2=x(top), y1=y, y2=y, class_=f"line thin {look}"),
        el("line", x1=x(top), x2=x(top), y1=y - 4, y2=y + 4, class_=f"line thin {look}"),
        el(
            "rect",
            el("title", name + told),
            x=x(middle),
            y=y - 5,
            width=max(x(tail) - x(middle), 2.0),
            height=10,
            rx=2,
            class_=f"box {look}",
        ),
        el("text", milliseconds(tail), x=_WIDE, y=y + 4, class_="tick", text_anchor="end"),
    ]
