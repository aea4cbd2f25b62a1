"""The practice CSMS through its log alone: nothing while it is right, and a fault where frames show it."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from benchmarks.defects_in_logs import Listening, declared, rules_broken
from fixtures.csms import Mode
from interop_suite.catalogue import all_cases

EVERY = 30
"""A case in so many is run; `python -m benchmarks.defects_in_logs right` runs all."""


@pytest.fixture(scope="module")
def bench() -> Iterator[Listening]:
    with ThreadPoolExecutor(8) as pool, Listening(pool) as listening:
        yield listening


@pytest.mark.parametrize("mode", [Mode.STRICT, Mode.LENIENT])
def test_a_csms_that_is_right_breaks_no_rule(bench: Listening, mode: Mode) -> None:
    cases = all_cases()[::EVERY]
    assert {str(case.ocpp) for case in cases} == {"1.6", "2.0.1", "2.1"}
    heard = bench.hear(cases, mode)
    assert len(heard) == len(cases)
    assert {rule for history in heard for rule in rules_broken(history.records)} == set()


@pytest.mark.parametrize(
    ("defect", "rule"),
    [
        ("closes-after-list-version-minus-one", "closed-with-error"),
        ("expired-tag-authorized", "accepted-though-over"),
        ("tag-case-sensitive", "token-case"),
        ("certificate-for-another-key", "certificate-of-another-key"),
        ("tx-profile-of-first-transaction", "profile-other-transaction"),
    ],
)
def test_a_defect_is_found_from_the_log_alone(bench: Listening, defect: str, rule: str) -> None:
    heard = bench.hear_defect(defect, declared()[defect])
    assert rule in {name for history in heard for name in rules_broken(history.records)}
