"""Where the checker is checked: practice CSMSs, each wrong in at most one way at a time, and cases run against them."""

from __future__ import annotations

import contextlib
import queue
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Self

import msgspec

from evidence.run_model import CaseResult
from evidence.verdicts import Verdict
from fixtures.brokers import MOSQUITTO, Broker, any_broker
from fixtures.csms import Mode, ThreadCsms, all_defects, practice_csms
from fixtures.csms.mutants.model import ACTED
from interop_suite.catalogue import Case, all_cases
from interop_suite.drive.offer import Trait
from interop_suite.run.plan import make_driver
from interop_suite.run.request import InteropRequest
from interop_suite.run.runner import Attempt, Runner
from interop_suite.run.state import csms_request
from interop_suite.run.target import target_of
from interop_suite.selftest.applicability import Seen
from mqtt.dialect import load_dialect
from ocppj.versions import Version

__all__ = [
    "Bench",
    "DefectTask",
    "DefectTried",
    "ModeTask",
    "ModeTried",
    "MutantTask",
    "MutantTried",
    "is_tried_in",
    "open_benches",
]

PATIENCE = 0.5
"""Seconds for each answer. The CSMS tells when it has none to give, so that a busy machine needs no more."""
CALL_TIMEOUT = 3.0
"""Seconds until the CSMS gives up a CALL: more than a station on a busy machine ever takes to answer one."""
ALARMS = (Verdict.FAILED, Verdict.INCONCLUSIVE)
KILLS = (Verdict.FAILED, Verdict.NON_STRICT)
AT_ONCE = 4
"""Cases that are run at the same time with one mutant."""


SPOKEN_BEHIND = Version.V16
"""What stations speak in a dialect whose topics do not say it."""
PATIENCE_ELSEWHERE = 2.0
"""Seconds for each answer through a broker that does not tell when it has delivered everything."""


def is_tried_in(case: Case, dialect: str) -> bool:
    """Return whether a case belongs to a dialect, or over WebSocket to none."""
    if not dialect:
        return Trait.BROKER not in case.needs
    return Trait.BROKER in case.needs and (load_dialect(dialect).names_version or case.ocpp is SPOKEN_BEHIND)


class ModeTask(msgspec.Struct, frozen=True):
    """Run every case while the CSMS is right."""

    mode: Mode
    watch: bool = False
    """Whether to report what each case shows."""
    dialect: str = ""
    """Behind a broker, in this dialect, the cases about that; empty over WebSocket, all the others."""
    versions: tuple[Version, ...] = tuple(Version)


class ModeTried(msgspec.Struct, kw_only=True):
    """What came of it; cases by their key."""

    verdicts: dict[str, Verdict]
    alarms: list[str]
    """FAILED and INCONCLUSIVE in words."""
    seen: dict[str, Seen]
    mistakes: list[str]
    """What broke in the CSMS itself."""


class DefectTask(msgspec.Struct, frozen=True):
    """Run some cases, by their keys, while the CSMS has a defect."""

    defect: str
    cases: list[str]
    dialect: str = ""
    """As in `ModeTask`."""


class DefectTried(msgspec.Struct, kw_only=True):
    """Which of the cases were FAILED, with the reason."""

    failed: dict[str, str]
    mistakes: list[str]


class MutantTask(msgspec.Struct, frozen=True):
    """Run cases, by their keys, while the CSMS is a mutant, until one gets another verdict than without it."""

    mutant: str
    parents: dict[str, Verdict]
    """The cases in the order in which they are run, and their verdicts while the CSMS is right."""


class MutantTried(msgspec.Struct, kw_only=True):
    """Which case found the mutant, and why."""

    killed_by: str | None = None
    reason: str = ""
    acted: bool = False
    """Whether the mutant changed anything."""
    tried: int = 0
    mistakes: list[str] = []


Task = ModeTask | DefectTask | MutantTask
Tried = ModeTried | DefectTried | MutantTried


class Bench(contextlib.AbstractContextManager["Bench"]):
    """One practice CSMS whose behaviour is changed between runs, one run at a time."""

    def __init__(self, pool: ThreadPoolExecutor) -> None:
        """Run as many cases at the same time as the pool has threads for."""
        self._pool = pool
        self._cases = {case.key: case for case in all_cases()}
        self._behind: dict[str, tuple[ThreadCsms, Runner]] = {}
        """A CSMS behind a broker for each dialect that was asked for."""
        self._broker: Broker | None = None
        self._stack = contextlib.ExitStack()

    def __enter__(self) -> Self:
        self._csms: ThreadCsms = self._stack.enter_context(practice_csms(tls_port=0, call_timeout=CALL_TIMEOUT))
        request = self._stack.enter_context(csms_request(self._csms, InteropRequest(timeout=PATIENCE)))
        driver = make_driver(request)
        self._stack.callback(driver.close)
        self._runner = Runner(target_of(request), driver, None, introspection=self._csms)
        return self

    def __exit__(self, *exc: object) -> None:
        self._stack.close()

    def do(self, task: Task) -> Tried:
        """Do a task of whatever kind."""
        if isinstance(task, ModeTask):
            return self.try_mode(task)
        return self.try_defect(task) if isinstance(task, DefectTask) else self.try_mutant(task)

    def try_mode(self, task: ModeTask) -> ModeTried:
        """Run every case in a mode."""
        seen: dict[str, Seen] = {}

        def look(attempt: Attempt) -> CaseResult:
            if task.watch:
                seen[_key(attempt.result)] = Seen.of(attempt.history)
            return attempt.result

        spoken = [case for case in self._cases.values() if case.ocpp in task.versions]
        cases = [case for case in spoken if is_tried_in(case, task.dialect)]
        results = self._run(cases, task.mode, look, dialect=task.dialect)
        return ModeTried(
            verdicts={_key(result): result.verdict for result in results},
            alarms=[f"{_key(r)} {r.verdict}: {r.reason}" for r in results if r.verdict in ALARMS],
            seen=seen,
            mistakes=self._take_mistakes(task.dialect),
        )

    def try_defect(self, task: DefectTask) -> DefectTried:
        """Run cases with a defect, side by side unless one station may harm another."""
        defect = all_defects()[task.defect]
        cases = [self._cases[key] for key in task.cases]
        results = self._run(
            cases, Mode.STRICT, lambda attempt: attempt.result, [defect.id], alone=defect.alone, dialect=task.dialect
        )
        failed = {_key(result): result.reason for result in results if result.verdict is Verdict.FAILED}
        return DefectTried(failed=failed, mistakes=self._take_mistakes(task.dialect))

    def try_mutant(self, task: MutantTask) -> MutantTried:
        """Run cases with a mutant, a few at a time, until one finds it."""
        self._csms.behave(mode=Mode.STRICT, defects=[task.mutant])
        self._csms.reset()
        tried = MutantTried()
        keys = list(task.parents)
        for start in range(0, len(keys), AT_ONCE):
            batch = [self._cases[key] for key in keys[start : start + AT_ONCE]]
            results = list(self._pool.map(self._runner.run, batch))
            tried.tried += len(batch)
            for result in results:
                key = _key(result)
                if result.verdict in KILLS and result.verdict is not task.parents[key]:
                    tried.killed_by, tried.reason = key, result.reason
            if tried.killed_by:
                break
        tried.acted = bool(self._csms.do(lambda csms: csms.world.memory.get(ACTED)))
        tried.mistakes = self._take_mistakes()
        return tried

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
        csms, runner = self._side(dialect)
        csms.behave(mode=mode, defects=defects)
        csms.reset()

        def run(case: Case) -> CaseResult:
            return look(runner.attempt(case))

        return list(map(run, cases) if alone else self._pool.map(run, cases))

    def _side(self, dialect: str) -> tuple[ThreadCsms, Runner]:
        """Give the CSMS that takes WebSocket, or that of a dialect, started when it is first needed."""
        if not dialect:
            return self._csms, self._runner
        if dialect not in self._behind:
            if self._broker is None:
                self._broker = self._stack.enter_context(any_broker())
            self._behind[dialect] = self._open_behind(self._broker, dialect)
        return self._behind[dialect]

    def _open_behind(self, broker: Broker, dialect: str) -> tuple[ThreadCsms, Runner]:
        url = broker.url_for(load_dialect(dialect).level)
        csms = self._stack.enter_context(
            practice_csms(mqtt=url, mqtt_dialects=(dialect,), mqtt_ocpp=SPOKEN_BEHIND, call_timeout=CALL_TIMEOUT)
        )
        # Another broker than mosquitto may still hold what it has acknowledged, so that nobody can tell silence.
        patience = PATIENCE if MOSQUITTO is not None else PATIENCE_ELSEWHERE
        request = InteropRequest(
            url=url, dialect=dialect, timeout=patience, driver="http", control_url=csms.control_url
        )
        driver = make_driver(request)
        self._stack.callback(driver.close)
        return csms, Runner(target_of(request), driver, None, introspection=csms)

    def _take_mistakes(self, dialect: str = "") -> list[str]:
        csms, _ = self._side(dialect)
        mistakes, csms.mistakes = csms.mistakes, []
        return sorted(set(mistakes))


@contextlib.contextmanager
def open_benches(jobs: int) -> Iterator[Callable[[Task], Tried]]:
    """Give a function that does tasks, from any number of threads, each on a CSMS of its own.

    All of them together run `jobs` cases at the same time.
    """
    idle: queue.SimpleQueue[Bench] = queue.SimpleQueue()
    with contextlib.ExitStack() as stack:
        pool = stack.enter_context(ThreadPoolExecutor(jobs))

        def work(task: Task) -> Tried:
            try:
                bench = idle.get_nowait()
            except queue.Empty:
                bench = stack.enter_context(Bench(pool))
            done = bench.do(task)
            # One that broke is not used again.
            idle.put(bench)
            return done

        yield work


def _key(result: CaseResult) -> str:
    return f"{result.ocpp}-{result.id}"
