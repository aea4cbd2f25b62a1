"""The two plugins of a run that hear the rows of the stations: the ledger, and the figures that drivers care about.

A run fails by its ledger alone, with exit code 1, when the CSMS lost, doubled, crossed or spoilt a transaction. No
objective is needed for that: a CSMS that takes a transaction over and does not have it afterwards has lost somebody's
money, and there is no rate at which that would be fine. So only what admits of no other reading fails a run; see
`loadtest.plugins.ledger.reconcile` for what is left aside as ambiguous. A wrong time, and a record that no station told
of, are counted and shown, and fail a run only with an objective: a CSMS may write down when a message came in, and a
task of somebody's own locustfile may have started a transaction.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import msgspec

from evidence.plugin_results import LedgerClass
from evidence.redact import redact_frame
from loadtest.judging.quantities import Values
from loadtest.measuring.session_row import NOTE, row_of
from loadtest.plugins.contract import Conclusion, Note, Plugin, RunAccess
from loadtest.plugins.ledger.kpis import Kpis
from loadtest.plugins.ledger.reconcile import FAILING, Findings, RunPeriod, reconcile
from loadtest.plugins.ledger.records import FILE as RECORDS_FILE
from loadtest.plugins.ledger.records import seconds_of
from loadtest.plugins.ledger.row_file import FILE, RowFile, RowWriter
from ocppj.errors import HarnessError, UsageError

FetchRecords = Callable[[], Sequence[Mapping[str, Any]] | None]

__all__ = ["KpiPlugin", "LedgerPlugin", "ledger_field", "quantities_of"]

_PATIENCE: Final = (1.0, 2.0, 4.0)
"""Seconds to wait before the records are asked for again, while something is missing: books may lag behind answers."""
_LATE: Final = (LedgerClass.LOST, LedgerClass.WRONG_ENERGY, LedgerClass.WRONG_TIME)
"""Classes that such a lag may look like."""
_SKEW: Final = 3600.0
"""Seconds by which the clock of a worker may be behind."""
_NOT_ASKED: Final = "the run was not told where to ask for them (--control-url)"
_TOLD_NOTHING: Final = "the CSMS gives none of them away"


class LedgerPlugin(Plugin):
    """Writes the rows down as they come, and reconciles them when the run is over; keeps nothing in memory."""

    name = "ledger"
    kinds = frozenset({NOTE})

    def __init__(
        self,
        fetch: FetchRecords | None = None,
        *,
        source: str = "",
        keeps: int | None = None,
        secrets: frozenset[str] = frozenset(),
        sleep: Callable[[float], object] = time.sleep,
    ) -> None:
        """Take records from `fetch`, which may raise `HarnessError`; `source` says in words what that is.

        `keeps` is how many closed transactions of a station are there at most; None for all.
        """
        self._fetch = fetch
        self._source = source
        self._keeps = keeps
        self._secrets = secrets
        self._sleep = sleep
        self._writer: RowWriter | None = None

    def begin(self, access: RunAccess) -> None:
        """Begin a file."""
        self._access = access
        self._started = access.started
        self._writer = RowWriter(access.folder / FILE)

    def note(self, worker: str, note: Note) -> None:
        """Write a row down."""
        del worker
        if self._writer is not None:
            self._writer.add(row_of(note))

    def beat(self, elapsed: float, window: str) -> None:
        """Bring the rows so far to the disk."""
        del elapsed, window
        if self._writer is not None:
            self._writer.flush()

    def conclude(self) -> Conclusion:
        """Ask for the records and reconcile."""
        assert self._writer is not None
        writer, self._writer = self._writer, None
        writer.close()
        if writer.error is not None:
            return _without_rows(f"The ledger {writer.path} could not be written: {writer.error}")
        try:
            findings, why = self._reconcile(RowFile(writer.path))
        except UsageError as error:
            return _without_rows(str(error))
        return Conclusion(
            fields={
                "ledger": ledger_field(findings, source=self._source if not why else "", why=why, keeps=self._keeps)
            },
            quantities=quantities_of(findings),
        )

    def _reconcile(self, rows: RowFile) -> tuple[Findings, str]:
        before: Findings | None = None
        for wait in (*_PATIENCE, None):
            records, why = self._ask()
            span = RunPeriod(self._started, self._started + self._access.clock())
            complete = self._access.complete()
            findings = reconcile(rows, records, span, keeps=self._keeps, complete=complete)
            missing = sum(findings.counts[name] or 0 for name in _LATE)
            settled = wait == _PATIENCE[-1] and before is not None and before.counts == findings.counts
            if wait is None or records is None or not missing or settled:
                break
            before = findings
            self._sleep(wait)
        if records is not None:
            self._keep(self._access.folder, records)
        return findings, why

    def _ask(self) -> tuple[Sequence[Mapping[str, Any]] | None, str]:
        if self._fetch is None:
            return None, _NOT_ASKED
        try:
            records = self._fetch()
        except HarnessError as error:
            return None, str(error)
        return records, "" if records is not None else _TOLD_NOTHING

    def _keep(self, folder: Path, records: Sequence[Mapping[str, Any]]) -> None:
        """Write down what the CSMS recorded during the run, so that the run can be judged again."""
        encode = msgspec.json.Encoder().encode
        try:
            with (folder / RECORDS_FILE).open("wb") as file:
                for record in records:
                    start = seconds_of(record.get("startTime"))
                    if start is None or start >= self._started - _SKEW:
                        file.write(redact_frame(encode(record).decode(), self._secrets).encode() + b"\n")
        except OSError:
            # The run has its result; without the file it cannot be judged again.
            (folder / RECORDS_FILE).unlink(missing_ok=True)


def _without_rows(reason: str) -> Conclusion:
    return Conclusion(fields={"ledger": {"says": [f"{reason}."], "failed": False}}, invalid=[reason])


class KpiPlugin(Plugin):
    """Counts what drivers would notice."""

    name = "kpi"
    kinds = frozenset({NOTE})

    def __init__(self) -> None:
        """Start empty."""
        self._kpis = Kpis()

    def begin(self, access: RunAccess) -> None:
        """Begin a run."""
        self._kpis = Kpis(access.started)

    def note(self, worker: str, note: Note) -> None:
        """Count a charging session."""
        del worker
        self._kpis.add(row_of(note))

    def standing(self) -> Conclusion:
        """Return the figures so far."""
        line = self._kpis.line()
        return Conclusion(quantities=self._kpis.quantities(), lines=[line] if line else [])

    def conclude(self) -> Conclusion:
        """Return the figures of the run."""
        return Conclusion(fields={"kpis": self._kpis.figures()}, quantities=self._kpis.quantities())


def quantities_of(findings: Findings) -> Values:
    """Return what objectives can be about: for each class a number, and the transactions that it is a share of."""
    found: dict[str, tuple[float | None, float | None]] = {}
    for name in LedgerClass:
        count = findings.counts[name]
        whole = findings.judged if name in FAILING and findings.records is not None else findings.transactions
        found[name] = (None, None) if count is None else (float(count), float(whole))
    return found


def ledger_field(findings: Findings, *, source: str, why: str, keeps: int | None) -> dict[str, Any]:
    """Write the field `ledger` of `run.json`; `why` says what kept the run from the records."""
    return {
        "says": _says(findings, why),
        "failed": findings.failed,
        "source": source,
        "no_records": why,
        "keeps": keeps,
        **msgspec.to_builtins(findings),
    }


_WORDS: Final = {
    LedgerClass.WRONG_ID: "with a wrong id",
    LedgerClass.WRONG_ENERGY: "with wrong energy",
    LedgerClass.WRONG_TIME: "with a wrong time",
    LedgerClass.PHANTOM: "that no station started",
    LedgerClass.OPEN: "still open when the run ended",
    LedgerClass.UNANSWERED: "without an answer to the start or the stop",
}


def _says(findings: Findings, why: str) -> list[str]:
    counts = findings.counts
    if not findings.transactions:
        return ["No transaction was begun."]
    if findings.records is None:
        said = [f"{findings.transactions:,} transactions; what the CSMS recorded is not known: {why}."]
    else:
        wrong = [f"{counts[name]:,} {_WORDS.get(name, name)}" for name in FAILING[1:] if counts[name]]
        rest = ", ".join(wrong) or "none duplicated, crossed or wrong"
        said = [f"{counts['lost']:,} lost of {findings.judged:,} transactions; {rest}."]
    others = [name for name in LedgerClass if name not in FAILING and counts[name]]
    if others:
        said.append("Besides: " + ", ".join(f"{counts[name]:,} {_WORDS.get(name, name)}" for name in others) + ".")
    if findings.records is None and counts[LedgerClass.WRONG_ID]:
        said.append(f"{counts['wrong-id']:,} with a wrong id.")
    return said
