"""What an analysis found, as text for a terminal, as Markdown for an issue, and as SARIF for code scanners."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Final
from urllib.parse import quote

from analysis.findings_model import Analysis, FrameSeen, Judged
from analysis.model import Direction, Level, Side
from analysis.rulebook.table import RULES
from analysis.safe_frames import safe_frame
from evidence.visible import one_line
from reports.finding_sequence import frame_time
from reports.words import plural

__all__ = ["as_markdown", "as_sarif", "as_text", "first_of_each", "frame_rows", "headline"]

_SHOWN_LOST: Final = 5
_SHOWN_UNREAD: Final = 5
_FRAME: Final = 150
_LEVELS: Final = {Level.REQUIRED: "error", Level.RECOMMENDED: "warning", Level.BEHAVIOUR: "note"}
_ORDER: Final = list(_LEVELS)
_SIDES: Final = (Side.CSMS, Side.STATION, Side.NETWORK)
_ARROWS: Final = {Direction.TO_CSMS: "──▶", Direction.TO_STATION: "◀──"}


def headline(analysis: Analysis) -> str:
    """Say in one sentence which side broke how many rules, and what it cost."""
    told = []
    for side in _SIDES:
        required = analysis.required[side]
        others = analysis.rules_of(side) - len(required)
        if required or others:
            parts = [f"{len(required)} {'rule' if len(required) == 1 else 'rules'} broken"] if required else []
            parts += [f"{others} {'habit' if others == 1 else 'habits'} that may hurt"] if others else []
            told.append(f"{side.words}: {', '.join(parts)}")
    line = "; ".join(told) if told else "neither side broke a rule"
    if analysis.lost:
        first = analysis.lost[0]
        more = f" (and {len(analysis.lost) - 1} more)" if len(analysis.lost) > 1 else ""
        line += f". The session of connector {first.connector} of {one_line(first.station, 48)} was lost: "
        line += f"{first.reason}{more}"
    return line[:1].upper() + line[1:] + "."


def first_of_each(analysis: Analysis) -> list[tuple[Judged, int]]:
    """Return the first finding of each side and rule with their number, the gravest first."""
    found: dict[tuple[Side, str], Judged] = {}
    for finding in analysis.findings:
        found.setdefault((finding.side, finding.rule), finding)
    chosen = sorted(found.values(), key=lambda one: (_SIDES.index(one.side), _ORDER.index(one.level), one.rule))
    return [(one, analysis.counts[one.side][one.rule]) for one in chosen]


def frame_rows(frames: list[FrameSeen]) -> list[tuple[bool, int, str, str, str]]:
    """Return what is shown of the frames round a finding: marked, line, time, arrow, text."""
    return [
        (
            frame.marked,
            frame.line,
            "" if frame.at is None else frame_time(frame.at),
            _ARROWS[frame.direction],
            one_line(safe_frame(frame.text), 2_000),
        )
        for frame in frames
    ]


def as_text(analysis: Analysis) -> str:
    """Write it for a terminal."""
    lines = [headline(analysis), ""]
    for finding, count in first_of_each(analysis):
        times = f"  ({count} times)" if count > 1 else ""
        lines += [
            f"{finding.side.words}: {finding.rule}  [{finding.level}; {finding.clause}]{times}",
            f"    {finding.asks}",
            f"    {_place(finding)}  {one_line(finding.station, 48)}  {one_line(finding.detail, 300)}",
        ]
        for marked, line, time, arrow, text in frame_rows(finding.frames):
            lines.append(f"      {'>' if marked else ' '} {line:>7}  {time:<12} {arrow} {text[:_FRAME]}")
        lines.append("")
    lines += list(_losses(analysis))
    lines += list(_unread(analysis))
    lines += [f"Note: {note}." for note in analysis.notes]
    lines.append(_figures(analysis))
    return "\n".join(lines) + "\n"


def _place(finding: Judged) -> str:
    return f"{one_line(finding.file, 200)}:{finding.line}"


def _first(finding: Judged, count: int) -> str:
    times = "time" if count == 1 else "times"
    place = f"`{_code(finding.file)}` line {finding.line}, station `{_code(finding.station)}`"
    return f"Found {count} {times}; first in {place}"


def _losses(analysis: Analysis) -> Iterator[str]:
    for lost in analysis.lost[:_SHOWN_LOST]:
        yield (
            f"Lost session: connector {lost.connector} of {one_line(lost.station, 48)}, {one_line(lost.file, 200)}:"
            f"{lost.line}: {lost.reason}."
        )
    if len(analysis.lost) > _SHOWN_LOST:
        yield f"and {len(analysis.lost) - _SHOWN_LOST} more lost sessions"


def _unread(analysis: Analysis) -> Iterator[str]:
    total = sum(source.unread for source in analysis.sources)
    for line in analysis.unread[:_SHOWN_UNREAD]:
        yield f"Not read: {one_line(line.file, 200)}:{line.line}: {line.why}: {one_line(safe_frame(line.text), 120)}"
    if total > _SHOWN_UNREAD:
        yield f"and {total - min(_SHOWN_UNREAD, len(analysis.unread))} more lines that could not be read"


def _figures(analysis: Analysis) -> str:
    formats = ", ".join(dict.fromkeys(source.format for source in analysis.sources))
    cut = sum(source.cut for source in analysis.sources)
    back = sum(source.steps_back for source in analysis.sources)
    stations = len({one.station for one in analysis.stations})
    line = (
        f"{plural(analysis.frames, 'frame')} of {plural(stations, 'station')} on "
        f"{plural(sum(one.connections for one in analysis.stations), 'connection')}, "
        f"{plural(sum(one.transactions for one in analysis.stations), 'transaction')}; read as {formats}"
    )
    if cut:
        line += f"; {plural(cut, 'frame')} cut short in the log"
    if back:
        line += f"; {plural(back, 'step')} back of its clock"
    return line


def as_markdown(analysis: Analysis) -> str:
    """Write it for pasting into an issue."""
    lines = [f"**{_mark(headline(analysis))}**", ""]
    for finding, count in first_of_each(analysis):
        lines += [
            f"### {finding.side.words}: `{finding.rule}` ({finding.level}; {_mark(finding.clause)})",
            "",
            f"{_mark(finding.asks)} {_first(finding, count)}: {_mark(finding.detail)}",
            "",
            "```text",
        ]
        lines += [
            f"{'>' if marked else ' '} {line:>6} {time:<12} {arrow} {text[:_FRAME].replace('```', '` ` `')}"
            for marked, line, time, arrow, text in frame_rows(finding.frames)
        ]
        lines += ["```", ""]
    lines.append(_mark(_figures(analysis)) + ".")
    return "\n".join(lines) + "\n"


def _mark(text: str) -> str:
    line = one_line(text, 500)
    for sign in "\\`*_<>[]|":
        line = line.replace(sign, "\\" + sign)
    return line


def _code(text: str) -> str:
    return one_line(text, 200).replace("`", "'")


def as_sarif(analysis: Analysis) -> str:
    """Write it as SARIF 2.1.0; each result has its file and line."""
    used = sorted({finding.rule for finding in analysis.findings})
    run = {
        "tool": {
            "driver": {
                "name": "Plugstorm",
                "rules": [
                    {
                        "id": rule,
                        "shortDescription": {"text": RULES[rule].asks},
                        "properties": {"side": RULES[rule].side or "either"},
                    }
                    for rule in used
                ],
            }
        },
        "results": [
            {
                "ruleId": finding.rule,
                "ruleIndex": used.index(finding.rule),
                "level": _LEVELS[finding.level],
                "message": {
                    "text": f"{finding.side.words}: {finding.detail} ({finding.clause}), station {finding.station}"
                },
                "locations": [
                    {
                        "physicalLocation": {
                            "artifactLocation": {"uri": quote(finding.file)},
                            "region": {"startLine": max(finding.line, 1)},
                        }
                    }
                ],
            }
            for finding in analysis.findings
        ],
    }
    document = {
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [run],
    }
    return json.dumps(document, indent=2, ensure_ascii=True) + "\n"
