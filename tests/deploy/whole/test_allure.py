"""Allure 2 and 3 open what a suite and a load run leave: results, categories, history, and load figures as metrics.

`PLUGSTORM_ALLURE` may name a folder in which both npm packages are installed already.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import msgspec
import pytest

from evidence.run_folder import read_run
from evidence.run_model import SloResult
from reports.allure import write_allure
from tests.reports.history_builders import write_night
from tests.test_house import ROOT

pytestmark = [
    pytest.mark.skipif(shutil.which("npm") is None, reason="npm is not installed here"),
    pytest.mark.timeout(1200),
]
PACKAGES = ("allure@3", "allure-commandline@2")
ALLURE_3 = Path("node_modules/.bin/allure")
PATIENCE = 300.0
"""Seconds for the packages to come."""


@pytest.fixture(scope="module")
def tools(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Install both Allures, or skip where their packages cannot be had."""
    if ready := os.environ.get("PLUGSTORM_ALLURE"):
        return Path(ready) / "node_modules"
    folder = tmp_path_factory.mktemp("allure")
    (folder / "package.json").write_text('{"private": true}')
    command = ["npm", "install", "--no-audit", "--no-fund", "--fetch-retries=1", *PACKAGES]
    try:
        done = subprocess.run(command, cwd=folder, check=False, capture_output=True, text=True, timeout=PATIENCE)
    except subprocess.TimeoutExpired:
        pytest.skip(f"the npm packages {' and '.join(PACKAGES)} did not come within {PATIENCE:.0f} s")
    if done.returncode != 0:
        pytest.skip(f"the npm packages {' and '.join(PACKAGES)} cannot be had: {' '.join(done.stderr.split())[-200:]}")
    starts = subprocess.run([folder / ALLURE_3, "--version"], check=False, capture_output=True, text=True)
    if starts.returncode != 0:
        pytest.skip(f"Allure 3 does not run on the Node.js of this machine: {' '.join(starts.stderr.split())[-200:]}")
    return folder / "node_modules"


@pytest.fixture(scope="module")
def suite(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Run cases against a CSMS of which one fails."""
    out = tmp_path_factory.mktemp("suite") / "run"
    script = (
        "from fixtures.csms import practice_csms; import subprocess, sys\n"
        "with practice_csms(defects=['unknown-tag-authorized']) as csms:\n"
        "    subprocess.run([sys.executable, '-m', 'plugstorm', 'interop', '--url', csms.url, '--control-url',\n"
        "        csms.control_url, '--select', 'TC_001_CSMS,TC_023_1_CSMS', '--out', sys.argv[1]], check=False)\n"
    )
    subprocess.run([sys.executable, "-c", script, out], check=True, capture_output=True)
    return out


def allure_3(tools: Path, results: Path, out: Path) -> None:
    (out.parent / "plugstorm-history").mkdir(exist_ok=True)
    config = ROOT / "examples" / "ci" / "allurerc.json"
    generate(tools.parent / ALLURE_3, "generate", "--config", shutil.copy(config, out.parent), results, "-o", out)


def allure_2(tools: Path, results: Path, out: Path) -> None:
    if shutil.which("java") is None:
        pytest.skip("Allure 2 needs Java, which is not installed here")
    generate(tools / "allure-commandline" / "bin" / "allure", "generate", results, "-o", out, "--clean")


def generate(*words: str | Path) -> None:
    done = subprocess.run([*words], cwd=Path(words[-1] if words[-1] != "--clean" else words[-2]).parent, check=False,
                          capture_output=True, text=True)  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr


def read(path: Path) -> Any:
    return msgspec.json.decode(path.read_bytes())


def load(folder: Path, seed: int, *, passed: bool) -> Path:
    missed = [SloResult(expr="p99 < 500 ms", value=600.0, passed=passed, unit="ms")]
    run = write_night(folder / f"run{seed}", seed=seed, slo=missed)
    write_allure(run, read_run(run))
    return run / "allure-results"


def test_a_suite_opens_in_allure_3(tools: Path, suite: Path, tmp_path: Path) -> None:
    allure_3(tools, suite / "allure-results", tmp_path / "out")
    counts = read(tmp_path / "out" / "widgets" / "statistic.json")
    assert (counts["passed"], counts["failed"]) == (1, 1)
    assert "breaks a rule" in (tmp_path / "out" / "widgets" / "categories.json").read_text()


def test_a_suite_opens_in_allure_2(tools: Path, suite: Path, tmp_path: Path) -> None:
    allure_2(tools, suite / "allure-results", tmp_path / "out")
    categories = read(tmp_path / "out" / "data" / "categories.json")["children"]
    assert [category["name"] for category in categories] == ["The CSMS breaks a rule"]


def test_load_figures_are_metrics_of_allure_3(tools: Path, tmp_path: Path) -> None:
    allure_3(tools, load(tmp_path, 1, passed=True), tmp_path / "out")
    metrics = (tmp_path / "out" / "widgets" / "metrics.json").read_text()
    assert len((tmp_path / "plugstorm-history" / "allure.jsonl").read_text().splitlines()) == 1
    for key in ("calls_per_s", "1.6.Heartbeat.service_p50_ms", "1.6.MeterValues.response_p99_ms"):
        assert key in metrics, key


def test_objectives_are_followed_over_runs_by_allure_2(tools: Path, tmp_path: Path) -> None:
    first, second = load(tmp_path, 1, passed=True), load(tmp_path, 2, passed=False)
    allure_2(tools, first, tmp_path / "one")
    shutil.copytree(tmp_path / "one" / "history", second / "history")
    allure_2(tools, second, tmp_path / "two")
    (history,) = read(tmp_path / "two" / "history" / "history.json").values()
    assert [item["status"] for item in history["items"]] == ["failed", "passed"]
    (category,) = read(tmp_path / "two" / "data" / "categories.json")["children"]
    assert category["name"] == "An objective is missed"
