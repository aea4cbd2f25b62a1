"""The OCA's JSON schemas, compiled once, with errors that say where and what.

The files are those that the `ocpp` package ships: 1.6 with the security extension, 2.0.1 and 2.1.
"""

from __future__ import annotations

from functools import cache
from importlib import resources
from typing import Any, Literal

import jsonschema_rs
import msgspec

from ocppj.actions import ACTIONS
from ocppj.versions import Version

__all__ = ["Part", "SchemaError", "Validator", "schema", "validator"]

Part = Literal["request", "response"]

# Folders of the package, not modules of it: importing those costs a fifth of a second each.
_FOLDERS = {Version.V16: "v16", Version.V201: "v201", Version.V21: "v21"}
# The 1.6 files carry no suffix on requests, and a SEND has no request/response pair.
_REQUEST_SUFFIX = {Version.V16: "", Version.V201: "Request", Version.V21: "Request"}


class SchemaError(msgspec.Struct, frozen=True):
    """One violation: `path` such as `/meterValue/0/sampledValue`, the schema `keyword`, and a sentence."""

    path: str
    keyword: str
    message: str


class Validator:
    """The compiled schema of one payload."""

    __slots__ = ("_compiled",)

    def __init__(self, document: dict[str, Any]) -> None:
        """Compile; the draft is taken from `$schema` (draft-04 for 1.6, draft-06 for 2.x)."""
        self._compiled = jsonschema_rs.validator_for(document, validate_formats=True)

    def is_valid(self, payload: object) -> bool:
        """Tell quickly; payloads that no JSON text can carry are invalid."""
        try:
            return self._compiled.is_valid(payload)
        except (ValueError, TypeError):
            return False

    def errors(self, payload: object) -> list[SchemaError]:
        """List every violation, in the order of the schema."""
        try:
            return [
                SchemaError(
                    "".join(f"/{part}" for part in error.instance_path),
                    str(error.schema_path[-1]) if error.schema_path else "schema",
                    error.message,
                )
                for error in self._compiled.iter_errors(payload)
            ]
        except (ValueError, TypeError) as error:
            return [SchemaError("", "type", f"No JSON value: {error}")]


@cache
def schema(version: Version, action: str, part: Part) -> dict[str, Any]:
    """Load one schema document; raises `KeyError` for an action that the version does not have."""
    known = ACTIONS[version][action]
    suffix = "Response" if part == "response" else _REQUEST_SUFFIX[version]
    if known.unconfirmed:
        if part == "response":
            raise KeyError(f"{action} is never answered.")
        suffix = ""
    file = resources.files("ocpp").joinpath(_FOLDERS[version], "schemas", f"{action}{suffix}.json")
    # Some of the files begin with a byte order mark.
    document: dict[str, Any] = msgspec.json.decode(file.read_text("utf-8-sig"))
    return document


@cache
def validator(version: Version, action: str, part: Part) -> Validator:
    """Compile the schema of one payload, once per process; raises `KeyError` for an unknown action."""
    return Validator(schema(version, action, part))
