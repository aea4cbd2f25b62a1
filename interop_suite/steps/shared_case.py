"""What cases of several versions share: one rule with its clause in each text, and the words that differ."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from interop_suite.catalogue import Check, Level, case
from interop_suite.claims.checks import answered, present
from interop_suite.claims.clauses import Clause
from interop_suite.claims.history import BYSTANDER
from interop_suite.drive.probe import Probe
from ocppj.versions import Version

__all__ = [
    "ALL",
    "NEUTRAL_COMMAND",
    "V2X",
    "by_version",
    "bystander_serves",
    "shared",
    "wire_clause",
]

ALL = tuple(Version)
V2X = (Version.V201, Version.V21)
NEUTRAL_COMMAND = "ClearCache"
"""A command of every version without payload, whose effect on a station of ours is none."""

Script = Callable[[Probe], None]


def wire_clause(v16: str, v201: str, v21: str) -> dict[Version, Clause]:
    """Name the clause of a wire rule in OCPP-J 1.6 and in Part 4 of 2.0.1 and 2.1."""
    return {
        Version.V16: Clause("1.6J", v16),
        Version.V201: Clause("201-4", v201),
        Version.V21: Clause("21-4", v21),
    }


def by_version(value: Any, version: Version) -> Any:
    """Look a value up that may be a table of versions."""
    return value[version] if isinstance(value, Mapping) else value


def shared(
    *,
    id: Any,  # noqa: A002  # the field's own word
    clause: Mapping[Version, Clause],
    checks: Any,
    level: Any = Level.REQUIRED,
    defect: Any,
    also: Any = (),
    needs: Any = (),
    **fields: Any,
) -> Callable[[Script], Script]:
    """Register a script as a case in each version that has a clause for it.

    `id`, `checks`, `level`, `defect`, `also` and `needs` may be tables of versions.
    """

    def register(script: Script) -> Script:
        for version, number in clause.items():
            case(
                id=by_version(id, version),
                ocpp=version,
                clause=number,
                checks=by_version(checks, version),
                level=by_version(level, version),
                defect=by_version(defect, version),
                also=by_version(also, version),
                needs=by_version(needs, version),
                **fields,
            )(script)
        return script

    return register


def bystander_serves() -> Check:
    """Claim that another station, connected before and never touched, is served as before."""
    return answered(
        "Heartbeat", {"currentTime": present()}, role=BYSTANDER, nth=-1, claim="Another station is served as before"
    )
