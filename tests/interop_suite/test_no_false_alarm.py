"""Alarms that other CSMSs raised and that were none."""

from __future__ import annotations

import pytest

from evidence.verdicts import Verdict
from interop_suite.catalogue import Case, all_cases
from interop_suite.run.judge import judge
from tests.interop_suite.recording import Recording, begun

HEARTBEAT_ANSWER = '{"currentTime":"2026-01-01T00:00:00Z"}'


def case_called(name: str) -> Case:
    return next(case for case in all_cases() if case.id == name)


@pytest.mark.parametrize("message_id", ["x" * 37, ""])
def test_answer_that_repeats_the_odd_id_of_the_station_no_false_alarm(message_id: str) -> None:
    heartbeat = begun().sent(f'[2,"{message_id}","Heartbeat",{{}}]').got(f'[3,"{message_id}",{HEARTBEAT_ANSWER}]')
    findings = judge(case_called("TC_001_CSMS"), heartbeat.history()).findings
    assert [finding["actual"] for finding in findings if "envelope" in finding["claim"]] == []


def test_odd_id_of_the_csms_itself_is_still_failed() -> None:
    recording = begun().got(f'[2,"{"x" * 37}","ClearCache",{{}}]')
    result = judge(case_called("TC_061_CSMS"), recording.history())
    assert result.verdict is Verdict.FAILED


@pytest.mark.parametrize(
    ("name", "refused_before"), [("TC_085_CSMS", 2), ("TC_087_CSMS", 1), ("TC_073_CSMS", 1), ("TC_083_CSMS", 1)]
)
def test_set_up_that_failed_before_the_good_connection_no_false_alarm(name: str, refused_before: int) -> None:
    recording = Recording().script()
    for _ in range(refused_before):
        recording.opened(status=401, subprotocol=None)
    recording.note(inconclusive="The driver could not do sign_client_certificate")
    result = judge(case_called(name), recording.history())
    assert result.verdict is Verdict.INCONCLUSIVE
