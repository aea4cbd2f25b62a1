"""NAME=VALUE, as options take it."""

from __future__ import annotations

from collections.abc import Iterable

from config.errors import ConfigError

__all__ = ["assignment", "assignments", "split_assignment"]


def split_assignment(text: str) -> tuple[str, str | None]:
    """Split at the first `=`; the value is None where there is no `=`."""
    name, equals, value = text.partition("=")
    return name.strip(), value.strip() if equals else None


def assignment(text: str, example: str) -> tuple[str, str]:
    """Read one NAME=VALUE, neither part empty; raises `ConfigError` that shows an example."""
    name, value = split_assignment(text)
    if not name or not value:
        lacking = "has no '='" if value is None else "has no name" if not name else "has no value"
        raise ConfigError(f"expected NAME=VALUE, as in {example}, but {text!r} {lacking}")
    return name, value


def assignments(texts: Iterable[str], example: str) -> dict[str, str]:
    """Read several NAME=VALUE; raises `ConfigError`, also for a name that is given twice."""
    found: dict[str, str] = {}
    for text in texts:
        name, value = assignment(text, example)
        if name in found:
            raise ConfigError(f"expected each name once, but {name!r} is given twice")
        found[name] = value
    return found
