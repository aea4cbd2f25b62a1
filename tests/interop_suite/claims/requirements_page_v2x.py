"""Writes `docs/requirements-2.x.md` anew: `python -m tests.interop_suite.claims.requirements_page_v2x`."""

from __future__ import annotations

from itertools import groupby
from pathlib import Path

from interop_suite.catalogue import all_cases
from interop_suite.claims.requirements_v2x import CLAIMS, Demand, demands
from ocppj.versions import Version

PAGE = Path(__file__).parents[3] / "docs" / "requirements-2.x.md"
HEAD = """# What the texts ask of a CSMS, and who looks

OCPP 2.0.1 and 2.1, use case by use case: what a CSMS has to do, in our words, and the cases that fail when it does not.

* `2.x` stands for both versions, and `B_01` for the certification id `TC_B_01_CSMS`. Other ids are cases of our own;
  `claims:` names claims that every case makes.
* *Defects* counts the ways of doing it wrong that the practice CSMS has and those cases find
  (`plugstorm csms --list-defects`).
* The numbers of requirements are those that Part 6, the errata and other public texts name. Part 2 itself is the OCA's
  to give; where a row has no number, none was at hand.
* *Not seen* says why nobody who has only a station's socket and an operator's controls can see it, or not all of it.

This page is made from `interop_suite/claims/requirements-2.x.csv`:
`python -m tests.interop_suite.claims.requirements_page_v2x`.
"""


def page() -> str:
    """Return the page of today."""
    parts = [HEAD]
    for block, rows in groupby(demands(), key=lambda row: row.block):
        parts.append(f"\n## {block}\n\n| OCPP | use case | the CSMS | requirements | cases | defects | not seen |")
        parts.append("| --- | --- | --- | --- | --- | --- | --- |")
        parts.extend(_row(demand) for demand in rows)
    return "\n".join(parts) + "\n"


def _row(demand: Demand) -> str:
    looking = {(version, name) for version in demand.versions for name in ids_of(demand, version)}
    cases = [case for case in all_cases() if (case.ocpp, case.id) in looking]
    found = {defect for case in cases for defect in (case.defect, *case.also)}
    shown = [f"`{each}`" for each in demand.cases]
    cells = (
        demand.ocpp,
        " ".join(demand.use_cases),
        demand.demand,
        _short(demand.requirements),
        " ".join(shown),
        str(len(found)) if found else "",
        demand.unseen,
    )
    return f"| {' | '.join(cells)} |"


def _short(numbers: tuple[str, ...]) -> str:
    """Write `A00.FR.203 A00.FR.204` as `A00.FR.203 204`."""
    parts: list[str] = []
    before = ""
    for number in numbers:
        use_case, _, rest = number.rpartition(".")
        parts.append(rest if use_case == before else number)
        before = use_case
    return " ".join(parts)


def ids_of(demand: Demand, version: Version) -> set[str]:
    """The ids of a version that look at a demand."""
    return set(demand.among(case.id for case in all_cases() if case.ocpp is version))


def modules_of(demand: Demand) -> list[str]:
    """The modules of claims that look at it in every case."""
    return [each.removeprefix(CLAIMS) for each in demand.cases if each.startswith(CLAIMS)]


if __name__ == "__main__":
    PAGE.write_text(page(), "utf-8")
