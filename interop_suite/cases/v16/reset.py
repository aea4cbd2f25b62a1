"""Core: the operator resets the station, and it registers again."""

from __future__ import annotations

from drivers.base import trigger_need
from interop_suite.catalogue import case
from interop_suite.claims.checks import answered, asked
from interop_suite.claims.clauses import Clause
from interop_suite.claims.expected import one_of
from interop_suite.drive.probe import Probe
from interop_suite.steps.v16 import (
    every_status_is_answered,
)

BLOCK = "Core"


def _reset(probe: Probe, kind: str) -> None:
    station = probe.station
    station.reply("Reset", {"status": "Accepted"})
    probe.command("Reset", {"type": kind})
    if station.expect("Reset") is None:
        return
    if kind == "Hard":
        station.drop()
    else:
        station.disconnect()
    probe.reconnect(station)
    probe.boot(station)
    probe.report_available(station)


@case(
    id="TC_013_CSMS",
    ocpp="1.6",
    title="Hard reset, and the station registers again",
    block=BLOCK,
    initiator="csms",
    needs=(trigger_need("Reset"),),
    sends="Accepted to Reset, a cut connection, then BootNotification and statuses on a new one.",
    expects="The CSMS SHALL send Reset with type Hard, then accept the boot and answer every status.",
    clause=Clause("1.6", "5.14"),
    defect="reset-type-lower-case",
    also=("unknown-connector-refused",),
    checks=(
        asked("Reset", {"type": one_of("Hard")}),
        answered("BootNotification", {"status": one_of("Accepted")}, nth=-1, claim="The CSMS accepts the boot"),
        every_status_is_answered,
    ),
)
def hard_reset(probe: Probe) -> None:
    _reset(probe, "Hard")


@case(
    id="TC_014_CSMS",
    ocpp="1.6",
    title="Soft reset, and the station registers again",
    block=BLOCK,
    initiator="csms",
    needs=(trigger_need("Reset"),),
    sends="Accepted to Reset, a proper close, then BootNotification and statuses on a new connection.",
    expects="The CSMS SHALL send Reset with type Soft, then accept the boot and answer every status.",
    clause=Clause("1.6", "5.14"),
    defect="soft-reset-sent-as-hard",
    also=("unknown-connector-refused",),
    checks=(
        asked("Reset", {"type": one_of("Soft")}),
        answered("BootNotification", {"status": one_of("Accepted")}, nth=-1, claim="The CSMS accepts the boot"),
        every_status_is_answered,
    ),
)
def soft_reset(probe: Probe) -> None:
    _reset(probe, "Soft")
