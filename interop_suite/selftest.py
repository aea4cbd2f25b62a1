"""The checker checked: every case against the practice CSMS, strict, lenient, and with each defect in turn."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Self

import msgspec

from evidence.run_model import CaseResult
from evidence.verdicts import Verdict
from fixtures.csms import Mode, ThreadCsms, all_defects, practice_csms
from fixtures.csms.defects.model import ANY, Defect
from interop_suite.history import History
from interop_suite.model import Case, all_cases
from interop_suite.options import Settings, make_driver
from interop_suite.results import counts_of
from interop_suite.runner import Runner
from interop_suite.state import csms_settings

__all__ = ["DefectOutcome", "SelfTest", "run_selftest"]

PATIENCE = 1.5
"""Seconds for each answer: the practice CSMS on the same machine answers in milliseconds or never."""


class DefectOutcome(msgspec.Struct, kw_only=True):
    """Which cases a defect made FAILED, and how that differs from what the cases declare."""

    id: str
    killed_by: list[str]
    missed: list[str]
    """Cases that declare the defect and did not find it."""
    unexpected: list[str]
    """Cases that failed without declaring the defect: false alarms, or a defect that is not narrow."""


class SelfTest(msgspec.Struct, kw_only=True):
    """The whole outcome; `cases_without_defect` are claims that nothing proves able to fail."""

    strict: dict[Verdict, int]
    lenient: dict[Verdict, int]
    defects: list[DefectOutcome]
    cases_without_defect: list[str]
    problems: list[str] = []
    """What is wrong, in words; empty when everything holds."""

    @property
    def passed(self) -> bool:
        """Whether the checker can be believed."""
        return not self.problems


def run_selftest(
    *,
    jobs: int = 8,
    only: Iterable[str] | None = None,
    full: bool = False,
    progress: Callable[[str], None] = lambda _: None,
) -> SelfTest:
    """Run both modes and every defect, or only the named defects.

    A defect that acts on certain actions is tried on the cases in which one of them crosses the wire; `full` tries it
    on every case.
    """
    cases = all_cases()
    known = all_defects()
    wanted = list(known.values()) if only is None else [known[name] for name in only]
    without = sorted(case.key for case in cases if case.defect not in known)
    problems = [f"{key} names no defect of the practice CSMS" for key in without]
    problems += [f"{c.key} names an unknown defect {d}" for c in cases for d in c.also if d not in known]
    counts: dict[str, dict[Verdict, int]] = {}
    outcomes = []
    with _Bench(jobs) as bench:
        for mode in Mode:
            results = bench.run(cases, mode)
            counts[mode] = counts_of(results)
            progress(f"{mode}: {_words(counts[mode])}")
            problems += [f"{mode}: {r.ocpp}-{r.id} {r.verdict}: {r.reason}" for r in results if _is_alarm(r)]
        for number, defect in enumerate(wanted, 1):
            outcome = bench.try_defect(defect, cases, full=full)
            outcomes.append(outcome)
            progress(f"{number}/{len(wanted)} {defect.id}: killed by {', '.join(outcome.killed_by) or 'nothing'}")
            problems += _problems_of(outcome)
    return SelfTest(
        strict=counts[Mode.STRICT],
        lenient=counts[Mode.LENIENT],
        defects=outcomes,
        cases_without_defect=without,
        problems=problems,
    )


class _Bench(contextlib.AbstractContextManager["_Bench"]):
    """One practice CSMS whose behaviour is changed between runs, and the actions that each case has shown."""

    def __init__(self, jobs: int) -> None:
        self._jobs = jobs
        self._actions: dict[str, set[str]] = {}
        self._stack = contextlib.ExitStack()

    def __enter__(self) -> Self:
        self._csms: ThreadCsms = self._stack.enter_context(practice_csms(tls_port=0, call_timeout=PATIENCE))
        settings = self._stack.enter_context(csms_settings(self._csms, Settings(timeout=PATIENCE)))
        self._runner = Runner(settings.target(), make_driver(settings), None, watch=self._watch)
        self._pool = self._stack.enter_context(ThreadPoolExecutor(self._jobs))
        return self

    def __exit__(self, *exc: object) -> None:
        self._stack.close()

    def run(self, cases: Sequence[Case], mode: Mode, defects: Iterable[str] = ()) -> list[CaseResult]:
        self._csms.behave(mode=mode, defects=list(defects))
        self._csms.reset()
        return list(self._pool.map(self._runner.run, cases))

    def try_defect(self, defect: Defect, cases: Sequence[Case], *, full: bool) -> DefectOutcome:
        concerned = [case for case in cases if case.ocpp in defect.versions]
        if not full:
            concerned = [case for case in concerned if defect.id in case.defects or self._touches(defect, case)]
        results = self.run(concerned, Mode.STRICT, [defect.id])
        failed = {f"{r.ocpp}-{r.id}" for r in results if r.verdict is Verdict.FAILED}
        declared = {case.key for case in concerned if defect.id in case.defects}
        return DefectOutcome(
            id=defect.id,
            killed_by=sorted(failed & declared),
            missed=sorted(declared - failed),
            unexpected=sorted(failed - declared),
        )

    def _watch(self, case: Case, history: History) -> None:
        self._actions.setdefault(case.key, set()).update(exchange.action for exchange in history.exchanges)

    def _touches(self, defect: Defect, case: Case) -> bool:
        acted_on = {action for _, actions, _ in defect.hooks for action in actions}
        return ANY in acted_on or bool(acted_on & self._actions[case.key])


def _is_alarm(result: CaseResult) -> bool:
    return result.verdict in (Verdict.FAILED, Verdict.INCONCLUSIVE)


def _problems_of(outcome: DefectOutcome) -> Iterator[str]:
    yield from (f"{outcome.id}: missed by {key}" for key in outcome.missed)
    yield from (f"{outcome.id}: unexpectedly found by {key}" for key in outcome.unexpected)
    if not outcome.killed_by:
        yield f"{outcome.id}: no case finds it"


def _words(counts: dict[Verdict, Any]) -> str:
    return ", ".join(f"{number} {verdict}" for verdict, number in counts.items() if number)
