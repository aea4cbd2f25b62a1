"""The result in short: on a terminal, and as Markdown for the page of a CI job."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from rich.box import SIMPLE_HEAD
from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from evidence.lost_words import how_lost, refused
from evidence.run_folder import RunFolder
from evidence.run_model import CaseResult, InteropRun, LoadRun, Run, SloResult
from evidence.verdicts import Verdict
from evidence.visible import one_line
from evidence.vocabulary import FROM_CSMS
from ocppj.outcomes import Outcome
from reports.causes import causes
from reports.commands_view import COLUMNS, command_rows
from reports.coverage import sentences
from reports.headline import Tone, headline
from reports.markdown import markdown_code as _code
from reports.markdown import markdown_text as _text
from reports.words import (
    case_group,
    count,
    duration,
    measured,
    milliseconds,
    parties,
    percent,
    run_seconds,
    verdict_counts,
    versions,
    when,
)

__all__ = ["print_headline", "print_summary", "summary_markdown", "summary_view", "write_summary"]

_MOST_LISTED = 12
_MOST_ACTIONS = 12
_MOST_NAMED = 6
_REASON_MAX = 160

_STYLES = {
    Verdict.OK: "green",
    Verdict.NON_STRICT: "yellow",
    Verdict.INFORMATIONAL: "blue",
    Verdict.FAILED: "bold red",
    Verdict.NOT_APPLICABLE: "dim",
    Verdict.INCONCLUSIVE: "magenta",
    Verdict.XFAIL: "dim yellow",
    Verdict.XPASS: "bold magenta",
}
_SHORT = {
    Verdict.NOT_APPLICABLE: "N/A",
    Verdict.INFORMATIONAL: "INFO",
    Verdict.INCONCLUSIVE: "INCONCL.",
    Verdict.NON_STRICT: "NON STRICT",
}
"""Words that fit the head of a narrow column."""
_TONES = {Tone.GOOD: "bold green", Tone.MIXED: "bold yellow", Tone.BAD: "bold red", Tone.UNKNOWN: "bold magenta"}
_SIGNS = {Tone.GOOD: "✅", Tone.MIXED: "⚠️", Tone.BAD: "❌", Tone.UNKNOWN: "❔"}


def print_summary(run: Run, console: Console) -> None:
    """Print a run in short; the console decides about colours."""
    console.print(summary_view(run))


def summary_view(run: Run) -> RenderableType:
    """Build what `print_summary` prints."""
    parts = _headline_parts(run)
    parts += _interop_parts(run) if isinstance(run, InteropRun) else _load_parts(run)
    return Group(*parts)


def print_headline(run: Run, console: Console) -> None:
    """Print only how a run ended, and what else a reader must know."""
    console.print(Group(*_headline_parts(run)))


def _headline_parts(run: Run) -> list[RenderableType]:
    head = headline(run)
    line = Text.assemble((f"{head.word}. ", _TONES[head.tone]), _safe(head.sentence))
    return [line, *(Text.assemble("  ", _safe(remark, "dim")) for remark in head.remarks)]


def _safe(text: str, style: str = "") -> Text:
    """Take text as it is, without markup and escape sequences."""
    return Text(one_line(text), style=style)


def _interop_parts(run: InteropRun) -> list[RenderableType]:
    if not run.cases:
        return []
    columns, groups = _matrix(run)
    table = _new_table("profile")
    for verdict in columns:
        table.add_column(_SHORT.get(verdict, verdict), justify="right", style=_STYLES[verdict])
    for name, counts in groups:
        table.add_row(_safe(name), *(str(counts.get(verdict, "·")) for verdict in columns))
    listed = causes(run.cases)
    lines = Table.grid(padding=(0, 2))
    for cause in listed[:_MOST_LISTED]:
        label = _safe(cause.names(1), "bold")
        why = _safe(one_line(cause.reason, _REASON_MAX))
        lines.add_row(Text(f"  {cause.verdict}", style=_STYLES[cause.verdict]), label, why)
    parts: list[RenderableType] = [table, *map(_safe, sentences(run.coverage, judged=True)), lines]
    if len(listed) > _MOST_LISTED:
        parts.append(Text(f"  and {len(listed) - _MOST_LISTED} more in the report", style="dim"))
    return parts


def _new_table(first: str) -> Table:
    table = Table(box=SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    table.add_column(first, no_wrap=True, overflow="ellipsis", max_width=36, min_width=20)
    return table


def _matrix(run: InteropRun) -> tuple[list[Verdict], list[tuple[str, dict[Verdict, int]]]]:
    members: dict[str, list[CaseResult]] = {}
    versions = list(dict.fromkeys(case.ocpp for case in run.cases))
    for case in sorted(run.cases, key=lambda case: (versions.index(case.ocpp), not case.certification)):
        members.setdefault(f"{case.ocpp} {case_group(case)}", []).append(case)
    return list(verdict_counts(run.cases)), [(name, verdict_counts(cases)) for name, cases in members.items()]


def _load_parts(run: LoadRun) -> list[RenderableType]:
    parts: list[RenderableType] = []
    if run.actions:
        table = _new_table("action")
        for column in _CALL_COLUMNS[1:]:
            table.add_column(column, justify="right")
        for row in _call_rows(run):
            table.add_row(*map(_safe, row))
        parts.append(table)
    if run.commands:
        table = _new_table(COLUMNS[0])
        for column in COLUMNS[1:]:
            table.add_column(column, justify="right")
        for row in command_rows(run):
            table.add_row(*map(_safe, row))
        parts.append(table)
    for slo in _told(run):
        word, style = _SLO_WORDS[slo.passed, slo.undecided]
        parts.append(Text.assemble((f"  {word} ", style), one_line(slo.expr), f"  (measured {measured(slo)})"))
    style = {"VALID": "green", "DEGRADED": "yellow", "INVALID": "bold red"}[run.generator.verdict]
    reasons = "; ".join(run.generator.reasons)
    parts.append(Text.assemble("  load generator ", (run.generator.verdict, style), " ", _safe(reasons)))
    return parts


_SLO_WORDS = {
    (True, False): ("met   ", "green"),
    (False, False): ("MISSED", "bold red"),
    (False, True): ("UNDECIDED", "yellow"),
}
_CALL_COLUMNS = (
    "action",
    "calls",
    "accepted",
    "other outcomes",
    "service p50",
    "service p99",
    "response p50",
    "response p99",
)


def _call_rows(run: LoadRun) -> list[tuple[str, ...]]:
    """One row an action and direction; every outcome counts in its latencies, a time-out with at least its limit."""
    rows = [
        (
            f"{one.ocpp} {one.action}{' (from the CSMS)' if one.direction == FROM_CSMS else ''}",
            count(one.count),
            percent(one.outcomes.get(Outcome.ACCEPTED, 0) / one.count) if one.count else "–",
            ", ".join(
                f"{count(amount)} {outcome}"
                for outcome, amount in sorted(one.outcomes.items(), key=lambda pair: -pair[1])
                if outcome != Outcome.ACCEPTED
            ),
            *(
                milliseconds(getattr(latency, name) if latency else None)
                for latency in (one.service_ms, one.response_ms)
                for name in ("p50", "p99")
            ),
        )
        for one in run.actions
    ]
    return rows[:_MOST_ACTIONS]


def _told(run: LoadRun) -> list[SloResult]:
    """Return the objectives that somebody has set, and the built-in ones that were missed."""
    return [slo for slo in run.slo if not (slo.built_in and slo.passed)]


# -- Markdown --------------------------------------------------------------------------------------------------------


def write_summary(folder: Path, run: Run) -> Path:
    """Write `summary.md` into the folder of a run; raises `UsageError` when the disk refuses."""
    RunFolder(folder).write_text("summary.md", summary_markdown(run))
    return folder / "summary.md"


def summary_markdown(run: Run) -> str:
    """Write a run as GitHub-flavoured Markdown."""
    head = headline(run)
    kind = "interop" if isinstance(run, InteropRun) else "load"
    lines = [
        f"## {_SIGNS[head.tone]} Plugstorm {kind}: {head.word.lower()}",
        "",
        f"**{_text(head.sentence)}**",
        "",
        *(f"- {_text(remark)}" for remark in head.remarks),
        *([""] if head.remarks else []),
        " · ".join((f"Target {_code(run.target.url)}", *map(_text, _about(run)))),
        "",
    ]
    lines += _interop_lines(run) if isinstance(run, InteropRun) else _load_lines(run)
    return "\n".join(lines).rstrip() + "\n"


def _about(run: Run) -> tuple[str, ...]:
    took, version = duration(run_seconds(run)), run.tool.get("version", "?")
    named = (f"{name} {value}" for name, value in parties(run))
    return *named, versions(run), when(run.started), took, f"plugstorm {version}"


def _interop_lines(run: InteropRun) -> list[str]:
    if not run.cases:
        return []
    columns, groups = _matrix(run)
    lines = _table(
        ["profile", *(verdict.replace("_", " ") for verdict in columns)],
        [[_text(name), *(str(counts.get(verdict, "")) for verdict in columns)] for name, counts in groups],
        numeric=True,
    )
    told = sentences(run.coverage)
    if told:
        lines += [
            "### Coverage of the certification list",
            "",
            *(f"- {_text(sentence)}" for sentence in told),
            "",
        ]
    listed = causes(run.cases)
    if listed:
        rows = [
            [
                str(cause.verdict).replace("_", " "),
                _code(cause.names(_MOST_NAMED)),
                _code(cause.reason),
                _text("; ".join(cause.clauses[:_MOST_NAMED])),
            ]
            for cause in listed[:_MOST_LISTED]
        ]
        head = ["verdict", "cases", "reason", "clause"]
        lines += ["### What needs attention", "", *_table(head, rows)]
    if len(listed) > _MOST_LISTED:
        lines += [f"… and {len(listed) - _MOST_LISTED} more in the report.", ""]
    return lines


def _load_lines(run: LoadRun) -> list[str]:
    lines = []
    if _told(run):
        rows = [
            ["✅" if slo.passed else "❔" if slo.undecided else "❌", _code(slo.expr), measured(slo)]
            for slo in _told(run)
        ]
        lines += _table(["", "objective", "measured"], rows)
    if run.actions:
        lines += _table(list(_CALL_COLUMNS), [[_text(cell) for cell in row] for row in _call_rows(run)], numeric=True)
    if run.commands:
        lines += _table(list(COLUMNS), [[_text(cell) for cell in row] for row in command_rows(run)], numeric=True)
    said = [*map(how_lost, run.lost_connections[:_MOST_LISTED]), *map(refused, run.callerrors[:_MOST_LISTED])]
    said += run.kpis.says
    lines += [f"- {_text(sentence)}" for sentence in said]
    lines += [""] if said else []
    lines += [
        f"Load generator: **{run.generator.verdict}** {_text('; '.join(run.generator.reasons))}".rstrip(),
        "",
    ]
    return lines


def _table(columns: Sequence[str], rows: Sequence[Sequence[str]], *, numeric: bool = False) -> list[str]:
    """Write a table; if it is `numeric`, all columns but the first are aligned to the right."""
    rule = ["---", *(("---:" if numeric else "---") for _ in columns[1:])]
    return [f"| {' | '.join(cells)} |" for cells in (columns, rule, *rows)] + [""]
