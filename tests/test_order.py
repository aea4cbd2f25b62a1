from __future__ import annotations

import pytest

from tests.order import spread


def waits(name: str, seconds: float) -> tuple[str, str, float]:
    return name, name[0], seconds


def busy(number: int) -> list[tuple[str, str, float]]:
    return [(f"b{place}", "b", 0) for place in range(number)]


def test_modules_that_wait_stand_evenly_among_the_others_and_short_tests_are_the_last() -> None:
    tests = [waits("V1", 1), waits("W1", 1), waits("W2", 1), *busy(10)]
    assert spread(tests) == ["W1", "W2", "b0", "b1", "b2", "b3", "V1", "b4", "b5", "b6", "b7", "b8", "b9"]


def test_workers_have_as_many_tests_and_wait_about_as_long() -> None:
    tests = [waits(name, seconds) for name, seconds in (("A1", 9), ("B1", 4), ("C1", 3), ("D1", 2))] + busy(7)
    ordered = spread(tests, workers=2)
    first, last = ordered[:5], ordered[5:]
    assert [name for name in first if name[0] != "b"] == ["A1"]
    assert [name for name in last if name[0] != "b"] == ["B1", "C1", "D1"]
    assert first[0] == "A1"
    assert ordered[-1] == "b6"


@pytest.mark.parametrize("workers", [1, 2, 3, 7, 12])
@pytest.mark.parametrize(("waiting", "others"), [(5, 0), (0, 5), (3, 5), (0, 0), (20, 3)])
def test_nothing_is_lost_or_doubled(workers: int, waiting: int, others: int) -> None:
    tests = [(f"w{place}", f"module {place // 3}", 1.0) for place in range(waiting)] + busy(others)
    assert sorted(spread(tests, workers)) == sorted(name for name, _, _ in tests)
