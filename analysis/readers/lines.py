"""Reads logs that are lines of text: a table row says how a kind of log writes a frame, this file does the rest."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple

import msgspec

from analysis.model import Direction, Event, Record, Traits, Unread
from analysis.readers.contract import Lines
from analysis.readers.frames import decode, is_open, shortened
from analysis.readers.times import Clock
from ocppj.versions import Version

__all__ = ["TIME", "LineFormat", "LineReader"]

TIME: Final = r"\d{4}[-/]\d\d[-/]\d\d[T ]\d\d:\d\d:\d\d(?:[.,]\d+)?(?:Z| ?[+-]\d\d:?\d\d)?"
"""Most times that logs write, as part of a pattern."""
_ANSI = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")
# What docker compose and the like put before each line; continued lines of a record bear it too.
_WRAP = re.compile(r"(?:[\w.-]++ +\| |\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:\.\d+)?Z? (?=[ \]}\[{\"'0-9]|$))+")
_MOST_LINES: Final = 5_000
"""Lines that one frame may take; a pretty-printed report of a station has some thousand."""
_MOST_TEXT: Final = 4_000_000
_VERSIONS: Final[Mapping[str, Version]] = {
    spelling: version
    for version, spellings in {
        Version.V16: ("16", "1.6", "ocpp1.6"),
        Version.V201: ("20", "2.0.1", "ocpp2.0.1"),
        Version.V21: ("21", "2.1", "ocpp2.1"),
    }.items()
    for spelling in spellings
}
_TIME: Final = re.compile(TIME)
_MOST_HEADS: Final = 20_000
_HEAD: Final = 20_000
"""Characters of a line in which it says what it is."""
_raw_decode = json.JSONDecoder().raw_decode


class LineFormat(msgspec.Struct, frozen=True, kw_only=True):
    """How one program writes its log.

    `frame` is a pattern with the groups `frame`, `arrow` and, where the log has them, `time`, `station`, `connection`
    and `version`; the frame begins where its group begins, and ends where its JSON ends.
    """

    name: str
    title: str
    traits: Traits
    frame: re.Pattern[str]
    mark: str = ""
    """A line without this text holds no frame; it spares the pattern most of the work."""
    at_mark: bool = False
    """The pattern matches where the mark stands, and the time is the first one before it."""
    arrows: Mapping[str, Direction]
    opened: re.Pattern[str] | None = None
    closed: re.Pattern[str] | None = None
    begins: re.Pattern[str] | None = None
    """A line that begins a record of any kind, so that a frame that is still open was cut off."""
    prepare: Callable[[str], str] | None = None
    """Brings a line into the form that the patterns read, such as a log line inside JSON."""
    time_format: str = ""
    """As `strptime` reads it, where the times are not in a usual form."""


class LineReader:
    """Reads logs of one format."""

    def __init__(self, form: LineFormat) -> None:
        """Take the row of the table."""
        self.form = form
        self.name = form.name
        self.title = form.title
        self.traits = form.traits

    def likeness(self, head: Sequence[str]) -> int:
        """Count the lines that hold a frame, an opening or an end of a connection."""
        form = self.form
        count = 0
        for line in head:
            clean = _clean(line, form.prepare)
            if (not form.mark or form.mark in clean) and form.frame.search(clean):
                count += 2
            elif any(pattern is not None and pattern.search(clean) for pattern in (form.opened, form.closed)):
                count += 1
        return count

    def read(self, lines: Lines, station: str) -> Iterator[Record | Unread]:
        """Read a file line by line."""
        return _Reading(self.form, station).run(lines)


class _Head(NamedTuple):
    """What stands before a frame."""

    line: int
    time: str | None
    groups: tuple[str | None, ...]


_Named = tuple[str, str, Direction | None, Version | None]
"""Station, connection, direction and version."""


class _Reading:
    """One file that is being read."""

    def __init__(self, form: LineFormat, station: str) -> None:
        self._form = form
        self._station = station
        self._clock = Clock()
        self._head: _Head | None = None
        """Of a frame that goes on in the next lines."""
        self._parts: list[str] = []
        self._size = 0
        self._heads: dict[str, _Named] = {}
        """What stood around the time before a frame, and what the pattern found in it: most lines begin alike."""
        self._time_span = (0, 0)
        place = form.frame.groupindex
        # Of a group that the pattern does not have, the last place holds None.
        self._place_of_frame = place["frame"] - 1
        self._place_of_arrow = place.get("arrow", 0) - 1
        self._place_of_time = place.get("time", 0) - 1
        self._place_of_station = place.get("station", 0) - 1
        self._place_of_connection = place.get("connection", 0) - 1
        self._place_of_version = place.get("version", 0) - 1
        self._frame_is_last = form.frame.groups == place["frame"]

    def run(self, lines: Lines) -> Iterator[Record | Unread]:
        form = self._form
        prepare = form.prepare
        for number, raw in lines:
            line = raw
            if "\x1b" in line or "\t" in line or prepare is not None:
                line = _clean(line, prepare)
            record = self._known(number, line) if self._heads and self._head is None else None
            if record is not None:
                yield record
                continue
            match = self._match(line)
            if self._head is not None:
                if match is None and not self._ends_record(line):
                    yield from self._continue(line)
                    continue
                yield self._finish()
            if match is None:
                yield from self._other(number, line)
            else:
                yield from self._frames(number, match)
        if self._head is not None:
            yield self._finish()

    def _frames(self, number: int, found: re.Match[str]) -> Iterator[Record | Unread]:
        """Read the frames of a line."""
        match: re.Match[str] | None = found
        while match is not None:
            head = self._head_of(number, match)
            text = (head.groups[self._place_of_frame] or "").strip()
            value = decode(text) if text else None
            if value is not None:
                if self._frame_is_last:
                    self._learn(match, head)
                yield self._record(head, text, value)
                return
            try:
                value, end = _raw_decode(text)
            except (ValueError, RecursionError):
                yield from self._unfinished(head, text)
                return
            # Something follows the frame on its line: the end of a quotation, or the next record.
            yield self._record(head, text[:end], decode(text[:end]))
            match = self._form.frame.search(text, end)

    def _known(self, number: int, line: str) -> Record | None:
        """Read a line that begins as an earlier one does, but for its time; None for any other."""
        place = line.find(',"') - 2
        if line[place : place + 1] != "[":
            place = line.find(', "') - 2
        begin, end = self._time_span
        named = self._heads.get(line[:begin] + line[end:place])
        if named is None or place < end:
            return None
        text = line[place:].rstrip()
        value = decode(text)
        if value is None:
            return None
        at = None
        if end:
            at = self._time(line[begin:end])
            if at is None:
                return None
        station, connection, direction, version = named
        return Record(
            line=number,
            at=at,
            station=station,
            connection=connection,
            direction=direction,
            text=text,
            value=value,
            version=version,
        )

    def _learn(self, match: re.Match[str], head: _Head) -> None:
        """Note what stands before a frame, so that the pattern need not look at the next line that begins so."""
        line = match.string
        begin = end = 0
        if head.time is not None:
            begin = line.find(head.time) if self._form.at_mark else match.start("time")
            end = begin + len(head.time)
        if (begin, end) != self._time_span or len(self._heads) > _MOST_HEADS:
            self._heads.clear()
            self._time_span = begin, end
        self._heads[line[:begin] + line[end : match.start("frame")]] = self._named(head)

    def _match(self, line: str) -> re.Match[str] | None:
        form = self._form
        place = line.find(form.mark)
        if place < 0:
            return None
        return form.frame.match(line, place) if form.at_mark else form.frame.search(line)

    def _head_of(self, number: int, match: re.Match[str]) -> _Head:
        groups = (*match.groups(), None)
        time = groups[self._place_of_time]
        if self._form.at_mark and (found := _TIME.search(match.string, 0, match.start())) is not None:
            time = found[0]
        return _Head(number, time, groups)

    def _ends_record(self, line: str) -> bool:
        form = self._form
        if form.begins is not None:
            return form.begins.match(line) is not None
        head = line[:_HEAD]
        return any(pattern is not None and pattern.search(head) for pattern in (form.opened, form.closed))

    def _unfinished(self, head: _Head, text: str) -> Iterator[Record | Unread]:
        if is_open(text) or not text:
            self._head, self._parts, self._size = head, [text], len(text)
        else:
            yield self._record(head, text, None)

    def _continue(self, line: str) -> Iterator[Record | Unread]:
        wrap = _WRAP.match(line) if line[:1] not in (" ", "{", "}", "[", "]", '"') else None
        part = line if wrap is None else line[wrap.end() :]
        self._parts.append(part)
        self._size += len(part)
        end = part.rstrip()[-1:]
        if end == "]" or (end in (")", '"') and "]" in part):
            text = "\n".join(self._parts).strip()
            value = decode(text)
            if value is None and not is_open(text):
                try:
                    value, stop = _raw_decode(text)
                    text = text[:stop]
                except (ValueError, RecursionError):
                    yield self._finish()
                    return
            if value is not None:
                assert self._head is not None
                yield self._record(self._head, text, value)
                self._head = None
        elif len(self._parts) > _MOST_LINES or self._size > _MOST_TEXT:
            yield self._finish()

    def _finish(self) -> Record | Unread:
        """Give up on a frame whose end does not come."""
        assert self._head is not None
        head, self._head = self._head, None
        text = "\n".join(self._parts).strip()
        if not text:
            return Unread(head.line, "", "the frame that its line announces does not follow")
        return self._record(head, text, decode(text))

    def _record(self, head: _Head, text: str, value: Any) -> Record:
        station, connection, direction, version = self._named(head)
        return Record(
            line=head.line,
            at=None if head.time is None else self._time(head.time),
            station=station,
            connection=connection,
            direction=direction,
            text=text,
            value=value,
            cut=value is None and shortened(text),
            version=version,
        )

    def _named(self, head: _Head) -> _Named:
        groups = head.groups
        return (
            groups[self._place_of_station] or self._station,
            groups[self._place_of_connection] or "",
            self._form.arrows.get(groups[self._place_of_arrow] or ""),
            _VERSIONS.get(groups[self._place_of_version] or ""),
        )

    def _time(self, stamp: str) -> float | None:
        return self._clock.read(stamp, self._form.time_format)

    def _other(self, number: int, line: str) -> Iterator[Record | Unread]:
        form = self._form
        head = line[:_HEAD]
        for pattern, event in ((form.opened, Event.OPENED), (form.closed, Event.CLOSED)):
            match = None if pattern is None else pattern.search(head)
            if match is None:
                continue
            groups = match.groupdict()
            stamp, code = groups.get("time"), groups.get("code")
            yield Record(
                event=event,
                line=number,
                at=None if stamp is None else self._time(stamp),
                station=groups.get("station") or self._station,
                connection=groups.get("connection") or "",
                code=int(code) if code else None,
                reason=groups.get("reason") or "",
            )
            return
        if _LOOKS_LIKE_FRAME.search(head) is not None:
            yield Unread(number, line, "it seems to hold a frame, but not in the form of this kind of log")


_LOOKS_LIKE_FRAME = re.compile(r'\[ ?[2-6] ?, ?\\?"[^"\\]{1,40}\\?" ?, ?(?:\\?"[A-Z]|\{)')


def _clean(line: str, prepare: Callable[[str], str] | None) -> str:
    if "\x1b" in line:
        line = _ANSI.sub("", line)
    if "\t" in line:
        line = line.replace("\t", " ")
    return line if prepare is None else prepare(line)
