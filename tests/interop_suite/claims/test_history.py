from __future__ import annotations

import pytest

from interop_suite.claims.exchange import AnswerKind
from ocppj.errors import Fault
from tests.interop_suite.recording import Recording, begun

HEARTBEAT = '[2,"1","Heartbeat",{}]'
ANSWER = '[3,"1",{"currentTime":"2026-01-01T00:00:00Z"}]'


def test_answer_is_paired_with_its_call_whatever_comes_between() -> None:
    history = begun().sent(HEARTBEAT).got('[2,"x","ClearCache",{}]').got(ANSWER).history()
    (call,) = history.calls("Heartbeat")
    assert call.kind is AnswerKind.RESULT
    assert call.result == {"currentTime": "2026-01-01T00:00:00Z"}
    assert call.service_ms == pytest.approx(20)
    assert [command.action for command in history.commands()] == ["ClearCache"]


def test_prepared_frames_are_not_judged() -> None:
    history = Recording().opened().sent(HEARTBEAT).got(ANSWER).script().history()
    assert history.calls("Heartbeat") == []
    assert len(history.calls("Heartbeat", prepared=True)) == 1
    assert history.scripted_frames() == []


def test_answer_on_another_connection_does_not_count() -> None:
    recording = begun().sent(HEARTBEAT).closed().opened().got(ANSWER)
    history = recording.history()
    assert history.calls("Heartbeat")[0].kind is AnswerKind.NONE
    assert [stray.reason for stray in history.strays] == ["No CALL has the id 1."]


def test_second_answer_is_a_stray() -> None:
    history = begun().sent(HEARTBEAT).got(ANSWER).got(ANSWER).history()
    assert [stray.reason for stray in history.strays] == ["A second answer to the CALL 1."]


def test_malformed_answer_ends_its_call() -> None:
    history = begun().sent(HEARTBEAT).got('[3,"1",{},"extra"]').history()
    (call,) = history.calls("Heartbeat")
    assert call.kind is AnswerKind.MALFORMED
    assert history.strays[0].fault is Fault.WRONG_LENGTH


def test_call_under_which_the_csms_closed_is_cut_off() -> None:
    history = begun().sent(HEARTBEAT).closed().history()
    assert history.calls("Heartbeat")[0].cut_off
    assert not begun().sent(HEARTBEAT).closed(by="station").history().calls("Heartbeat")[0].cut_off


def test_call_that_came_too_late_for_the_connection_tells_who_closed_it() -> None:
    history = begun().closed().note(not_sent="Heartbeat").history()
    (unsent,) = history.unsent("Heartbeat")
    assert unsent.by_csms
    assert "1011" in unsent.describe()


def test_connection_that_was_refused_is_described_by_its_status() -> None:
    history = Recording().script().opened(status=401, subprotocol=None).history()
    (attempt,) = history.attempts()
    assert not attempt.opened
    assert attempt.describe() == "HTTP 401"
