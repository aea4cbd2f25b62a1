"""A load run that is held against objectives, as a person starts it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from evidence import exit_codes

pytestmark = [pytest.mark.timeout(400), pytest.mark.waits(12)]


def load(folder: Path, slo: str, *words: str) -> tuple[int, str, dict[str, Any]]:
    (folder / "slo.yaml").write_text(slo)
    (folder / "beats.yaml").write_text("title: beats\nheartbeat: 0.5\n")
    command = [sys.executable, "-m", "plugstorm", "load", "--stations", "5", "--spawn-rate", "5", "--slo", "slo.yaml"]
    command += ["--profile", "beats.yaml", "--out", "run", *words]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=300, check=False)
    path = folder / "run" / "run.json"
    return done.returncode, done.stderr, json.loads(path.read_text()) if path.exists() else {}


def test_a_broken_objective_ends_the_run_before_its_time_and_fails_it(tmp_path: Path) -> None:
    slo = """
    thresholds:
      - {expr: Heartbeat response max < 1 us, abort: true, delay: 1s}
      - errors == 0
    """
    code, said, run = load(tmp_path, slo, "--duration", "60s")
    # A machine that is too busy to measure makes the run invalid, and ends it before its time all the same.
    is_invalid = run["generator"]["verdict"] == "INVALID"
    assert code == (exit_codes.INVALID if is_invalid else exit_codes.FAILED), said
    assert run["verdict"] == ("invalid" if is_invalid else "failed")
    assert "Heartbeat response max < 1 us was broken with" in run["stopped_early"]
    assert [(one["expr"], one["passed"]) for one in run["slo"] if not one["built_in"]] == [
        ("Heartbeat response max < 1 us", False),
        ("errors == 0", True),
    ]
    assert sum(window["seconds"] for window in run["windows"]) < 40
    assert not [reason for reason in run["generator"]["reasons"] if "too early" in reason]


def test_objectives_that_are_kept_pass_the_run(tmp_path: Path) -> None:
    slo = "- Heartbeat response max < 60 s\n- stations booted >= 100 %\n"
    code, said, run = load(tmp_path, slo, "--duration", "8s", "--warm-up", "0.5")
    if run["generator"]["verdict"] == "INVALID":
        return  # the machine was too busy to measure anything
    assert code == exit_codes.PASSED, said
    assert [one["passed"] for one in run["slo"] if not one["built_in"]] == [True, True]
    assert "SLO met: Heartbeat response max < 60 s" in said


def test_a_mistake_in_the_file_starts_nothing(tmp_path: Path) -> None:
    code, said, _ = load(tmp_path, "- erors == 0\n", "--duration", "3s")
    assert code == exit_codes.USAGE
    assert said.count("\n") == 1
    assert "did you mean 'errors'?" in said
    assert not (tmp_path / "run").exists()
