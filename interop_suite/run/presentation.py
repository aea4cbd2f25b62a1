"""A result as pytest and Allure show it."""

from __future__ import annotations

import allure
import pytest

from evidence.run_folder import RunFolder
from evidence.run_model import CaseResult
from evidence.sequence import sequence_text
from evidence.verdicts import Verdict
from interop_suite.catalogue import Case
from interop_suite.claims.exchange import Exchange
from interop_suite.run.runner import Attempt

__all__ = ["attach", "explain", "raise_outcome"]


def explain(result: CaseResult) -> str:
    """Write what a person needs to act on a verdict: sent, allowed, seen, clause, trace, and how to repeat it."""
    lines = [
        f"{result.verdict}  {result.ocpp} {result.id}: {result.title}",
        f"  sends:    {result.sends}",
        f"  expects:  {result.expects}  [{result.clause}, {result.level}]",
    ]
    lines += [f"  allowed:  {claim}" for claim in result.expected]
    lines += [f"  seen:     {actual}" for actual in result.actual]
    lines += [f"  reason:   {result.reason}"]
    if result.trace:
        lines += [f"  trace:    {result.trace}"]
    if result.reproduce:
        lines += [f"  again:    {result.reproduce}"]
    return "\n".join(lines)


def raise_outcome(result: CaseResult) -> None:
    """Let pytest show the verdict: failed, skipped, expected failure, or passed."""
    match result.verdict:
        case Verdict.FAILED | Verdict.XPASS | Verdict.INCONCLUSIVE:
            pytest.fail(explain(result), pytrace=False)
        case Verdict.NOT_APPLICABLE:
            pytest.skip(result.reason)
        case Verdict.XFAIL:
            pytest.xfail(result.reason)
        case _:
            return


def attach(case: Case, attempt: Attempt, folder: RunFolder) -> None:
    """Give Allure the title, the labels, the exchanges as steps, and the trace with its sequence diagram."""
    allure.dynamic.title(f"{case.id}: {case.title}")
    allure.dynamic.description(f"{case.sends}\n\n{case.expects}\n\n{case.clause}")
    allure.dynamic.epic(f"OCPP {case.ocpp}")
    allure.dynamic.feature(case.profile)
    allure.dynamic.story(case.block)
    allure.dynamic.label("verdict", str(attempt.result.verdict))
    if not attempt.result.trace:
        return
    for exchange in attempt.history.exchanges:
        with allure.step(_step(exchange)):
            pass
    allure.attach.file(str(folder.path / attempt.result.trace), "trace", "application/x-ndjson", "jsonl")
    allure.attach(sequence_text(attempt.history.records), "sequence", allure.attachment_type.TEXT)


def _step(exchange: Exchange) -> str:
    who = "station → CSMS" if exchange.by_station else "CSMS → station"
    return f"{who} {exchange.action}: {exchange.name_answer()}"
