"""Whole runs against a CSMS whose way with commands is known: what is measured is what was done."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from evidence import exit_codes
from fixtures.csms import practice_csms
from fixtures.csms.defects.commands_under_load import DELAY, LOST_ONE_IN

pytestmark = pytest.mark.waits


def load(folder: Path, *words: str, commands: str) -> tuple[int, str, dict[str, Any]]:
    (folder / "commands.yaml").write_text(commands)
    (folder / "context.yaml").write_text("title: parked\nmeter: 1\n")
    command = [sys.executable, "-m", "plugstorm", "load", "--profile", "context.yaml", "--commands", "commands.yaml"]
    command += [
        "--stations",
        "20",
        "--spawn-rate",
        "20",
        "--seed",
        "7",
        "--out",
        "run",
        "--no-objective",
        "csms-answers",
        *words,
    ]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=100, check=False)
    path = folder / "run" / "run.json"
    return done.returncode, done.stderr, json.loads(path.read_text()) if path.exists() else {}


def test_delay_and_losses_of_the_csms_are_measured_as_they_are(tmp_path: Path) -> None:
    commands = "- {action: get-configuration, rate: 30/s}\n- {action: remote-start, rate: 3/s}\n"
    with practice_csms(defects=("commands-lost", "commands-delayed")) as csms:
        where = ("--url", csms.url, "--control-url", csms.control_url)
        _, said, run = load(tmp_path, *where, "--duration", "7s", "--", "--cool-down", "2", commands=commands)
        asked = csms.do(lambda one: one.world.memory["commands-lost"])
    rows = {row["command"]: row for row in run["commands"]}
    assert sum(row["sent"] for row in rows.values()) == asked, said
    outcomes = [row["outcomes"] for row in rows.values()]
    assert sum(counts.get("never-seen", 0) for counts in outcomes) == asked // LOST_ONE_IN > 0
    assert sum(row["seen"] for row in rows.values()) == asked - asked // LOST_ONE_IN
    assert not {"wrong-station", "api-error", "api-timeout", "no-effect"} & {word for each in outcomes for word in each}
    # How much longer each step takes is the machine's: it is held against a step that contains it.
    configuration, started = rows["get-configuration"], rows["remote-start"]
    assert DELAY * 1000 <= configuration["reach_ms"]["p50"] <= configuration["service_ms"]["max"]
    if run["generator"]["verdict"] != "INVALID":
        assert started["effects"] > 0
    if started["effects"]:
        assert started["started_ms"]["p50"] >= DELAY * 1000
        assert started["effect_ms"]["p50"] >= DELAY * 1000 + 900
    assert run["target"]["driver"] == "http"


def test_commands_that_reach_another_station_are_told_from_those_that_are_lost(tmp_path: Path) -> None:
    commands = "- {action: remote-start, rate: 10/s, name: starts}\n"
    slo = tmp_path / "slo.yaml"
    slo.write_text("- command wrong-station == 0\n- command reach-p95 < 1 s\n- command failed < 50 %\n")
    with practice_csms(defects=("command-to-other-station",)) as csms:
        where = ("--url", csms.url, "--control-url", csms.control_url, "--slo", str(slo))
        code, said, run = load(tmp_path, *where, "--duration", "8s", commands=commands)
    (row,) = run["commands"]
    assert row["outcomes"].keys() <= {"wrong-station", "accepted", "rejected", "open", "no-target"}, said
    assert row["outcomes"]["wrong-station"] > 5
    assert run["slo"][0]["passed"] is False
    assert code in (exit_codes.FAILED, exit_codes.INVALID)
