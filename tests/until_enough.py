"""Words and environment with which `plugstorm load` ends when it has counted enough (`tests.loadtest.enough`)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Final

__all__ = ["UNTIL_ENOUGH", "enough_is"]

_ROOT: Final = Path(__file__).resolve().parents[1]
UNTIL_ENOUGH: Final = (
    *("--duration", "90s"),
    *("--", "-f", str(_ROOT / "tests" / "loadtest" / "enough_locustfile.py"), "--warm-up", "0"),
)
"""The end of the command line; the time is for a machine that has hung."""


def enough_is(counts: Mapping[str, int]) -> dict[str, str]:
    """Return the environment of a run that ends when it has counted so many CALLs of each kind."""
    return {"ENOUGH": json.dumps(counts), "PYTHONPATH": str(_ROOT)}
