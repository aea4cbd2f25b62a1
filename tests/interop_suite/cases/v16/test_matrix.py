from __future__ import annotations

import pytest

from evidence.verdicts import Verdict
from interop_suite.catalogue import Case, all_cases
from tests.interop_suite.recording import Recording, begun

HEARTBEAT = '[2,"h","Heartbeat",{}]'
ALIVE = '[3,"h",{"currentTime":"2026-01-01T00:00:00Z"}]'
BOOT = '[2,"1","BootNotification",{}]'


def case(name: str) -> Case:
    return next(case for case in all_cases() if case.id == name)


def verdicts(name: str, recording: Recording) -> list[Verdict]:
    return [finding.verdict for finding in case(name).checks[0].judge(recording.history())]


@pytest.mark.parametrize(
    ("answer", "missing", "type_"),
    [
        ('[4,"1","ProtocolError","",{}]', Verdict.OK, Verdict.OK),
        ('[4,"1","FormationViolation","",{}]', Verdict.OK, Verdict.OK),
        ('[3,"1",{"status":"Accepted"}]', Verdict.FAILED, Verdict.NON_STRICT),
    ],
)
def test_any_error_code_is_fine_and_only_a_missing_field_must_not_be_accepted(
    answer: str, missing: Verdict, type_: Verdict
) -> None:
    recording = begun().note(mutation="m").sent(BOOT).got(answer)
    assert verdicts("PAY_BootNotification_missing", recording) == [missing]
    assert verdicts("PAY_BootNotification_type", recording) == [type_]


def test_silence_breaks_the_rule() -> None:
    assert verdicts("PAY_BootNotification_type", begun().note(mutation="m").sent(BOOT)) == [Verdict.FAILED]


def test_csms_that_drops_the_sender_of_nonsense_is_only_non_strict_no_false_alarm() -> None:
    recording = begun().note(mutation="m").sent(BOOT).closed()
    assert verdicts("PAY_BootNotification_type", recording) == [Verdict.NON_STRICT]


def test_legal_payload_must_be_taken() -> None:
    refused = begun().note(mutation="m").sent(BOOT).got('[4,"1","ProtocolError","",{}]')
    assert verdicts("PAY_BootNotification_limits", refused) == [Verdict.FAILED]


def test_sign_of_life_is_not_taken_for_the_changed_call_no_false_alarm() -> None:
    changed = '[2,"1","Heartbeat",{"x":1}]'
    recording = begun().note(mutation="m").sent(changed).got('[4,"1","FormationViolation","",{}]')
    assert verdicts("PAY_Heartbeat_extra", recording.sent(HEARTBEAT).got(ALIVE)) == [Verdict.OK]
