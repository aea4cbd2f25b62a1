"""Rows of the stations against records of the CSMS: what is lost, double, crossed or wrong; pure.

The rows are gone through twice and never kept, so that memory follows the records alone. First each row claims the
record under its own station and id. What is left over is then held against the rows by content: it may be a second
record of a transaction, one under another station or another id, or one that no station reported.

A record that may legally exist is not a finding. OCPP 1.6 has no rule by which a CSMS recognizes a repeated
StartTransaction (§3.7.1 repeats it, §4.8 gives it an id): a message that was sent twice, or never answered, may have
left one record, two or none. Such a record is `ambiguous`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Any, Final

import msgspec

from evidence.plugin_results import LedgerClass
from loadtest.judging.quantities import Kind
from loadtest.measuring.session_row import Row
from loadtest.plugins.ledger.record_index import Unclaimed, add_record, csms_gives_id, dropped_before
from loadtest.plugins.ledger.records import (
    Record,
    read_records,
    same_energy,
    same_place,
    same_time,
    same_token,
    seconds_of,
)

__all__ = ["FAILING", "QUANTITIES", "Findings", "RunPeriod", "reconcile"]

RECORDED: Final = (
    LedgerClass.LOST,
    LedgerClass.DUPLICATED,
    LedgerClass.CROSSED,
    LedgerClass.WRONG_ID,
    LedgerClass.WRONG_ENERGY,
    LedgerClass.WRONG_TIME,
    LedgerClass.PHANTOM,
)
"""Classes that need the records of the CSMS; a wrong id may show in its answers, too."""
QUANTITIES: Final[Mapping[str, Kind]] = MappingProxyType(dict.fromkeys(LedgerClass, "amount"))
FAILING: Final = (
    LedgerClass.LOST,
    LedgerClass.DUPLICATED,
    LedgerClass.CROSSED,
    LedgerClass.WRONG_ID,
    LedgerClass.WRONG_ENERGY,
)
"""Classes that fail a run by themselves: each is money that somebody loses, whatever was asked of the run."""

_MOST_EXAMPLES: Final = 10


class RunPeriod(msgspec.Struct, frozen=True):
    """When the run took place, in seconds since 1970; what was recorded before it is of an earlier one."""

    started: float
    finished: float


class Findings(msgspec.Struct, kw_only=True):
    """What came of it."""

    charging_sessions: int = 0
    transactions: int = 0
    """Those whose start was sent, or was to be sent."""
    judged: int = 0
    """Those that were held against the records."""
    records: int | None = None
    """How many records the CSMS gave; None where it was not asked, or gave none of them away."""
    counts: dict[str, int | None] = {}
    """By class; None where nothing could be measured."""
    examples: dict[str, list[dict[str, Any]]] = {}
    earlier: int = 0
    """Records that are older than the run, or of stations that did not take part."""
    unreadable: int = 0
    """Records without a station or an id."""
    unjudged: int = 0
    """Transactions whose record may have been dropped, because the CSMS keeps no more of a station."""
    shared_ids: int = 0
    """Ids that two stations had at once: legal, though not recommended (OCPP 1.6 errata §3.54)."""

    @property
    def failed(self) -> bool:
        """Whether the CSMS lost, doubled, crossed or spoilt a transaction without any doubt."""
        return any(self.counts.get(name) for name in FAILING)


def reconcile(
    rows: Iterable[Row],
    records: Iterable[Mapping[str, Any]] | None,
    span: RunPeriod,
    *,
    keeps: int | None = None,
    complete: bool = True,
) -> Findings:
    """Hold rows against records; `rows` is gone through twice.

    `keeps` is how many closed transactions of a station the CSMS keeps, None for all. Unless the rows are `complete`,
    a record that no station reported means nothing.
    """
    work = _Work(records, span, keeps)
    for row in rows:
        work.claim(row)
    for row in rows:
        work.explain(row)
    return work.finish(complete=complete)


class _Work:
    """One reconciliation under way."""

    def __init__(self, records: Iterable[Mapping[str, Any]] | None, span: RunPeriod, keeps: int | None) -> None:
        self.found = Findings()
        self._counts: Counter[str] = Counter()
        self._span = span
        self._keeps = keeps
        self._known = records is not None
        read, self.found.unreadable = read_records(records or ())
        if records is not None:
            self.found.records = len(read) + self.found.unreadable
        self._records = read
        self._by_id: dict[tuple[str, str], Record | list[Record]] = {}
        for record in read:
            add_record(self._by_id, (record.station, record.id), record)
        self._dropped_before = dropped_before(read, keeps) if keeps is not None else {}
        self._left: Unclaimed | None = None
        self._stations: set[str] = set()
        self._seen: set[int] = set()
        self._repeated: set[int] = set()
        self._spans: dict[int, list[tuple[float, float, Row]]] = {}

    # -- first: each row claims its own -------------------------------------------------------------------------------

    def claim(self, row: Row) -> None:
        self.found.charging_sessions += 1
        self._stations.add(row.station)
        if not row.is_transaction:
            return
        self.found.transactions += 1
        if csms_gives_id(row) and row.id is not None:
            number = hash(row.id)
            (self._repeated if number in self._seen else self._seen).add(number)
        record = self._own(row)
        if record is not None:
            record.claimed = True

    def _own(self, row: Row) -> Record | None:
        """Find the record under the station and id of a row; of several the one that says the same."""
        own = self._by_id.get((row.station, str(row.id))) if row.id is not None else None
        if own is None:
            return None
        candidates = own if isinstance(own, list) else [own]
        started = seconds_of(row.start_time)
        same = next((one for one in candidates if one.start is not None and same_time(started, one.start)), None)
        # An id that was given twice says nothing by itself; the time tells whose record it is.
        return same if same is not None or hash(row.id) in self._repeated else candidates[0]

    # -- then: what is wrong with each, and whose the others are ------------------------------------------------------

    def explain(self, row: Row) -> None:
        if not row.is_transaction:
            return
        self._note_answers(row)
        if not self._known:
            return
        if self._left is None:
            self._left = Unclaimed(record for record in self._records if not record.claimed)
        own = self._own(row)
        if own is not None:
            self.found.judged += 1
            self._compare(row, own)
        else:
            self._search(row, self._left)
        twins = [twin for twin in self._left.like(row) if not twin.claimed and twin.station == row.station]
        for twin in twins:
            twin.claimed = True
        if twins and own is not None:
            name = LedgerClass.DUPLICATED if row.once else LedgerClass.AMBIGUOUS
            others = ", ".join(twin.id for twin in twins[:3])
            sends = "though each of its messages was sent once" if row.once else "of which a message was sent again"
            self._add(name, row, f"is recorded again as {others}, {sends}")
        elif twins:
            self._add(LedgerClass.AMBIGUOUS, row, f"is recorded as {twins[0].id}, though its start was never answered")

    def _note_answers(self, row: Row) -> None:
        if not row.stop:
            self._add(LedgerClass.OPEN, row, "was not ended before the run was over")
        if not row.start_answered or (row.stop and not row.stop_answered):
            self._add(LedgerClass.UNANSWERED, row, _unanswered(row))
        if row.start == "rejected":
            self._add(LedgerClass.REFUSED, row, "was begun and refused")
        if csms_gives_id(row) and row.start_answered:
            if row.id is None:
                self._add(LedgerClass.WRONG_ID, row, "got no transactionId with the answer to its start")
            elif hash(row.id) in self._repeated:
                started, stopped = seconds_of(row.start_time), seconds_of(row.stop_time)
                if started is not None:
                    end = self._span.finished if stopped is None else stopped
                    self._spans.setdefault(hash(row.id), []).append((started, end, row))

    def _compare(self, row: Row, own: Record) -> None:
        if not same_token(row.token, own.token):
            self._add(LedgerClass.CROSSED, row, f"is recorded for the token {own.token} instead of {row.token}")
        elif not same_place(row.evse, row.connector, own):
            self._add(LedgerClass.CROSSED, row, f"is recorded at {_place(own.evse, own.connector)}")
        energies: list[str] = []
        times: list[str] = []
        if row.start_answered:
            _differ(
                energies, same_energy(row.meter_start, own.meter_start), "meterStart", own.meter_start, row.meter_start
            )
            _differ(times, same_time(seconds_of(row.start_time), own.start), "its start", own.start, row.start_time)
        if row.stop_answered and own.open and _named(row):
            self._add(LedgerClass.LOST, row, "is still open in its books, though its stop was answered")
        elif row.stop_answered and _named(row):
            _differ(energies, same_energy(row.meter_stop, own.meter_stop), "meterStop", own.meter_stop, row.meter_stop)
            _differ(times, same_time(seconds_of(row.stop_time), own.stop), "its stop", own.stop, row.stop_time)
        if energies:
            self._add(LedgerClass.WRONG_ENERGY, row, f"is recorded with {' and '.join(energies)}")
        if times:
            self._add(LedgerClass.WRONG_TIME, row, f"is recorded with {' and '.join(times)}")

    def _search(self, row: Row, left: Unclaimed) -> None:
        """Look for a row without a record of its own among those that nobody has claimed."""
        if not row.start_answered:
            return  # whatever there is of it is there by right
        if row.id is None:
            self._take(left.like(row), row.station)
            return
        dropped, stopped = self._dropped_before.get(row.station), seconds_of(row.stop_time)
        if dropped is not None and stopped is not None and stopped <= dropped:
            self.found.unjudged += 1
            return
        self.found.judged += 1
        elsewhere = left.under(str(row.id), row)
        if elsewhere is not None:
            elsewhere.claimed = True
            self._add(LedgerClass.CROSSED, row, f"is recorded under the station {elsewhere.station}")
            return
        other = self._take(left.like(row), row.station)
        if other is not None and other.station == row.station:
            self._add(
                LedgerClass.WRONG_ID, row, f"is recorded as {other.id}, though its start was answered with {row.id}"
            )
        elif other is not None:
            self._add(LedgerClass.CROSSED, row, f"is recorded under the station {other.station} as {other.id}")
        elif row.start == "accepted":
            # A CSMS need not keep a transaction that it refused.
            self._add(LedgerClass.LOST, row, "is in none of its records, though its start was answered")

    def _take(self, candidates: Iterable[Record], station: str) -> Record | None:
        """Claim one record, at the row's own station if there is one."""
        free = [one for one in candidates if not one.claimed]
        chosen = next((one for one in free if one.station == station), free[0] if free else None)
        if chosen is not None:
            chosen.claimed = True
        return chosen

    # -- at last: what no station reported -----------------------------------------------------------------------------

    def finish(self, *, complete: bool) -> Findings:
        found = self.found
        self._note_shared_ids()
        for record in self._records:
            if record.claimed:
                continue
            if record.station not in self._stations or record.start is None or not self._within(record.start):
                found.earlier += 1
            elif complete:
                self._add_record(LedgerClass.PHANTOM, record, "was never reported by its station")
            else:
                self._add_record(LedgerClass.AMBIGUOUS, record, "may be one of which the report was lost")
        found.counts = {name: self._counts[name] for name in LedgerClass}
        if not self._known:
            found.counts |= dict.fromkeys((name for name in RECORDED if not self._counts[name]), None)
        if not complete:
            found.counts[LedgerClass.PHANTOM] = None
        return found

    def _within(self, start: float) -> bool:
        return self._span.started <= start <= self._span.finished

    def _note_shared_ids(self) -> None:
        """Find ids that two running transactions had at once: at one station that is wrong (OCPP 1.6 §4.8, §4.10)."""
        shared: set[int] = set()
        for number, spans in self._spans.items():
            spans.sort(key=lambda span: span[:2])
            latest: dict[str, float] = {}
            for started, ended, row in spans:
                if any(end > started for station, end in latest.items() if station != row.station):
                    shared.add(number)
                if latest.get(row.station, started) > started and self._own_is_right(row):
                    self._add(
                        LedgerClass.WRONG_ID,
                        row,
                        f"got the transactionId {row.id} of one that was running there already",
                    )
                latest[row.station] = max(ended, latest.get(row.station, ended))
        self.found.shared_ids = len(shared)

    def _own_is_right(self, row: Row) -> bool:
        """Whether the id of a row was not found to be wrong before, by its record."""
        if not self._known:
            return True
        own = self._own(row)
        return own is not None and same_time(seconds_of(row.start_time), own.start)

    def _add(self, name: str, row: Row, says: str) -> None:
        self._counts[name] += 1
        self._example(
            name,
            {
                "station": row.station,
                "transaction": row.id,
                "place": _place(row.evse, row.connector),
                "token": row.token,
                "started": row.start_time,
                "stopped": row.stop_time,
                "says": f"The transaction {says}.",
            },
        )

    def _add_record(self, name: str, record: Record, says: str) -> None:
        self._counts[name] += 1
        place = _place(record.evse, record.connector)
        self._example(
            name,
            {
                "station": record.station,
                "transaction": record.id,
                "place": place,
                "token": record.token,
                "says": f"The record {says}.",
            },
        )

    def _example(self, name: str, example: dict[str, Any]) -> None:
        examples = self.found.examples.setdefault(name, [])
        if len(examples) < _MOST_EXAMPLES:
            examples.append(example)


def _named(row: Row) -> bool:
    """Whether the stop named the transaction by its id, and not by the -1 of one whose start was not answered."""
    return not csms_gives_id(row) or (row.id is not None and row.stop_id == row.id)


def _unanswered(row: Row) -> str:
    which = "start" if not row.start_answered else "stop"
    outcome, sends = (row.start, row.start_sends) if which == "start" else (row.stop, row.stop_sends)
    return f"got no answer to its {which}: {outcome} after {sends} sending{'s' if sends != 1 else ''}"


def _place(evse: int | None, connector: int | None) -> str:
    parts = ([f"EVSE {evse}"] if evse is not None else []) + (
        [f"connector {connector}"] if connector is not None else []
    )
    return " ".join(parts)


def _differ(into: list[str], same: bool, name: str, recorded: float | None, told: Any) -> None:  # noqa: FBT001 - a comparison
    if not same:
        into.append(f"{name} {recorded:.15g} instead of {told if isinstance(told, str) else format(told, '.15g')}")
