"""What is wrong with a payload that its schema refuses: which rule it breaks, told without repeating secrets."""

from __future__ import annotations

from typing import Any, Final, Literal

from analysis.model import Side
from analysis.payload_faults import PayloadFault, fault_of, value_at
from analysis.rulebook.contract import Payload, StationView
from ocppj.schemas import SchemaError, schema, validator
from ocppj.versions import Version

__all__ = ["explain_payload"]

Part = Literal["request", "response"]
_MOST: Final = 3
# Values that may be written into a finding: words of the specification, never what identifies or admits anybody.
_SHOWN_KEYWORDS: Final = frozenset({"enum", "type", "format"})
_HIDDEN: Final = ("tag", "token", "password", "key", "certificate", "csr", "data", "value", "info", "url", "location")
_SHOWN_LENGTH: Final = 40


def explain_payload(station: StationView, sender: Side, action: str, part: Part, payload: Payload) -> bool:
    """Find what the schema refuses; returns whether something makes the payload unusable for other checks."""
    version = station.version
    errors = validator(version, action, part).errors(payload)
    unusable = False
    told = 0
    for error in errors:
        rule = _RULES.get(fault_of(error, payload)) or ("schema" if part == "request" else "answer-schema")
        unusable = unusable or rule in ("schema", "answer-schema")
        if told < _MOST:
            told += 1
            kind = "" if part == "request" else " (answer)"
            station.find(
                rule,
                f"{action}{kind} {error.path or '/'}: {_words(error, version, action, part, payload)}",
                side=sender,
            )
    return unusable


_RULES: Final = {
    PayloadFault.EXTRA_FIELD: "extra-field",
    PayloadFault.LOCAL_TIME: "time-without-zone",
    PayloadFault.SHORT_OFFSET: "short-offset",
    PayloadFault.WHOLE_FLOAT: "integer-with-fraction",
}


def _words(error: SchemaError, version: Version, action: str, part: Part, payload: Payload) -> str:
    value = value_at(payload, error.path)
    match error.keyword:
        case "maxLength" if isinstance(value, str):
            return f"{len(value)} characters, more than {_limit(error, version, action, part)}"
        case "required" | "additionalProperties":
            # These name fields, which are words of the sender's program.
            return error.message[:200]
        case "minItems":
            return "a list without entries"
        case "type" if isinstance(value, float) and value.is_integer():
            return "an integer is written with a fraction"
        case "multipleOf":
            return "a number with more than one decimal"
        case "format" if value == "":
            return "an empty text is not a time"
        case keyword if keyword in _SHOWN_KEYWORDS and _may_show(error.path, value):
            return f"{_shown(value)} is not {_KEYWORDS[keyword]}"
        case keyword:
            return "is not " + _KEYWORDS.get(keyword, f"as the schema says ({keyword})")


_KEYWORDS: Final = {
    "enum": "one of the words allowed there",
    "type": "of the right type",
    "format": "a time of RFC 3339",
}


def _shown(value: object) -> str:
    return repr(value)[:_SHOWN_LENGTH]


def _may_show(path: str, value: object) -> bool:
    name = path.rpartition("/")[2].lower()
    return not any(word in name for word in _HIDDEN) and not isinstance(value, dict | list)


def _limit(error: SchemaError, version: Version, action: str, part: Part) -> str:
    """Look the limit up in the schema, following the path; "the schema allows" where it leads through references."""
    document = schema(version, action, part)
    node: Any = document
    for step in error.path.split("/")[1:]:
        node = _followed(node, document)
        node = node.get("items", {}) if step.isdigit() else node.get("properties", {}).get(step, {})
    limit = _followed(node, document).get("maxLength")
    return "the schema allows" if limit is None else str(limit)


def _followed(node: Any, document: dict[str, Any]) -> dict[str, Any]:
    while isinstance(node, dict) and "$ref" in node:
        node = document.get("definitions", {}).get(str(node["$ref"]).rpartition("/")[2], {})
    return node if isinstance(node, dict) else {}
