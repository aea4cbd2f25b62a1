"""Holds what a command wrote against its schema, and takes unknown keys for a mistake, which readers must not."""

from __future__ import annotations

from typing import Any

import jsonschema
import msgspec

from tests.json_schemas import FOLDER, Output

__all__ = ["closed", "complaints"]


def closed(schema: Any) -> Any:
    """Forbid the keys that an object's schema does not name."""
    if isinstance(schema, list):
        return [closed(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    found = {key: closed(value) for key, value in schema.items()}
    if isinstance(found.get("properties"), dict):
        found["additionalProperties"] = False
    return found


def complaints(output: Output, text: str) -> list[str]:
    """Read a whole output as one document and list what does not fit the schema on disk."""
    schema = closed(msgspec.json.decode((FOLDER / output.file).read_bytes()))
    found = jsonschema.Draft202012Validator(schema).iter_errors(msgspec.json.decode(text))
    return [f"{error.json_path}: {error.message}" for error in found]
