"""Injected latency, scaled down from what `plugstorm bench` runs, and long enough that a busy machine blurs nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.truth import Case, check, within

STALL = Case(name="stall", latency="stall:5,500,3", heartbeat=0.02, stations=20, seconds=5)
BIMODAL = Case(name="bimodal", latency="bimodal:60,400,0.1", heartbeat=0.5, stations=40, seconds=4)


@pytest.mark.parametrize("case", [STALL, BIMODAL], ids=lambda case: case.name)
def test_load_run_reports_the_latency_that_was_injected(case: Case, tmp_path: Path) -> None:
    checked = check(case, tmp_path)
    assert checked.counted > 200
    assert checked.exact
    high_injected, high_service = checked.injected_ms[1], checked.service_ms[1]
    if case is STALL:
        # Each station has one CALL open in a stall, and 24 that it was to send meanwhile.
        assert high_service < 250
        assert checked.response_ms[1] > 400
    else:
        assert within(checked.service_ms[0], checked.injected_ms[0])
        assert within(high_service, high_injected)
        assert high_injected == pytest.approx(400, abs=20)
