"""A shell command that restarts the CSMS, run where the test is led."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from typing import Final

__all__ = ["MOST_OUTPUT", "run_shell_command"]

MOST_OUTPUT: Final = 4000
"""Characters of the output that are kept."""


def run_shell_command(command: str, delay: float, ended: Callable[[int, str], object]) -> None:
    """Run a shell command after `delay` seconds and give its exit code and output to `ended`.

    It runs beside the event loop, and what it leaves behind, such as a restarted CSMS, lives on.
    """
    import gevent  # noqa: PLC0415 - `plugstorm` reads storms too, and has no event loop
    from gevent import subprocess  # noqa: PLC0415

    def run() -> None:
        # A file, because a server that the command starts would keep a pipe open for ever.
        with tempfile.TemporaryFile() as output:
            child = subprocess.Popen(
                ["/bin/sh", "-c", command],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
            code = child.wait()
            output.seek(0)
            ended(code, output.read(MOST_OUTPUT).decode(errors="replace"))

    gevent.spawn_later(delay, run)
