"""What kind of mistake it is that a schema refuses: which of them every receiver copes with."""

from __future__ import annotations

import re
from enum import StrEnum
from typing import Any, Final

from ocppj.schemas import SchemaError

__all__ = ["PayloadFault", "fault_of", "value_at"]

_LOCAL_TIME: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?")
_SHORT_OFFSET: Final = re.compile(_LOCAL_TIME.pattern + r"[+-]\d\d(\d\d)?")


class PayloadFault(StrEnum):
    """Kinds of mistakes in a payload."""

    EXTRA_FIELD = "extra-field"
    """A field that the schema does not know."""
    LOCAL_TIME = "local-time"
    """A time without a zone."""
    SHORT_OFFSET = "short-offset"
    """A time whose offset is written as ISO 8601 has it, +03 or +0300, and not as RFC 3339 does."""
    WHOLE_FLOAT = "whole-float"
    """20.0 is an integer for draft-06 and none for draft-04; JSON itself knows only numbers."""
    OTHER = "other"


def fault_of(error: SchemaError, payload: Any) -> PayloadFault:
    """Tell the kind of a violation."""
    if error.keyword == "additionalProperties":
        return PayloadFault.EXTRA_FIELD
    value = value_at(payload, error.path)
    if error.keyword == "format" and isinstance(value, str):
        if _LOCAL_TIME.fullmatch(value):
            return PayloadFault.LOCAL_TIME
        if _SHORT_OFFSET.fullmatch(value):
            return PayloadFault.SHORT_OFFSET
    if error.keyword == "type" and '"integer"' in error.message and isinstance(value, float) and value.is_integer():
        return PayloadFault.WHOLE_FLOAT
    return PayloadFault.OTHER


def value_at(payload: Any, path: str) -> Any:
    """Return what stands at a path such as `/meterValue/0/timestamp`; None where nothing does."""
    value = payload
    for part in path.split("/")[1:]:
        if isinstance(value, dict):
            value = value.get(part)
        elif isinstance(value, list) and part.isdigit() and int(part) < len(value):
            value = value[int(part)]
        else:
            return None
    return value
