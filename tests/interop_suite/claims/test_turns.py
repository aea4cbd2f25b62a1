"""One CALL of the CSMS at a time, in every case."""

from __future__ import annotations

import pytest

from interop_suite.claims.turns import turn_findings
from ocppj.versions import Version
from tests.interop_suite.recording import Recording, begun

BOOT = ('[2,"B","BootNotification",{}]', '[3,"B",{"status":"Accepted"}]')
BEAT = ('[2,"h","Heartbeat",{}]', '[3,"h",{"currentTime":"2026-01-01T00:00:00Z"}]')
CALLS = ('[2,"a","ClearCache",{}]', '[2,"b","Reset",{"type":"OnIdle"}]')


def told(recording: Recording) -> list[str]:
    return [finding.actual for finding in turn_findings(recording.history())]


def served(version: Version = Version.V201) -> Recording:
    return begun(version).sent(BOOT[0]).got(BOOT[1]).sent(BEAT[0]).got(BEAT[1])


@pytest.mark.parametrize("version", Version)
def test_second_call_before_the_answer_to_the_first_is_told(version: Version) -> None:
    recording = served(version).got(CALLS[0]).got(CALLS[1]).sent('[3,"a",{"status":"Accepted"}]')
    [finding] = turn_findings(recording.history())
    assert finding.actual == "Reset came while ClearCache was open"
    assert finding.clause is not None
    assert finding.clause.number == "4.1.1"


def test_habit_is_told_in_the_cases_in_which_a_station_boots() -> None:
    assert told(begun(Version.V201).sent(BEAT[0]).got(BEAT[1]).got(CALLS[0]).got(CALLS[1])) == []


def test_call_of_the_station_between_is_no_answer() -> None:
    assert told(served().got(CALLS[0]).sent('[2,"i","Heartbeat",{}]').got(CALLS[1]))


@pytest.mark.parametrize(
    "answer",
    ['[3,"a",{"status":"Accepted"}]', '[4,"a","NotSupported","",{}]', '[3,"', "[3,17,{}]"],
    ids=["result", "error", "torn", "odd"],
)
def test_call_after_anything_that_could_be_the_answer_no_false_alarm(answer: str) -> None:
    assert told(served().got(CALLS[0]).sent(answer).got(CALLS[1])) == []


def test_call_that_is_sent_again_no_false_alarm() -> None:
    assert told(served().got(CALLS[0]).got(CALLS[0])) == []


def test_call_that_nobody_answered_in_time_no_false_alarm() -> None:
    assert told(served().got(CALLS[0]).wait(3).got(CALLS[1])) == []


def test_calls_that_a_station_finds_together_after_a_pause_no_false_alarm() -> None:
    assert told(served().wait(30).got(CALLS[0]).got(CALLS[1])) == []


def test_call_on_the_next_connection_no_false_alarm() -> None:
    assert told(served().got(CALLS[0]).closed().opened_again().sent(BEAT[0]).got(BEAT[1]).got(CALLS[1])) == []
