"""A wheel that is installed into an empty environment runs from any folder, without a checkout."""

from __future__ import annotations

import os
import site
import subprocess
import sys
import venv
from pathlib import Path
from typing import Any

import msgspec
import pytest

from tests.deploy.loads import check_load
from tests.test_house import MAY_IMPORT, ROOT


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Install the wheel, beside the locked packages of this environment; nothing is fetched."""
    folder = tmp_path_factory.mktemp("installed")
    subprocess.run(["make", "dist", f"DIST={folder / 'dist'}"], cwd=ROOT, check=True, capture_output=True)
    (wheel,) = (folder / "dist").glob("*.whl")
    environment = folder / "environment"
    venv.create(environment, symlinks=True)
    install = ["install", "--quiet", "--no-index", "--no-deps", str(wheel)]
    subprocess.run([sys.executable, "-m", "pip", "--python", environment / "bin" / "python", *install], check=True)
    (packages,) = environment.glob("lib/python3*/site-packages")
    # The .pth files of these packages, that of the checkout among them, are not read from here.
    (packages / "locked.pth").write_text("".join(f"{place}\n" for place in site.getsitepackages()))
    return environment


@pytest.fixture
def elsewhere(tmp_path: Path) -> Path:
    """Make the folder of a project that has modules of the rooms' names, and settings of pytest."""
    (tmp_path / "fixtures").mkdir()
    for name in ("fixtures/__init__.py", "config.py", "reports.py", "loadtest.py", "conftest.py"):
        (tmp_path / name).write_text(f"raise SystemError('{name} of somebody else')\n")
    (tmp_path / "pytest.ini").write_text("[pytest]\naddopts = --no-such-option\n")
    return tmp_path


def run(environment: Path, folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    clean = {
        name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "PYTEST", "PLUGSTORM"))
    }
    command = [str(environment / "bin" / words[0]), *words[1:]]
    return subprocess.run(command, cwd=folder, env=clean, check=False, capture_output=True, text=True)


def result_of(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = msgspec.json.decode((folder / "run.json").read_bytes())
    return found


@pytest.mark.parametrize("room", sorted({*MAY_IMPORT, "benchmarks"} - {"plugstorm"}))
def test_a_room_is_nothing_that_others_can_import(environment: Path, tmp_path: Path, room: str) -> None:
    (tmp_path / "empty").mkdir()
    seen = run(environment, tmp_path / "empty", "python", "-c", f"import {room}")
    assert f"No module named '{room}'" in seen.stderr
    opened = run(environment, tmp_path / "empty", "python", "-c", f"import plugstorm, {room}; print({room}.__file__)")
    assert Path(opened.stdout.strip()).is_relative_to(environment)


@pytest.mark.timeout(600)
def test_interop_runs_from_any_folder(environment: Path, elsewhere: Path) -> None:
    words = ["--select", "TC_001_CSMS,TC_B_01_CSMS", "--jobs", "2", "--out", "run"]
    done = run(environment, elsewhere, "plugstorm", "interop", *words)
    assert done.returncode == 0, done.stdout + done.stderr
    assert result_of(elsewhere / "run")["counts"]["OK"] == 3
    assert (elsewhere / "run" / "report.html").exists()
    assert list((elsewhere / "run" / "allure-results").iterdir()) != []


@pytest.mark.timeout(600)
@pytest.mark.parametrize("workers", ["1", "2"])
def test_load_runs_from_any_folder(environment: Path, elsewhere: Path, workers: str) -> None:
    words = ["--stations", "10", "--spawn-rate", "10", "--duration", "10s", "--workers", workers, "--out", "run"]
    done = run(environment, elsewhere, "plugstorm", "load", "--storm", "lb-drain@2s", *words)
    result = check_load(elsewhere / "run", done)
    assert result["stations"]["booted"] == 10
    assert sum(row["count"] for row in result["calls"]) > 10
    assert (elsewhere / "run" / "report.html").exists()


@pytest.mark.timeout(600)
def test_every_profile_vendor_preset_and_case_comes_with_it(environment: Path, elsewhere: Path) -> None:
    for words in (
        ["interop", "--list", "--json"],
        ["csms", "--list-defects"],
        ["storm", "--list", "--json"],
        ["load", "--dry-run", "--json", "--profile", "public_ac", "--stations", "10"],
    ):
        there = run(environment, elsewhere, "plugstorm", *words)
        here = run(Path(sys.prefix), ROOT, "plugstorm", *words)
        assert there.returncode == here.returncode == 0, there.stderr
        assert there.stdout == here.stdout
        assert there.stdout != ""


def test_another_python_does_not_look_at_the_mark(environment: Path, elsewhere: Path) -> None:
    """What a driver or a storm starts inherits the environment."""
    script = elsewhere / "script.py"
    script.write_text("try:\n    import config\nexcept SystemError as error:\n    print(error)\n")
    inner = f"import plugstorm, subprocess; subprocess.run([{sys.executable!r}, {str(script)!r}], check=True)"
    seen = run(environment, elsewhere, "python", "-c", inner)
    assert seen.stdout == "config.py of somebody else\n", seen.stderr
