"""Locust's page of a load run ends with the run, unless somebody wants it to stay."""

from __future__ import annotations

import signal
import time
from pathlib import Path

import pytest

from evidence.run_folder import read_run
from evidence.verdicts import EXIT_CODES
from fixtures.csms import practice_csms
from plugstorm.load_command import free_port
from tests.plugstorm.conftest import Spawn

pytestmark = pytest.mark.waits(10)

WORDS = ("load", "--stations", "2", "--spawn-rate", "2", "--profile", "quick", "--out", "run")


@pytest.mark.timeout(400)
@pytest.mark.sampled(1)
@pytest.mark.parametrize("how", [("--duration", "4s"), ("--stages", "2/1s,3s"), ("--duration", "4s", "--workers", "2")])
def test_the_page_ends_with_the_run(how: tuple[str, ...], spawn: Spawn, tmp_path: Path) -> None:
    with practice_csms() as csms:
        child = spawn(*WORDS, *how, "--url", csms.url, "--ui", "--ui-port", str(free_port()))
        said, _ = child.communicate(timeout=300)
    run = read_run(tmp_path / "run")
    assert (child.returncode, run.interrupted) == (EXIT_CODES[run.verdict], False), said
    assert "it ends with the run" in said


@pytest.mark.timeout(400)
def test_the_page_stays_when_it_is_told_to(spawn: Spawn, tmp_path: Path) -> None:
    with practice_csms() as csms:
        child = spawn(*WORDS, "--duration", "4s", "--url", csms.url, "--ui-stay", "--ui-port", str(free_port()))
        log = tmp_path / "run" / "locust.log"
        while not (log.exists() and "leaving web ui running" in log.read_text()):
            assert child.poll() is None
            time.sleep(0.1)
        assert child.poll() is None
        child.send_signal(signal.SIGINT)
        said, _ = child.communicate(timeout=300)
    assert child.returncode == EXIT_CODES[read_run(tmp_path / "run").verdict], said
    assert (tmp_path / "run" / "report.html").exists()
