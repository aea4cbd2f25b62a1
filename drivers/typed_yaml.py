"""From the text of a driver file to its types, with every mistake named by file, line and path."""

from __future__ import annotations

import types
import typing
from collections.abc import Iterator
from difflib import get_close_matches
from typing import Annotated, Any, TypeVar

import msgspec
import yaml

from drivers.template import Place
from ocppj.errors import UsageError

__all__ = ["Path", "Source", "convert", "read_yaml", "templates_of"]

Path = tuple[str | int, ...]
_T = TypeVar("_T", bound=msgspec.Struct)
# The parser in C where libyaml is there; both are safe.
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_UNIONS = (typing.Union, types.UnionType)


class Source:
    """Knows where each path of a document stands in its file."""

    def __init__(self, name: str, lines: dict[Path, int]) -> None:
        """Remember the line of every path, from 1."""
        self.name = name
        self._lines = lines

    def error(self, path: Path, message: str) -> UsageError:
        """Make the error about one place of the file."""
        known = path
        while known and known not in self._lines:
            known = known[:-1]
        line = self._lines.get(known)
        place = _write(path)
        return UsageError(f"{self.name}{f':{line}' if line else ''}: {f'{place}: ' if place else ''}{message}")


def read_yaml(name: str, text: str) -> tuple[Any, Source]:
    """Parse YAML; raises `UsageError` for text that is none, and for a key that stands twice."""
    lines: dict[Path, int] = {}
    source = Source(name, lines)
    loader = _LOADER(text)
    try:
        root = loader.get_single_node()
        if root is None:
            return None, source
        for path, line, key in _walk(root, ()):
            if key and path in lines:
                raise source.error(path, f"stands twice, here and in line {line}")
            lines[path] = line
        return loader.construct_document(root), source
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f":{mark.line + 1}" if mark is not None else ""
        raise UsageError(f"{name}{where}: is no YAML: {getattr(error, 'problem', None) or error}") from None
    finally:
        loader.dispose()


def _walk(node: yaml.Node, path: Path) -> Iterator[tuple[Path, int, bool]]:
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            below = (*path, str(key.value))
            yield below, key.start_mark.line + 1, True
            yield from _walk(value, below)
    elif isinstance(node, yaml.SequenceNode):
        for index, value in enumerate(node.value):
            yield (*path, index), value.start_mark.line + 1, False
            yield from _walk(value, (*path, index))


def convert(document: Any, kind: type[_T], source: Source) -> _T:
    """Type a document; raises `UsageError` about the first place that does not fit."""
    try:
        return msgspec.convert(document, kind)
    except msgspec.ValidationError as error:
        _find_fault(document, kind, (), source)
        raise source.error((), str(error)) from None


def _find_fault(value: Any, kind: Any, path: Path, source: Source) -> None:
    """Go down to where the value does not fit its type and raise the error there."""
    kind = _fitting(value, kind)
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        if not isinstance(value, dict):
            raise source.error(path, f"must be a mapping, is {_describe(value)}")
        _find_fault_in_struct(value, kind, path, source)
    elif origin is list and isinstance(value, list):
        for index, item in enumerate(value):
            _find_fault(item, arguments[0], (*path, index), source)
    elif origin is dict and isinstance(value, dict):
        for key, item in value.items():
            _find_fault(item, arguments[1], (*path, key), source)
    try:
        msgspec.convert(value, kind)
    except msgspec.ValidationError as error:
        raise source.error(path, _plain(str(error), kind, value)) from None


def _find_fault_in_struct(value: dict[Any, Any], kind: type[msgspec.Struct], path: Path, source: Source) -> None:
    fields = {field.name: field for field in msgspec.structs.fields(kind)}
    for key, item in value.items():
        if key not in fields:
            close = get_close_matches(str(key), fields, 1)
            hint = f"did you mean {close[0]}?" if close else f"known are {', '.join(fields)}"
            raise source.error((*path, key), f"is not known; {hint}")
        _find_fault(item, fields[key].type, (*path, key), source)
    for field in fields.values():
        if field.required and field.name not in value:
            raise source.error(path, f"lacks {field.name}")


def _fitting(value: Any, kind: Any) -> Any:
    """Choose the member of a union that the value looks like."""
    if typing.get_origin(kind) not in _UNIONS:
        return kind
    members = [member for member in typing.get_args(kind) if member is not types.NoneType]
    containers = {list: isinstance(value, list), dict: isinstance(value, dict)}
    for member in members:
        shape = typing.get_origin(member) or (dict if _is_struct(member) else None)
        if containers.get(shape):  # type: ignore[arg-type]  # None stands for no container
            return member
    return kind if value is None or len(members) > 1 else members[0]


def _is_struct(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, msgspec.Struct)


def _plain(message: str, kind: Any, value: Any) -> str:
    if typing.get_origin(kind) is typing.Literal:
        known = [str(word) for word in typing.get_args(kind)]
        close = get_close_matches(str(value), known, 1)
        return f"is {value!r}; " + (f"did you mean {close[0]}?" if close else f"known are {', '.join(known)}")
    return message[:1].lower() + message[1:]


def _describe(value: Any) -> str:
    return "empty" if value is None else f"{value!r}"[:60]


def _write(path: Path) -> str:
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else str(part)
    return text


# -- the templates of a document -------------------------------------------------------------------------------------


def templates_of(value: Any, path: Path = ()) -> Iterator[tuple[Path, str, Place]]:
    """Find every template in a typed document, with its path and its place."""
    if isinstance(value, msgspec.Struct):
        for field in msgspec.structs.fields(type(value)):
            yield from _templates(getattr(value, field.name), field.type, (*path, field.name))


def _templates(value: Any, kind: Any, path: Path) -> Iterator[tuple[Path, str, Place]]:
    place = _place_of(kind)
    if isinstance(value, msgspec.Struct):
        yield from templates_of(value, path)
    elif isinstance(value, dict):
        arguments = typing.get_args(kind)
        below = kind if place else arguments[1] if arguments else Any
        for key, item in value.items():
            yield from _templates(item, below, (*path, key))
    elif isinstance(value, list):
        below = kind if place else (typing.get_args(_fitting(value, kind)) or (Any,))[0]
        for index, item in enumerate(value):
            yield from _templates(item, below, (*path, index))
    elif isinstance(value, str) and place is not None:
        yield path, value, place


def _place_of(kind: Any) -> Place | None:
    """Read the place from an annotated type, also from within `… | None`."""
    if typing.get_origin(kind) is Annotated:
        for note in kind.__metadata__:
            if isinstance(note, msgspec.Meta) and note.extra and "place" in note.extra:
                return Place(note.extra["place"])
    if typing.get_origin(kind) in _UNIONS:
        return next((place for member in typing.get_args(kind) if (place := _place_of(member))), None)
    return None
