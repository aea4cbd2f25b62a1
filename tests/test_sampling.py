from __future__ import annotations

import os
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

from tests.sampling import Draw, told

ROOT = Path(__file__).resolve().parent.parent

THINGS = [f"{kind}{number}" for kind, size in (("a", 40), ("b", 5), ("c", 30)) for number in range(size)]


def kind_of(thing: str) -> str:
    return thing[0]


def test_a_sample_holds_as_many_of_each_kind_as_there_are() -> None:
    drawn = Draw(1, full=False).some("things", THINGS, 30, by=kind_of)
    counts = Counter(map(kind_of, drawn))
    assert counts["b"] == 5
    assert counts.total() == 30
    assert abs(counts["a"] - counts["c"]) <= 1
    assert drawn == [thing for thing in THINGS if thing in drawn]


def test_every_thing_is_drawn_about_as_often_as_its_neighbours() -> None:
    times = Counter(thing for seed in range(400) for thing in Draw(seed, full=False).some("things", THINGS[:40], 10))
    assert len(times) == 40
    assert max(times.values()) < 2 * min(times.values())


def test_kinds_that_do_not_all_fit_take_turns() -> None:
    kinds = {kind_of(thing) for seed in range(50) for thing in Draw(seed, full=False).some("x", THINGS, 1, by=kind_of)}
    assert kinds == {"a", "b", "c"}


def test_the_same_seed_draws_the_same_and_another_one_something_else() -> None:
    one, again, other = (Draw(seed, full=False).some("things", THINGS, 10) for seed in (1, 1, 2))
    assert one == again != other


def test_what_is_drawn_elsewhere_changes_nothing() -> None:
    draw = Draw(1, full=False)
    draw.some("others", THINGS, 3)
    assert draw.some("things", THINGS, 10) == Draw(1, full=False).some("things", THINGS, 10)


def test_full_leaves_nothing_out() -> None:
    draw = Draw(1, full=True)
    assert draw.some("things", THINGS, 3) == THINGS
    assert told(1, draw.left_out) == []


def test_what_is_left_out_is_told_with_the_seed_and_the_way_to_all_of_it() -> None:
    draw = Draw(7, full=False)
    for place in ("here", "there"):
        draw.some(f"things/{place}", THINGS, 25)
    draw.some("few things", THINGS[:3], 3)
    assert told(7, draw.left_out) == [
        "left out: 100 of 150 things",
        "again with --sample-seed 7; everything: make test FULL=1 (pytest --full)",
    ]


SAMPLED = """
import pytest
@pytest.mark.sampled(4, by=lambda *, letter, **_: letter)
@pytest.mark.parametrize("number", range(10))
@pytest.mark.parametrize("letter", "abcd")
def test_sampled(letter, number): pass
def test_plain(): pass
"""


def test_each_run_of_the_tests_draws_parameters_and_tells_what_it_left_out(tmp_path: Path) -> None:
    (tmp_path / "conftest.py").write_text("from tests.conftest import *\n")
    (tmp_path / "test_some.py").write_text(SAMPLED)

    def run(*words: str) -> str:
        command = [sys.executable, "-m", "pytest", "-v", "--rootdir", str(tmp_path), "-c", "/dev/null", *words]
        environment = os.environ | {"PYTHONPATH": str(ROOT)}
        return subprocess.run(command, cwd=tmp_path, env=environment, check=True, capture_output=True, text=True).stdout

    def names(said: str) -> list[str]:
        return sorted(set(re.findall(r"test_some.py::(\S+)", said)))

    # A worker that drew by a seed of its own would not try what is told.
    shared = run("-n", "1")
    (seed,) = set(re.findall(r"again with --sample-seed (\d+); everything: make test FULL=1", shared))
    alone = run("--sample-seed", seed)
    assert names(alone) == names(shared)
    assert len(names(alone)) == 5
    assert {name[13] for name in names(alone) if "sampled" in name} == set("abcd")
    for said in (alone, shared):
        assert "left out: 36 of 40 test_some.test_sampled" in said
        assert f"again with --sample-seed {seed}; " in said
    whole = run("--full")
    assert len(names(whole)) == 41
    assert "left out" not in whole
