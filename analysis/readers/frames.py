"""The frame inside a line of a log: where it begins, whether the log shows all of it, and its JSON."""

from __future__ import annotations

import re
from typing import Any

import msgspec

__all__ = ["decode", "is_open", "shortened"]

_decode = msgspec.json.Decoder().decode
# What loggers write where they leave something out; outside strings no JSON holds any of it.
_SHORT = re.compile(r"(?<!\w)(?:\.\.\.|…|\[Object\]|\[Array\]|\[object Object\]|<truncated>|\*{3,})")
_STRINGS = re.compile(r'"(?:[^"\\]|\\.)*+"')


def decode(text: str) -> Any:
    """Return the JSON of a frame, or None where it is not JSON."""
    try:
        return _decode(text)
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        return None


def is_open(text: str) -> bool:
    """Return whether JSON text ends before its brackets are closed, or inside a string."""
    rest = _STRINGS.sub("", text)
    if '"' in rest:
        return True
    return rest.count("[") + rest.count("{") > rest.count("]") + rest.count("}")


def shortened(text: str) -> bool:
    """Return whether the logger left out a part of the frame."""
    if is_open(text):
        return True
    return _SHORT.search(_STRINGS.sub('""', text)) is not None or _elided_string(text)


def _elided_string(text: str) -> bool:
    """Recognise JSON whose strings the logger cut, so that what follows makes no sense."""
    return text.endswith(("...", "…", ">", "..."))
