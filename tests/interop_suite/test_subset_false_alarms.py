"""False alarms that a CSMS of few features and a very exact one raised: what each of them did is allowed."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any

import pytest

from drivers.base import DriverCannotError
from drivers.http import HttpDriver
from evidence.run_model import CaseResult
from fixtures.tokens import TokenKind
from interop_suite.cases.v2x.iso15118 import _root
from interop_suite.catalogue import all_cases
from interop_suite.drive.probe import NoWayError
from interop_suite.run.judge import judge
from interop_suite.steps.kept_sessions import kept_as_told
from ocppj.versions import Version
from tests.drivers.stub_api import Said, StubApi
from tests.interop_suite.recording import Recording, begun

UNREADABLE = '[4,"-1","RpcFrameworkError","no id can be read",{}]'
HEARTBEAT_ANSWER = '{"currentTime":"2026-01-01T00:00:00Z"}'


def judged(name: str, recording: Recording) -> CaseResult:
    (case,) = (case for case in all_cases() if case.id == name and case.ocpp is recording.version)
    return judge(case, recording.history())


def found(name: str, recording: Recording) -> dict[str, str]:
    return {finding["claim"]: finding["verdict"] for finding in judged(name, recording).findings}


@pytest.mark.parametrize("version", [Version.V201, Version.V21])
def test_error_without_an_id_answers_each_call_with_an_illegal_one_no_false_alarm(version: Version) -> None:
    recording = begun(version).note(odd="minus one").sent('[2,"-1","Heartbeat",{}]').got(f'[3,"-1",{HEARTBEAT_ANSWER}]')
    for name, message_id in (("37 characters", "x" * 37), ("300 characters", "y" * 300), ("empty", "")):
        recording.note(odd=name).sent(json.dumps([2, message_id, "Heartbeat", {}])).got(UNREADABLE)
    recording.sent('[2,"last","Heartbeat",{}]').got(f'[3,"last",{HEARTBEAT_ANSWER}]')
    verdicts = found("RPC_07", recording)
    assert "FAILED" not in verdicts.values()
    assert verdicts["A legal message id comes back as it was sent"] == "OK"


def test_error_without_an_id_that_nothing_asked_for_is_still_found() -> None:
    recording = begun(Version.V21).sent('[2,"a","Heartbeat",{}]').got(f'[3,"a",{HEARTBEAT_ANSWER}]').got(UNREADABLE)
    assert "FAILED" in found("RPC_07", recording).values()


@pytest.mark.parametrize(
    ("frame", "verdict"),
    [
        ('[3,"odd-1",{"value":[]', "OK"),
        ('[3,"odd-1",{"value":"1\0"}]', "OK"),
        ('[3,"odd-1"]', "NON_STRICT"),
    ],
)
def test_frame_that_is_no_json_may_be_answered_as_unreadable_no_false_alarm(frame: str, verdict: str) -> None:
    recording = begun(Version.V21).note(odd="answer").sent(frame).got(UNREADABLE)
    assert found("FLD_23", recording)["A broken answer to nothing is dropped"] == verdict


@pytest.mark.parametrize(("number", "verdict"), [('"2"', "OK"), ("null", "OK"), ("2.5", "OK"), ("7", "NON_STRICT")])
def test_frame_without_a_message_type_may_be_answered_as_unreadable_no_false_alarm(number: str, verdict: str) -> None:
    recording = begun(Version.V21).note(odd="type").sent(f'[{number},"a","Heartbeat",{{}}]').got(UNREADABLE)
    assert found("RPC_04", recording)["A message of an unknown type is ignored"] == verdict


@pytest.mark.parametrize("status", [404, 405, 501])
def test_part_of_the_contract_that_a_csms_lacks_is_nothing_it_does_wrong_no_false_alarm(status: int) -> None:
    with StubApi(lambda _: Said(status, {"error": "no such route"})) as api:
        driver = HttpDriver(api.url)
        with pytest.raises(DriverCannotError):
            driver.transactions("CP1", Version.V21)
        with pytest.raises(DriverCannotError):
            driver.online("CP1", Version.V21)


@pytest.mark.parametrize(("cannot", "verdicts"), [({"cannot": True}, ["NOT_APPLICABLE"]), ({}, ["INCONCLUSIVE"])])
def test_records_that_a_csms_does_not_show_are_not_judged_no_false_alarm(
    cannot: dict[str, Any], verdicts: list[str]
) -> None:
    recording = begun(Version.V21)
    recording.add(recording.records[-1].kind.DRIVER, info={"operation": "kept", "error": "no such route", **cannot})
    assert [str(finding.verdict) for finding in kept_as_told().judge(recording.history())] == verdicts


@pytest.mark.parametrize(("origin", "verdict"), [("csms", "NOT_APPLICABLE"), ("station", "INCONCLUSIVE")])
@pytest.mark.parametrize("name", ["TC_B_08_CSMS", "TC_N_18_CSMS"])
def test_csms_that_refuses_an_order_beyond_the_limit_keeps_it_no_false_alarm(
    name: str, origin: str, verdict: str
) -> None:
    action, order = {
        "TC_B_08_CSMS": (
            "GetVariables",
            {"getVariableData": [{"component": {"name": "A"}, "variable": {"name": "B"}}]},
        ),
        "TC_N_18_CSMS": ("ClearVariableMonitoring", {"id": [1, 2, 3]}),
    }[name]
    refusal = {"status": "error", "code": "TooMany", "description": "the station takes 2", "origin": origin}
    recording = begun(Version.V201).driver(operation="trigger", action=action, payload=order)
    recording.driver(operation="outcome", action=action, result=refusal)
    claims = {finding["claim"]: finding["verdict"] for finding in judged(name, recording).findings}
    assert next(claims[claim] for claim in claims if claim.startswith("Every entry")) == verdict


@pytest.mark.parametrize(
    ("asked", "answer", "verdict"),
    [
        (0, ("NoCertificateAvailable", "Invalid"), "NOT_APPLICABLE"),
        (1, ("NoCertificateAvailable", "Invalid"), "NON_STRICT"),
        (0, ("Accepted", "Accepted"), "NON_STRICT"),
    ],
)
def test_csms_that_asks_no_responder_refuses_a_contract_no_false_alarm(
    asked: int, answer: tuple[str, str], verdict: str
) -> None:
    status, token = answer
    recording = begun(Version.V201).sent('[2,"1","Authorize",{}]')
    recording.got(json.dumps([3, "1", {"certificateStatus": status, "idTokenInfo": {"status": token}}]))
    recording.note(responder_asked=asked)
    assert str(judged("TC_C_51_CSMS", recording).verdict) == verdict


@pytest.mark.parametrize(
    ("statuses", "verdict"),
    [(("Invalid", "Invalid"), "NOT_APPLICABLE"), (("Accepted", "Unknown"), "FAILED"), (("Accepted",) * 2, "OK")],
)
def test_csms_without_terminals_refuses_their_payments_no_false_alarm(statuses: tuple[str, ...], verdict: str) -> None:
    recording = begun(Version.V21)
    for number, status in enumerate(statuses):
        token = {"idToken": f"PSP{number}", "type": TokenKind.DIRECT_PAYMENT.value}
        recording.sent(json.dumps([2, str(number), "TransactionEvent", {"eventType": "Started", "idToken": token}]))
        recording.got(json.dumps([3, str(number), {"idTokenInfo": {"status": status}}]))
    claim = "The answer to an event with a token says what the token is worth"
    verdicts = [f["verdict"] for f in judged("TC_C_117_CSMS", recording).findings if f["claim"] == claim]
    assert verdict in verdicts


@pytest.mark.parametrize(
    ("receipts", "verdict"),
    [
        (
            (
                {"receiptId": "1", "receiptUrl": "https://pay.example"},
                {"receiptId": "2", "receiptUrl": "https://pay.example"},
            ),
            "NON_STRICT",
        ),
        (
            (
                {"receiptId": "1", "receiptUrl": "https://pay.example/1"},
                {"receiptId": "2", "receiptUrl": "https://pay.example/2"},
            ),
            "OK",
        ),
        (({"receiptUrl": "https://pay.example"}, {"receiptUrl": "https://pay.example"}), "FAILED"),
        (
            (
                {"receiptId": "1", "receiptUrl": "https://pay.example/1"},
                {"receiptId": "1", "receiptUrl": "https://pay.example/2"},
            ),
            "FAILED",
        ),
        (({}, {}), "NON_STRICT"),
    ],
)
def test_receipts_on_one_page_with_numbers_of_their_own_no_false_alarm(
    receipts: tuple[dict[str, str], ...], verdict: str
) -> None:
    recording = begun(Version.V21)
    for number, receipt in enumerate(receipts):
        recording.sent(json.dumps([2, str(number), "NotifySettlement", {"pspRef": f"P{number}", "status": "Settled"}]))
        recording.got(json.dumps([3, str(number), receipt]))
    claim = "Each settled payment has a receipt of its own"
    assert [f["verdict"] for f in judged("TC_C_118_CSMS", recording).findings if f["claim"] == claim][-1] == verdict


@pytest.mark.parametrize(
    ("costs", "verdict"),
    [
        ((4.0, 20.0, 0.4), "NON_STRICT"),
        ((6.2, 9.0, 3.0), "OK"),
        ((6.2, 20.0, 3.0), "FAILED"),
        ((5.5, 9.0, 3.0), "FAILED"),
    ],
)
def test_csms_whose_tariffs_are_prices_of_energy_no_false_alarm(costs: tuple[float, ...], verdict: str) -> None:
    recording = begun(Version.V21)
    for number, (cost, wanted, energy) in enumerate(zip(costs, (6.2, 9.0, 3.0), (4.0, 20.0, 0.4), strict=True)):
        recording.note(priced={"transaction": f"T{number}", "cost": wanted, "energy_cost": energy})
        event = {"eventType": "Ended", "transactionInfo": {"transactionId": f"T{number}"}}
        recording.sent(json.dumps([2, str(number), "TransactionEvent", event]))
        recording.got(json.dumps([3, str(number), {"totalCost": cost}]))
    claim = "The answer to the end of a session carries what the session cost"
    verdicts = {f["verdict"] for f in judged("OPT_17", recording).findings if f["claim"] == claim}
    assert verdict in verdicts
    assert verdict == "FAILED" or "FAILED" not in verdicts


def test_root_that_nobody_gave_is_asked_for_no_false_alarm() -> None:
    probe: Any = SimpleNamespace(target=SimpleNamespace(ca_file=None))
    with pytest.raises(NoWayError, match="--ca"):
        _root(probe)
