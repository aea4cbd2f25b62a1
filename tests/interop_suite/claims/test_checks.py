from __future__ import annotations

import re
from pathlib import Path

import pytest

import interop_suite
from evidence.verdicts import Verdict
from interop_suite.claims.checks import answered, asked, noted, refused_upgrade, still_serves
from interop_suite.claims.claim import Check, Level
from interop_suite.claims.expected import each, one_of, present
from tests.interop_suite.recording import Recording, begun

AUTHORIZE = '[2,"1","Authorize",{"idTag":"A"}]'


def verdicts(check: Check, recording: Recording) -> list[Verdict]:
    return [finding.verdict for finding in check.judge(recording.history())]


def test_no_call_gives_no_finding() -> None:
    assert verdicts(answered("Authorize"), begun()) == []


@pytest.mark.parametrize(
    ("answer", "verdict"),
    [
        ('[3,"1",{"idTagInfo":{"status":"Invalid"}}]', Verdict.OK),
        ('[3,"1",{"idTagInfo":{"status":"Blocked"}}]', Verdict.NON_STRICT),
        ('[3,"1",{"idTagInfo":{"status":"Accepted"}}]', Verdict.FAILED),
        ('[3,"1",{}]', Verdict.FAILED),
        ('[4,"1","InternalError","",{}]', Verdict.FAILED),
        ('[3,"1"]', Verdict.FAILED),
        ('[3,"2",{"idTagInfo":{"status":"Invalid"}}]', Verdict.FAILED),
    ],
)
def test_answer_is_graded_by_its_content(answer: str, verdict: Verdict) -> None:
    check = answered("Authorize", {"idTagInfo.status": one_of("Invalid")}, tolerate={"idTagInfo.status": ("Blocked",)})
    assert verdicts(check, begun().sent(AUTHORIZE).got(answer)) == [verdict]


def test_recommended_claim_is_at_worst_non_strict() -> None:
    check = answered("Authorize", {"idTagInfo.parentIdTag": present()}, level=Level.RECOMMENDED)
    assert verdicts(check, begun().sent(AUTHORIZE).got('[3,"1",{"idTagInfo":{"status":"Accepted"}}]')) == [
        Verdict.NON_STRICT
    ]


def test_csms_that_closed_before_the_call_has_not_answered_it() -> None:
    recording = begun().closed().note(not_sent="Heartbeat")
    assert verdicts(still_serves(), recording) == [Verdict.FAILED]


def test_station_that_closed_by_itself_is_no_fault_of_the_csms_no_false_alarm() -> None:
    recording = begun().closed(by="station").note(not_sent="Heartbeat")
    assert verdicts(still_serves(), recording) == []


RESET = '[2,"c1","Reset",{"type":"Hard"}]'
TRIGGER = {"operation": "trigger", "action": "Reset"}


def test_command_with_the_expected_payload_proves_the_claim_among_others() -> None:
    check = asked("Reset", {"type": one_of("Hard")})
    recording = begun().driver(**TRIGGER).got('[2,"c0","GetConfiguration",{}]').got(RESET)
    assert verdicts(check, recording) == [Verdict.OK]


def test_command_with_another_payload_breaks_the_claim() -> None:
    check = asked("Reset", {"type": one_of("Soft")})
    assert verdicts(check, begun().driver(**TRIGGER).got(RESET)) == [Verdict.FAILED]


def test_command_that_never_came_breaks_the_claim_when_the_csms_says_it_was_sent() -> None:
    recording = begun().driver(**TRIGGER).driver(operation="outcome", action="Reset", result={"status": "timeout"})
    assert verdicts(asked("Reset"), recording) == [Verdict.FAILED]


@pytest.mark.parametrize(
    "outcome",
    [
        {"error": "HTTP 503"},
        {"result": {"status": "error", "origin": "csms", "code": "NotConnected"}},
    ],
)
def test_driver_that_could_not_trigger_is_no_fault_of_the_csms_no_false_alarm(outcome: dict[str, object]) -> None:
    recording = begun().driver(**TRIGGER).driver(operation="outcome", action="Reset", **outcome)
    assert verdicts(asked("Reset"), recording) == [Verdict.INCONCLUSIVE]


def test_command_that_was_never_asked_for_gives_no_finding() -> None:
    assert verdicts(asked("Reset"), begun()) == []


def test_noted_comparison_is_judged() -> None:
    check = noted("same", "They are the same")
    assert verdicts(check, begun().note(same=[True, 1])) == [Verdict.OK]
    assert verdicts(check, begun().note(same=[False, 2])) == [Verdict.FAILED]


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        ([{"a": 1, "b": None}], None),
        ([{"a": 1}], "entry 0 lacks b"),
        ([], "is [] instead of a list with entries"),
        (None, "is missing instead of a list with entries"),
    ],
)
def test_each_entry_must_have_the_fields(value: object, problem: str | None) -> None:
    assert each("a", "b")(value) == problem


def test_refusal_before_the_upgrade_holds_and_an_upgrade_breaks_it() -> None:
    check = refused_upgrade("refused")
    assert verdicts(check, Recording().script().opened(status=401)) == [Verdict.OK]
    assert verdicts(check, Recording().script().opened(status=None, error="TLS: alert")) == [Verdict.OK]
    assert verdicts(check, Recording().script().opened()) == [Verdict.FAILED]


def test_reasons_never_name_a_missing_field_none() -> None:
    root = Path(interop_suite.__file__).parent
    # A value that was looked up may be missing: `shown` says so in words.
    raw = re.compile(r"is \{(value|told|found\b[^}]*|[a-z_]+\.get\([^}]*)!r\} instead")
    found = [f"{path.name}: {line}" for path in root.rglob("*.py") for line in raw.findall(path.read_text("utf-8"))]
    assert found == []
