"""The rules of the house: which room may know which, and what no file of the project holds."""

from __future__ import annotations

import ast
import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent

MAY_IMPORT: dict[str, set[str]] = {
    "ocppj": set(),
    "evidence": {"ocppj"},
    "fixtures": {"ocppj"},
    "drivers": {"ocppj", "evidence", "fixtures"},
    "loadtest": {"ocppj", "evidence", "fixtures", "drivers"},
    "interop_suite": {"ocppj", "evidence", "fixtures", "drivers"},
    "reports": {"ocppj", "evidence"},
    "plugstorm": {"ocppj", "evidence", "fixtures", "drivers", "loadtest", "interop_suite", "reports"},
}
# The command line starts Locust as a process of its own, because importing it patches the standard library.
ONLY_LOADTEST_IMPORTS = {"locust", "gevent", "greenlet"}
# The protocol core opens no socket, sleeps never and reads no clock.
CORE_NEVER_IMPORTS = {
    "asyncio", "gevent", "locust", "multiprocessing", "os", "pathlib", "requests", "select", "selectors", "signal",
    "socket", "ssl", "subprocess", "threading", "time", "websockets",
}  # fmt: skip
LONGEST_MODULE = 600

MACHINE_PATH = re.compile(r"(?<![\w.~-])/(?:work|farm|home|root|Users|opt/wheels)/")
REGISTRY = re.compile(r"pythonhosted\.org|pypi\.org|registry\.npmjs|index\.crates|proxy\.golang|--(?:extra-)?index-url")
SWITCHED_OFF = re.compile(
    r"#\s*(?:noqa:|type: ignore|pragma: no cover)\s*([A-Z]+[0-9]+(?:, ?[A-Z]+[0-9]+)*|\[[\w, -]+\]|)(.*)"
)


def project_files() -> list[Path]:
    """List the files that git keeps or would keep; without git, everything outside the folders that it ignores."""
    if shutil.which("git") and (ROOT / ".git").exists():
        listing = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
        names = subprocess.run(listing, cwd=ROOT, check=True, capture_output=True, text=True).stdout.split("\0")
        return [path for name in names if name and (path := ROOT / name).is_file()]
    ignored = {".git", ".venv", "runs", "dist", "__pycache__"}
    found = (Path(folder) / name for folder, _, names in os.walk(ROOT) for name in names)
    return [path for path in found if not ignored & set(path.relative_to(ROOT).parts) and not _is_cache(path)]


def _is_cache(path: Path) -> bool:
    return any(part.endswith("_cache") or part.startswith(".hypothesis") for part in path.relative_to(ROOT).parts)


def text_of(path: Path) -> str:
    """Read a file; what is no text, or was removed a moment ago, is empty."""
    try:
        return path.read_text("utf-8")
    except (UnicodeDecodeError, FileNotFoundError):
        return ""


FILES = project_files()
MODULES = [path for path in FILES if path.suffix == ".py"]
ROOM_MODULES = [path for path in MODULES if path.relative_to(ROOT).parts[0] in MAY_IMPORT]


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def imports_of(path: Path) -> dict[str, int]:
    """Map each imported top-level package to the first line that imports it, imports inside functions included."""
    found: dict[str, int] = {}
    for node in ast.walk(ast.parse(text_of(path), str(path))):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = [node.module or ""] if node.level == 0 else []
        else:
            continue
        for name in names:
            found.setdefault(name.partition(".")[0], node.lineno)
    return found


def forbidden_imports(paths: list[Path], forbidden: set[str]) -> list[str]:
    return [
        f"{name_of(path)}:{line} imports {package}"
        for path in paths
        for package, line in imports_of(path).items()
        if package in forbidden
    ]


@pytest.mark.parametrize("room", MAY_IMPORT)
def test_room_imports_only_the_rooms_that_it_may_know(room: str) -> None:
    paths = [path for path in ROOM_MODULES if path.relative_to(ROOT).parts[0] == room]
    assert paths, f"{room} is empty"
    forbidden = MAY_IMPORT.keys() - MAY_IMPORT[room] - {room} | {"tests", "benchmarks"}
    assert forbidden_imports(paths, forbidden) == []


def test_only_the_load_test_imports_locust_and_gevent() -> None:
    paths = [path for path in ROOM_MODULES if path.relative_to(ROOT).parts[0] != "loadtest"]
    assert forbidden_imports(paths, ONLY_LOADTEST_IMPORTS) == []


def test_protocol_core_knows_no_socket_and_no_clock() -> None:
    paths = [path for path in ROOM_MODULES if path.relative_to(ROOT).parts[0] == "ocppj"]
    assert forbidden_imports(paths, CORE_NEVER_IMPORTS) == []


def test_imports_inside_functions_are_seen(tmp_path: Path) -> None:
    module = tmp_path / "module.py"
    module.write_text("import a.b\nfrom c.d import e\nfrom . import f\ndef g():\n    import h, i.j\n")
    assert imports_of(module) == {"a": 1, "c": 2, "h": 5, "i": 5}


def test_no_module_is_too_long() -> None:
    lengths = {name_of(path): len(text_of(path).splitlines()) for path in MODULES}
    assert {name: length for name, length in lengths.items() if length > LONGEST_MODULE} == {}


@pytest.mark.parametrize("pattern", [MACHINE_PATH, REGISTRY], ids=["machine path", "registry address"])
def test_no_file_names_a_machine_or_a_registry(pattern: re.Pattern[str]) -> None:
    own = Path(__file__).resolve()
    found = {name_of(path): match[0] for path in FILES if path != own and (match := pattern.search(text_of(path)))}
    assert found == {}


def test_every_rule_that_a_file_switches_off_is_explained_there() -> None:
    unexplained = []
    for path in MODULES:
        explained: dict[str, bool] = {}
        for match in SWITCHED_OFF.finditer(text_of(path)):
            for rule in re.split(r", ?", match[1].strip("[]")):
                explained[rule] = explained.get(rule, False) or bool(re.search(r"\w", match[2]))
        unexplained += [f"{name_of(path)}: {rule}" for rule, known in explained.items() if not known]
    assert unexplained == []


def pyproject_lines(table: str, key: str) -> list[str]:
    """Take the lines of one array out of pyproject.toml, comments included."""
    text = (ROOT / "pyproject.toml").read_text("utf-8")
    section = text.split(f"[{table}]\n", 1)[1]
    body = section.split(f"{key} = [\n", 1)[1].split("\n]", 1)[0]
    return [line for line in body.splitlines() if line.strip() and not line.strip().startswith("#")]


@pytest.mark.parametrize(
    ("table", "key"),
    [
        ("project", "dependencies"),
        ("dependency-groups", "dev"),
        ("dependency-groups", "bench"),
        ("tool.ruff.lint", "ignore"),
        ("tool.ruff.lint.per-file-ignores", '"tests/**"'),
    ],
)
def test_every_dependency_and_every_ignored_rule_has_its_reason(table: str, key: str) -> None:
    lines = pyproject_lines(table, key)
    assert lines
    assert [line for line in lines if not re.search(r"#\s+\S", line)] == []


def test_every_dependency_is_locked_with_a_hash() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    wanted = project["project"]["dependencies"] + [
        name for group in project["dependency-groups"].values() for name in group
    ]
    lock = (ROOT / "requirements.lock").read_text("utf-8")
    locked = {
        match[1].lower() for match in re.finditer(r"^([\w.-]+)==\S+.* \\\n    --hash=sha256:", lock, re.MULTILINE)
    }
    missing = [name for text in wanted if (name := re.split(r"[<>=\[ ;]", text)[0].lower()) not in locked]
    assert missing == []


def test_ci_runs_what_make_test_runs() -> None:
    script = ROOT / ".ci" / "run"
    commands = [line for line in script.read_text("utf-8").splitlines() if line and not line.startswith("#")]
    assert commands == ["set -euo pipefail", 'cd "$(dirname "${BASH_SOURCE[0]}")/.."', "exec make test"]
    assert os.access(script, os.X_OK)


def test_no_wheel_with_generic_names_can_be_built(tmp_path: Path) -> None:
    for name in ("pyproject.toml", "hatch_build.py", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, tmp_path / name)
    (tmp_path / "fixtures").mkdir()
    (tmp_path / "fixtures" / "__init__.py").touch()
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path / "dist")]
    result = subprocess.run(build, cwd=tmp_path, check=False, capture_output=True, text=True)
    assert result.returncode != 0
    assert "Plugstorm is an application" in result.stderr
    assert list(tmp_path.glob("dist/*.whl")) == []
