"""The rooms of an installed Plugstorm, which lie behind one private name.

`hatch_build.py` puts them there: beside other packages, names such as `fixtures` or `config` would be in the way. In a
checkout there is nothing to find.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path
from types import ModuleType

__all__ = ["MARK", "ROOMS", "PrivateRooms", "open_rooms"]

ROOMS = Path(__file__).with_name("_rooms")
"""The folder of the rooms in a wheel."""
MARK = "PLUGSTORM_ROOMS"
"""The variable of the environment by which a Python of this environment opens the rooms when it starts
(`plugstorm.pth`); other Pythons do not look at it."""


# Its base class would be in `importlib.abc`, which loads what opens archives: a sixth of the time that `--help` takes.
class PrivateRooms:
    """Finds the rooms before anything else of their names, such as a `config.py` in the working directory."""

    def __init__(self, folder: Path) -> None:
        """Look into `folder`."""
        self._path = [str(folder)]

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Find a room; what is inside one is found by its own path."""
        return PathFinder.find_spec(fullname, self._path, target) if path is None else None


def open_rooms(folder: Path = ROOMS) -> None:
    """Make the rooms importable in this process and in the processes of this environment that it starts."""
    if folder.is_dir():
        sys.meta_path.insert(0, PrivateRooms(folder))
        os.environ[MARK] = "1"
