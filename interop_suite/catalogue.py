"""What a case is made of: its data, its claims, and the registry that holds all of them."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable
from enum import StrEnum
from typing import TYPE_CHECKING, Any

import msgspec

from evidence.verdicts import Verdict
from interop_suite.claims.clauses import Clause
from ocppj.versions import Version

if TYPE_CHECKING:
    from interop_suite.claims.history import History
    from interop_suite.drive.probe import Probe

__all__ = ["Case", "Check", "Finding", "Level", "Start", "all_cases", "case", "token_need", "trigger_need"]


class Level(StrEnum):
    """How strong the rule behind a claim is, and so what breaking it means."""

    REQUIRED = "required"
    """SHALL or MUST: breaking it is FAILED."""
    RECOMMENDED = "recommended"
    """SHOULD: breaking it is NON_STRICT."""
    BEHAVIOUR = "behaviour"
    """No text: whatever is seen is INFORMATIONAL."""

    @property
    def when_broken(self) -> Verdict:
        """The verdict of a claim of this level that does not hold."""
        return _WHEN_BROKEN[self]


_WHEN_BROKEN = {
    Level.REQUIRED: Verdict.FAILED,
    Level.RECOMMENDED: Verdict.NON_STRICT,
    Level.BEHAVIOUR: Verdict.INFORMATIONAL,
}


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """What a check saw: the claim, what was there instead, and the line of the trace that shows it."""

    verdict: Verdict
    claim: str
    actual: str
    clause: Clause | None = None
    frame: int | None = None
    """Index of the record in the trace file, from 0."""


class Check(msgspec.Struct, frozen=True, kw_only=True):
    """One claim and the pure function that finds out about it; no finding at all means that nothing shows it."""

    claim: str
    judge: Callable[[History], list[Finding]]


class Start(StrEnum):
    """What has happened before the script of a case begins; it is prepared and not judged."""

    BOOTED = "booted"
    """The station is connected, its boot was accepted, and its connectors are Available."""
    CONNECTED = "connected"
    """The station is connected and has sent nothing."""
    OFFLINE = "offline"
    """The CSMS knows the station; it is not connected."""


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
    script: Callable[[Probe], None]
    start: Start
    password: bool
    """Whether the station proves itself with Basic credentials."""
    bystander: bool
    """Whether another station is connected and booted beforehand, to see whether it is harmed."""
    options: dict[str, Any]
    """Settings of the station for this case, such as `connectors`."""

    @property
    def key(self) -> str:
        """The id that is unique over all versions, as used by `--select` and in file names."""
        return f"{self.ocpp}-{self.id}"

    @property
    def defects(self) -> frozenset[str]:
        """Every defect that makes this case FAILED."""
        return frozenset({self.defect, *self.also})


_registry: dict[str, Case] = {}


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
    **options: Any,
) -> Callable[[Callable[[Probe], None]], Callable[[Probe], None]]:
    """Register a script as a case, once for each version; raises `ValueError` for an id that is taken."""

    def register(script: Callable[[Probe], None]) -> Callable[[Probe], None]:
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
                options=options,
            )
            if entry.key in _registry:
                raise ValueError(f"Two cases are called {entry.key}.")
            _registry[entry.key] = entry
        return script

    return register


def all_cases() -> list[Case]:
    """Load every case module and list the cases by version, block and id."""
    package = importlib.import_module("interop_suite.cases")
    for module in pkgutil.walk_packages(package.__path__, "interop_suite.cases."):
        importlib.import_module(module.name)
    return list(_registry.values())


def trigger_need(action: str) -> str:
    """Name the need to make the CSMS send an action."""
    return f"trigger:{action}"


def token_need(status: str) -> str:
    """Name the need for an identity token that the CSMS answers with this status."""
    return f"token:{status}"
