"""What a load run says of a CSMS whose answer times are known, from injection to the verdict on its objectives.

The truth is how long the sink really held its answers back. `benchmarks.truth` does the same in full.
"""

from __future__ import annotations

import contextlib
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from benchmarks.canned import Stats
from benchmarks.children import SinkProcess
from evidence import exit_codes
from evidence.histogram import Histogram, Tag, read_hlog
from evidence.run_folder import read_run
from evidence.run_model import LoadRun

pytestmark = pytest.mark.waits(18)

OBJECTIVES = "- Heartbeat service p99 < {limit} ms\n- Heartbeat response p99 < {limit} ms\n- timeout == 0\n"


class Told(msgspec.Struct):
    """What the sink knows and what the run says, ms."""

    code: int
    run: LoadRun
    stats: Stats
    truth: Histogram
    service: Histogram
    response: Histogram

    def assert_true(self, percentile: float) -> None:
        """Fail unless the reported service time is within 1 ms or 5 % of the injected one, whichever is more.

        By as much as the generator itself says that it was late or stood still, other programs have disturbed both.
        """
        if percentile > MEDIAN and self.waited > QUIET:
            return  # the sink shares the processors, too: its tail is as disturbed as ours
        stalls = [worker["longest_stall_ms"] for worker in self.run.generator.details["workers"]]
        disturbed = max(self.run.generator.lag_ms_p99 or 0.0, *stalls)
        injected, reported = (histogram.percentile(percentile) / 1000 for histogram in (self.truth, self.service))
        assert abs(reported - injected) <= max(1.0, 0.05 * injected) + disturbed, (percentile, injected, reported)

    def met(self) -> list[bool]:
        return [one.passed for one in self.run.slo if not one.built_in]

    @property
    def waited(self) -> float:
        """Share of the time in which the generator waited for a processor, as tests that run beside it make it."""
        return max(worker["waited"] or 0.0 for worker in self.run.generator.details["workers"])

    @property
    def valid(self) -> bool:
        return self.run.generator.verdict == "VALID"


@contextlib.contextmanager
def storm(
    folder: Path, latency: str, *, heartbeat: float, stations: int, limit: int
) -> Iterator[tuple[SinkProcess, Path]]:
    """Start a run of some seconds against a sink of its own; waits for the run at the end."""
    folder.mkdir()
    (folder / "beats.yaml").write_text(f"title: beats\nmodels: {{home-wallbox: 1}}\nheartbeat: {heartbeat}\n")
    (folder / "slo.yaml").write_text(OBJECTIVES.format(limit=limit))
    command = [sys.executable, "-m", "plugstorm", "load", "--stations", str(stations), "--spawn-rate", str(stations)]
    command += ["--duration", "9s", "--profile", "beats.yaml", "--slo", "slo.yaml", "--seed", "1", "--out", "run"]
    command += ["--no-objective", "csms-answers", "--no-objective", "failed-calls"]
    with SinkProcess("--latency", latency) as sink:
        process = subprocess.Popen(
            [*command, "--url", sink.url], cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        try:
            yield sink, folder
            process.wait(100)
            (folder / "code").write_text(str(process.returncode))
            (folder / "stats").write_bytes(msgspec.json.encode(sink.stats()))
        finally:
            process.kill()
            process.wait()


def told(folder: Path) -> Told:
    run = read_run(folder / "run")
    assert isinstance(run, LoadRun)
    stats = msgspec.json.decode((folder / "stats").read_bytes(), type=Stats)
    service, response = Histogram(), Histogram()
    for path in (folder / "run" / "histograms").glob("*.hlog"):
        for line in read_hlog(path):
            tag = Tag.parse(line.tag)
            (service if tag.kind == "service" else response).merge(line.histogram.counts)
    return Told(int((folder / "code").read_text()), run, stats, Histogram(stats.held_us), service, response)


MEDIAN = 50
QUIET = 0.01
ATTEMPTS = 3
"""How often the runs are made while other programs keep the generator from being VALID …"""
LAST_ATTEMPT = 30.0
"""… if the first ones did not take more seconds than this."""


@pytest.fixture
def runs(tmp_path: Path) -> dict[str, Told]:
    """Run all distributions side by side: they wait most of the time."""
    found: dict[str, Told] = {}
    began = time.monotonic()
    for attempt in range(ATTEMPTS):
        folder = tmp_path / str(attempt)
        folder.mkdir()
        with contextlib.ExitStack() as stack:
            stack.enter_context(storm(folder / "constant", "constant:400", heartbeat=0.8, stations=60, limit=2000))
            stack.enter_context(
                storm(folder / "bimodal", "bimodal:200,600,0.1", heartbeat=0.8, stations=60, limit=2000)
            )
            # 800 ms without an answer in every 4 s; of the 130 CALLs that a station sends meanwhile, one is open then.
            stack.enter_context(storm(folder / "stall", "stall:2,800,4", heartbeat=0.03, stations=8, limit=300))
        found |= {path.name: one for path in folder.iterdir() if (one := told(path)).valid or path.name not in found}
        if all(one.valid for one in found.values()) or time.monotonic() - began > LAST_ATTEMPT:
            break
    return found


def test_service_times_are_those_injected_and_a_stall_shows_in_response_times(runs: dict[str, Told]) -> None:
    # One test: the runs are made once, whichever process of a parallel test run does it.
    for name in ("constant", "bimodal"):
        run = runs[name]
        assert run.service.count == run.stats.total > 300
        if not run.valid:
            # Where other programs are in the way, the truth is that nothing can be said.
            assert run.run.generator.reasons
            continue
        run.assert_true(50)
        run.assert_true(99)
        assert run.met() == [True, True, True]
    run = runs["stall"]
    assert run.service.count == run.stats.total > 1000
    if not run.valid:
        assert run.run.generator.reasons
        return
    run.assert_true(50)
    for hidden in (run.truth, run.service):
        assert hidden.percentile(99) / 1000 < 100
    assert run.response.percentile(50) / 1000 < 100
    assert run.response.percentile(99) / 1000 > 500
    assert run.met() == [True, False, True]
    assert run.code != exit_codes.PASSED
