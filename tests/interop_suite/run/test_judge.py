from __future__ import annotations

import msgspec
import pytest

from evidence.redact import REDACTED
from evidence.run_model import CaseResult
from evidence.verdicts import Verdict
from interop_suite.catalogue import Case, all_cases
from interop_suite.claims.checks import answered, asked
from interop_suite.claims.claim import Check, Finding
from interop_suite.claims.expected import each, one_of
from interop_suite.claims.history import History
from interop_suite.claims.orders import differences
from interop_suite.run.judge import judge
from ocppj.actions import ACTIONS
from ocppj.versions import Version
from tests.interop_suite.recording import Recording, begun

HEARTBEAT = '[2,"1","Heartbeat",{}]'
ANSWER = '[3,"1",{"currentTime":"2026-01-01T00:00:00Z"}]'


def case_of(version: Version = Version.V16) -> Case:
    model = next(case for case in all_cases() if case.id == "TC_001_CSMS")
    return msgspec.structs.replace(model, ocpp=version, checks=(answered("Heartbeat"),))


def judged(recording: Recording) -> CaseResult:
    return judge(case_of(recording.version), recording.history())


def test_claim_that_holds_is_ok() -> None:
    assert judged(begun().sent(HEARTBEAT).got(ANSWER)).verdict is Verdict.OK


def test_nothing_passes_by_accident() -> None:
    result = judged(begun())
    assert result.verdict is Verdict.INCONCLUSIVE
    assert "nothing in the trace shows it" in result.reason
    assert result.actual == ["The CSMS answers Heartbeat: nothing in the trace shows it"]


def test_failed_preparation_is_inconclusive() -> None:
    result = judged(begun().sent(HEARTBEAT).got(ANSWER).note(inconclusive="no token"))
    assert (result.verdict, result.reason, result.actual) == (Verdict.INCONCLUSIVE, "no token", ["no token"])


def test_answer_to_what_has_no_id_says_which_id_it_should_have() -> None:
    recording = begun(Version.V201).sent("[2]").got('[4,null,"RpcFrameworkError","",{}]')
    assert "what cannot be read is answered with the id '-1'" in " ".join(judged(recording).actual)


def test_broken_rule_outweighs_a_script_that_broke_afterwards() -> None:
    result = judged(begun().sent(HEARTBEAT).got('[4,"1","InternalError","",{}]').note(inconclusive="later"))
    assert result.verdict is Verdict.FAILED


def test_check_that_breaks_is_inconclusive_and_leaves_the_others_their_word() -> None:
    broken = Check(claim="The CSMS is counted", judge=lambda history: [1 // len(history.commands())])  # type: ignore[list-item]  # never gets there
    alone = msgspec.structs.replace(case_of(), checks=(broken, answered("Heartbeat")))
    right = begun().sent(HEARTBEAT).got(ANSWER)
    result = judge(alone, right.history())
    assert result.verdict is Verdict.INCONCLUSIVE
    assert "the check broke at what the CSMS sent (ZeroDivisionError" in result.reason
    assert judge(alone, right.got("no json").history()).verdict is Verdict.FAILED


@pytest.mark.parametrize("payload", ["[]", "[1]", "7", '"x"', "null", "{}"])
@pytest.mark.parametrize("version", Version)
def test_messages_that_are_no_objects_or_empty_break_no_check(version: Version, payload: str) -> None:
    recording = Recording(version).opened().script()
    for number, action in enumerate(sorted(ACTIONS[version])):
        recording.sent(f'[2,"s{number}","{action}",{{}}]').got(f'[3,"s{number}",{payload}]')
        recording.got(f'[2,"c{number}","{action}",{payload}]').sent(f'[3,"c{number}",{{}}]')
    history = recording.history()
    assert "the check broke" not in judge(case_of(version), history).reason
    mine = [case for case in all_cases() if case.ocpp is version]
    assert [f"{case.key}: {why}" for case in mine for check in case.checks if (why := broken_by(check, history))] == []


def broken_by(check: Check, history: History) -> str:
    try:
        check.judge(history)
    except Exception as error:  # noqa: BLE001  # what every check must not do
        return f"{check.claim}: {error!r}"
    return ""


@pytest.mark.parametrize(
    ("frame", "verdict"),
    [
        ('[3,"9",{}]', Verdict.FAILED),  # answers nothing
        ("no json", Verdict.FAILED),
        ('[2,"c","ClearCache",{"x":1}]', Verdict.FAILED),  # against its schema
        ('[2,"c","Heartbeat",{}]', Verdict.FAILED),  # not for a CSMS
        ('[2,"c","Nonsense",{}]', Verdict.FAILED),
        ('[2,"' + "c" * 37 + '","ClearCache",{}]', Verdict.FAILED),
        ('[2,"","ClearCache",{}]', Verdict.FAILED),
        ('[2,"c","Reset",{"type":"Hard","type":"Soft"}]', Verdict.FAILED),
        ('[2,"c","ClearCache",null]', Verdict.NON_STRICT),
        ('[2,"c","ClearCache",{}]', Verdict.OK),
    ],
)
def test_every_frame_of_the_csms_is_judged(frame: str, verdict: Verdict) -> None:
    assert judged(begun().sent(HEARTBEAT).got(ANSWER).got(frame)).verdict is verdict


def test_frames_of_the_preparation_are_not_judged() -> None:
    recording = Recording().opened().got("no json").script().sent(HEARTBEAT).got(ANSWER)
    assert judged(recording).verdict is Verdict.OK


@pytest.mark.parametrize(
    "time", ["2026-01-01T00:00:00+01:00", "2026-01-01t00:00:00.123456789z", "2026-01-01T00:00:00.1Z"]
)
def test_any_rfc_3339_time_is_fine_no_false_alarm(time: str) -> None:
    assert judged(begun().sent(HEARTBEAT).got(f'[3,"1",{{"currentTime":"{time}"}}]')).verdict is Verdict.OK


def test_time_without_a_zone_is_only_non_strict_no_false_alarm() -> None:
    recording = begun().sent(HEARTBEAT).got('[3,"1",{"currentTime":"2026-01-01T00:00:00"}]')
    assert judged(recording).verdict is Verdict.NON_STRICT


def test_time_that_is_none_is_failed() -> None:
    assert judged(begun().sent(HEARTBEAT).got('[3,"1",{"currentTime":"noon"}]')).verdict is Verdict.FAILED


def test_whole_number_written_with_a_point_is_only_non_strict_no_false_alarm() -> None:
    command = '[2,"c","RemoteStopTransaction",{"transactionId":7.0}]'
    assert judged(begun().sent(HEARTBEAT).got(ANSWER).got(command)).verdict is Verdict.NON_STRICT


def test_one_decimal_limits_are_fine_no_false_alarm() -> None:
    for tenths in range(401):
        period = f'{{"startPeriod":0,"limit":{tenths / 10}}}'
        schedule = f'{{"chargingRateUnit":"A","chargingSchedulePeriod":[{period}]}}'
        profile = (
            '{"chargingProfileId":1,"stackLevel":0,"chargingProfilePurpose":"TxDefaultProfile",'
            f'"chargingProfileKind":"Absolute","chargingSchedule":{schedule}}}'
        )
        frame = f'[2,"c{tenths}","SetChargingProfile",{{"connectorId":1,"csChargingProfiles":{profile}}}]'
        assert judged(begun().sent(HEARTBEAT).got(ANSWER).got(frame)).verdict is Verdict.OK


def test_answer_to_an_unreadable_frame_has_its_own_id_in_2x_no_false_alarm() -> None:
    recording = begun(Version.V201).sent("no json").got('[4,"-1","RpcFrameworkError","",{}]')
    recording.sent(HEARTBEAT).got(ANSWER)
    assert judged(recording).verdict is Verdict.OK


def test_same_id_for_two_different_commands_is_failed_and_a_retry_is_not() -> None:
    first, second = '[2,"c","Reset",{"type":"Hard"}]', '[2,"c","ClearCache",{}]'
    ok = begun().sent(HEARTBEAT).got(ANSWER).got(first)
    assert judged(ok.got(first)).verdict is Verdict.OK
    assert judged(ok.got(second)).verdict is Verdict.FAILED


@pytest.mark.parametrize(
    ("version", "code", "verdict"),
    [
        (Version.V16, "FormationViolation", Verdict.OK),
        (Version.V16, "FormatViolation", Verdict.NON_STRICT),
        (Version.V201, "FormationViolation", Verdict.NON_STRICT),
        (Version.V16, "OhNo", Verdict.FAILED),
    ],
)
def test_error_code_is_graded_by_version(version: Version, code: str, verdict: Verdict) -> None:
    recording = begun(version).sent('[2,"0","Foo",{}]').got(f'[4,"0","{code}","",{{}}]').sent(HEARTBEAT).got(ANSWER)
    assert judged(recording).verdict is verdict


def test_unsolicited_commands_are_observed_and_harmless_no_false_alarm() -> None:
    result = judged(begun().got('[2,"c","GetConfiguration",{}]').sent(HEARTBEAT).got(ANSWER))
    assert result.verdict is Verdict.OK
    assert result.observations == {"unsolicited_calls": ["GetConfiguration"]}


@pytest.mark.parametrize(
    ("action", "code", "verdict"),
    [
        ("SecurityEventNotification", "NotImplemented", Verdict.NOT_APPLICABLE),
        ("SignCertificate", "NotSupported", Verdict.NOT_APPLICABLE),
        ("SignCertificate", "InternalError", Verdict.FAILED),
        ("MeterValues", "NotSupported", Verdict.FAILED),
    ],
)
def test_optional_feature_that_a_csms_does_not_have_is_not_applicable_no_false_alarm(
    action: str, code: str, verdict: Verdict
) -> None:
    case = msgspec.structs.replace(case_of(), checks=(answered(action),))
    recording = begun().sent(f'[2,"1","{action}",{{}}]').got(f'[4,"1","{code}","",{{}}]')
    assert judge(case, recording.history()).verdict is verdict


def test_command_that_a_csms_says_it_does_not_have_is_not_applicable_no_false_alarm() -> None:
    case = msgspec.structs.replace(case_of(), checks=(asked("ReserveNow"),))
    recording = begun().driver(operation="trigger", action="ReserveNow")
    recording.driver(
        operation="outcome",
        action="ReserveNow",
        result={"status": "error", "origin": "csms", "code": "NotSupported", "description": "no reservations"},
    )
    result = judge(case, recording.history())
    assert result.verdict is Verdict.NOT_APPLICABLE
    assert "no reservations" in result.reason


def test_answer_to_garbage_with_the_id_of_2x_is_only_non_strict_in_16_no_false_alarm() -> None:
    recording = begun().sent("no json").got('[4,"-1","RpcFrameworkError","",{}]').sent(HEARTBEAT).got(ANSWER)
    assert judged(recording).verdict is Verdict.NON_STRICT
    unprovoked = begun().got('[4,"-1","GenericError","",{}]').sent(HEARTBEAT).got(ANSWER)
    assert judged(unprovoked).verdict is Verdict.FAILED


def test_id_that_is_no_string_may_be_given_back_as_it_was_no_false_alarm() -> None:
    odd = '[2,7,"Heartbeat",{}]'
    recording = begun().sent(odd).got('[4,7,"FormationViolation","",{}]').sent(HEARTBEAT).got(ANSWER)
    assert judged(recording).verdict is Verdict.NON_STRICT
    made_up = begun(Version.V201).sent(odd).got('[4,null,"FormationViolation","",{}]').sent(HEARTBEAT).got(ANSWER)
    assert judged(made_up).verdict is Verdict.FAILED


def test_lone_surrogate_that_is_given_back_is_only_non_strict_no_false_alarm() -> None:
    recording = begun().sent('[2,"0","\\ud800",{}]').got('[4,"0","NotImplemented","no \\ud800",{}]')
    assert judged(recording.sent(HEARTBEAT).got(ANSWER)).verdict is Verdict.NON_STRICT


@pytest.mark.parametrize(
    ("claim", "inside"),
    [
        ("The CSMS answers Authorize", "the CSMS answers Authorize"),
        ("A second station is served", "a second station is served"),
        ("Heartbeat is answered", "Heartbeat is answered"),
        ("StopTransaction carries the id", "StopTransaction carries the id"),
        ("customData makes no difference", "customData makes no difference"),
        ("Another station's credentials are refused", "another station's credentials are refused"),
    ],
)
def test_reason_is_one_sentence_with_its_clause(claim: str, inside: str) -> None:
    broken = Check(claim=claim, judge=lambda _: [Finding(verdict=Verdict.FAILED, claim=claim, actual="it did not")])
    case = msgspec.structs.replace(case_of(), checks=(broken,))
    result = judge(case, begun().history())
    assert result.reason == f"expected that {inside}, but it did not ({case.clause})"


def test_time_out_names_the_message_and_the_seconds() -> None:
    recording = begun().sent(HEARTBEAT).wait(10).sent(HEARTBEAT.replace('"1"', '"2"')).wait(4)
    assert "but no answer to Heartbeat came within 10 s (" in judged(recording).reason


def test_call_under_which_the_connection_ended_is_no_time_out() -> None:
    assert "the connection was closed before Heartbeat was answered" in judged(begun().sent(HEARTBEAT).closed()).reason


def test_field_that_is_not_there_is_missing() -> None:
    check = answered("Heartbeat", {"currentTime": one_of("now"), "list": each("id")})
    case = msgspec.structs.replace(case_of(), checks=(check,))
    reason = judge(case, begun().sent(HEARTBEAT).got('[3,"1",{}]').history()).reason
    assert "None" not in reason


def test_pin_that_the_trace_blanks_is_no_text_no_false_alarm() -> None:
    apn = {"apn": "stations.example", "apnAuthentication": "CHAP", "simPin": REDACTED}
    connection = {
        "ocppVersion": "OCPP20",
        "ocppTransport": "JSON",
        "ocppCsmsUrl": "wss://csms.example.invalid",
        "messageTimeout": 30,
        "securityProfile": 2,
        "ocppInterface": "Wireless0",
        "apn": apn,
    }
    order = [2, "c1", "SetNetworkProfile", {"configurationSlot": 1, "connectionData": connection}]
    recording = begun(Version.V201).got(msgspec.json.encode(order).decode()).sent('[3,"c1",{"status":"Accepted"}]')
    result = judged(recording.sent(HEARTBEAT).got(ANSWER))
    assert result.verdict is Verdict.OK, result.reason


def test_tariff_whose_prices_come_in_another_order_is_another_tariff() -> None:
    prices = [{"priceKwh": 0.3, "conditions": {"startTimeOfDay": "22:00"}}, {"priceKwh": 0.4}]
    tariff = {"tariffId": "t", "currency": "EUR"}
    named = {"evseId": 1, "tariff": {**tariff, "energy": {"prices": prices}}}
    sent = {"evseId": 1, "tariff": {**tariff, "energy": {"prices": prices[::-1]}}}
    assert differences("SetDefaultTariff", named, named) == []
    assert differences("SetDefaultTariff", named, sent) == [
        "tariff.energy.prices is 'in another order' instead of 'in their order'"
    ]
