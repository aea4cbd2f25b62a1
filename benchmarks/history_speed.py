"""How long `plugstorm history` takes with thousands of runs: `python -m benchmarks.history_speed DIR [RUNS]`.

The runs are of the sizes of real ones: load runs with a timeline of two minutes, suites of 520 cases with findings.
They drift, miss objectives and break cases now and then, so that the page has something to show.
"""

from __future__ import annotations

import random
import subprocess
import sys
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import msgspec

from evidence.plugin_results import ChargingResult, KpiResult
from evidence.run_model import (
    ActionStats,
    CaseResult,
    Generator,
    InteropRun,
    LoadRun,
    Percentiles,
    RunTarget,
    SloResult,
    Stations,
    WindowResult,
)
from evidence.verdicts import RunVerdict, Verdict
from evidence.vocabulary import MEASURE, TO_CSMS

__all__ = ["main", "make_runs"]

_ACTIONS: Final = ("Heartbeat", "StatusNotification", "MeterValues", "Authorize", "StartTransaction", "StopTransaction")
_CASES: Final = 520
_EVERY: Final = timedelta(hours=6)
_SECONDS: Final = 120
_TOOL: Final = {"name": "plugstorm", "version": "0.1.0"}


def make_runs(folder: Path, runs: int, seed: int = 1) -> None:
    """Write runs by turns of a load test, a larger one, and two suites, one every six hours."""
    draw = random.Random(seed)  # noqa: S311 - no secret
    start = datetime(2024, 1, 1, tzinfo=UTC)
    for number in range(runs):
        label = f"1.{number // 80}"
        moment = start + number * _EVERY
        run = _load(draw, number, moment) if number % 2 else _suite(draw, number, moment)
        run.label = label
        place = folder / f"{moment:%Y-%m}" / f"{number:05}"
        place.mkdir(parents=True, exist_ok=True)
        (place / "run.json").write_bytes(msgspec.json.format(msgspec.json.encode(run), indent=2))


def _load(draw: random.Random, number: int, moment: datetime) -> LoadRun:
    slow = 1 + 0.25 * (number // 900 % 2)
    stations = 1000 if number % 4 == 1 else 200
    actions = []
    for place, action in enumerate(_ACTIONS):
        p50 = (8 + 3 * place) * slow * draw.lognormvariate(0, 0.04)
        spread = Percentiles(p50=p50, p90=p50 * 1.6, p99=p50 * 3 * draw.lognormvariate(0, 0.15), p999=p50 * 5, max=300)
        count = stations * (6 - place) * 2
        actions.append(
            ActionStats(
                ocpp="1.6", action=action, direction=TO_CSMS, count=count, outcomes={"accepted": count},
                service_ms=spread, response_ms=spread,
            )
        )  # fmt: skip
    missed = draw.random() < 0.04  # noqa: PLR2004 - of all runs
    slo = SloResult(expr="p99 < 100 ms", value=actions[-1].service_ms.p99 if actions[-1].service_ms else None,
                    passed=not missed, unit="ms")  # fmt: skip
    return LoadRun(
        tool=_TOOL,
        target=RunTarget(url="wss://csms.example/ocpp", ocpp=["1.6"]),
        started=_text(moment),
        finished=_text(moment + timedelta(seconds=_SECONDS)),
        seed=number,
        environment={},
        verdict=RunVerdict.FAILED if missed else RunVerdict.PASSED,
        settings={"stations": str(stations), "duration": f"{_SECONDS}s", "plugstorm-profile": "steady"},
        stations=Stations(requested=stations, connected_peak=stations, booted=stations, lost=0),
        calls=[],
        throughput={"calls_per_s": stations * 0.35 * draw.lognormvariate(0, 0.02)},
        generator=Generator(verdict="VALID", reasons=[]),
        actions=actions,
        slo=[slo],
        kpis=KpiResult(charging=ChargingResult(attempts=100, succeeded=99, share=1 - draw.random() * 0.02)),
        windows=[WindowResult(name=MEASURE, start=15, seconds=_SECONDS - 15, calls=[])],
        timeline=[
            {"t": t, "connected": stations, "booted": stations, "calls": 70, "errors": 0} for t in range(_SECONDS)
        ],
    )


def _suite(draw: random.Random, number: int, moment: datetime) -> InteropRun:
    cases = []
    for place in range(_CASES):
        verdict = Verdict.OK if place % 9 else Verdict.NOT_APPLICABLE
        if not (place + 1) % 37 and place * 6 % 3000 < number < place * 6 % 3000 + 400:
            verdict = Verdict.FAILED
        elif draw.random() < 0.0005:  # noqa: PLR2004 - a flaw of the set-up now and then
            verdict = Verdict.INCONCLUSIVE
        cases.append(
            CaseResult(
                id=f"TC_{place:03}_CSMS", ocpp="1.6", title=f"What case {place} asks of the CSMS", verdict=verdict,
                reason="a reason of some length, as cases have them", clause="OCPP 1.6 §4.1", level="required",
                profile="Core", duration_ms=40, expected=["what the clause says"], actual=["what was seen"],
                trace=f"traces/{place}.jsonl", sends="A CALL.", expects="An answer.",
                findings=[{"verdict": verdict, "claim": "the claim", "actual": "the fact", "frame": 12}] * 3,
            )
        )  # fmt: skip
    failed = any(case.verdict is Verdict.FAILED for case in cases)
    return InteropRun(
        tool=_TOOL,
        target=RunTarget(url="wss://csms.example/ocpp", ocpp=["1.6"], driver="http"),
        started=_text(moment),
        finished=_text(moment + timedelta(seconds=40)),
        seed=None,
        environment={},
        verdict=RunVerdict.FAILED if failed else RunVerdict.PASSED,
        counts={},
        cases=cases,
    )


def _text(moment: datetime) -> str:
    return f"{moment:%Y-%m-%dT%H:%M:%S}.000Z"


def main(words: Sequence[str]) -> int:
    """Make the runs where the folder is empty, and say how long each way to use the index takes."""
    folder, runs = Path(words[0]), int(words[1]) if len(words) > 1 else 3000
    if not folder.exists():
        make_runs(folder, runs)
    size = sum(file.stat().st_size for file in folder.rglob("run.json")) / 1e6
    sys.stdout.write(f"{runs} runs, {size:.0f} MB of run.json\n")
    for name, further in (("first", ("--rebuild",)), ("nothing new", ()), ("all runs on the page", ("--last", "9999"))):
        began = time.perf_counter()
        command = [sys.executable, "-m", "plugstorm", "history", str(folder), *further]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)  # noqa: S603 - our own words
        page, index = (folder / one for one in ("history.html", "history.sqlite"))
        sizes = f"page {page.stat().st_size / 1e6:.1f} MB, index {index.stat().st_size / 1e6:.1f} MB"
        sys.stdout.write(f"{name}: {time.perf_counter() - began:.1f} s, {sizes}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
