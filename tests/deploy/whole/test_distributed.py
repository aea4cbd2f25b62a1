"""Master, two workers and the CSMS on four machines: one worker loses its network for a while, the other is killed."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

import msgspec
import psutil
import pytest

from evidence import exit_codes
from evidence.run_folder import read_run
from evidence.run_model import LoadRun
from tests.deploy.namespaces import Network, network

pytestmark = [
    pytest.mark.skipif(os.geteuid() != 0, reason="only root may make network namespaces"),
    pytest.mark.skipif(shutil.which("ip") is None, reason="ip is not installed here (Debian: apt install iproute2)"),
    pytest.mark.timeout(900),
]
STATIONS = 4000
CUT = 20.0
QUIET = 4.0
"""Seconds without a CALL at the CSMS, longer than anything needs that is on its way."""
SPREAD = 15
"""Seconds over which all stations send a meter value when they are asked to, shorter than the cut."""
PYTHON = sys.executable
LOAD = [PYTHON, "-m", "plugstorm", "load"]


class Fleet:
    """The four machines, with what runs on them."""

    def __init__(self, net: Network, folder: Path, stack: ExitStack) -> None:
        self.net = net
        self.folder = folder
        self._stack = stack
        csms = net.addresses["csms"]
        self.csms = f"ws://{csms}:9000/ocpp"
        self._control = f"http://{csms}:9001"
        words = ["csms", "--host", csms, "--port", "9000", "--control-port", "9001"]
        self.start("csms", PYTHON, "-m", "plugstorm", *words)

    def start(self, machine: str, *words: str) -> subprocess.Popen[bytes]:
        log = self._stack.enter_context((self.folder / f"{machine}.log").open("wb"))
        process = subprocess.Popen(
            self.net.on(machine, *words), stdout=log, stderr=log, stdin=subprocess.DEVNULL, start_new_session=True
        )
        self._stack.callback(end, process)
        return process

    def said(self, machine: str) -> str:
        return (self.folder / f"{machine}.log").read_text("utf-8", "replace")

    def ask(self, path: str) -> Any:
        """Ask the CSMS's control port, from its own machine."""
        code = "import sys, urllib.request as u; sys.stdout.buffer.write(u.urlopen(sys.argv[1], timeout=60).read())"
        words = self.net.on("csms", PYTHON, "-c", code, f"{self._control}{path}")
        done = subprocess.run(words, check=False, capture_output=True)
        return msgspec.json.decode(done.stdout) if done.returncode == 0 else None

    def calls(self) -> dict[str, int]:
        """Count the CALLs that the CSMS has received, by action."""
        found: dict[str, int] = self.ask("/stats")["calls"]["1.6"]
        return found


def end(process: subprocess.Popen[bytes]) -> None:
    """Kill a command with all that it has started, at once."""
    with suppress(psutil.NoSuchProcess):
        command = psutil.Process(process.pid)
        for one in (*command.children(recursive=True), command):
            with suppress(psutil.NoSuchProcess):
                one.kill()
    process.wait()


def wait_for(found: Callable[[], Any]) -> Any:
    """Ask again until there is an answer; the time-out of the test bounds it."""
    while not (answer := found()):
        time.sleep(0.25)
    return answer


@pytest.fixture
def fleet(tmp_path: Path) -> Iterator[Fleet]:
    with network("csms", "master", "one", "two") as net, ExitStack() as stack:
        yield Fleet(net, tmp_path, stack)


class Owners:
    """Who plays which identity, as the CSMS sees it: an address of a worker."""

    def __init__(self, fleet: Fleet) -> None:
        self._fleet = fleet
        self.of: dict[str, str] = {}
        self.twice: set[str] = set()
        self.moved: set[str] = set()

    def look(self, *, moving_is_fine: bool = False) -> int:
        """Note every connection of now, and return how many stations have one."""
        seen: dict[str, str] = {}
        for row in self._fleet.ask("/connections"):
            identity, address = row["station"], row["remote"].rpartition(":")[0]
            if identity in seen:
                self.twice.add(identity)
            seen[identity] = address
        if not moving_is_fine:
            self.moved |= {one for one, address in seen.items() if self.of.get(one, address) != address}
        self.of |= seen
        return len(seen)


def quiet(fleet: Fleet, owners: Owners) -> bool:
    """Tell whether no CALL has come for a while."""
    before = fleet.calls()
    since = time.monotonic()
    while time.monotonic() - since < QUIET:
        owners.look()
    return fleet.calls() == before


def test_counts_stay_exact_when_a_network_and_a_worker_fail(fleet: Fleet, tmp_path: Path) -> None:
    profile = tmp_path / "silent.yaml"
    profile.write_text("title: Silence, but for the meters\nmodels: {home-wallbox: 1}\nheartbeat: 86400\n")
    wait_for(lambda: fleet.ask("/health"))
    master = fleet.start(
        "master", *LOAD, "--master", "--workers", "2", "--url", fleet.csms, "--label", "1.4.2",
        "--i-own-this-target", fleet.net.addresses["csms"], "--stations", str(STATIONS), "--spawn-rate", "800",
        "--duration", "60m", "--profile", str(profile), "--seed", "7", "--out", str(tmp_path / "run"),
    )  # fmt: skip
    workers = {
        name: fleet.start(name, *LOAD, "--worker", "--master-host", fleet.net.addresses["master"])
        for name in ("one", "two")
    }
    owners = Owners(fleet)
    wait_for(lambda: owners.look() == STATIONS or master.poll() is not None)
    assert master.poll() is None, fleet.said("master")
    wait_for(lambda: quiet(fleet, owners))
    halves = [list(owners.of.values()).count(fleet.net.addresses[name]) for name in workers]
    assert sum(halves) == STATIONS
    assert min(halves) > STATIONS / 4

    surge(tmp_path / "run")
    wait_for(lambda: fleet.calls().get("MeterValues"))
    fleet.net.cut("one")
    over = time.monotonic() + CUT
    while time.monotonic() < over:
        owners.look()
    fleet.net.mend("one")
    wait_for(lambda: fleet.calls()["MeterValues"] >= STATIONS)
    wait_for(lambda: owners.look() == STATIONS and quiet(fleet, owners))
    assert (owners.twice, owners.moved) == (set(), set())

    # Killed when it has told all that it knows: what is counted must be all.
    end(workers["two"])
    wait_for(lambda: owners.look(moving_is_fine=True) < STATIONS)
    at_death = fleet.calls()
    surge(tmp_path / "run")
    wait_for(lambda: fleet.calls() != at_death)
    wait_for(lambda: quiet(fleet, owners))
    os.killpg(master.pid, signal.SIGINT)
    assert master.wait() == exit_codes.INTERRUPTED, fleet.said("master")
    assert workers["one"].wait() == exit_codes.PASSED, fleet.said("one")
    assert owners.twice == set()

    run = read_run(tmp_path / "run")
    assert isinstance(run, LoadRun)
    check_counts(run, fleet.calls())
    assert run.stations.connected_peak == STATIONS
    workers_seen = run.generator.details["workers"]
    assert sorted(worker["complete"] for worker in workers_seen) == [False, True]
    assert [worker["miscounted"] for worker in workers_seen] == [0, 0]
    # The killed one had told everything.
    assert sum(worker["calls"] for worker in workers_seen) == run.generator.details["calls"]
    assert run.generator.verdict == "INVALID"
    assert any("never sent the last figures" in reason for reason in run.generator.reasons), run.generator.reasons
    assert run.label == "1.4.2"
    check_folder(tmp_path / "run")


def surge(folder: Path) -> None:
    """Have every station of a run that goes on read its meters."""
    words = ["storm", str(folder), "clock-surge", "--spread", f"{SPREAD}s"]
    done = subprocess.run([PYTHON, "-m", "plugstorm", *words], check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def check_counts(run: LoadRun, at_csms: dict[str, int]) -> None:
    """Hold what was counted against what the CSMS has received; what was lost on the way may be either."""
    counted = [row for window in run.windows for row in window.calls if row.direction == "station-to-csms"]
    for action in ("BootNotification", "StatusNotification", "MeterValues"):
        rows = [row for row in counted if row.action == action]
        answered = sum(row.count for row in rows if row.outcome in ("accepted", "rejected"))
        assert answered <= at_csms[action] <= sum(row.count for row in rows), action
    assert sum(row.count for row in counted) == run.generator.details["calls"]
    assert run.generator.details["calls"] > 4 * STATIONS


def check_folder(folder: Path) -> None:
    files = ("junit.xml", "summary.md", "report.html", "manifest.sha256")
    assert [name for name in files if not (folder / name).exists()] == []
    report = [PYTHON, "-m", "plugstorm", "report", str(folder)]
    done = subprocess.run(report, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert (folder / "report.html").exists()
    assert list((folder / "histograms").glob("*.hlog")) != []
