"""Orders of one action as data, and the case that comes of them: each arrives with all that its operator named."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from drivers.base import trigger_need
from interop_suite.catalogue import case
from interop_suite.claims.charging_profiles import sound_profiles
from interop_suite.claims.checks import still_serves
from interop_suite.claims.clauses import Clause
from interop_suite.claims.fulfilment import fulfilled
from interop_suite.drive.probe import Probe
from interop_suite.steps.connections import heartbeat
from interop_suite.steps.obeying import obey
from interop_suite.steps.v2x import VERSIONS

__all__ = ["CLAUSE", "WholeOrders", "add_orders", "one"]

Payload = dict[str, Any]
CLAUSE = Clause("201-4", "4.1.7")
"""What the operator named arrives, where no requirement of Part 2 says it of one action."""


class WholeOrders(msgspec.Struct, frozen=True, kw_only=True):
    """Orders of one action, and what the station answers each with."""

    id: str
    title: str
    versions: tuple[str, ...] = VERSIONS
    block: str
    profile: str
    action: str
    write: Callable[[Probe], Sequence[Payload]]
    reply: Payload | None = None
    """None is Accepted."""
    needs: tuple[str, ...] = ()
    """What they need besides the command."""
    may_refuse: bool = True
    """Whether a CSMS may say to its operator that it does not send such an order."""
    clause: Clause = CLAUSE
    defect: str
    also: tuple[str, ...] = ()
    """Defects of other cases that they find, too."""


def one(write: Callable[[Probe], Payload]) -> Callable[[Probe], Sequence[Payload]]:
    """Make orders of a single one."""
    return lambda probe: (write(probe),)


def add_orders(wanted: WholeOrders) -> None:
    """Register the case of some orders."""

    @case(
        id=wanted.id,
        ocpp=wanted.versions,
        title=wanted.title,
        block=wanted.block,
        profile=wanted.profile,
        initiator="csms",
        needs=(trigger_need(wanted.action), *wanted.needs),
        sends=f"What a station may answer each {wanted.action} with, then a Heartbeat.",
        expects=f"The CSMS SHALL send each {wanted.action} with every field that its operator named.",
        clause=wanted.clause,
        defect=wanted.defect,
        also=wanted.also,
        checks=(
            fulfilled(wanted.action, may_refuse=wanted.may_refuse),
            *((sound_profiles(),) if wanted.action == "SetChargingProfile" else ()),
            still_serves(),
        ),
    )
    def script(probe: Probe) -> None:
        for order in wanted.write(probe):
            obey(probe, wanted.action, order, wanted.reply or {"status": "Accepted"})
        heartbeat(probe.station)
