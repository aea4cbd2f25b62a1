"""A load run of a test that is not about the machine: other programs may keep that too busy for a verdict."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import msgspec

from evidence import exit_codes

__all__ = ["check_load"]


def check_load(folder: Path, done: subprocess.CompletedProcess[str]) -> dict[str, Any]:
    """Require that a run went to its end and that nothing but the load generator spoiled it; return its `run.json`."""
    said = done.stdout + done.stderr
    assert (folder / "run.json").exists(), said
    result: dict[str, Any] = msgspec.json.decode((folder / "run.json").read_bytes())
    spoiled = result["generator"]["verdict"] == "INVALID"
    wanted = (exit_codes.INVALID, "invalid") if spoiled else (exit_codes.PASSED, "passed")
    assert (done.returncode, result["verdict"]) == wanted, said
    return result
