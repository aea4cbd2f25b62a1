"""The rules of the house: which room may know which, and what no file of the project holds."""

from __future__ import annotations

import ast
import os
import re
import shutil
import subprocess
import tomllib
from collections.abc import Collection, Mapping
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent

# What each top-level room may import of the others; what is not listed is forbidden.
MAY_IMPORT: dict[str, set[str]] = {
    "ocppj": set(),
    "config": set(),
    "mqtt": {"ocppj", "config"},
    "evidence": {"ocppj"},
    "fixtures": {"ocppj", "config", "mqtt"},
    "drivers": {"ocppj", "config", "mqtt", "evidence", "fixtures"},
    "analysis": {"ocppj", "config", "evidence"},
    "loadtest": {"ocppj", "config", "mqtt", "evidence", "fixtures", "drivers"},
    "interop_suite": {"ocppj", "config", "mqtt", "evidence", "fixtures", "drivers", "analysis"},
    "reports": {"ocppj", "evidence", "analysis"},
    "plugstorm": {
        "ocppj", "config", "mqtt", "evidence", "fixtures", "drivers", "analysis", "loadtest", "interop_suite",
        "reports",
    },
}  # fmt: skip

# The rooms inside a room, as dotted prefixes: the longest one that fits a module is its room. A room may import itself,
# what is listed, and whatever its top-level room may import; imports under TYPE_CHECKING and in functions count.
_BELOW_STATION = {"loadtest.timing", "loadtest.transport", "loadtest.measuring", "loadtest.workload"}
# Inside `loadtest.station` each layer may import the ones named, and all that is below the station.
_STATION_LAYERS: dict[str, set[str]] = {
    "dialect.contract": set(),
    "life": set(),
    "views": {"dialect.contract"},
    "contract": {"dialect.contract", "life", "views"},
    "dialect": {"contract", "views", "dialect.contract"},
    "state": {"contract", "views", "dialect.contract"},
    "context": {"contract", "views", "dialect"},
    "excuses": set(),
    "messaging": {"contract", "views", "dialect", "state", "context", "excuses"},
    "session_record": {"contract", "views", "dialect", "state", "context"},
    "bidirectional": {"contract", "views", "dialect"},
    "charging_session": {"contract", "views", "dialect", "state", "context", "session_record", "bidirectional"},
    "transaction_queue": {"contract", "views", "dialect", "state", "context", "charging_session"},
    "replay": {"contract", "views", "dialect", "state", "context", "charging_session"},
    "clock_aligned": {"contract", "views", "dialect", "state", "context", "charging_session"},
    "own_arrivals": {"contract", "views", "state", "charging_session"},
    "battery_swaps": {"contract", "state"},
    "arrivals": {
        "contract", "views", "dialect", "state", "context", "charging_session", "replay", "own_arrivals",
        "battery_swaps",
    },
    "commands": {
        "contract", "views", "dialect", "state", "context", "messaging", "charging_session", "transaction_queue",
    },
    "connection_owner": {"contract", "context", "messaging"},
    "probe": {"connection_owner"},
    "line_habits": {"connection_owner", "probe"},
    "impairments": {"connection_owner"},
    "connection": {"connection_owner", "line_habits", "impairments", "dialect", "state", "context", "messaging"},
    "registrar": {"contract", "views", "dialect", "state", "context", "messaging", "life"},
    "status_flapper": {"contract", "dialect"},
    "day": {
        "contract", "views", "dialect", "state", "context", "messaging", "life", "charging_session", "replay",
        "clock_aligned", "status_flapper", "arrivals", "own_arrivals", "battery_swaps",
    },
}  # fmt: skip
ROOMS: dict[str, set[str]] = {
    "loadtest.timing": set(),
    "loadtest.transport": {"loadtest.timing"},
    "loadtest.measuring": {"loadtest.timing"},
    "loadtest.workload": {"loadtest.timing"},
    **{
        f"loadtest.station.{layer}": _BELOW_STATION | {f"loadtest.station.{other}" for other in others}
        for layer, others in _STATION_LAYERS.items()
    },
    "loadtest.station": _BELOW_STATION,
    "loadtest.judging": {"loadtest.measuring", "loadtest.workload", "loadtest.transport.contract"},
    "loadtest.plugins.contract": {"loadtest.timing", "loadtest.measuring", "loadtest.workload", "loadtest.judging"},
    **{
        f"loadtest.plugins.{plugin}": {
            f"loadtest.{room}"
            for room in ("timing", "transport", "measuring", "workload", "station", "judging", "plugins.contract")
        }
        for plugin in ("commands", "storms", "ledger", "watch", "metrics")
    },
    # The one module that names every plugin: what each of them measures.
    "loadtest.plugins.quantities": {
        "loadtest.judging.quantities",
        "loadtest.plugins.commands",
        "loadtest.plugins.storms",
        "loadtest.plugins.ledger",
        "loadtest.plugins.watch",
    },
    "loadtest.cluster": {
        f"loadtest.{room}" for room in ("timing", "measuring", "workload", "judging", "plugins.contract")
    },
    "loadtest.planning": {
        f"loadtest.{room}" for room in ("timing", "transport", "measuring", "workload", "station", "judging")
    },
    "loadtest.locust_edge": {
        f"loadtest.{room}"
        for room in ("timing", "transport", "measuring", "workload", "station", "judging", "plugins", "cluster")
    },
    "loadtest.locustfile": {"loadtest.locust_edge"},
    "interop_suite.claims": set(),
    "interop_suite.drive": {"interop_suite.claims"},
    "interop_suite.catalogue": {"interop_suite.claims", "interop_suite.drive"},
    "interop_suite.steps": {f"interop_suite.{room}" for room in ("claims", "drive", "catalogue")},
    "interop_suite.cases": {f"interop_suite.{room}" for room in ("claims", "drive", "catalogue", "steps")},
    "interop_suite.run": {f"interop_suite.{room}" for room in ("claims", "drive", "catalogue")},
    "interop_suite.selftest": {f"interop_suite.{room}" for room in ("claims", "drive", "catalogue", "run")},
    "interop_suite": {f"interop_suite.{room}" for room in ("claims", "drive", "catalogue", "run")},
}
# In these rooms a module does not import its neighbours either.
NO_NEIGHBOURS = {"interop_suite.cases"}

# What still breaks these rules. The list may only shrink: what is mended must leave it, and nothing may join.
OFFENDERS: set[str] = set()
IN_CIRCLES: set[str] = set()
# The command line starts Locust as a process of its own, because importing it patches the standard library.
ONLY_LOADTEST_IMPORTS = {"locust", "gevent", "greenlet"}
# The protocol cores open no socket, sleep never and read no clock.
CORE_NEVER_IMPORTS = {
    "asyncio", "gevent", "locust", "multiprocessing", "os", "pathlib", "requests", "select", "selectors", "signal",
    "socket", "ssl", "subprocess", "threading", "time", "websockets",
}  # fmt: skip
LONGEST_MODULE = 600

# Where Locust's operator for Kubernetes mounts a locustfile is a fact about every image for it.
MACHINE_PATH = re.compile(r"(?<![\w.~-])/(?:work|farm|home(?!/locust\b)|root|Users|opt/wheels)/")
REGISTRY = re.compile(r"pythonhosted\.org|pypi\.org|registry\.npmjs|index\.crates|proxy\.golang|--(?:extra-)?index-url")
SWITCHED_OFF = re.compile(
    r"#\s*(?:noqa:|type: ignore|pragma: no cover)\s*([A-Z]+[0-9]+(?:, ?[A-Z]+[0-9]+)*|\[[\w, -]+\]|)(.*)"
)


def project_files() -> list[Path]:
    """List the files that git keeps or would keep; without git, everything outside the folders that it ignores."""
    if shutil.which("git") and (ROOT / ".git").exists():
        # The checkout of a CI may belong to somebody else than its jobs; only names are read.
        trusting = ["-c", f"safe.directory={ROOT}"]
        listing = ["git", *trusting, "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
        names = subprocess.run(listing, cwd=ROOT, check=True, capture_output=True, text=True).stdout.split("\0")
        return [path for name in names if name and (path := ROOT / name).is_file()]
    ignored = {".git", ".venv", "runs", "dist", "__pycache__"}
    found = (Path(folder) / name for folder, _, names in os.walk(ROOT) for name in names)
    return [path for path in found if not ignored & set(path.relative_to(ROOT).parts) and not _is_cache(path)]


def _is_cache(path: Path) -> bool:
    return any(part.endswith("_cache") or part.startswith(".hypothesis") for part in path.relative_to(ROOT).parts)


def text_of(path: Path) -> str:
    """Read a file; what is not text, or was removed a moment ago, is empty."""
    try:
        return path.read_text("utf-8")
    except (UnicodeDecodeError, FileNotFoundError):
        return ""


FILES = project_files()
MODULES = [path for path in FILES if path.suffix == ".py"]
ROOM_MODULES = [path for path in MODULES if path.relative_to(ROOT).parts[0] in MAY_IMPORT]


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


@cache
def import_statements(path: Path) -> list[ast.Import | ast.ImportFrom]:
    """List the imports of a file, those inside functions and under conditions included."""
    found: list[ast.Import | ast.ImportFrom] = []
    pending: list[ast.AST] = [ast.parse(text_of(path), str(path))]
    while pending:
        node = pending.pop()
        if isinstance(node, ast.Import | ast.ImportFrom):
            found.append(node)
        # Expressions, which are most of a file, hold no statement.
        pending += [
            child
            for child in ast.iter_child_nodes(node)
            if isinstance(child, ast.stmt | ast.excepthandler | ast.match_case)
        ]
    return sorted(found, key=lambda node: node.lineno)


def imports_of(path: Path) -> dict[str, int]:
    """Map each imported top-level package to the first line that imports it."""
    found: dict[str, int] = {}
    for node in import_statements(path):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        else:
            names = [node.module or ""] if node.level == 0 else []
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


def dotted_name(path: Path) -> str:
    name = path.relative_to(ROOT).with_suffix("").as_posix().replace("/", ".")
    return name.removesuffix(".__init__")


NAMES = {dotted_name(path): path for path in ROOM_MODULES}


def modules_imported(path: Path) -> dict[str, int]:
    """Map each of our modules that a file imports, wherever in it, to the first line that does so."""
    found: dict[str, int] = {}
    for node in import_statements(path):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif node.level == 0 and node.module:
            submodules = [f"{node.module}.{alias.name}" for alias in node.names]
            names = [name if name in NAMES else node.module for name in submodules]
        else:
            continue
        for name in names:
            if name in NAMES and NAMES[name] != path:
                found.setdefault(name, node.lineno)
    return found


@cache
def imports_by_module() -> dict[str, dict[str, int]]:
    """Map each module of ours to those of ours that it imports."""
    return {name: modules_imported(path) for name, path in NAMES.items()}


def room_of(name: str, rooms: Collection[str]) -> str | None:
    """Find the room of a module: the longest dotted prefix."""
    fitting = [room for room in rooms if name == room or name.startswith(f"{room}.")]
    return max(fitting, key=len, default=None)


def breaks_room_rules(importer: str, imported: str) -> bool:
    here, there = importer.partition(".")[0], imported.partition(".")[0]
    if here != there:
        return there not in MAY_IMPORT[here]
    room = room_of(importer, ROOMS)
    if room is None:
        return False
    if room in NO_NEIGHBOURS and room_of(imported, [room]):
        return True
    return room_of(imported, {room, *ROOMS[room]}) is None


def circles(graph: Mapping[str, Collection[str]]) -> list[list[str]]:
    """List the groups of modules that know one another in a circle (strongly connected components)."""
    order: list[str] = []
    seen: set[str] = set()
    backwards: dict[str, set[str]] = {name: set() for name in graph}
    for name, imported in graph.items():
        for other in imported:
            backwards[other].add(name)
    for root in graph:
        walk(root, graph, seen, order)
    seen.clear()
    found = []
    for root in reversed(order):
        group: list[str] = []
        walk(root, backwards, seen, group)
        if len(group) > 1:
            found.append(sorted(group))
    return found


def walk(root: str, graph: Mapping[str, Collection[str]], seen: set[str], order: list[str]) -> None:
    """Append what can be reached from `root` and was not seen, each module after all that it leads to."""
    if root in seen:
        return
    seen.add(root)
    stack = [(root, iter(graph[root]))]
    while stack:
        name, others = stack[-1]
        other = next((one for one in others if one not in seen), None)
        if other is None:
            order.append(name)
            stack.pop()
        else:
            seen.add(other)
            stack.append((other, iter(graph[other])))


@pytest.mark.parametrize("room", MAY_IMPORT)
def test_room_has_modules(room: str) -> None:
    assert any(name.partition(".")[0] == room for name in NAMES), f"{room} is empty"


@pytest.mark.parametrize("room", ROOMS)
def test_inner_room_has_modules(room: str) -> None:
    assert any(room_of(name, ROOMS) == room for name in NAMES), f"{room} is empty"


def test_every_module_of_a_divided_room_is_in_an_inner_room() -> None:
    divided = {room.partition(".")[0] for room in ROOMS}
    packages = {room for room in NAMES if NAMES[room].name == "__init__.py"}
    outside = [name for name in NAMES if name.partition(".")[0] in divided and room_of(name, ROOMS) is None]
    assert set(outside) - packages == set()


def test_rooms_import_only_what_they_may_know() -> None:
    found = {
        f"{importer} imports {imported}"
        for importer, others in imports_by_module().items()
        for imported in others
        if breaks_room_rules(importer, imported)
    }
    assert sorted(found - OFFENDERS) == [], "forbidden imports; see ROOMS and MAY_IMPORT in this file"
    assert sorted(OFFENDERS - found) == [], "mended: remove these from OFFENDERS"


def test_no_modules_import_one_another_in_a_circle() -> None:
    found = {name for group in circles(imports_by_module()) for name in group}
    assert sorted(found - IN_CIRCLES) == [], f"circles: {circles(imports_by_module())}"
    assert sorted(IN_CIRCLES - found) == [], "mended: remove these from IN_CIRCLES"


def test_circles_are_found() -> None:
    graph = {"a": {"b"}, "b": {"c"}, "c": {"a", "d"}, "d": {"e"}, "e": {"d"}, "f": {"a"}}
    assert sorted(circles(graph)) == [["a", "b", "c"], ["d", "e"]]
    assert circles({"a": {"b", "c"}, "b": {"c"}, "c": set()}) == []


def test_nobody_imports_tests_or_benchmarks() -> None:
    assert forbidden_imports(ROOM_MODULES, {"tests", "benchmarks"}) == []


def test_only_the_load_test_imports_locust_and_gevent() -> None:
    paths = [path for path in ROOM_MODULES if path.relative_to(ROOT).parts[0] != "loadtest"]
    assert forbidden_imports(paths, ONLY_LOADTEST_IMPORTS) == []


def test_only_what_patches_the_process_is_imported_for_types_alone() -> None:
    hidden = []
    for path in ROOM_MODULES:
        if "TYPE_CHECKING" not in text_of(path):
            continue
        for node in ast.walk(ast.parse(text_of(path), str(path))):
            if isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING":
                modules = {inner.module or "" for inner in ast.walk(node) if isinstance(inner, ast.ImportFrom)}
                modules |= {
                    alias.name for inner in ast.walk(node) if isinstance(inner, ast.Import) for alias in inner.names
                }
                hidden += [
                    f"{name_of(path)}: {name}"
                    for name in modules
                    if name.partition(".")[0] not in ONLY_LOADTEST_IMPORTS
                ]
    assert hidden == []


def test_protocol_core_knows_no_socket_and_no_clock() -> None:
    paths = [path for path in ROOM_MODULES if path.relative_to(ROOT).parts[0] == "ocppj"]
    assert forbidden_imports(paths, CORE_NEVER_IMPORTS) == []


def test_mqtt_knows_no_socket_and_no_clock() -> None:
    # It reads the files of its dialects.
    paths = [path for path in ROOM_MODULES if path.relative_to(ROOT).parts[0] == "mqtt"]
    assert forbidden_imports(paths, CORE_NEVER_IMPORTS - {"pathlib"}) == []


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
