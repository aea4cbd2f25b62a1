"""A load run whose command is killed leaves no process behind."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import psutil
import pytest

from evidence.run_folder import read_run
from evidence.run_model import LoadRun
from fixtures.csms import practice_csms
from tests.plugstorm.conftest import Spawn

pytestmark = pytest.mark.waits


@pytest.mark.sampled(1)
@pytest.mark.parametrize("workers", ["1", "2"])
def test_kill_9_leaves_no_child_and_the_result_is_written(workers: str, spawn: Spawn, tmp_path: Path) -> None:
    with practice_csms() as csms:
        child = spawn(
            *("load", "--url", csms.url, "--stations", "4", "--spawn-rate", "4", "--duration", "100s"),
            *("--profile", "idle", "--workers", workers, "--out", "run"),
        )
        assert child.stdout is not None
        next(line for line in child.stdout if "4 booted" in line)
        family = psutil.Process(child.pid).children(recursive=True)
        assert len(family) >= int(workers)
        os.kill(child.pid, signal.SIGKILL)
        child.wait()
        _, alive = psutil.wait_procs(family, timeout=40)
    assert alive == []
    run = read_run(tmp_path / "run")
    assert isinstance(run, LoadRun)
    assert run.interrupted
    assert run.stations.booted == 4
