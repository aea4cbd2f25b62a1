"""Names that a command line needs before any dialect is read."""

from __future__ import annotations

from typing import Final

__all__ = ["DEFAULT_DIALECT"]

DEFAULT_DIALECT: Final = "raw"
