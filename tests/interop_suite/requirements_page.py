"""Writes `docs/requirements-1.6.md` from the table of requirements:

.venv/bin/python -m tests.interop_suite.requirements_page
"""

from __future__ import annotations

from itertools import groupby
from pathlib import Path

from interop_suite.catalogue import all_cases
from interop_suite.claims.clauses import documents
from interop_suite.claims.requirements import EVERYWHERE, Requirement, checked_by, requirements
from ocppj.versions import Version

PAGE = Path(__file__).parents[2] / "docs" / "requirements-1.6.md"
_HEAD = """# OCPP 1.6: what the texts ask of a CSMS, and what checks it

Read this page when you want to know whether something that a text demands of a central system is tested, and by what.
Each row is a requirement in our words; the clause has the sentence. *SHOULD* rows never fail a run: their cases are
NON_STRICT at most. `plugstorm interop --list` shows the cases, `plugstorm interop --select ID` runs one. What the texts
ask of charge points is not here.

The table is `interop_suite/claims/requirements-1.6.toml`; `python -m tests.interop_suite.requirements_page` writes this
page from it. A test checks that every case exists, that no row is without an answer, and that every case has a
row.

"""
_COLUMNS = "| clause | level | the CSMS | checked by |\n| --- | --- | --- | --- |\n"
_SHOWN = 14
"""Cases that a row names at most."""


def ids() -> list[str]:
    """List the ids of the cases of 1.6; those of dialects of MQTT are not there, since no text of OCPP names it."""
    return [case.id for case in all_cases() if case.ocpp is Version.V16 and case.block != "MQTT"]


def _shown(requirement: Requirement, known: list[str]) -> str:
    if requirement.unseen:
        return f"not observable: {requirement.unseen}"
    patterns = list(requirement.cases)
    found = checked_by(requirement, known)
    named = [f"`{name}`" for name in (found if len(found) <= _SHOWN else patterns)]
    if requirement.everywhere:
        named.append(f"*every case* ({requirement.everywhere})")
    return ", ".join(named)


def page() -> str:
    """Write the page."""
    known, rows = ids(), requirements(Version.V16)
    seen = [row for row in rows if not row.unseen]
    text = _HEAD + f"{len(seen)} of {len(rows)} requirements are checked; {len(rows) - len(seen)} cannot be observed.\n"
    for document, group in groupby(rows, key=lambda row: row.cited.document):
        text += f"\n## {documents()[document]['title']}\n\n{_COLUMNS}"
        text += "".join(f"| {row.clause[1]} | {row.level} | {row.asks} | {_shown(row, known)} |\n" for row in group)
    text += "\n## Claims of every case\n\n| name | what is claimed |\n| --- | --- |\n"
    return text + "".join(f"| {name} | {words} |\n" for name, words in EVERYWHERE.items())


if __name__ == "__main__":
    PAGE.write_text(page(), "utf-8")
