"""`plugstorm selftest`: who checks the checker."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

import msgspec

from evidence import exit_codes
from fixtures.csms.defects import find_defects
from interop_suite.selftest.flake import run_flake
from interop_suite.selftest.selftest import run_selftest

__all__ = ["flake", "run"]


def run(*, defects: Sequence[str] | None, full: bool, jobs: int, as_json: bool) -> int:
    """Run it with progress on the standard error output; raises `UsageError` for an unknown defect."""
    find_defects(defects or ())
    outcome = run_selftest(jobs=jobs, only=defects, full=full, progress=_progress)
    if as_json:
        print(msgspec.json.format(msgspec.json.encode(outcome), indent=2).decode())  # noqa: T201 - this is a command
    else:
        print("\n".join(outcome.problems or [_good_news(len(outcome.defects))]))  # noqa: T201
    return exit_codes.PASSED if outcome.passed else exit_codes.FAILED


def flake(*, repeat: int, jobs: int, as_json: bool) -> int:
    """Repeat every case beside as many busy processes as the machine has processors."""
    restless = run_flake(repeat=repeat, burners=os.cpu_count() or 1, jobs=jobs, progress=_progress)
    if as_json:
        print(msgspec.json.format(msgspec.json.encode(restless), indent=2).decode())  # noqa: T201 - this is a command
    elif restless:
        print("\n".join(f"{name}: {verdicts}" for name, verdicts in restless.items()))  # noqa: T201
    else:
        print(f"No verdict changed in {repeat} repetitions of every case in both modes.")  # noqa: T201
    return exit_codes.FAILED if restless else exit_codes.PASSED


def _progress(line: str) -> None:
    sys.stderr.write(f"{line}\n")
    sys.stderr.flush()


def _good_news(defects: int) -> str:
    return f"No false alarm in strict and lenient, and {defects} of {defects} defects found by exactly their cases."
