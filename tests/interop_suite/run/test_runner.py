from __future__ import annotations

import threading

import pytest
from websockets.asyncio.server import ServerConnection

from drivers.base import NoDriver
from evidence.verdicts import Verdict
from interop_suite.catalogue import all_cases
from interop_suite.drive.setup import CsmsUnderTest
from interop_suite.run.runner import IdentityPool, Runner
from ocppj.errors import HarnessError
from tests.interop_suite.odd_csms import Handler, never_answers, odd_csms


async def say(socket: ServerConnection, *frames: str | bytes) -> None:
    async for _ in socket:
        for frame in frames:
            await socket.send(frame)


async def garbage(socket: ServerConnection) -> None:
    await say(socket, "]]", b"\xff\xfe", '[9,"x"]', "[" * 5000, '[3,"nobody",{}]', "7" * 5000)


async def close_at_once(socket: ServerConnection) -> None:
    await socket.recv()
    await socket.close(1011)


@pytest.mark.parametrize("handler", [garbage, close_at_once, never_answers])
def test_csms_that_makes_no_sense_gives_a_verdict_and_never_an_exception(handler: Handler) -> None:
    case = next(case for case in all_cases() if case.id == "TC_001_CSMS")
    with odd_csms(handler) as url:
        result = Runner(CsmsUnderTest(url=url, timeout=0.3), NoDriver(), None).run(case)
    assert result.verdict in (Verdict.FAILED, Verdict.INCONCLUSIVE)
    assert result.reason


def test_unreachable_csms_is_inconclusive_and_says_so() -> None:
    case = next(case for case in all_cases() if case.id == "TC_001_CSMS")
    result = Runner(CsmsUnderTest(url="ws://127.0.0.1:9", timeout=0.3), NoDriver(), None).run(case)
    assert result.verdict is Verdict.INCONCLUSIVE
    assert "could not connect (TCP: Connection refused)" in result.reason


def test_case_whose_need_cannot_be_met_is_not_applicable_before_anything_is_sent() -> None:
    connected = threading.Event()

    async def notice(socket: ServerConnection) -> None:
        connected.set()
        await socket.wait_closed()

    case = next(case for case in all_cases() if case.id == "TC_013_CSMS")
    with odd_csms(notice) as url:
        result = Runner(CsmsUnderTest(url=url, timeout=0.3), NoDriver(), None).run(case)
    assert result.verdict is Verdict.NOT_APPLICABLE
    assert "make the CSMS send Reset" in result.reason
    assert not connected.is_set()


def test_given_identities_are_used_by_one_case_at_a_time() -> None:
    pool = IdentityPool(("CP1", "CP2"))
    assert {pool.lease(), pool.lease()} == {"CP1", "CP2"}
    with pytest.raises(HarnessError, match="in use"):
        pool.lease()
    pool.release("CP1")
    assert pool.lease() == "CP1"


def test_made_up_identities_never_repeat() -> None:
    pool = IdentityPool()
    assert len({pool.lease() for _ in range(100)}) == 100
