from __future__ import annotations

from collections.abc import Iterable

import pytest

from drivers.base import NoDriver
from evidence.run_model import CaseResult
from evidence.verdicts import Verdict
from fixtures.csms import practice_csms
from interop_suite.catalogue import all_cases
from interop_suite.drive.setup import CsmsUnderTest
from interop_suite.run.runner import Runner

OPEN_IN_AUTHORIZE = "unknown-tag-authorized"
OPEN = (OPEN_IN_AUTHORIZE, "invalid-tag-started")
CASES = {case.key: case for case in all_cases()}


def run(*keys: str, defects: Iterable[str] = (), tokens: dict[str, str] | None = None) -> list[CaseResult]:
    with practice_csms(defects=defects) as csms:
        runner = Runner(CsmsUnderTest(url=csms.url, timeout=1, tokens=tokens or {}), NoDriver(), None)
        return [runner.run(CASES[key]) for key in keys]


@pytest.mark.parametrize("key", ["1.6-TC_003_CSMS", "2.0.1-TC_E_03_CSMS", "2.1-PAY_11"])
def test_a_csms_that_accepts_strangers_has_an_accepted_token(key: str) -> None:
    (result,) = run(key, defects=OPEN)
    assert result.verdict is Verdict.OK, result.reason
    assert "nobody gave it" in result.observations["token"]


def test_a_csms_that_refuses_strangers_is_told_how_to_name_a_token() -> None:
    (result,) = run("1.6-TC_003_CSMS")
    assert result.verdict is Verdict.NOT_APPLICABLE
    assert result.reason.endswith("--token Accepted=TAG names one that it knows")


def test_a_csms_that_accepts_strangers_in_authorize_alone_has_no_accepted_token() -> None:
    (result,) = run("1.6-TC_003_CSMS", defects=(OPEN_IN_AUTHORIZE,))
    assert result.verdict is Verdict.NOT_APPLICABLE


@pytest.mark.parametrize("key", ["1.6-ST_07_1", "2.0.1-ST_10_3", "2.1-ST_10_2", "2.0.1-TC_J_09_CSMS"])
def test_what_must_only_be_answered_needs_no_accepted_token(key: str) -> None:
    (result,) = run(key)
    assert result.verdict is Verdict.OK, result.reason


def test_an_end_that_is_refused_is_found_without_a_driver() -> None:
    (result,) = run("1.6-ST_07_1", defects=("stop-of-unknown-refused",))
    assert result.verdict is Verdict.FAILED
