from __future__ import annotations

from pathlib import Path

import pytest

from drivers.base import operation_for
from evidence.run_model import Claims
from evidence.verdicts import Verdict
from interop_suite.catalogue import Case, all_cases
from interop_suite.claims.certification import NO_PROFILE, certification_list
from interop_suite.run.features import (
    OPTIONAL_FEATURES,
    Features,
    features_template,
    held_against_claim,
    load_features,
    unclaimed,
)
from interop_suite.run.plan import make_plan
from interop_suite.run.request import InteropRequest
from interop_suite.run.runner import not_applicable
from ocppj.errors import UsageError
from ocppj.versions import Version

CASES = {case.key: case for case in all_cases()}
UNLOCK, RESET_EVSE = CASES["2.0.1-TC_F_06_CSMS"], CASES["2.0.1-TC_B_25_CSMS"]


def written(folder: Path, text: str) -> str:
    file = folder / "features.yaml"
    file.write_text(text)
    return str(file)


def of_201(*features: str, profiles: tuple[str, ...] = ("Core",)) -> Features:
    return {Version.V201: Claims(profiles=list(profiles), features=list(features))}


def test_template_claims_everything_and_can_be_read(tmp_path: Path) -> None:
    features = load_features(written(tmp_path, features_template()))
    assert features is not None
    assert set(features) == set(Version)
    assert [case.key for case in CASES.values() if unclaimed(features, case) is not None] == []


def test_optional_features_are_those_that_ids_depend_on() -> None:
    assert {row.feature for row in certification_list().values()} - {""} == set(OPTIONAL_FEATURES)


def test_all_stands_for_every_profile_and_feature(tmp_path: Path) -> None:
    features = load_features(written(tmp_path, "2.0.1: {profiles: [all], features: [all]}"))
    assert features is not None
    assert "ISO 15118" in features[Version.V201].profiles
    assert features[Version.V201].features == list(OPTIONAL_FEATURES)


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("", "expected the versions that the CSMS claims"),
        ("2.0: {profiles: [Core]}", "2.0 is no version of OCPP; did you mean '2.0.1'"),
        ("2.0.1: {profiles: [Coer]}", "Coer is none of the profiles; did you mean 'Core'"),
        ("2.0.1: {profiles: [Core], features: [C-99]}", r"2.0.1.features\[0\]: C-99 is none of the features"),
        ("2.0.1: {profile: [Core]}", "the key 'profile' is unknown; did you mean 'profiles'"),
        ("2.0.1: {features: [C-11]}", "expected the key 'profiles'"),
    ],
)
def test_wrong_file_is_one_line_that_names_the_place(tmp_path: Path, text: str, fault: str) -> None:
    with pytest.raises(UsageError, match=fault):
        load_features(written(tmp_path, text))


@pytest.mark.parametrize(
    ("features", "case", "reason"),
    [
        (of_201(), UNLOCK, "not claimed: optional feature C-11"),
        (of_201("C-13"), RESET_EVSE, None),
        (of_201(profiles=("Reservation",)), RESET_EVSE, "not claimed: certification profile Core"),
        (of_201(), CASES["1.6-TC_001_CSMS"], "not claimed: the file of features says nothing of OCPP 1.6"),
        (of_201(profiles=()), CASES["2.0.1-RPC_01"], None),
        (None, UNLOCK, None),
    ],
)
def test_what_is_not_claimed_does_not_apply(features: Features | None, case: Case, reason: str | None) -> None:
    found = unclaimed(features, case)
    assert found == reason if reason is None else found is not None and found.startswith(reason)


def test_claimed_case_that_cannot_be_driven_is_inconclusive_and_names_the_operation() -> None:
    result = not_applicable(RESET_EVSE, "needs a way to make the CSMS send Reset")
    told = held_against_claim(result, of_201("C-13"), RESET_EVSE, "trigger:Reset")
    assert told.verdict is Verdict.INCONCLUSIVE
    assert told.reason == (
        "claimed (Core, C-13), but needs a way to make the CSMS send Reset; "
        "missing driver operation: trigger (actions: [Reset])"
    )


@pytest.mark.parametrize(
    ("features", "case"),
    [(None, RESET_EVSE), (of_201(), RESET_EVSE), (of_201(), CASES["2.0.1-RPC_01"])],
    ids=["no file", "not claimed", "own case"],
)
def test_case_without_a_claim_stays_not_applicable(features: Features | None, case: Case) -> None:
    result = not_applicable(case, "no driver")
    assert held_against_claim(result, features, case, "trigger:Reset") == result


@pytest.mark.parametrize("verdict", [Verdict.OK, Verdict.FAILED, Verdict.NON_STRICT])
def test_verdict_of_a_claimed_case_that_was_judged_stays(verdict: Verdict) -> None:
    result = not_applicable(RESET_EVSE, "")
    result.verdict = verdict
    assert held_against_claim(result, of_201("C-13"), RESET_EVSE, None).verdict is verdict


def test_id_without_a_profile_is_held_against_nobody() -> None:
    case = CASES["1.6-TC_088_CSMS"]
    assert case.certification == NO_PROFILE
    features = {Version.V16: Claims(profiles=["Core"])}
    assert unclaimed(features, case) is None
    assert held_against_claim(not_applicable(case, "x"), features, case, None).verdict is Verdict.NOT_APPLICABLE


def test_run_is_about_the_versions_that_are_claimed(tmp_path: Path) -> None:
    file = written(tmp_path, "2.0.1: {profiles: [Core]}")
    plan = make_plan(InteropRequest(url="ws://127.0.0.1:9", features=file), embedded=False)
    assert {case.ocpp for case in plan.cases} == {Version.V201}


@pytest.mark.parametrize(
    ("need", "operation"),
    [
        ("trigger:Reset", "trigger (actions: [Reset])"),
        ("token:Blocked", "token (statuses: [Blocked])"),
        ("boot-status:Pending", "boot_status (statuses: [Pending])"),
        ("client-certificate", "sign_client_certificate"),
        ("transactions", "transactions"),
        ("security-profile", "security_profile"),
        ("tls", None),
    ],
)
def test_operation_of_a_driver_file_is_named_for_a_need(need: str, operation: str | None) -> None:
    assert operation_for(need) == operation
