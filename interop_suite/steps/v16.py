"""What 1.6 stations do in more than one case, in the words of the charger."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from evidence.verdicts import Verdict
from fixtures.payloads import v16
from interop_suite.claims.checks import answered
from interop_suite.claims.claim import Check, Finding
from interop_suite.claims.expected import Expected, field, one_of, present, shown
from interop_suite.claims.history import History
from interop_suite.drive.answers import Answer
from interop_suite.drive.probe import now
from interop_suite.drive.station import ScriptedStation
from ocppj.trace import wall_clock

__all__ = [
    "ACCEPTED",
    "CONNECTOR",
    "NO_TRANSACTION",
    "STARTED",
    "ago",
    "authorize",
    "every_status_is_answered",
    "same_reservation",
    "security_event",
    "security_event_is_answered",
    "start_transaction",
    "status",
    "stop_is_answered",
    "stop_transaction",
    "transaction_id",
]

CONNECTOR = 1
NO_TRANSACTION = -1
"""Stands for a transactionId that was never obtained (OCPP 1.6 errata §3.18)."""
ACCEPTED: Mapping[str, Expected] = {"idTagInfo.status": one_of("Accepted")}
STARTED: Mapping[str, Expected] = {**ACCEPTED, "transactionId": present()}
every_status_is_answered = answered("StatusNotification", claim="The CSMS answers every StatusNotification")
security_event_is_answered = answered("SecurityEventNotification", claim="The CSMS answers the security event")
stop_is_answered = answered("StopTransaction", claim="The CSMS answers StopTransaction")


def _same_reservation(history: History) -> list[Finding]:
    reserved = [field(call.payload, "reservationId") for call in history.commands("ReserveNow")]
    return [
        Finding(
            verdict=Verdict.OK if field(call.payload, "reservationId") in reserved else Verdict.FAILED,
            claim=_SAME_RESERVATION,
            actual=f"reserved as {reserved}, cancelled as {shown(field(call.payload, 'reservationId'))}",
            frame=call.call.line,
        )
        for call in history.commands("CancelReservation")
    ]


_SAME_RESERVATION = "CancelReservation carries the reservationId of ReserveNow"
same_reservation = Check(claim=_SAME_RESERVATION, judge=_same_reservation)


def ago(**span: float) -> str:
    """Write a time stamp in the past, as `minutes=5`."""
    return wall_clock((datetime.now(UTC) - timedelta(**span)).timestamp())


def status(station: ScriptedStation, value: str, *, connector: int = CONNECTOR, **fields: Any) -> Answer:
    """Send StatusNotification."""
    fields.setdefault("timestamp", now())
    return station.call("StatusNotification", v16.status_notification(connector, value, **fields))


def authorize(station: ScriptedStation, token: str) -> Answer:
    """Send Authorize."""
    return station.call("Authorize", v16.authorize(token))


def start_transaction(
    station: ScriptedStation, token: str, *, connector: int = CONNECTOR, timestamp: str | None = None, **fields: Any
) -> Answer:
    """Send StartTransaction with a register of 1,000 Wh."""
    payload = v16.start_transaction(connector, token, meter_start=1000, timestamp=timestamp or now(), **fields)
    return station.call("StartTransaction", payload)


def transaction_id(answer: Answer) -> int:
    """Read the transactionId that the CSMS gave, or the number that stands for none."""
    value = answer.get("transactionId")
    return value if isinstance(value, int) and not isinstance(value, bool) else NO_TRANSACTION


def stop_transaction(
    station: ScriptedStation, transaction: int, *, timestamp: str | None = None, **fields: Any
) -> Answer:
    """Send StopTransaction with a register of 2,500 Wh."""
    payload = v16.stop_transaction(transaction, meter_stop=2500, timestamp=timestamp or now(), **fields)
    return station.call("StopTransaction", payload)


def security_event(station: ScriptedStation, kind: str) -> Answer:
    """Send SecurityEventNotification."""
    return station.call("SecurityEventNotification", {"type": kind, "timestamp": now()})
