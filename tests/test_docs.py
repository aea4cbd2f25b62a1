"""What README, CONTRIBUTING and docs/ say about the code is true: rooms, files, commands, links and diffs."""

from __future__ import annotations

import os
import re
import shlex
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import typer

from loadtest.locust_edge.parser import add_options
from plugstorm.cli import app
from tests.test_house import MAY_IMPORT, ROOMS, ROOT

DOCS = ROOT / "docs"
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted(DOCS.glob("*.md"))]
ARCHITECTURE = DOCS / "architecture.md"
CONTRIBUTING = ROOT / "CONTRIBUTING.md"
WALKS = ARCHITECTURE.read_text("utf-8").split("## Four walks", 1)[1].split("\n## ", 1)[0].split("\n### ")[1:]

# Files that the pages name and the tree does not have yet. The list may only shrink.
EXPECTED_FILES: set[str] = set()

_LINK = re.compile(r"\]\(([^)#]+)[^)]*\)")
_FILE = re.compile(rf"`((?:{'|'.join([*MAY_IMPORT, 'tests', 'docs', 'benchmarks'])})/[\w./-]*)`")
_FENCE = re.compile(r"^( *)```(\w*)\n(.*?)^\1```", re.MULTILINE | re.DOTALL)


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def rows_of(page: Path, head: str) -> dict[str, str]:
    """Map the first cell of the table with this head to its last."""
    lines = page.read_text("utf-8").splitlines()
    start = next(number for number, line in enumerate(lines) if line == head)
    found = {}
    for line in lines[start + 2 :]:
        if not line.startswith("|"):
            break
        cells = [cell.strip() for cell in line.strip("|").split(" | ")]
        found[cells[0]] = cells[-1]
    return found


def words_in(cell: str) -> set[str]:
    return set(re.findall(r"`([\w./]+)`", cell))


# -- rooms -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("page", [ARCHITECTURE, CONTRIBUTING], ids=name_of)
def test_table_of_rooms_is_that_of_the_house(page: Path) -> None:
    rows = rows_of(page, "| folder | its one job | may import |")
    told = {room.strip("`/"): cell for room, cell in rows.items()}
    assert set(told) - {"tests", "benchmarks"} == set(MAY_IMPORT)
    for room, allowed in MAY_IMPORT.items():
        named = MAY_IMPORT.keys() - {room} if told[room] == "all" else words_in(told[room])
        assert named == allowed, f"{room} in {name_of(page)}"
        assert bool(named) != (told[room] == "nothing of ours")


@pytest.mark.parametrize("top", ["loadtest", "interop_suite"])
def test_table_of_inner_rooms_is_that_of_the_house(top: str) -> None:
    rows = rows_of(ARCHITECTURE, f"| room | holds | may import of {top} |")
    told = {name: words_in(cell) for names, cell in rows.items() for name in words_in(names)}
    for name, named in told.items():
        allowed = {room.removeprefix(f"{top}.") for room in ROOMS[f"{top}.{name}"]}
        assert named == allowed, f"{top}.{name}"
    inner = {room.removeprefix(f"{top}.") for room in ROOMS if room.startswith(f"{top}.")}
    # The layers of a station have a sentence and no rows.
    assert {room for room in inner - told.keys() if not room.startswith("station.")} <= {"locustfile"}


def test_diagram_of_rooms_shows_all_that_may_be_imported_and_nothing_else() -> None:
    text = ARCHITECTURE.read_text("utf-8").split("```mermaid\n", 1)[1].split("```", 1)[0]
    arrows = set(re.findall(r"^  (\w+) --> (\w+)$", text, re.MULTILINE))
    assert [f"{here} --> {there}" for here, there in arrows if there not in MAY_IMPORT[here]] == []
    reached: dict[str, set[str]] = {}
    # Each room after all that it may import.
    for room in sorted(MAY_IMPORT, key=lambda room: len(MAY_IMPORT[room])):
        direct = {there for here, there in arrows if here == room}
        reached[room] = direct.union(*(reached[there] for there in direct))
    assert {room: missing for room, allowed in MAY_IMPORT.items() if (missing := allowed - reached[room])} == {}


# -- files and links ---------------------------------------------------------------------------------------------------


def named_files(page: Path) -> set[str]:
    """List the files and folders of the project that a page names in full or links to."""
    text = page.read_text("utf-8")
    named = {match[1] for match in _FILE.finditer(text)}
    for target in (match[1] for match in _LINK.finditer(text)):
        if "://" not in target:
            named.add(os.path.relpath((page.parent / target).resolve(), ROOT))
    return named


def test_every_file_that_a_page_names_is_there() -> None:
    missing = {name for page in PAGES for name in named_files(page) if not (ROOT / name).exists()}
    assert sorted(missing - EXPECTED_FILES) == []
    assert sorted(name for name in EXPECTED_FILES if (ROOT / name).exists()) == [], "remove these from EXPECTED_FILES"


@pytest.mark.parametrize("walk", WALKS, ids=lambda walk: walk.partition("\n")[0])
def test_a_walk_enters_no_file_twice(walk: str) -> None:
    files = _FILE.findall(walk)
    assert len(files) > 5
    assert len(files) == len(set(files))


def test_readme_links_to_every_page() -> None:
    linked = named_files(ROOT / "README.md")
    assert [name_of(page) for page in PAGES[1:] if name_of(page) not in linked] == []


# -- command lines -----------------------------------------------------------------------------------------------------


def command_lines() -> list[tuple[str, str]]:
    """List the plugstorm command lines of all pages, each with its page."""
    found = []
    for page in PAGES:
        text = page.read_text("utf-8")
        blocks = "\n".join(match[3] for match in _FENCE.finditer(text) if match[2] in ("", "bash"))
        lines = blocks.replace("\\\n", " ").splitlines()
        lines += re.findall(r"`((?:\.venv/bin/)?plugstorm [^`\n]+)`", _FENCE.sub("", text))
        for line in lines:
            words = line.strip().removeprefix(".venv/bin/")
            if words.startswith("plugstorm "):
                found.append((name_of(page), words))
    return found


COMMANDS: dict[str, Any] = vars(typer.main.get_command(app))["commands"]


class OptionNames:
    """Takes options as Locust's parser does, and keeps their names."""

    def __init__(self) -> None:
        self.names: set[str] = set()

    def add_argument_group(self, *_: str) -> OptionNames:
        return self

    def add_argument(self, flag: str, **_: object) -> SimpleNamespace:
        self.names.add(flag)
        return SimpleNamespace()


def load_test_options() -> set[str]:
    """List the options that the load test adds to Locust's own."""
    parser = OptionNames()
    add_options(parser)
    return parser.names


@pytest.mark.parametrize(("page", "line"), command_lines())
def test_every_command_line_has_known_options(page: str, line: str) -> None:
    _, name, *words = shlex.split(line.replace("[", " ").replace("]", " "), comments=True)
    if name.startswith("--"):
        return
    assert name in COMMANDS, page
    known = {option for parameter in COMMANDS[name].params for option in parameter.opts} | {"--help"}
    if name == "storm":
        # What follows the name of a storm are its parameters.
        words = words[:1]
    split = words.index("--") if "--" in words else len(words)
    own, further = words[:split], words[split + 1 :]
    assert [word for word in own if word.startswith("--") and word.partition("=")[0] not in known] == []
    assert [word for word in further if word.startswith("--") and word not in load_test_options()] == []


def test_command_lines_are_found() -> None:
    assert len(command_lines()) > 40


# -- diffs -------------------------------------------------------------------------------------------------------------


def hunks() -> list[tuple[str, str]]:
    """List the lines of the diffs of CONTRIBUTING.md, each with its file."""
    found = []
    file = ""
    for match in _FENCE.finditer(CONTRIBUTING.read_text("utf-8")):
        for line in match[3].splitlines() if match[2] == "diff" else ():
            if line.startswith("+++ b/"):
                file = line.removeprefix("+++ b/")
            elif not line.startswith("@@"):
                found.append((file, line[1:]))
    return found


def test_diffs_are_lines_of_the_code() -> None:
    lines = {file: (ROOT / file).read_text("utf-8").splitlines() for file, _ in hunks()}
    assert len(lines) >= 12
    assert [f"{file}: {line}" for file, line in hunks() if line not in lines[file]] == []
