"""The checker checked: every case against the practice CSMS, strict, lenient, and with each defect in turn."""

from __future__ import annotations

import functools
import os
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence

import msgspec

from evidence.verdicts import Verdict
from fixtures.csms import Mode, all_defects
from interop_suite.catalogue import Case, all_cases
from interop_suite.selftest.applicability import Seen, declared_cases, tried_behind, tried_cases
from interop_suite.selftest.bench import DefectTask, DefectTried, ModeTask, ModeTried, MutantTask, open_benches
from interop_suite.selftest.mutation import MutationRun, Score
from interop_suite.selftest.worker_pool import Ended, WorkerPool
from mqtt.dialect import dialect_names
from ocppj.versions import Version

__all__ = ["DefectOutcome", "SelfTest", "run_selftest"]

PROCESSES = max(2, os.cpu_count() or 2)
LANES = 6
"""Defects that are tried at the same time in each process: most of the time of a case is waiting."""
LIMIT = 600.0
"""Seconds for one task; on two free cores a defect takes 20 at most, and all cases of a mode 60."""
LIMIT_FULL = 1200.0
SHOWN = 5
"""Cases that a line of progress names."""


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
    mutants: list[Score] = []
    """How many mutants were found, by version; empty where none were asked for."""
    problems: list[str] = []
    """What is wrong, in words; empty when everything holds."""

    @property
    def passed(self) -> bool:
        """Whether the checker can be believed."""
        return not self.problems


def run_selftest(
    *,
    jobs: int = 24,
    processes: int = PROCESSES,
    only: Iterable[str] | None = None,
    full: bool = False,
    mutation: Callable[[ModeTried], MutationRun] | None = None,
    progress: Callable[[str], None] = lambda _: None,
) -> SelfTest:
    """Run both modes and every defect, or only the named defects; each process runs `jobs` cases at the same time.

    Cases about OCPP over MQTT, and their defects, are tried behind a broker of this machine, in every dialect. Where
    only such defects are named, nothing else is run.

    A defect is tried on every case that declares it, and on some of the others in which it could act: always the same
    ones, so that a pass means something. `full` tries it on all of them, which takes many times as long.

    `mutation` chooses mutants to be tried as well, by what the cases have shown of a CSMS that is right.
    """
    wanted = list(all_defects()) if only is None else list(dict.fromkeys(only))
    test = _Run(wanted, full=full, mutation=mutation, progress=progress)
    limit = LIMIT_FULL if full else LIMIT
    with WorkerPool(functools.partial(open_benches, jobs), processes=processes, lanes=LANES, limit=limit) as pool:
        behind = [name for name in wanted if all_defects()[name].needs_broker]
        if only is None or len(behind) < len(wanted):
            pool.give(*(ModeTask(mode, watch=mode is Mode.STRICT) for mode in Mode))
        if only is None or behind:
            pool.give(*(ModeTask(mode, dialect=dialect) for dialect in dialect_names() for mode in Mode))
        for ended in pool.ended():
            pool.give(*test.take(ended))
    return test.outcome()


class _Run:
    """What is known so far."""

    def __init__(
        self,
        wanted: list[str],
        *,
        full: bool,
        mutation: Callable[[ModeTried], MutationRun] | None,
        progress: Callable[[str], None],
    ) -> None:
        self._cases = all_cases()
        self._mutation = mutation
        self._mutants: MutationRun | None = None
        self._wanted = wanted
        self._full = full
        self._progress = progress
        self._seen: dict[str, Seen] = {}
        self._modes: dict[Mode, dict[Verdict, int]] = {}
        self._defects: dict[str, DefectOutcome] = {}
        self._problems: list[str] = []

    def take(self, ended: Ended) -> Sequence[DefectTask | MutantTask]:
        """Note what came of a task, and give the tasks that can be done now."""
        task: ModeTask | DefectTask | MutantTask = ended.task
        name = _name_of(task)
        if ended.problem is not None:
            self._problems.append(f"{name}: {ended.problem}")
            self._progress(self._problems[-1])
        elif isinstance(task, ModeTask):
            self._take_mode(name, task, ended.value)
            if task.dialect:
                return self._tasks_behind(task.dialect, ended.value) if task.mode is Mode.STRICT else []
            return [*self._tasks(), *self._mutant_tasks(ended.value)] if task.watch else []
        elif isinstance(task, MutantTask):
            assert self._mutants is not None
            return self._mutants.take(task, ended.value)
        else:
            self._take_defect(task, ended.value)
        return []

    def outcome(self) -> SelfTest:
        """Sum up."""
        known = all_defects()
        without = sorted(case.key for case in self._cases if case.defect not in known)
        problems = [f"{key} names no defect of the practice CSMS" for key in without]
        problems += [f"{c.key} names an unknown defect {d}" for c in self._cases for d in c.also if d not in known]
        lost = [name for name in self._wanted if known[name].needs_broker and name not in self._defects]
        problems += [f"{name}: no case of any dialect can find it" for name in lost]
        return SelfTest(
            strict=self._modes.get(Mode.STRICT, {}),
            lenient=self._modes.get(Mode.LENIENT, {}),
            defects=[self._defects[name] for name in self._wanted if name in self._defects],
            cases_without_defect=without,
            mutants=[] if self._mutants is None else [self._mutants.score(version) for version in Version],
            problems=problems + self._problems,
        )

    def _take_mode(self, name: str, task: ModeTask, tried: ModeTried) -> None:
        self._seen.update(tried.seen)
        counts = Counter(tried.verdicts.values())
        self._modes[task.mode] = dict(counts + Counter(self._modes.get(task.mode, {})))
        self._problems += [f"{name}: {text}" for text in (*tried.alarms, *_broken(tried.mistakes))]
        self._progress(f"{name}: {', '.join(f'{number} {verdict}' for verdict, number in counts.items())}")

    def _take_defect(self, task: DefectTask, tried: DefectTried) -> None:
        name, defect = task.defect, all_defects()[task.defect]
        failed = set(tried.failed)
        if task.dialect:
            declared = {case.key for case in self._cases if defect.id in case.defects}.intersection(task.cases)
            if defect.widespread:
                failed &= declared
        else:
            declared = {case.key for case in declared_cases(self._cases, defect, self._seen)}.intersection(task.cases)
        where = f" ({task.dialect})" if task.dialect else ""
        outcome = DefectOutcome(
            id=name,
            killed_by=sorted(f"{key}{where}" for key in failed & declared),
            missed=sorted(f"{key}{where}" for key in declared - failed),
            unexpected=sorted(f"{key}{where}" for key in failed - declared),
        )
        words = (*_problems_of(outcome, tried, where), *_broken(tried.mistakes))
        self._problems += [f"{name}{where}: {text}" for text in words]
        earlier = self._defects.get(name)
        if earlier is not None:
            outcome = DefectOutcome(
                id=name,
                killed_by=sorted([*earlier.killed_by, *outcome.killed_by]),
                missed=sorted([*earlier.missed, *outcome.missed]),
                unexpected=sorted([*earlier.unexpected, *outcome.unexpected]),
            )
        self._defects[name] = outcome
        done, all_of_them = len(self._defects), len(self._wanted)
        self._progress(f"{done}/{all_of_them} {name}: killed by {_some(outcome.killed_by)}")

    def _tasks(self) -> list[DefectTask]:
        """List the tasks of the defects, the longest first, so that nobody waits for them at the end."""
        plain = [name for name in self._wanted if not all_defects()[name].needs_broker]
        tasks = [DefectTask(name, [case.key for case in self._tried(name)]) for name in plain]
        return sorted(tasks, key=lambda task: -len(task.cases) * (10 if all_defects()[task.defect].alone else 1))

    def _mutant_tasks(self, right: ModeTried) -> list[MutantTask]:
        if self._mutation is None:
            return []
        self._mutants = self._mutation(right)
        return self._mutants.tasks()

    def _tasks_behind(self, dialect: str, tried: ModeTried) -> list[DefectTask]:
        """List the tasks of the defects that a dialect can show."""
        tasks = []
        for name in self._wanted:
            defect = all_defects()[name]
            if defect.needs_broker:
                declared, others = tried_behind(self._cases, defect, tried.verdicts, full=self._full)
                if declared:
                    tasks.append(DefectTask(name, [case.key for case in (*declared, *others)], dialect))
        return tasks

    def _tried(self, name: str) -> list[Case]:
        return tried_cases(self._cases, all_defects()[name], self._seen, full=self._full)


def _name_of(task: ModeTask | DefectTask | MutantTask) -> str:
    if isinstance(task, MutantTask):
        return task.mutant
    name = task.mode if isinstance(task, ModeTask) else task.defect
    return f"{name} ({task.dialect})" if task.dialect else name


def _problems_of(outcome: DefectOutcome, tried: DefectTried, where: str) -> Iterator[str]:
    yield from (f"missed by {key}" for key in outcome.missed)
    reasons = {f"{key}{where}": reason for key, reason in tried.failed.items()}
    yield from (f"unexpectedly found by {key} ({reasons[key]})" for key in outcome.unexpected)
    if not outcome.killed_by:
        yield "no case finds it"


def _broken(mistakes: list[str]) -> Iterator[str]:
    yield from (f"the practice CSMS itself broke: {mistake}" for mistake in mistakes)


def _some(keys: list[str]) -> str:
    more = len(keys) - SHOWN
    return (", ".join(keys[:SHOWN]) or "nothing") + (f" and {more} more" if more > 0 else "")
