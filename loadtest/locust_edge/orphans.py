"""Processes of a load run that nobody waits for any more: they end, so that no station is left behind.

The module does not import Locust, which would monkey-patch the process.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from typing import Final

__all__ = ["PARENT", "Orphan", "is_by_plugstorm"]

PARENT: Final = "PLUGSTORM_PARENT"
"""The variable of the environment that names the process that started Locust; where it is missing, nobody is watched,
because a shell may end before a job that it has put into the background."""


def is_by_plugstorm() -> bool:
    """Return whether `plugstorm load` has started this process, and not somebody who knows Locust's options."""
    return PARENT in os.environ


class Orphan:
    """Notices that the process which has started this one is gone, as after kill -9."""

    def __init__(
        self,
        *,
        is_forked: bool,
        parent: Callable[[], int] = os.getppid,
        end: Callable[[int], None] = lambda number: os.kill(os.getpid(), number),
    ) -> None:
        """Remember the parent; a forked worker has another one than the process that the environment names.

        `end` sends this process a signal.
        """
        named = os.environ.get(PARENT, "")
        self._watched = (parent() if is_forked else int(named)) if named.isdecimal() else None
        self._signal = signal.SIGTERM if is_forked else signal.SIGINT
        self._parent = parent
        self._end = end

    def look(self) -> None:
        """End this process, once, when its parent is gone: the one that leads the run writes its result first."""
        if self._watched is not None and self._parent() != self._watched:
            self._watched = None
            self._end(self._signal)
