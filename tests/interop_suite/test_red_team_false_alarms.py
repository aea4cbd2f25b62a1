"""False alarms that CSMSs written to be odd and right raised: what each of them did is allowed."""

from __future__ import annotations

import json
from http import HTTPStatus
from typing import Any

import pytest
from websockets.asyncio.server import ServerConnection
from websockets.datastructures import Headers
from websockets.http11 import Request, Response

from drivers.base import NoDriver
from drivers.loading import read_driver
from evidence.verdicts import Verdict
from interop_suite.cases.wire.call_order import _judge_turn
from interop_suite.catalogue import Case, all_cases
from interop_suite.claims.checks import connection, refused_upgrade, reported, takes_csr
from interop_suite.claims.claim import Level
from interop_suite.claims.orders import differences
from interop_suite.drive.answers import Order
from interop_suite.drive.offer import Offer
from interop_suite.drive.setup import CsmsUnderTest
from interop_suite.drive.station import ScriptedStation
from interop_suite.drive.transport import Closed
from interop_suite.drive.wire import Wire
from interop_suite.main import run_interop
from interop_suite.run.judge import judge
from interop_suite.run.request import InteropRequest
from interop_suite.run.runner import Runner
from interop_suite.run.state import State
from interop_suite.steps.connections import opens
from interop_suite.steps.transaction_records import keeps_own_energy
from ocppj.errors import UsageError
from ocppj.identity import basic_authorization
from ocppj.messages import Call
from ocppj.versions import Version
from tests.interop_suite.odd_csms import odd_csms, plain_answer
from tests.interop_suite.recording import Recording, begun

HEARTBEAT_ANSWER = '{"currentTime":"2026-01-01T00:00:00Z"}'


def case(name: str, version: Version = Version.V16) -> Case:
    return next(case for case in all_cases() if case.id == name and case.ocpp is version)


def found(name: str, recording: Recording) -> dict[str, str]:
    """What the judge found in a recording, by claim."""
    result = judge(case(name, recording.version), recording.history())
    return {finding["claim"]: finding["verdict"] for finding in result.findings}


def ordered(recording: Recording, action: str, payload: dict[str, Any]) -> Recording:
    return recording.driver(operation="trigger", action=action, payload=payload)


# -- an order of the operator among CALLs that the CSMS makes by itself ------------------------------------------------

CARRIES = "The command carries what the operator named"
OWN = '[2,"o","ChangeConfiguration",{"key":"MeterValueSampleInterval","value":"60"}]'
KEY = {"key": "AuthorizationKey", "value": "0a" * 20}


def test_csms_that_configures_by_itself_besides_the_order_no_false_alarm() -> None:
    recording = ordered(begun(), "ChangeConfiguration", KEY).got(OWN)
    recording.got(json.dumps([2, "k", "ChangeConfiguration", KEY]))
    assert CARRIES not in found("TC_073_CSMS", recording)


def test_order_that_arrives_with_another_value_is_failed() -> None:
    recording = ordered(begun(), "RemoteStartTransaction", {"idTag": "A1", "connectorId": 1})
    recording.got('[2,"1","RemoteStartTransaction",{"idTag":"a1","connectorId":2}]')
    assert found("TC_010_CSMS", recording)[CARRIES] == "FAILED"


def test_station_takes_the_call_that_its_operator_asked_for_and_not_the_first_one_no_false_alarm() -> None:
    station = object.__new__(ScriptedStation)
    station.timeout = 1.0
    station.commands = [
        Call("o", "ChangeConfiguration", {"key": "MeterValueSampleInterval", "value": "60"}),
        Call("k", "ChangeConfiguration", KEY),
    ]
    station.orders = {"ChangeConfiguration": Order(payload=KEY, handed_over=None, after=0, closed=True)}
    assert station.expect("ChangeConfiguration") == KEY


@pytest.mark.parametrize(
    ("action", "named", "sent"),
    [
        ("RemoteStartTransaction", {"idTag": "AB"}, {"idTag": "ab", "connectorId": 1}),
        ("GetLog", {"requestId": 5, "logType": "SecurityLog"}, {"requestId": 77, "logType": "SecurityLog"}),
        ("ReserveNow", {"reservationId": 1, "connectorId": 1}, {"reservationId": 9, "connectorId": 1}),
        ("ReserveNow", {"expiryDate": "2026-01-01T12:00:00.250Z"}, {"expiryDate": "2026-01-01T14:00:00+02:00"}),
        ("ReserveNow", {"expiryDate": "2026-01-01T12:00:00.000Z"}, {"expiryDate": "2026-01-01T12:00:00"}),
        ("GetVariables", {"getVariableData": [{"a": 1}, {"a": 2}]}, {"getVariableData": [{"a": 2}, {"a": 1}]}),
        ("SetChargingProfile", {"limit": 8}, {"limit": 8.0}),
        ("ChangeConfiguration", KEY, {"key": "AuthorizationKey", "value": "(redacted)"}),
    ],
)
def test_field_that_a_csms_writes_or_chooses_otherwise_no_false_alarm(
    action: str, named: dict[str, Any], sent: dict[str, Any]
) -> None:
    assert differences(action, named, sent) == []


def test_field_that_is_missing_or_changed_is_a_difference() -> None:
    assert differences("Reset", {"type": "Hard", "evseId": 1}, {"type": "Soft"}) == [
        "type is 'Soft' instead of 'Hard'",
        "evseId is missing instead of 1",
    ]
    assert differences("RemoteStopTransaction", {"transactionId": 2**31 - 1}, {"transactionId": 2**31 - 2})
    assert differences("GetConfiguration", {"key": ["A", "B"]}, {"key": ["A"]}) == ["key is missing instead of 'B'"]


DRIVER = """
driver: other
operations:
  trigger:
    - actions: [Reset]
      cannot: [{when: payload.connectorId is defined, why: it has none}]
      http: {method: POST, url: "/reset/{{ payload.type }}", body: {to: "{{ payload.log.to }}"}}
    - http: {method: POST, url: /call, body: "{{ payload }}"}
"""


def test_field_that_the_driver_cannot_hand_over_is_not_missed_no_false_alarm() -> None:
    ways = read_driver("other", DRIVER, {}).ways["trigger"]
    assert [way.handed_over for way in ways] == [{"type", "log.to"}, None]
    named = {"type": "Hard", "connectorId": 1, "log": {"to": "x", "of": "y"}}
    assert differences("Reset", named, {"type": "Hard", "log": {"to": "x"}}, ["log.to", "type"]) == []


def test_second_command_that_the_csms_sent_by_itself_before_the_first_is_no_overtaking_no_false_alarm() -> None:
    recording = begun().got('[2,"o","GetLocalListVersion",{}]').sent('[3,"o",{"listVersion":0}]')
    recording.got('[2,"1","ClearCache",{}]').sent('[3,"1",{"status":"Accepted"}]')
    recording.got('[2,"2","GetLocalListVersion",{}]').sent('[3,"2",{"listVersion":0}]')
    check = _judge_turn(Level.REQUIRED)
    assert [finding.verdict for finding in check.judge(recording.history())] == [Verdict.OK]


# -- what a frame is measured by ---------------------------------------------------------------------------------------


def test_frame_is_measured_by_the_version_of_its_own_connection_no_false_alarm() -> None:
    recording = Recording(Version.V16).opened(subprotocol="ocpp2.0.1").script()
    recording.got('[2,"1","GetBaseReport",{"requestId":1,"reportBase":"FullInventory"}]')
    assert "FAILED" not in found("HS_05", recording).values()


def test_frame_of_another_version_than_its_connection_is_failed() -> None:
    recording = begun().got('[2,"1","GetBaseReport",{"requestId":1,"reportBase":"FullInventory"}]')
    assert "FAILED" in found("HS_05", recording).values()


def test_answer_to_a_frame_without_mask_is_a_lax_library_no_false_alarm() -> None:
    recording = begun().note(raw=1, bytes="81", own_id="ws").got(f'[3,"ws",{HEARTBEAT_ANSWER}]')
    verdicts = found("WS_01", recording)
    assert "FAILED" not in verdicts.values()
    assert verdicts["A frame that breaks WebSocket is not read as a message"] == "NON_STRICT"


@pytest.mark.parametrize(
    ("version", "answered", "verdict"),
    [
        (Version.V16, '[4,17,"GenericError","",{}]', "NON_STRICT"),
        (Version.V16, '[4,null,"GenericError","",{}]', "NON_STRICT"),
        (Version.V201, '[4,17,"GenericError","",{}]', "NON_STRICT"),
        (Version.V201, '[4,null,"GenericError","",{}]', "FAILED"),
        (Version.V201, f"[3,17,{HEARTBEAT_ANSWER}]", "NON_STRICT"),
        (Version.V201, f"[3,18,{HEARTBEAT_ANSWER}]", "FAILED"),
    ],
)
def test_id_that_is_no_string_comes_back_as_it_was_no_false_alarm(
    version: Version, answered: str, verdict: str
) -> None:
    recording = begun(version).sent('[2,17,"Heartbeat",{}]').got(answered)
    claim = "Every frame of the CSMS is a message of this version that belongs to an open CALL"
    assert found("RPC_03", recording)[claim] == verdict


@pytest.mark.parametrize("answer", [f'[3,"",{HEARTBEAT_ANSWER}]', '[4,"","FormationViolation","",{}]', None])
def test_empty_message_id_may_come_back_or_be_refused_or_dropped_no_false_alarm(answer: str | None) -> None:
    recording = begun().note(odd="empty").sent('[2,"","Heartbeat",{}]')
    if answer is not None:
        recording.got(answer)
    claim = "A message id that is empty, or of more than 36 characters, is refused"
    assert found("RPC_07", recording)[claim] == "OK"


# -- what a CSMS may leave to itself -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("code", "verdict"), [("NotSupported", Verdict.NOT_APPLICABLE), ("GenericError", Verdict.INCONCLUSIVE)]
)
def test_command_that_the_csms_does_not_send_at_all_says_nothing_of_its_answer_no_false_alarm(
    code: str, verdict: Verdict
) -> None:
    refusal = {"status": "error", "code": code, "origin": "csms"}
    recording = ordered(begun(), "GetCompositeSchedule", {"connectorId": 1})
    recording.driver(operation="outcome", action="GetCompositeSchedule", result=refusal)
    check = reported("GetCompositeSchedule", lambda _: False, claim="taken")
    assert [finding.verdict for finding in check.judge(recording.history())] == [verdict]


@pytest.mark.parametrize(("keeps_list", "verdict"), [(False, "NON_STRICT"), (True, "FAILED")])
@pytest.mark.parametrize("name", ["TC_023_1_CSMS", "TC_037_3_CSMS"])
def test_open_csms_takes_a_token_that_nobody_gave_it_no_false_alarm(
    name: str, *, keeps_list: bool, verdict: str
) -> None:
    action = {"TC_023_1_CSMS": "Authorize"}.get(name, "StartTransaction")
    payload = {"idTag": "A", "connectorId": 1, "meterStart": 0, "timestamp": "2026-01-01T00:00:00Z"}
    answer = {"idTagInfo": {"status": "Accepted"}} | ({"transactionId": 1} if action == "StartTransaction" else {})
    recording = begun().note(token_list=keeps_list).sent(json.dumps([2, "1", action, payload]))
    recording.got(json.dumps([3, "1", answer]))
    assert found(name, recording)["The CSMS answers Invalid for a tag that it does not know"] == verdict


@pytest.mark.parametrize(("mutation", "verdict"), [("a/0/b", "NON_STRICT"), ("a", "FAILED")])
def test_reader_that_misses_no_field_deep_inside_no_false_alarm(mutation: str, verdict: str) -> None:
    recording = begun().note(mutation=f"missing-required/{mutation}")
    recording.sent('[2,"1","MeterValues",{}]').got('[3,"1",{}]')
    check = case("PAY_MeterValues_missing").checks[0]
    assert [str(finding.verdict) for finding in check.judge(recording.history())] == [verdict]


# -- credentials -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("info", "verdict"),
    [
        ({"credentials": False}, Verdict.INCONCLUSIVE),
        ({"credentials": True, "lent": True}, Verdict.INCONCLUSIVE),
        ({"credentials": True}, Verdict.FAILED),
    ],
)
def test_station_that_lacks_credentials_tells_nothing_about_subprotocols_no_false_alarm(
    info: dict[str, Any], verdict: Verdict
) -> None:
    recording = Recording().script().opened(status=401, subprotocol=None, **info)
    assert [finding.verdict for finding in connection("opens", opens).judge(recording.history())] == [verdict]


async def serve(socket: ServerConnection) -> None:
    async for text in socket:
        _, message_id, action, _ = json.loads(text)
        await socket.send(json.dumps([3, message_id, plain_answer(action) or {}]))


def wants(password: str, *, of: str | None = None) -> Any:
    """Let only those in who send the password under the identity in the URL; `of` one identity, or all."""

    def check(socket: ServerConnection, request: Request) -> Response | None:
        identity = request.path.rsplit("/", 1)[-1]
        right = request.headers.get("Authorization") == basic_authorization(identity, password.encode())
        if right and of in (None, identity):
            return None
        del socket
        return Response(HTTPStatus.UNAUTHORIZED, "Unauthorized", Headers(), b"")

    return check


def test_password_alone_lets_every_station_in_no_false_alarm() -> None:
    with odd_csms(serve, process_request=wants("s3cret")) as url:
        target = CsmsUnderTest(url=url, timeout=2, password="s3cret")
        results = [Runner(target, NoDriver(), None).run(case(name)) for name in ("TC_001_CSMS", "TC_088_CSMS", "HS_04")]
    assert [result.verdict for result in results] == [Verdict.OK] * 3, [result.reason for result in results]


@pytest.mark.parametrize(
    ("given", "of", "says"),
    [
        ({}, None, "it wants credentials; give the password of its stations with --password, and with --identity"),
        ({"password": "wrong"}, None, "the password does not fit; check --password"),
        ({"password": "s3cret", "identities": ("CP1", "CP2")}, "CP1", "refused CP2 with HTTP 401"),
    ],
)
def test_credentials_that_do_not_fit_end_the_run_before_any_case(
    given: dict[str, Any], of: str | None, says: str, tmp_path: Any
) -> None:
    out = tmp_path / "run"
    with odd_csms(serve, process_request=wants("s3cret", of=of)) as url, pytest.raises(UsageError) as caught:
        run_interop(
            InteropRequest(url=url, ocpp=("1.6",), out=str(out), timeout=2, **given), jobs=1, write=lambda _: None
        )
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)
    assert not out.exists()


def test_each_worker_has_identities_of_its_own_no_false_alarm(tmp_path: Any) -> None:
    request = InteropRequest(url="ws://127.0.0.1:9", identities=("A", "B", "C", "D", "E"), out=str(tmp_path / "run"))
    state = State.start(request)
    with state.stack:
        shares = [list(state.share(number, 2)["request"]["identities"]) for number in range(2)]
    assert shares == [["A", "C", "E"], ["B", "D"]]


# -- what a CSMS does not have, or does late ---------------------------------------------------------------------------


def test_required_field_that_is_missed_by_the_word_rejected_no_false_alarm() -> None:
    recording = begun().note(mutation="missing-required/csr")
    recording.sent('[2,"1","SignCertificate",{}]').got('[3,"1",{"status":"Rejected"}]')
    check = case("PAY_SignCertificate_missing").checks[0]
    assert [finding.verdict for finding in check.judge(recording.history())] == [Verdict.NON_STRICT]


async def turn_away(socket: ServerConnection) -> None:
    await socket.close(1008)


def test_who_closes_a_later_connection_is_told_anew_each_time_no_false_alarm() -> None:
    wire = Wire()
    with odd_csms(serve) as url:
        wire.open(Offer(url=f"{url}/A", subprotocols=("ocpp1.6",)), 2)
        assert [event.by for event in wire.close() if isinstance(event, Closed)] == ["station"]
    with odd_csms(turn_away) as url:
        wire.open(Offer(url=f"{url}/A", subprotocols=("ocpp1.6",)), 2)
        ends: list[str] = []
        while wire.connected and wire.wait(2):
            ends += [event.by for event in wire.receive() if isinstance(event, Closed)]
        wire.abort()
    assert ends == ["csms"]


def test_csms_without_an_authority_rejects_certificate_requests_no_false_alarm() -> None:
    recording = begun().sent('[2,"1","SignCertificate",{"csr":"x"}]').got('[3,"1",{"status":"Rejected"}]')
    assert [finding.verdict for finding in takes_csr().judge(recording.history())] == [Verdict.NOT_APPLICABLE]


@pytest.mark.parametrize(("meters", "verdicts"), [({}, [Verdict.NOT_APPLICABLE]), ({"meterStart": 1}, [])])
def test_records_without_meter_values_say_nothing_about_energy_no_false_alarm(
    meters: dict[str, Any], verdicts: list[Verdict]
) -> None:
    recording = begun().sent(
        '[2,"1","StartTransaction",{"connectorId":1,"idTag":"A","meterStart":1,"timestamp":"2026-01-01T00:00:00Z"}]'
    )
    recording.got('[3,"1",{"transactionId":7,"idTagInfo":{"status":"Accepted"}}]')
    recording.driver(operation="recorded", transactions=[{"transactionId": 7, **meters}])
    assert [finding.verdict for finding in keeps_own_energy().judge(recording.history())] == verdicts


@pytest.mark.parametrize(("served", "verdict"), [(False, Verdict.NON_STRICT), (True, Verdict.FAILED)])
def test_wrong_password_that_is_turned_away_after_the_upgrade_is_only_late_no_false_alarm(
    *, served: bool, verdict: Verdict
) -> None:
    recording = Recording().script().opened()
    if served:
        recording.sent('[2,"1","Heartbeat",{}]').got(f'[3,"1",{HEARTBEAT_ANSWER}]')
    recording.closed(code=1008)
    assert [finding.verdict for finding in refused_upgrade("refused").judge(recording.history())] == [verdict]


def test_id_used_again_on_a_new_connection_is_against_2x_and_not_against_16_no_false_alarm() -> None:
    claim = "The CSMS gives every CALL an id of its own"
    for version in Version:
        recording = begun(version).got('[2,"1","ClearCache",{}]').sent('[3,"1",{"status":"Accepted"}]').closed()
        recording.opened_again().got('[2,"1","GetLocalListVersion",{}]')
        assert (claim in found("CMD_01", recording)) is (version is not Version.V16)


@pytest.mark.parametrize("by", ["csms", "network"])
def test_connection_without_a_common_version_may_end_with_a_reset_no_false_alarm(by: str) -> None:
    recording = Recording().script().opened(subprotocol=None, offered=["ocpp0.1"]).closed(by=by, code=None)
    check = case("TC_088_CSMS").checks[0]
    assert [finding.verdict for finding in check.judge(recording.history())] == [Verdict.OK]


# -- payments that were made elsewhere ---------------------------------------------------------------------------------

WORTH = "The answer to an event with a token says what the token is worth"
PAYMENT = {"idToken": "PSP-1", "type": "DirectPayment"}


def paid_elsewhere(*, told: bool) -> dict[str, str]:
    recording = begun(Version.V21)
    if told:
        recording.driver(operation="set_token", token="PSP-1", status="Accepted")
    order = {"evseId": 2, "remoteStartId": 1, "idToken": PAYMENT}
    recording = ordered(recording, "RequestStartTransaction", order)
    recording.got(json.dumps([2, "1", "RequestStartTransaction", order])).sent('[3,"1",{"status":"Accepted"}]')
    event = {
        "eventType": "Started",
        "timestamp": "2026-01-01T00:00:00Z",
        "triggerReason": "RemoteStart",
        "seqNo": 0,
        "transactionInfo": {"transactionId": "t", "remoteStartId": 1},
        "idToken": PAYMENT,
    }
    recording.sent(json.dumps([2, "2", "TransactionEvent", event])).got('[3,"2",{"idTokenInfo":{"status":"Unknown"}}]')
    return found("TC_C_125_CSMS", recording)


def test_payment_that_a_bare_command_names_and_no_list_of_tokens_knows_no_false_alarm() -> None:
    assert paid_elsewhere(told=False)[WORTH] == "NOT_APPLICABLE"


def test_payment_that_the_csms_was_told_of_and_does_not_accept_is_failed() -> None:
    assert paid_elsewhere(told=True)[WORTH] == "FAILED"


@pytest.mark.parametrize("status", ["UnknownVendorId", "UnknownMessageId", "Rejected"])
def test_each_answer_that_part_6_lists_for_an_unknown_vendor_no_false_alarm(status: str) -> None:
    recording = begun(Version.V201).sent('[2,"1","DataTransfer",{"vendorId":"org.example","messageId":"M"}]')
    assert set(found("TC_P_02_CSMS", recording.got(f'[3,"1",{{"status":"{status}"}}]')).values()) == {"OK"}
