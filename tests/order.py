"""In which order tests run: those that wait for whole runs stand evenly among those that keep a processor busy."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import groupby
from typing import TypeVar

__all__ = ["SECONDS", "spread"]

T = TypeVar("T")

SECONDS = 5.0
"""How long a test waits that does not say it."""
AT_THE_END = 0.2
"""The share of the busy tests that comes last: what is short can be divided when a worker is late."""


def spread(tests: Sequence[tuple[T, str, float]], workers: int = 1) -> list[T]:
    """Order tests, each with its module and the seconds that it waits, 0 for those that keep a processor busy.

    Workers are given as many neighbours each, and wait about as long: the longest first. Tests of one module that wait
    stay together.
    """
    busy = [test for test, _, seconds in tests if not seconds]
    waiting = [list(group) for _, group in groupby((one for one in tests if one[2]), key=lambda one: one[1])]
    waiting.sort(key=_waits, reverse=True)
    rooms = [len(tests) // workers] * workers
    for place in range(len(tests) % workers):
        # xdist gives the last ones more.
        rooms[-1 - place] += 1
    shares: list[list[list[tuple[T, str, float]]]] = [[] for _ in rooms]
    for group in waiting:
        has_room = [n for n, room in enumerate(rooms) if room - sum(map(len, shares[n])) >= len(group)]
        least = min(has_room or range(workers), key=lambda n: sum(map(_waits, shares[n])))
        shares[least].append(group)
    ordered: list[T] = []
    for room, share in zip(rooms, shares, strict=True):
        size = max(0, room - sum(map(len, share)))
        ordered += _mixed(share, busy[:size])
        del busy[:size]
    return ordered + busy


def _waits(group: Iterable[tuple[object, str, float]]) -> float:
    return sum(seconds for _, _, seconds in group)


def _mixed(groups: Sequence[Sequence[tuple[T, str, float]]], busy: Sequence[T]) -> list[T]:
    mixed: list[T] = []
    between = len(busy) if not groups else int(len(busy) * (1 - AT_THE_END))
    for number, group in enumerate(groups):
        mixed += [test for test, _, _ in group]
        mixed += busy[between * number // len(groups) : between * (number + 1) // len(groups)]
    return [*mixed, *(busy[between:] if groups else busy)]
