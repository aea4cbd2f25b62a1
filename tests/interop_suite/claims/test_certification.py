from __future__ import annotations

import re
from collections import Counter

import pytest

from interop_suite.catalogue import all_cases
from interop_suite.claims.certification import NO_PROFILE, certification_list, listed, place, profiles_of
from interop_suite.claims.clauses import Clause
from ocppj.versions import Version


def test_list_holds_every_id_of_each_version() -> None:
    amounts = Counter(row.version for row in certification_list().values())
    assert amounts == {Version.V16: 77, Version.V201: 252, Version.V21: 329}


def test_every_id_looks_like_one_and_has_a_block_and_a_title() -> None:
    for row in certification_list().values():
        assert re.fullmatch(r"TC_([A-S]_)?\d{2,3}(_\d)?_CSMS", row.id), row
        assert row.block
        assert row.title
        assert len(row.title) <= 120


def test_list_stands_in_the_order_of_versions_and_numbers() -> None:
    keys = [place(row.version, row.id) for row in certification_list().values()]
    assert keys == sorted(keys)


def test_numbers_are_ordered_as_numbers() -> None:
    ids = ["TC_B_10_CSMS", "TC_B_9_CSMS", "TC_A_01_CSMS", "TC_B_100_CSMS"]
    assert sorted(ids, key=lambda one: place("2.0.1", one)) == [ids[2], ids[1], ids[0], ids[3]]
    assert place("1.6", "TC_088_CSMS") < place("2.0.1", "TC_A_01_CSMS")


def test_withdrawn_id_stays_listed_and_says_by_what() -> None:
    gone = listed("2.0.1", "TC_A_13_CSMS")
    assert gone is not None
    assert gone.withdrawn.startswith("errata")
    assert [row.id for row in certification_list().values() if row.withdrawn] == ["TC_A_13_CSMS"]


def test_case_of_our_own_is_in_no_list() -> None:
    assert listed("1.6", "RPC_01") is None


def test_profiles_leave_out_ids_that_nobody_assigns() -> None:
    assert profiles_of(Version.V201)[0] == "Core"
    assert NO_PROFILE not in profiles_of(Version.V201)


def test_cases_of_the_list_have_its_profile_where_it_has_one() -> None:
    for case in all_cases():
        if case.listed is not None and case.certification != NO_PROFILE:
            assert case.profile == case.certification, case.key


@pytest.mark.parametrize(
    ("document", "number", "words"),
    [
        ("201-6", "B01.FR.02", "OCPP 2.0.1 Part 2 B01.FR.02"),
        ("201-6", "TC_C_38_CSMS", "OCPP 2.0.1 Part 6 TC_C_38_CSMS"),
        ("SWP", "A01.FR.03", "OCPP 1.6 security whitepaper A01.FR.03"),
        ("1.6", "7.27", "OCPP 1.6 §7.27"),
    ],
)
def test_requirements_belong_to_part_2_and_test_cases_to_part_6(document: str, number: str, words: str) -> None:
    assert str(Clause(document, number)) == words
