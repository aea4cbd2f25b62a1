"""CSV with named columns, in the names that exports of back ends use or those that a person gives."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from analysis.model import Direction, Record, Traits, Unread
from analysis.readers.contract import Lines
from analysis.readers.frames import decode, shortened
from analysis.readers.times import Clock

__all__ = ["COLUMNS", "DIRECTION_WORDS", "ColumnReader"]

COLUMNS: Final[Mapping[str, tuple[str, ...]]] = {
    "time": ("time", "timestamp", "date", "datetime", "created_at", "createdat", "@timestamp", "ts", "received_at"),
    "station": (
        "station", "stationid", "chargepointid", "chargepoint", "chargeboxid", "chargebox", "cpid", "cp", "identity",
        "chargerid", "charger", "evseid", "deviceid", "id",
    ),
    "direction": ("direction", "dir", "way", "origin", "source", "sender", "from"),
    "frame": ("frame", "message", "msg", "raw", "rawmessage", "ocppmessage", "data", "text", "payload", "body"),
    "connection": ("connection", "connectionid", "session", "sessionid", "socket"),
}  # fmt: skip
"""What a column may be called, without blanks, dashes and underscores, in any case; the first that fits is taken."""
DIRECTION_WORDS: Final[Mapping[str, Direction]] = {
    **dict.fromkeys(
        (
            "cp-to-csms", "cp->csms", "cs->csms", "cp2csms", "station->csms", "charger->csms", "cp", "cs", "station",
            "charger", "chargepoint", "charge point", "charging station", "fromcp", "from station", "from charger",
            "cp->cs", "uplink", "up",
        ),
        Direction.TO_CSMS,
    ),
    **dict.fromkeys(
        (
            "csms-to-cp", "csms->cp", "csms->cs", "csms2cp", "csms->station", "csms->charger", "csms", "central system",
            "centralsystem", "server", "backend", "to station", "to charger", "tocp", "cs->cp", "downlink", "down",
        ),
        Direction.TO_STATION,
    ),
}  # fmt: skip
"""Words that name a direction whoever wrote the log; of "in" and "out" the actions must tell."""
_NEEDED: Final = ("frame",)
_LARGEST_FIELD: Final = 16_000_000


def _bare(name: str) -> str:
    return name.strip().strip("\ufeff").lower().replace(" ", "").replace("_", "").replace("-", "")


class ColumnReader:
    """Reads CSV; the first line names the columns."""

    name = "csv"
    title = "CSV with named columns (--columns where the names are unusual)"
    traits = Traits(logged_late=True)

    def __init__(self, columns: Mapping[str, str] | None = None) -> None:
        """Take the names that a person gave: `time`, `station`, `direction`, `frame`, `connection` to a column."""
        self._given = dict(columns or {})

    def likeness(self, head: Sequence[str]) -> int:
        """Count the lines below a header that names a column for frames."""
        if not head:
            return 0
        delimiter = _delimiter(head[0])
        if delimiter not in head[0] or "frame" not in self._columns(_cells(head[0])):
            return 0
        # Only a file whose cells hold frames is one of ours.
        return sum(3 for line in head[1:] if "[2," in line.replace(" ", "") or "[3," in line.replace(" ", ""))

    def _columns(self, header: Sequence[str]) -> dict[str, int]:
        bare = [_bare(name) for name in header]
        found: dict[str, int] = {}
        for what, names in COLUMNS.items():
            wanted = [_bare(self._given[what])] if what in self._given else names
            for name in wanted:
                if name in bare and bare.index(name) not in found.values():
                    found[what] = bare.index(name)
                    break
        return found

    def read(self, lines: Lines, station: str) -> Iterator[Record | Unread]:
        """Read a file."""
        csv.field_size_limit(_LARGEST_FIELD)
        numbered = iter(lines)
        first = next(numbered, None)
        if first is None:
            return
        header = _cells(first[1])
        columns = self._columns(header)
        if any(what not in columns for what in _NEEDED):
            yield Unread(first[0], first[1], "no column for frames; name it with --columns frame=NAME")
            return
        yield from _rows(numbered, columns, _delimiter(first[1]), station)


def _delimiter(header: str) -> str:
    return max(",;\t|", key=header.count)


def _rows(
    lines: Iterator[tuple[int, str]], columns: dict[str, int], delimiter: str, station: str
) -> Iterator[Record | Unread]:
    clock = Clock()
    last = [1]

    def text() -> Iterator[str]:
        for number, line in lines:
            last[0] = number
            yield _plain(line) + "\n"

    reader = csv.reader(text(), delimiter=delimiter)
    while True:
        begin = last[0] + 1
        try:
            row = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            yield Unread(begin, "", f"not a row of CSV: {error}")
            continue
        if not row:
            continue
        cells = {what: row[place].strip() for what, place in columns.items() if place < len(row)}
        frame = cells.get("frame", "")
        if not frame.startswith("["):
            yield Unread(begin, delimiter.join(row), "the cell holds no frame")
            continue
        value = decode(frame)
        yield Record(
            line=begin,
            at=clock.read(cells["time"]) if cells.get("time") else None,
            station=cells.get("station") or station,
            connection=cells.get("connection", ""),
            direction=DIRECTION_WORDS.get(cells.get("direction", "").lower()),
            text=frame,
            value=value,
            cut=value is None and shortened(frame),
        )


def _plain(line: str) -> str:
    """Take out what the reader of CSV cannot bear within a line."""
    return line.replace("\0", "").replace("\r", " ")


def _cells(line: str) -> list[str]:
    """Read the cells of one line."""
    try:
        return next(csv.reader([_plain(line)], delimiter=_delimiter(line)), [])
    except csv.Error:
        return []
