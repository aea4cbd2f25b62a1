"""Workers of one run side by side: what may end the CSMS waits until no other case is under way."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

__all__ = ["turn"]


@contextmanager
def turn(folder: Path, *, alone: bool) -> Iterator[None]:
    """Wait until a case may run, and keep others waiting: `alone` all of them, else those that want to be alone.

    The lock is on the folder of the run, which all its workers share; it ends with the process.
    """
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX if alone else fcntl.LOCK_SH)
        yield
    finally:
        os.close(descriptor)
