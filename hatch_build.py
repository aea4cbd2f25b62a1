"""Build the wheel: every room of Plugstorm under the private name `plugstorm/_rooms`, the command line beside it."""

from pathlib import Path
from typing import Any, Final

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

ROOMS: Final = (
    "analysis",
    "benchmarks",
    "config",
    "drivers",
    "evidence",
    "fixtures",
    "interop_suite",
    "loadtest",
    "mqtt",
    "ocppj",
    "reports",
)
"""What `plugstorm` imports and nobody else may find under its plain name."""


class PrivateRooms(BuildHookInterface[Any]):
    """Put the rooms where only Plugstorm looks; an editable install finds them in the checkout."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Name the place of each file and folder in the wheel."""
        if version == "editable":
            return
        root = Path(self.root)
        places = {"plugstorm/plugstorm.pth": "plugstorm.pth"}
        places |= {room: f"plugstorm/_rooms/{room}" for room in ROOMS}
        build_data["force_include"] |= {str(root / source): place for source, place in places.items()}
