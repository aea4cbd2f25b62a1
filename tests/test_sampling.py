from __future__ import annotations

from collections import Counter

from tests.sampling import Draw, told

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
