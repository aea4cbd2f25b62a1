"""How a command reaches a load test that runs: files in a folder of the run folder, which need no port and no secret.

A request is written beside its place and renamed into it, so that it is read whole or not at all; so is the answer.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import time
from pathlib import Path
from typing import Any, Final

import msgspec

from ocppj.errors import UsageError

__all__ = ["ControlChannel", "send_request"]

_FOLDER: Final = ".storms"
_ALIVE: Final = "alive"
_STALE: Final = 15.0
"""Seconds without a sign of life after which a run is thought to be over."""
_MOST_BYTES: Final = 65_536
_POLL_EVERY: Final = 0.1


class ControlChannel:
    """The side of the run that takes requests."""

    def __init__(self, run_folder: Path) -> None:
        """Begin to take requests, if the folder can be made."""
        self._folder = run_folder / _FOLDER
        with contextlib.suppress(OSError):
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            (self._folder / _ALIVE).touch()

    def take(self) -> list[tuple[str, Any]]:
        """Return the requests that have come, each once, by name; show that the run goes on."""
        found: list[tuple[str, Any]] = []
        try:
            os.utime(self._folder / _ALIVE)
            names = sorted(path.name for path in self._folder.iterdir() if path.suffix == ".request")
        except OSError:
            return found
        for name in names:
            path = self._folder / name
            try:
                document = msgspec.json.decode(path.read_bytes()[:_MOST_BYTES])
            except (OSError, msgspec.MsgspecError, UnicodeError, RecursionError):
                document = None
            with contextlib.suppress(OSError):
                path.unlink()
            found.append((name.removesuffix(".request"), document))
        return found

    def answer(self, name: str, answer: dict[str, Any]) -> None:
        """Answer a request."""
        with contextlib.suppress(OSError):
            _write(self._folder / f"{name}.answer", answer)

    def close(self) -> None:
        """Take no more requests."""
        shutil.rmtree(self._folder, ignore_errors=True)


def send_request(run_folder: Path, document: Any, patience: float = 10.0) -> dict[str, Any]:
    """Send a request to the run of a folder and return its answer; raises `UsageError` where no run can be reached."""
    folder = run_folder / _FOLDER
    try:
        silent = time.time() - (folder / _ALIVE).stat().st_mtime
    except OSError:
        silent = float("inf")
    if silent > _STALE:
        raise UsageError(
            f"No load test is running in {run_folder}; name the run folder (--out) of one that is under way"
        )
    name = secrets.token_hex(8)
    answer_file = folder / f"{name}.answer"
    try:
        _write(folder / f"{name}.request", document)
        deadline = time.monotonic() + patience
        while time.monotonic() < deadline:
            with contextlib.suppress(FileNotFoundError):
                answer: dict[str, Any] = msgspec.json.decode(answer_file.read_bytes())
                answer_file.unlink()
                return answer
            time.sleep(_POLL_EVERY)
        (folder / f"{name}.request").unlink(missing_ok=True)
    except OSError as error:
        raise UsageError(f"The load test in {run_folder} cannot be reached: {error.strerror}") from None
    raise UsageError(f"The load test in {run_folder} did not answer within {patience:g} s; it may have ended")


def _write(path: Path, document: Any) -> None:
    partial = path.with_suffix(".partial")
    partial.write_bytes(msgspec.json.encode(document))
    partial.replace(path)
