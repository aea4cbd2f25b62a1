"""Opens logs: plain or compressed files, folders of them, or a pipe; and finds out what kind of log each is."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import re
import sys
import zlib
from collections.abc import Callable, Iterator, Sequence
from itertools import chain, islice
from pathlib import Path
from typing import Final, cast

from analysis.readers.capture import CAPTURE_MAGIC, CaptureReader, packet_lines
from analysis.readers.citrineos import CitrineReader
from analysis.readers.columns import ColumnReader
from analysis.readers.contract import Lines, Reader
from analysis.readers.formats import LINE_READERS
from analysis.readers.records import PlugstormReader, TraceReader
from ocppj.errors import UsageError

__all__ = ["READERS", "Source", "open_sources", "reader_called", "sniff"]

READERS: Final[tuple[Reader, ...]] = (
    CaptureReader(),
    PlugstormReader(),
    TraceReader(),
    CitrineReader(),
    ColumnReader(),
    *LINE_READERS,
)
"""Every kind of log, the most particular first."""
_HEAD_LINES: Final = 400
_PIPE_LINES: Final = 10
"""A pipe may bring its lines slowly."""
_CLEAR: Final = 4
"""The likeness of two lines that hold frames."""
_ROTATED: Final = re.compile(r"\.(\d{1,4})(?=\.|$)")
_DUMPS: Final = re.compile(r"\d{4}-\d\d-\d\d_\d\d-\d\d-\d\d-\d+_ocpp\d\d-(?:in|out)\.txt$")
_LONGEST_LINE: Final = 16_000_000
"""Bytes after which a line is cut in two; a binary file has lines without an end."""
_BLOCK: Final = 1 << 18


_NO_END: Final = (EOFError, zlib.error, lzma.LZMAError)
"""What a packed file raises where its end is missing."""
_Bytes = io.BufferedReader | gzip.GzipFile | bz2.BZ2File | lzma.LZMAFile


class Source:
    """One log, with its first lines looked at."""

    def __init__(
        self,
        name: str,
        lines: Lines,
        *,
        station: str,
        look_at: int = _HEAD_LINES,
        enough: Callable[[Sequence[str]], bool] | None = None,
    ) -> None:
        """Look at the first lines, until they are enough; `station` is the identity where the log names none."""
        self.name = name
        self.station = station
        numbered = iter(lines)
        self._head: list[tuple[int, str]] = []
        self._rest = numbered
        for line in islice(numbered, look_at):
            self._head.append(line)
            if enough is not None and enough(self.head):
                break

    @property
    def head(self) -> Sequence[str]:
        """Return the first lines."""
        return [line for _, line in self._head]

    @property
    def lines(self) -> Lines:
        """Return all lines; they can be read once."""
        return chain(self._head, self._rest)


def open_sources(paths: Sequence[str], *, station: str | None = None) -> Iterator[Source]:
    """Open logs one after the other, rotated ones from the oldest; raises `UsageError` where one cannot be read."""
    for path in _in_order(paths):
        yield _open(path, station)


def _in_order(paths: Sequence[str]) -> list[str]:
    """Order `a.log a.log.1 a.log.2.gz` from the oldest, which has the highest number; leave others where they are."""
    groups: dict[str, list[tuple[int, str]]] = {}
    # A log that a shell's pattern and a name both give is read once.
    once = {Path(path).absolute(): path for path in paths}
    for path in once.values():
        number = _ROTATED.search(Path(path).name)
        stem = path if number is None else str(Path(path).parent / Path(path).name[: number.start()])
        groups.setdefault(stem, []).append((-int(number[1]) if number else 0, path))
    return [path for group in groups.values() for _, path in sorted(group, key=lambda item: item[0])]


def _open(path: str, station: str | None) -> Source:
    if path == "-":
        # Every line at once, so that a pipe is followed.
        lines = _lines_of(cast("io.BufferedReader", sys.stdin.buffer), path)
        unnamed = station or "(unnamed)"
        return Source("(standard input)", lines, station=unnamed, look_at=_PIPE_LINES, enough=_is_clear)
    place = Path(path)
    if place.is_dir():
        return Source(path, _dumped(place), station=station or place.name)
    return Source(path, _file_lines(place), station=station or _stem(place))


def _stem(place: Path) -> str:
    return place.name.split(".")[0] or place.name


def _dumped(folder: Path) -> Iterator[tuple[int, str]]:
    """Read a folder of files that hold a message each as one log, a line a file."""
    files = sorted(path for path in folder.iterdir() if _DUMPS.fullmatch(path.name))
    if not files:
        raise UsageError(f"{folder} is a folder without dumped messages; name the log files in it")
    for number, file in enumerate(files, 1):
        yield number, f"{file.name}: {' '.join(file.read_text('utf-8', 'replace').splitlines())}"


def _file_lines(place: Path) -> Iterator[tuple[int, str]]:
    try:
        with _unpacked(place) as file:
            yield from _lines_of(file, str(place))
    except FileNotFoundError:
        raise UsageError(f"{place} does not exist") from None
    except OSError as error:
        raise UsageError(f"{place} cannot be read: {error.strerror or error}") from None


def _lines_of(file: _Bytes, name: str) -> Iterator[tuple[int, str]]:
    """Read a log as numbered lines, and a capture as numbered packets."""
    try:
        captured = file.peek(4)[:4] in CAPTURE_MAGIC
    except _NO_END:
        return iter(())
    return packet_lines(file) if captured else _numbered(file, name)


def _unpacked(place: Path) -> _Bytes:
    with place.open("rb") as file:
        magic = file.read(6)
    if magic.startswith(b"\x1f\x8b"):
        return gzip.open(place, "rb")
    if magic.startswith(b"BZh"):
        return bz2.open(place, "rb")
    if magic.startswith(b"\xfd7zXZ\x00"):
        return lzma.open(place, "rb")
    return io.BufferedReader(io.FileIO(place), 1 << 20)


def _numbered(file: _Bytes, name: str) -> Iterator[tuple[int, str]]:
    first = 1
    for block in _whole_lines(file):
        if first == 1 and block[:2] in (b"\xff\xfe", b"\xfe\xff"):
            raise UsageError(f"{name} is UTF-16; convert it to UTF-8, as with iconv -f UTF-16 -t UTF-8")
        lines = block.decode("utf-8", "replace").split("\n")
        if b"\r" in block:
            lines = [line.rstrip("\r") for line in lines]
        yield from enumerate(lines, first)
        first += len(lines)


def _whole_lines(file: _Bytes) -> Iterator[bytes]:
    """Yield what a file brings, cut at the ends of lines and without the last of them."""
    parts: list[bytes] = []
    size = 0
    try:
        while block := file.read1(_BLOCK):
            whole, end, rest = block.rpartition(b"\n")
            if not end and size < _LONGEST_LINE:
                parts.append(rest)
                size += len(rest)
                continue
            yield b"".join([*parts, whole if end else rest])
            parts, size = ([rest], len(rest)) if end and rest else ([], 0)
    except _NO_END:
        # What was readable is handed on; the end of a packed file is often missing.
        pass
    if parts:
        yield b"".join(parts)


def reader_called(name: str) -> Reader:
    """Return the reader of a format; raises `UsageError` for another word."""
    for reader in READERS:
        if reader.name == name:
            return reader
    raise UsageError(f"there is no format {name!r}; known are {', '.join(reader.name for reader in READERS)}")


def _score(reader: Reader, head: Sequence[str]) -> float:
    likeness = reader.likeness(head)
    # It takes the lines of all others as well, and knows less about them.
    return likeness / 10 if reader.name == "plain" else likeness


def _is_clear(head: Sequence[str]) -> bool:
    """Return whether lines show what kind of log they are of: as a rule, a CALL and its answer do."""
    return max(reader.likeness(head) for reader in READERS if reader.name != "plain") >= _CLEAR


def sniff(source: Source) -> Reader:
    """Find out what kind of log it is; raises `UsageError` where its first lines fit none."""
    head = [line[:20_000] for line in source.head]
    scores = [(_score(reader, head), -place, reader) for place, reader in enumerate(READERS)]
    best, _, reader = max(scores, key=lambda score: score[:2])
    if best == 0:
        if not any(line and not line.isspace() for line in head):
            raise UsageError(f"{source.name} is empty" if len(head) < _HEAD_LINES else f"{source.name} begins empty")
        if sum(line.count("\ufffd") + line.count("\0") for line in head) * 20 > sum(map(len, head)):
            raise UsageError(f"{source.name} is no text; of binary files only captures (pcap, pcapng) can be read")
        raise UsageError(
            f"{source.name}: none of its first {len(head)} lines holds OCPP in a known form; "
            "name the kind of log with --format, or describe it with --format FILE.yaml"
        )
    return reader
