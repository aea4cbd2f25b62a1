"""The schemas of docs/schemas/ are those of the program, every command has one, and real outputs fit."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any

import msgspec
import pytest

from evidence.verdicts import Verdict
from reports.compare import compare
from reports.compare_text import comparison_json
from tests.json_outputs import closed, complaints
from tests.json_schemas import FOLDER, OUTPUTS, Output, schema_of, table
from tests.plugstorm.conftest import Plugstorm
from tests.reports.report_builders import make_case, write_interop, write_load
from tests.test_docs import COMMANDS

pytestmark = pytest.mark.waits(0.1)

BY_NAME = {output.name: output for output in OUTPUTS}


@pytest.mark.parametrize("output", OUTPUTS, ids=lambda output: output.name)
def test_schema_on_disk_is_that_of_the_program(output: Output) -> None:
    written = msgspec.json.decode((FOLDER / output.file).read_bytes())
    assert written == msgspec.json.decode(msgspec.json.encode(schema_of(output))), "run make schemas"


def test_no_schema_is_left_over_or_missing_in_the_list() -> None:
    assert {path.name for path in FOLDER.glob("*.json")} == {output.file for output in OUTPUTS}
    assert (FOLDER / "README.md").read_text("utf-8").endswith(f"\n{table()}")


def test_every_command_writes_json_and_has_a_schema() -> None:
    assert {shlex.split(output.command)[1] for output in OUTPUTS} == set(COMMANDS)
    for name, command in COMMANDS.items():
        assert "--json" in {option for parameter in command.params for option in parameter.opts}, name


@pytest.mark.parametrize("name", ["interop-cases", "interop-coverage", "storms", "defects", "forecast"])
def test_lists_and_forecasts_fit_their_schemas(plugstorm: Plugstorm, name: str) -> None:
    result = plugstorm(*shlex.split(BY_NAME[name].command)[1:])
    assert result.code == 0
    assert complaints(BY_NAME[name], result.out) == []


def test_reports_fit_their_schema(plugstorm: Plugstorm, tmp_path: Path) -> None:
    write_load(tmp_path / "run")
    result = plugstorm("report", "run", "--json")
    assert complaints(BY_NAME["reports"], result.out) == []


def test_comparisons_fit_their_schema(tmp_path: Path) -> None:
    loads = compare(write_load(tmp_path / "base"), write_load(tmp_path / "new"))
    assert loads.changes != ()
    ok, failed = (write_interop(tmp_path / one, [make_case(verdict=one)]) for one in (Verdict.OK, Verdict.FAILED))
    suites = compare(ok, failed)
    assert suites.cases != ()
    for found in (loads, suites):
        assert complaints(BY_NAME["comparison"], comparison_json(found)) == []


def test_a_key_that_no_schema_names_is_found() -> None:
    output = BY_NAME["storm-started"]
    document: dict[str, Any] = {"storm": "lb-drain", "number": 1, "stations": 5}
    assert complaints(output, msgspec.json.encode(document).decode()) == []
    assert complaints(output, msgspec.json.encode(document | {"extra": 1}).decode()) != []
    assert closed({"properties": {}}) == {"properties": {}, "additionalProperties": False}
