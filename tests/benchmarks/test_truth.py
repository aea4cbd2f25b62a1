"""Injected latency as `plugstorm bench` checks it, scaled down."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.truth import Case, check
from evidence.run_folder import read_run
from evidence.run_model import LoadRun

pytestmark = pytest.mark.waits(10)

STALL = Case(name="stall", latency="stall:5,500,3", heartbeat=0.02, stations=20, seconds=5)


def test_stall_shows_in_the_response_times_and_every_call_is_counted(tmp_path: Path) -> None:
    checked = check(STALL, tmp_path)
    assert checked.counted > 200
    assert checked.exact
    run = read_run(tmp_path / "truth-stall")
    assert isinstance(run, LoadRun)
    if run.generator.verdict == "VALID":
        # Each station has one CALL open in a stall, and 24 that it was to send meanwhile.
        assert checked.service_ms[1] < 250
    assert checked.response_ms[1] > 400
