"""What the commands that take their time write with `--json` fits the schemas, and nothing else is on that output."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from fixtures.csms import practice_csms
from tests.deploy.loads import check_load
from tests.json_outputs import complaints
from tests.json_schemas import OUTPUTS

BY_NAME = {output.name: output for output in OUTPUTS}
pytestmark = pytest.mark.timeout(900)
LOAD = ["--stations", "10", "--spawn-rate", "10"]


def run(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    command = [str(Path(sys.prefix) / "bin" / "plugstorm"), *words]
    return subprocess.run(command, cwd=folder, check=False, capture_output=True, text=True)


def check(name: str, done: subprocess.CompletedProcess[str], *codes: int) -> None:
    assert done.returncode in (codes or (0,)), done.stderr
    assert complaints(BY_NAME[name], done.stdout) == []


def test_runs_of_the_suite(tmp_path: Path) -> None:
    done = run(tmp_path, "interop", "--select", "TC_001_CSMS", "--out", "run", "--json")
    check("interop-run", done)
    assert msgspec.json.decode(done.stdout) == msgspec.json.decode((tmp_path / "run" / "run.json").read_bytes())
    assert "TC_001_CSMS" in done.stderr


def test_a_check_of_the_driver(tmp_path: Path) -> None:
    with practice_csms() as csms:
        words = ["--url", csms.url, "--control-url", csms.control_url]
        check("driver-check", run(tmp_path, "interop", "--check-driver", "trigger:Reset", *words, "--json"))


def test_load_runs_and_their_traces(tmp_path: Path) -> None:
    done = run(tmp_path, "load", *LOAD, "--duration", "10s", "--trace-share", "1", "--out", "run", "--json")
    check_load(tmp_path / "run", done)
    check("load-run", done, done.returncode)
    assert msgspec.json.decode(done.stdout) == msgspec.json.decode((tmp_path / "run" / "run.json").read_bytes())
    check("trace-check", run(tmp_path, "check-trace", "run", "--json"))
    traces = sorted(str(path) for path in (tmp_path / "run" / "traces").glob("*.jsonl"))
    check("analysis", run(tmp_path, "analyze", *traces, "--json"))


def test_a_search_for_capacity(tmp_path: Path) -> None:
    (tmp_path / "slo.yaml").write_text("- errors < 5 %\n")
    words = ["--max-stations", "20", "--start", "20", "--hold", "5s", "--settle", "1", "--pause", "0"]
    check("capacity", run(tmp_path, "capacity", "--slo", "slo.yaml", *words, "--json"), 0, 1, 3)


def test_a_calibration(tmp_path: Path) -> None:
    words = ["--try", "50", "--busy", "10", "--seconds", "6"]
    check("calibration", run(tmp_path, "calibrate", *words, "--json"), 0, 3)


def test_mutants_of_the_self_test(tmp_path: Path) -> None:
    check("selftest-mutants", run(tmp_path, "selftest", "--mutants", "--only", "1.6/*", "--sample", "2", "--json"))


def test_the_practice_csms_and_a_storm(tmp_path: Path) -> None:
    command = [str(Path(sys.prefix) / "bin" / "plugstorm")]
    csms = [*command, "csms", "--port", "0", "--control-port", "0", "--json"]
    with subprocess.Popen(csms, stdout=subprocess.PIPE, text=True) as serving:
        assert serving.stdout is not None
        line = serving.stdout.readline()
        assert complaints(BY_NAME["csms"], line) == []
        url = msgspec.json.decode(line)["url"]
        words = ["load", "--url", url, *LOAD, "--duration", "300s", "--out", "run"]
        with subprocess.Popen([*command, *words], cwd=tmp_path, stdout=subprocess.DEVNULL) as load:
            while load.poll() is None:
                started = run(tmp_path, "storm", "run", "lb-drain", "--json")
                if started.returncode == 0:
                    break
            check("storm-started", started)
            load.terminate()
        serving.terminate()
