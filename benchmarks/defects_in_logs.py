"""Counts the defects of the practice CSMS that `plugstorm analyze` finds from the log of a case alone.

Runs each defect on the cases that declare it and judges nothing but their frames:
`python -m benchmarks.defects_in_logs`.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor

import msgspec

from analysis.judge import Judge
from analysis.model import Side
from analysis.readers.records import PlugstormReader
from evidence.run_model import CaseResult
from fixtures.csms import Mode, all_defects
from interop_suite.catalogue import Case, all_cases
from interop_suite.claims.history import History
from interop_suite.run.runner import Attempt
from interop_suite.selftest.bench import PATIENCE, Bench, DefectTask
from ocppj.trace import TraceRecord, encode_record

__all__ = ["main", "rules_broken"]

_JOBS = 16
_EVERY = 24


def rules_broken(records: Iterable[TraceRecord]) -> set[str]:
    """Return the rules that the CSMS, or the way to it, breaks in a trace."""
    judge, reader = Judge(timeout=PATIENCE), PlugstormReader()
    judge.begin("trace", reader.name, reader.traits)
    judge.read(reader.read(((n, encode_record(record).decode()) for n, record in enumerate(records, 1)), ""))
    analysis = judge.finish()
    return {rule for side in (Side.CSMS, Side.NETWORK) for rule in analysis.counts.get(side, {})}


class _Listening(Bench):
    """A bench that keeps the traces of its cases."""

    def __init__(self, pool: ThreadPoolExecutor) -> None:
        super().__init__(pool)
        self.histories: list[History] = []

    def _run(
        self,
        cases: Iterable[Case],
        mode: Mode,
        look: Callable[[Attempt], CaseResult],
        defects: Sequence[str] = (),
        *,
        alone: bool = False,
    ) -> list[CaseResult]:
        def keep(attempt: Attempt) -> CaseResult:
            self.histories.append(attempt.history)
            return look(attempt)

        return super()._run(cases, mode, keep, defects, alone=alone)


def main() -> int:
    """Try every defect and write a line of JSON for each."""
    cases: dict[str, list[str]] = {}
    for case in all_cases():
        cases.setdefault(case.defect, []).append(case.key)
    # What no case declares shows in any of them.
    typical = [case.key for case in all_cases()][::_EVERY]
    found = 0
    with ThreadPoolExecutor(_JOBS) as pool, _Listening(pool) as bench:
        for defect in all_defects():
            bench.histories = []
            bench.try_defect(DefectTask(defect, cases.get(defect, typical)))
            rules = sorted({rule for history in bench.histories for rule in rules_broken(history.records)})
            found += bool(rules)
            sys.stdout.write(msgspec.json.encode({"defect": defect, "rules": rules}).decode() + "\n")
            sys.stdout.flush()
    sys.stdout.write(msgspec.json.encode({"defects": len(all_defects()), "found": found}).decode() + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
