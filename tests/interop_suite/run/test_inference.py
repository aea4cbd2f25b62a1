from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from evidence.verdicts import Verdict
from interop_suite.catalogue import Case, all_cases
from interop_suite.main import run_interop
from interop_suite.run.inference import ENOUGH, Silences
from interop_suite.run.request import InteropRequest
from tests.interop_suite.mortal_csms import mortal_csms
from tests.interop_suite.recording import Recording, begun

CASES = {case.key: case for case in all_cases()}
PLAIN = CASES["1.6-TC_001_CSMS"]
TAG = '{"idTag":"04AABBCC"}'


def commanded(action: str) -> Case:
    return next(case for case in CASES.values() if case.ocpp == "1.6" and case.needs == (f"trigger:{action}",))


def after(*recordings: Recording) -> Silences:
    silences = Silences(10)
    for recording in recordings:
        silences.learn(PLAIN, recording.history())
    return silences


def test_third_boot_without_an_answer_speaks_for_every_booted_station_of_the_version() -> None:
    boot = '[2,"b","BootNotification",{"chargePointVendor":"a","chargePointModel":"b"}]'
    silences = after(*(Recording().opened().sent(boot) for _ in range(ENOUGH)))
    reason = silences.inferred(PLAIN)
    assert reason is not None
    assert "expected an answer to BootNotification within 10 s, but none came in 3 cases of OCPP 1.6" in reason
    assert silences.inferred(CASES["2.0.1-RPC_12"]) is None
    assert after(*(Recording().opened().sent(boot) for _ in range(ENOUGH - 1))).inferred(PLAIN) is None


def test_answer_ends_the_row() -> None:
    asked = begun().sent(f'[2,"a","Authorize",{TAG}]')
    answered = begun().sent(f'[2,"a","Authorize",{TAG}]').got('[3,"a",{"idTagInfo":{"status":"Invalid"}}]')
    case = CASES["1.6-TC_023_1_CSMS"]
    assert after(asked, asked, asked).inferred(case) is not None
    assert after(answered, asked, asked, asked).inferred(case) is None
    assert after(asked, asked, asked).inferred(CASES["1.6-TC_064_CSMS"]) is None


def test_silence_to_what_is_no_request_says_nothing_about_requests() -> None:
    malformed = begun().sent('[2,"a","Authorize",{"idTag":7}]')
    assert after(malformed, malformed, malformed).inferred(CASES["1.6-TC_023_1_CSMS"]) is None


@pytest.mark.parametrize("refused", [False, True])
def test_commands_that_never_come_speak_for_all_commands_unless_the_csms_refuses_them(*, refused: bool) -> None:
    end = {"result": {"status": "error", "origin": "csms"}} if refused else {"error": "no answer"}
    reason = after(*orders(end, waited=11)).inferred(commanded("UnlockConnector"))
    assert (reason is None) is refused
    assert refused or "not one came in 3 cases" in str(reason)


def orders(end: dict[str, Any], waited: float) -> list[Recording]:
    return [
        begun()
        .driver(operation="trigger", action=action, payload={})
        .wait(waited)
        .driver(operation="outcome", action=action, **end)
        for action in ("ClearCache", "Reset", "GetConfiguration")
    ]


def test_orders_that_the_api_does_not_take_say_nothing_about_the_others_no_false_alarm() -> None:
    end = {"error": "HTTP 400: limit must be multiple of 0.1"}
    assert after(*orders(end, waited=0)).inferred(commanded("UnlockConnector")) is None


def test_mute_csms_costs_three_time_outs_and_not_one_a_case(tmp_path: Path) -> None:
    with mortal_csms("mute") as url:
        request = InteropRequest(url=url, ocpp=("1.6",), select="RPC_", out=str(tmp_path / "run"), timeout=0.5)
        finished = run_interop(request, jobs=1, write=lambda _: None)
    waited = [case for case in finished.run.cases if case.trace]
    inferred = [case for case in finished.run.cases if "by inference" in case.reason]
    assert len(waited) == ENOUGH
    assert len(inferred) > ENOUGH
    assert {case.verdict for case in inferred} == {Verdict.INCONCLUSIVE}
    assert "within 0.5 s" in inferred[0].reason
