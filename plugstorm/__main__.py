"""`python -m plugstorm` is the `plugstorm` command."""

from __future__ import annotations

from plugstorm.cli import main

__all__: list[str] = []

main()
