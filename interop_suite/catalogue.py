"""What a case is made of, and the registry that holds all of them."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Mapping
from functools import cache

import msgspec

from interop_suite.claims.certification import Listed, listed
from interop_suite.claims.claim import Check, Level
from interop_suite.claims.clauses import Clause
from interop_suite.claims.history import History
from interop_suite.drive.probe import Probe
from interop_suite.drive.setup import Setup, Start
from ocppj.versions import Version

__all__ = ["Case", "Inquiry", "Script", "all_cases", "all_inquiries", "case", "inquiry"]

Script = Callable[[Probe], None]
"""What a station does in a case."""


class Case(msgspec.Struct, frozen=True, kw_only=True):
    """One claim about a CSMS."""

    id: str
    """Stable: the OCTT id where one exists, else ours; never reused."""
    ocpp: Version
    title: str
    block: str
    profile: str
    """Certification profile."""
    initiator: str
    """`station` or `csms`: who starts what the case is about."""
    sends: str
    expects: str
    clause: Clause
    level: Level
    needs: tuple[str, ...]
    """What a driver must be able to do: `trigger:<Action>`, `token:<status>`, `password`, `tls`, `transactions`, …"""
    defect: str
    """The defect of the practice CSMS that this case must catch."""
    also: tuple[str, ...]
    """Further defects that make this case FAILED."""
    checks: tuple[Check, ...]
    script: Script
    start: Start
    password: bool
    """Whether the station proves itself with Basic credentials."""
    bystander: bool
    """Whether another station is connected and booted beforehand, to see whether it is harmed."""
    may_end_csms: bool
    """Whether it sends what is known to end servers as a whole; such cases run last."""

    def __repr__(self) -> str:
        """Write its key: what pytest and Allure show of a parameter, the same in every run."""
        return self.key

    @property
    def setup(self) -> Setup:
        """How the script finds its stations."""
        return Setup(
            name=self.id, version=self.ocpp, start=self.start, password=self.password, bystander=self.bystander
        )

    @property
    def key(self) -> str:
        """The id that is unique over all versions, as used by `--select` and in file names."""
        return f"{self.ocpp}-{self.id}"

    @property
    def listed(self) -> Listed | None:
        """Its row of the certification list; None for a case of our own."""
        return listed(self.ocpp, self.id)

    @property
    def certification(self) -> str:
        """Profile of the certification list that has its id; empty for a case of our own."""
        return "" if self.listed is None else self.listed.profile

    @property
    def shown_block(self) -> str:
        """The functional block that people look it up under."""
        return self.block if self.listed is None else self.listed.block

    @property
    def defects(self) -> frozenset[str]:
        """Every defect that makes this case FAILED."""
        return frozenset({self.defect, *self.also})


class Inquiry(msgspec.Struct, frozen=True, kw_only=True):
    """A script that finds out whether the CSMS meets a need without a driver; nobody judges it."""

    need: str
    script: Script
    is_met: Callable[[History], bool]

    def setup(self, version: Version) -> Setup:
        """How the script finds its station."""
        return Setup(name=self.need, version=version)


_cases: dict[str, Case] = {}
_inquiries: dict[str, Inquiry] = {}


def case(
    *,
    id: str,  # noqa: A002  # the field's own word
    ocpp: tuple[str, ...] | str,
    title: str,
    block: str,
    sends: str,
    expects: str,
    clause: Clause,
    defect: str,
    checks: tuple[Check, ...],
    profile: str | None = None,
    initiator: str = "station",
    level: Level = Level.REQUIRED,
    needs: tuple[str, ...] = (),
    also: tuple[str, ...] = (),
    start: Start = Start.BOOTED,
    password: bool = False,
    bystander: bool = False,
    may_end_csms: bool = False,
) -> Callable[[Script], Script]:
    """Register a script as a case, once for each version; raises `ValueError` for an id that is taken."""

    def register(script: Script) -> Script:
        for version in (ocpp,) if isinstance(ocpp, str) else ocpp:
            entry = Case(
                id=id,
                ocpp=Version(version),
                title=title,
                block=block,
                profile=profile or block,
                initiator=initiator,
                sends=sends,
                expects=expects,
                clause=clause,
                level=level,
                needs=needs,
                defect=defect,
                also=also,
                checks=checks,
                script=script,
                start=start,
                password=password,
                bystander=bystander,
                may_end_csms=may_end_csms,
            )
            if entry.key in _cases:
                raise ValueError(f"Two cases are called {entry.key}.")
            _cases[entry.key] = entry
        return script

    return register


def inquiry(*, need: str, is_met: Callable[[History], bool]) -> Callable[[Script], Script]:
    """Register a script as the inquiry for a need; raises `ValueError` for a need that has one."""

    def register(script: Script) -> Script:
        if need in _inquiries:
            raise ValueError(f"Two inquiries are for {need}.")
        _inquiries[need] = Inquiry(need=need, script=script, is_met=is_met)
        return script

    return register


def all_cases() -> list[Case]:
    """Load every module of `cases/` and list the cases in the order of modules and of lines."""
    _load()
    return list(_cases.values())


def all_inquiries() -> Mapping[str, Inquiry]:
    """Load every module of `cases/` and map needs to their inquiries."""
    _load()
    return dict(_inquiries)


@cache
def _load() -> None:
    package = importlib.import_module("interop_suite.cases")
    for module in pkgutil.walk_packages(package.__path__, "interop_suite.cases."):
        importlib.import_module(module.name)
