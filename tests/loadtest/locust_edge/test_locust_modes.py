"""Real Locust processes against a counting sink: what the sink saw is what the result says, to the unit."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
import requests

from evidence import exit_codes
from evidence.histogram import Tag, read_hlog
from evidence.run_folder import read_run
from evidence.run_model import LoadRun
from tests.loadtest.counting_sink import Sink
from tests.loadtest.ports import with_own_master

pytestmark = pytest.mark.waits

HERE = Path(__file__).parent
ROOT = HERE.parents[2]
Start = Callable[..., subprocess.Popen[bytes]]


@pytest.fixture
def sink() -> Iterator[Sink]:
    with Sink() as sink:
        yield sink


@pytest.fixture
def start(sink: Sink, tmp_path: Path) -> Iterator[Start]:
    """Start Locust with these arguments; `settings` are fields of `Settings`. Nothing of it outlives the test.

    `burn` keeps the event loop busy for so many seconds at each beat of a user, and the last call of
    each takes `last_words` seconds. The run ends when so many calls were `measured`.
    """
    started: list[subprocess.Popen[bytes]] = []

    def start(
        *arguments: str,
        settings: dict[str, Any] | None = None,
        burn: float = 0.0,
        last_words: float = 0.0,
        measured: int | None = None,
    ) -> subprocess.Popen[bytes]:
        environment = os.environ | {
            "PYTHONPATH": str(ROOT),
            "BURN": str(burn),
            "LAST_WORDS": str(last_words),
            "SINK": sink.address,
            "RUN_FOLDER": str(tmp_path / "run"),
            "MASTER_PORT_FILE": str(tmp_path / "port"),
            "SETTINGS": json.dumps({"warm_up": 0.0} | (settings or {})),
        }
        module = "locust"
        if measured is not None:
            module, environment["ENOUGH"] = "tests.loadtest.enough", json.dumps({"measure": measured})
        command = [sys.executable, "-m", module, "-f", str(HERE.parent / "counting_locustfile.py"), "--only-summary"]
        with (tmp_path / f"log-{len(started)}").open("wb") as log:
            process = subprocess.Popen(
                [*command, *with_own_master(arguments)],
                env=environment,
                cwd=tmp_path,
                stderr=log,
                stdout=log,
                start_new_session=True,
            )
        started.append(process)
        return process

    yield start
    for process in started:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def start_cluster(start: Start, folder: Path, *arguments: str, workers: int, **settings: Any) -> list[Any]:
    """Start a master on a free port and its workers; the master is the first."""
    master = start(
        "--master", "--master-bind-host", "127.0.0.1", "--master-bind-port", "0", "--headless",
        "--expect-workers", str(workers), *arguments, settings=settings,
    )  # fmt: skip
    port = wait_for(lambda: (folder / "port").exists() and (folder / "port").read_text())
    others = [
        start("--worker", "--master-host", "127.0.0.1", "--master-port", port, settings=settings)
        for _ in range(workers)
    ]
    return [master, *others]


def wait_for(condition: Callable[[], Any], timeout: float = 90.0) -> Any:
    deadline = time.monotonic() + timeout
    while not (value := condition()):
        assert time.monotonic() < deadline, "it never happened"
        time.sleep(0.1)
    return value


def result(folder: Path) -> LoadRun:
    run = read_run(folder)
    assert isinstance(run, LoadRun)
    return run


def counted(run: LoadRun) -> int:
    return sum(call.count for window in run.windows for call in window.calls)


def counted_in_logs(folder: Path) -> int:
    lines = [line for path in (folder / "histograms").iterdir() for line in read_hlog(path)]
    return sum(line.histogram.count for line in lines if Tag.parse(line.tag).kind == "response")


def test_a_local_run_counts_what_the_sink_saw(start: Start, sink: Sink, tmp_path: Path) -> None:
    process = start("--headless", "-u", "8", "-r", "8", measured=500)
    code = process.wait(90)
    run = result(tmp_path / "run")
    assert counted(run) == counted_in_logs(tmp_path / "run") == sink.total
    assert run.stations.connected_peak == len(sink.calls) == 8
    assert [window.name for window in run.windows] == ["ramp", "measure", "cool-down"]
    assert run.calls
    assert code == (exit_codes.INVALID if run.generator.verdict == "INVALID" else exit_codes.PASSED)


def test_a_generator_that_cannot_keep_up_invalidates_the_run(start: Start, sink: Sink, tmp_path: Path) -> None:
    process = start("--headless", "-u", "3", "-r", "3", burn=0.25, measured=8)
    assert process.wait(90) == exit_codes.INVALID
    run = result(tmp_path / "run")
    assert counted(run) == sink.total
    assert run.verdict == "invalid"
    assert run.generator.verdict == "INVALID"
    assert run.generator.lag_ms_p99 is not None
    assert run.generator.lag_ms_p99 > 100
    assert "ms late or more in 1 % of the time" in run.generator.reasons[0]


def test_a_cluster_counts_what_the_sink_saw_and_connects_no_identity_twice(
    start: Start, sink: Sink, tmp_path: Path
) -> None:
    """A worker is frozen until Locust gives its users to others, comes back, and the run is stopped early."""
    fence_after = 2.0
    master, *workers = start_cluster(
        start, tmp_path, "-u", "9", "-r", "9", "--enable-rebalancing",
        workers=3, capacity=9, fence_after=fence_after, quarantine=30.0,
    )  # fmt: skip
    sink.wait_for_connected(9)
    wait_for(lambda: len(sink.calls) == 9)
    workers[0].send_signal(signal.SIGSTOP)
    stopped = time.monotonic()
    wait_for(lambda: "missing" in (tmp_path / "log-0").read_text())
    wait_for(lambda: time.monotonic() > stopped + fence_after + 0.2)
    workers[0].send_signal(signal.SIGCONT)
    sink.wait_for_reconnected(3)
    sink.wait_for_connected(9)
    master.send_signal(signal.SIGINT)
    assert master.wait(90) == exit_codes.INTERRUPTED
    assert [worker.wait(90) for worker in workers] == [exit_codes.PASSED] * 3
    run = result(tmp_path / "run")
    assert run.interrupted
    assert sink.twice == []
    assert len(sink.calls) == 9
    assert counted(run) == counted_in_logs(tmp_path / "run") == sink.total
    states = run.generator.details["workers"]
    assert sum(state["calls"] for state in states) == sink.total
    assert all(state["complete"] and state["calls"] for state in states)
    assert [state["miscounted"] for state in states] == [0] * 3
    assert max(state["fences"] for state in states) >= 1


def test_stations_that_take_long_to_end_are_waited_for_and_their_last_words_counted(
    start: Start, sink: Sink, tmp_path: Path
) -> None:
    """The master asks for the last figures every second, and stops waiting when no station ends for `flush_timeout`."""
    process = start("--headless", "--processes", "2", "-u", "6", "-r", "6", last_words=2.5, measured=50)
    process.wait(90)
    run = result(tmp_path / "run")
    assert len(sink.calls) == 6
    assert counted(run) == counted_in_logs(tmp_path / "run") == sink.total
    assert all(state["complete"] for state in run.generator.details["workers"])
    assert "for a run that is over" not in (tmp_path / "log-0").read_text()


def test_a_killed_worker_is_named_and_its_loss_estimated(start: Start, sink: Sink, tmp_path: Path) -> None:
    process = start("--headless", "--processes", "2", "-u", "8", "-r", "8", settings={"flush_timeout": 1.0})
    sink.wait_for_connected(8)
    connected = time.monotonic()
    wait_for(lambda: time.monotonic() > connected + 1.3)
    victim = psutil.Process(process.pid).children()[0]
    victim.kill()
    process.send_signal(signal.SIGINT)
    process.wait(90)
    run = result(tmp_path / "run")
    lost = sink.total - counted(run)
    states = {state["pid"]: state for state in run.generator.details["workers"]}
    dead = states.pop(victim.pid)
    assert not dead["complete"]
    assert dead["estimated_loss"] > 0
    assert 0 <= lost < sink.total / 2
    named = f"(pid {victim.pid}, {dead['stations']} stations, {dead['calls']} CALLs counted)"
    assert named in " ".join(run.generator.reasons)
    assert run.generator.verdict == "INVALID"
    assert [state["complete"] for state in states.values()] == [True]


def test_each_test_of_the_web_ui_is_a_run_with_a_folder_of_its_own(start: Start, sink: Sink, tmp_path: Path) -> None:
    process = start("--web-host", "127.0.0.1", "--web-port", "0")
    port = wait_for(
        lambda: [c.laddr.port for c in psutil.Process(process.pid).net_connections() if c.status == "LISTEN"]
    )
    seen = 0
    for folder in (tmp_path / "run", tmp_path / "run-2"):
        swarm = {"user_count": "4", "spawn_rate": "4", "host": ""}
        assert requests.post(f"http://127.0.0.1:{port[0]}/swarm", data=swarm, timeout=10).json()["success"]
        sink.wait_for(seen + 200)
        assert requests.post(f"http://127.0.0.1:{port[0]}/stop", timeout=30).json()["success"]
        run = result(folder)
        assert counted(run) == sink.total - seen
        seen = sink.total
    assert sink.twice == []
    process.send_signal(signal.SIGTERM)
    process.wait(90)
    assert not (tmp_path / "run-3").exists()


def test_a_folder_that_cannot_be_written_is_one_line_and_a_usage_error(start: Start, tmp_path: Path) -> None:
    (tmp_path / "run").write_text("a file")
    assert start("--headless", "-u", "1", "-t", "1s").wait(90) == exit_codes.USAGE
    log = (tmp_path / "log-0").read_text()
    assert "cannot be written" in log
    assert "Traceback" not in log
