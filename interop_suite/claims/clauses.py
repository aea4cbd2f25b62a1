"""Citations: which document, which clause, and whether it exists there."""

from __future__ import annotations

import tomllib
from functools import cache
from importlib import resources
from typing import Any

import msgspec

__all__ = ["Clause", "documents"]


class Clause(msgspec.Struct, frozen=True):
    """A clause (`4.2`), requirement (`A00.FR.204`) or test case (`TC_B_01_CSMS`) of one document of `clauses.toml`."""

    document: str
    number: str

    def __str__(self) -> str:
        """Write the citation as people do: `OCPP-J 1.6 §4.1.1`."""
        name = _NAMES_OF_REQUIREMENTS.get(self.document) if ".FR." in self.number else None
        name = name or _NAMES[self.document]
        return f"{name} §{self.number}" if self.number[0].isdigit() else f"{name} {self.number}"

    @property
    def exists(self) -> bool:
        """Whether the document has such a clause."""
        document = documents()[self.document]
        return self.number in document["requirements" if ".FR." in self.number else "sections"]


_NAMES = {
    "1.6": "OCPP 1.6",
    "1.6J": "OCPP-J 1.6",
    "1.6-E": "OCPP 1.6 errata",
    "1.6J-E": "OCPP-J 1.6 errata",
    "SWP": "OCPP 1.6 security whitepaper",
    "201-4": "OCPP 2.0.1 Part 4",
    "201-E": "OCPP 2.0.1 errata",
    "201-6": "OCPP 2.0.1 Part 6",
    "21-4": "OCPP 2.1 Part 4",
    "2-2": "OCPP 2.x Part 2",
    "RFC6455": "RFC 6455",
    "RFC9110": "RFC 9110",
    "MQTT5": "MQTT 5",
    "DIALECT": "the dialect's",
}


_NAMES_OF_REQUIREMENTS = {"201-6": "OCPP 2.0.1 Part 2"}
"""Whose requirements a document cites; those of the others are their own."""


@cache
def documents() -> dict[str, dict[str, Any]]:
    """Load the table of every clause number of every cited document."""
    return tomllib.loads(resources.files("interop_suite.claims").joinpath("clauses.toml").read_text("utf-8"))
