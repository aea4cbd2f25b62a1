"""The certification list: every test case of the OCA for a CSMS, by id, with its block and its profile.

The table beside this file holds facts and titles of our own, and no sentence of the OCA's documents. `feature` is the
optional feature of OCPP 2.0.1 Part 5 §3.2 that a test case belongs to; 2.1 has no such list yet, and shares its ids.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Mapping
from functools import cache
from importlib import resources

import msgspec

from ocppj.versions import Version

__all__ = ["NO_PROFILE", "Listed", "certification_list", "listed", "place", "profiles_of"]


NO_PROFILE = "no profile known"
"""For ids that no document at hand assigns to a certification profile."""


class Listed(msgspec.Struct, frozen=True, kw_only=True):
    """One id of the list."""

    version: Version
    id: str
    block: str
    """As the specification names it: `B Provisioning`; 1.6 has no letters."""
    profile: str
    """Certification profile, or `NO_PROFILE`."""
    feature: str
    """Optional feature, such as `C-11`; empty where every CSMS with the profile must pass."""
    withdrawn: str
    """Where the OCA took it out of certification; empty while it counts."""
    title: str


@cache
def certification_list() -> Mapping[tuple[Version, str], Listed]:
    """Load the list, in the order of versions and numbers."""
    text = resources.files("interop_suite.claims").joinpath("certification.csv").read_text("utf-8")
    rows = (
        msgspec.convert(row | {"profile": row["profile"] or NO_PROFILE}, Listed)
        for row in csv.DictReader(text.splitlines())
    )
    return {(row.version, row.id): row for row in rows}


def listed(version: Version | str, identifier: str) -> Listed | None:
    """Find an id of a version in the list; None for a case of our own."""
    return certification_list().get((Version(version), identifier))


def profiles_of(version: Version) -> list[str]:
    """List the certification profiles of a version, in the order of the list."""
    names = (row.profile for row in certification_list().values() if row.version is version)
    return [name for name in dict.fromkeys(names) if name != NO_PROFILE]


@cache
def place(version: Version | str, identifier: str) -> tuple[int, list[tuple[int, str]]]:
    """Give the place of a case among others, by version and number: `TC_B_9` stands before `TC_B_10`."""
    return list(Version).index(Version(version)), list(_parts(identifier))


def _parts(identifier: str) -> Iterator[tuple[int, str]]:
    for part in re.findall(r"\d+|\D+", identifier.removesuffix("_CSMS")):
        yield (int(part), "") if part.isdigit() else (-1, part)
