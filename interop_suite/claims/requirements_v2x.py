"""What Part 2 of OCPP 2.x asks of a CSMS, use case by use case, and which cases look whether it does that.

The table beside this file holds facts and demands in our words, and no sentence of the OCA's documents.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Sequence
from fnmatch import filter as matching
from importlib import resources

import msgspec

from ocppj.versions import Version

__all__ = ["CLAIMS", "Demand", "demands"]

CLAIMS = "claims:"
"""Begins the name of a module of this room whose claims every case makes."""
_LISTED = re.compile(r"[A-S]_[\d?*]")
_VERSIONS = {"2.x": (Version.V201, Version.V21), "2.0.1": (Version.V201,), "2.1": (Version.V21,)}


class Demand(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that the text asks of a CSMS."""

    ocpp: str
    """`2.x` for 2.0.1 and 2.1, else one of them."""
    block: str
    use_cases: tuple[str, ...]
    requirements: tuple[str, ...]
    """Numbers as Part 6, the errata and other public texts name them; empty where none is at hand."""
    demand: str
    cases: tuple[str, ...]
    """Patterns of ids, and `claims:` with a module; `B_01` stands for `TC_B_01_CSMS`."""
    unseen: str
    """Why a station and an operator cannot see whether it is met, or not all of it."""

    @property
    def versions(self) -> tuple[Version, ...]:
        """The versions that ask for it."""
        return _VERSIONS[self.ocpp]

    def among(self, ids: Iterable[str]) -> Sequence[str]:
        """Pick the cases that look at it from all ids of a version."""
        known = sorted(ids)
        patterns = [_whole(each) for each in self.cases if not each.startswith(CLAIMS)]
        return list(dict.fromkeys(found for pattern in patterns for found in matching(known, pattern)))


def _whole(pattern: str) -> str:
    return f"TC_{pattern}_CSMS" if _LISTED.match(pattern) else pattern


def demands() -> list[Demand]:
    """Load the table, in the order of the blocks."""
    text = resources.files("interop_suite.claims").joinpath("requirements-2.x.csv").read_text("utf-8")
    return [
        Demand(
            ocpp=row["ocpp"],
            block=row["block"],
            use_cases=tuple(row["use_case"].split()) if row["use_case"] != "Part 4" else ("Part 4",),
            requirements=tuple(row["requirements"].split()),
            demand=row["demand"],
            cases=tuple(row["cases"].split()),
            unseen=row["unseen"],
        )
        for row in csv.DictReader(text.splitlines())
    ]
