"""Reads any text in which frames stand: logs of unknown programs, and what people paste into issues."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from analysis.model import Record, Traits, Unread
from analysis.readers.contract import Lines
from analysis.readers.frames import is_open
from analysis.readers.lines import TIME, LineFormat, LineReader

__all__ = ["PlainReader"]

_NUMBER_ALONE: Final = re.compile(r"\s*[2-6]\s*,\s*")
_QUOTED_FRAME: Final = re.compile(r'"\[ ?[2-6] ?, ?\\"')
_MOST_TEXT: Final = 4_000_000
_raw_decode = json.JSONDecoder().raw_decode


def _unescaped(line: str) -> str:
    """Write a frame plainly that stands as JSON inside of a JSON string."""
    match = _QUOTED_FRAME.search(line)
    if match is None:
        return line
    try:
        text, end = _raw_decode(line, match.start())
    except (ValueError, RecursionError):
        return line
    return f"{line[: match.start()]}{text}{line[end:]}"


def _in_one_line(lines: Iterable[tuple[int, str]]) -> Iterator[tuple[int, str]]:
    """Join the lines of a frame whose bracket stands alone, and whose number follows in the next line."""
    head: list[str] = []
    first = size = 0
    for number, line in lines:
        if len(head) == 1 and _NUMBER_ALONE.fullmatch(line) is None:
            yield first, head.pop()
        if head:
            head.append(line.strip())
            size += len(line)
            if size > _MOST_TEXT or (head[-1].startswith("]") and not is_open("".join(head))):
                yield first, "".join(head)
                head = []
        elif line.strip() == "[":
            head, first, size = ["["], number, 0
        else:
            yield number, line
    if head:
        yield first, "".join(head)


class PlainReader(LineReader):
    """Reads frames wherever they stand, also those that are escaped, or laid out over many lines."""

    def __init__(self) -> None:
        """Take any line that holds a frame; the direction follows from the actions."""
        frame = (
            rf"^(?:.*?(?P<time>{TIME}))?.*?(?P<frame>\[ ?[2-6] ?, ?\"[^\"\\]{{0,255}}\" ?, ?(?:\"[A-Za-z]|\{{|null).*)"
        )
        super().__init__(
            LineFormat(
                name="plain",
                title="any line that holds a frame, with or without a time and a word for the direction",
                traits=Traits(logged_late=True),
                frame=re.compile(frame),
                arrows={},
                prepare=_unescaped,
            )
        )

    def likeness(self, head: Sequence[str]) -> int:
        """Count the lines that hold a frame, or begin one."""
        return super().likeness([line for _, line in _in_one_line(enumerate(head))])

    def read(self, lines: Lines, station: str) -> Iterator[Record | Unread]:
        """Read a file line by line."""
        return super().read(_in_one_line(lines), station)
