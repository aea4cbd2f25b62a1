"""What makes a charging profile sound, and what does not."""

from __future__ import annotations

from typing import Any

import pytest

from interop_suite.claims.charging_profiles import running_transaction, sound_profiles
from ocppj.versions import Version
from tests.interop_suite.talk import Talk

START = "2026-01-01T06:00:00Z"
Payload = dict[str, Any]


def schedule(*starts: int, **more: Any) -> Payload:
    periods = [{"startPeriod": start, "limit": 16.0 + index} for index, start in enumerate(starts)]
    return {"id": 1, "chargingRateUnit": "A", "chargingSchedulePeriod": periods, **more}


def profile(purpose: str, kind: str, *schedules: Payload, **more: Any) -> Payload:
    return {
        "id": 9,
        "stackLevel": 2,
        "chargingProfilePurpose": purpose,
        "chargingProfileKind": kind,
        "chargingSchedule": list(schedules),
        **more,
    }


ABSOLUTE = schedule(0, 900, startSchedule=START)
SOUND = [
    (2, profile("TxDefaultProfile", "Relative", schedule(0, 60, 61))),
    (0, profile("TxDefaultProfile", "Relative", schedule(0))),
    (0, profile("ChargingStationMaxProfile", "Absolute", ABSOLUTE)),
    (1, profile("TxProfile", "Absolute", ABSOLUTE, ABSOLUTE, transactionId="tx")),
    (1, profile("TxDefaultProfile", "Recurring", ABSOLUTE, recurrencyKind="Weekly")),
    (1, profile("TxDefaultProfile", "Absolute", ABSOLUTE, recurrencyKind="Daily")),
]
BROKEN = [
    (2, profile("TxDefaultProfile", "Relative", schedule(0, 900, 600)), "not in order"),
    (2, profile("TxDefaultProfile", "Relative", schedule(0, 900, 900)), "not in order"),
    (2, profile("TxDefaultProfile", "Relative", schedule(60, 900)), "instead of 0"),
    (2, profile("TxDefaultProfile", "Absolute", schedule(0)), "no startSchedule"),
    (2, profile("TxProfile", "Absolute", ABSOLUTE, schedule(0), transactionId="tx"), "no startSchedule"),
    (2, profile("TxDefaultProfile", "Recurring", ABSOLUTE), "no recurrencyKind"),
    (2, profile("TxProfile", "Relative", schedule(0)), "names no transaction"),
    (0, profile("TxProfile", "Relative", schedule(0), transactionId="tx"), "for evseId 0"),
    (1, profile("ChargingStationMaxProfile", "Absolute", ABSOLUTE), "for evseId 1"),
    (0, profile("ChargingStationMaxProfile", "Relative", schedule(0)), "is Relative"),
]


def judged(evse: int, wanted: Payload) -> tuple[str, str]:
    talk = Talk(Version.V201).csms("SetChargingProfile", {"evseId": evse, "chargingProfile": wanted})
    (finding,) = sound_profiles().judge(talk.history())
    return str(finding.verdict), finding.actual


@pytest.mark.parametrize(("evse", "wanted"), SOUND)
def test_sound_profile_of_whatever_kind_no_false_alarm(evse: int, wanted: Payload) -> None:
    assert judged(evse, wanted)[0] == "OK"


@pytest.mark.parametrize(("evse", "wanted", "why"), BROKEN, ids=[why for _, _, why in BROKEN])
def test_broken_profile_is_failed_and_says_why(evse: int, wanted: Payload, why: str) -> None:
    verdict, actual = judged(evse, wanted)
    assert verdict == "FAILED"
    assert why in actual


def test_relative_profile_with_a_start_is_not_strict() -> None:
    assert judged(2, profile("TxDefaultProfile", "Relative", ABSOLUTE))[0] == "NON_STRICT"


@pytest.mark.parametrize(("phases", "verdict"), [(1, "OK"), (3, "FAILED"), (None, "FAILED")])
def test_phase_to_use_belongs_to_one_phase(phases: int | None, verdict: str) -> None:
    period = {"startPeriod": 0, "limit": 16.0, "phaseToUse": 2} | ({} if phases is None else {"numberPhases": phases})
    wanted = schedule(0) | {"chargingSchedulePeriod": [period]}
    assert judged(2, profile("TxDefaultProfile", "Relative", wanted))[0] == verdict


@pytest.mark.parametrize(
    ("wanted", "verdict"),
    [
        (profile("TxProfile", "Relative", schedule(0)), "OK"),
        (profile("TxProfile", "Relative", schedule(0), transactionId="tx"), "FAILED"),
        (profile("TxDefaultProfile", "Relative", schedule(0)), "FAILED"),
    ],
)
def test_profile_of_a_remote_start_is_for_the_transaction_to_come(wanted: Payload, verdict: str) -> None:
    request = {
        "idToken": {"idToken": "04AA", "type": "ISO14443"}, "remoteStartId": 4, "evseId": 2, "chargingProfile": wanted,
    }  # fmt: skip
    (finding,) = sound_profiles().judge(Talk().csms("RequestStartTransaction", request).history())
    assert str(finding.verdict) == verdict


@pytest.mark.parametrize("payload", [{}, {"evseId": 2, "chargingProfile": []}, [], {"chargingProfile": {"id": "x"}}])
def test_payload_against_its_schema_is_left_to_the_schema(payload: Any) -> None:
    assert sound_profiles().judge(Talk().csms("SetChargingProfile", payload).history()) == []


def test_running_transaction_is_the_one_at_the_evse_that_has_not_ended() -> None:
    talk = Talk().session("first", 2).session("other", 1).session("second", 2)
    history = talk.history()
    assert running_transaction(history, 2, len(history.records)) == "second"
    assert running_transaction(history, 1, len(history.records)) == "other"
    assert running_transaction(history, 3, len(history.records)) is None
    assert running_transaction(history, 2, history.calls("TransactionEvent")[1].call.line) == "first"
