"""Which texts of a typed driver file are templates, and what for."""

from __future__ import annotations

import types
import typing
from collections.abc import Iterator
from typing import Annotated, Any

import msgspec

from config.locations import Path
from config.typed import fitting
from drivers.template import Place

__all__ = ["templates_of"]

_UNIONS = (typing.Union, types.UnionType)


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
        below = kind if place else (typing.get_args(fitting(value, kind)) or (Any,))[0]
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
