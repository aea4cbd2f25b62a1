from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from evidence import exit_codes
from evidence.run_folder import read_run
from evidence.run_model import Generator, LoadRun
from evidence.vocabulary import OPENED, TO_CSMS
from fixtures.csms import practice_csms
from fixtures.csms.transaction_store import CLOSED_PER_STATION
from loadtest.cluster import master
from loadtest.cluster.master import MasterEnd
from loadtest.judging.settings import Settings
from loadtest.judging.slo import threshold
from loadtest.measuring.recorder import Recorder
from loadtest.measuring.session_row import NOTE, Row
from loadtest.plugins.contract import Conclusion, RunAccess
from loadtest.plugins.ledger.control_port import KEEPS, ControlPort
from loadtest.plugins.ledger.plugin import KpiPlugin, LedgerPlugin
from loadtest.plugins.ledger.rejudge import rejudge
from loadtest.plugins.ledger.row_file import RowFile
from loadtest.plugins.quantities import QUANTITIES
from ocppj.errors import HarnessError, TargetUnreachableError, UsageError
from ocppj.trace import wall_clock


def told(number: int, **changes: Any) -> Row:
    now = wall_clock(time.time() + 0.01 + 0.001 * number)
    fields: dict[str, Any] = {
        "station": "CP1",
        "ocpp": "1.6",
        "token": "A",
        "plugged": time.time(),
        "window": "measure",
        "authorize": "accepted",
        "connector": 1,
        "id": number,
        "start": "accepted",
        "start_sends": 1,
        "start_time": now,
        "meter_start": 0,
        "to_start": 0.25,
        "stop": "accepted",
        "stop_sends": 1,
        "stop_id": number,
        "stop_time": now,
        "meter_stop": 10,
    }
    return Row(**(fields | changes))


def record_of(row: Row) -> dict[str, Any]:
    return {
        "transactionId": row.id,
        "station": row.station,
        "state": "closed",
        "connectorId": row.connector,
        "idTag": row.token,
        "meterStart": row.meter_start,
        "startTime": row.start_time,
        "meterStop": row.meter_stop,
        "stopTime": row.stop_time,
    }


def note(row: Row) -> list[Any]:
    return [NOTE, *msgspec.structs.astuple(row)]


def conclude(
    folder: Path, rows: list[Row], fetch: Callable[[], Any] | None, waits: list[float] | None = None, **more: Any
) -> Conclusion:
    slept = [] if waits is None else waits
    plugin = LedgerPlugin(fetch, sleep=slept.append, **more)
    plugin.begin(
        RunAccess(order=lambda _: None, folder=folder, url="", stations=1, started=time.time() - 1.0, clock=lambda: 1.0)
    )
    for row in rows:
        plugin.note("worker", note(row))
    plugin.beat(1.0, "measure")
    assert plugin.standing() == Conclusion()
    return plugin.conclude()


def test_rows_go_to_the_disk_and_come_back_as_they_were(tmp_path: Path) -> None:
    rows = [told(1), told(2, id="x", evse=1, meter_start=0.5, cut=True), Row("CP3", "2.1", "T")]
    conclude(tmp_path, rows, None)
    file = RowFile(tmp_path / "ledger.jsonl")
    assert list(file) == list(file) == rows
    with file.path.open("ab") as end:
        end.write(b'{"station":"CP1","ocp')
    assert list(file) == rows
    with file.path.open("ab") as end:
        end.write(b"\n")
    with pytest.raises(UsageError, match=r"line 4 is not a row of a ledger"):
        list(file)


def test_a_run_without_visits_leaves_no_file(tmp_path: Path) -> None:
    assert conclude(tmp_path, [], None).fields["ledger"]["says"] == ["No transaction was begun."]
    assert list(tmp_path.iterdir()) == []
    assert list(RowFile(tmp_path / "ledger.jsonl")) == []


def test_what_is_lost_is_a_field_a_quantity_and_a_sentence(tmp_path: Path) -> None:
    rows = [told(1), told(2), told(3)]
    found = conclude(tmp_path, rows, lambda: [record_of(rows[0]), record_of(rows[2]) | {"meterStop": 11}])
    ledger = found.fields["ledger"]
    assert ledger["says"] == ["1 lost of 3 transactions; 1 with wrong energy."]
    assert ledger["failed"]
    assert (found.quantities["lost"], found.quantities["wrong-energy"]) == ((1.0, 3.0), (1.0, 3.0))
    assert set(found.quantities) == set(QUANTITIES["ledger"])


def test_books_that_lag_behind_are_asked_again_before_anything_counts_as_lost(tmp_path: Path) -> None:
    waits: list[float] = []
    row = told(1)
    late = iter([[], [record_of(row) | {"state": "open", "stopTime": None}], [record_of(row)]])
    found = conclude(tmp_path, [row], lambda: next(late), waits)
    assert found.fields["ledger"]["counts"]["lost"] == 0
    assert waits == [1.0, 2.0]


def test_what_stays_lost_is_not_waited_for_for_long(tmp_path: Path) -> None:
    waits: list[float] = []
    assert conclude(tmp_path, [told(1)], list, waits).fields["ledger"]["failed"]
    assert waits == [1.0, 2.0]


def refuse() -> list[dict[str, Any]]:
    raise HarnessError("GET http://x/transactions was answered with 500")


@pytest.mark.parametrize(
    ("fetch", "why"),
    [(None, "--control-url"), (refuse, "answered with 500"), (lambda: None, "gives none of them away")],
)
def test_without_records_only_answers_are_judged_and_the_reason_is_told(
    tmp_path: Path, fetch: Callable[[], Any] | None, why: str
) -> None:
    found = conclude(tmp_path, [told(1), told(2, stop="timeout", stop_sends=2)], fetch)
    ledger = found.fields["ledger"]
    assert why in ledger["says"][0]
    assert why in ledger["no_records"]
    assert not ledger["failed"]
    assert found.quantities["lost"] == (None, None)
    assert found.quantities["unanswered"] == (1.0, 2.0)


def test_records_are_kept_without_secrets_and_without_those_of_earlier_runs(tmp_path: Path) -> None:
    row = told(1)
    mine = record_of(row) | {"password": "x", "remark": "the key is opensesame"}
    earlier = record_of(row) | {"transactionId": 9, "startTime": "2001-01-01T00:00:00Z"}
    conclude(tmp_path, [row], lambda: [earlier, mine], secrets=frozenset({"opensesame"}))
    text = (tmp_path / "records.jsonl").read_text()
    assert len(text.splitlines()) == 1
    assert '"transactionId":1' in text
    assert "opensesame" not in text
    assert '"x"' not in text


def test_a_ledger_that_cannot_be_read_makes_the_run_invalid_and_nothing_else(tmp_path: Path) -> None:
    plugin = LedgerPlugin(None)
    plugin.begin(
        RunAccess(
            order=lambda _: None, folder=tmp_path, url="", stations=1, started=time.time() - 1.0, clock=lambda: 1.0
        )
    )
    plugin.note("worker", note(told(1)))
    plugin.beat(1.0, "measure")
    (tmp_path / "ledger.jsonl").write_text("?\n")
    assert "is not a row of a ledger" in plugin.conclude().invalid[0]


def test_a_disk_that_refuses_makes_the_run_invalid_and_nothing_else(tmp_path: Path) -> None:
    found = conclude(tmp_path / "missing", [told(1)], list)
    assert "could not be written" in found.invalid[0]
    assert not found.fields["ledger"]["failed"]


WORKERS = {"workers": [{"name": "a", "complete": True}]}


@pytest.fixture(autouse=True)
def _valid(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take the generator for a good one: there is none here."""
    monkeypatch.setattr(master, "judge", lambda _: Generator(verdict="VALID", reasons=[], details=WORKERS))


class Run:
    """A run of one process whose rows are given."""

    def __init__(self, out: Path, fetch: Callable[[], Any] | None, *lines: str) -> None:
        self.folder = out
        self.reports: list[Any] = []
        plugins = [LedgerPlugin(fetch, sleep=lambda _: None), KpiPlugin()]
        slo = [threshold(line, quantities=QUANTITIES) for line in lines]
        settings = Settings(
            url="ws://127.0.0.1:1",
            ocpp=["1.6"],
            out=str(out),
            live=False,
            flush_timeout=0.1,
            plugins=plugins,
            slo=slo,
        )
        self.master = MasterEnd(settings, lambda *_: None, workers=lambda: ["a"], name=str)
        self.master.target = 1
        self.master.begin()

    def finish(self, rows: list[Row], *, last: bool = True) -> LoadRun:
        recorder = Recorder()
        recorder.connection(OPENED)
        recorder.call("1.6", "Heartbeat", TO_CSMS, "accepted", 0.001, 0.001)
        for row in rows:
            recorder.note(*note(row))
        report: Any = {"run": 1, "seq": 1, "delta": recorder.take(final=True), "total": 1, "health": {}, "last": last}
        self.master.receive("a", report | {"stations": 1, "booted": 1, "charging": 0})
        self.master.beat()
        self.master.finish()
        run = read_run(self.folder)
        assert isinstance(run, LoadRun)
        return run


def test_a_csms_that_loses_money_fails_the_run_without_any_objective(tmp_path: Path) -> None:
    run = Run(tmp_path / "lost", lambda: [record_of(rows[0])])
    rows = [told(1), told(2)]
    result = run.finish(rows)
    assert result.verdict == "failed"
    assert run.master.exit_code == exit_codes.FAILED
    good = Run(tmp_path / "good", lambda: [record_of(row) for row in rows])
    result = good.finish(rows)
    assert result.verdict == "passed"
    assert result.kpis.charging.share == 1.0


def test_what_is_unclear_fails_no_run(tmp_path: Path) -> None:
    run = Run(tmp_path / "run", lambda: [*map(record_of, rows), record_of(rows[0]) | {"transactionId": 77}])
    rows = [told(1, start_sends=2), told(2, stop="timeout", stop_sends=3)]
    result = run.finish(rows)
    assert (result.ledger.counts["ambiguous"], result.ledger.counts["unanswered"]) == (1, 1)
    assert result.verdict == "passed"


def test_objectives_may_be_about_the_ledger_and_about_drivers(tmp_path: Path) -> None:
    lines = (
        "ledger lost == 0",
        "ledger lost < 60 %",
        "kpi charging-success >= 99 %",
        "kpi authorize-to-start-p95 < 1 s",
    )
    rows = [told(1), told(2)]
    result = Run(tmp_path / "run", lambda: [record_of(rows[0])], *lines, "kpi remote-start-success > 0 %").finish(rows)
    assert [(slo.value, slo.passed) for slo in result.slo] == [
        (1.0, False),
        (50.0, True),
        (100.0, True),
        (pytest.approx(0.25, rel=0.01), True),
        (None, False),
    ]


def test_rows_that_may_be_missing_make_no_phantoms(tmp_path: Path) -> None:
    run = Run(tmp_path / "run", lambda: [*map(record_of, rows)])
    rows = [told(1), told(5, connector=2)]
    result = run.finish(rows[:1], last=False)
    assert result.ledger.counts["phantom"] is None
    assert result.ledger.counts["ambiguous"] == 1


def test_a_finished_run_is_judged_again_from_its_files(tmp_path: Path) -> None:
    run = Run(tmp_path / "run", lambda: [record_of(row) for row in rows], "ledger lost == 0", "errors == 0")
    rows = [told(1), told(2)]
    first = run.finish(rows)
    again = rejudge(run.folder, first)
    assert again.ledger == first.ledger
    assert again.kpis == first.kpis
    assert [slo.expr for slo in again.slo if not slo.passed] == [slo.expr for slo in first.slo if not slo.passed]
    records = (run.folder / "records.jsonl").read_text().splitlines()
    (run.folder / "records.jsonl").write_text(records[0] + "\n")
    again = rejudge(run.folder, first)
    assert again.ledger.counts["lost"] == 1
    assert again.slo[0].value == 1.0
    assert again.verdict == "failed"
    assert read_run(run.folder) == again


def test_the_control_port_gives_all_transactions_at_once() -> None:
    assert KEEPS == CLOSED_PER_STATION
    with practice_csms() as csms:
        port = ControlPort(csms.control_url + "/")
        port.check()
        assert port() == []
    with pytest.raises(TargetUnreachableError, match="is the CSMS running"):
        port.check()
    with pytest.raises(HarnessError, match="transactions failed"):
        port()


@pytest.mark.parametrize("url", ["127.0.0.1:9001", "ws://127.0.0.1:9001", "http://", ""])
def test_what_is_no_address_of_a_control_port_is_refused(url: str) -> None:
    with pytest.raises(UsageError, match="write http"):
        ControlPort(url)
