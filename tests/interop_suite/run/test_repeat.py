from __future__ import annotations

from functools import reduce

import msgspec

from evidence.verdicts import Verdict
from interop_suite.catalogue import all_cases
from interop_suite.run.judge import judge
from interop_suite.run.results import CaseOutcome, merge_attempts
from interop_suite.run.runner import not_applicable
from tests.interop_suite.recording import begun


def outcome(verdict: Verdict, number: int) -> CaseOutcome:
    case = next(case for case in all_cases() if case.id == "TC_001_CSMS")
    trace = f"traces/{number}.jsonl"
    result = msgspec.structs.replace(
        not_applicable(case, str(verdict)), verdict=verdict, trace=trace, attempts=[trace], duration_ms=10
    )
    return CaseOutcome(result=result, service_ms={"Heartbeat": [float(number)]})


def test_worst_attempt_is_told_and_every_trace_is_kept() -> None:
    outcomes = [outcome(Verdict.OK, 1), outcome(Verdict.FAILED, 2), outcome(Verdict.OK, 3)]
    merged = reduce(merge_attempts, outcomes).result
    assert merged.verdict is Verdict.FAILED
    assert merged.trace == "traces/2.jsonl"
    assert merged.attempts == ["traces/1.jsonl", "traces/2.jsonl", "traces/3.jsonl"]
    assert merged.observations["verdicts"] == {"OK": 2, "FAILED": 1}
    assert merged.duration_ms == 30


def test_latencies_of_a_repeated_case_speak_of_all_its_attempts() -> None:
    merged = merge_attempts(outcome(Verdict.FAILED, 1), outcome(Verdict.OK, 5))
    assert merged.service_ms == {"Heartbeat": [1.0, 5.0]}
    assert (merged.result.latency_ms["Heartbeat"].count, merged.result.latency_ms["Heartbeat"].max) == (2, 5.0)


def test_unexpected_pass_weighs_as_much_as_a_failure() -> None:
    merged = merge_attempts(outcome(Verdict.XFAIL, 1), outcome(Verdict.XPASS, 2))
    assert merged.result.verdict is Verdict.XPASS


def test_uninvited_call_fails_only_in_strict_order() -> None:
    case = next(case for case in all_cases() if case.id == "TC_061_CSMS")
    recording = begun().got('[2,"a","GetConfiguration",{}]')
    recording.driver(operation="trigger", action="ClearCache").got('[2,"b","ClearCache",{}]')
    assert judge(case, recording.history()).verdict is Verdict.OK
    strict = judge(case, recording.history(), strict_order=True)
    assert strict.verdict is Verdict.FAILED
    assert "GetConfiguration" in strict.reason
