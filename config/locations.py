"""Where something was written, so that an error about it can say so."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

from config.errors import ConfigError

__all__ = ["Location", "Mark", "Path", "write_path"]

Path = tuple[str | int, ...]
"""Keys and indices from the top of a document down."""


class Mark(NamedTuple):
    """What a file has at a path."""

    line: int
    """Counts from 1."""
    text: str | None
    """A value without quotes, as it is written; None for everything else."""


class Location:
    """A path in a file, or just the words of an option."""

    __slots__ = ("_marks", "name", "path")

    def __init__(self, name: str, path: Path = (), marks: Mapping[Path, Mark] = MappingProxyType({})) -> None:
        """Name the file with what stands at its paths, or the option."""
        self.name = name
        self.path = path
        self._marks = marks

    def below(self, *keys: str | int) -> Location:
        """Return the location of something inside."""
        return Location(self.name, (*self.path, *keys), self._marks)

    @property
    def line(self) -> int | None:
        """The line of what stands here, or of the nearest thing around it; None without a file."""
        path = self.path
        while path and path not in self._marks:
            path = path[:-1]
        mark = self._marks.get(path)
        return None if mark is None else mark.line

    @property
    def text(self) -> str | None:
        """What is written here, if it is a value without quotes."""
        mark = self._marks.get(self.path)
        return None if mark is None else mark.text

    def error(self, message: str) -> ConfigError:
        """Make the error about what stands here: `FILE:LINE: path.to.key: message`."""
        line, path = self.line, write_path(self.path)
        return ConfigError(f"{self.name}{f':{line}' if line else ''}: {f'{path}: ' if path else ''}{message}")


def write_path(path: Path) -> str:
    """Write a path as `operations.trigger[0].http`."""
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path).removeprefix(".")
