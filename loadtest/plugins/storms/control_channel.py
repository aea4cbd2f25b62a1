"""How a command reaches a load test that runs: files in a folder of the run folder, which need no port and no secret.

A letter is written beside and renamed into place, so that it is read whole or not at all; so is the answer.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import time
from typing import TYPE_CHECKING, Any, Final

import msgspec

from ocppj.errors import UsageError

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["ControlChannel", "post"]

_FOLDER: Final = ".storms"
_ALIVE: Final = "alive"
_STALE: Final = 15.0
"""Seconds without a sign of life after which a run is thought to be over."""
_MOST_BYTES: Final = 65_536
_POLL_EVERY: Final = 0.1


class ControlChannel:
    """The end of the run."""

    def __init__(self, run_folder: Path) -> None:
        """Begin to take letters, where the disk lets us."""
        self._folder = run_folder / _FOLDER
        with contextlib.suppress(OSError):
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            (self._folder / _ALIVE).touch()

    def take(self) -> list[tuple[str, Any]]:
        """Return the letters that have come, each once, by name; show that we live."""
        found: list[tuple[str, Any]] = []
        try:
            os.utime(self._folder / _ALIVE)
            names = sorted(path.name for path in self._folder.iterdir() if path.suffix == ".order")
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
            found.append((name.removesuffix(".order"), document))
        return found

    def answer(self, name: str, said: dict[str, Any]) -> None:
        """Answer a letter."""
        with contextlib.suppress(OSError):
            _write(self._folder / f"{name}.answer", said)

    def close(self) -> None:
        """Take no more letters."""
        shutil.rmtree(self._folder, ignore_errors=True)


def post(run_folder: Path, document: Any, patience: float = 10.0) -> dict[str, Any]:
    """Send a letter to the run of a folder and return its answer; raises `UsageError` where no run is to be reached."""
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
    answer = folder / f"{name}.answer"
    try:
        _write(folder / f"{name}.order", document)
        deadline = time.monotonic() + patience
        while time.monotonic() < deadline:
            with contextlib.suppress(FileNotFoundError):
                said: dict[str, Any] = msgspec.json.decode(answer.read_bytes())
                answer.unlink()
                return said
            time.sleep(_POLL_EVERY)
        (folder / f"{name}.order").unlink(missing_ok=True)
    except OSError as error:
        raise UsageError(f"The load test in {run_folder} cannot be reached: {error.strerror}") from None
    raise UsageError(f"The load test in {run_folder} did not answer within {patience:g} s; it may have ended")


def _write(path: Path, document: Any) -> None:
    partial = path.with_suffix(".partial")
    partial.write_bytes(msgspec.json.encode(document))
    partial.replace(path)
