"""What this room owns is written nowhere else."""

from __future__ import annotations

from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
ROOMS = (
    "analysis",
    "benchmarks",
    "drivers",
    "evidence",
    "fixtures",
    "interop_suite",
    "loadtest",
    "mqtt",
    "ocppj",
    "plugstorm",
    "reports",
)


@pytest.mark.parametrize(
    ("words", "owner"),
    [
        ("import yaml", "config.yaml_files"),
        ("get_close_matches", "config.words"),
        ('partition("=")', "config.assignments"),
        ("unknown field `", "config.typed"),
        ("min|h)", "config.quantities"),
    ],
)
def test_no_other_room_does_it_by_hand(words: str, owner: str) -> None:
    found = [
        str(path.relative_to(ROOT))
        for room in ROOMS
        for path in sorted((ROOT / room).rglob("*.py"))
        if words in path.read_text("utf-8")
    ]
    assert not found, f"use {owner}"
