"""The nightly job of GitHub, night after night: a base, an unchanged CSMS, and one that became 20 % slower.

`python -m benchmarks.nightly` does the same 20 times, with the traffic of a usual fleet (docs/ci.md).
"""

from __future__ import annotations

import os
import shutil
import site
import subprocess
from pathlib import Path

import pytest

from fixtures.csms.running import spawn_practice_csms
from tests.deploy.workflow import Runner
from tests.test_house import ROOT

pytestmark = pytest.mark.timeout(1800)
EXAMPLES = ROOT / "examples" / "ci"
# Many CALLs of one kind: so few seconds of them say what minutes of a usual fleet do.
PROFILE = "title: Heartbeats\nmodels: {home-wallbox: 1}\nheartbeat: 1\n"
LATENCY_MS = 200.0
"""Long beside what other programs of the machine add to an answer."""
SETTINGS = {
    "PLUGSTORM_LOAD": "--stations 60 --spawn-rate 60 --duration 5s --warm-up 1 --profile beats.yaml",
    "PLUGSTORM_INTEROP": "--select TC_001_CSMS",
}


@pytest.fixture
def runner(tmp_path: Path) -> Runner:
    """Make the repository of somebody who copied the examples; the wheel is there, its dependencies are not fetched."""
    folder = tmp_path / "repository"
    action = folder / ".github" / "actions" / "plugstorm"
    action.mkdir(parents=True)
    for name in ("github/action.yml", "nightly.sh"):
        shutil.copy(EXAMPLES / name, action)
    (folder / "beats.yaml").write_text(PROFILE)
    subprocess.run(["make", "dist", f"DIST={folder}"], cwd=ROOT, check=True, capture_output=True)
    known = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "PLUGSTORM", "PIP"))}
    known |= {"PIP_NO_INDEX": "1", "PIP_NO_DEPS": "1", "PYTHONPATH": os.pathsep.join(site.getsitepackages())}
    return Runner(folder, EXAMPLES / "github" / "nightly.yml", known)


def wheel(runner: Runner) -> str:
    (found,) = runner.folder.glob("*.whl")
    return found.name


def test_nights_of_one_repository(runner: Runner) -> None:
    settings = SETTINGS | {"PLUGSTORM_WHEEL": wheel(runner)}
    with spawn_practice_csms(latency_ms=LATENCY_MS) as csms:
        settings |= {"CSMS_URL": csms.url, "CSMS_OPTIONS": f"--control-url {csms.control_url}"}
        assert runner.run(vars=settings), runner.said
        assert "There is no night before this one." in runner.said
        assert runner.run(vars=settings), runner.said
        assert "No change." in runner.said
        assert "Plugstorm load" in runner.summary
        assert "Plugstorm compare" in runner.summary
    with spawn_practice_csms(latency_ms=LATENCY_MS * 1.2) as csms:
        settings |= {"CSMS_URL": csms.url, "CSMS_OPTIONS": f"--control-url {csms.control_url}"}
        assert not runner.run(vars=settings), runner.said
        assert "::error title=Regression" in runner.said
        assert "❌ Plugstorm compare: regression" in runner.summary
    # The slow night is no base: the job stays red until somebody accepts it.
    assert len(list((runner.artifacts / "plugstorm-history").glob("*/interop/run.json"))) == 2
    assert (runner.artifacts / "plugstorm-night" / "history.html").exists()
    assert (runner.artifacts / "plugstorm-night" / "load-1" / "junit.xml").exists()
