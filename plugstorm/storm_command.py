"""`plugstorm storm`: what storms there are, and one for a load test that is running."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from config.assignments import split_assignment
from config.locations import Location
from evidence import exit_codes
from loadtest.plugins.storms.control_channel import send_request
from loadtest.workload.storms import STORMS, make_storm, parameters
from ocppj.errors import UsageError

__all__ = ["ListedStorm", "StartedStorm", "run", "show"]


class ListedStorm(msgspec.Struct, frozen=True, kw_only=True):
    """A storm as `--list --json` shows it."""

    storm: str
    says: str
    parameters: dict[str, Any]


class StartedStorm(msgspec.Struct, frozen=True, kw_only=True):
    """What a load test answers to whoever starts a storm."""

    storm: str
    number: int
    stations: int


def show(*, as_json: bool) -> int:
    """List the storms with what each imitates and its parameters."""
    if as_json:
        listing = [
            ListedStorm(storm=name, says=kind.says, parameters=parameters(kind)) for name, kind in STORMS.items()
        ]
        sys.stdout.write(msgspec.json.format(msgspec.json.encode(listing), indent=2).decode() + "\n")
        return exit_codes.PASSED
    for name, kind in STORMS.items():
        values = " ".join(f"{key}={_write(value)}" for key, value in parameters(kind).items())
        sys.stdout.write(f"{name}\n  {kind.says}\n  {values}\n")
    return exit_codes.PASSED


def _write(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return f"{value:g}" if isinstance(value, float) else str(value)


def run(folder: Path | None, name: str | None, words: Sequence[str], *, as_json: bool) -> int:
    """Send a storm to the load test of a run folder; raises `UsageError` where none runs, or it refuses."""
    if folder is None or name is None:
        raise UsageError(
            "Name the folder of a running load test and a storm, as in plugstorm storm runs/x csms-restart --down 5s; "
            "plugstorm storm --list names them"
        )
    document = {"storm": name} | _pairs(words)
    make_storm(document, Location(f"plugstorm storm {name}"))
    said = send_request(folder, document)
    if "error" in said:
        raise UsageError(said["error"])
    started = msgspec.convert(said, StartedStorm)
    if as_json:
        sys.stdout.write(msgspec.json.encode(started).decode() + "\n")
    else:
        sys.stdout.write(f"storm {started.number}: {started.storm} strikes {started.stations} stations of {folder}\n")
    return exit_codes.PASSED


def _pairs(words: Sequence[str]) -> dict[str, str]:
    """Read `--down 5s --share=0.5` as parameters; which ones a storm has is for the storm to say."""
    pairs: dict[str, str] = {}
    rest = list(words)
    while rest:
        word = rest.pop(0)
        key, value = split_assignment(word.removeprefix("--"))
        if not word.startswith("--") or not key:
            raise UsageError(f"{word!r} is not a parameter of a storm; write it as in --down 5s")
        if value is None:
            if not rest:
                raise UsageError(f"--{key} needs a value, as in --{key} 5")
            value = rest.pop(0)
        # `at` and `command` belong to a schedule.
        if key == "at":
            raise UsageError("A storm in a running test begins at once; leave --at out")
        pairs[key.replace("-", "_")] = value
    return pairs
