"""Every kind of file that people write, with the same mistakes: one line with file, line, path and the nearest key."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from drivers.loading import load_driver
from interop_suite.catalogue import all_cases
from interop_suite.run.selection import load_expectations
from loadtest.judging.slo import read_slo
from loadtest.plugins.quantities import QUANTITIES
from loadtest.workload.commands import read_commands
from loadtest.workload.identities import read_identities
from loadtest.workload.profile import read_profile
from loadtest.workload.storms import read_storm_words
from loadtest.workload.vendor import read_vendor
from ocppj.errors import UsageError


class Kind(NamedTuple):
    """One kind of YAML file: how it is read, a good one, and a key and a value of it with their mistakes."""

    read: Callable[[Path], Any]
    text: str
    path: str
    """Of the key, which is in the last line."""
    misspelt: str
    value: str
    """Wrong for the key."""
    what: str

    @property
    def key(self) -> str:
        return self.path.rpartition(".")[2]

    @property
    def line(self) -> int:
        return self.text.count("\n")

    def with_last_line(self, key: str, value: str) -> str:
        *before, last = self.text.splitlines()
        return "\n".join([*before, f"{last[: len(last) - len(last.lstrip())]}{key}: {value}", ""])


KINDS = {
    "driver": Kind(
        lambda path: load_driver(str(path), {}, {}),
        "driver: mine\noperations:\n  health:\n    http:\n      url: /health\n",
        "operations.health.http.url",
        "ulr",
        "[1]",
        "driver file",
    ),
    "profile": Kind(
        read_profile,
        "title: x\nsessions:\n  duration: 60\n  gap: 5\n",
        "sessions.gap",
        "gpa",
        "soon",
        "load profile",
    ),
    "part of a profile": Kind(
        read_profile,
        "title: x\nanswers:\n  Reset:\n    delay: 1\n",
        "answers.Reset.delay",
        "dealy",
        "soon",
        "load profile",
    ),
    "storm in a profile": Kind(
        read_profile,
        "title: x\nstorms:\n  - storm: lb-drain\n    batches: 5\n",
        "storms[0].batches",
        "batchs",
        "few",
        "load profile",
    ),
    "vendor": Kind(
        read_vendor, "title: x\nretry:\n  attempts: 3\n", "retry.attempts", "atempts", "many", "vendor file"
    ),
    "storms": Kind(
        lambda path: read_storm_words([str(path)]),
        "storms:\n  - storm: csms-restart\n    down: 5s\n",
        "storms[0].down",
        "dwon",
        "soon",
        "storm file",
    ),
    "commands": Kind(
        read_commands,
        "commands:\n  - action: reset\n    rate: 1/h\n",
        "commands[0].rate",
        "raet",
        "often",
        "command file",
    ),
    "objectives": Kind(
        lambda path: read_slo(path, QUANTITIES),
        "thresholds:\n  - expr: errors == 0\n    abort: true\n",
        "thresholds[0].abort",
        "abbort",
        "5",
        "SLO file",
    ),
    "expectations": Kind(
        lambda path: load_expectations(str(path), all_cases()),
        "TC_001_CSMS:\n  reason: not yet\n  link: https://h\n",
        "TC_001_CSMS.link",
        "lnik",
        "5",
        "file of expectations",
    ),
}
every_kind = pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)


def fault(kind: Kind, path: Path, text: str | bytes) -> str:
    """Read a file with a mistake and return what is said, without the folder."""
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return refused(kind.read, path)


def refused(read: Callable[[Path], Any], path: Path) -> str:
    with pytest.raises(UsageError) as error:
        read(path)
    message = str(error.value)
    assert "\n" not in message
    assert message.startswith(str(path))
    return message.removeprefix(str(path.parent) + os.sep)


@every_kind
def test_a_good_file_is_read(kind: Kind, tmp_path: Path) -> None:
    path = tmp_path / "f.yaml"
    path.write_text(f"\ufeff{kind.text}", "utf-8")
    assert kind.read(path)


@every_kind
def test_an_unknown_key(kind: Kind, tmp_path: Path) -> None:
    said = fault(kind, tmp_path / "f.yaml", kind.with_last_line(kind.misspelt, kind.text.split()[-1]))
    place = kind.path.removesuffix(kind.key) + kind.misspelt
    assert said.startswith(f"f.yaml:{kind.line}: {place}: the key '{kind.misspelt}' is unknown; ")
    assert said.endswith(f"did you mean '{kind.key}'?")


@every_kind
def test_a_key_that_yaml_reads_as_something_else(kind: Kind, tmp_path: Path) -> None:
    said = fault(kind, tmp_path / "f.yaml", kind.with_last_line("on", "1"))
    assert f"f.yaml:{kind.line}: " in said
    assert "the key 'on' is unknown; " in said


@every_kind
def test_a_value_of_the_wrong_type(kind: Kind, tmp_path: Path) -> None:
    said = fault(kind, tmp_path / "f.yaml", kind.with_last_line(kind.key, kind.value))
    assert re.match(rf"f\.yaml:{kind.line}: {re.escape(kind.path)}: expected .*, but ", said)


@every_kind
def test_a_key_twice(kind: Kind, tmp_path: Path) -> None:
    last = kind.text.splitlines()[-1]
    said = fault(kind, tmp_path / "f.yaml", f"{kind.text}{last}\n")
    assert said == (f"f.yaml:{kind.line + 1}: {kind.path}: expected each key once, but line {kind.line} has it, too")


@every_kind
@pytest.mark.parametrize(
    ("more", "why"),
    [
        ("x: [1\n", "expected YAML, but "),
        ("\tx: 1\n", "expected YAML, but the line begins with a tab; indent with spaces"),
        ("x: \x01\n", "expected YAML, but control characters are not allowed"),
        ("x: *nobody\n", "expected YAML, but found undefined alias"),
        ("x: " + "[" * 100_000, "expected at most 100 levels, but this is deeper"),
        ("x: 2024-13-45\n", "expected a number or a date, but '2024-13-45' is not one; write text in quotes"),
    ],
    ids=["bracket", "tab", "control", "alias", "deep", "date"],
)
def test_broken_yaml(kind: Kind, more: str, why: str, tmp_path: Path) -> None:
    said = fault(kind, tmp_path / "f.yaml", kind.text + more)
    assert re.match(rf"f\.yaml:({kind.line}|{kind.line + 1}): {re.escape(why)}", said)


@every_kind
@pytest.mark.parametrize("text", ["just some text\n", "5\n", "[[]]\n"])
def test_not_a_mapping(kind: Kind, text: str, tmp_path: Path) -> None:
    assert fault(kind, tmp_path / "f.yaml", text).startswith("f.yaml:1: ")


@pytest.mark.parametrize("kind", [kind for name, kind in KINDS.items() if name != "expectations"])
def test_an_empty_file(kind: Kind, tmp_path: Path) -> None:
    assert fault(kind, tmp_path / "f.yaml", "# nothing yet\n").startswith("f.yaml:1: ")


@every_kind
def test_not_utf_8(kind: Kind, tmp_path: Path) -> None:
    said = fault(kind, tmp_path / "f.yaml", kind.text.encode() + b"# caf\xe9\n")
    assert said == f"f.yaml:{kind.line + 1}: expected text in UTF-8, but byte 0xe9 is not"


@every_kind
def test_a_missing_file_and_a_folder(kind: Kind, tmp_path: Path) -> None:
    said = refused(kind.read, tmp_path / "none.yaml")
    assert said == f"none.yaml: the {kind.what} cannot be read: No such file or directory"
    (tmp_path / "folder.yaml").mkdir()
    said = refused(kind.read, tmp_path / "folder.yaml")
    assert said == f"folder.yaml: the {kind.what} cannot be read: Is a directory"


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"identity,pasword\nCP1,x\n", "f.csv:1: the column 'pasword' is unknown; did you mean 'password'?"),
        (b"CP1\nCP2\nCP1\n", "f.csv:3: CP1 stands in line 1 already"),
        (b"CP1,a,b,c\n", "f.csv:1: more values than the columns identity, token, password"),
        (b"CP1\nCP\xe92\n", "f.csv:2: expected text in UTF-8, but byte 0xe9 is not"),
        (b"", "f.csv:1: the station list is empty; write one identity on each line"),
    ],
)
def test_a_station_list_is_told_in_the_same_form(data: bytes, said: str, tmp_path: Path) -> None:
    (tmp_path / "f.csv").write_bytes(data)
    assert refused(read_identities, tmp_path / "f.csv") == said
    assert refused(read_identities, tmp_path) == f"{tmp_path.name}: the station list cannot be read: Is a directory"
