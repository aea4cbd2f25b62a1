from __future__ import annotations

import itertools
import json
from typing import Any

import pytest

from ocppj.errors import Fault, LocalProtocolError
from ocppj.events import (
    AnswerMalformed,
    CallReceived,
    DuplicateAnswer,
    ErrorReceived,
    LateAnswer,
    LostInFlight,
    NeverSent,
    ResultErrorReceived,
    ResultReceived,
    SendReceived,
    TimedOut,
    Unreadable,
    UnsolicitedAnswer,
)
from ocppj.messages import Call, CallError, CallResult, CallResultError, Send, encode
from ocppj.session import REMEMBERED, Session, message_ids
from ocppj.versions import RULES, Version


def connected(version: Version = Version.V16, **options: Any) -> Session:
    session = Session(RULES[version], message_ids("m"), **options)
    session.connection_made()
    return session


def sent(session: Session) -> list[Any]:
    return [json.loads(frame) for frame in session.frames_to_send()]


def test_message_ids_never_repeat_and_stay_short() -> None:
    new_id = message_ids("CP-1:")
    made = [new_id() for _ in range(1_000)]
    assert len(set(made)) == len(made)
    assert max(map(len, made)) <= len("CP-1:") + 12


def test_call_goes_to_the_wire_and_its_answer_comes_back_with_both_latencies() -> None:
    session = connected()
    call = session.call("Heartbeat", {}, 10.0, intended_at=9.5, context="mine")
    assert sent(session) == [[2, "m1", "Heartbeat", {}]]
    assert (session.open_call, session.deadline) == (call, 40.0)
    [event] = session.receive('[3,"m1",{"currentTime":"2024-01-01T00:00:00Z"}]', 10.2)
    assert isinstance(event, ResultReceived)
    assert (event.call, event.call.context, event.call.sent_at, event.call.intended_at) == (call, "mine", 10.0, 9.5)
    assert event.result.payload == {"currentTime": "2024-01-01T00:00:00Z"}
    assert event.at == 10.2
    assert (session.open_call, session.deadline) == (None, None)


def test_second_call_waits_for_the_answer_to_the_first() -> None:
    session = connected()
    session.call("Heartbeat", {}, 1.0)
    second = session.call("Authorize", {"idTag": "A"}, 1.0)
    third = session.call("Heartbeat", {}, 1.0)
    assert [frame[1] for frame in sent(session)] == ["m1"]
    assert (session.queue_depth, second.sent_at) == (2, None)
    session.receive('[4,"m1","InternalError","",{}]', 3.0)
    assert [frame[1] for frame in sent(session)] == ["m2"]
    assert (session.open_call, second.sent_at, second.intended_at) == (second, 3.0, 1.0)
    session.receive('[3,"m2",{}]', 4.0)
    assert (session.open_call, session.queue_depth) == (third, 0)


def test_refusal_of_our_call_is_an_error_event() -> None:
    session = connected()
    session.call("Heartbeat", {}, 0.0)
    [event] = session.receive('[4,"m1","NotSupported","no",{"a":1}]', 1.0)
    assert isinstance(event, ErrorReceived)
    assert event.error == CallError("m1", "NotSupported", "no", {"a": 1})


def test_unanswered_call_times_out_and_the_next_goes() -> None:
    session = connected(timeout=5.0)
    first = session.call("Heartbeat", {}, 0.0)
    second = session.call("Heartbeat", {}, 0.0, timeout=1.0)
    assert session.tick(4.999) == []
    assert session.tick(5.0) == [TimedOut(first, 5.0)]
    assert session.open_call is second
    assert session.deadline == 6.0
    assert session.tick(6.0) == [TimedOut(second, 6.0)]
    assert session.tick(100.0) == []


def test_answer_after_the_timeout_is_late_and_a_further_one_duplicate() -> None:
    session = connected(timeout=5.0)
    call = session.call("Heartbeat", {}, 0.0)
    session.tick(5.0)
    [late] = session.receive('[3,"m1",{}]', 6.0)
    assert late == LateAnswer(call, CallResult("m1", {}), 6.0)
    assert session.receive('[3,"m1",{}]', 7.0) == [DuplicateAnswer(CallResult("m1", {}), 7.0)]


def test_second_answer_is_duplicate_whatever_its_kind() -> None:
    session = connected()
    session.call("Heartbeat", {}, 0.0)
    session.receive('[3,"m1",{}]', 1.0)
    [event] = session.receive('[4,"m1","GenericError","",{}]', 2.0)
    assert isinstance(event, DuplicateAnswer)


@pytest.mark.parametrize("frame", ['[3,"other",{}]', '[4,"other","GenericError","",{}]'])
def test_answer_to_nothing_is_unsolicited_and_leaves_the_open_call_open(frame: str) -> None:
    session = connected()
    call = session.call("Heartbeat", {}, 0.0)
    [event] = session.receive(frame, 1.0)
    assert isinstance(event, UnsolicitedAnswer)
    assert session.open_call is call


def test_only_the_latest_unanswered_calls_are_remembered() -> None:
    session = connected(timeout=1.0)
    for second in range(REMEMBERED + 1):
        session.call("Heartbeat", {}, float(second))
        session.tick(second + 1.0)
    assert isinstance(session.receive('[3,"m1",{}]', 99.0)[0], UnsolicitedAnswer)
    assert isinstance(session.receive('[3,"m2",{}]', 99.0)[0], LateAnswer)


@pytest.mark.parametrize("frame", ['[3,"m1"]', '[3,"m1",[]]', '[4,"m1",1,"",{}]', '[3,"m1",{"a":'])
def test_malformed_answer_ends_its_call(frame: str) -> None:
    session = connected()
    call = session.call("Heartbeat", {}, 0.0)
    session.call("Heartbeat", {}, 0.0)
    [event] = session.receive(frame, 1.0)
    assert isinstance(event, AnswerMalformed)
    assert event.call is call
    assert session.open_call is not call
    [again] = session.receive('[3,"m1",{}]', 2.0)
    assert isinstance(again, DuplicateAnswer)


@pytest.mark.parametrize("frame", ["garbage", b"\xff", '[3,"other"]', '[9,"m1"]', '[2,"m1","A"]'])
def test_unreadable_frame_leaves_the_open_call_open(frame: str | bytes) -> None:
    session = connected()
    call = session.call("Heartbeat", {}, 0.0)
    [event] = session.receive(frame, 1.0)
    assert isinstance(event, Unreadable)
    assert session.open_call is call


def test_lost_connection_gives_back_every_call() -> None:
    session = connected()
    calls = [session.call("Heartbeat", {}, 0.0) for _ in range(3)]
    session.receive('[2,"x","Reset",{"type":"Soft"}]', 0.5)
    events = session.connection_lost(1.0)
    assert events == [LostInFlight(calls[0], 1.0), NeverSent(calls[1], 1.0), NeverSent(calls[2], 1.0)]
    assert not session.connected
    assert (session.open_call, session.queue_depth, session.unanswered) == (None, 0, {})
    assert session.frames_to_send() == []
    assert session.connection_lost(2.0) == []


def test_ids_go_on_and_late_answers_are_known_after_a_reconnect() -> None:
    session = connected()
    lost = session.call("Heartbeat", {}, 0.0)
    session.connection_lost(1.0)
    session.connection_made()
    assert session.call("Heartbeat", {}, 2.0).message_id == "m2"
    [event] = session.receive('[3,"m1",{}]', 3.0)
    assert event == LateAnswer(lost, CallResult("m1", {}), 3.0)


def test_retry_may_reuse_its_id() -> None:
    session = connected(timeout=1.0)
    session.call("StartTransaction", {}, 0.0)
    session.tick(1.0)
    retry = session.call("StartTransaction", {}, 2.0, message_id="m1")
    [event] = session.receive('[3,"m1",{}]', 3.0)
    assert isinstance(event, ResultReceived)
    assert event.call is retry


def test_call_of_the_peer_that_is_ignored_gets_no_answer_and_the_next_one_does() -> None:
    session = connected()
    session.receive('[2,"a","Reset",{}]', 1.0)
    session.receive('[2,"b","Reset",{}]', 1.0)
    session.ignore("a")
    with pytest.raises(LocalProtocolError):
        session.answer("a", {})
    session.answer("b", {})
    assert sent(session) == [[3, "b", {}]]


def test_call_of_the_peer_is_answered_once() -> None:
    session = connected()
    [event] = session.receive('[2,"x","Reset",{"type":"Soft"}]', 1.0)
    assert event == CallReceived(Call("x", "Reset", {"type": "Soft"}), 1.0)
    assert session.unanswered == {"x": "Reset"}
    session.answer("x", {"status": "Accepted"})
    assert sent(session) == [[3, "x", {"status": "Accepted"}]]
    with pytest.raises(LocalProtocolError, match="'x'"):
        session.answer("x", {})
    assert session.frames_to_send() == []


def test_call_of_the_peer_is_refused_with_a_call_error() -> None:
    session = connected()
    session.receive('[2,"x","Fly",{}]', 1.0)
    session.refuse("x", "NotImplemented", "no wings")
    assert sent(session) == [[4, "x", "NotImplemented", "no wings", {}]]
    session.receive('[2,"y","Fly",{}]', 2.0)
    session.refuse("y", "GenericError", details={"a": 1})
    assert sent(session) == [[4, "y", "GenericError", "", {"a": 1}]]


def test_calls_of_the_peer_that_overlap_are_counted_and_each_takes_one_answer() -> None:
    session = connected()
    first, second, third = (session.receive(f'[2,"{i}","ClearCache",{{}}]', 1.0)[0] for i in ("a", "b", "a"))
    assert isinstance(first, CallReceived)
    assert isinstance(second, CallReceived)
    assert isinstance(third, CallReceived)
    assert [(e.open_before, e.repeated_id) for e in (first, second, third)] == [(0, False), (1, False), (2, True)]
    session.answer("a", {})
    session.answer("b", {})
    session.refuse("a", "InternalError")
    assert [frame[:2] for frame in sent(session)] == [[3, "a"], [3, "b"], [4, "a"]]
    assert session.unanswered == {}


def test_send_is_an_event_and_takes_no_answer() -> None:
    session = connected(Version.V21)
    [event] = session.receive('[6,"s","NotifyPeriodicEventStream",{}]', 1.0)
    assert event == SendReceived(Send("s", "NotifyPeriodicEventStream", {}), 1.0)
    assert session.unanswered == {}


def test_send_overtakes_an_open_call() -> None:
    session = connected(Version.V21)
    session.call("Heartbeat", {}, 0.0)
    assert session.send("NotifyPeriodicEventStream", {"id": 1}) == "m2"
    assert sent(session)[1] == [6, "m2", "NotifyPeriodicEventStream", {"id": 1}]


def test_rejected_result_is_matched_with_the_answer_given_last() -> None:
    session = connected(Version.V21)
    session.receive('[2,"x","Reset",{}]', 1.0)
    session.answer("x", {})
    error = CallResultError("x", "FormatViolation", "", {})
    assert session.receive(encode(error), 2.0) == [ResultErrorReceived(error, 2.0, solicited=True)]
    [other] = session.receive('[5,"y","FormatViolation","",{}]', 2.0)
    assert isinstance(other, ResultErrorReceived)
    assert not other.solicited


def test_result_of_the_peer_can_be_rejected_in_21() -> None:
    session = connected(Version.V21)
    session.reject_result("m1", "FormatViolation", "bad")
    session.reject_result("m1", "FormatViolation", details={"path": "/status"})
    assert sent(session) == [
        [5, "m1", "FormatViolation", "bad", {}],
        [5, "m1", "FormatViolation", "", {"path": "/status"}],
    ]


@pytest.mark.parametrize("version", [Version.V16, Version.V201])
def test_messages_of_21_cannot_be_sent_in_older_versions(version: Version) -> None:
    session = connected(version)
    with pytest.raises(LocalProtocolError, match=f"SEND does not exist in OCPP {version}"):
        session.send("NotifyPeriodicEventStream", {})
    with pytest.raises(LocalProtocolError, match=f"CALLRESULTERROR does not exist in OCPP {version}"):
        session.reject_result("1", "GenericError")


def test_testers_may_write_anything() -> None:
    session = connected()
    session.put_raw("not even JSON")
    assert session.frames_to_send() == ["not even JSON"]


def test_nothing_is_sent_while_disconnected() -> None:
    session = Session(RULES[Version.V21], message_ids("m"))
    assert not session.connected
    for speak in (
        lambda: session.call("Heartbeat", {}, 0.0),
        lambda: session.send("NotifyPeriodicEventStream", {}),
        lambda: session.reject_result("1", "GenericError"),
        lambda: session.put_raw("x"),
    ):
        with pytest.raises(LocalProtocolError, match="not connected"):
            speak()
    assert session.frames_to_send() == []
    assert session.open_call is None


def test_session_connects_once() -> None:
    session = connected()
    with pytest.raises(LocalProtocolError, match="connected already"):
        session.connection_made()


def test_payload_that_is_no_json_value_changes_nothing() -> None:
    session = connected()
    with pytest.raises(TypeError):
        session.call("Heartbeat", object(), 0.0)
    assert session.open_call is None
    session.call("Heartbeat", {}, 0.0)
    with pytest.raises(TypeError):
        session.call("Heartbeat", object(), 0.0)
    assert session.queue_depth == 0
    session.receive('[2,"x","Reset",{}]', 1.0)
    with pytest.raises(TypeError):
        session.answer("x", object())
    assert session.unanswered == {"x": "Reset"}
    assert len(session.frames_to_send()) == 1


def test_a_thousand_unanswered_calls_of_the_peer_are_all_kept() -> None:
    session = connected()
    for number in range(1_000):
        session.receive(f'[2,"{number}","ClearCache",{{}}]', 0.0)
    assert list(session.unanswered) == [str(number) for number in range(1_000)]
    for number in itertools.chain(range(500, 1_000), range(500)):
        session.answer(str(number), {})
    assert session.unanswered == {}


def test_fault_of_an_unreadable_frame_is_kept() -> None:
    [event] = connected().receive('["x"]', 0.0)
    assert isinstance(event, Unreadable)
    assert event.error.fault is Fault.BAD_TYPE


# -- the short way of a runtime ----------------------------------------------------------------------------------------


def asking(session: Session, context: object = None) -> str | None:
    return session.ask("Heartbeat", {}, 1.0, 0.5, 30.0, context, None)


def test_ask_returns_the_frame_that_may_go_out_and_keeps_one_that_must_wait() -> None:
    session = Session(RULES[Version.V201], message_ids("x-"))
    with pytest.raises(LocalProtocolError, match="Heartbeat cannot be sent"):
        asking(session)
    session.connection_made()
    assert asking(session, "first") == '[2,"x-1","Heartbeat",{}]'
    call = session.open_call
    assert call is not None
    assert (call.context, call.sent_at, call.intended_at) == ("first", 1.0, 0.5)
    assert asking(session) is None
    assert session.queue_depth == 1
    assert session.frames_to_send() == []
    session.receive('[3,"x-1",{}]', 2.0)
    assert session.frames_to_send() == ['[2,"x-2","Heartbeat",{}]']
    assert session.queue_depth == 0


def test_take_result_takes_the_answer_to_the_open_call_and_nothing_else() -> None:
    session = Session(RULES[Version.V201], message_ids("x-"))
    session.connection_made()
    assert session.take_result('[3,"x-1",{}]') is None
    asking(session)
    call = session.open_call
    for other in (
        '[3,"x-2",{}]',
        '[4,"x-1","GenericError","",{}]',
        '[3,"x-1",null]',
        '[3.0,"x-1",{}]',
        '[true,"x-1",{}]',
        '[2,"x-1",{}]',
        '[3,"x-1"]',
        '{"3":1}',
        "[3,",
        "[" * 10_000,
    ):
        assert session.take_result(other) is None
    assert session.open_call is call
    assert session.take_result('[3,"x-1",{"a":1}]') == (call, {"a": 1})
    assert session.open_call is None
    (event,) = session.receive('[3,"x-1",{"a":1}]', 3.0)
    assert isinstance(event, DuplicateAnswer)


def test_take_result_leaves_an_answer_that_lets_another_call_go() -> None:
    session = Session(RULES[Version.V201], message_ids("x-"))
    session.connection_made()
    asking(session)
    asking(session)
    assert session.take_result('[3,"x-1",{}]') is None
    assert isinstance(session.receive('[3,"x-1",{}]', 2.0)[0], ResultReceived)


def test_a_lost_connection_empties_the_queue() -> None:
    session = Session(RULES[Version.V201], message_ids("x-"))
    session.connection_made()
    asking(session)
    asking(session)
    assert len(session.connection_lost(2.0)) == 2
    assert session.queue_depth == 0
