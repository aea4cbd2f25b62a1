"""The checker checked: every case against the practice CSMS, strict, lenient, and with each defect in turn."""

from __future__ import annotations

import contextlib
import multiprocessing
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from typing import Any, Self

import msgspec

from evidence.run_model import CaseResult
from evidence.verdicts import Verdict
from fixtures.csms import Mode, ThreadCsms, all_defects, practice_csms
from fixtures.csms.defects.model import ANY, Defect
from interop_suite.general import GENERAL_DEFECTS, caught_everywhere
from interop_suite.history import AnswerKind, History
from interop_suite.model import Case, all_cases
from interop_suite.options import Settings, make_driver
from interop_suite.results import counts_of
from interop_suite.runner import Runner
from interop_suite.state import csms_settings

__all__ = ["Bench", "DefectOutcome", "SelfTest", "run_selftest"]

LONG_IDENTITY = 30
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
    jobs: int = 24,
    processes: int = 2,
    only: Iterable[str] | None = None,
    full: bool = False,
    progress: Callable[[str], None] = lambda _: None,
) -> SelfTest:
    """Run both modes and every defect, or only the named defects.

    A defect is tried on every case that declares it, and on some of the others in which it could act: always the same
    ones, so that a pass means something. `full` tries it on all of them, which takes many times as long.
    """
    cases = all_cases()
    known = all_defects()
    wanted = list(known.values()) if only is None else [known[name] for name in only]
    without = sorted(case.key for case in cases if case.defect not in known)
    problems = [f"{key} names no defect of the practice CSMS" for key in without]
    problems += [f"{c.key} names an unknown defect {d}" for c in cases for d in c.also if d not in known]
    counts: dict[str, dict[Verdict, int]] = {}
    outcomes = []
    with Bench(jobs) as bench:
        for mode in Mode:
            results = bench.run(cases, mode)
            bench.watching = False
            counts[mode] = counts_of(results)
            progress(f"{mode}: {_words(counts[mode])}")
            problems += [f"{mode}: {r.ocpp}-{r.id} {r.verdict}: {r.reason}" for r in results if _is_alarm(r)]
        seen = bench.seen
    for number, outcome in enumerate(_try_all([defect.id for defect in wanted], seen, jobs, processes, full=full), 1):
        outcomes.append(outcome)
        progress(f"{number}/{len(wanted)} {outcome.id}: killed by {', '.join(outcome.killed_by) or 'nothing'}")
        problems += _problems_of(outcome)
    return SelfTest(
        strict=counts[Mode.STRICT],
        lenient=counts[Mode.LENIENT],
        defects=outcomes,
        cases_without_defect=without,
        problems=problems,
    )


class _Seen(msgspec.Struct):
    """What crosses the wire in a case while the CSMS is right; a defect that acts on none of it changes nothing."""

    calls: set[str] = set()
    commands: set[str] = set()
    general: set[str] = set()
    """General defects that must show in the case."""
    moments: set[str] = set()
    """Moments of `fixtures.csms.defects.model` at which a connection of the case gives a defect something to act on."""
    company: bool = False
    """Whether there is another station, which could be harmed."""

    def add(self, history: History) -> None:
        """Learn from a history."""
        # What happens before the script begins is not judged: a defect there leaves a case INCONCLUSIVE at worst.
        for exchange in history.exchanges:
            if exchange.call.scripted:
                (self.calls if exchange.by_station else self.commands).add(exchange.action)
        self.general.update(name for name in GENERAL_DEFECTS if caught_everywhere(name, history))
        self.moments.update(_moments(history))
        self.company = self.company or len({connection.station for connection in history.connections}) > 1


_STATION_MOMENTS = frozenset({"call", "answer", "frames"})
_CSMS_MOMENTS = frozenset({"command", "overtake", "reply"})
_CONNECTION_MOMENTS = frozenset(
    {"unreadable", "credentials", "subprotocol", "replace", "book", "handshake", "identity", "receive", "violated"}
)


def _moments(history: History) -> Iterator[str]:
    if any(frame.sent and frame.error is not None for frame in history.frames):
        yield "unreadable"
    if any(call.operation == "recorded" for call in history.driver_calls):
        yield "book"
    if any("raw" in record.info for record in history.records):
        yield from ("receive", "violated")
    if any(not e.by_station and e.kind is AnswerKind.NONE for e in history.exchanges):
        yield "receive"
    attempts = history.connections
    if any(attempt.info.get("credentials") or attempt.info.get("tls") or not attempt.opened for attempt in attempts):
        yield from ("credentials", "handshake")
    if any(attempt.info.get("offered") != [history.rules.subprotocol] for attempt in attempts):
        yield from ("subprotocol", "handshake")
    if len(attempts) > len({attempt.station for attempt in attempts}):
        yield from ("replace", "handshake", "receive")
    if any("%" in attempt.info.get("url", "") or len(attempt.station) > LONG_IDENTITY for attempt in attempts):
        yield from ("identity", "handshake")


def _touches(defect: Defect, seen: _Seen) -> bool:
    for moment, actions, _ in defect.hooks:
        if moment in _STATION_MOMENTS:
            touched = ANY in actions or bool(seen.calls.intersection(actions))
        elif moment in _CSMS_MOMENTS:
            touched = bool(seen.commands) if ANY in actions else bool(seen.commands.intersection(actions))
        else:
            # What acts on every connection or frame can touch any case.
            touched = moment not in _CONNECTION_MOMENTS or moment in seen.moments
        if touched:
            return True
    return False


OTHERS = 16
"""Cases besides the declared ones that a defect is tried on, unless every case is asked for."""


def _sample(cases: Sequence[Case], defect: str, seen: Mapping[str, _Seen]) -> list[Case]:
    """Take every case that must find a defect, and some others, spread evenly and the same in every run."""
    declared = [case for case in cases if defect in case.defects or defect in seen[case.key].general]
    if len(declared) > OTHERS * 2 and all(defect not in case.defects for case in declared):
        declared = _spread(declared, OTHERS * 2, defect)
    chosen = {case.key for case in declared}
    others = [case for case in cases if case.key not in chosen and defect not in seen[case.key].general]
    return declared + _spread(others, OTHERS, defect)


def _spread(cases: Sequence[Case], number: int, salt: str) -> list[Case]:
    return sorted(cases, key=lambda case: zlib.crc32(f"{salt} {case.key}".encode()))[:number]


class Bench(contextlib.AbstractContextManager["Bench"]):
    """One practice CSMS whose behaviour is changed between runs, and what each case has shown."""

    def __init__(self, jobs: int) -> None:
        """Run `jobs` cases at the same time."""
        self._jobs = jobs
        self.seen: dict[str, _Seen] = {}
        self.watching = True
        """Whether runs show what a case does while the CSMS is right: only the first, strict one does."""
        self._stack = contextlib.ExitStack()

    def __enter__(self) -> Self:
        self._csms: ThreadCsms = self._stack.enter_context(practice_csms(tls_port=0, call_timeout=PATIENCE))
        settings = self._stack.enter_context(csms_settings(self._csms, Settings(timeout=PATIENCE)))
        self._runner = Runner(settings.target(), make_driver(settings), None, watch=self._watch)
        self._pool = self._stack.enter_context(ThreadPoolExecutor(self._jobs))
        return self

    def __exit__(self, *exc: object) -> None:
        self._stack.close()

    def run(
        self, cases: Sequence[Case], mode: Mode, defects: Iterable[str] = (), *, alone: bool = False
    ) -> list[CaseResult]:
        """Run cases against one behaviour, side by side unless one station may harm another."""
        self._csms.behave(mode=mode, defects=list(defects))
        self._csms.reset()
        return list(map(self._runner.run, cases) if alone else self._pool.map(self._runner.run, cases))

    def try_defect(self, name: str, seen: Mapping[str, _Seen], *, full: bool) -> DefectOutcome:
        """Run the cases that a defect can reach, or all of its versions."""
        defect = all_defects()[name]
        concerned = [case for case in all_cases() if case.ocpp in defect.versions]
        if not full:
            concerned = [c for c in concerned if name in c.defects or _touches(defect, seen[c.key])]
        if defect.alone:
            concerned = [c for c in concerned if seen[c.key].company]
        if not full:
            concerned = _sample(concerned, name, seen)
        results = self.run(concerned, Mode.STRICT, [name], alone=defect.alone)
        failed = {f"{r.ocpp}-{r.id}" for r in results if r.verdict is Verdict.FAILED}
        declared = {c.key for c in concerned if name in c.defects or name in seen[c.key].general}
        return DefectOutcome(
            id=name,
            killed_by=sorted(failed & declared),
            missed=sorted(declared - failed),
            unexpected=sorted(failed - declared),
        )

    def _watch(self, case: Case, history: History) -> None:
        if not self.watching:
            return
        self.seen.setdefault(case.key, _Seen()).add(history)


def _try_all(
    names: Sequence[str], seen: Mapping[str, _Seen], jobs: int, processes: int, *, full: bool
) -> Iterator[DefectOutcome]:
    """Try every defect, spread over processes: what limits a self-test is the interpreter, not the waiting."""
    if processes == 1 or len(names) == 1:
        with Bench(jobs) as bench:
            yield from (bench.try_defect(name, seen, full=full) for name in names)
        return
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(processes, context, _start_worker, (jobs, seen, full)) as pool:
        yield from pool.map(_work, names)


_worker: tuple[Bench, Mapping[str, _Seen], bool] | None = None


def _start_worker(jobs: int, seen: Mapping[str, _Seen], full: bool) -> None:  # noqa: FBT001  # an initializer takes no keywords
    global _worker  # noqa: PLW0603  # a worker process has no other place to keep its CSMS
    bench = Bench(jobs)
    bench.__enter__()
    _worker = bench, seen, full


def _work(name: str) -> DefectOutcome:
    assert _worker is not None
    bench, seen, full = _worker
    return bench.try_defect(name, seen, full=full)


def _is_alarm(result: CaseResult) -> bool:
    return result.verdict in (Verdict.FAILED, Verdict.INCONCLUSIVE)


def _problems_of(outcome: DefectOutcome) -> Iterator[str]:
    yield from (f"{outcome.id}: missed by {key}" for key in outcome.missed)
    yield from (f"{outcome.id}: unexpectedly found by {key}" for key in outcome.unexpected)
    if not outcome.killed_by:
        yield f"{outcome.id}: no case finds it"


def _words(counts: dict[Verdict, Any]) -> str:
    return ", ".join(f"{number} {verdict}" for verdict, number in counts.items() if number)
