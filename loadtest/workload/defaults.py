"""What a load run takes where nothing else was asked for; the help of the commands shows these."""

from __future__ import annotations

from typing import Final

__all__ = ["DEFAULT_PATTERN", "DEFAULT_PROFILE"]

DEFAULT_PROFILE: Final = "quick"
DEFAULT_PATTERN: Final = "PS{n:06d}"
"""How stations are named: a format text with their number."""
