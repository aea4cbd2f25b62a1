from __future__ import annotations

import contextlib
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from interop_suite.selftest.worker_pool import Ended, WorkerPool
from tests.interop_suite.selftest.chores import open_chores


def pool(*, processes: int = 1, lanes: int = 1, limit: float = 60) -> WorkerPool:
    return WorkerPool(open_chores, processes=processes, lanes=lanes, limit=limit)


def by_task(ended: list[Ended]) -> dict[str, Ended]:
    return {each.task: each for each in ended}


def test_every_task_ends_and_one_that_breaks_costs_no_other() -> None:
    with pool() as workers:
        workers.give("wash", "break", "dry")
        ended = by_task(list(workers.ended()))
    assert ended["wash"].value.startswith("wash")
    assert ended["dry"].value.startswith("dry")
    assert (ended["break"].value, ended["break"].problem) == (None, "it broke: ValueError: a plate")


def test_lanes_of_one_process_work_at_the_same_time() -> None:
    with pool(lanes=2) as workers:
        workers.give("meet", "meet")
        first, second = workers.ended()
    assert first.value == second.value


def test_tasks_given_while_others_are_worked_on_are_done_too() -> None:
    with pool() as workers:
        workers.give("wash")
        done = []
        for ended in workers.ended():
            done.append(ended.task)
            if ended.task == "wash":
                workers.give("dry")
    assert done == ["wash", "dry"]


@pytest.mark.parametrize(("end", "how"), [("crash", "died of SIGSEGV"), ("leave", "ended with exit code 7")])
def test_worker_that_dies_is_a_problem_and_another_does_the_rest(end: str, how: str) -> None:
    with pool() as workers:
        workers.give("wash", end, "dry")
        ended = by_task(list(workers.ended()))
    assert ended[end].problem == f"its worker process {how}"
    assert ended["wash"].value.split()[1] != ended["dry"].value.split()[1]


def test_task_that_hangs_is_a_problem_and_those_beside_it_are_done_elsewhere() -> None:
    with pool(lanes=2, limit=2) as workers:
        workers.give("hang", "wash", "dry")
        ended = by_task(list(workers.ended()))
    assert ended["hang"].problem == "it did not end within 2 s"
    assert all(ended[chore].value for chore in ("wash", "dry"))


def test_temporary_files_that_killed_workers_leave_are_gone_with_the_pool() -> None:
    with pool() as workers:
        workers.give("store")
        (ended,) = workers.ended()
        assert Path(ended.value).exists()
    assert not Path(ended.value).parent.exists()


def children() -> list[psutil.Process]:
    return psutil.Process().children()


@pytest.mark.parametrize("leave", [KeyboardInterrupt, RuntimeError])
def test_leaving_ends_every_worker_at_once(leave: Callable[[], BaseException]) -> None:
    before = children()
    with contextlib.suppress(KeyboardInterrupt, RuntimeError), pool(processes=2, lanes=2) as workers:
        workers.give("wash", "hang", "hang", "hang")
        next(iter(workers.ended()))
        assert len(children()) == len(before) + 2
        raise leave()
    # The three that hang would do so for longer than any test may take.
    assert children() == before
