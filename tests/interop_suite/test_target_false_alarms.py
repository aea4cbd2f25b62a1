"""What a CSMS is and where it stands: versions that it does not speak, and a root that nobody here knows."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import pytest
from websockets.asyncio.server import ServerConnection
from websockets.typing import Subprotocol

from drivers.base import NoDriver
from evidence import exit_codes
from evidence.run_model import CaseResult
from evidence.verdicts import Verdict
from fixtures.certificates import Authority, server_context
from interop_suite.catalogue import Case, all_cases
from interop_suite.drive.setup import CsmsUnderTest
from interop_suite.main import run_interop
from interop_suite.run.judge import judge
from interop_suite.run.request import InteropRequest
from interop_suite.run.target_check import ClosedAtOnceError, SubprotocolError, check_target
from ocppj.errors import UsageError
from ocppj.versions import Version
from tests.interop_suite.odd_csms import odd_csms, plain_answer
from tests.interop_suite.recording import Recording

UNTRUSTED = "TLS: [SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed: unable to get local issuer certificate"
TLS_CASES = [case for case in all_cases() if any(need.startswith("tls") for need in case.needs)]


@pytest.mark.parametrize("case", TLS_CASES, ids=lambda case: case.key)
def test_certificate_of_a_root_that_we_do_not_know_is_a_matter_of_our_set_up_no_false_alarm(case: Case) -> None:
    recording = Recording(case.ocpp).script()
    for _ in range(4):
        recording.connection += 1
        recording.opened(status=None, subprotocol=None, error=UNTRUSTED, credentials=True)
    recording.note(inconclusive="The boot of CP1 was not accepted (not sent).")
    result = judge(case, recording.history())
    assert result.verdict is Verdict.INCONCLUSIVE, result.actual
    assert any("--ca" in actual for actual in result.actual)


def test_address_with_a_root_that_we_do_not_know_asks_for_it_no_false_alarm(tmp_path: Path) -> None:
    authority = Authority()
    root = tmp_path / "root.pem"
    root.write_bytes(authority.root_pem)
    with odd_csms(answers, ssl=server_context(authority.server())) as url:
        secure = url.replace("ws://", "wss://")
        with pytest.raises(UsageError, match="--ca"):
            check_target(CsmsUnderTest(url=secure, timeout=3), NoDriver(), Version.V16)
        check_target(CsmsUnderTest(url=secure, timeout=3, ca_file=str(root)), NoDriver(), Version.V16)


async def answers(socket: ServerConnection) -> None:
    async for text in socket:
        _, message_id, action, _ = json.loads(text)
        await socket.send(json.dumps([3, message_id, plain_answer(action)]))


async def closes_what_is_not_16(socket: ServerConnection) -> None:
    if socket.subprotocol != "ocpp1.6":
        await socket.close(1002, "unsupported version")
        return
    await answers(socket)


def by_version(url: str, folder: Path) -> dict[str, list[CaseResult]]:
    wanted = InteropRequest(url=url, select="TC_001_CSMS,HS_13", timeout=2, out=str(folder))
    run = run_interop(wanted, jobs=1, write=lambda _: None).run
    found: dict[str, list[CaseResult]] = {}
    for result in run.cases:
        found.setdefault(result.ocpp, []).append(result)
    return found


def test_version_that_is_upgraded_and_closed_at_once_is_not_applicable_as_a_whole_no_false_alarm(
    tmp_path: Path,
) -> None:
    with odd_csms(closes_what_is_not_16, subprotocols=["ocpp1.6", "ocpp2.0.1", "ocpp2.1"]) as url:
        found = by_version(url, tmp_path / "run")
    assert {result.verdict for result in found["1.6"]} == {Verdict.OK}
    others = [result for version, results in found.items() if version != "1.6" for result in results]
    assert {(result.verdict, result.reason.rpartition(" ")[0]) for result in others} == {
        (Verdict.NOT_APPLICABLE, "this CSMS does not speak OCPP")
    }


def test_version_that_was_asked_for_by_name_is_a_wrong_request() -> None:
    with (
        odd_csms(closes_what_is_not_16, subprotocols=["ocpp1.6", "ocpp2.1"]) as url,
        pytest.raises(ClosedAtOnceError, match="1002 unsupported version"),
    ):
        check_target(CsmsUnderTest(url=url, timeout=2), NoDriver(), Version.V21)


def test_version_that_is_served_without_being_named_is_judged(tmp_path: Path) -> None:
    with odd_csms(answers, subprotocols=[], select_subprotocol=lambda *_: None) as url:
        wanted = InteropRequest(
            url=url, select="TC_001_CSMS,HS_13", ocpp=("1.6",), timeout=2, out=str(tmp_path / "run")
        )
        finished = run_interop(wanted, jobs=1, write=lambda _: None)
    verdicts = {case.id: (case.verdict, case.reason) for case in finished.run.cases}
    assert verdicts["TC_001_CSMS"][0] is Verdict.OK
    assert verdicts["HS_13"][0] is Verdict.FAILED
    assert "without a subprotocol" in verdicts["HS_13"][1]
    assert finished.exit_code == exit_codes.FAILED


def test_version_that_is_called_by_another_name_is_judged_where_it_was_asked_for(tmp_path: Path) -> None:
    with odd_csms(answers, subprotocols=[], select_subprotocol=lambda *_: Subprotocol("ocpp2.0.1")) as url:
        wanted = InteropRequest(
            url=url, select="TC_001_CSMS,HS_13", ocpp=("1.6",), timeout=2, out=str(tmp_path / "run")
        )
        finished = run_interop(wanted, jobs=1, write=lambda _: None)
    verdicts = {case.id: (case.verdict, case.reason) for case in finished.run.cases}
    assert verdicts["TC_001_CSMS"][0] is Verdict.INCONCLUSIVE
    assert verdicts["HS_13"][0] is Verdict.FAILED
    assert "ocpp2.0.1" in verdicts["HS_13"][1]
    assert finished.exit_code == exit_codes.FAILED


async def never_closes(socket: ServerConnection) -> None:
    async for _ in socket:
        pass


def test_csms_that_names_nothing_and_serves_nothing_does_not_speak_the_version_no_false_alarm() -> None:
    with (
        odd_csms(never_closes, subprotocols=[], select_subprotocol=lambda *_: None) as url,
        pytest.raises(SubprotocolError, match="chose none"),
    ):
        check_target(CsmsUnderTest(url=url, timeout=0.4), NoDriver(), Version.V21)


def test_version_that_is_served_by_mistake_and_not_named_is_not_spoken_no_false_alarm(tmp_path: Path) -> None:
    def names_16_alone(_: ServerConnection, offered: Sequence[Subprotocol]) -> Subprotocol | None:
        return next((name for name in offered if name == "ocpp1.6"), None)

    with odd_csms(answers, subprotocols=[], select_subprotocol=names_16_alone) as url:
        found = by_version(url, tmp_path / "run")
    assert {result.verdict for result in found["1.6"]} == {Verdict.OK}
    others = [result for version, results in found.items() if version != "1.6" for result in results]
    assert {result.verdict for result in others} == {Verdict.NOT_APPLICABLE}
