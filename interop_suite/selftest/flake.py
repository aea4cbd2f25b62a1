"""Verdicts that hold: the same cases again and again on a machine that has other things to do."""

from __future__ import annotations

import contextlib
import functools
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator

from evidence.verdicts import Verdict
from fixtures.csms import Mode
from interop_suite.selftest.bench import ALARMS, ModeTask, ModeTried, open_benches
from interop_suite.selftest.worker_pool import WorkerPool

__all__ = ["run_flake"]

PROCESSES = 2
LIMIT = 600.0
"""Seconds for one repetition beside busy processes; 30 are usual."""
_BURN = "import os\nparent = os.getppid()\nwhile os.getppid() == parent: pass"


def run_flake(
    *, repeat: int, burners: int, jobs: int = 24, progress: Callable[[str], None] = lambda _: None
) -> dict[str, dict[str, int]]:
    """Run every case `repeat` times in each mode beside `burners` busy processes.

    Returns the cases whose verdict changed, or was ever FAILED or INCONCLUSIVE: `<mode> <case>` to verdict counts. What
    kept a whole repetition from ending is there as well.
    """
    seen: dict[str, Counter[str]] = {}
    tasks = [ModeTask(mode) for mode in Mode for _ in range(repeat)]
    benches = functools.partial(open_benches, jobs)
    with _busy(burners), WorkerPool(benches, processes=PROCESSES, lanes=1, limit=LIMIT) as pool:
        pool.give(*tasks)
        for number, ended in enumerate(pool.ended(), 1):
            mode, tried = ended.task.mode, ended.value or ModeTried(verdicts={}, alarms=[], seen={}, mistakes=[])
            for problem in [*filter(None, [ended.problem]), *tried.mistakes]:
                seen.setdefault(f"{mode} {problem}", Counter())["broken"] += 1
            for key, verdict in tried.verdicts.items():
                seen.setdefault(f"{mode} {key}", Counter())[verdict] += 1
            progress(f"{number}/{len(tasks)} {mode}")
            for alarm in tried.alarms:
                progress(f"  {alarm}")
    steady = set(Verdict) - set(ALARMS)
    return {
        name: {str(verdict): number for verdict, number in verdicts.items()}
        for name, verdicts in seen.items()
        if len(verdicts) > 1 or not steady.issuperset(verdicts)
    }


@contextlib.contextmanager
def _busy(burners: int) -> Iterator[None]:
    """Keep cores busy for as long as the context lasts."""
    with contextlib.ExitStack() as stack:
        for _ in range(burners):
            process = subprocess.Popen([sys.executable, "-c", _BURN])  # noqa: S603  # our own words
            stack.callback(process.wait)
            stack.callback(process.kill)
        yield
