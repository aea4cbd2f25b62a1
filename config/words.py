"""The nearest known word, for the end of an error message."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches

__all__ = ["hint", "nearest"]

_CUTOFF = 0.6
"""How alike two words are at least, from 0 to 1."""
_MOST_SHOWN = 20


def nearest(word: str, known: Iterable[str]) -> str | None:
    """Find the known word that is most like another, whatever their case; None where none is near."""
    words = {str(name).casefold(): str(name) for name in known}
    found = get_close_matches(str(word).casefold(), words, n=1, cutoff=_CUTOFF)
    return words[found[0]] if found else None


def hint(word: str, known: Iterable[str], otherwise: str | None = None) -> str:
    """Write `did you mean 'x'?`, or where nothing is near `otherwise`; without that, the list of what is known."""
    names = [str(name) for name in known]
    near = nearest(word, names)
    if near is not None:
        return f"did you mean {near!r}?"
    if otherwise is not None:
        return otherwise
    if not names:
        return "there are none"
    return f"known are {', '.join(names[:_MOST_SHOWN])}{', …' if len(names) > _MOST_SHOWN else ''}"
