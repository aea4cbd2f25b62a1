"""What a run of the tests tries of a long list of like things: some, drawn evenly from every kind.

The seed is told at the end of the run, with what was left out. `--sample-seed` draws the same again, `--full` leaves
nothing out.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Hashable, Mapping, Sequence
from typing import TypeVar

import pytest

__all__ = ["Draw", "keep", "told"]

T = TypeVar("T")

ALL = "make test FULL=1 (pytest --full)"


class Draw:
    """The draws of one run; each is the same for the same seed and name, whichever tests run and in whatever order."""

    def __init__(self, seed: int, *, full: bool) -> None:
        self._seed = seed
        self._full = full
        self.left_out: dict[str, tuple[int, int]] = {}
        """Of each list how many things were left out, and how many there are; the same name for parts of one list."""

    def some(
        self, name: str, things: Sequence[T], size: int, *, by: Callable[[T], Hashable] = lambda _: None
    ) -> list[T]:
        """Draw `size` of the things, in their order: as many of each kind (`by`) as of any other, where there are."""
        if self._full or size >= len(things):
            return list(things)
        drawn = random.Random(f"{self._seed}/{name}")
        kinds: dict[Hashable, list[int]] = {}
        for place, thing in enumerate(things):
            kinds.setdefault(by(thing), []).append(place)
        piles = list(kinds.values())
        drawn.shuffle(piles)
        for pile in piles:
            drawn.shuffle(pile)
        taken: list[int] = []
        while len(taken) < size:
            piles = [pile for pile in piles if pile]
            taken += [pile.pop() for pile in piles[: size - len(taken)]]
        whole = name.partition("/")[0]
        left_out, of = self.left_out.get(whole, (0, 0))
        self.left_out[whole] = left_out + len(things) - size, of + len(things)
        return [things[place] for place in sorted(taken)]


def _mark(test: pytest.Function) -> pytest.Mark:
    mark = test.get_closest_marker("sampled")
    assert mark is not None
    return mark


def _kind(test: pytest.Function) -> Hashable:
    by: Callable[..., Hashable] = _mark(test).kwargs.get("by", lambda **_: None)
    return by(**test.callspec.params)


def keep(draw: Draw, items: Sequence[pytest.Item]) -> list[pytest.Item]:
    """Draw some of the parameters of each test that is marked `sampled(size, by=...)`, and keep all other tests.

    `by` is given the parameters of a test by their names, and returns its kind.
    """
    chances: dict[str, list[pytest.Function]] = {}
    for item in items:
        if isinstance(item, pytest.Function) and item.get_closest_marker("sampled"):
            chances.setdefault(f"{item.path.stem}.{item.originalname}", []).append(item)
    dropped: set[pytest.Item] = set()
    for name, tests in chances.items():
        kept = draw.some(name, tests, _mark(tests[0]).args[0], by=_kind)
        dropped.update(test for test in tests if test not in kept)
    return [item for item in items if item not in dropped]


def told(seed: int, left_out: Mapping[str, tuple[int, int]]) -> list[str]:
    """Say what was left out; nothing where nothing was."""
    if not left_out:
        return []
    lists = [f"{number:,} of {of:,} {name}" for name, (number, of) in sorted(left_out.items())]
    return [f"left out: {', '.join(lists)}", f"again with --sample-seed {seed}; everything: {ALL}"]
