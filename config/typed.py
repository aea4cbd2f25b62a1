"""From plain values to msgspec types; an error names the innermost place that does not fit, and the nearest known key.

    profile = convert(value, Profile, location)             # day.yaml:4: sessions.duratoin: the key is unknown; …
profile = read_as(Path("day.yaml"), Profile, "load profile")
"""

from __future__ import annotations

import re
import threading
import types
import typing
from collections.abc import Collection, Iterator
from enum import Enum
from pathlib import Path as FilePath
from typing import Annotated, Any, Final, TypeVar

import msgspec

from config.errors import ConfigError
from config.locations import Location
from config.words import hint
from config.yaml_files import read_yaml

__all__ = ["convert", "fitting", "read_as"]

_T = TypeVar("_T")
_UNIONS: Final = (typing.Union, types.UnionType)
_SEQUENCES: Final = (list, tuple, set, frozenset)
_EXPECTED: Final = re.compile(r"Expected `(?P<types>[^`]+)`(?P<limit>[^,]*)")
_LIMIT: Final = re.compile(r"(?: of)? ?(?P<length>length)? ?(?P<sign>[<>=]*) ?(?P<value>[-\d.]+)")
_NAMED: Final = re.compile(r"`(?P<field>\w+)`(?:: )?")
_SIGNS: Final = {">=": "at least ", "<=": "at most ", ">": "more than ", "<": "less than ", "": ""}
_MOST_KEYS: Final = 8
_WORDS: Final = {
    "int": "a whole number",
    "float": "a number",
    "str": "text",
    "bool": "true or false",
    "array": "a list",
    "object": "a mapping",
    "null": "nothing",
    "datetime": "a date with a time",
    "date": "a date",
}


def read_as(path: FilePath, kind: type[_T], what: str) -> _T:
    """Read a YAML file as a type, `what` being the words for such a file; raises `ConfigError`."""
    value, location = read_yaml(path, what)
    return convert(value, kind, location)


# msgspec 0.22 crashes the interpreter when two threads make it learn the same type at the same time.
_converting = threading.RLock()


def convert(value: Any, kind: type[_T], location: Location, *, strict: bool = True, hidden: Collection[str] = ()) -> _T:
    """Type a value that was written at a place; raises `ConfigError` about the first part that does not fit.

    A struct that finds a fault in `__post_init__` begins its message with the field, as in "`delay` must be …" or
    "`delay`: expected …", so that the error is about the line of that field. Without `strict`, text is also read as a
    number or as true or false. Fields named in `hidden` are not for people: as keys at the top they are unknown.
    """
    fault = _Fault(strict=strict)
    known = _fields(kind)
    if isinstance(value, dict):
        for key in value:
            if key in hidden:
                raise fault.unknown(key, [name for name in known if name not in hidden], location)
    try:
        with _converting:
            return msgspec.convert(value, kind, strict=strict)
    except msgspec.ValidationError as error:
        raise (
            fault.find(value, kind, location, hidden) or location.error(_in_words(str(error), value, location))
        ) from None


def fitting(value: Any, kind: Any) -> Any:
    """Choose the member of a union that a value looks like."""
    if typing.get_origin(kind) not in _UNIONS:
        return kind
    members = [member for member in typing.get_args(kind) if member is not types.NoneType]
    for member in members:
        origin = typing.get_origin(_bare(member)) or _bare(member)
        if isinstance(value, dict) and (origin is dict or _is_struct(origin)):
            return member
        if isinstance(value, list) and origin in _SEQUENCES:
            return member
    return kind if value is None or len(members) > 1 else members[0]


class _Fault:
    """Goes down to where a value does not fit its type, and makes the error there."""

    def __init__(self, *, strict: bool) -> None:
        self._strict = strict

    def find(self, value: Any, kind: Any, location: Location, hidden: Collection[str] = ()) -> ConfigError | None:
        kind = fitting(value, kind)
        bare = _bare(kind)
        if _is_struct(bare):
            if not isinstance(value, dict):
                wanted = _keys(bare, hidden)
                return location.error(f"expected a mapping with {wanted}, but {_describe(value, location)}")
            found = self._find_in_struct(value, bare, location, hidden)
        else:
            parts = (self.find(part, inner, location.below(key)) for key, part, inner in _parts(value, bare))
            found = next((fault for fault in parts if fault is not None), None)
        return found or self._own_fault(value, kind, location)

    def _own_fault(self, value: Any, kind: Any, location: Location) -> ConfigError | None:
        try:
            msgspec.convert(value, kind, strict=self._strict)
        except msgspec.ValidationError as error:
            message = str(error)
        else:
            return None
        words = _choices(_bare(kind))
        if words:
            return location.error(f"expected one of {', '.join(words)}, but {_choice(value, words, location)}")
        named = _NAMED.match(message)
        if named is not None and isinstance(value, dict) and named["field"] in value:
            return location.below(named["field"]).error(message[named.end() :] if named[0].endswith(": ") else message)
        return location.error(_in_words(message, value, location))

    def _find_in_struct(
        self, value: dict[Any, Any], kind: type[msgspec.Struct], location: Location, hidden: Collection[str]
    ) -> ConfigError | None:
        fields = {name: field for name, field in _fields(kind).items() if name not in hidden}
        for key, part in value.items():
            if key in fields:
                fault = self.find(part, fields[key].type, location.below(key))
                if fault is not None:
                    return fault
            elif kind.__struct_config__.forbid_unknown_fields:
                return self.unknown(key, fields, location)
        for name, field in fields.items():
            if field.required and name not in value:
                return location.error(f"expected the key {name!r}, but it is missing")
        return None

    def unknown(self, key: Any, known: Collection[str], location: Location) -> ConfigError:
        return location.below(key).error(f"the key {key!r} is unknown; {hint(str(key), known)}")


def _parts(value: Any, kind: Any) -> Iterator[tuple[Any, Any, Any]]:
    """List the parts of a collection with their key and type."""
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin is tuple and isinstance(value, list):
        inner = arguments[:1] * len(value) if arguments[1:] == (Ellipsis,) else arguments
        yield from zip(range(len(value)), value, inner, strict=False)
    elif origin in _SEQUENCES and isinstance(value, list):
        yield from ((index, part, arguments[0]) for index, part in enumerate(value))
    elif origin is not None and isinstance(value, dict) and len(arguments) == 2:  # noqa: PLR2004 - key and value
        for key, part in value.items():
            yield key, key, arguments[0]
            yield key, part, arguments[1]


def _bare(kind: Any) -> Any:
    return typing.get_args(kind)[0] if typing.get_origin(kind) is Annotated else kind


def _is_struct(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, msgspec.Struct)


def _fields(kind: Any) -> dict[str, msgspec.structs.FieldInfo]:
    return {field.encode_name: field for field in msgspec.structs.fields(kind)} if _is_struct(kind) else {}


def _keys(kind: Any, hidden: Collection[str]) -> str:
    """List keys of a struct, those that it must have first."""
    fields = sorted(_fields(kind).values(), key=lambda field: not field.required)
    names = [field.encode_name for field in fields if field.encode_name not in hidden]
    return ", ".join(names[:_MOST_KEYS]) + (", …" if len(names) > _MOST_KEYS else "")


def _choices(kind: Any) -> list[str]:
    """List the words of a Literal or an enumeration."""
    if typing.get_origin(kind) is typing.Literal:
        return [str(word) for word in typing.get_args(kind)]
    if isinstance(kind, type) and issubclass(kind, Enum):
        return [str(member.value) for member in kind]
    return []


def _choice(value: Any, words: list[str], location: Location) -> str:
    near = hint(value, words, "") if isinstance(value, str) else ""
    return _describe(value, location) + (f"; {near}" if near else "")


def _describe(value: Any, location: Location) -> str:
    """Say what a value is, as the end of `expected …, but`."""
    match value:
        case None:
            return "it is empty"
        case dict():
            return "it is a mapping"
        case list():
            return "it is a list"
        case str():
            return f"it is {_short(value)!r}"
        case bool():
            written = location.text
            read = "true" if value else "false"
            return f"it is {read}" if written in (None, read) else f"{written!r} is {read} in YAML; write it in quotes"
        case _:
            return f"it is {_short(location.text or str(value))}"


def _short(text: str) -> str:
    return text if len(text) <= 60 else f"{text[:59]}…"  # noqa: PLR2004 - fits on a line


def _in_words(message: str, value: Any, location: Location) -> str:
    """Write a sentence of msgspec for people."""
    match = _EXPECTED.match(message)
    if match is None:
        return f"{message[:1].lower()}{message[1:]}" if message[1:2].islower() else message
    names = [name.strip() for name in match["types"].split("|")]
    wanted = " or ".join(_WORDS.get(name, name) for name in names if name != "null" or value is None)
    limit = _LIMIT.fullmatch(match["limit"])
    if limit is not None and limit["length"]:
        wanted += f" of length {_SIGNS[limit['sign']]}{limit['value']}"
        return f"expected {wanted}, but {_length(value, location)}"
    if limit is None:
        wanted += match["limit"]
    else:
        wanted += f" of {_SIGNS[limit['sign']]}{float(limit['value']):g}"
    but = _describe(value, location)
    if "str" in names and not isinstance(value, str | dict | list | None) and "quotes" not in but:
        but += "; write it in quotes"
    return f"expected {wanted}, but {but}"


def _length(value: Any, location: Location) -> str:
    return f"it has {len(value)}" if isinstance(value, str | list | dict) else _describe(value, location)
