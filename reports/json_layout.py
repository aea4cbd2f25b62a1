"""JSON set out for reading, without a change to anything in it."""

from __future__ import annotations

import re

__all__ = ["lay_out"]

_PIECE = re.compile(r'"(?:[^"\\]|\\.)*"?|[\[\]{},:]|[^\s\[\]{},:"]+')
_WIDTH = 96
_INDENT = "  "
_DEEPEST = 30
_OUTERMOST = 2
"""Size of the stack inside the outermost array."""
_OPEN = frozenset("[{")
_CLOSE = frozenset("]}")


def lay_out(text: str) -> str:
    """Indent JSON without touching a single piece, so that spelling, order and duplicate keys stay as on the wire.

    A text that was cut off is laid out as far as it goes; what nests too deeply to be read stays as it is.
    """
    pieces = _PIECE.findall(text)
    depth = deepest = 0
    for piece in pieces:
        depth += (piece in _OPEN) - (piece in _CLOSE)
        deepest = max(deepest, depth)
    return text if deepest > _DEEPEST else _LayOut(pieces).text()


class _LayOut:
    """Writes pieces: a container that fits the line stays on it, the outermost array never breaks."""

    def __init__(self, pieces: list[str]) -> None:
        self._pieces = pieces
        self._width = self._inline_widths()

    def text(self) -> str:
        parts: list[str] = []
        kept_inline = [True]
        for place, piece in enumerate(self._pieces):
            before = self._pieces[place - 1] if place else ""
            if piece in _CLOSE:
                inline = kept_inline.pop() if len(kept_inline) > 1 else True
                if not inline and before not in _OPEN:
                    parts.append("\n" + self._indent(kept_inline))
            elif before in _OPEN or before == ",":
                parts.append("\n" + self._indent(kept_inline) if not kept_inline[-1] else " " * (before == ","))
            parts.append(piece + (" " if piece == ":" else ""))
            if piece in _OPEN:
                inside_a_line = kept_inline[-1] and len(kept_inline) > _OUTERMOST
                fits = self._width[place] + len(_INDENT) * len(kept_inline) <= _WIDTH
                kept_inline.append(inside_a_line or fits or (place == 0 and piece == "["))
        return "".join(parts)

    @staticmethod
    def _indent(kept_inline: list[bool]) -> str:
        return _INDENT * sum(not inline for inline in kept_inline)

    def _inline_widths(self) -> dict[int, int]:
        """Measure each container as if it stood on one line."""
        widths: dict[int, int] = {}
        opened: list[tuple[int, int]] = []
        at = 0
        for place, piece in enumerate(self._pieces):
            if piece in _OPEN:
                opened.append((place, at))
            at += len(piece) + (piece in ",:")
            if piece in _CLOSE and opened:
                start, began = opened.pop()
                widths[start] = at - began
        for start, began in opened:
            widths[start] = at - began + _WIDTH
        return widths
