"""How a 2.x station answers what is written into its variables."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

__all__ = ["set_all"]


def set_all(request: Mapping[str, Any], status: str = "Accepted") -> dict[str, Any]:
    """Answer SetVariables with one status for each variable: the CSMS may set some of its own accord."""
    results = [
        {"component": entry.get("component"), "variable": entry.get("variable"), "attributeStatus": status}
        for entry in request.get("setVariableData") or []
        if isinstance(entry, dict)
    ]
    return {"setVariableResult": results}
