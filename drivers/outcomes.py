"""From what a CSMS's API answered to the result of a command."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from drivers.base import CommandResult, DriverError
from drivers.schema import Outcome
from drivers.template import OMIT, holds, render_tree

__all__ = ["read_outcome"]

WORDS = ("answered", "error", "timeout", "sent")


def read_outcome(rules: Outcome | Sequence[Outcome], context: Mapping[str, Any]) -> CommandResult | None:
    """Take the first rule that holds and read the result by it; None when none holds.

    Raises `DriverError` for a status word that is not known and not mapped, and for a payload that is not an object.
    """
    for rule in [rules] if isinstance(rules, Outcome) else rules:
        if holds(rule.when, context):
            return _read(rule, context)
    return None


def _read(rule: Outcome, context: Mapping[str, Any]) -> CommandResult:
    word = render_tree(rule.status, context)
    status = rule.map.get(str(word), str(word))
    if status not in WORDS:
        raise DriverError(f"the CSMS's API says {word!r}, which the driver's 'map' does not translate")
    payload = _field(rule.payload, context)
    if payload is not None and not isinstance(payload, dict):
        raise DriverError(f"the payload of the answer is not a JSON object: {payload!r:.100}")
    code, description, origin = (_text(_field(item, context)) for item in (rule.code, rule.description, rule.origin))
    return CommandResult(status=status, payload=payload, code=code, description=description, origin=origin)


def _field(template: Any, context: Mapping[str, Any]) -> Any:
    value = render_tree(template, context)
    return None if value is OMIT else value


def _text(value: Any) -> str | None:
    return None if value is None else str(value)
