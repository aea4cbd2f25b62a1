"""Writes `docs/requirements-1.6.md` and `docs/requirements-2.x.md` from the tables of requirements:

.venv/bin/python -m tests.interop_suite.requirements_page
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cache
from itertools import groupby
from pathlib import Path

from interop_suite.catalogue import Case, all_cases
from interop_suite.claims.clauses import documents
from interop_suite.claims.requirements import EVERYWHERE, Requirement, checked_by, table_of
from ocppj.versions import Version

__all__ = ["PAGES", "ids"]

_DOCS = Path(__file__).parents[2] / "docs"
_HEAD_16 = """# OCPP 1.6: what the texts ask of a CSMS, and what checks it

Read this page when you want to know whether something that a text demands of a central system is tested, and by what.
Each row is a requirement in our words; the clause has the sentence. *SHOULD* rows never fail a run: their cases are
NON_STRICT at most. `plugstorm interop --list` shows the cases, `plugstorm interop --select ID` runs one. What the texts
ask of charge points is not here.

The table is `interop_suite/claims/requirements-1.6.toml`; `python -m tests.interop_suite.requirements_page` writes this
page from it. A test checks that every case exists, that no row is without an answer, and that every case has a
row.

"""
_HEAD_2X = """# OCPP 2.0.1 and 2.1: what the texts ask of a CSMS, and who looks

OCPP 2.0.1 and 2.1, use case by use case: what a CSMS has to do, in our words, and the cases that fail when it does not.

* `2.x` stands for both versions, and `B_01` for the certification id `TC_B_01_CSMS`. Other ids are cases of our own;
  *every case* names claims that every case makes.
* *Defects* counts the ways of doing it wrong that the practice CSMS has and those cases find
  (`plugstorm csms --list-defects`).
* The numbers of requirements are those that Part 6, the errata and other public texts name. Part 2 itself is the OCA's
  to give; where a row has no number, none was at hand.
* *Not seen* says why nobody who has only a station's socket and an operator's controls can see it, or not all of it.

The table is `interop_suite/claims/requirements-2.x.toml`; `python -m tests.interop_suite.requirements_page` writes this
page from it.
"""
_COLUMNS_16 = "| clause | level | the CSMS | checked by |\n| --- | --- | --- | --- |\n"
_COLUMNS_2X = (
    "| OCPP | use case | the CSMS | requirements | cases | defects | not seen |\n"
    "| --- | --- | --- | --- | --- | --- | --- |\n"
)
_SHOWN = 14
"""Cases that a row names at most."""


@cache
def _cases(version: Version) -> list[Case]:
    # No text of OCPP names MQTT, whose dialects have rules of their own.
    return [case for case in all_cases() if case.ocpp is version and case.block != "MQTT"]


@cache
def ids(version: Version) -> list[str]:
    """List the ids of the cases of a version that a requirement can be about."""
    return [case.id for case in _cases(version)]


def _claims(requirement: Requirement) -> list[str]:
    return [f"*every case* ({requirement.everywhere})"] if requirement.everywhere else []


def _checked(requirement: Requirement, known: list[str]) -> str:
    if requirement.unseen:
        return f"not observable: {requirement.unseen}"
    found = checked_by(requirement, known)
    named = [f"`{name}`" for name in (found if len(found) <= _SHOWN else requirement.cases)]
    return ", ".join([*named, *_claims(requirement)])


def _page_16() -> str:
    known, rows = ids(Version.V16), table_of(Version.V16)
    seen = [row for row in rows if not row.unseen]
    text = (
        _HEAD_16 + f"{len(seen)} of {len(rows)} requirements are checked; {len(rows) - len(seen)} cannot be observed.\n"
    )
    for document, group in groupby(rows, key=lambda row: row.clause[0] if row.clause else ""):
        text += f"\n## {documents()[document]['title']}\n\n{_COLUMNS_16}"
        for row in group:
            number = row.clause[1] if row.clause else ""
            text += f"| {number} | {row.level} | {row.asks} | {_checked(row, known)} |\n"
    text += "\n## Claims of every case\n\n| name | what is claimed |\n| --- | --- |\n"
    used = {row.everywhere for row in rows}
    return text + "".join(f"| {name} | {words} |\n" for name, words in EVERYWHERE.items() if name in used)


def _page_2x() -> str:
    text = _HEAD_2X
    for block, rows in groupby(table_of(Version.V21), key=lambda row: row.block):
        text += f"\n## {block}\n\n{_COLUMNS_2X}" + "".join(map(_row_2x, rows))
    return text


def _row_2x(row: Requirement) -> str:
    defects: set[str] = set()
    for version in row.versions:
        looking = set(checked_by(row, ids(version)))
        defects.update(*(case.defects for case in _cases(version) if case.id in looking))
    named = " ".join([*(f"`{pattern}`" for pattern in row.cases), *_claims(row)])
    cells = (row.ocpp, " ".join(row.use_cases), row.asks, _short(row.numbers), named, len(defects) or "", row.unseen)
    return f"| {' | '.join(map(str, cells))} |\n"


def _short(numbers: Sequence[str]) -> str:
    """Write `A00.FR.203 A00.FR.204` as `A00.FR.203 204`."""
    parts: list[str] = []
    before = ""
    for number in numbers:
        use_case, _, rest = number.rpartition(".")
        parts.append(rest if use_case == before else number)
        before = use_case
    return " ".join(parts)


PAGES: Mapping[Path, Callable[[], str]] = {
    _DOCS / "requirements-1.6.md": _page_16,
    _DOCS / "requirements-2.x.md": _page_2x,
}
"""What writes each page."""

if __name__ == "__main__":
    for _path, _write in PAGES.items():
        _path.write_text(_write(), "utf-8")
