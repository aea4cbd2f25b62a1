"""A port for the master of each Locust that starts processes of its own: tests run side by side."""

from __future__ import annotations

from collections.abc import Sequence

from plugstorm.load_command import free_port

__all__ = ["with_own_master"]


def with_own_master(arguments: Sequence[str]) -> list[str]:
    """Add the flags of a free port where `--processes` would take Locust's fixed one."""
    if "--processes" not in arguments:
        return list(arguments)
    port = str(free_port())
    where = ["--master-host", "127.0.0.1", "--master-bind-host", "127.0.0.1"]
    return [*arguments, *where, "--master-port", port, "--master-bind-port", port]
