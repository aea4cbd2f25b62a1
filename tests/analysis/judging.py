"""Judges text as the command does, without files."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from analysis.findings_model import Analysis
from analysis.judge import Judge
from analysis.readers.contract import Reader
from analysis.readers.source import Source, sniff


def numbered(text: str) -> list[tuple[int, str]]:
    return list(enumerate(text.split("\n"), 1))


def judge_text(text: str, reader: Reader | None = None, *, station: str = "INV-0001", **options: Any) -> Analysis:
    judge = Judge(**options)
    source = Source("a.log", numbered(text), station=station)
    chosen = reader or sniff(source)
    judge.begin(source.name, chosen.name, chosen.traits)
    judge.read(chosen.read(source.lines, station))
    return judge.finish()


def broken(analysis: Analysis) -> set[tuple[str, str]]:
    return {(str(side), rule) for side, rules in analysis.counts.items() for rule in rules}


def write(folder: Path, lines: Sequence[str], name: str = "a.log") -> Path:
    path = folder / name
    path.write_text("\n".join(lines) + "\n", "utf-8")
    return path
