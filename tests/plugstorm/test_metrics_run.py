"""Metrics that cannot leave disturb no run; a port that is taken is told before anything starts."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from evidence.run_folder import read_run
from evidence.run_model import LoadRun
from evidence.verdicts import EXIT_CODES
from fixtures.csms import practice_csms
from tests.plugstorm.conftest import Plugstorm, Spawn

pytestmark = pytest.mark.waits

WORDS = ("load", "--stations", "2", "--spawn-rate", "2", "--profile", "quick", "--out", "run")


@pytest.mark.timeout(400)
def test_a_receiver_that_is_away_is_one_warning_and_a_figure_in_run_json(spawn: Spawn, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    with practice_csms() as csms:
        child = spawn(
            *WORDS, "--url", csms.url, "--duration", "12s", "--remote-write", f"http://me:hush@127.0.0.1:{port}/write"
        )
        said, _ = child.communicate(timeout=300)
    run = read_run(tmp_path / "run")
    assert isinstance(run, LoadRun)
    assert child.returncode == EXIT_CODES[run.verdict], said
    (way,) = run.metrics
    assert (way.kind, way.sent, way.why) == ("remote-write", 0, "Connection refused")
    assert way.failed >= 2
    assert [one for one in run.warnings if "Metrics did not arrive" in one] == run.warnings
    assert len(run.warnings) == 1
    assert said.count("warning: Metrics did not arrive") == 1
    texts = [
        said,
        *(path.read_text("utf-8") for path in (tmp_path / "run").rglob("*") if path.suffix in {".json", ".log"}),
    ]
    assert len(texts) > 2
    assert [text for text in texts if "hush" in text] == []


@pytest.mark.timeout(400)
def test_a_port_that_is_taken_is_one_line_and_no_run(plugstorm: Plugstorm, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server, practice_csms() as csms:
        port = server.getsockname()[1]
        result = plugstorm(*WORDS, "--url", csms.url, "--duration", "4s", "--metrics", str(port))
    result.assert_one_line(2, f"--metrics 127.0.0.1:{port} cannot be used: Address already in use")
    assert not (tmp_path / "run").exists()
