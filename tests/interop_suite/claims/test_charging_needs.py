"""When a charging profile is what a car needs, and when it is over before it comes."""

from __future__ import annotations

from typing import Any

import pytest

from interop_suite.claims.charging_needs import schedule_given
from ocppj.versions import Version
from tests.interop_suite.talk import Talk

Payload = dict[str, Any]
TOLD = "2026-03-04T10:00:00Z"
NEEDS = {"evseId": 2, "chargingNeeds": {"requestedEnergyTransfer": "DC"}}
STARTED = {
    "eventType": "Started",
    "timestamp": TOLD,
    "triggerReason": "Authorized",
    "seqNo": 0,
    "transactionInfo": {"transactionId": "tx-2"},
    "evse": {"id": 2},
}


def given(kind: str, more: Payload, schedule: Payload, *, periods: int = 1, most: int | None = None) -> str:
    limits = [{"startPeriod": 300 * number, "limit": 9000.0} for number in range(periods)]
    needs = NEEDS if most is None else {**NEEDS, "maxScheduleTuples": most}
    profile = {
        "id": 71,
        "stackLevel": 0,
        "chargingProfilePurpose": "TxProfile",
        "chargingProfileKind": kind,
        "transactionId": "tx-2",
        "chargingSchedule": [{"id": 3, "chargingRateUnit": "W", "chargingSchedulePeriod": limits, **schedule}],
        **more,
    }
    talk = Talk(Version.V201).station("Heartbeat", {}, {"currentTime": TOLD}).station("TransactionEvent", STARTED, {})
    talk.station("NotifyEVChargingNeeds", needs, {"status": "Accepted"})
    talk.csms("SetChargingProfile", {"evseId": 2, "chargingProfile": profile}, {"status": "Accepted"})
    (finding,) = schedule_given().judge(talk.history())
    return str(finding.verdict)


@pytest.mark.parametrize(
    ("kind", "more", "schedule"),
    [
        ("Relative", {}, {"duration": 600}),
        ("Absolute", {}, {"startSchedule": "2026-03-04T09:45:00Z", "duration": 1800}),
        ("Absolute", {}, {"startSchedule": "2026-03-03T00:00:00Z"}),
        ("Absolute", {}, {"startSchedule": "2026-03-04T09:59:00Z", "duration": 60}),
        ("Absolute", {}, {"startSchedule": "2026-03-04T11:30:00+02:00", "duration": 1860}),
        ("Recurring", {"recurrencyKind": "Daily"}, {"startSchedule": "2026-01-01T00:00:00Z", "duration": 86400}),
        ("Relative", {"validFrom": "2026-03-01T00:00:00Z", "validTo": "2026-03-04T12:00:00Z"}, {}),
    ],
)
def test_schedule_that_holds_for_the_car_no_false_alarm(kind: str, more: Payload, schedule: Payload) -> None:
    assert given(kind, more, schedule) == "OK"


@pytest.mark.parametrize(
    ("kind", "more", "schedule"),
    [
        ("Absolute", {}, {"startSchedule": "2026-03-04T02:00:00Z", "duration": 3600}),
        ("Relative", {"validTo": "2026-03-04T09:00:00Z"}, {}),
    ],
)
def test_schedule_that_is_over_before_it_comes_is_failed(kind: str, more: Payload, schedule: Payload) -> None:
    assert given(kind, more, schedule) == "FAILED"


def test_schedule_with_more_periods_than_the_car_takes_is_told() -> None:
    assert given("Relative", {}, {}, periods=13, most=12) == "NON_STRICT"


@pytest.mark.parametrize(("periods", "most"), [(12, 12), (96, None)])
def test_schedule_with_as_many_periods_as_the_car_takes_no_false_alarm(periods: int, most: int | None) -> None:
    assert given("Relative", {}, {}, periods=periods, most=most) == "OK"
