"""An interop run that is killed keeps what it had judged."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from evidence.run_folder import read_run
from evidence.run_model import InteropRun
from evidence.verdicts import RunVerdict, Verdict
from tests.plugstorm.conftest import Plugstorm, Spawn

pytestmark = pytest.mark.waits


@pytest.mark.parametrize("jobs", ["1", "2"])
def test_killed_run_loses_at_most_the_cases_that_were_running(
    jobs: str, spawn: Spawn, plugstorm: Plugstorm, tmp_path: Path
) -> None:
    child = spawn("interop", "--ocpp", "1.6", "--select", "TC_0", "--jobs", jobs, "--out", "run")
    assert child.stdout is not None
    shown = [next(line for line in child.stdout if " ok " in line) for _ in range(2)]
    os.kill(child.pid, signal.SIGKILL)
    child.wait()
    run = read_run(tmp_path / "run")
    assert isinstance(run, InteropRun)
    assert (run.complete, run.verdict) == (False, RunVerdict.INCONCLUSIVE)
    assert 1 <= len(run.cases) < run.planned
    judged = {case.id for case in run.cases if case.verdict is Verdict.OK}
    assert {line.partition(" 1.6 ")[2].split()[0] for line in shown} <= judged

    told = plugstorm("report", "run")
    assert told.code == 0
    assert "The run was cut before its end" in told.out
    assert "The run was cut before its end" in (tmp_path / "run" / "report.html").read_text("utf-8")
