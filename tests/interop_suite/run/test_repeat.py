from __future__ import annotations

import msgspec

from evidence.run_model import CaseResult
from evidence.verdicts import Verdict
from interop_suite.catalogue import all_cases
from interop_suite.run.judge import judge
from interop_suite.run.results import merge_attempts
from interop_suite.run.runner import not_applicable
from tests.interop_suite.recording import begun


def attempt(verdict: Verdict, number: int) -> CaseResult:
    case = next(case for case in all_cases() if case.id == "TC_001_CSMS")
    trace = f"traces/{number}.jsonl"
    return msgspec.structs.replace(
        not_applicable(case, str(verdict)), verdict=verdict, trace=trace, attempts=[trace], duration_ms=10
    )


def test_worst_attempt_is_told_and_every_trace_is_kept() -> None:
    merged = merge_attempts(merge_attempts(attempt(Verdict.OK, 1), attempt(Verdict.FAILED, 2)), attempt(Verdict.OK, 3))
    assert merged.verdict is Verdict.FAILED
    assert merged.trace == "traces/2.jsonl"
    assert merged.attempts == ["traces/1.jsonl", "traces/2.jsonl", "traces/3.jsonl"]
    assert merged.observations["verdicts"] == {"OK": 2, "FAILED": 1}
    assert merged.duration_ms == 30


def test_unexpected_pass_weighs_as_much_as_a_failure() -> None:
    assert merge_attempts(attempt(Verdict.XFAIL, 1), attempt(Verdict.XPASS, 2)).verdict is Verdict.XPASS


def test_uninvited_call_fails_only_in_strict_order() -> None:
    case = next(case for case in all_cases() if case.id == "TC_061_CSMS")
    recording = begun().got('[2,"a","GetConfiguration",{}]')
    recording.driver(operation="trigger", action="ClearCache").got('[2,"b","ClearCache",{}]')
    assert judge(case, recording.history()).verdict is Verdict.OK
    strict = judge(case, recording.history(), strict_order=True)
    assert strict.verdict is Verdict.FAILED
    assert "GetConfiguration" in strict.reason
