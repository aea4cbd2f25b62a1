"""Work for a worker pool; its processes import this, so it is light."""

from __future__ import annotations

import contextlib
import os
import signal
import tempfile
import threading
import time
from collections.abc import Callable, Iterator

__all__ = ["open_chores"]

_met = threading.Barrier(2)


@contextlib.contextmanager
def open_chores() -> Iterator[Callable[[str], str]]:
    yield _do


def _do(chore: str) -> str:
    match chore:
        case "break":
            raise ValueError("a plate")
        case "crash":
            signal.raise_signal(signal.SIGSEGV)
        case "leave":
            os._exit(7)
        case "hang":
            time.sleep(600)
        case "meet":
            _met.wait(20)
        case "store":
            return tempfile.mkstemp()[1]
    return f"{chore} {os.getpid()}"
