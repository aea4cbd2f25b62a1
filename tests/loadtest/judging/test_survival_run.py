"""Load runs against a CSMS that does not survive them: each fails, and its first line says what happened."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from evidence import exit_codes
from fixtures.csms import spawn_practice_csms
from loadtest.judging.slo_built_in import CERTAIN

PROFILE = "title: busy\nheartbeat: 0.5\nsessions: {duration: 1, gap: 1, unplug: 0.1}\n"


def load(
    folder: Path, defects: tuple[str, ...], trouble_after: float, *words: str, call_timeout: str = "1"
) -> tuple[int, dict[str, Any], str]:
    (folder / "busy.yaml").write_text(PROFILE)
    command = [sys.executable, "-m", "plugstorm", "load", "--stations", "6", "--spawn-rate", "6", "--out", "run"]
    command += [
        "--duration",
        "9s",
        "--profile",
        "busy.yaml",
        *words,
        "--",
        "--call-timeout",
        call_timeout,
        "--warm-up",
        "0.5",
    ]
    with spawn_practice_csms(defects=defects, trouble_after=trouble_after) as csms:
        done = subprocess.run(
            [*command[:4], "--url", csms.url, *command[4:]],
            cwd=folder,
            capture_output=True,
            text=True,
            timeout=200,
            check=False,
        )
    path = folder / "run" / "run.json"
    assert path.exists(), done.stderr
    headline = (folder / "run" / "summary.md").read_text().splitlines()[2]
    return done.returncode, json.loads(path.read_text()), headline


def is_starved(run: dict[str, Any], code: int) -> bool:
    """Return whether this machine was too busy to judge a CSMS that is still there."""
    return bool(run["generator"]["verdict"] == "INVALID" and code == exit_codes.INVALID)


@pytest.mark.parametrize(
    ("defect", "trouble_after", "missed", "headline"),
    [
        ("load-dies", 4.0, "csms-answers", "The CSMS did not answer when the run was over: it answered HTTP 503"),
        ("load-mute", 4.0, "csms-answers", "The CSMS did not answer when the run was over: it took a fresh connection"),
        ("load-mute", 0.0, "lets-stations-in", "The CSMS did not answer when the run was over"),
        ("load-no-tokens", 0.0, "charging-success", "charging attempts succeeded"),
        ("load-slow", 3.0, "failed-calls", "CALLs failed"),
        ("load-loses-answers", 0.0, "failed-calls", "CALLs failed"),
    ],
)
def test_a_csms_that_gives_way_fails_the_run_and_the_first_line_says_how(
    tmp_path: Path, defect: str, trouble_after: float, missed: str, headline: str
) -> None:
    code, run, said = load(tmp_path, (defect,), trouble_after)
    assert missed in {slo["built_in"] for slo in run["slo"] if not slo["passed"]}
    if missed not in CERTAIN and is_starved(run, code):
        return
    assert run["verdict"] == "failed", run["slo"]
    assert code == exit_codes.FAILED
    assert headline in said or headline in (tmp_path / "run" / "junit.xml").read_text()


def test_a_right_csms_keeps_every_built_in_objective(tmp_path: Path) -> None:
    # On a busy machine the CSMS waits for a processor, too.
    code, run, said = load(tmp_path, (), 0.0, call_timeout="30")
    if is_starved(run, code):
        return
    assert all(slo["passed"] for slo in run["slo"]), run["slo"]
    assert code == exit_codes.PASSED
    assert "no SLO was set" in said


def test_an_objective_that_is_switched_off_by_name_fails_nothing_and_is_named(tmp_path: Path) -> None:
    off = [word for name in ("charging-success", "failed-calls") for word in ("--no-objective", name)]
    code, run, _ = load(tmp_path, ("load-no-tokens",), 0.0, *off)
    assert is_starved(run, code) or code == exit_codes.PASSED, run["slo"]
    assert run["settings"]["no-objective"] == ["charging-success", "failed-calls"]
    assert "charging-success (off)" in (tmp_path / "run" / "summary.md").read_text()
