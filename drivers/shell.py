"""Shell commands and database clients: values go in through the environment and standard input, never the text."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Collection, Mapping
from contextlib import suppress
from typing import Any

import msgspec

from drivers.base import DriverError

__all__ = ["run_command"]


def run_command(
    command: str, environment: Mapping[str, str], stdin: str, *, timeout: float, expect: Collection[int] = (0,)
) -> dict[str, Any]:
    """Run a command with `sh` and give its `status`, `text`, `error`, and `json` where it printed JSON.

    Raises `DriverError` when it cannot be started, takes longer than `timeout` seconds, or ends with a status that is
    not expected.
    """
    try:
        process = subprocess.Popen(  # noqa: S602  # the command is the user's own; no value is ever part of its text
            command,
            shell=True,
            env={**os.environ, **environment},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
    except (OSError, ValueError) as error:
        raise DriverError(f"{_head(command)} could not be started: {error}") from None
    with process:
        try:
            output, errors = process.communicate(stdin.encode("utf-8", "replace"), timeout)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.communicate()
            raise DriverError(f"{_head(command)} took longer than {timeout:g} s") from None
    response: dict[str, Any] = {
        "status": process.returncode,
        "text": output.decode("utf-8", "replace"),
        "error": errors.decode("utf-8", "replace"),
    }
    if process.returncode not in expect:
        said = (response["error"] or response["text"]).strip()[-300:]
        raise DriverError(f"{_head(command)} ended with status {process.returncode}: {said or 'it said nothing'}")
    with suppress(msgspec.MsgspecError, UnicodeError, RecursionError):
        response["json"] = msgspec.json.decode(output)
    return response


def _head(command: str) -> str:
    line = " ".join(command.split())
    return line if len(line) <= 60 else f"{line[:60]}…"  # noqa: PLR2004  # a line for people
