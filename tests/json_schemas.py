"""The JSON Schemas of what the commands write with `--json`: `python -m tests.json_schemas` writes docs/schemas/ anew.

A schema has a number. It grows when something that was there is missing or means something else; what is only added
leaves it as it is, so whoever reads the outputs must not mind further keys.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec

from analysis import TraceReport
from analysis.findings_model import Analysis
from benchmarks.figures import EngineRow
from evidence.capacity_model import CapacityResult
from evidence.run_model import Coverage, InteropRun, LoadRun
from fixtures.csms.__main__ import ListedDefect
from fixtures.csms.running import Ready
from interop_suite.run.driver_check import CheckedOperation
from interop_suite.selftest.mutation import Score
from interop_suite.selftest.selftest import SelfTest
from loadtest.planning.forecast import Forecast
from plugstorm.calibrate_command import Result as Calibration
from plugstorm.interop_command import ListedCase
from plugstorm.report_command import Reported
from plugstorm.storm_command import ListedStorm, StartedStorm
from reports.compare_bench import WrittenBenchChange
from reports.compare_text import WrittenComparison
from reports.history import History

__all__ = ["FOLDER", "OUTPUTS", "Output", "schema_of", "table"]

FOLDER = Path(__file__).resolve().parent.parent / "docs" / "schemas"


class Output(msgspec.Struct, frozen=True, kw_only=True):
    """One kind of output."""

    name: str
    command: str
    """As a person types it, its required words in capitals."""
    type: Any
    number: int = 1

    @property
    def file(self) -> str:
        """The name of the schema's file."""
        return f"{self.name}.{self.number}.json"


OUTPUTS = (
    Output(name="interop-run", command="plugstorm interop --json", type=InteropRun),
    Output(name="interop-cases", command="plugstorm interop --list --json", type=list[ListedCase]),
    Output(name="interop-coverage", command="plugstorm interop --list --coverage --json", type=list[Coverage]),
    Output(name="driver-check", command="plugstorm interop --check-driver --json", type=list[CheckedOperation]),
    Output(name="load-run", command="plugstorm load --json", type=LoadRun),
    Output(name="forecast", command="plugstorm load --dry-run --json", type=Forecast),
    Output(name="storms", command="plugstorm storm --list --json", type=list[ListedStorm]),
    Output(name="storm-started", command="plugstorm storm RUN_DIR NAME --json", type=StartedStorm),
    Output(name="capacity", command="plugstorm capacity --slo FILE --json", type=CapacityResult),
    Output(name="calibration", command="plugstorm calibrate --json", type=Calibration),
    Output(name="bench", command="plugstorm bench --json", type=list[EngineRow]),
    Output(name="selftest", command="plugstorm selftest --json", type=SelfTest),
    Output(name="selftest-mutants", command="plugstorm selftest --mutants --json", type=list[Score]),
    Output(name="selftest-flake", command="plugstorm selftest --flake 2 --json", type=dict[str, dict[str, int]]),
    Output(name="reports", command="plugstorm report DIR --json", type=list[Reported]),
    Output(name="comparison", command="plugstorm compare BASE NEW --json", type=WrittenComparison),
    Output(name="bench-comparison", command="plugstorm compare BENCH BENCH --json", type=list[WrittenBenchChange]),
    Output(name="history", command="plugstorm history --json", type=History),
    Output(name="trace-check", command="plugstorm check-trace RUN --json", type=TraceReport),
    Output(name="analysis", command="plugstorm analyze FILE --json", type=Analysis),
    Output(name="csms", command="plugstorm csms --json", type=Ready),
    Output(name="defects", command="plugstorm csms --list-defects --json", type=list[ListedDefect]),
)
"""Every output, in the order of the commands."""


def schema_of(output: Output) -> dict[str, Any]:
    """Make the schema of an output."""
    head = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": f"urn:plugstorm:{output.name}:{output.number}",
        "$comment": f"Written by make schemas: what {output.command} writes to the standard output.",
    }
    return head | msgspec.json.schema(output.type)


def table() -> str:
    """Write the table of docs/schemas/README.md."""
    rows = [f"| `{output.command}` | [{output.file}]({output.file}) |" for output in OUTPUTS]
    return "\n".join(["| command | schema |", "| --- | --- |", *rows]) + "\n"


def write(folder: Path) -> None:
    """Write every schema, and take away those of before."""
    for old in folder.glob("*.json"):
        old.unlink()
    for output in OUTPUTS:
        text = msgspec.json.format(msgspec.json.encode(schema_of(output), order="sorted"), indent=2)
        (folder / output.file).write_bytes(text + b"\n")
    page = folder / "README.md"
    before, _, _ = page.read_text("utf-8").partition("| command |")
    page.write_text(before + table(), "utf-8")


if __name__ == "__main__":
    write(FOLDER)
