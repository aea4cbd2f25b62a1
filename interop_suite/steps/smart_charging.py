"""What cases about charging profiles share: profiles with distinct values, sessions that they are for, and reports."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from fixtures.payloads import v2x
from interop_suite.claims.checks import answered
from interop_suite.claims.clauses import Clause
from interop_suite.drive.probe import Probe
from interop_suite.steps.charging import Charging

__all__ = [
    "ANCHOR",
    "EVSE_1",
    "EVSE_2",
    "K_BLOCK",
    "NO_TRANSACTION",
    "profile",
    "report_profiles",
    "reports_answered",
    "schedule",
    "set_profile",
    "two_sessions",
    "use_case",
]

Payload = dict[str, Any]
EVSE_1, EVSE_2 = 1, 2
K_BLOCK = "Smart Charging"
ANCHOR = "2031-03-02T04:00:00Z"
"""Where absolute and recurring schedules of ours begin."""
NO_TRANSACTION = "7f0c1d0e-no-such-transaction"

reports_answered = answered("ReportChargingProfiles", claim="Every part of the report is answered")


def use_case(number: str) -> Clause:
    """Cite a use case of OCPP 2.x Part 2."""
    return Clause("2-2", number)


def schedule(number: int, *limits: tuple[int, float], unit: str = "A", **more: Any) -> Payload:
    """Write a ChargingScheduleType; each limit is the second at which it begins, and its A or W."""
    return {**v2x.charging_schedule(number, limits, unit=unit), **more}


def profile(number: int, purpose: str, kind: str, stack_level: int, *schedules: Payload, **more: Any) -> Payload:
    """Write a ChargingProfileType; schedules that are not Relative begin at `ANCHOR`."""
    start = {} if kind in ("Relative", "Dynamic") else {"startSchedule": ANCHOR}
    written = v2x.charging_profile(number, {}, purpose=purpose, kind=kind, stack_level=stack_level)
    return {**written, "chargingSchedule": [{**each, **start} for each in schedules], **more}


def set_profile(evse: int, charging_profile: Payload, transaction: str | None = None) -> Payload:
    """Write the payload of SetChargingProfile; a transaction is named in its profile."""
    named = {} if transaction is None else {"transactionId": transaction}
    return {"evseId": evse, "chargingProfile": {**charging_profile, **named}}


def two_sessions(probe: Probe) -> tuple[Charging, Charging]:
    """Begin a session at each of two EVSEs, by two tokens where there can be two; the second is the newer one."""
    older = Charging(probe.station, probe.token(), connector=EVSE_1)
    older.begin(meter=1100)
    newer = Charging(probe.station, probe.another_token(), connector=EVSE_2)
    newer.begin(meter=2200)
    return older, newer


def report_profiles(probe: Probe, request: Payload, parts: Sequence[tuple[int, str, Sequence[Payload]]]) -> None:
    """Send ReportChargingProfiles for what was asked for; each part is of one EVSE and one source.

    A report in one part leaves tbc out, the last one of several says that it is the last.
    """
    last = len(parts) - 1
    for index, (evse, source, profiles) in enumerate(parts):
        part = v2x.report_charging_profiles(
            int(request.get("requestId", 0)), evse, profiles, source=source, tbc=index < last if last else None
        )
        probe.station.call("ReportChargingProfiles", part)
