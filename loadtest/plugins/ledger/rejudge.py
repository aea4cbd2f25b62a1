"""A finished run judged again from its own files: `ledger.jsonl` and `records.jsonl`, without the CSMS."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import msgspec

from evidence.plugin_results import KpiResult, LedgerResult
from evidence.run_folder import RunFolder
from evidence.run_model import LoadRun, SloResult
from evidence.vocabulary import NOTES_DROPPED
from loadtest.judging.quantities import Values
from loadtest.judging.result import run_verdict
from loadtest.judging.slo import Figures, judge, threshold
from loadtest.plugins.ledger.kpis import QUANTITIES as KPI_QUANTITIES
from loadtest.plugins.ledger.kpis import Kpis
from loadtest.plugins.ledger.plugin import ledger_field, quantities_of
from loadtest.plugins.ledger.reconcile import QUANTITIES as LEDGER_QUANTITIES
from loadtest.plugins.ledger.reconcile import RunPeriod, reconcile
from loadtest.plugins.ledger.records import FILE as RECORDS_FILE
from loadtest.plugins.ledger.records import seconds_of
from loadtest.plugins.ledger.row_file import FILE, RowFile
from ocppj.errors import UsageError

__all__ = ["rejudge"]

_QUANTITIES: Final = {"ledger": LEDGER_QUANTITIES, "kpi": KPI_QUANTITIES}


def rejudge(folder: Path, run: LoadRun) -> LoadRun:
    """Reconcile again, hold the objectives about it against the result, and write `run.json`.

    A run without a ledger stays as it is. Raises `UsageError` for files that cannot be read.
    """
    if not (folder / FILE).exists():
        return run
    rows = RowFile(folder / FILE)
    started, finished = seconds_of(run.started) or 0.0, seconds_of(run.finished) or 0.0
    records = _read(folder / RECORDS_FILE)
    keeps = run.ledger.keeps
    findings = reconcile(rows, records, RunPeriod(started, finished), keeps=keeps, complete=_is_complete(run))
    kpis = Kpis(started)
    for row in rows:
        kpis.add(row)
    why = run.ledger.no_records or ("" if records is not None else f"{RECORDS_FILE} is missing")
    field = ledger_field(findings, source=run.ledger.source, why=why, keeps=keeps)
    values = {f"ledger {name}": pair for name, pair in quantities_of(findings).items()}
    values |= {f"kpi {name}": pair for name, pair in kpis.quantities().items()}
    slo = [_again(result, values) for result in run.slo]
    new = msgspec.structs.replace(
        run, ledger=msgspec.convert(field, LedgerResult), kpis=msgspec.convert(kpis.figures(), KpiResult), slo=slo
    )
    new.verdict = run_verdict(new)
    RunFolder(folder).write_run(new)
    return new


def _read(path: Path) -> list[dict[str, Any]] | None:
    try:
        lines = path.read_bytes().splitlines()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}") from None
    try:
        return [msgspec.json.decode(line, type=dict[str, Any]) for line in lines]
    except (msgspec.MsgspecError, UnicodeError, RecursionError) as error:
        raise UsageError(f"{path} holds a line that is not a record: {error}") from None


def _is_complete(run: LoadRun) -> bool:
    workers = run.generator.details.get("workers")
    if not isinstance(workers, list) or run.faults.get(NOTES_DROPPED):
        return False
    return all(isinstance(worker, dict) and worker.get("complete") for worker in workers)


def _again(result: SloResult, values: Values) -> SloResult:
    try:
        one = threshold(result.expr, quantities=_QUANTITIES)
    except UsageError:
        return result  # of another window, another plugin or another version
    if one.expression.metric not in values:
        return result
    figures = Figures(
        window=lambda _: {},
        seconds={},
        requested=0,
        connected=0,
        booted=0,
        lost=0,
        calls=0,
        faults={},
        connections={},
        plugins=values,
    )
    return judge([one], figures)[0]
