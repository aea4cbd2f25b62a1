"""What cases of several versions share: one rule with its clause in each text, and the words that differ."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeVar, cast

from interop_suite.catalogue import Script, case
from interop_suite.claims.checks import answered
from interop_suite.claims.claim import Check, Level
from interop_suite.claims.clauses import Clause
from interop_suite.claims.expected import present
from interop_suite.claims.history import BYSTANDER
from interop_suite.drive.setup import Start
from ocppj.versions import Version

__all__ = [
    "ALL",
    "V2X",
    "bystander_serves",
    "shared",
    "wire_clause",
]

ALL = tuple(Version)
V2X = (Version.V201, Version.V21)


def wire_clause(v16: str, v201: str, v21: str) -> dict[Version, Clause]:
    """Name the clause of a wire rule in OCPP-J 1.6 and in Part 4 of 2.0.1 and 2.1."""
    return {
        Version.V16: Clause("1.6J", v16),
        Version.V201: Clause("201-4", v201),
        Version.V21: Clause("21-4", v21),
    }


_Value = TypeVar("_Value")


def _of(value: _Value | Mapping[Version, _Value], version: Version) -> _Value:
    """Look a value up that may be a table of versions."""
    return cast("_Value", value[version] if isinstance(value, Mapping) else value)


def shared(
    *,
    id: str | Mapping[Version, str],  # noqa: A002  # the field's own word
    title: str,
    block: str,
    sends: str,
    expects: str,
    clause: Mapping[Version, Clause],
    defect: str | Mapping[Version, str],
    checks: tuple[Check, ...] | Mapping[Version, tuple[Check, ...]],
    profile: str | None = None,
    initiator: str = "station",
    level: Level | Mapping[Version, Level] = Level.REQUIRED,
    needs: tuple[str, ...] | Mapping[Version, tuple[str, ...]] = (),
    also: tuple[str, ...] | Mapping[Version, tuple[str, ...]] = (),
    start: Start = Start.BOOTED,
    password: bool = False,
    bystander: bool = False,
    may_end_csms: bool = False,
) -> Callable[[Script], Script]:
    """Register a script as a case in each version that has a clause for it; a field may be a table of versions."""

    def register(script: Script) -> Script:
        for version, its_clause in clause.items():
            case(
                id=_of(id, version),
                ocpp=version,
                title=title,
                block=block,
                profile=profile,
                initiator=initiator,
                sends=sends,
                expects=expects,
                clause=its_clause,
                level=_of(level, version),
                needs=_of(needs, version),
                defect=_of(defect, version),
                also=_of(also, version),
                checks=_of(checks, version),
                start=start,
                password=password,
                bystander=bystander,
                may_end_csms=may_end_csms,
            )(script)
        return script

    return register


def bystander_serves() -> Check:
    """Claim that another station, connected before and never touched, is served as before."""
    return answered(
        "Heartbeat", {"currentTime": present()}, role=BYSTANDER, nth=-1, claim="Another station is served as before"
    )
