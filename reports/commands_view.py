"""The commands of a load run, prepared for the page: how each ended, and its way from the API to the station's deed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec
from markupsafe import Markup

from evidence.run_model import LoadRun
from reports.charts import Figure, Part, Table, share_bar
from reports.svg import Scale, drawing, el, log_ticks, logarithmic
from reports.words import count, milliseconds, percent

__all__ = ["COLUMNS", "CommandBar", "CommandsView", "command_rows", "view_commands"]

_LOOKS: Final[Mapping[str, str]] = {
    "accepted": "o-accepted",
    "rejected": "o-rejected",
    "open": "o-other",
    "no-target": "o-other",
    "never-sent": "o-never",
    "api-error": "o-callerror",
    "api-timeout": "o-timeout",
    "never-seen": "o-lost",
    "no-effect": "o-late",
    "wrong-station": "o-schema",
    "wrong-token": "o-schema",
}
_NO_FAILURE: Final = frozenset({"accepted", "rejected", "open", "no-target"})
_CLOCKS: Final = (("response", "API answer", "s1"), ("reach", "CALL at the station", "s2"), ("effect", "effect", "s3"))
_STATISTICS: Final = ("p50", "p90", "p95", "p99", "p999", "max")
COLUMNS: Final = (
    "command",
    "sent",
    "failed",
    *(f"{clock} {part}" for clock, _, _ in _CLOCKS for part in ("p50", "p99")),
)

_ROW: Final = 62
_NAME: Final = 230
_FIGURE: Final = 90
_WIDE: Final = 940


class CommandBar(msgspec.Struct, frozen=True):
    """How the commands of one kind ended."""

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
    present = {outcome for row in rows for outcome in _counts(row)}
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
            count(_number(row.get("sent"))),
            count(sum(number for outcome, number in _counts(row).items() if outcome not in _NO_FAILURE)),
            *(
                milliseconds(_values(row, clock).get(statistic))
                for clock, _, _ in _CLOCKS
                for statistic in ("p50", "p99")
            ),
        )
        for row in run.commands
    ]


def _name(row: Mapping[str, Any]) -> str:
    command, action, ocpp = (str(row.get(key, "?")) for key in ("command", "action", "ocpp"))
    return f"{command}, OCPP {ocpp}" if command == action else f"{command} ({action}, OCPP {ocpp})"


def _number(value: Any) -> int:
    return value if isinstance(value, int) else 0


def _counts(row: Mapping[str, Any]) -> dict[str, int]:
    outcomes = row.get("outcomes")
    if not isinstance(outcomes, dict):
        return {}
    return {str(outcome): number for outcome, number in outcomes.items() if isinstance(number, int)}


def _values(row: Mapping[str, Any], clock: str) -> dict[str, float]:
    values = row.get(f"{clock}_ms")
    if not isinstance(values, dict):
        return {}
    return {name: float(value) for name, value in values.items() if isinstance(value, int | float)}


def _bar(row: Mapping[str, Any]) -> CommandBar:
    counts = _counts(row)
    total = sum(counts.values())
    ordered = sorted(counts.items(), key=lambda pair: -pair[1])
    parts = [Part(outcome, _LOOKS.get(outcome, "o-other"), amount) for outcome, amount in ordered]
    told = ", ".join(f"{outcome} {percent(amount / total)}" for outcome, amount in ordered) if total else ""
    notes = [told]
    if _number(row.get("seen_again")):
        notes.append(f"{count(_number(row['seen_again']))} were seen twice")
    if _number(row.get("late")):
        notes.append(f"{count(_number(row['late']))} were sent more than a second late")
    reasons = row.get("reasons")
    return CommandBar(
        _name(row),
        total,
        share_bar(f"Outcomes of {_name(row)}", parts),
        "; ".join(notes),
        tuple(map(str, reasons)) if isinstance(reasons, list) else (),
    )


def _figure(rows: Sequence[Mapping[str, Any]]) -> Figure | None:
    """Draw one row a command with its three latencies from the median to the maximum, on one logarithmic axis."""
    shown = [row for row in rows if any(_values(row, clock) for clock, _, _ in _CLOCKS)]
    if not shown:
        return None
    drawn = [
        value
        for row in shown
        for clock, _, _ in _CLOCKS
        for statistic, value in _values(row, clock).items()
        if statistic in _STATISTICS
    ]
    ticks = log_ticks(drawn)
    height = _ROW * len(shown) + 44
    x = logarithmic(ticks[0], ticks[-1], _NAME, _WIDE - _FIGURE)
    parts = [el("text", "p99", x=_WIDE, y=12, class_="tick", text_anchor="end")]
    for tick in ticks:
        parts.append(el("line", x1=x(tick), x2=x(tick), y1=12, y2=height - 26, class_="grid"))
        parts.append(el("text", milliseconds(tick), x=x(tick), y=height - 8, class_="tick", text_anchor="middle"))
    for index, row in enumerate(shown):
        top = 14 + index * _ROW
        parts.append(el("text", str(row.get("command", "?")), x=0, y=top + 17, class_="name"))
        parts.append(
            el("text", f"{row.get('action', '?')}, OCPP {row.get('ocpp', '?')}", x=0, y=top + 33, class_="tick")
        )
        if row.get("effect") != "none":
            parts.append(el("text", str(row.get("effect", "")), x=0, y=top + 48, class_="tick"))
        for place, (clock, name, look) in enumerate(_CLOCKS):
            parts += _whisker(name, look, _values(row, clock), x, top + 13 + 15 * place)
    return Figure(
        title="From the API to the station and its deed",
        says=(
            "Each box spans the median to p99, the thin line ends at the maximum; the axis is logarithmic. "
            "The API's answer counts from the moment the command was meant to be sent, "
            "so waiting behind a slow API counts. "
            "The CALL at the station and its effect count from the API call."
        ),
        svg=drawing(_WIDE, height, *parts, title="Commands: API answer, CALL and effect", class_="chart wide"),
        legend=tuple((look, name) for _, name, look in _CLOCKS),
        table=Table(
            ("command", "count", *("p99.9" if statistic == "p999" else statistic for statistic in _STATISTICS)),
            tuple(
                (
                    f"{_name(row)}, {name}",
                    count(int(values.get("count", 0))),
                    *(milliseconds(values.get(statistic)) for statistic in _STATISTICS),
                )
                for row in shown
                for clock, name, _ in _CLOCKS
                if (values := _values(row, clock))
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
