"""Records of the CSMS by what a row of a station says of them: its id, its begin and its content; pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from math import floor
from types import MappingProxyType
from typing import Final

from loadtest.measuring.session_row import Row
from loadtest.plugins.ledger.records import Record, same_energy, same_place, same_time, same_token, seconds_of
from ocppj.versions import Version

__all__ = ["Unclaimed", "add_record", "csms_gives_id", "dropped_before"]

_CSMS_GIVES_ID: Final[Mapping[str, bool]] = MappingProxyType(
    {Version.V16: True, Version.V201: False, Version.V21: False}
)


def csms_gives_id(row: Row) -> bool:
    """Return whether the CSMS chose the id of a transaction: in 1.6 with its answer (§4.8); in 2.x the station does."""
    return _CSMS_GIVES_ID.get(row.ocpp, False)


class Unclaimed:
    """Records that nobody has claimed by station and id: by id, and by the second in which they began."""

    def __init__(self, records: Iterable[Record]) -> None:
        """Sort them."""
        self._by_id: dict[str, list[Record]] = {}
        self._by_second: dict[int, list[Record]] = {}
        for record in records:
            self._by_id.setdefault(record.id, []).append(record)
            if record.start is not None:
                self._by_second.setdefault(floor(record.start), []).append(record)

    def under(self, number: str, row: Row) -> Record | None:
        """Find the record with this id at whatever station; one that the CSMS gave may stand at several by right."""
        unique = not csms_gives_id(row)
        found = (one for one in self._by_id.get(number, ()) if not one.claimed and (unique or _alike(row, one)))
        return next(found, None)

    def like(self, row: Row) -> Iterator[Record]:
        """Go through the records that say the same as a row and are not claimed, at whatever station."""
        started = seconds_of(row.start_time)
        if started is None or not self._by_second:
            return
        for second in range(floor(started) - 1, floor(started) + 2):
            for record in self._by_second.get(second, ()):
                if not record.claimed and _alike(row, record):
                    yield record


def _alike(row: Row, record: Record) -> bool:
    """Whether a record holds what a row says of its start; a token alone is at too many places to tell."""
    return (
        record.start is not None
        and same_time(seconds_of(row.start_time), record.start)
        and same_energy(row.meter_start, record.meter_start)
        and same_token(row.token, record.token)
        and same_place(row.evse, row.connector, record)
        and (record.station == row.station or record.token is not None)
    )


def add_record(table: dict[tuple[str, str], Record | list[Record]], key: tuple[str, str], record: Record) -> None:
    """Add a record to those under its station and id; most ids stand there once."""
    known = table.get(key)
    if known is None:
        table[key] = record
    elif isinstance(known, list):
        known.append(record)
    else:
        table[key] = [known, record]


def dropped_before(records: Iterable[Record], keeps: int) -> dict[str, float]:
    """Return up to which end the transactions of a station may have been dropped, where it has as many as are kept.

    A station tells the ends of its transactions in their order, and the oldest are dropped first.
    """
    closed: dict[str, list[float]] = {}
    for record in records:
        if record.stop is not None:
            closed.setdefault(record.station, []).append(record.stop)
    return {station: min(stops) for station, stops in closed.items() if len(stops) >= keeps}
