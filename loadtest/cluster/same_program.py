"""Whether a worker is the same Plugstorm as its master: what two versions count and mean may differ."""

from __future__ import annotations

from importlib import metadata
from typing import Final

__all__ = ["PROGRAM", "difference"]

PROGRAM: Final = metadata.version("plugstorm")
"""The version of this process."""


def difference(worker: str) -> str | None:
    """Tell what is wrong with a worker of that version; empty is one that does not say which it is."""
    if worker == PROGRAM:
        return None
    theirs = f"Plugstorm {worker}" if worker else "an older Plugstorm"
    return f"it is {theirs}, and the master is Plugstorm {PROGRAM}; install the same version on both machines"
