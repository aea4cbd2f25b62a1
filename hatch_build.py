"""Refuse to build a real wheel: Plugstorm is installed from its checkout."""

from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class RefuseWheel(BuildHookInterface[Any]):
    """Let editable installs pass and stop every other wheel."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Raise unless `version` is `editable`."""
        del build_data
        if version != "editable":
            message = (
                "Plugstorm is an application: install it from its checkout with 'make setup' or 'pip install -e .'"
            )
            raise RuntimeError(message)
