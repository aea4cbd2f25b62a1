"""A result as pytest and Allure show it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

import allure
import allure_commons
import pytest
from allure_commons.model2 import Status, TestResult, TestStepResult

from evidence.run_folder import RunFolder
from evidence.run_model import CaseResult
from evidence.sequence import sequence_text
from evidence.verdicts import Verdict
from interop_suite.catalogue import Case
from interop_suite.claims.exchange import Exchange
from interop_suite.run.runner import Attempt

__all__ = ["CouldNotBeJudgedError", "attach", "explain", "raise_outcome"]


def explain(result: CaseResult) -> str:
    """Write what a person needs to act on a verdict: sent, checked, seen, clause, trace, and how to repeat it."""
    lines = [
        f"{result.verdict}  {result.ocpp} {result.id}: {result.title}",
        f"  sends:    {result.sends}",
        f"  expects:  {result.expects}  [{result.clause}, {result.level}]",
    ]
    lines += [f"  checked:  {claim}" for claim in result.expected]
    lines += [f"  seen:     {actual}" for actual in result.actual]
    lines += [f"  reason:   {result.reason}"]
    if result.trace:
        lines += [f"  trace:    {result.trace}"]
    if result.reproduce:
        lines += [f"  again:    {result.reproduce}"]
    return "\n".join(lines)


class CouldNotBeJudgedError(Exception):
    """An INCONCLUSIVE case, which Allure shows as broken and not as failed."""


def raise_outcome(result: CaseResult) -> None:
    """Let pytest show the verdict: failed, broken, skipped, expected failure, or passed."""
    match result.verdict:
        case Verdict.FAILED | Verdict.XPASS:
            pytest.fail(explain(result), pytrace=False)
        case Verdict.INCONCLUSIVE:
            raise CouldNotBeJudgedError(explain(result))
        case Verdict.NOT_APPLICABLE:
            pytest.skip(result.reason)
        case Verdict.XFAIL:
            pytest.xfail(result.reason)
        case _:
            return


def attach(case: Case, attempt: Attempt, folder: RunFolder) -> None:
    """Give Allure the title, the suites, the exchanges as steps, and the trace with its sequence diagram."""
    allure.dynamic.title(f"{case.ocpp} {case.id}: {case.title}")
    allure.dynamic.description(f"{case.sends}\n\n{case.expects}\n\n{case.clause}, {case.level}")
    allure.dynamic.parent_suite(f"OCPP {case.ocpp}")
    allure.dynamic.suite(case.shown_block)
    allure.dynamic.sub_suite(case.certification or "own cases")
    allure.dynamic.epic(f"OCPP {case.ocpp}")
    allure.dynamic.feature(case.certification or "own cases")
    allure.dynamic.story(case.shown_block)
    allure.dynamic.label("verdict", str(attempt.result.verdict))
    if not attempt.result.trace:
        return
    shown = _shown_test()
    if shown is not None:
        shown.steps.extend(_steps(attempt))
    allure.attach.file(str(folder.path / attempt.result.trace), "trace", "application/x-ndjson", "jsonl")
    allure.attach(sequence_text(attempt.history.records), "sequence", allure.attachment_type.TEXT)


def _shown_test() -> TestResult | None:
    """Find the test that Allure is writing; None without `--alluredir`."""
    loggers = (getattr(plugin, "allure_logger", None) for plugin in allure_commons.plugin_manager.get_plugins())
    return next((logger.get_test(None) for logger in loggers if logger is not None), None)


def _steps(attempt: Attempt) -> Iterator[TestStepResult]:
    """Make a step of each exchange, as long as its answer took; one that a finding speaks of is failed."""
    records = attempt.history.records
    wrong = {finding["frame"] for finding in attempt.result.findings if finding["verdict"] == Verdict.FAILED}
    for exchange in attempt.history.exchanges:
        end = exchange.answer or exchange.call
        stop = end.t if exchange.answer else exchange.call.t + (exchange.waited or 0.0)
        start = _milliseconds(records[exchange.call.line].wall)
        yield TestStepResult(
            name=_step(exchange),
            status=Status.FAILED if {exchange.call.line, end.line} & wrong else Status.PASSED,
            start=start,
            stop=start + round((stop - exchange.call.t) * 1000),
        )


def _milliseconds(wall: str | None) -> int:
    return round(datetime.fromisoformat(wall).timestamp() * 1000) if wall else 0


def _step(exchange: Exchange) -> str:
    who = "station → CSMS" if exchange.by_station else "CSMS → station"
    return f"{who} {exchange.action}: {exchange.name_answer()}"
