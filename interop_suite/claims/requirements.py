"""What the texts ask of a CSMS, each requirement with the cases that check it, or with why none can.

The tables beside this file hold facts and demands in our words, and no sentence of the OCA's documents.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase
from functools import cache
from importlib import resources
from types import MappingProxyType

import msgspec

from interop_suite.claims.clauses import Clause
from ocppj.versions import Version

__all__ = ["EVERYWHERE", "Requirement", "checked_by", "requirements", "table_of"]

EVERYWHERE: Mapping[str, str] = MappingProxyType(
    {
        "charging_profiles": "charging profiles are sound: periods in order, kind and purpose with what they need",
        "clock": "the clock goes on, and is near ours; intervals are those that were set",
        "command_moments": "commands and profiles keep the rules of their moment",
        "envelope": "every frame is a message as OCPP-J writes it, and answers a CALL or is one",
        "kept_records": "records hold what the stations told",
        "message_values": "numbers are in their range, and periods in their order",
        "schema": "every payload fits its schema, and every time its notation",
        "token_answers": "what is said of a token is what was registered",
        "turns": "after a boot, the CSMS has one command open at a time",
        "unasked": "what comes unasked is about what was told, and takes nothing back",
    }
)
"""Claims that every case makes, by the names that requirements use."""
_LISTED = re.compile(r"[A-S]_[\d?*]")
_VERSIONS: Mapping[str, tuple[Version, ...]] = MappingProxyType(
    {
        "1.6": (Version.V16,),
        "2.x": (Version.V201, Version.V21),
        "2.0.1": (Version.V201,),
        "2.1": (Version.V21,),
    }
)


_FILES: Mapping[Version, str] = MappingProxyType(
    {Version.V16: "requirements-1.6.toml", **dict.fromkeys(_VERSIONS["2.x"], "requirements-2.x.toml")}
)


class Requirement(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One thing that a text asks of a CSMS; something checks it, or `unseen` says why nothing can, or not all of it."""

    asks: str
    clause: tuple[str, str] | None = None
    """The short name of the document, and the number in it; rows of 2.x name use cases instead."""
    level: str = "SHALL"
    """SHALL, or SHOULD for what is recommended."""
    ocpp: str = "1.6"
    """`2.x` for 2.0.1 and 2.1, else a version."""
    block: str = ""
    use_cases: tuple[str, ...] = ()
    """Those of Part 2 of OCPP 2.x; `Part 4` stands for that text."""
    numbers: tuple[str, ...] = ()
    """Numbers of requirements as public texts name them; empty where none is at hand."""
    cases: tuple[str, ...] = ()
    """Ids of cases; `*` stands for any letters, and `B_01` for `TC_B_01_CSMS`."""
    everywhere: str | None = None
    """A claim of `EVERYWHERE`."""
    unseen: str = ""

    @property
    def cited(self) -> Clause | None:
        """The clause as cases cite it; None where the row names none."""
        return None if self.clause is None else Clause(*self.clause)

    @property
    def versions(self) -> tuple[Version, ...]:
        """The versions that ask for it."""
        return _VERSIONS[self.ocpp]


@cache
def _rows(file: str) -> tuple[Requirement, ...]:
    text = resources.files("interop_suite.claims").joinpath(file).read_text("utf-8")
    return tuple(msgspec.toml.decode(text, type=dict[str, list[Requirement]])["requirement"])


def table_of(version: Version) -> tuple[Requirement, ...]:
    """Read the table that a version is in, in the order of its texts; 2.0.1 and 2.1 share one."""
    return _rows(_FILES[version])


def requirements(version: Version) -> tuple[Requirement, ...]:
    """Read the requirements of a version."""
    return tuple(row for row in table_of(version) if version in row.versions)


def _whole(pattern: str) -> str:
    """Write out the short form of an id of the certification list of 2.x."""
    return f"TC_{pattern}_CSMS" if _LISTED.match(pattern) else pattern


def checked_by(requirement: Requirement, ids: Sequence[str]) -> list[str]:
    """List the cases, out of these ids, that check a requirement, in the order in which it names them."""
    patterns = map(_whole, requirement.cases)
    return list(dict.fromkeys(case for pattern in patterns for case in ids if fnmatchcase(case, pattern)))
