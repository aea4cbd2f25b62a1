"""A child process that gets our signals and never outlives us."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from types import FrameType
from typing import Final

from evidence import exit_codes

__all__ = ["LOCUST", "run_child"]

_PATIENCE = 45.0
"""Seconds that an interrupted child may take to write its result: its stations end their transactions first."""
_LAST_PATIENCE = 5.0


_START: Final = """
import signal, sys
from importlib import metadata
# gevent asks for plugins at each of 25 modules that it patches, and then Locust and OpenTelemetry do: each time the
# metadata of every package would be read.
plugins = metadata.entry_points()
metadata.entry_points = lambda **wanted: plugins.select(**wanted) if wanted else plugins
# Until a run has a way to end in order, Ctrl-C ends the process without a word.
signal.signal(signal.SIGINT, signal.SIG_DFL)
sys.argv[0] = "locust"
from locust.main import main
main()
"""
LOCUST: Final = (sys.executable, "-c", _START)
"""What starts Locust, before its own words."""


def run_child(
    command: Sequence[str],
    *,
    environment: Mapping[str, str],
    output: Path | None = None,
    on_stderr: bool = False,
    to_group: bool = False,
    has_begun: Callable[[], bool] = lambda: True,
) -> int:
    """Run a command in a process group of its own and return its exit code, as a shell writes it.

    SIGINT and SIGTERM are passed on once and the child is waited for; a second one, or too long a wait, ends its whole
    group at once. Everything that it says goes to the file `output` where one is given, or with `on_stderr` to the
    standard error output. With `to_group` the first signal goes to the child's own children, too.
    A child that has not begun to work yet (`has_begun`) has nothing to end in order, and is ended at once.
    """
    # Without standard input: a process in the background that touches the terminal would be stopped.
    log = None if output is None else output.open("wb")
    said = sys.stderr if on_stderr else log
    child = subprocess.Popen(  # noqa: S603 - our own words
        command, env=environment, stdin=subprocess.DEVNULL, stdout=said, stderr=log, process_group=0
    )
    stops: list[int] = []
    try:
        with _signals_go_to(child, stops, to_group=to_group, has_begun=has_begun):
            code = _wait(child, stops)
    finally:
        _end_group(child)
        if log is not None:
            log.close()
    if stops:
        return exit_codes.INTERRUPTED
    return code if code >= 0 else exit_codes.INVALID


@contextlib.contextmanager
def _signals_go_to(
    child: subprocess.Popen[bytes], stops: list[int], *, to_group: bool, has_begun: Callable[[], bool]
) -> Iterator[None]:
    def pass_on(number: int, _: FrameType | None) -> None:
        stops.append(number)
        if len(stops) == 1:
            with contextlib.suppress(ProcessLookupError):
                if not has_begun():
                    os.killpg(child.pid, signal.SIGKILL)
                elif to_group:
                    os.killpg(child.pid, signal.SIGINT)
                else:
                    child.send_signal(signal.SIGINT)

    before = {number: signal.signal(number, pass_on) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _wait(child: subprocess.Popen[bytes], stops: list[int]) -> int:
    give_up: float | None = None
    while True:
        with contextlib.suppress(subprocess.TimeoutExpired):
            return child.wait(0.2)
        if stops and give_up is None:
            give_up = time.monotonic() + _PATIENCE
        if len(stops) > 1 or (give_up is not None and time.monotonic() > give_up):
            _end_group(child)
            return child.wait()


def _end_group(child: subprocess.Popen[bytes]) -> None:
    """End what is left of the child's group, workers that it forked included."""
    for number, patience in ((signal.SIGTERM, _LAST_PATIENCE), (signal.SIGKILL, _LAST_PATIENCE)):
        try:
            os.killpg(child.pid, number)
        except (ProcessLookupError, PermissionError):
            return
        deadline = time.monotonic() + patience
        while time.monotonic() < deadline and _lives(child):
            time.sleep(0.05)


def _lives(child: subprocess.Popen[bytes]) -> bool:
    child.poll()
    try:
        os.killpg(child.pid, 0)
    except (ProcessLookupError, PermissionError):
        return False
    return True
