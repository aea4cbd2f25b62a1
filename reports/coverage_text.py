"""The coverage table on a terminal."""

from __future__ import annotations

from collections.abc import Sequence

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Column, Table
from rich.text import Text

from evidence.run_model import Coverage
from reports.coverage import CoverageRow, coverage_rows, ids_without_case
from reports.words import plural

__all__ = ["print_coverage"]


def print_coverage(coverage: Sequence[Coverage], console: Console) -> None:
    """Print what exists of the list by version, profile and block, our own cases apart, and the ids without a case."""
    table = Table(
        "ocpp", Column("profile, block", no_wrap=True), "list ids", "exist", "", box=SIMPLE_HEAD, pad_edge=False
    )
    table.columns[2].justify = table.columns[3].justify = "right"
    for row in coverage_rows(coverage):
        style = "" if row.is_block else "bold"
        name = f"  {row.name}" if row.is_block else row.name
        table.add_row(
            row.ocpp, Text(name, style), str(row.ids) if row.listed else "–", Text(str(row.exist), style), _note(row)
        )
    console.print(table)
    for version, missing in ids_without_case(coverage):
        ids = ", ".join(identifier.removesuffix("_CSMS") for identifier in missing)
        console.print(f"OCPP {version}: {plural(len(missing), 'list id')} without a case: {ids}", soft_wrap=True)


def _note(row: CoverageRow) -> str:
    return f"{row.withdrawn} withdrawn, not counted" if row.withdrawn else ""
