"""Frames as they may be shown or written to a file: without secrets known by name, and without KeyCode tokens."""

from __future__ import annotations

import json
from typing import Any

from evidence.redact import redact_frame

__all__ = ["safe_frame"]


def safe_frame(text: str) -> str:
    """Return a frame without what may not be shown: secrets by name, and KeyCode tokens (2.0.1 C04.FR.04)."""
    return _without_key_codes(redact_frame(text))


def _without_key_codes(text: str) -> str:
    if "KeyCode" not in text:
        return text
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return "(left out: a broken frame that may hold a KeyCode)"
    _blank_key_codes(value)
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def _blank_key_codes(value: Any) -> None:
    pending = [value]
    while pending:
        item = pending.pop()
        if isinstance(item, dict):
            if "KeyCode" in item.values():
                for key in item:
                    if key in ("idToken", "additionalIdToken"):
                        item[key] = "(redacted)"
            pending += item.values()
        elif isinstance(item, list):
            pending += item
