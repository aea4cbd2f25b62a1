"""Sessions that are not over, whatever has stopped: what the CSMS keeps of them before their stations end them."""

from __future__ import annotations

from typing import Any

from drivers.base import token_need
from fixtures.tokens import Token, TokenKind
from interop_suite.catalogue import case
from interop_suite.claims.clauses import Clause
from interop_suite.drive.probe import Probe
from interop_suite.steps.charging import Charging, meter_value
from interop_suite.steps.connections import heartbeat
from interop_suite.steps.kept_sessions import kept_as_told
from interop_suite.steps.transaction_events import answers_all
from interop_suite.steps.transaction_records import sessions_began
from interop_suite.steps.v2x import VERSIONS

BLOCK = "Field"
RECORDS = (token_need("Accepted"), "transactions")
LOST = "start-lost"
FIRST, SECOND = 1, 2
"""EVSEs."""


@case(
    id="FLD_70",
    ocpp=VERSIONS,
    title="A session whose energy has stopped is not over before its station says so",
    block=BLOCK,
    needs=RECORDS,
    sends="A session that is no longer authorized, and one that was stopped while its car is still there; no end.",
    expects="The CSMS SHALL answer every event, and keep both as running: only Ended ends a transaction.",
    clause=Clause("201-6", "E06.FR.02"),
    defect="stopped-session-kept-as-ended",
    also=(LOST, "updated-by-stop-authorized-refused"),
    checks=(sessions_began(2), answers_all, kept_as_told()),
)
def stopped_and_not_over(probe: Probe) -> None:
    station = probe.station
    refused = Charging(station, probe.token(), connector=FIRST)
    refused.begin(1100)
    refused.event("Updated", "Deauthorized", charging_state="SuspendedEVSE")
    stopped = Charging(station, probe.another_token(), connector=SECOND)
    stopped.begin(1300)
    stopped.event("Updated", "StopAuthorized", token=stopped.identified(), charging_state="EVConnected")
    stopped.event("Updated", "ChargingStateChanged", charging_state="Idle")


@case(
    id="FLD_71",
    ocpp=VERSIONS,
    title="A session goes on while its station is away, and when it is back",
    block=BLOCK,
    needs=RECORDS,
    sends="The start of a session, the loss of the connection, a new one without a boot, and a Heartbeat.",
    expects="The CSMS SHALL keep the session as running: a lost connection ends no transaction.",
    clause=Clause("201-6", "E12.FR.02"),
    defect="sessions-end-with-connection",
    also=(LOST,),
    checks=(sessions_began(1), answers_all, kept_as_told()),
)
def back_again(probe: Probe) -> None:
    charging = Charging(probe.station, probe.token(), connector=SECOND)
    charging.begin(1700)
    probe.station.drop()
    probe.reconnect(probe.station, judged=True)
    heartbeat(probe.station)


def _by_phase(total: int, context: str) -> list[dict[str, Any]]:
    """Write a reading of the register, and after it what went through each phase."""
    reading = meter_value(total, context)
    (whole,) = reading["sampledValue"]
    parts = [{**whole, "phase": phase, "value": total // 4 + 10 * n} for n, phase in enumerate(("L1", "L2", "L3"))]
    return [{**reading, "sampledValue": [whole, *parts]}]


@case(
    id="FLD_72",
    ocpp=VERSIONS,
    title="The register of a session is that of all phases",
    block=BLOCK,
    needs=RECORDS,
    sends="A session whose readings have the register, and after it one of each phase.",
    expects="The CSMS SHALL keep the register without a phase, which is that of the whole.",
    clause=Clause("201-4", "4.1.7"),
    defect="register-of-last-phase",
    also=(LOST, "meter-stop-lost"),
    checks=(sessions_began(1), answers_all, kept_as_told()),
)
def phases(probe: Probe) -> None:
    charging = Charging(probe.station, probe.token(), connector=SECOND)
    own = {"token": charging.identified()}
    charging.event(
        "Started", "Authorized", charging_state="Charging", meter_value=_by_phase(2400, "Transaction.Begin"), **own
    )
    charging.event(
        "Ended", "StopAuthorized", stopped_reason="Local", meter_value=_by_phase(7800, "Transaction.End"), **own
    )


@case(
    id="FLD_73",
    ocpp=VERSIONS,
    title="The end of a session is taken, whoever ends it",
    block=BLOCK,
    needs=RECORDS,
    sends="Two sessions that tokens end which the CSMS does not know.",
    expects="The CSMS SHALL answer every event, whatever it says of the token, and keep both sessions as ended.",
    clause=Clause("201-6", "E06.FR.02"),
    defect="end-by-unknown-token-refused",
    also=(LOST, "stop-lost", "meter-stop-lost"),
    checks=(sessions_began(2), answers_all, kept_as_told()),
)
def ended_by_others(probe: Probe) -> None:
    others = (probe.made_up_token(), probe.made_up_token())
    for evse, (other, token) in enumerate(zip(others, (probe.token(), probe.another_token()), strict=True), start=1):
        charging = Charging(probe.station, token, connector=evse)
        charging.begin(1200 * evse)
        charging.end(3300 * evse, token=Token(value=other, kind=TokenKind.ISO14443))
