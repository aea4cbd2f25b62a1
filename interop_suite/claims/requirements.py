"""What a text asks of a CSMS, each requirement with the cases that check it, or with why none can."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase
from functools import cache
from importlib import resources
from types import MappingProxyType

import msgspec

from interop_suite.claims.clauses import Clause
from ocppj.versions import Version

__all__ = ["EVERYWHERE", "Requirement", "checked_by", "requirements"]

_FILES: Mapping[Version, str] = MappingProxyType({Version.V16: "requirements-1.6.toml"})
EVERYWHERE: Mapping[str, str] = MappingProxyType(
    {
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


class Requirement(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One thing that a text asks of a CSMS; either something checks it, or `unseen` says why nothing can."""

    clause: tuple[str, str]
    """The short name of the document, and the number in it."""
    level: str
    """SHALL, or SHOULD for what is recommended."""
    asks: str
    cases: tuple[str, ...] = ()
    """Ids of cases; `*` stands for any letters."""
    everywhere: str | None = None
    unseen: str = ""

    @property
    def cited(self) -> Clause:
        """The clause as cases cite it."""
        return Clause(*self.clause)


@cache
def requirements(version: Version) -> tuple[Requirement, ...]:
    """Read the requirements of a version in the order of its texts; none for a version without a table."""
    name = _FILES.get(version)
    if name is None:
        return ()
    text = resources.files("interop_suite.claims").joinpath(name).read_text("utf-8")
    return tuple(msgspec.toml.decode(text, type=dict[str, list[Requirement]])["requirement"])


def checked_by(requirement: Requirement, ids: Sequence[str]) -> list[str]:
    """List the cases, out of these ids, that check a requirement, in the order in which it names them."""
    found = [case for pattern in requirement.cases for case in ids if fnmatchcase(case, pattern)]
    return list(dict.fromkeys(found))
