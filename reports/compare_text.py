"""A comparison for people on a terminal, and for machines as JSON."""

from __future__ import annotations

import math

import msgspec
from rich.box import SIMPLE_HEAD
from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from evidence.verdicts import Verdict
from evidence.visible import one_line
from reports.compare import CaseTrend, Change, Comparison, Trend
from reports.markdown import markdown_text
from reports.words import milliseconds, number, percent, plural, signed_percent

__all__ = [
    "WrittenComparison",
    "change_words",
    "comparison_json",
    "comparison_markdown",
    "comparison_view",
    "print_comparison",
    "verdict_words",
]

_MOST_ROWS = 40
_STYLES = {
    Trend.WORSE: "bold red",
    Trend.BETTER: "green",
    Trend.UNKNOWN: "magenta",
    CaseTrend.WORSE: "bold red",
    CaseTrend.BETTER: "green",
    CaseTrend.LOST: "magenta",
    CaseTrend.NEW: "blue",
    CaseTrend.CHANGED: "yellow",
}


def print_comparison(comparison: Comparison, console: Console) -> None:
    """Print a comparison; the console decides about colours."""
    console.print(comparison_view(comparison))


class WrittenChange(Change, frozen=True, kw_only=True):
    """A change as JSON, which knows no infinity: there `relative` is null."""

    relative: float | None  # type: ignore[assignment]  # wider than that of a change


class WrittenComparison(Comparison, frozen=True, kw_only=True):
    """What `plugstorm compare --json` writes."""

    changes: tuple[WrittenChange, ...] = ()
    exit_code: int


def comparison_json(comparison: Comparison) -> str:
    """Write a comparison as JSON, with its exit code."""
    document = msgspec.to_builtins(comparison)
    for row, change in zip(document["changes"], comparison.changes, strict=True):
        row["relative"] = change.relative if math.isfinite(change.relative) else None
    document["exit_code"] = comparison.exit_code
    written = msgspec.convert(document, WrittenComparison)
    return msgspec.json.format(msgspec.json.encode(written), indent=2).decode() + "\n"


def comparison_view(comparison: Comparison) -> RenderableType:
    """Build what `print_comparison` prints."""
    parts: list[RenderableType] = [_sentence(comparison)]
    parts += [Text.assemble(("  note ", "yellow"), one_line(warning)) for warning in comparison.warnings]
    if comparison.kind == "interop" and comparison.cases:
        parts.append(_cases(comparison))
    moved = [change for change in comparison.changes if change.direction is not Trend.SAME]
    if moved:
        parts.append(_figures(moved))
    return Group(*parts)


def _sentence(comparison: Comparison) -> Text:
    if comparison.baseline:
        word, style, told = verdict_words(comparison)
        return Text.assemble((f"{word}. ", style), told)
    worse, better = _amounts(comparison)
    what = "case" if comparison.kind == "interop" else "figure"
    compared = plural(comparison.compared, what)
    gained = f"; {better} got better" if better else ""
    if not comparison.compared:
        return Text.assemble(("No conclusion. ", "bold magenta"), f"The two runs have no {what} in common.")
    if comparison.regressed:
        return Text.assemble(("Regressed. ", "bold red"), f"{worse} of {compared} got worse{gained}.")
    if not comparison.conclusive:
        doubted = sum(change.direction is Trend.UNKNOWN for change in comparison.changes)
        why = (
            f"{doubted} of {compared} moved, but a load generator was under strain, so they cannot be compared{gained}."
            if doubted
            else f"One of the runs has no verdict, so {compared} cannot be compared{gained}."
        )
        return Text.assemble(("No conclusion. ", "bold magenta"), why)
    return Text.assemble(("No regression. ", "bold green"), f"None of {compared} got worse{gained}.")


def verdict_words(comparison: Comparison) -> tuple[str, str, str]:
    """Return what came out of a comparison with runs of the history: a word, its style, and a sentence."""
    worse, better = _amounts(comparison)
    compared = plural(comparison.compared, "case" if comparison.kind == "interop" else "figure")
    runs = f"{plural(comparison.base_runs, 'run')} of the base ({comparison.baseline}), {comparison.new_runs} new"
    gained = f"; {better} got better" if better else ""
    if comparison.regressed:
        return "Regression", "bold red", f"{worse} of {compared} got worse{gained}. {runs}."
    if not comparison.conclusive:
        doubted = sum(change.direction is Trend.UNKNOWN for change in comparison.changes)
        moved = f"{doubted} of {compared} moved" if doubted else f"None of {compared} moved by much"
        return "Cannot tell", "bold magenta", f"{moved}{gained}. {runs}."
    return (
        "No change" if not better else "No regression",
        "bold green",
        f"None of {compared} got worse{gained}. {runs}.",
    )


def change_words(change: Change) -> str:
    """Write a change as people read it, as in 20 ms → 24 ms (+20 %)."""
    relative = "" if change.unit in ("share", "met") else f" ({signed_percent(change.relative)})"
    noise = "" if change.noise is None else f"; the base had {_value(change, change.noise[0])} to "
    noise += "" if change.noise is None else _value(change, change.noise[1])
    return f"{_value(change, change.base)} → {_value(change, change.new)}{relative}{noise}"


def comparison_markdown(comparison: Comparison) -> str:
    """Write a comparison as GitHub-flavoured Markdown."""
    if comparison.baseline:
        word, _, told = verdict_words(comparison)
    else:
        word, _, told = _sentence(comparison).plain.partition(". ")
    sign = "❌" if comparison.regressed else "✅" if comparison.conclusive else "❔"
    lines = [f"## {sign} Plugstorm compare: {word.lower()}", "", told, ""]
    lines += [f"- {markdown_text(warning)}" for warning in comparison.warnings]
    lines += [""] if comparison.warnings else []
    rows = [
        (change.direction.value, markdown_text(f"{change.name} {change.figure}"), change_words(change))
        for change in comparison.changes
        if change.direction is not Trend.SAME
    ]
    rows += [
        (
            case.kept.value,
            markdown_text(f"{case.ocpp} {case.id}"),
            markdown_text(f"{_verdict(case.before)} → {_verdict(case.after)}: {case.reason}"),
        )
        for case in comparison.cases
    ]
    if rows:
        lines += ["| | what | change |", "| --- | --- | --- |"]
        lines += [f"| {' | '.join(row)} |" for row in rows[:_MOST_ROWS]]
        lines += [f"| | and {len(rows) - _MOST_ROWS} more | |"] if len(rows) > _MOST_ROWS else []
    return "\n".join(lines).rstrip() + "\n"


def _amounts(comparison: Comparison) -> tuple[int, int]:
    directions = [change.direction.value for change in comparison.changes]
    directions += [case.kept.value for case in comparison.cases]
    return directions.count(Trend.WORSE.value), directions.count(Trend.BETTER.value)


def _cases(comparison: Comparison) -> Table:
    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    for column in ("", "case", "before", "after", "reason"):
        table.add_column(column)
    for case in comparison.cases[:_MOST_ROWS]:
        table.add_row(
            Text(case.kept, style=_STYLES[case.kept]),
            Text(one_line(f"{case.ocpp} {case.id}")),
            _verdict(case.before),
            _verdict(case.after),
            Text(one_line(case.reason, 120)),
        )
    if len(comparison.cases) > _MOST_ROWS:
        table.add_row("", f"and {len(comparison.cases) - _MOST_ROWS} more")
    return table


def _verdict(verdict: Verdict | None) -> str:
    return "–" if verdict is None else verdict.replace("_", " ")


def _figures(changes: list[Change]) -> Table:
    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    for column in ("", "what", "figure"):
        table.add_column(column)
    for column in ("base", "new", "change", "noise of the base"):
        table.add_column(column, justify="right")
    for change in changes[:_MOST_ROWS]:
        table.add_row(
            Text(change.direction, style=_STYLES[change.direction]),
            Text(one_line(change.name)),
            Text(one_line(change.figure)),
            _value(change, change.base),
            _value(change, change.new),
            "–" if change.unit in ("share", "met") else signed_percent(change.relative),
            "–" if change.noise is None else " … ".join(_value(change, end) for end in change.noise),
        )
    if len(changes) > _MOST_ROWS:
        table.add_row("", f"and {len(changes) - _MOST_ROWS} more")
    return table


def _value(change: Change, value: float | None) -> str:
    if value is None:
        return "–"
    match change.unit:
        case "ms":
            return milliseconds(value)
        case "share":
            return percent(value)
        case _:
            return number(value, 4)
