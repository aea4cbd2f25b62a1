from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evidence.plugin_results import LedgerClass
from loadtest.measuring.session_row import Row
from loadtest.plugins.ledger.reconcile import FAILING, RECORDED, Findings, RunPeriod, reconcile
from loadtest.plugins.ledger.records import seconds_of
from ocppj.trace import wall_clock
from tests.ocppj.json_values import VALUES

START = 1_700_000_000.25
SPAN = RunPeriod(START - 100.0, START + 1000.0)


def told(number: Any = 17, station: str = "CP1", at: float = 0.0, **changes: Any) -> Row:
    """Write the row of a transaction that went well."""
    fields: dict[str, Any] = {
        "station": station,
        "ocpp": "1.6",
        "token": "AbC1",
        "connector": 1,
        "id": number,
        "start": "accepted",
        "start_sends": 1,
        "start_time": wall_clock(START + at),
        "meter_start": 1000,
        "stop": "accepted",
        "stop_sends": 1,
        "stop_id": number,
        "stop_time": wall_clock(START + at + 60.0),
        "meter_stop": 9000,
    }
    return Row(**(fields | changes))


def recorded(number: Any = 17, station: str = "CP1", at: float = 0.0, **changes: Any) -> dict[str, Any]:
    """Write the record that belongs to it."""
    fields = {
        "transactionId": number,
        "station": station,
        "state": "closed",
        "connectorId": 1,
        "idTag": "AbC1",
        "meterStart": 1000,
        "startTime": wall_clock(START + at),
        "meterStop": 9000,
        "stopTime": wall_clock(START + at + 60.0),
    }
    return fields | changes


def found(rows: list[Row], records: list[Any] | None, **more: Any) -> dict[str, int]:
    findings = reconcile(rows, records, SPAN, **more)
    return {name: count for name, count in findings.counts.items() if count}


def test_what_is_recorded_as_told_is_fine() -> None:
    rows = [told(), told(18, "CP2"), told(19, at=90.0)]
    records = [recorded(18, "CP2"), recorded(), recorded(19, at=90.0)]
    findings = reconcile(rows, records, SPAN)
    assert (findings.transactions, findings.judged, findings.records) == (3, 3, 3)
    assert not any(findings.counts.values())
    assert not findings.failed


@pytest.mark.parametrize(
    "spelling",
    [
        {"transactionId": "17", "connectorId": "1", "meterStart": "1000", "meterStop": "9000.0"},
        {"idTag": "ABC1"},
        {"startTime": "2023-11-14T22:13:20Z", "stopTime": "2023-11-14T22:14:20Z"},
        {"startTime": "2023-11-15T00:13:20.250000+02:00"},
        {"startTime": "2023-11-14T22:13:20"},
        {"startTime": START, "stopTime": (START + 60) * 1000},
        {"state": "Completed"},
        {"state": "in the archive"},
        {"connectorId": None, "idTag": None, "meterStart": None, "startTime": None},
        {"meterStop": 9000.000000001},
    ],
)
def test_another_spelling_gives_no_false_alarm(spelling: dict[str, Any]) -> None:
    assert found([told()], [recorded() | spelling]) == {}


@pytest.mark.parametrize(
    ("change", "name"),
    [
        ({"connectorId": 2}, "crossed"),
        ({"idTag": "AbC2"}, "crossed"),
        ({"station": "CP2"}, "crossed"),
        ({"transactionId": 18}, "wrong-id"),
        ({"meterStart": 1001}, "wrong-energy"),
        ({"meterStop": 9}, "wrong-energy"),
        ({"startTime": wall_clock(START + 1.5)}, "wrong-time"),
        ({"stopTime": wall_clock(START + 3660)}, "wrong-time"),
        ({"state": "open", "stopTime": None, "meterStop": None}, "lost"),
    ],
)
def test_a_difference_is_found_in_its_class(change: dict[str, Any], name: str) -> None:
    findings = reconcile([told(), told(5, "CP2", 300.0)], [recorded() | change, recorded(5, "CP2", 300.0)], SPAN)
    assert {key: count for key, count in findings.counts.items() if count} == {name: 1}
    assert findings.examples[name][0]["station"] == "CP1"
    assert findings.failed == (name in FAILING)


def test_a_transaction_without_a_record_is_lost() -> None:
    assert found([told()], []) == {"lost": 1}


def test_a_record_in_an_open_state_without_words_is_lost_once_its_stop_was_answered() -> None:
    record = {name: value for name, value in recorded().items() if name != "state"}
    assert found([told()], [record | {"stopTime": None}]) == {"lost": 1}
    assert found([told(stop="timeout", stop_sends=3)], [record | {"stopTime": None}]) == {"unanswered": 1}


@pytest.mark.parametrize("sends", [{}, {"start_sends": 2}, {"stop_sends": 2}])
def test_a_second_record_is_a_duplicate_only_where_every_message_was_sent_once(sends: dict[str, Any]) -> None:
    name = "ambiguous" if sends else "duplicated"
    assert found([told(**sends)], [recorded(), recorded(18)]) == {name: 1}
    assert found([told(**sends)], [recorded(), recorded()]) == {name: 1}


def test_a_start_that_was_never_answered_may_be_recorded_or_not_without_a_false_alarm() -> None:
    row = told(None, start="lost", stop_id=None)
    assert found([row], []) == {"unanswered": 1}
    assert found([row], [recorded(), recorded(18)]) == {"unanswered": 1, "ambiguous": 1}


def test_a_stop_with_the_id_of_nothing_leaves_the_record_open_without_a_false_alarm() -> None:
    row = told(start="timeout", start_sends=3, stop_id=-1)
    assert found([row], [recorded(state="open", stopTime=None)]) == {"unanswered": 1}


def test_a_refused_transaction_need_not_be_kept() -> None:
    assert found([told(start="rejected")], []) == {"refused": 1}
    assert found([told(start="rejected")], [recorded()]) == {"refused": 1}


def test_records_of_an_earlier_run_or_of_others_give_no_false_alarm() -> None:
    findings = reconcile([told()], [recorded(), recorded(3, at=-200.0), recorded(4, "CP9")], SPAN)
    assert findings.earlier == 2
    assert not any(findings.counts.values())


def test_a_record_that_nobody_told_of_is_a_phantom_unless_rows_are_missing() -> None:
    records = [recorded(), recorded(18, at=300.0)]
    assert found([told()], records) == {"phantom": 1}
    findings = reconcile([told()], records, SPAN, complete=False)
    assert findings.counts["phantom"] is None
    assert findings.counts["ambiguous"] == 1


def test_one_id_at_two_stations_at_once_is_legal_where_the_records_keep_them_apart() -> None:
    rows = [told(1, "CP1"), told(1, "CP2", 10.0)]
    findings = reconcile(rows, [recorded(1, "CP1"), recorded(1, "CP2", 10.0)], SPAN)
    assert findings.shared_ids == 1
    assert not any(findings.counts.values())


def test_one_id_for_two_that_run_at_one_station_is_wrong_with_and_without_records() -> None:
    rows = [told(1), told(1, at=10.0, connector=2), told(1, at=300.0)]
    records = [recorded(1), recorded(1, at=10.0, connectorId=2), recorded(1, at=300.0)]
    assert found(rows, records) == {"wrong-id": 1}
    assert found(rows, None) == {"wrong-id": 1}
    # Its own number in the books, another one in the answer: found once, not twice.
    assert found(rows, [records[0], records[1] | {"transactionId": 2}, records[2]]) == {"wrong-id": 1}


def test_an_answer_without_an_id_is_wrong() -> None:
    assert found([told(None, stop_id=-1)], [recorded(state="open", stopTime=None)]) == {"wrong-id": 1}


def test_without_records_nothing_is_known_of_them() -> None:
    findings = reconcile([told(), told(18, stop="", stop_sends=0)], None, SPAN)
    assert findings.records is None
    assert [findings.counts[name] for name in RECORDED] == [None] * len(RECORDED)
    assert findings.counts["open"] == 1
    assert set(findings.counts) == set(LedgerClass)


def test_what_the_csms_keeps_no_longer_is_not_judged() -> None:
    rows = [told(n, at=n * 70.0) for n in range(1, 11)]
    records = [recorded(n, at=n * 70.0) for n in range(6, 11)]
    assert found(rows, records) == {"lost": 5}
    findings = reconcile(rows, records, SPAN, keeps=5)
    assert (findings.unjudged, findings.judged) == (5, 5)
    assert not any(findings.counts.values())
    # What ended after the oldest one that is kept was not dropped.
    del records[2]
    records.append(recorded(5, at=350.0))
    assert found(rows, records, keeps=5) == {"lost": 1}


def test_a_2x_id_is_found_at_whatever_station() -> None:
    row = told("uuid-1", ocpp="2.0.1", evse=1, stop_id=None)
    assert found([row], [recorded("uuid-1", evseId=1)]) == {}
    assert found([row], [recorded("uuid-1", "CP2", at=5.0, evseId=1)]) == {"crossed": 1}
    assert found([row], [recorded("uuid-1", evseId=2)]) == {"crossed": 1}


def test_visits_without_a_transaction_are_only_counted() -> None:
    findings = reconcile([Row("CP1", "1.6", "AbC1", authorize="rejected")], [], SPAN)
    assert (findings.charging_sessions, findings.transactions) == (1, 0)
    assert not any(findings.counts.values())


@settings(max_examples=25, deadline=None)
@given(st.lists(st.dictionaries(st.sampled_from(sorted(recorded())), VALUES, max_size=6), max_size=3))
def test_records_of_any_shape_are_read_without_an_error(records: list[dict[str, Any]]) -> None:
    findings = reconcile([told()], [*records, recorded()], SPAN)
    assert findings.unreadable <= len(records)
    msgspec.json.encode(findings)


@pytest.mark.parametrize("value", ["", "yesterday", None, True, [], {}, "9999-99-99T00:00:00Z", "nan", float("inf")])
def test_what_is_no_time_is_none(value: Any) -> None:
    assert seconds_of(value) is None


def test_examples_are_few_however_much_is_wrong() -> None:
    findings: Findings = reconcile([told(n) for n in range(100)], [], SPAN)
    assert findings.counts["lost"] == 100
    assert len(findings.examples["lost"]) == 10
