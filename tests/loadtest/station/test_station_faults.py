from __future__ import annotations

import logging
from collections.abc import Callable
from functools import partial
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadtest.measuring.recorder import Recorder
from loadtest.station.contract import Host
from loadtest.station.messaging import MOST_QUEUED
from loadtest.transport.contract import How
from ocppj.versions import Version
from tests.loadtest.fleet_harness import SILENT, FleetHarness, charging

every_version = pytest.mark.parametrize("version", list(Version))


def boot(interval: int) -> dict[str, Any]:
    return {"status": "Accepted", "currentTime": "2026-01-01T00:00:00Z", "interval": interval}


def beating(**answers: Any) -> FleetHarness:
    """Start a station that beats every ten seconds."""
    return FleetHarness(answers={"BootNotification": boot(10), **answers}).start()


def test_a_call_without_an_answer_is_recorded_at_the_time_out_and_the_next_one_goes() -> None:
    harness = beating(Heartbeat=SILENT).run(65.0)
    delta = harness.recorder.take(final=True)
    rows = [(o, s, r) for _, action, _, o, s, r in delta["windows"]["ramp"] if action == "Heartbeat"]
    ((outcome, service, response),) = rows
    assert outcome == "timeout"
    assert sum(service.values()) == sum(response.values()) == 2
    assert len(harness.sent("Heartbeat")) == 3


def test_a_late_answer_is_counted_and_changes_nothing() -> None:
    harness = beating(Heartbeat=SILENT).run(10.0)
    first = harness.sent("Heartbeat")[0].message_id
    harness.run(31.0)
    harness.hear(f'[3,"{first}",{{}}]')
    assert harness.outcomes()["Heartbeat", "timeout"] == 1
    assert harness.faults == {"late": 1}
    assert harness.station.awaits_answer


def test_second_and_unasked_answers_are_counted() -> None:
    harness = beating().run(10.0)
    beat = harness.sent("Heartbeat")[0].message_id
    harness.hear(f'[3,"{beat}",{{}}]')
    harness.hear('[3,"never-asked",{}]')
    harness.hear('[4,"never-asked","InternalError","",{}]')
    harness.outcomes()
    assert harness.faults == {"duplicate": 1, "unsolicited": 2}


@pytest.mark.parametrize(
    "frame", ["", "nonsense", "{}", "[]", "[3]", '[9,"x",{}]', "[3,4,{}]", b"\xff\xfe", "[" * 100_000, '[3,"x",1e999]']
)
def test_frames_that_are_no_message_are_counted_and_the_station_goes_on(frame: str | bytes) -> None:
    harness = beating()
    harness.hear(frame)
    harness.run(10.0)
    assert harness.outcomes()["Heartbeat", "accepted"] == 1
    assert harness.faults["unreadable"] == 1
    assert harness.replies == []


@pytest.mark.parametrize("version", [Version.V201, Version.V21])
def test_a_call_that_cannot_be_read_is_refused_so_that_the_csms_need_not_wait(version: Version) -> None:
    harness = FleetHarness(version).start()
    harness.hear('[2,"abc",17,{}]')
    assert harness.replies[0][:3] == [4, "abc", "FormatViolation"]


def test_a_readable_message_in_a_binary_frame_is_counted_and_taken() -> None:
    harness = beating(Heartbeat=SILENT).run(10.0)
    beat = harness.sent("Heartbeat")[0].message_id
    harness.hear(f'[3,"{beat}",{{"currentTime":"2026-01-01T00:00:00Z"}}]'.encode())
    assert harness.outcomes()["Heartbeat", "accepted"] == 1
    assert harness.faults == {"not-text": 1}


def test_an_answer_whose_rest_cannot_be_read_ends_its_call() -> None:
    harness = beating(Heartbeat=SILENT).run(10.0)
    beat = harness.sent("Heartbeat")[0].message_id
    harness.hear(f'[3,"{beat}",[]]')
    assert harness.outcomes()["Heartbeat", "schema-invalid"] == 1
    assert harness.faults == {"unreadable": 1}


def test_an_answer_against_its_schema_is_a_class_of_its_own() -> None:
    harness = beating(Heartbeat={"currentTime": "yesterday"}).run(10.0)
    assert harness.outcomes()["Heartbeat", "schema-invalid"] == 1
    assert harness.faults == {"schema-invalid": 1}


def test_only_the_asked_for_share_of_answers_is_checked() -> None:
    harness = FleetHarness(answers={"BootNotification": boot(10), "Heartbeat": {"currentTime": 5}}, schema_share=0.25)
    harness.start().run(1000.0)
    outcomes = harness.outcomes()
    assert outcomes["Heartbeat", "schema-invalid"] == 25
    assert outcomes["Heartbeat", "accepted"] == 75
    unchecked = FleetHarness(answers={"BootNotification": boot(10), "Heartbeat": {"currentTime": 5}}, schema_share=0.0)
    assert unchecked.start().run(100.0).outcomes()["Heartbeat", "accepted"] == 10


def test_callerrors_are_told_apart_by_their_code() -> None:
    harness = beating(Heartbeat=[4, "ID", "InternalError", "", {}]).run(10.0)
    assert harness.outcomes()["Heartbeat", "callerror:InternalError"] == 1


def test_an_answer_that_this_process_was_too_late_to_read_no_false_alarm() -> None:
    harness = FleetHarness(answers={"BootNotification": boot(10)}, call_timeout=5.0).start()
    harness.asleep = True
    harness.run(16.0)
    outcomes = harness.outcomes()
    assert outcomes["Heartbeat", "accepted"] == 1
    assert ("Heartbeat", "timeout") not in outcomes
    harness.sockets[-1].unread.clear()
    harness.answers["Heartbeat"] = SILENT
    assert harness.run(10.0).outcomes()["Heartbeat", "timeout"] == 1


def test_the_queue_of_a_station_is_bounded_and_what_does_not_fit_is_counted() -> None:
    harness = FleetHarness(answers={"BootNotification": boot(1), "Heartbeat": SILENT}, call_timeout=10_000.0).start()
    harness.run(MOST_QUEUED + 20.0)
    assert harness.station.messaging.session.queue_depth == MOST_QUEUED
    assert harness.outcomes()["Heartbeat", "never-sent"] == 19


@pytest.mark.parametrize("how", [How.VIOLATION, How.TOO_BIG, How.SLOW_CONSUMER])
def test_a_connection_that_the_csms_spoiled_is_lost_and_its_fault_counted(how: How) -> None:
    harness = beating()
    harness.lose(how)
    harness.run(10.0)
    harness.outcomes()
    assert harness.faults == {str(how): 1}
    assert harness.lost == 1
    assert harness.station.online


def test_a_csms_that_reads_slowly_is_counted() -> None:
    harness = beating()
    harness.station.on_trouble("slow-reader")
    harness.outcomes()
    assert harness.faults == {"slow-reader": 1}


def test_a_send_of_21_is_taken_in_silence_and_an_error_about_our_answer_is_counted() -> None:
    harness = FleetHarness(Version.V21).start()
    harness.hear('[6,"s1","NotifyPeriodicEventStream",{}]')
    harness.hear('[5,"x","InternalError","",{}]')
    harness.outcomes()
    assert harness.faults == {"result-error": 1}
    assert harness.replies == []


KEYS = [
    *("status", "interval", "idTagInfo", "idTokenInfo", "transactionId", "currentTime", "type", "key", "value", "evse"),
    *("connectorId", "evseId", "id", "requestedMessage", "setVariableData", "component", "variable", "name", "idToken"),
    *("attributeValue", "remoteStartId", "x"),
]
json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**40), 2**40) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=4),
    max_leaves=8,
)


@given(st.sampled_from(list(Version)), st.lists(json_values, max_size=25))
def test_whatever_a_csms_answers_the_station_lives(version: Version, values: list[Any]) -> None:
    endless = iter(values * 50)

    def anything(_: Any) -> Any:
        return next(endless, {})

    actions = ("BootNotification", "Heartbeat", "StatusNotification", "Authorize", "MeterValues", "TransactionEvent")
    harness = FleetHarness(
        version, charging(duration=20.0, gap=5.0), dict.fromkeys((*actions, "StartTransaction"), anything)
    )
    harness.start().run(120.0)
    harness.answers = FleetHarness(version).answers
    harness.run(200.0)
    harness.outcomes()
    assert "station-crash" not in harness.faults
    assert harness.station.messaging.session.connected  # maybe told to wait for years, and still there


@given(st.sampled_from(list(Version)), st.lists(json_values, min_size=1, max_size=6))
def test_whatever_a_csms_sends_the_station_lives(version: Version, frames: list[Any]) -> None:
    harness = FleetHarness(version, charging(duration=20.0, gap=5.0)).start()
    for value in frames:
        harness.hear(msgspec.json.encode(value).decode())
        for action in ("TriggerMessage", "Reset", "SetVariables", "ChangeConfiguration", "RequestStartTransaction"):
            harness.hear(msgspec.json.encode([2, f"{harness.now}{action}", action, value]).decode())
            harness.run(60.0)
    harness.run(200.0)
    harness.outcomes()
    assert "station-crash" not in harness.faults
    assert harness.station.online


# -- our own mistakes --------------------------------------------------------------------------------------------------


def fail(*_: Any, **__: Any) -> Any:
    raise ZeroDivisionError("a mistake of ours")


def test_a_station_that_fails_is_counted_and_starts_over_after_its_back_off(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    harness = FleetHarness(profile=charging(duration=600.0, gap=60.0)).start().run(400.0)
    connected = harness.station.messaging.session.connected
    with monkeypatch.context() as patch:
        patch.setattr("loadtest.station.commands.respond.plausible_answer", fail)
        with pytest.raises(ZeroDivisionError):
            harness.hear('[2,"1","ClearCache",{}]')
        # The socket hands such an exception over; the harness has none.
        harness.station.on_crash(ZeroDivisionError("a mistake of ours"))
    assert connected
    assert (harness.recorder.connected_now, harness.recorder.booted_now) == (0, 0)
    harness.run(10.0)
    assert harness.station.online
    assert next(call.action for call in harness.calls if call.connection == 2) == "BootNotification"
    harness.outcomes()
    assert harness.faults["station-crash"] == 1
    assert "a mistake of ours" in caplog.text


def test_a_failure_within_a_timer_restarts_the_station_that_it_belongs_to(monkeypatch: pytest.MonkeyPatch) -> None:
    harness = FleetHarness(profile=charging(duration=100.0, gap=60.0)).start()
    with monkeypatch.context() as patch:
        patch.setattr("loadtest.station.charging_session.next_reading", fail)
        harness.run(150.0)
    harness.run(400.0)
    harness.outcomes()
    assert harness.faults["station-crash"] >= 1
    assert harness.station.online


@pytest.mark.parametrize("callback", [partial(fail), lambda _: fail()], ids=["partial", "lambda"])
def test_a_failure_of_any_callback_restarts_the_station_that_owns_the_timer(callback: Callable[[float], Any]) -> None:
    harness = beating()
    harness.context.timers.at(harness.now + 1.0, callback, harness.station)
    harness.run(10.0)
    harness.outcomes()
    assert harness.faults == {"station-crash": 1}
    assert len(harness.sent("BootNotification")) == 2


def test_a_recorder_that_fails_cannot_keep_a_station_from_starting_over(monkeypatch: pytest.MonkeyPatch) -> None:
    harness = beating(Heartbeat=SILENT).run(10.0)
    with monkeypatch.context() as patch:
        patch.setattr(Recorder, "call", fail)
        harness.station.on_crash(ValueError("first"))
    harness.run(10.0)
    assert harness.station.online
    assert harness.recorder.connected_now == 1


def test_only_the_first_failures_are_logged(caplog: pytest.LogCaptureFixture) -> None:
    harness = beating()
    with caplog.at_level(logging.ERROR):
        for _ in range(20):
            harness.station.on_crash(ValueError("again"))
            harness.run(10.0)
    assert 1 <= caplog.text.count("A station failed") <= 5
    harness.outcomes()
    assert harness.faults["station-crash"] == 20


def test_an_exception_that_somebody_takes_over_ends_the_station() -> None:
    seen: list[Exception] = []

    def take(_: Host, error: Exception) -> bool:
        seen.append(error)
        return True

    harness = FleetHarness(on_crash=take).start()
    error = ValueError("stop the user")
    harness.station.on_crash(error)
    harness.run(1000.0)
    assert seen == [error]
    assert len(harness.attempts) == 1
    assert len(harness.timers) == 0
    harness.outcomes()
    assert harness.faults == {}
