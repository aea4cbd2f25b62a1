"""What a run of the tests tries of a long list of like things: some, drawn evenly from every kind.

The seed is told at the end of the run, with what was left out. `--sample-seed` draws the same again, `--full` leaves
nothing out.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Hashable, Mapping, Sequence
from typing import TypeVar

__all__ = ["Draw", "told"]

T = TypeVar("T")

ALL = "make test FULL=1 (pytest --full)"


class Draw:
    """The draws of one run; each is the same for the same seed and name, whichever tests run and in whatever order."""

    def __init__(self, seed: int, *, full: bool) -> None:
        self._seed = seed
        self._full = full
        self.left_out: dict[str, tuple[int, int]] = {}
        """Of each list how many things were left out, and how many there are."""

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
        left_out, of = self.left_out.get(name.partition("/")[0], (0, 0))
        self.left_out[name.partition("/")[0]] = left_out + len(things) - size, of + len(things)
        return [things[place] for place in sorted(taken)]


def told(seed: int, left_out: Mapping[str, tuple[int, int]]) -> list[str]:
    """Say what was left out; nothing where nothing was."""
    if not left_out:
        return []
    lists = [f"{number:,} of {of:,} {name}" for name, (number, of) in sorted(left_out.items())]
    return [f"left out: {', '.join(lists)}", f"again with --sample-seed {seed}; everything: {ALL}"]
