from __future__ import annotations

from collections import Counter

import pytest

from evidence.run_model import CaseResult, Coverage
from evidence.verdicts import Verdict
from interop_suite.catalogue import all_cases
from interop_suite.claims.certification import certification_list
from interop_suite.main import list_cases, list_coverage
from interop_suite.run.coverage import coverage_of
from interop_suite.run.request import InteropRequest
from interop_suite.run.runner import not_applicable
from ocppj.versions import Version

CASES = {case.key: case for case in all_cases()}


def result(key: str, verdict: Verdict) -> CaseResult:
    made = not_applicable(CASES[key], "")
    made.verdict = verdict
    return made


def row_of(coverage: list[Coverage], version: str, profile: str, block: str) -> Coverage:
    (found,) = [row for row in coverage if (row.ocpp, row.profile, row.block) == (version, profile, block)]
    return found


@pytest.mark.parametrize("version", Version)
def test_ids_that_exist_and_that_are_missing_make_the_list(version: Version) -> None:
    rows = [row for row in coverage_of(all_cases(), versions=[version]) if row.profile]
    ids = [row for row in certification_list().values() if row.version is version]
    assert sum(row.ids + len(row.withdrawn) for row in rows) == len(ids)
    assert all(row.ids == row.exist + len(row.missing) for row in rows)


def test_own_cases_are_never_under_a_certification_profile() -> None:
    own = Counter(case.block for case in all_cases() if case.ocpp is Version.V16 and case.listed is None)
    rows = {row.block: row.exist for row in coverage_of(all_cases(), versions=[Version.V16]) if not row.profile}
    assert rows == own
    assert "RPC" in rows


def test_verdicts_are_counted_where_their_id_stands_in_the_list() -> None:
    results = [
        result("2.0.1-TC_B_01_CSMS", Verdict.OK),
        result("2.0.1-TC_B_06_CSMS", Verdict.FAILED),
        result("2.0.1-TC_E_03_CSMS", Verdict.NON_STRICT),
        result("2.0.1-RPC_01", Verdict.INCONCLUSIVE),
    ]
    coverage = coverage_of(all_cases(), results, [Version.V201])
    assert row_of(coverage, "2.0.1", "Core", "B Provisioning").counts == {Verdict.OK: 1, Verdict.FAILED: 1}
    assert row_of(coverage, "2.0.1", "Core", "E Transactions").counts == {Verdict.NON_STRICT: 1}
    assert row_of(coverage, "2.0.1", "", "RPC").counts == {Verdict.INCONCLUSIVE: 1}
    assert {row.ocpp for row in coverage} == {"2.0.1"}


def test_withdrawn_id_counts_neither_as_listed_nor_as_missing() -> None:
    row = row_of(coverage_of(all_cases()), "2.0.1", "ISO 15118", "A Security")
    assert row.withdrawn == ["TC_A_13_CSMS"]
    assert "TC_A_13_CSMS" not in row.missing
    assert row.ids == 1


def test_coverage_can_be_asked_for_one_version() -> None:
    assert {row.ocpp for row in list_coverage(InteropRequest(ocpp=("2.1",)))} == {"2.1"}


def test_cases_are_listed_by_version_and_number() -> None:
    keys = [(row["ocpp"], row["id"]) for row in list_cases(InteropRequest(select="TC_0,TC_B_"))]
    versions = [version for version, _ in keys]
    assert versions == sorted(versions)
    ids = [identifier for version, identifier in keys if version == "2.0.1"]
    assert ids == sorted(ids)


def test_list_tells_certification_profile_of_ids_and_none_of_own_cases() -> None:
    rows = {(row["ocpp"], row["id"]): row for row in list_cases(InteropRequest())}
    assert rows["2.0.1", "TC_A_08_CSMS"]["certification"] == "Advanced Security"
    assert rows["1.6", "RPC_01"]["certification"] == ""
