from __future__ import annotations

import json
from typing import Any

import pytest

from evidence.verdicts import Verdict
from interop_suite.claims.general import general_findings
from ocppj.trace import Kind
from ocppj.versions import Version
from tests.interop_suite.recording import STATION, Recording, begun

STARTED = "2026-01-01T12:00:00Z"
DAY = "2026-01-0{}T12:00:00Z"


def told(recording: Recording) -> list[str]:
    return [finding.actual for finding in general_findings(recording.history())]


def exchanged(recording: Recording, action: str, payload: object, answer: object) -> Recording:
    number = str(len(recording.records))
    return recording.sent(json.dumps([2, number, action, payload])).got(json.dumps([3, number, answer]))


def timed(*times: str, apart: int = 0) -> Recording:
    """Heartbeats that were told these times, in a recording that began at noon."""
    recording = begun().note(started=STARTED)
    for time in times:
        exchanged(recording, "Heartbeat", {}, {"currentTime": time})
        for _ in range(apart):
            recording.note()
    return recording


# -- the clock ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("time", [STARTED, "2026-01-01T13:00:00+01:00", "2026-01-01T11:59:10Z", "2026-01-01T12:00:00"])
def test_clock_that_is_a_little_off_or_in_another_zone_no_false_alarm(time: str) -> None:
    assert told(timed(time, time)) == []


def test_clock_that_is_far_off_is_told_once() -> None:
    assert told(timed("2025-01-01T12:00:00Z", "2025-01-01T12:00:00Z")) == [
        "it told 2025-01-01T12:00:00Z, which is -31536000 s from our own clock"
    ]


def test_clock_that_stands_still_is_told() -> None:
    (actual,) = told(timed(STARTED, STARTED, apart=400))
    assert actual.startswith(f"it told {STARTED} and then {STARTED}, 4.0")


def test_clock_that_goes_on_no_false_alarm() -> None:
    assert told(timed(STARTED, "2026-01-01T12:00:04Z", apart=400)) == []


def test_clock_that_jumps_is_told() -> None:
    assert len(told(timed(STARTED, "2026-01-01T12:00:30Z"))) == 1


def boot(told_interval: int, status: str = "Accepted", **settings: Any) -> Recording:
    recording = begun().note(started=STARTED).driver(operation="register", identity=STATION, **settings)
    answer = {"status": status, "currentTime": STARTED, "interval": told_interval}
    return exchanged(recording, "BootNotification", {}, answer)


def test_interval_that_the_operator_set_is_the_one_that_is_answered() -> None:
    assert told(boot(11, interval=10)) == ["interval is 11 instead of 10"]
    assert told(boot(10, interval=10)) == []
    assert told(boot(11)) == []


def test_interval_of_a_boot_that_was_answered_otherwise_no_false_alarm() -> None:
    assert told(boot(1, status="Pending", interval=10)) == []


# -- tokens ------------------------------------------------------------------------------------------------------------


def authorized(info: dict[str, Any], **registered: Any) -> list[str]:
    recording = begun().note(started=STARTED)
    recording.driver(operation="set_token", token="TAG", **registered)
    return told(exchanged(recording, "Authorize", {"idTag": "tag"}, {"idTagInfo": info}))


@pytest.mark.parametrize(
    ("info", "registered"),
    [
        ({"status": "Accepted"}, {"status": "Accepted", "parent": "G", "expiry": DAY.format(2)}),
        ({"status": "Accepted", "parentIdTag": "g"}, {"status": "Accepted", "parent": "G"}),
        ({"status": "Accepted", "parentIdTag": "ANY"}, {"status": "Accepted"}),
        (
            {"status": "Accepted", "expiryDate": "2026-01-02T13:00:00+01:00"},
            {"status": "Accepted", "expiry": DAY.format(2)},
        ),
        ({"status": "Invalid"}, {"status": "Blocked"}),
        ({"status": "Expired"}, {"status": "Accepted", "expiry": "2025-12-31T12:00:00Z"}),
    ],
)
def test_token_that_is_answered_as_registered_no_false_alarm(info: dict[str, Any], registered: dict[str, Any]) -> None:
    assert authorized(info, **registered) == []


@pytest.mark.parametrize(
    ("info", "registered", "actual"),
    [
        (
            {"status": "Blocked"},
            {"status": "Accepted"},
            "status is 'Blocked' of a token that was registered as Accepted",
        ),
        ({"status": "ConcurrentTx"}, {"status": "Accepted"}, "status is 'ConcurrentTx'"),
        ({"status": "Accepted"}, {"status": "Blocked"}, "status is 'Accepted' of a token that is Blocked"),
        ({"status": "Accepted"}, {"status": "Accepted", "expiry": "2025-12-31T12:00:00Z"}, "a token that is Expired"),
        (
            {"status": "Accepted", "parentIdTag": "H"},
            {"status": "Accepted", "parent": "G"},
            "parentIdTag is 'H' instead of 'G'",
        ),
        (
            {"status": "Accepted", "expiryDate": DAY.format(3)},
            {"status": "Accepted", "expiry": DAY.format(2)},
            "instead of '2026-01-02T12:00:00Z'",
        ),
        ({"status": "Accepted", "expiryDate": "2025-12-31T12:00:00Z"}, {"status": "Accepted"}, "which is over"),
    ],
)
def test_token_that_is_answered_otherwise_is_told(
    info: dict[str, Any], registered: dict[str, Any], actual: str
) -> None:
    (found,) = authorized(info, **registered)
    assert actual in found


# -- records -----------------------------------------------------------------------------------------------------------

START = {"connectorId": 2, "idTag": "TAG", "meterStart": 100, "timestamp": STARTED}
STOP = {"transactionId": 5, "meterStop": 200, "timestamp": DAY.format(2), "reason": "Remote", "idTag": "TAG"}
ROW = {
    "transactionId": 5,
    "state": "closed",
    "connectorId": 2,
    "idTag": "tag",
    "meterStart": 100,
    "startTime": "2026-01-01T13:00:00+01:00",
    "meterStop": 200.0,
    "stopTime": "2026-01-02T12:00:00.4Z",
    "reason": "Remote",
    "stopIdTag": "TAG",
}


def kept(*rows: dict[str, Any], status: str = "Accepted", stop: dict[str, Any] | None = STOP) -> list[str]:
    recording = exchanged(begun(), "StartTransaction", START, {"transactionId": 5, "idTagInfo": {"status": status}})
    if stop is not None:
        exchanged(recording, "StopTransaction", stop, {})
    recording.add(Kind.DRIVER, info={"operation": "kept", "transactions": list(rows)})
    return told(recording)


def test_record_that_is_as_told_no_false_alarm() -> None:
    assert kept(ROW) == []


@pytest.mark.parametrize("name", [*list(ROW)[1:]])
def test_field_that_records_do_not_have_is_not_judged_no_false_alarm(name: str) -> None:
    assert kept({key: value for key, value in ROW.items() if key != name}) == []


def test_reason_that_was_not_told_may_be_local_or_nothing_no_false_alarm() -> None:
    stop = {key: value for key, value in STOP.items() if key != "reason"}
    assert kept({**ROW, "reason": None}, stop=stop) == []
    assert kept({**ROW, "reason": "Local"}, stop=stop) == []


def test_refused_start_may_be_kept_in_any_way_no_false_alarm() -> None:
    assert kept(status="Blocked") == []


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("state", "open"),
        ("connectorId", 1),
        ("idTag", None),
        ("meterStart", 0),
        ("startTime", "1970-01-01T00:00:00Z"),
        ("meterStop", None),
        ("stopTime", None),
        ("reason", "Local"),
        ("stopIdTag", "OTHER"),
    ],
)
def test_field_that_is_not_as_told_is_told(name: str, value: object) -> None:
    (actual,) = kept({**ROW, name: value})
    assert actual.startswith("transaction 5: ")


def test_session_that_is_lost_doubled_or_ended_too_early_is_told() -> None:
    assert kept() == ["transaction 5: it is not recorded"]
    assert kept(ROW, ROW) == ["transaction 5: it is recorded 2 times"]
    (actual,) = kept({**ROW, "meterStop": None}, stop=None)
    assert actual == "transaction 5: recorded as closed, although its end was never told"


def test_session_of_2x_is_held_against_its_events() -> None:
    recording = begun(Version.V201)
    event = {
        "eventType": "Started",
        "timestamp": STARTED,
        "transactionInfo": {"transactionId": "a"},
        "evse": {"id": 2, "connectorId": 1},
        "idToken": {"idToken": "TAG", "type": "Central"},
        "meterValue": [{"timestamp": STARTED, "sampledValue": [{"value": 7}]}],
    }
    exchanged(recording, "TransactionEvent", event, {})
    row = {"transactionId": "a", "state": "open", "evseId": 1, "connectorId": 1, "idTag": "TAG", "meterStart": 7}
    recording.add(Kind.DRIVER, info={"operation": "kept", "transactions": [row]})
    assert told(recording) == ["transaction a: evseId is 1, told 2"]


# -- commands ----------------------------------------------------------------------------------------------------------


def ordered(result: dict[str, Any], *answers: str, action: str = "Reset") -> list[str]:
    recording = begun().driver(operation="trigger", action=action, payload={"type": "Hard"})
    for number, answer in enumerate(answers):
        recording.got(json.dumps([2, f"c{number}", action, {"type": "Hard"}])).sent(answer.replace("ID", f"c{number}"))
    return told(recording.driver(operation="outcome", action=action, result=result))


ACCEPTED = '[3,"ID",{"status":"Accepted"}]'
REJECTED = '[3,"ID",{"status":"Rejected"}]'
ERROR = '[4,"ID","InternalError","",{}]'


@pytest.mark.parametrize(
    ("result", "answer"),
    [
        ({"status": "answered", "payload": {"status": "Accepted"}}, ACCEPTED),
        ({"status": "answered", "payload": {"status": "rejected"}}, REJECTED),
        ({"status": "answered"}, ACCEPTED),
        ({"status": "sent"}, REJECTED),
        ({"status": "error", "origin": "station", "code": "InternalError"}, ERROR),
        ({"status": "error", "origin": "csms"}, ACCEPTED),
        ({"status": "timeout"}, '[3,"ID",{"status":"Nonsense"}]'),
    ],
)
def test_api_that_says_what_the_station_answered_no_false_alarm(result: dict[str, Any], answer: str) -> None:
    assert ordered(result, answer) == []


@pytest.mark.parametrize(
    ("result", "answer", "actual"),
    [
        ({"status": "answered", "payload": {"status": "Accepted"}}, REJECTED, "it says status 'Accepted'"),
        ({"status": "timeout"}, ACCEPTED, "it says 'timeout', but the station answered"),
        ({"status": "answered", "payload": {}}, ERROR, "but the station answered CALLERROR"),
    ],
)
def test_api_that_says_otherwise_is_told(result: dict[str, Any], answer: str, actual: str) -> None:
    (found,) = ordered(result, answer)
    assert actual in found


def test_order_that_is_carried_out_twice_is_told() -> None:
    assert ordered({"status": "sent"}, ACCEPTED, ACCEPTED) == ["Reset came again, although the station had answered it"]


def test_look_at_the_station_for_a_later_order_no_false_alarm() -> None:
    look = {"getVariableData": [{"component": {"name": "DeviceDataCtrlr"}, "variable": {"name": "ItemsPerMessage"}}]}
    recording = begun(Version.V201).driver(operation="trigger", action="GetVariables", payload=look)
    for number in ("a", "b"):
        recording.got(json.dumps([2, number, "GetVariables", look])).sent(json.dumps([3, number, {}]))
        recording.driver(operation="trigger", action="SetVariables", payload={})
    assert not any("came again" in actual for actual in told(recording))


def test_look_at_a_station_that_has_come_back_no_false_alarm() -> None:
    recording = begun(Version.V201).driver(operation="trigger", action="GetLocalListVersion", payload={})
    recording.got('[2,"a","GetLocalListVersion",{}]').sent('[3,"a",{"versionNumber":1}]').closed("station")
    recording.opened_again().got('[2,"b","GetLocalListVersion",{}]').sent('[3,"b",{"versionNumber":1}]')
    assert not any("came again" in actual for actual in told(recording))


def test_session_that_the_csms_stops_for_its_own_reason_too_no_false_alarm() -> None:
    stop = {"transactionId": 31}
    recording = begun().driver(operation="trigger", action="RemoteStopTransaction", payload=stop)
    for number in ("a", "b"):
        recording.got(json.dumps([2, number, "RemoteStopTransaction", stop]))
        recording.sent(json.dumps([3, number, {"status": "Accepted"}]))
    assert told(recording) == []


def _asked_twice(*, by_itself: bool) -> list[str]:
    recording = begun()
    if by_itself:
        recording.got('[2,"o","GetConfiguration",{}]').sent('[3,"o",{"configurationKey":[]}]')
    recording.driver(operation="trigger", action="GetLocalListVersion", payload={})
    for number in ("a", "b"):
        recording.got(f'[2,"{number}","GetLocalListVersion",{{}}]').sent(f'[3,"{number}",{{"listVersion":0}}]')
    return told(recording)


def test_csms_that_asks_for_the_same_of_its_own_accord_no_false_alarm() -> None:
    assert not _asked_twice(by_itself=True)


def test_csms_that_asks_for_nothing_else_and_asks_twice_is_told() -> None:
    assert _asked_twice(by_itself=False) == ["GetLocalListVersion came again, although the station had answered it"]


def looked(times: int) -> Recording:
    """An order to read something of a station that has booted, which the CSMS does several times."""
    boot = '[3,"boot",{"currentTime":"2026-01-01T00:00:00Z","interval":60,"status":"Accepted"}]'
    recording = begun(Version.V201).sent('[2,"boot","BootNotification",{}]').got(boot)
    recording.driver(operation="trigger", action="GetLocalListVersion", payload={})
    for number in range(times):
        recording.got(f'[2,"{number}","GetLocalListVersion",{{}}]').sent(f'[3,"{number}",{{"versionNumber":1}}]')
    return recording


def test_look_of_its_own_at_a_station_that_has_booted_no_false_alarm() -> None:
    assert not any("came again" in actual for actual in told(looked(2)))


def test_look_that_comes_again_and_again_is_told() -> None:
    assert any("came again" in actual for actual in told(looked(3)))


def test_order_that_is_tried_again_after_an_error_no_false_alarm() -> None:
    assert ordered({"status": "sent"}, ERROR, ACCEPTED) == []


def test_certificate_that_is_sent_again_unasked_is_told() -> None:
    recording = begun()
    for number in ("a", "b"):
        recording.got(json.dumps([2, number, "CertificateSigned", {"certificateChain": "x"}]))
        recording.sent(json.dumps([3, number, {"status": "Accepted"}]))
    assert told(recording) == ["CertificateSigned came again, although the station had answered it"]


def test_date_that_the_csms_chose_otherwise_is_told() -> None:
    recording = begun().driver(operation="trigger", action="UpdateFirmware", payload={"retrieveDate": STARTED})
    recording.got(json.dumps([2, "c", "UpdateFirmware", {"location": "x", "retrieveDate": DAY.format(2)}]))
    (actual,) = told(recording)
    assert "retrieveDate is '2026-01-02T12:00:00Z'" in actual


# -- values ------------------------------------------------------------------------------------------------------------


def profile(*starts: int) -> list[str]:
    periods = [{"startPeriod": start, "limit": 1} for start in starts]
    payload = {"chargingProfile": {"chargingSchedule": {"chargingSchedulePeriod": periods}}}
    return told(begun().got(json.dumps([2, "c", "RemoteStartTransaction", payload])))


def test_periods_of_a_schedule_are_in_order() -> None:
    assert profile(0, 60, 120) == []
    assert profile(60, 0) == ["startPeriod is 60, 0"]
    assert profile(5) == ["startPeriod is 5"]


def test_integer_that_no_station_holds_is_told_unless_the_station_sent_it() -> None:
    wide = [2, "c", "RemoteStopTransaction", {"transactionId": 2**31}]
    assert told(begun().got(json.dumps(wide))) == [f"it sent {2**31}"]
    assert told(begun().sent(json.dumps(wide)).got(json.dumps(wide))) == []
    assert told(begun().got(json.dumps([2, "c", "RemoteStopTransaction", {"transactionId": 2**31 - 1}]))) == []


def test_connection_that_ends_for_an_error_of_the_csms_is_told() -> None:
    assert told(begun().closed("csms", 1011)) == ["it closed with 1011: no reason"]
    assert told(begun().closed("csms", 1000)) == []
    assert told(begun().note(raw=1).closed("csms", 1011)) == []


def test_answer_that_names_another_thing_is_told() -> None:
    asked = {"vatNumber": "NL1"}
    right = exchanged(begun(Version.V21), "VatNumberValidation", asked, {"status": "Accepted", "vatNumber": "NL1"})
    wrong = exchanged(begun(Version.V21), "VatNumberValidation", asked, {"status": "Accepted", "vatNumber": "NL"})
    assert told(right) == []
    assert told(wrong) == ["VatNumberValidation: 'NL' is not what was asked for"]


def test_certificate_status_of_another_certificate_is_told() -> None:
    def answer(serial: str) -> list[str]:
        entry = {"certificateHashData": {"serialNumber": serial}}
        asked = {"certificateStatusRequests": [{"certificateHashData": {"serialNumber": "1"}}]}
        recording = exchanged(begun(Version.V21), "GetCertificateChainStatus", asked, {"certificateStatus": [entry]})
        return told(recording)

    assert answer("1") == []
    assert answer("2") == ["GetCertificateChainStatus: '2' is not what was asked for"]


# -- ranges ------------------------------------------------------------------------------------------------------------


def started_at(evse: int | None, order: dict[str, Any]) -> list[str]:
    payload = {"remoteStartId": 4, "idToken": {"idToken": "A", "type": "Central"}}
    recording = begun(Version.V201).driver(operation="trigger", action="RequestStartTransaction", payload=order)
    exchanged(recording, "NotifyReport", {"requestId": 0, "seqNo": 0, "generatedAt": STARTED}, {})
    call = payload if evse is None else {**payload, "evseId": evse}
    return told(recording.got(json.dumps([2, "s", "RequestStartTransaction", call])))


def test_start_at_evse_0_that_nobody_named_is_failed() -> None:
    assert "RequestStartTransaction has evseId 0" in started_at(0, {"remoteStartId": 4})


def test_start_at_no_evse_or_at_the_one_that_was_named_no_false_alarm() -> None:
    assert not [actual for order in ({}, {"evseId": 0}) for actual in started_at(None, order) if "evseId 0" in actual]
    assert not any("evseId 0" in actual for actual in started_at(0, {"evseId": 0}))


@pytest.mark.parametrize(("priority", "found"), [(9, False), (-9, False), (10, True), (-100, True)])
def test_priority_outside_its_range_is_failed(*, priority: int, found: bool) -> None:
    recording = begun(Version.V201)
    token = {"idToken": {"idToken": "A", "type": "Central"}}
    exchanged(recording, "Authorize", token, {"idTokenInfo": {"status": "Accepted", "chargingPriority": priority}})
    assert (f"it sent {priority}" in told(recording)) is found


@pytest.mark.parametrize(("number", "found"), [(0, False), (7, False), (-1, True)])
def test_request_id_below_0_that_nobody_named_is_failed(*, number: int, found: bool) -> None:
    recording = begun(Version.V201).got(
        json.dumps([2, "r", "GetBaseReport", {"requestId": number, "reportBase": "FullInventory"}])
    )
    exchanged(recording, "NotifyReport", {"requestId": number, "seqNo": 0, "generatedAt": STARTED}, {})
    assert (f"it sent {number}" in told(recording)) is found


@pytest.mark.parametrize(
    ("version", "action", "payload"),
    [
        (Version.V16, "GetLog", {"requestId": -1, "logType": "SecurityLog"}),
        (Version.V201, "DataTransfer", {"vendorId": "V", "data": {"severity": 42, "requestId": -1}}),
        (Version.V21, "GetBaseReport", {"requestId": 1, "reportBase": "FullInventory", "customData": {"severity": 42}}),
        (Version.V201, "RequestStartTransaction", []),
    ],
)
def test_numbers_of_vendors_and_of_1_6_have_no_range_no_false_alarm(
    version: Version, action: str, payload: object
) -> None:
    recording = begun(version).got(json.dumps([2, "r", action, payload]))
    assert not any(actual.startswith("it sent") or "evseId 0" in actual for actual in told(recording))


def test_wide_request_id_is_no_broken_range_no_false_alarm() -> None:
    asked = {"requestId": 2**33, "reportBase": "FullInventory"}
    recording = begun(Version.V201).got(json.dumps([2, "r", "GetBaseReport", asked]))
    found = [finding for finding in general_findings(recording.history()) if "it sent" in finding.actual]
    assert [finding.verdict for finding in found] == [Verdict.NON_STRICT]


def test_customer_that_is_named_twice_is_told() -> None:
    asked = {"requestId": 1, "report": True, "clear": False, "customerIdentifier": "C"}
    once = begun(Version.V201).got(json.dumps([2, "c", "CustomerInformation", asked]))
    assert not any("CustomerInformation has" in actual for actual in told(once))
    token = {"idToken": {"idToken": "A", "type": "Central"}}
    twice = begun(Version.V201).got(json.dumps([2, "c", "CustomerInformation", asked | token]))
    assert "CustomerInformation has customerIdentifier and idToken" in told(twice)


# -- what a CSMS does of its own accord --------------------------------------------------------------------------------


def _unlocked_after(*sessions: str | None) -> list[str]:
    """Unlock a connector of one's own accord, each time after a message of the station, or after none."""
    recording = begun()
    for number, action in enumerate(sessions):
        if action is not None:
            recording.sent(json.dumps([2, f"s{number}", action, {}])).got(f'[3,"s{number}",{{}}]')
        recording.got(f'[2,"u{number}","UnlockConnector",{{"connectorId":1}}]')
        recording.sent(f'[3,"u{number}",{{"status":"Unlocked"}}]')
    return [actual for actual in told(recording) if "UnlockConnector" in actual]


def test_connector_that_is_unlocked_after_each_session_no_false_alarm() -> None:
    assert not _unlocked_after("StopTransaction", "StopTransaction", "StopTransaction")


def test_connector_that_is_unlocked_for_each_of_two_ends_that_came_at_once_no_false_alarm() -> None:
    recording = begun()
    for number in ("s", "t"):
        recording.sent(f'[2,"{number}","StopTransaction",{{}}]').got(f'[3,"{number}",{{}}]')
    for number in ("u", "v"):
        recording.got(f'[2,"{number}","UnlockConnector",{{"connectorId":1}}]')
        recording.sent(f'[3,"{number}",{{"status":"Unlocked"}}]')
    assert not any("came again" in actual for actual in told(recording))


@pytest.mark.parametrize("between", [None, "Heartbeat", "MeterValues"])
def test_connector_that_is_unlocked_twice_after_one_session_is_told(between: str | None) -> None:
    (found,) = _unlocked_after("StopTransaction", between)
    assert "came again" in found


def test_order_that_comes_again_for_a_session_that_has_ended_meanwhile_no_false_alarm() -> None:
    recording = begun().driver(operation="trigger", action="UnlockConnector", payload={"connectorId": 1})
    recording.got('[2,"a","UnlockConnector",{"connectorId":1}]').sent('[3,"a",{"status":"Unlocked"}]')
    recording.sent('[2,"s","StopTransaction",{}]').got('[3,"s",{}]')
    recording.got('[2,"b","UnlockConnector",{"connectorId":1}]').sent('[3,"b",{"status":"Unlocked"}]')
    assert not any("came again" in actual for actual in told(recording))


PROFILE = {
    "id": 1,
    "stackLevel": 0,
    "chargingProfilePurpose": "ChargingStationMaxProfile",
    "chargingProfileKind": "Absolute",
    "chargingSchedule": [
        {
            "id": 1,
            "startSchedule": "2026-01-01T00:00:00Z",
            "chargingRateUnit": "A",
            "chargingSchedulePeriod": [{"startPeriod": 0, "limit": 16}],
        }
    ],
}


def sent_by_itself(action: str, payload: dict[str, Any], *, ordered: bool = False) -> list[str]:
    recording = begun(Version.V201)
    if ordered:
        recording.driver(operation="trigger", action=action, payload=payload)
    recording.got(json.dumps([2, "a", action, payload])).sent('[3,"a",{"status":"Accepted"}]')
    return told(recording)


def test_profile_of_its_own_that_breaks_the_rules_of_its_purpose_is_told_in_2x() -> None:
    (found,) = sent_by_itself("SetChargingProfile", {"evseId": 1, "chargingProfile": PROFILE})
    assert "a ChargingStationMaxProfile is for evseId 1" in found


@pytest.mark.parametrize(("evse", "ordered"), [(0, False), (1, True)])
def test_profile_that_is_sound_or_ordered_so_no_false_alarm(evse: int, *, ordered: bool) -> None:
    assert sent_by_itself("SetChargingProfile", {"evseId": evse, "chargingProfile": PROFILE}, ordered=ordered) == []


MESSAGE = {"id": 1, "priority": "NormalCycle", "message": {"format": "UTF8", "content": "x"}}
LATER, EARLIER = "2031-01-02T00:00:00Z", "2031-01-01T00:00:00Z"


@pytest.mark.parametrize(
    ("begin", "end", "ordered", "found"),
    [(LATER, EARLIER, False, 1), (LATER, EARLIER, True, 0), (EARLIER, LATER, False, 0), (EARLIER, EARLIER, False, 0)],
)
def test_only_a_time_of_its_own_that_ends_before_it_begins_is_told(
    begin: str, end: str, *, ordered: bool, found: int
) -> None:
    message = {**MESSAGE, "startDateTime": begin, "endDateTime": end}
    windows = sent_by_itself("SetDisplayMessage", {"message": message}, ordered=ordered)
    assert [each for each in windows if "later than its end" in each] == windows
    assert len(windows) == found


def test_question_about_nobody_is_told() -> None:
    question = {"requestId": 1, "report": True, "clear": False}
    assert sent_by_itself("CustomerInformation", question) == ["CustomerInformation has no reference to one"]
    assert sent_by_itself("CustomerInformation", {**question, "customerIdentifier": "c"}) == []


def test_question_for_the_status_of_no_connector_is_told_unless_it_was_ordered_so() -> None:
    question = {"requestedMessage": "StatusNotification", "evse": {"id": 1}}
    assert sent_by_itself("TriggerMessage", question) == ["TriggerMessage for StatusNotification has evse {'id': 1}"]
    assert sent_by_itself("TriggerMessage", question, ordered=True) == []
    assert sent_by_itself("TriggerMessage", {**question, "evse": {"id": 1, "connectorId": 1}}) == []
    assert sent_by_itself("TriggerMessage", {"requestedMessage": "Heartbeat"}) == []
