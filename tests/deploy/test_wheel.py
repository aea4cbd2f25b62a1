"""The wheel brings every file of the rooms, and one importable name."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tomllib
import zipfile
from email.parser import Parser
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from tests.test_house import FILES, MAY_IMPORT, ROOT

PRIVATE = "plugstorm/_rooms/"
BESIDE = {"plugstorm.pth"}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> zipfile.ZipFile:
    folder = tmp_path_factory.mktemp("dist")
    # A tree that the tests do not change meanwhile, and that git does not tell what to leave out.
    source = folder / "source"
    for path in FILES:
        copy = source / path.relative_to(ROOT)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, copy)
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder / "dist")]
    done = subprocess.run(build, cwd=source, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    (built,) = folder.glob("dist/*.whl")
    return zipfile.ZipFile(built)


def packed(wheel: zipfile.ZipFile) -> set[str]:
    return {name for name in wheel.namelist() if ".dist-info/" not in name}


def text_of(wheel: zipfile.ZipFile, name: str) -> str:
    (place,) = (one for one in wheel.namelist() if one.endswith(f".dist-info/{name}"))
    return wheel.read(place).decode()


def test_a_wheel_brings_one_importable_name(wheel: zipfile.ZipFile) -> None:
    assert {name.partition("/")[0] for name in packed(wheel)} == {"plugstorm"} | BESIDE


def test_a_wheel_holds_every_file_of_the_rooms(wheel: zipfile.ZipFile) -> None:
    rooms = {*MAY_IMPORT, "benchmarks"} - {"plugstorm"}
    wanted = {
        f"{PRIVATE}{name}" if name.partition("/")[0] in rooms else name
        for name in (path.relative_to(ROOT).as_posix() for path in FILES)
        if name.partition("/")[0] in rooms | {"plugstorm"}
    }
    assert packed(wheel) == wanted - {"plugstorm/plugstorm.pth"} | BESIDE


def test_a_file_that_runs_with_every_python_does_nothing_for_others(wheel: zipfile.ZipFile) -> None:
    line = wheel.read("plugstorm.pth").decode()
    probe = f"import sys; before = set(sys.modules)\n{line}\nprint(sorted(set(sys.modules) - before))"
    seen = subprocess.run([sys.executable, "-c", probe], env={}, check=True, capture_output=True, text=True)
    assert seen.stdout == "[]\n"
    assert line.startswith("import ")
    assert line.count("\n") == 1


def test_a_wheel_adds_nothing_to_other_peoples_pytest(wheel: zipfile.ZipFile) -> None:
    assert text_of(wheel, "entry_points.txt").split() == ["[console_scripts]", "plugstorm", "=", "plugstorm.cli:main"]


def test_a_wheel_asks_for_the_dependencies_of_the_project(wheel: zipfile.ZipFile) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    told = Parser().parsestr(text_of(wheel, "METADATA"))
    assert set(map(Requirement, told.get_all("Requires-Dist", []))) == set(map(Requirement, project["dependencies"]))
    assert (told["Name"], told["Version"]) == (project["name"], project["version"])


@pytest.mark.parametrize("lock", sorted((ROOT / "deploy").glob("*.lock")), ids=lambda path: path.name)
def test_locks_of_the_image_hold_what_the_project_has_locked(lock: Path) -> None:
    whole = entries((ROOT / "requirements.lock").read_text("utf-8"))
    part = entries(lock.read_text("utf-8"))
    assert part
    assert [name for name, lines in part.items() if whole.get(name) != lines] == []


def test_the_lock_of_the_image_holds_no_tool_of_developers() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    runtime = entries((ROOT / "deploy" / "runtime.lock").read_text("utf-8")).keys()
    assert names_in(project["project"]["dependencies"]) <= runtime
    # jsonschema comes with a dependency.
    assert names_in(project["dependency-groups"]["dev"]) & runtime <= {"jsonschema"}


def names_in(requirements: list[str]) -> set[str]:
    return {one.partition(">=")[0].partition("[")[0].lower() for one in requirements}


def entries(lock: str) -> dict[str, list[str]]:
    """Map each locked name to its version and its hashes; markers differ with what is locked together."""
    found: dict[str, list[str]] = {}
    for line in lock.splitlines():
        if "==" in line and not line.startswith((" ", "#")):
            name, _, rest = line.partition("==")
            found[name.lower()] = lines = [rest.split()[0]]
        elif line.strip().startswith("--hash="):
            lines.append(line.strip().removesuffix(" \\"))
    return found
