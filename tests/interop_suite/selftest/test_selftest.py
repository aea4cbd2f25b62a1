from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Self

import psutil
import pytest

from evidence.verdicts import Verdict
from fixtures.csms import Mode, all_defects
from fixtures.csms.defects import table_of
from fixtures.csms.mutants import all_mutants
from interop_suite.catalogue import all_cases
from interop_suite.selftest import flake, selftest
from interop_suite.selftest.applicability import OTHERS, Seen, declared_cases, tried_behind, tried_cases
from interop_suite.selftest.bench import (
    DefectTask,
    DefectTried,
    ModeTask,
    ModeTried,
    MutantTask,
    MutantTried,
    open_benches,
)
from interop_suite.selftest.drawing import draw_evenly
from interop_suite.selftest.flake import run_flake
from interop_suite.selftest.mutation import MutationRun, share_of
from interop_suite.selftest.selftest import run_selftest
from interop_suite.selftest.worker_pool import Ended
from mqtt.dialect import dialect_names

CASES = all_cases()
DEFECT = "heartbeat-unanswered"
SEEN = {case.key: Seen(calls={"Heartbeat"}) for case in CASES}
DECLARED = [case.key for case in declared_cases(CASES, all_defects()[DEFECT], SEEN)]


class FakePool:
    """Ends every task as it is told, without a process."""

    def __init__(self, **ends: object) -> None:
        self.ends = ends
        self.tasks: list[ModeTask | DefectTask | MutantTask] = []

    def __call__(self, *_: object, **__: object) -> FakePool:
        return self

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        pass

    def give(self, *tasks: ModeTask | DefectTask | MutantTask) -> None:
        self.tasks += tasks

    def ended(self) -> Iterable[Ended]:
        for task in self.tasks:
            kind = "mutant" if isinstance(task, MutantTask) else "defect"
            end = self.ends[task.mode if isinstance(task, ModeTask) else kind]
            yield Ended(task=task, problem=end) if isinstance(end, str) else Ended(task=task, value=end)


def mode(
    *, verdict: Verdict = Verdict.OK, alarms: list[str] | None = None, mistakes: list[str] | None = None
) -> ModeTried:
    return ModeTried(verdicts={"1.6-X": verdict}, alarms=alarms or [], seen=SEEN, mistakes=mistakes or [])


def tried(*failed: str, mistakes: list[str] | None = None) -> DefectTried:
    return DefectTried(failed=dict.fromkeys(failed, "why"), mistakes=mistakes or [])


GOOD = {"strict": mode(), "lenient": mode(), "defect": tried(*DECLARED)}
STRANGER = "1.6-TC_013_CSMS"


@pytest.mark.parametrize(
    ("changed", "problems"),
    [
        ({}, []),
        ({"strict": mode(alarms=["1.6-X FAILED: why"])}, ["strict: 1.6-X FAILED: why"]),
        ({"lenient": mode(mistakes=["KeyError: 'x'"])}, ["lenient: the practice CSMS itself broke: KeyError: 'x'"]),
        ({"lenient": "its worker process died of SIGSEGV"}, ["lenient: its worker process died of SIGSEGV"]),
        ({"defect": "it did not end within 2 s"}, [f"{DEFECT}: it did not end within 2 s"]),
        ({"defect": tried(*DECLARED[1:])}, [f"{DEFECT}: missed by {DECLARED[0]}"]),
        ({"defect": tried(*DECLARED, STRANGER)}, [f"{DEFECT}: unexpectedly found by {STRANGER} (why)"]),
        ({"defect": tried(*DECLARED, mistakes=["x"])}, [f"{DEFECT}: the practice CSMS itself broke: x"]),
        (
            {"defect": tried()},
            [*(f"{DEFECT}: missed by {key}" for key in DECLARED), f"{DEFECT}: no case finds it"],
        ),
    ],
)
def test_whatever_is_wrong_is_a_problem(
    monkeypatch: pytest.MonkeyPatch, changed: dict[str, object], problems: list[str]
) -> None:
    monkeypatch.setattr(selftest, "WorkerPool", FakePool(**GOOD | changed))
    outcome = run_selftest(only=[DEFECT])
    assert sorted(outcome.problems) == sorted(problems)
    assert outcome.passed is (not problems)
    assert outcome.cases_without_defect == []


def test_without_a_strict_run_no_defect_is_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    pool = FakePool(**GOOD | {"strict": "it did not end within 2 s"})
    monkeypatch.setattr(selftest, "WorkerPool", pool)
    assert run_selftest(only=[DEFECT]).problems == ["strict: it did not end within 2 s"]
    assert len(pool.tasks) == 2


MUTANT = "1.6/answer/Heartbeat/currentTime/missing"


@pytest.mark.parametrize(
    ("end", "share", "problems"),
    [
        (MutantTried(killed_by="1.6-X", acted=True, tried=1), 1.0, []),
        (MutantTried(acted=True, tried=1), 0.0, []),
        ("it did not end within 2 s", 1.0, [f"{MUTANT}: it did not end within 2 s"]),
    ],
    ids=["found", "survives", "late"],
)
def test_mutants_are_tried_beside_the_defects(
    monkeypatch: pytest.MonkeyPatch, end: object, share: float, problems: list[str]
) -> None:
    def choose(right: ModeTried) -> MutationRun:
        seen = {key: Seen(parts=set(all_mutants()[MUTANT].needs)) for key in right.verdicts}
        return MutationRun([all_mutants()[MUTANT]], seen, right.verdicts)

    pool = FakePool(**GOOD, mutant=end)
    monkeypatch.setattr(selftest, "WorkerPool", pool)
    outcome = run_selftest(only=[DEFECT], mutation=choose)
    assert [type(task) for task in pool.tasks] == [ModeTask, ModeTask, DefectTask, MutantTask]
    assert [defect.id for defect in outcome.defects] == [DEFECT]
    assert share_of(outcome.mutants) == share
    assert outcome.problems == problems


def test_defects_are_drawn_evenly_from_their_tables() -> None:
    known = list(all_defects())
    tables = {table_of(name) for name in known}
    drawn = draw_evenly(known, 2 * len(tables), 7, table_of)
    assert {table_of(name) for name in drawn} == tables
    assert draw_evenly(known, 20, 7, table_of) == draw_evenly(known, 20, 7, table_of)
    assert draw_evenly(known, 20, 7, table_of) != draw_evenly(known, 20, 8, table_of)


@pytest.mark.parametrize("name", list(all_defects())[::30])
def test_defect_is_tried_on_all_that_declare_it_and_the_same_few_others_in_every_run(name: str) -> None:
    defect = all_defects()[name]
    company = {case.key: Seen(calls={"Heartbeat"}, company=True) for case in CASES}
    chosen = [case.key for case in tried_cases(CASES, defect, company, full=False)]
    declared = {case.key for case in CASES if name in case.defects and case.ocpp in defect.versions}
    assert declared <= set(chosen)
    assert len(chosen) - len(declared) <= OTHERS
    assert chosen == [case.key for case in tried_cases(list(CASES), defect, dict(company), full=False)]


def test_full_tries_every_case_of_the_versions_that_is_not_withdrawn() -> None:
    standing = [case for case in CASES if case.listed is None or not case.listed.withdrawn]
    assert len(tried_cases(CASES, all_defects()[DEFECT], SEEN, full=True)) == len(standing) < len(CASES)


def test_what_was_not_run_over_websocket_is_not_tried_there() -> None:
    defect = all_defects()[DEFECT]
    plain = {key: one for key, one in SEEN.items() if "-MQ_" not in key}
    assert not any("-MQ_" in case.key for case in tried_cases(CASES, defect, plain, full=True))
    assert declared_cases(CASES, defect, {}) == []


def test_bench_finds_a_defect_by_its_case_and_leaves_others_alone() -> None:
    with open_benches(4) as work:
        found = work(DefectTask(DEFECT, ["1.6-TC_001_CSMS", STRANGER]))
        right = work(DefectTask("answer-twice", [STRANGER]))
    assert isinstance(found, DefectTried)
    assert isinstance(right, DefectTried)
    assert set(found.failed) == {"1.6-TC_001_CSMS"}
    assert (right.failed, right.mistakes) == ({}, [])


def test_a_defect_behind_a_broker_is_found_in_every_dialect_in_which_it_can_be_seen() -> None:
    with open_benches(4) as work:
        for dialect in ("raw", "maeve"):
            right = work(ModeTask(Mode.STRICT, dialect=dialect))
            assert isinstance(right, ModeTried)
            assert (right.alarms, right.mistakes) == ([], [])
            for name in ("mqtt-two-instances-answer", "mqtt-without-properties"):
                defect = all_defects()[name]
                declared, _ = tried_behind(CASES, defect, right.verdicts, full=False)
                found = work(DefectTask(name, [case.key for case in declared], dialect))
                assert isinstance(found, DefectTried)
                assert set(found.failed) == {case.key for case in declared}
                # Arrays have no properties, so nobody looks for them there.
                assert bool(declared) is ((name, dialect) != ("mqtt-without-properties", "raw"))


def test_defects_that_need_a_broker_are_tried_there_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    pool = FakePool(strict=mode(), lenient=mode())
    monkeypatch.setattr(selftest, "WorkerPool", pool)
    outcome = run_selftest(only=["mqtt-hears-itself"])
    assert {(task.mode, task.dialect) for task in pool.tasks if isinstance(task, ModeTask)} == {
        (m, d) for m in Mode for d in dialect_names()
    }
    # Of what no case could find nobody may think that it was found.
    assert outcome.problems == ["mqtt-hears-itself: no case of any dialect can find it"]


def test_flake_names_cases_whose_verdict_changes_or_alarms(monkeypatch: pytest.MonkeyPatch) -> None:
    class Fickle(FakePool):
        def ended(self) -> Iterable[Ended]:
            for number, task in enumerate(self.tasks):
                verdicts = {"A": Verdict.OK, "B": Verdict.OK if number else Verdict.NON_STRICT, "C": Verdict.FAILED}
                yield Ended(task=task, value=ModeTried(verdicts=verdicts, alarms=[], seen={}, mistakes=[]))

    monkeypatch.setattr(flake, "WorkerPool", Fickle())
    assert run_flake(repeat=2, burners=0) == {
        "strict B": {"NON_STRICT": 1, "OK": 1},
        "strict C": {"FAILED": 2},
        "lenient C": {"FAILED": 2},
    }


def test_flake_tells_of_a_repetition_that_never_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(flake, "WorkerPool", FakePool(strict=mode(), lenient="its worker process died of SIGSEGV"))
    assert run_flake(repeat=2, burners=0) == {"lenient its worker process died of SIGSEGV": {"broken": 2}}


@pytest.mark.parametrize("words", [["--defect", DEFECT], ["--flake", "2"]])
def test_interrupted_selftest_ends_at_once_with_130_and_leaves_no_process(tmp_path: Path, words: list[str]) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "plugstorm", "selftest", *words],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        children: list[psutil.Process] = []
        deadline = time.monotonic() + 30
        while len(children) < 2 and time.monotonic() < deadline:
            time.sleep(0.05)
            children = psutil.Process(process.pid).children(recursive=True)
        process.send_signal(signal.SIGINT)
        output, _ = process.communicate(timeout=10)
    finally:
        process.kill()
        process.wait()
    assert (process.returncode, output) == (130, "plugstorm: interrupted\n")
    assert len(children) >= 2
    assert not any(child.is_running() and child.status() != psutil.STATUS_ZOMBIE for child in children)


def test_flaw_of_the_certificate_is_tried_on_cases_with_tls_that_do_not_declare_it() -> None:
    defect = all_defects()["server-certificate-of-another-host"]
    plain = tried_cases(CASES, defect, SEEN, full=False)
    secured = tried_cases(CASES, defect, {case.key: Seen(moments={"tls"}) for case in CASES}, full=False)
    assert len(secured) == len(plain) + OTHERS
