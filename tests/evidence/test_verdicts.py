from __future__ import annotations

from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evidence import exit_codes
from evidence.verdicts import EXIT_CODES, RunVerdict, Verdict, run_verdict, worst

JUDGED = [verdict for verdict in Verdict if verdict not in (Verdict.XFAIL, Verdict.XPASS)]


@pytest.mark.parametrize(
    ("findings", "merged"),
    [
        ([], None),
        ([Verdict.OK], Verdict.OK),
        ([Verdict.OK, Verdict.NON_STRICT], Verdict.NON_STRICT),
        ([Verdict.OK, Verdict.INFORMATIONAL], Verdict.OK),
        ([Verdict.NOT_APPLICABLE, Verdict.INFORMATIONAL], Verdict.INFORMATIONAL),
        ([Verdict.NON_STRICT, Verdict.INCONCLUSIVE], Verdict.INCONCLUSIVE),
        ([Verdict.INCONCLUSIVE, Verdict.FAILED, Verdict.OK], Verdict.FAILED),
    ],
)
def test_worst_finding_is_the_verdict_of_the_case(findings: list[Verdict], merged: Verdict | None) -> None:
    assert {worst(order) for order in permutations(findings)} == {merged}


@given(st.lists(st.sampled_from(JUDGED), min_size=1))
def test_a_failed_finding_is_never_outvoted(findings: list[Verdict]) -> None:
    assert (worst(findings) is Verdict.FAILED) == (Verdict.FAILED in findings)


@pytest.mark.parametrize(
    ("verdicts", "run"),
    [
        ([], RunVerdict.INCONCLUSIVE),
        ([Verdict.NOT_APPLICABLE], RunVerdict.INCONCLUSIVE),
        ([Verdict.OK], RunVerdict.PASSED),
        ([Verdict.OK, Verdict.NOT_APPLICABLE], RunVerdict.PASSED),
        ([Verdict.NON_STRICT], RunVerdict.PASSED),
        ([Verdict.INFORMATIONAL], RunVerdict.PASSED),
        ([Verdict.XFAIL], RunVerdict.PASSED),
        ([Verdict.OK, Verdict.INCONCLUSIVE], RunVerdict.INCONCLUSIVE),
        ([Verdict.OK, Verdict.XPASS], RunVerdict.FAILED),
        ([Verdict.INCONCLUSIVE, Verdict.FAILED], RunVerdict.FAILED),
    ],
)
def test_run_verdict_follows_from_its_cases(verdicts: list[Verdict], run: RunVerdict) -> None:
    assert {run_verdict(order) for order in permutations(verdicts)} == {run}


@given(st.lists(st.sampled_from(list(Verdict))))
def test_a_run_with_a_failure_never_passes(verdicts: list[Verdict]) -> None:
    if {Verdict.FAILED, Verdict.XPASS} & set(verdicts):
        assert run_verdict(verdicts) is RunVerdict.FAILED
    elif run_verdict(verdicts) is RunVerdict.PASSED:
        assert set(verdicts) - {Verdict.NOT_APPLICABLE, Verdict.INCONCLUSIVE}


def test_every_run_verdict_has_the_exit_code_that_others_depend_on() -> None:
    assert {verdict.value: code for verdict, code in EXIT_CODES.items()} == {
        "passed": 0,
        "failed": 1,
        "inconclusive": 3,
        "invalid": 3,
    }
    assert (exit_codes.USAGE, exit_codes.UNREACHABLE, exit_codes.INTERRUPTED) == (2, 4, 130)
