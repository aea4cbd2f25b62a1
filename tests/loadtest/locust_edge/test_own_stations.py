"""Stations that people write themselves: the examples of the page run as they stand there."""

from __future__ import annotations

import re
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest
import requests

from evidence import exit_codes
from evidence.run_folder import read_run
from evidence.run_model import LoadRun
from fixtures.csms import practice_csms
from fixtures.csms.running import ThreadCsms

pytestmark = pytest.mark.waits

ROOT = Path(__file__).resolve().parents[3]
EXAMPLES = re.findall(r"```python\n(.*?)```", (ROOT / "docs" / "custom-stations.md").read_text(), re.DOTALL)


class Own:
    """A run with stations of one's own, and what it left."""

    def __init__(self, folder: Path, csms: ThreadCsms, code: str, *words: str) -> None:
        (folder / "own.py").write_text(code)
        command = [sys.executable, "-m", "plugstorm", "load", "--url", csms.url, "--control-url", csms.control_url]
        command += ["--stations", "3", "--spawn-rate", "3", "--profile", "idle", "--out", "run", "--duration", "7s"]
        self.folder = folder
        self.process = subprocess.Popen(
            [*command, *words, "--", "-f", "own.py", "--warm-up", "0.5"],
            cwd=folder,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )

    def end(self) -> LoadRun:
        _, self.errors = self.process.communicate(timeout=100)
        run = read_run(self.folder / "run")
        assert isinstance(run, LoadRun), self.errors
        return run

    def passed(self, run: LoadRun) -> bool:
        """Return whether the run passed, or this machine was too busy to say so."""
        return self.process.returncode == exit_codes.PASSED or run.generator.verdict == "INVALID"


def outcomes(run: LoadRun) -> Counter[tuple[str, str]]:
    counts: Counter[tuple[str, str]] = Counter()
    for window in run.windows:
        for call in window.calls:
            counts[call.action, call.outcome] += call.count
    return counts


def remote_start(own: Own, csms: ThreadCsms, station: str) -> dict[str, str]:
    """Wait until the station is accepted, and have it started remotely."""
    while True:
        known = requests.get(f"{csms.control_url}/stations/{station}", timeout=10)
        if known.ok and known.json()["accepted"]:
            break
        assert own.process.poll() is None, own.process.communicate()
        time.sleep(0.1)
    url = f"{csms.control_url}/stations/{station}/calls/RemoteStartTransaction"
    answer: dict[str, str] = requests.post(url, json={"idTag": "DEADBEEF", "connectorId": 1}, timeout=30).json()
    return answer


def test_the_page_has_three_examples_and_a_profile_and_a_storm() -> None:
    assert len(EXAMPLES) == 5


def test_a_station_sends_at_its_own_pace_and_reacts_to_a_remote_start(tmp_path: Path) -> None:
    with practice_csms() as csms:
        own = Own(tmp_path, csms, EXAMPLES[0].replace("@every(3)", "@every(1)"))
        answer = remote_start(own, csms, "PS000002")
        run = own.end()
    assert answer == {"status": "answered", "payload": {"status": "Rejected"}}
    counts = outcomes(run)
    transfers = sum(count for (action, _), count in counts.items() if action == "DataTransfer")
    assert transfers >= 3 * 3 + 1
    assert counts["RemoteStartTransaction", "rejected"] == 1
    assert counts["StartTransaction", "accepted"] == 0
    assert own.passed(run), own.errors


def test_a_check_that_holds_passes_the_run(tmp_path: Path) -> None:
    with practice_csms() as csms:
        own = Own(tmp_path, csms, EXAMPLES[1], "--ocpp", "2.0.1")
        run = own.end()
    assert outcomes(run)["Heartbeat", "accepted"] >= 3 * 3
    assert not [kind for kind in run.faults if kind.startswith("check: ")]
    assert own.passed(run), own.errors


def test_a_check_that_does_not_hold_fails_the_run_with_its_text(tmp_path: Path) -> None:
    wrong = EXAMPLES[1].replace("< 10", "< 0")
    with practice_csms() as csms:
        own = Own(tmp_path, csms, wrong, "--ocpp", "2.0.1")
        run = own.end()
    assert run.faults["check: the clock of the CSMS is right"] >= 9
    (missed,) = [slo for slo in run.slo if slo.built_in == "own-checks"]
    assert 'the check "the clock of the CSMS is right" of your own stations failed' in missed.reason
    assert own.process.returncode in {exit_codes.FAILED, exit_codes.INVALID}
    assert run.stations.lost == 0


def test_a_whole_transaction_by_hand_is_recorded_by_the_csms(tmp_path: Path) -> None:
    with practice_csms() as csms:
        own = Own(tmp_path, csms, EXAMPLES[2])
        run = own.end()
        transactions = requests.get(f"{csms.control_url}/transactions", timeout=10).json()
    counts = outcomes(run)
    assert counts["StopTransaction", "accepted"] >= 3
    done = [one for one in transactions if one["state"] == "closed"]
    assert len(done) >= 3
    assert {one["meterStop"] - one["meterStart"] for one in done} == {7}


def test_a_mistake_in_the_class_counts_as_a_failed_check_and_the_station_goes_on(tmp_path: Path) -> None:
    code = EXAMPLES[0].replace("@every(3)", "@every(0.5)").replace("self.refused} refused", "self.rufused} refused")
    with practice_csms() as csms:
        own = Own(tmp_path, csms, code)
        run = own.end()
    (kind,) = [kind for kind in run.faults if kind.startswith("check: ")]
    assert kind.startswith("check: AttributeError: 'Reporting' object has no attribute")
    assert run.faults[kind] >= 9
    assert (run.stations.booted, run.stations.lost) == (3, 0)
    log = (tmp_path / "run" / "locust.log").read_text()
    assert log.count("A station of your own failed; it goes on.") == 1


def test_a_pace_needs_a_time_above_0() -> None:
    code = "from loadtest.locust_edge.own_stations import every\nevery(0)"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert "the time between two turns is above 0 s" in done.stderr


@pytest.mark.parametrize("example", EXAMPLES)
def test_examples_are_well_formed(example: str) -> None:
    compile(example, "docs/custom-stations.md", "exec")


def test_a_profile_and_a_storm_of_ones_own_run_as_the_page_shows_them(tmp_path: Path) -> None:
    (tmp_path / "buses.py").write_text(EXAMPLES[3] + EXAMPLES[4])
    command = [sys.executable, "-m", "plugstorm", "load", "--stations", "4", "--spawn-rate", "4", "--out", "run"]
    command += ["--profile", "buses.py", "--duration", "14s", "--trace-share", "1", "--storm", "tunnel@2s,length=1s"]
    process = subprocess.run(
        [*command, "--", "--warm-up", "0.5", "--backoff", "fixed:0.5"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    run = read_run(tmp_path / "run")
    assert isinstance(run, LoadRun), process.stderr
    (storm,) = run.storms
    assert storm.storm == "tunnel"
    assert storm.parameters["length"] == 1.0
    assert storm.stations.struck == storm.stations.accepted == 4
    counts = outcomes(run)
    assert counts["DataTransfer", "accepted"] + counts["DataTransfer", "rejected"] == 4
    assert counts["StartTransaction", "accepted"] >= 8, "two cars and more at each station"
    assert run.stations.lost == 0


def test_a_profile_of_ones_own_that_fails_is_a_failed_check_and_its_text_the_reason(tmp_path: Path) -> None:
    wrong = EXAMPLES[3].replace("yield Car(after=0.5, stay=draws.between(2, 3))", "yield Car(after=-1, stay=2)")
    (tmp_path / "buses.py").write_text(wrong)
    command = [sys.executable, "-m", "plugstorm", "load", "--stations", "2", "--profile", "buses.py", "--out", "run"]
    process = subprocess.run(
        [*command, "--duration", "6s", "--", "--warm-up", "0.5"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    run = read_run(tmp_path / "run")
    assert isinstance(run, LoadRun), process.stderr
    assert run.faults["check: ValueError: `after` must be 0 or more, and `stay` above 0"] == 2
    assert process.returncode in {exit_codes.FAILED, exit_codes.INVALID}
