"""The exit codes of every Plugstorm command; others depend on these numbers."""

from __future__ import annotations

from typing import Final

__all__ = ["FAILED", "INTERRUPTED", "INVALID", "PASSED", "UNREACHABLE", "USAGE"]

PASSED: Final = 0
"""Everything asked for was checked and held."""
FAILED: Final = 1
"""A verdict failed: FAILED, XPASS, a missed SLO, a regression."""
USAGE: Final = 2
"""The command line or a file cannot work."""
INVALID: Final = 3
"""Nothing can be concluded: an inconclusive interop run, or a generator that could not keep up."""
UNREACHABLE: Final = 4
"""The target never answered, or is gone since some case of the run."""
INTERRUPTED: Final = 130
"""Stopped by the person, as shells write SIGINT."""
