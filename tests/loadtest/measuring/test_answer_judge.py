from __future__ import annotations

import pytest

from loadtest.measuring import answer_judge
from loadtest.measuring.answer_judge import AnswerJudge, compile_answers
from loadtest.measuring.recorder import Recorder
from ocppj.versions import Version

GOOD = {"currentTime": "2026-01-01T00:00:00Z"}
BAD = {"currentTime": 5}


@pytest.mark.parametrize("version", list(Version))
def test_an_answer_is_accepted_rejected_or_against_its_schema(version: Version) -> None:
    recorder = Recorder(clock=lambda: 0.0, wall=0.0)
    judge = AnswerJudge(recorder, 1.0).judge
    assert judge(version, "Heartbeat", GOOD) == "accepted"
    assert judge(version, "BootNotification", {"status": "Rejected", "interval": 1, **GOOD}) == "rejected"
    assert judge(version, "Heartbeat", BAD) == "schema-invalid"
    assert judge(version, "NoSuchAction", BAD) == "accepted"
    assert recorder.take(final=True)["faults"] == {"schema-invalid": 1}


def test_the_checked_answers_are_an_even_share() -> None:
    judge = AnswerJudge(Recorder(clock=lambda: 0.0, wall=0.0), 0.25).judge
    found = [judge(Version.V16, "Heartbeat", BAD) == "schema-invalid" for _ in range(12)]
    assert found == [False, False, False, True] * 3


@pytest.mark.parametrize("version", list(Version))
def test_no_schema_of_an_answer_is_left_to_be_compiled(version: Version, monkeypatch: pytest.MonkeyPatch) -> None:
    compile_answers.cache_clear()
    compiled: list[str] = []
    monkeypatch.setattr(answer_judge, "validator", lambda _, action, __: compiled.append(action))
    compile_answers(version)
    compile_answers(version)
    assert {"BootNotification", "Heartbeat", "MeterValues"} < set(compiled)
    assert len(compiled) == len(set(compiled))
    compile_answers.cache_clear()
