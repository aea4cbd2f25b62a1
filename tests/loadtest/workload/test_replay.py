"""Recorded sessions and recorded traces, as what stations do."""

from __future__ import annotations

import re
from itertools import pairwise
from pathlib import Path
from typing import Any
from uuid import UUID

import msgspec
import pytest

from fixtures.tokens import is_pool_token
from loadtest.workload.profile import Profile, check_versions, read_profile
from ocppj.errors import UsageError
from ocppj.trace import Kind, TraceRecord, encode_record, wall_clock
from ocppj.versions import Version
from tests.loadtest.fleet_harness import SILENT, FleetHarness

WALL = 1_700_000_000.0
RECORDED = 1_600_000_000.0


def replaying(folder: Path, rows: str, more: str = "replay: sessions.csv", *, name: str = "sessions.csv") -> Profile:
    (folder / name).write_text(rows, encoding="utf-8")
    (folder / "mine.yaml").write_text(f"title: Recorded\nmodels: {{ac-dual: 1}}\nmeter: 60\n{more}\n", encoding="utf-8")
    return read_profile(folder / "mine.yaml")


PLAIN = """start,end,energy
2024-05-01T08:00:00Z,2024-05-01T09:00:00Z,5.5
2024-05-01T08:30:00Z,2024-05-01T08:45:00Z,1
2024-05-01T10:00:00Z,2024-05-01T10:20:00Z,2
"""
ACN = """sessionID,connectionTime,disconnectTime,kWhDelivered,stationID,userID
1,"Wed, 25 Apr 2018 11:00:00 GMT","Wed, 25 Apr 2018 12:00:00 GMT",7.9,2-39-78-362,431
2,"Wed, 25 Apr 2018 11:10:00 GMT","Wed, 25 Apr 2018 13:00:00 GMT",3.1,2-39-79-380,
"""
BOULDER = """Station_Name,Start_Date___Time,Total_Duration__hh_mm_ss_,Energy__kWh_
BOULDER / JUNCTION ST1,2018/01/01 17:00:00+00,2:03:02,6.504
BOULDER / JUNCTION ST1,2018/01/02 08:00:00+00,0:24:34,2.481
"""
ELAAD = """TransactionId;ChargePoint;Connector;UTCTransactionStart;UTCTransactionStop;StartCard;TotalEnergy
1;A;1;01.01.2019 08:00;01.01.2019 10:00;CARD-1;9,13
2;A;2;01.01.2019 08:30;01.01.2019 09:00;CARD-2;3,5
"""


# -- sessions ----------------------------------------------------------------------------------------------------------


def test_rows_are_shifted_to_the_begin_and_dealt_to_as_few_stations_as_never_have_two_cars(tmp_path: Path) -> None:
    first, second = replaying(tmp_path, PLAIN).recorded.sessions
    assert [(session.at, session.until, session.energy_wh) for session in first] == [
        (0.0, 3600.0, 5500.0),
        (7200.0, 8400.0, 2000.0),
    ]
    assert [session.at for session in second] == [1800.0]


@pytest.mark.parametrize(
    ("rows", "stays", "stations"),
    [(ACN, [3600.0, 6600.0], 2), (BOULDER, [7382.0, 1474.0], 1), (ELAAD, [7200.0, 1800.0], 1)],
    ids=["acn", "boulder", "elaad"],
)
def test_the_headers_of_common_data_sets_are_known(
    tmp_path: Path, rows: str, stays: list[float], stations: int
) -> None:
    recorded = replaying(tmp_path, rows).recorded
    assert recorded.stations == stations
    assert [session.until - session.at for part in recorded.sessions for session in part] == stays
    assert all((session.energy_wh or 0) > 1000 for part in recorded.sessions for session in part)


def test_rows_are_dealt_in_turn_and_other_headers_are_named(tmp_path: Path) -> None:
    rows = "from;minutes;used\n" + "".join(f"2024-05-01 0{hour}:00;30;1.5\n" for hour in range(6))
    more = "replay: {file: sessions.csv, stations: 4, columns: {start: From, duration: minutes, energy: used}}"
    sessions = replaying(tmp_path, rows, more).recorded.sessions
    assert [[session.at / 3600 for session in part] for part in sessions] == [[0, 4], [1, 5], [2], [3]]
    assert {session.until - session.at for part in sessions for session in part} == {1800.0}


@pytest.mark.parametrize(
    ("rows", "complaint"),
    [
        ("start,end\n2024-05-01T08:00,2024-05-01T09:00\nsoon,2024-05-01T09:00\n", "csv:3: start 'soon' is not a time"),
        ("start,end\n2024-05-01T08:00,2024-05-01T07:59\n", "csv:2: the session ends 60 s before it begins"),
        ("start,end,energy\n2024-05-01T08:00,2024-05-01T09:00,much\n", "csv:2: energy 'much' is not a number"),
        ("start,end,energy\n2024-05-01T08:00,2024-05-01T09:00,-1\n", "csv:2: energy -1 is below 0"),
        ("start,end\n\n2024-05-01T08:00,\n", "csv:3: duration '' is not a duration"),
        ("start,duration\n5,long\n", "csv:2: duration 'long' is not a duration"),
        ("start,end,connector\n0,9,left\n", "csv:2: connector 'left' is not a number"),
        ("start,end\n", "has no sessions"),
        ("begin,end\n0,9\n", "sessions.csv:1: there is no column for start; say which one it is with `columns:`"),
        ("start\n0\n", "sessions.csv:1: there is no column for end or duration"),
        ("", "sessions.csv:1: there is no column for start"),
    ],
)
def test_a_bad_row_is_one_line_with_its_number(tmp_path: Path, rows: str, complaint: str) -> None:
    with pytest.raises(UsageError, match=re.escape(complaint)) as caught:
        replaying(tmp_path, rows)
    assert "sessions.csv" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_wrong_column_and_a_missing_file_are_told(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="csv:1: there is no column 'strat'; did you mean 'start'"):
        replaying(tmp_path, PLAIN, "replay: {file: sessions.csv, columns: {start: strat}}")
    with pytest.raises(UsageError, match=r"yaml:\d: replay: .*other.csv: the replay file cannot be read: No such"):
        replaying(tmp_path, PLAIN, "replay: other.csv")
    rows = f"start,end,token\n0,9,{'x' * 21}\n"
    with pytest.raises(UsageError, match=r"token 'x{21}' has more than 20 characters"):
        replaying(tmp_path, rows, "replay: {file: sessions.csv, tokens: recorded}")


@pytest.mark.parametrize("compression", [1.0, 10.0])
def test_a_station_replays_its_rows(tmp_path: Path, compression: float) -> None:
    profile = msgspec.structs.replace(replaying(tmp_path, PLAIN), compression=compression)
    harness = FleetHarness(profile=profile).start().run(4 * 3600.0 / compression)
    starts, stops = harness.sent("StartTransaction"), harness.sent("StopTransaction")
    assert [call.at - 1000.0 for call in starts] == pytest.approx([0.0, 7200.0 / compression])
    assert [call.at - 1000.0 for call in stops] == pytest.approx([3600.0 / compression, 8400.0 / compression])
    taken = [stop.payload["meterStop"] - start.payload["meterStart"] for start, stop in zip(starts, stops, strict=True)]
    assert taken == pytest.approx([5500.0 / compression, 2000.0 / compression], abs=2)
    assert all(is_pool_token(call.payload["idTag"]) for call in starts)


def test_recorded_connectors_and_tokens_are_used(tmp_path: Path) -> None:
    profile = replaying(tmp_path, ELAAD, "replay: {file: sessions.csv, tokens: recorded}")
    harness = FleetHarness(profile=profile).start().run(3 * 3600.0)
    found = [(call.payload["connectorId"], call.payload["idTag"]) for call in harness.sent("StartTransaction")]
    assert found == [(1, "CARD-1"), (2, "CARD-2")]


def test_more_stations_than_were_recorded_begin_the_list_anew(tmp_path: Path) -> None:
    profile = replaying(tmp_path, PLAIN)
    assert profile.recorded.stations == 2
    first, third = (FleetHarness(profile=profile, number=number).start().run(3600.0) for number in (1, 3))
    assert [call.at for call in first.sent("StartTransaction")] == [call.at for call in third.sent("StartTransaction")]


# -- a trace -----------------------------------------------------------------------------------------------------------


def line(at: float, message: Any, *, kind: Kind = Kind.SENT, station: str = "OLD") -> str:
    text = message if isinstance(message, str) else msgspec.json.encode(message).decode()
    return encode_record(
        TraceRecord(t=50.0 + at, wall=wall_clock(RECORDED + at), station=station, kind=kind, text=text)
    ).decode()


def stamp(at: float) -> str:
    return wall_clock(RECORDED + at)


START = {"connectorId": 1, "idTag": "OLDTAG", "meterStart": 100}
TRACE_16 = "\n".join(
    [
        line(0.0, [2, "a", "BootNotification", {"chargePointModel": "M", "chargePointVendor": "V"}]),
        line(0.1, [3, "a", {"status": "Accepted"}], kind=Kind.RECEIVED),
        line(1.0, [2, "b", "StatusNotification", {"connectorId": 1, "errorCode": "NoError", "status": "Available"}]),
        line(2.0, [2, "c", "StopTransaction", {"transactionId": 3, "meterStop": 9, "timestamp": stamp(2.0)}]),
        line(5.0, [2, "d", "StartTransaction", START | {"timestamp": stamp(4.0)}]),
        line(5.2, [3, "d", {"transactionId": 77, "idTagInfo": {"status": "Accepted"}}], kind=Kind.RECEIVED),
        line(6.0, "{no json", kind=Kind.SENT),
        line(7.0, [2, "csms", "TriggerMessage", {"requestedMessage": "Heartbeat"}], kind=Kind.RECEIVED),
        line(7.1, [3, "csms", {"status": "Accepted"}]),
        line(8.0, [2, "e", "Heartbeat", {}]),
        line(
            30.0,
            [
                2,
                "f",
                "MeterValues",
                {
                    "connectorId": 1,
                    "transactionId": 77,
                    "meterValue": [{"timestamp": stamp(29.5), "sampledValue": [{"value": "120"}]}],
                },
            ],
        ),
        line(60.0, [2, "g", "StopTransaction", {"transactionId": 77, "meterStop": 150, "timestamp": stamp(60.0)}]),
    ]
)


def from_trace(folder: Path, text: str, more: str = "replay: trace.jsonl") -> Profile:
    return replaying(folder, text, more, name="trace.jsonl")


def seen(harness: FleetHarness) -> list[tuple[str, float]]:
    return [(call.action, round(call.at - 1000.0, 3)) for call in harness.calls if call.action != "BootNotification"]


def test_a_trace_is_said_again_at_the_same_distances_with_new_ids_and_times(tmp_path: Path) -> None:
    harness = FleetHarness(profile=from_trace(tmp_path, TRACE_16)).start().run(100.0)
    assert seen(harness) == [
        ("StatusNotification", 1.0),
        ("StartTransaction", 5.0),
        ("Heartbeat", 8.0),
        ("MeterValues", 30.0),
        ("StopTransaction", 60.0),
    ]
    start, reading, stop = (
        harness.sent(action)[0].payload for action in ("StartTransaction", "MeterValues", "StopTransaction")
    )
    assert start["timestamp"] == wall_clock(WALL + 4.0)
    assert reading["meterValue"][0]["timestamp"] == wall_clock(WALL + 29.5)
    assert reading["transactionId"] == stop["transactionId"] == 4711
    assert is_pool_token(start["idTag"])
    assert len({call.message_id for call in harness.calls}) == len(harness.calls)


def test_recorded_tokens_are_kept_where_that_is_asked_for(tmp_path: Path) -> None:
    more = "replay: {file: trace.jsonl, tokens: recorded}"
    harness = FleetHarness(profile=from_trace(tmp_path, TRACE_16, more)).start().run(10.0)
    assert harness.sent("StartTransaction")[0].payload["idTag"] == "OLDTAG"


def test_compression_shortens_the_distances(tmp_path: Path) -> None:
    profile = msgspec.structs.replace(from_trace(tmp_path, TRACE_16), compression=10.0)
    harness = FleetHarness(profile=profile).start().run(100.0)
    assert [at for _, at in seen(harness)] == [0.1, 0.5, 0.8, 3.0, 6.0]


def test_a_message_waits_for_the_id_of_its_transaction(tmp_path: Path) -> None:
    harness = FleetHarness(profile=from_trace(tmp_path, TRACE_16), latency=27.0).start().run(300.0)
    assert {call.payload["transactionId"] for call in harness.sent("StopTransaction")} == {4711}
    assert all(after.at - before.at >= 27.0 for before, after in pairwise(harness.calls[1:]))


def test_what_was_due_while_the_line_was_cut_is_said_afterwards(tmp_path: Path) -> None:
    harness = FleetHarness(profile=from_trace(tmp_path, TRACE_16)).start().run(6.0)
    harness.lose(refuse_with="refused")
    harness.run(40.0)
    harness.refuse_with = None
    harness.run(200.0)
    assert [action for action, _ in seen(harness)] == [
        "StatusNotification",
        "StartTransaction",
        "Heartbeat",
        "MeterValues",
        "StopTransaction",
    ]
    assert {outcome for _, outcome in harness.outcomes()} == {"accepted"}


def test_what_was_never_said_is_counted(tmp_path: Path) -> None:
    harness = (
        FleetHarness(profile=from_trace(tmp_path, TRACE_16), answers={"StatusNotification": SILENT}).start().run(20.0)
    )
    harness.station.stop(lambda: None, 1.0)
    harness.run(50.0)
    outcomes = harness.outcomes()
    assert outcomes["StartTransaction", "never-sent"] == outcomes["Heartbeat", "never-sent"] == 1


def event(kind: str, number: int, at: float, **more: Any) -> list[Any]:
    trigger = "Authorized" if kind == "Started" else "MeterValuePeriodic"
    payload = {"eventType": kind, "triggerReason": trigger, "seqNo": number, "timestamp": stamp(at)}
    return [2, f"m{number}", "TransactionEvent", payload | {"transactionInfo": {"transactionId": "old"}} | more]


def test_a_transaction_of_2x_gets_an_id_of_the_stations_own(tmp_path: Path) -> None:
    text = "\n".join(
        [
            line(0.0, event("Started", 0, 0.0, idToken={"idToken": "OLDTAG", "type": "ISO14443"}, evse={"id": 1})),
            line(9.0, event("Ended", 1, 9.0)),
            line(
                9.5,
                [
                    2,
                    "x",
                    "NotifyEvent",
                    {
                        "seqNo": 0,
                        "generatedAt": stamp(9.4),
                        "eventData": [
                            {
                                "eventId": 1,
                                "timestamp": stamp(9.4),
                                "trigger": "Delta",
                                "actualValue": "1",
                                "component": {"name": "A"},
                                "variable": {"name": "B"},
                                "eventNotificationType": "CustomMonitor",
                            }
                        ],
                    },
                ],
            ),
        ]
    )
    profile = from_trace(tmp_path, text)
    one, two = (FleetHarness(Version.V201, profile, number=number).start().run(20.0) for number in (1, 2))
    events = [call.payload for call in one.sent("TransactionEvent")]
    ids = {payload["transactionInfo"]["transactionId"] for payload in events}
    assert len(ids) == 1
    assert UUID(*ids).version == 4
    assert ids != {two.sent("TransactionEvent")[0].payload["transactionInfo"]["transactionId"]}
    assert is_pool_token(events[0]["idToken"]["idToken"])
    assert events[0]["idToken"]["type"] == "ISO14443"
    assert one.sent("NotifyEvent")[0].payload["generatedAt"] == wall_clock(WALL + 9.4)


def test_a_transaction_from_before_the_recording_is_left_out_and_counted(tmp_path: Path) -> None:
    assert from_trace(tmp_path, TRACE_16).recorded.left_out == 1


def test_each_recorded_station_has_a_part(tmp_path: Path) -> None:
    text = "\n".join(line(at, [2, "h", "Heartbeat", {}], station=name) for at, name in ((0, "A"), (3, "B"), (5, "A")))
    profile = from_trace(tmp_path, text)
    runs = [seen(FleetHarness(profile=profile, number=number).start().run(9.0)) for number in (1, 2, 3)]
    assert runs[0] == runs[2] == [("Heartbeat", 0.0), ("Heartbeat", 5.0)]
    assert runs[1] == [("Heartbeat", 3.0)]


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        (line(0.0, [2, "h", "Heartbeat", {}]) + "\nnonsense\n", "jsonl:2: this is not a line of a trace"),
        (
            '{"t": 1, "station": "A", "kind": "sent", "text": "[2,\\"h\\",\\"Heartbeat\\",{}]"}',
            "jsonl:1: the record has no `wall`",
        ),
        ("\n", "has no CALL of a station"),
    ],
)
def test_a_file_that_is_no_trace_is_told(tmp_path: Path, text: str, complaint: str) -> None:
    with pytest.raises(UsageError, match=re.escape(complaint)):
        from_trace(tmp_path, text)


def test_a_trace_of_another_version_is_told_before_the_run(tmp_path: Path) -> None:
    profile = from_trace(tmp_path, TRACE_16)
    check_versions(profile, [Version.V16])
    with pytest.raises(UsageError, match=r"mine replays has StartTransaction, which OCPP 2.0.1 does not know"):
        check_versions(profile, [Version.V201])
