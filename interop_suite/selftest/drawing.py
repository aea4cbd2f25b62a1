"""A sample of a long list that holds as many of each kind as of any other."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable
from typing import TypeVar

__all__ = ["draw_evenly"]

T = TypeVar("T")


def draw_evenly(things: Iterable[T], size: int | None, seed: int, kind: Callable[[T], Hashable]) -> list[T]:
    """Draw `size` of the things, evenly over their kinds as far as there are any; all of them without a size.

    Where not every kind can have one more, the kinds that come first have it.
    """
    chosen = list(things)
    if size is None or size >= len(chosen):
        return chosen
    draws = random.Random(seed)  # noqa: S311 - a sample and no secret
    by_kind: defaultdict[Hashable, list[T]] = defaultdict(list)
    for thing in chosen:
        by_kind[kind(thing)].append(thing)
    for members in by_kind.values():
        draws.shuffle(members)
    drawn: list[T] = []
    while len(drawn) < size:
        for members in by_kind.values():
            if members and len(drawn) < size:
                drawn.append(members.pop())
    return drawn
