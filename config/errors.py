"""The one error of this room."""

from __future__ import annotations

__all__ = ["ConfigError"]


class ConfigError(ValueError):
    """Something that a person wrote cannot be used; the message is one line.

    A `ValueError`, so that a struct may raise it in `__post_init__` and `config.typed` still names the location.
    """
