"""Load runs that differ in little: how slow the CSMS was, how late the generator, when, and with which label."""

from __future__ import annotations

import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from evidence.run_model import (
    ActionStats,
    Generator,
    LoadRun,
    Percentiles,
    RunTarget,
    SloResult,
    Stations,
    WindowResult,
)
from evidence.verdicts import RunVerdict
from evidence.vocabulary import MEASURE, TO_CSMS
from tests.reports.report_builders import write_as_it_is

ACTIONS = {"Heartbeat": 20.0, "StatusNotification": 22.0, "MeterValues": 30.0, "StartTransaction": 45.0}


def write_night(
    folder: Path,
    *,
    seed: int = 1,
    slower: float = 1.0,
    only: str = "",
    noise: float = 0.03,
    lag: float | None = 0.2,
    busy: bool = False,
    day: int = 1,
    **fields: Any,
) -> Path:
    """Write one run; `slower` is about every action, or `only` one, and `lag` is in ms at p50.

    `busy`: the machine made it slower, and not the CSMS.
    """
    draw = random.Random(seed)
    actions = []
    for action, ms in ACTIONS.items():
        factor = slower if only in ("", action) else 1.0
        p50 = ms * factor * draw.lognormvariate(0, noise)
        p99 = p50 * 3 * draw.lognormvariate(0, 3 * noise)
        # The fastest answers are those of a CSMS that nobody disturbed.
        p10 = ms * (1.0 if busy else factor) * 0.9 * draw.lognormvariate(0, noise / 3)
        spread = Percentiles(p50=p50, p90=p50 * 1.4, p99=p99, p999=999, max=999, p10=p10)
        actions.append(
            ActionStats(
                ocpp="1.6", action=action, direction=TO_CSMS, count=600, outcomes={"accepted": 600}, service_ms=spread,
                response_ms=spread,
            )
        )  # fmt: skip
    late = {} if lag is None else {"lag_ms_p50": lag, "lag_ms_p90": lag * 2, "lag_ms_p99": lag * 10}
    defaults: dict[str, Any] = {
        "tool": {"name": "plugstorm", "version": "0.1.0"},
        "target": RunTarget(url="ws://127.0.0.1:40123/ocpp", ocpp=["1.6"]),
        "started": f"2026-03-{day:02}T02:00:{seed % 60:02}.000Z",
        "finished": f"2026-03-{day:02}T02:01:{seed % 60:02}.000Z",
        "seed": seed,
        "environment": {},
        "verdict": RunVerdict.PASSED,
        "settings": {"stations": "100", "duration": "60s", "plugstorm-profile": "quick", "out": str(folder)},
        "stations": Stations(requested=100, connected_peak=100, booted=100, lost=0),
        "calls": [],
        "throughput": {"calls_per_s": 40 * draw.lognormvariate(0, 0.01)},
        "generator": Generator(verdict="VALID", reasons=[], details={"workers": [late]}),
        "actions": actions,
        "slo": [SloResult(expr="p99 < 500 ms", value=90.0, passed=True, unit="ms")],
        "windows": [WindowResult(name=MEASURE, start=10, seconds=50, calls=[])],
    }
    folder.mkdir(parents=True, exist_ok=True)
    write_as_it_is(folder, LoadRun(**{**defaults, **fields}))
    return folder


def write_nights(folder: Path, seeds: Sequence[int], **fields: Any) -> list[Path]:
    """Write a run for each seed."""
    return [write_night(folder / str(seed), seed=seed, **fields) for seed in seeds]
