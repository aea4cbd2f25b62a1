"""A CSV of charging sessions as load: headers, times and units of common data sets, and the rows dealt to stations."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from heapq import heappop, heappush
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

from config.words import hint
from loadtest.timing.pacing import Draws
from loadtest.workload.recording import Replay
from loadtest.workload.sessions import PlannedSession
from loadtest.workload.spread import number
from ocppj.errors import UsageError

__all__ = ["KNOWN_HEADERS", "read_sessions"]

# ACN-Data, the open data of Boulder and Palo Alto, the open transactions of ElaadNL, and plain words; in lower case.
KNOWN_HEADERS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "start": ("start", "start_time", "connectiontime", "start_date___time", "start date", "utctransactionstart"),
        "end": ("end", "end_time", "disconnecttime", "end_date___time", "end date", "utctransactionstop"),
        "duration": ("duration", "duration_s", "total_duration__hh_mm_ss_", "total duration (hh:mm:ss)"),
        "energy": ("energy", "energy_kwh", "kwh", "kwhdelivered", "energy__kwh_", "energy (kwh)", "totalenergy"),
        "station": ("station", "station_id", "stationid", "station_name", "station name", "chargepoint"),
        "connector": ("connector", "connector_id", "port_number", "port number"),
        "token": ("token", "idtag", "id_tag", "userid", "user id", "startcard"),
    }
)
_FORMATS = ("%m/%d/%Y %H:%M", "%m/%d/%Y %H:%M:%S", "%d.%m.%Y %H:%M", "%d.%m.%Y %H:%M:%S")
_CLOCK = re.compile(r"(\d+):([0-5]\d)(?::([0-5]\d))?")
_LONGEST_TOKEN = 20


class _Row(NamedTuple):
    at: float
    until: float
    energy_wh: float | None
    station: str
    connector: int | None
    token: str | None


def read_sessions(text: str, path: Path, replay: Replay) -> tuple[tuple[PlannedSession, ...], ...]:
    """Read the sessions of each recorded station, in the order of their begin; raises `UsageError` with the row."""
    first = text.partition("\n")[0]
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=";" if first.count(";") > first.count(",") else ",")
    rows: list[_Row] = []
    try:
        columns = _columns(next(reader, []), path, replay)
        filled = (cells for cells in reader if any(cell.strip() for cell in cells))
        rows.extend(_read(cells, columns, recorded_tokens=replay.tokens == "recorded") for cells in filled)
    except (ValueError, csv.Error) as error:
        raise UsageError(f"{path}:{reader.line_num}: {error}") from None
    if not rows:
        raise UsageError(f"{path}:1: the replay file has no sessions")
    rows.sort(key=lambda row: row.at)
    return tuple(tuple(part) for part in _deal(rows, replay, has_stations="station" in columns))


def _columns(header: Sequence[str], path: Path, replay: Replay) -> dict[str, tuple[int, str]]:
    names = [name.strip().lower() for name in header]
    columns: dict[str, tuple[int, str]] = {}
    for what, known in KNOWN_HEADERS.items():
        wanted = replay.columns.get(what)  # type: ignore[call-overload]  # the keys of both are the same words
        if wanted is not None and wanted.strip().lower() not in names:
            raise UsageError(f"{path}:1: there is no column {wanted!r}; {hint(wanted, names)}")
        for name in (wanted.strip().lower(),) if wanted is not None else known:
            if name in names:
                columns[what] = (names.index(name), name)
                break
    if "start" not in columns or not columns.keys() & {"end", "duration"}:
        lacking = "start" if "start" not in columns else "end or duration"
        raise UsageError(f"{path}:1: there is no column for {lacking}; say which one it is with `columns:`")
    return columns


def _read(cells: Sequence[str], columns: Mapping[str, tuple[int, str]], *, recorded_tokens: bool) -> _Row:
    def cell(what: str) -> str:
        place = columns.get(what)
        return cells[place[0]].strip() if place is not None and place[0] < len(cells) else ""

    at = _moment(cell("start"), "start")
    if cell("end"):
        until = _moment(cell("end"), "end")
    else:
        until = at + _span(cell("duration"), columns.get("duration", (0, ""))[1])
    if until <= at:
        raise ValueError(f"the session ends {at - until:g} s before it begins" if until < at else "it takes no time")
    connector, token = cell("connector"), cell("token")
    if connector and not connector.isdecimal():
        raise ValueError(f"connector {connector!r} is not a number")
    if recorded_tokens and token and len(token) > _LONGEST_TOKEN:
        raise ValueError(f"token {token!r} has more than {_LONGEST_TOKEN} characters")
    energy = _energy(cell("energy"), columns.get("energy", (0, ""))[1])
    return _Row(at, until, energy, cell("station"), int(connector) if connector else None, token or None)


def _moment(text: str, what: str) -> float:
    """Read a time as seconds; without a zone it is UTC, which only matters where rows differ in that."""
    if not text:
        raise ValueError(f"{what} is empty")
    try:
        return _decimal(text)
    except ValueError:
        pass
    found: datetime | None = None
    try:
        found = datetime.fromisoformat(text.replace("/", "-") if text[:4].isdecimal() else text)
    except ValueError:
        for pattern in _FORMATS:
            try:
                found = datetime.strptime(text, pattern).replace(tzinfo=UTC)
                break
            except ValueError:
                continue
    if found is None:
        try:
            found = parsedate_to_datetime(text)
        except ValueError:
            raise ValueError(f"{what} {text!r} is not a time") from None
    return (found if found.tzinfo is not None else found.replace(tzinfo=UTC)).timestamp()


def _span(text: str, header: str) -> float:
    if match := _CLOCK.fullmatch(text):
        return int(match[1]) * 3600.0 + int(match[2]) * 60.0 + int(match[3] or 0)
    try:
        value = _decimal(text)
    except ValueError:
        try:
            return number(text)
        except ValueError:
            raise ValueError(f"duration {text!r} is no span of time") from None
    return value * (60.0 if "min" in header else 3600.0 if "hour" in header else 1.0)


def _energy(text: str, header: str) -> float | None:
    if not text:
        return None
    try:
        value = _decimal(text)
    except ValueError:
        raise ValueError(f"energy {text!r} is not a number") from None
    if value < 0:
        raise ValueError(f"energy {text} is below 0")
    return round(value * (1.0 if "wh" in header and "kwh" not in header else 1000.0), 1)


def _decimal(text: str) -> float:
    value = float(text.replace(",", ".") if text.count(",") == 1 and "." not in text else text)
    if not abs(value) < float("inf"):
        raise ValueError(text)
    return value


def _deal(rows: Sequence[_Row], replay: Replay, *, has_stations: bool) -> list[list[PlannedSession]]:
    """Give each row to a station: in turn, as recorded, or to the first that has no car then."""
    dealt: list[list[PlannedSession]] = []
    names: dict[str, int] = {}
    leaving: list[tuple[float, int]] = []
    free: list[int] = []
    begin = rows[0].at
    for place, row in enumerate(rows):
        if replay.stations is not None:
            station = place % replay.stations
        elif has_stations:
            station = names.setdefault(row.station, len(names))
        else:
            while leaving and leaving[0][0] + _UNPLUG < row.at:
                heappush(free, heappop(leaving)[1])
            station = heappop(free) if free else len(dealt)
            heappush(leaving, (row.until, station))
        while len(dealt) <= station:
            dealt.append([])
        draws = Draws(place, "replay")
        dealt[station].append(
            PlannedSession(
                number=len(dealt[station]),
                at=round(row.at - begin, 3),
                until=round(row.until - begin, 3),
                unplug=_UNPLUG,
                energy_wh=row.energy_wh,
                idle=None,
                power_from=round(row.at - begin, 3),
                car=draws.bits(),
                pick=draws.uniform(),
                token=row.token if replay.tokens == "recorded" else None,
                connector=row.connector,
            )
        )
    return dealt


_UNPLUG = 1.0
"""Seconds from the end of a recorded session to the free connector."""
