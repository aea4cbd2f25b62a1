"""From a YAML file to plain values, with the line of every key and value kept.

    value, location = read_yaml(Path("slo.yaml"), "SLO file")
    raise location.below("thresholds", 2).error("…")        # slo.yaml:7: thresholds[2]: …

Keys are always text, as they are written: `on:`, `1.6:` and `2024-01-01:` are no surprises.
"""

from __future__ import annotations

from pathlib import Path as FilePath
from typing import Any, Final

import yaml

from config.errors import ConfigError
from config.locations import Location, Mark, Path

__all__ = ["parse_yaml", "read_text", "read_yaml", "write_yaml"]

# The parser in C where libyaml is there; both are safe.
_LOADER: Final = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_TEXT: Final = "tag:yaml.org,2002:str"
_MERGE: Final = "tag:yaml.org,2002:merge"
_DEEPEST: Final = 100
"""Levels; the parser in C crashes the interpreter with some thousands of them."""
_WIDTH: Final = 110
_MOST_VALUES: Final = 100_000
"""Of a document with its aliases written out; a few lines of them could stand for billions."""


def read_text(path: FilePath, what: str) -> str:
    """Read a text file in UTF-8, with or without a byte order mark; raises `ConfigError`."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ConfigError(f"{path}: the {what} cannot be read: {error.strerror}") from None
    except ValueError as error:
        raise ConfigError(f"{str(path)!r}: the {what} cannot be read: {error}") from None
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise ConfigError(f"{path}:{line}: expected text in UTF-8, but byte 0x{data[error.start]:02x} is not") from None


def read_yaml(path: FilePath, what: str) -> tuple[Any, Location]:
    """Read a file, `what` being the words for its kind; raises `ConfigError`. An empty file gives None."""
    return parse_yaml(str(path), read_text(path, what))


def parse_yaml(name: str, text: str) -> tuple[Any, Location]:
    """Read the text of a file; raises `ConfigError` where it is not YAML, or has a key twice."""
    loader = _LOADER(text.removeprefix("\ufeff"))
    try:
        _check_depth(name, text)
        root = loader.get_single_node()
        marks = _Marks(name)
        location = Location(name, (), marks.found)
        if root is None:
            marks.found[()] = Mark(1, None)
            return None, location
        marks.walk(root, ())
        try:
            return loader.construct_document(root), location
        except (ValueError, OverflowError):
            # A date such as 2024-13-45, which PyYAML does not catch.
            raise _impossible(root, name) from None
    except yaml.YAMLError as error:
        raise _syntax_error(name, text, error) from None
    finally:
        loader.dispose()


def write_yaml(value: Any) -> str:
    """Write plain values as the text of a file, with the keys in their order."""
    text: str = yaml.safe_dump(value, sort_keys=False, allow_unicode=True, width=_WIDTH)
    return text


def _check_depth(name: str, text: str) -> None:
    depth = 0
    for event in yaml.parse(text.removeprefix("\ufeff"), _LOADER):
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
        if depth > _DEEPEST:
            raise _too_deep(name, _line(event))


def _line(part: Any) -> int:
    """Count from 1, as people do; nodes and events always have a mark, whatever the stubs say."""
    line: int = part.start_mark.line
    return line + 1


def _too_deep(name: str, line: int) -> ConfigError:
    return ConfigError(f"{name}:{line}: expected at most {_DEEPEST} levels, but this is deeper")


class _Marks:
    """Walks the nodes of a document, makes every key text and notes where everything stands."""

    def __init__(self, name: str) -> None:
        self.found: dict[Path, Mark] = {}
        self._name = name

    def walk(self, node: yaml.Node, path: Path) -> None:
        line = _line(node)
        if len(path) > _DEEPEST:
            # Only an alias of something around it goes deeper than the text does.
            raise _too_deep(self._name, line)
        if len(self.found) > _MOST_VALUES:
            raise ConfigError(f"{self._name}:{line}: expected at most {_MOST_VALUES:,} values, but aliases make more")
        plain = isinstance(node, yaml.ScalarNode) and not node.style
        self.found.setdefault(path, Mark(line, node.value if plain else None))
        if isinstance(node, yaml.MappingNode):
            self._walk_mapping(node, path)
        elif isinstance(node, yaml.SequenceNode):
            for index, item in enumerate(node.value):
                self.walk(item, (*path, index))

    def _walk_mapping(self, node: yaml.MappingNode, path: Path) -> None:
        for key, value in node.value:
            line = _line(key)
            if not isinstance(key, yaml.ScalarNode):
                raise Location(self._name, path, {path: Mark(line, None)}).error(
                    "expected text as a key, but it is a list or a mapping"
                )
            if key.tag != _MERGE:
                key.tag = _TEXT
            below = (*path, key.value)
            if below in self.found:
                first = self.found[below].line
                raise Location(self._name, below, {below: Mark(line, None)}).error(
                    f"expected each key once, but line {first} has it, too"
                )
            self.walk(value, below)
            # The line of the key is where people look, also where the value begins on the next one.
            self.found[below] = self.found[below]._replace(line=line)


def _impossible(node: yaml.Node, name: str) -> ConfigError:
    """Find the value that looks like a number or a date and is none."""
    # The loader that failed takes its unfinished value for a recursive one.
    loader = _LOADER("")
    for scalar in _scalars(node):
        try:
            loader.construct_object(scalar)
        except (ValueError, OverflowError):
            found = f"{scalar.value[:40]!r} is not one; write text in quotes"
            return ConfigError(f"{name}:{_line(scalar)}: expected a number or a date, but {found}")
    return ConfigError(f"{name}: a value is not possible")


def _scalars(node: yaml.Node) -> list[yaml.ScalarNode]:
    if isinstance(node, yaml.MappingNode):
        return [found for pair in node.value for part in pair for found in _scalars(part)]
    if isinstance(node, yaml.SequenceNode):
        return [found for part in node.value for found in _scalars(part)]
    return [node] if isinstance(node, yaml.ScalarNode) else []


def _syntax_error(name: str, text: str, error: yaml.YAMLError) -> ConfigError:
    mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    problem = getattr(error, "problem", None) or getattr(error, "reason", None) or str(error)
    position = getattr(error, "position", None)
    lines = text.splitlines()
    if mark is not None:
        # A mark behind the last line is about what is missing there.
        line = min(mark.line + 1, max(len(lines), 1))
    else:
        line = text.count("\n", 0, position) + 1 if isinstance(position, int) else 1
    here = lines[line - 1] if lines else ""
    if "\t" in here[: len(here) - len(here.lstrip())]:
        problem = "the line begins with a tab; indent with spaces"
    return ConfigError(f"{name}:{line}: expected YAML, but {' '.join(problem.removeprefix('but ').split())}")
