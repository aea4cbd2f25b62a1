"""In which order tests run: those that wait for whole runs stand evenly among those that keep a processor busy."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from typing import TypeVar

__all__ = ["spread"]

T = TypeVar("T")


def spread(tests: Sequence[tuple[T, str, bool]]) -> list[T]:
    """Order tests, each with its module and whether it waits; those of one module that wait stay together.

    Workers that are given neighbours have the same share of both kinds then.
    """
    busy = [test for test, _, waits in tests if not waits]
    groups = [
        [test for test, _, _ in group]
        for _, group in groupby((each for each in tests if each[2]), key=lambda each: each[1])
    ]
    ordered: list[T] = []
    for number, group in enumerate(groups):
        ordered += group
        ordered += busy[len(busy) * number // len(groups) : len(busy) * (number + 1) // len(groups)]
    return ordered or busy
