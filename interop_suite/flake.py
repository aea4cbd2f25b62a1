"""Verdicts that hold: the same cases again and again on a machine that has other things to do."""

from __future__ import annotations

import contextlib
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator

from evidence.verdicts import Verdict
from fixtures.csms import Mode
from interop_suite.model import all_cases
from interop_suite.selftest import Bench

__all__ = ["run_flake"]

_BURN = "while True: pass"


def run_flake(
    *, repeat: int, burners: int, jobs: int = 24, progress: Callable[[str], None] = lambda _: None
) -> dict[str, dict[str, int]]:
    """Run every case `repeat` times in each mode beside `burners` busy processes.

    Returns the cases whose verdict changed, or was ever FAILED or INCONCLUSIVE: `<mode> <case>` to verdict counts.
    """
    cases = all_cases()
    seen: dict[str, Counter[Verdict]] = {}
    with _busy(burners), Bench(jobs) as bench:
        for mode in Mode:
            for number in range(1, repeat + 1):
                results = bench.run(cases, mode)
                for result in results:
                    seen.setdefault(f"{mode} {result.ocpp}-{result.id}", Counter())[result.verdict] += 1
                progress(f"{mode} {number}/{repeat}")
    alarms = (Verdict.FAILED, Verdict.INCONCLUSIVE)
    return {
        name: {str(verdict): number for verdict, number in verdicts.items()}
        for name, verdicts in seen.items()
        if len(verdicts) > 1 or any(verdict in alarms for verdict in verdicts)
    }


@contextlib.contextmanager
def _busy(burners: int) -> Iterator[None]:
    """Keep cores busy for as long as the context lasts."""
    processes = [subprocess.Popen([sys.executable, "-c", _BURN]) for _ in range(burners)]  # noqa: S603  # our own words
    try:
        yield
    finally:
        for process in processes:
            process.kill()
            process.wait()
