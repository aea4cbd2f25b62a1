"""Cases of smart and bidirectional charging on conversations that no practice CSMS has."""

from __future__ import annotations

import re
from copy import deepcopy
from typing import Any

import pytest

from interop_suite.cases.v2x.charging_profiles import DAILY, OF_EVSE, OF_EVSE_1, OF_TRANSACTION, REPLACING
from interop_suite.catalogue import all_cases
from interop_suite.steps.smart_charging import set_profile
from ocppj.versions import Version
from tests.interop_suite.talk import ACCEPTED, Talk

V2X = pytest.mark.parametrize("version", [Version.V201, Version.V21])
Payload = dict[str, Any]


K_201 = [
    *range(1, 7), 8, 10, 15, 19, *range(29, 38), 43, 44, 48, 50, 51, 52, 53, 55, 57, 58, 59, 60, 70,
]  # fmt: skip
K_21 = [*K_201, 100, 101, 102, 104, 106, 109, 113, 114, 115, 117, 118, 121, 126]
WHOLE_LIST = {
    Version.V201: [f"K_{number:02}" for number in K_201],
    Version.V21: [
        *(f"K_{number:02}" for number in K_21),
        *(f"Q_{number}" for number in (102, 103, 107, 108, 109, 110, 111, 112, 117, 120, 121, 124)),
        "R_107", "R_108", "S_102", "S_103",
    ],
}  # fmt: skip


@V2X
def test_whole_certification_list_of_the_blocks_is_there(version: Version) -> None:
    own = {case.id for case in all_cases() if case.ocpp is version and re.match("TC_[KQRS]_", case.id)}
    assert own == {f"TC_{number}_CSMS" for number in WHOLE_LIST[version]}


def own_numbers(payload: Payload, number: int) -> Payload:
    """What a CSMS sends that numbers profiles and schedules by itself, and fills in what nobody named."""
    sent = deepcopy(payload)
    sent["chargingProfile"]["id"] = number
    sent["chargingProfile"].setdefault("validFrom", "2026-01-01T00:00:00Z")
    for schedule in sent["chargingProfile"]["chargingSchedule"]:
        schedule["id"] = number + 1
    return sent


def two_profiles(talk: Talk, first_id: int, second_id: int) -> Talk:
    first, second = set_profile(2, OF_EVSE), set_profile(1, OF_EVSE_1)
    talk.ordered("SetChargingProfile", first, own_numbers(first, first_id))
    return talk.ordered("SetChargingProfile", second, own_numbers(second, second_id)).heartbeat()


@V2X
def test_profiles_that_the_csms_numbers_by_itself_no_false_alarm(version: Version) -> None:
    assert two_profiles(Talk(version), 9001, 9007).verdict("TC_K_01_CSMS") == "OK"


@V2X
def test_one_id_for_the_profiles_of_two_evses_is_failed(version: Version) -> None:
    assert two_profiles(Talk(version), 9001, 9001).verdict("TC_K_01_CSMS") == "FAILED"


def replaced(first_id: int, second_id: int) -> Talk:
    talk = Talk()
    for wanted, number in ((OF_EVSE, first_id), (REPLACING, second_id)):
        order = set_profile(2, wanted)
        talk.ordered("SetChargingProfile", order, own_numbers(order, number))
    return talk.heartbeat()


def test_replaced_profile_under_an_id_of_the_csms_no_false_alarm() -> None:
    assert replaced(5001, 5001).verdict("TC_K_04_CSMS") == "OK"


def test_replaced_profile_under_another_id_is_failed() -> None:
    assert replaced(5001, 5002).verdict("TC_K_04_CSMS") == "FAILED"


def test_driver_that_cannot_tell_the_stack_level_no_false_alarm() -> None:
    talk = Talk()
    order = set_profile(2, DAILY)
    told = ["evseId", "chargingProfile.chargingProfilePurpose", "chargingProfile.chargingSchedule"]
    sent = {"evseId": 2, "chargingProfile": {**DAILY, "stackLevel": 0, "chargingProfileKind": "Absolute"}}
    talk.ordered("SetChargingProfile", order, sent, handed_over=told)
    assert talk.heartbeat().verdict("TC_K_19_CSMS") == "NOT_APPLICABLE"


def test_order_that_the_csms_does_not_have_is_not_applicable() -> None:
    talk = Talk()
    refusal = {"status": "error", "code": "NotImplemented", "origin": "csms"}
    talk.ordered("SetChargingProfile", set_profile(0, OF_EVSE), None, result=refusal)
    assert talk.heartbeat().verdict("TC_K_10_CSMS") == "NOT_APPLICABLE"


def test_order_that_never_arrives_is_failed() -> None:
    talk = Talk().ordered("SetChargingProfile", set_profile(0, OF_EVSE), None)
    assert talk.heartbeat().verdict("TC_K_10_CSMS") == "FAILED"


NEEDS = {"evseId": 2, "chargingNeeds": {"requestedEnergyTransfer": "AC_three_phase"}}
EV_SCHEDULE = {
    "timeBase": "2026-01-01T00:00:00Z",
    "evseId": 2,
    "chargingSchedule": {
        "id": 1, "chargingRateUnit": "A", "chargingSchedulePeriod": [{"startPeriod": 0, "limit": 9.0}],
    },
}  # fmt: skip


def needs(answer: Payload, *profiles: Payload, chosen: Payload = ACCEPTED) -> Talk:
    talk = Talk().session("tx-one", 1).session("tx-two", 2).station("NotifyEVChargingNeeds", NEEDS, answer)
    for profile in profiles:
        talk.csms("SetChargingProfile", profile)
    return talk.station("NotifyEVChargingSchedule", EV_SCHEDULE, chosen)


OWN = set_profile(2, OF_TRANSACTION, "tx-two")
OTHER = set_profile(1, {**OF_TRANSACTION, "id": 77}, "tx-one")


@pytest.mark.parametrize("status", ["Accepted", "Processing"])
def test_schedules_for_other_cars_between_needs_and_schedule_no_false_alarm(status: str) -> None:
    assert needs({"status": status}, OTHER, OWN, OTHER).verdict("TC_K_53_CSMS") == "OK"


@pytest.mark.parametrize("status", ["Rejected", "NoChargingProfile"])
def test_csms_that_makes_no_schedules_for_cars_no_false_alarm(status: str) -> None:
    assert needs({"status": status}).verdict("TC_K_53_CSMS") == "NOT_APPLICABLE"


@pytest.mark.parametrize(
    "profiles", [(), (OTHER,), (set_profile(2, OF_EVSE),)], ids=["none", "another transaction", "default profile"]
)
def test_needs_without_a_profile_for_their_transaction_are_failed(profiles: tuple[Payload, ...]) -> None:
    assert needs(ACCEPTED, *profiles).verdict("TC_K_53_CSMS") == "FAILED"


@pytest.mark.parametrize(
    ("status", "profiles", "verdict"),
    [
        ("NoChargingProfile", (), "OK"),
        ("NoChargingProfile", (OTHER, set_profile(2, OF_EVSE)), "OK"),
        ("NoChargingProfile", (OWN,), "FAILED"),
        ("Accepted", (OWN,), "NOT_APPLICABLE"),
        ("Rejected", (), "NOT_APPLICABLE"),
    ],
)
def test_only_a_profile_for_the_same_car_breaks_the_word_that_none_comes(
    status: str, profiles: tuple[Payload, ...], verdict: str
) -> None:
    assert needs({"status": status}, *profiles).verdict("TC_K_126_CSMS") == verdict


AUTHORIZE = {"idToken": {"idToken": "04AA", "type": "ISO14443"}}


def authorized(allowed: list[str] | None, status: str | None) -> Talk:
    answer: Payload = {"idTokenInfo": ACCEPTED} | ({} if allowed is None else {"allowedEnergyTransfer": allowed})
    talk = Talk().station("Authorize", AUTHORIZE, answer)
    if status is None:
        return talk
    return talk.session("tx-two", 2).station("NotifyEVChargingNeeds", NEEDS, {"status": status})


@pytest.mark.parametrize("status", ["Rejected", "NoChargingProfile"])
def test_either_word_for_no_declines_an_energy_transfer_no_false_alarm(status: str) -> None:
    assert authorized(["AC_three_phase"], status).verdict("TC_Q_103_CSMS") == "OK"


def test_energy_transfer_that_was_not_allowed_and_is_accepted_is_failed() -> None:
    assert authorized(["AC_three_phase"], "Accepted").verdict("TC_Q_103_CSMS") == "FAILED"


def test_csms_that_lists_no_energy_transfers_no_false_alarm() -> None:
    assert authorized(None, None).verdict("TC_Q_103_CSMS") == "NOT_APPLICABLE"
    assert authorized(None, None).verdict("TC_Q_102_CSMS") == "NOT_APPLICABLE"


DYNAMIC = {
    "id": 63,
    "stackLevel": 2,
    "chargingProfilePurpose": "TxProfile",
    "chargingProfileKind": "Dynamic",
    "transactionId": "tx-two",
    "dynUpdateInterval": 45,
    "chargingSchedule": [
        {
            "id": 1,
            "chargingRateUnit": "W",
            "chargingSchedulePeriod": [{"startPeriod": 0, "setpoint": -2990.8, "operationMode": "CentralSetpoint"}],
        }
    ],
}


@pytest.mark.parametrize(
    ("answer", "verdict"),
    [
        ({"status": "Accepted", "scheduleUpdate": {"setpoint": 100.0}}, "OK"),
        ({"status": "Accepted", "scheduleUpdate": {"limit": 4000, "dischargeLimit": -10.5}}, "OK"),
        ({"status": "Rejected"}, "NOT_APPLICABLE"),
        ({"status": "Accepted"}, "FAILED"),
    ],
)
def test_values_that_a_csms_has_at_this_moment_no_false_alarm(answer: Payload, verdict: str) -> None:
    talk = Talk().session("tx-one", 1).session("tx-two", 2)
    order = {"evseId": 2, "chargingProfile": DYNAMIC}
    talk.ordered("SetChargingProfile", order, own_numbers(order, 812))
    talk.station("PullDynamicScheduleUpdate", {"chargingProfileId": 812}, answer)
    assert talk.heartbeat().verdict("TC_Q_110_CSMS") == verdict


def renegotiated(*later: Payload, over: str = "Rejected") -> Talk:
    talk = needs(ACCEPTED, OWN, chosen={"status": over})
    for profile in later:
        talk.csms("SetChargingProfile", profile)
    return talk.station("NotifyEVChargingSchedule", EV_SCHEDULE, ACCEPTED)


def test_new_profile_after_a_schedule_over_the_limits_no_false_alarm() -> None:
    again = set_profile(2, {**OF_TRANSACTION, "id": 16}, "tx-two")
    assert renegotiated(OTHER, again).verdict("TC_K_55_CSMS") == "OK"


def test_schedule_over_the_limits_that_is_taken_before_the_new_profile_is_non_strict() -> None:
    again = set_profile(2, {**OF_TRANSACTION, "id": 16}, "tx-two")
    assert renegotiated(again, over="Accepted").verdict("TC_K_55_CSMS") == "NON_STRICT"


@pytest.mark.parametrize("later", [(), (OTHER,)], ids=["none", "another transaction"])
def test_schedule_over_the_limits_that_nothing_follows_is_failed(later: tuple[Payload, ...]) -> None:
    assert renegotiated(*later).verdict("TC_K_55_CSMS") == "FAILED"
