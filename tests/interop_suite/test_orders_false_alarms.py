"""Orders that a CSMS carries out late, may refuse, or never gets, and what may be concluded from that."""

from __future__ import annotations

import asyncio
import json
import threading
from pathlib import Path
from typing import Any

import pytest
from websockets.asyncio.server import ServerConnection

from drivers.base import CommandResult, DriverCannotError, NoDriver, StationSettings, TokenSettings
from evidence.verdicts import Verdict
from interop_suite.catalogue import Case, all_cases
from interop_suite.drive.setup import CsmsUnderTest
from interop_suite.run.driver_check import OperationState, check_driver
from interop_suite.run.judge import judge
from interop_suite.run.request import InteropRequest
from interop_suite.run.runner import Runner
from interop_suite.run.target import target_of
from ocppj.errors import UsageError
from ocppj.versions import Version
from tests.interop_suite.odd_csms import odd_csms, plain_answer
from tests.interop_suite.recording import Recording, begun

TIMEOUT = 0.4


def case(name: str) -> Case:
    return next(case for case in all_cases() if case.id == name and case.ocpp is Version.V16)


class QueueingCsms(NoDriver):
    """A CSMS whose API only takes orders: they go out from a queue, some time later."""

    def __init__(self, delay: float) -> None:
        self._delay = delay
        self._connected = threading.Event()
        self._sockets: list[tuple[asyncio.AbstractEventLoop, ServerConnection]] = []
        self._sent: set[asyncio.Task[None]] = set()

    async def serve(self, socket: ServerConnection) -> None:
        self._sockets.append((asyncio.get_running_loop(), socket))
        async for text in socket:
            message_type, message_id, *rest = json.loads(text)
            if message_type == 2:
                await socket.send(json.dumps([3, message_id, plain_answer(rest[0])]))

    def missing(self, need: str, version: Version) -> str | None:
        del version
        return None if need.startswith("trigger:") else f"no {need}"

    def command(self, identity: str, action: str, payload: dict[str, Any], version: Version) -> CommandResult:
        del identity, version
        loop, socket = self._sockets[0]
        call = json.dumps([2, f"q{action}{len(self._sent)}", action, payload])

        def send() -> None:
            self._sent.add(loop.create_task(socket.send(call)))

        loop.call_soon_threadsafe(lambda: loop.call_later(self._delay, send))
        return CommandResult(status="sent")


class TidyingCsms(QueueingCsms):
    """It cancels an old reservation whenever a station has booted, and knows tokens."""

    async def serve(self, socket: ServerConnection) -> None:
        self._sockets.append((asyncio.get_running_loop(), socket))
        async for text in socket:
            message_type, message_id, *rest = json.loads(text)
            if message_type == 2:
                await socket.send(json.dumps([3, message_id, plain_answer(rest[0])]))
            if message_type == 2 and rest[0] == "BootNotification":
                await socket.send('[2,"old","CancelReservation",{"reservationId":99}]')

    def missing(self, need: str, version: Version) -> str | None:
        del need, version
        return None

    def set_token(self, token: str, settings: TokenSettings, version: Version) -> None:
        del token, settings, version

    def register(self, identity: str, settings: StationSettings, version: Version) -> None:
        del identity, settings, version


def test_older_reservation_that_is_cancelled_unasked_no_false_alarm() -> None:
    csms = TidyingCsms(delay=0)
    with odd_csms(csms.serve) as url:
        result = Runner(CsmsUnderTest(url=url, timeout=TIMEOUT), csms, None).run(case("FLD_66"))
    assert result.verdict is Verdict.OK, result.reason


@pytest.mark.parametrize("name", ["CMD_03", "RPC_19", "TC_061_CSMS", "TC_055_CSMS"])
def test_command_that_waits_in_a_queue_for_longer_than_an_answer_takes_no_false_alarm(name: str) -> None:
    csms = QueueingCsms(delay=2 * TIMEOUT)
    with odd_csms(csms.serve) as url:
        result = Runner(CsmsUnderTest(url=url, timeout=TIMEOUT), csms, None).run(case(name))
    assert result.verdict in (Verdict.OK, Verdict.INFORMATIONAL), result.actual


def test_command_that_comes_after_all_patience_is_failed_and_the_patience_can_be_set() -> None:
    csms = QueueingCsms(delay=20)
    with odd_csms(csms.serve) as url:
        target = CsmsUnderTest(url=url, timeout=TIMEOUT, command_timeout=TIMEOUT)
        result = Runner(target, csms, None).run(case("TC_055_CSMS"))
    assert result.verdict is Verdict.FAILED
    assert "no TriggerMessage reached the station" in result.reason


def test_patience_with_commands_is_above_zero() -> None:
    with pytest.raises(UsageError, match="--command-timeout 0 must be above 0"):
        target_of(InteropRequest(url="ws://127.0.0.1:1", command_timeout=0))


# -- orders that a CSMS may refuse, and that a driver has no way to give -----------------------------------------------

TRIGGERS = ("MeterValues", "Heartbeat", "StatusNotification", "DiagnosticsStatusNotification")
LAST = "FirmwareStatusNotification"


def triggered(last: dict[str, Any]) -> Recording:
    """Five messages that are triggered, the last of which comes to nothing."""
    recording = begun()
    for name in TRIGGERS:
        recording.driver(operation="trigger", action="TriggerMessage", payload={"requestedMessage": name})
        recording.got(f'[2,"{name}","TriggerMessage",{{"requestedMessage":"{name}"}}]')
        recording.sent(f'[3,"{name}",{{"status":"Accepted"}}]')
        recording.driver(operation="outcome", action="TriggerMessage", result={"status": "answered"})
    recording.driver(operation="trigger", action="TriggerMessage", payload={"requestedMessage": LAST})
    return recording.driver(operation="outcome", action="TriggerMessage", **last)


def claims(recording: Recording) -> dict[str, str]:
    findings = [f for check in case("TC_054_CSMS").checks for f in check.judge(recording.history())]
    return {finding.actual: str(finding.verdict) for finding in findings if finding.verdict is not Verdict.OK}


def test_accepted_station_is_not_asked_for_another_boot_no_false_alarm() -> None:
    csms = QueueingCsms(delay=0)
    with odd_csms(csms.serve) as url:
        result = Runner(CsmsUnderTest(url=url, timeout=TIMEOUT), csms, None).run(case("TC_054_CSMS"))
    assert not [claim for claim in result.expected if "BootNotification" in claim]


@pytest.mark.parametrize(
    ("code", "verdict"), [("PropertyConstraintViolation", "INCONCLUSIVE"), ("NotSupported", "NOT_APPLICABLE")]
)
def test_one_order_of_several_that_the_csms_refuses_is_no_command_gone_wrong_no_false_alarm(
    code: str, verdict: str
) -> None:
    found = claims(triggered({"result": {"status": "error", "code": code, "origin": "csms"}}))
    assert set(found.values()) == {verdict}


def test_orders_that_were_sent_count_although_the_driver_cannot_give_the_last_one_no_false_alarm() -> None:
    found = claims(triggered({"error": "trigger: this API has no word for it", "cannot": True}))
    assert found == {
        "the driver has no way to give the command: trigger: this API has no word for it": "NOT_APPLICABLE"
    }


class HalfDriver(QueueingCsms):
    """A driver whose `cannot` applies to every command and to stations with odd names."""

    def command(self, identity: str, action: str, payload: dict[str, Any], version: Version) -> CommandResult:
        raise DriverCannotError(f"trigger: {action} for {identity} has no way in {version} ({payload})")


def test_case_whose_command_the_driver_cannot_give_is_not_applicable_no_false_alarm() -> None:
    csms = HalfDriver(delay=0)
    with odd_csms(csms.serve) as url:
        result = Runner(CsmsUnderTest(url=url, timeout=TIMEOUT), csms, None).run(case("TC_061_CSMS"))
    assert result.verdict is Verdict.NOT_APPLICABLE, result.actual


HALF_DRIVER = """
driver: half
operations:
  trigger:
    - cannot: [{when: action is defined, why: it has no way}]
      http: {method: POST, url: "http://127.0.0.1:1/"}
"""


def test_driver_that_says_what_it_cannot_do_is_not_broken_no_false_alarm(tmp_path: Path) -> None:
    file = tmp_path / "half.yaml"
    file.write_text(HALF_DRIVER)
    with odd_csms(QueueingCsms(delay=0).serve) as url:
        checked = check_driver(InteropRequest(url=url, timeout=TIMEOUT, driver=str(file), ocpp=("1.6",)))
    states = {operation.state for operation in checked if operation.operation.startswith("trigger:")}
    assert OperationState.BROKEN not in states


def test_case_that_the_driver_cannot_set_up_is_not_applicable_no_false_alarm() -> None:
    recording = begun().note(inconclusive="The driver could not do set_token: it has no way", cannot=True)
    assert judge(case("TC_061_CSMS"), recording.history()).verdict is Verdict.NOT_APPLICABLE
