"""Counts the defects of the practice CSMS that `plugstorm analyze` finds from the log of a case alone.

Runs each defect on the cases that declare it and judges nothing but their frames:
`python -m benchmarks.defects_in_logs [DEFECT...]`. With the word `right` instead it runs every case while the CSMS is
right, strict and lenient, and lists what would be false alarms.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor

import msgspec

from analysis.judge import CALL_TIMEOUT, Judge
from analysis.model import Side
from analysis.readers.records import PlugstormReader
from evidence.run_model import CaseResult
from fixtures.csms import Mode, all_defects
from interop_suite.catalogue import Case, all_cases
from interop_suite.claims.history import History
from interop_suite.run.runner import Attempt
from interop_suite.selftest.bench import PATIENCE, Bench, DefectTask
from ocppj.trace import TraceRecord, encode_record

__all__ = ["Listening", "declared", "main", "rules_broken"]

_JOBS = 16
_EVERY = 24
_RIGHT = "right"
_LATE = "late-answer"


def rules_broken(records: Iterable[TraceRecord]) -> set[str]:
    """Return the rules that the CSMS, or the way to it, breaks in a trace.

    A case waits a moment for an answer only; where one came late, this machine was busy, and patience says more.
    """
    lines = [(number, encode_record(record).decode()) for number, record in enumerate(records, 1)]
    rules = _judged(lines, PATIENCE)
    return _judged(lines, CALL_TIMEOUT) if _LATE in rules else rules


def _judged(lines: list[tuple[int, str]], timeout: float) -> set[str]:
    judge, reader = Judge(timeout=timeout), PlugstormReader()
    judge.begin("trace", reader.name, reader.traits)
    judge.read(reader.read(lines, ""))
    analysis = judge.finish()
    return {rule for side in (Side.CSMS, Side.NETWORK) for rule in analysis.counts.get(side, {})}


class Listening(Bench):
    """A bench that keeps the traces of its cases."""

    def __init__(self, pool: ThreadPoolExecutor) -> None:
        """Run as many cases at the same time as the pool has threads for."""
        super().__init__(pool)
        self.histories: list[History] = []

    def hear(self, cases: Iterable[Case], mode: Mode) -> list[History]:
        """Run cases while the CSMS is right, and return what was said in each."""
        self.histories = []
        self._run(cases, mode, lambda attempt: attempt.result)
        return self.histories

    def hear_defect(self, defect: str, cases: Sequence[str]) -> list[History]:
        """Run cases, by their keys, while the CSMS has a defect, and return what was said in each."""
        self.histories = []
        self.try_defect(DefectTask(defect, list(cases)))
        return self.histories

    def _run(
        self,
        cases: Iterable[Case],
        mode: Mode,
        look: Callable[[Attempt], CaseResult],
        defects: Sequence[str] = (),
        *,
        alone: bool = False,
        dialect: str = "",
    ) -> list[CaseResult]:
        def keep(attempt: Attempt) -> CaseResult:
            self.histories.append(attempt.history)
            return look(attempt)

        return super()._run(cases, mode, keep, defects, alone=alone, dialect=dialect)


def declared() -> dict[str, list[str]]:
    """Map each defect to the cases that declare it; what none declares shows in none of them."""
    found: dict[str, list[str]] = {}
    for case in all_cases():
        for defect in case.defects:
            found.setdefault(defect, []).append(case.key)
    return found


def _case_of(history: History) -> str:
    told = next((record.info for record in history.records if "case" in record.info), {})
    return f"{told.get('ocpp')}-{told.get('case')}"


def _told(**fields: object) -> None:
    sys.stdout.write(msgspec.json.encode(fields).decode() + "\n")
    sys.stdout.flush()


def _try_right(bench: Listening) -> None:
    """Judge every case of a CSMS that is right: a rule that it breaks is a false alarm."""
    for mode in (Mode.STRICT, Mode.LENIENT):
        for history in bench.hear(all_cases(), mode):
            rules = sorted(rules_broken(history.records))
            if rules:
                _told(mode=str(mode), case=_case_of(history), rules=rules)
        _told(mode=str(mode), traces=len(bench.histories))


def main() -> int:
    """Try every defect, or those that are named, and write a line of JSON for each."""
    cases = declared()
    words = sys.argv[1:]
    typical = [case.key for case in all_cases()][::_EVERY]
    found = 0
    with ThreadPoolExecutor(_JOBS) as pool, Listening(pool) as bench:
        if words == [_RIGHT]:
            _try_right(bench)
            return 0
        defects = words or [name for name, defect in all_defects().items() if not defect.needs_broker]
        for defect in defects:
            heard = bench.hear_defect(defect, cases.get(defect, typical))
            rules = sorted({rule for history in heard for rule in rules_broken(history.records)})
            found += bool(rules)
            _told(defect=defect, rules=rules)
    _told(defects=len(defects), found=found)
    return 0


if __name__ == "__main__":
    sys.exit(main())
