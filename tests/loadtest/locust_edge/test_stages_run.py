"""A run whose number of stations goes up, stays and goes down again."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from evidence import exit_codes
from evidence.run_folder import read_run
from evidence.run_model import LoadRun
from fixtures.csms import practice_csms

pytestmark = pytest.mark.waits(15)


def test_stations_come_stay_and_go_as_the_stages_of_the_profile_say(tmp_path: Path) -> None:
    stages = "stages: [{to: 8, over: 4s}, {hold: 5s}, {to: 2, over: 0}, {hold: 4s}]"
    (tmp_path / "beats.yaml").write_text(f"title: beats\nmodels: {{ac-single: 1}}\nheartbeat: 0.5\n{stages}\n")
    with practice_csms() as csms:
        command = [sys.executable, "-m", "plugstorm", "load", "--url", csms.url]
        command += ["--profile", "beats.yaml", "--out", "run", "--", "--warm-up", "0.5"]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False)
    run = read_run(tmp_path / "run")
    assert isinstance(run, LoadRun), done.stderr
    assert (run.stations.requested, run.stations.connected_peak, run.stations.lost) == (8, 8, 0)
    assert [(stage.name, stage.at) for stage in run.stages] == [("to 8", 0), ("hold 8", 4), ("to 2", 9), ("hold 2", 9)]
    assert run.settings["stages"] == "8/4s, 5s, 2/0s, 4s"
    held = [row["connected"] for row in run.timeline if 6 <= row["t"] < 8]
    assert set(held) == {8}
    assert run.timeline[-2]["connected"] <= 2
    growing = [row["connected"] for row in run.timeline if row["t"] < 4]
    assert growing == sorted(growing)
    assert growing[0] < 8
    assert run.stages[1].calls_per_s > run.stages[3].calls_per_s > 0
    assert done.returncode == exit_codes.PASSED or run.generator.verdict == "INVALID", done.stderr
