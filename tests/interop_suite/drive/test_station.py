"""The silence of a CSMS counts only when it has nothing more to say."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from websockets.asyncio.server import ServerConnection

from fixtures.models import station as make_station
from interop_suite.drive.offer import Offer
from interop_suite.drive.station import ScriptedStation
from ocppj.trace import TraceRecord
from ocppj.versions import Version
from tests.interop_suite.odd_csms import never_answers, odd_csms

PATIENCE = 0.05


class SlowCsms:
    """Answers each CALL only when it is told to settle."""

    def __init__(self) -> None:
        self.asked = asyncio.Event()
        self.loop: asyncio.AbstractEventLoop | None = None
        self.answered = threading.Event()

    async def serve(self, connection: ServerConnection) -> None:
        self.loop = asyncio.get_running_loop()
        async for frame in connection:
            await self.asked.wait()
            await connection.send(f'[3,{str(frame).split(",")[1]},{{"currentTime":"2026-01-01T00:00:00Z"}}]')
            self.answered.set()

    def settle(self) -> None:
        if self.loop is not None:
            self.loop.call_soon_threadsafe(self.asked.set)
            self.answered.wait(5)


@contextmanager
def connected(url: str, *, slow: SlowCsms | None = None) -> Iterator[ScriptedStation]:
    records: list[TraceRecord] = []
    station = ScriptedStation(
        make_station("ac-dual", "CP1"),
        Version.V16,
        Offer(url=f"{url}/CP1", subprotocols=("ocpp1.6",), identity="CP1"),
        records.append,
        timeout=PATIENCE,
        settle=slow.settle if slow else None,
    )
    station.connect()
    yield station
    station.drop()
    station.put_away()


def test_answer_of_a_csms_that_had_not_come_to_it_yet_counts() -> None:
    slow = SlowCsms()
    with odd_csms(slow.serve) as url, connected(url, slow=slow) as station:
        assert station.call("Heartbeat", {}).kind == "result"


def test_silence_of_a_csms_that_nobody_can_ask_counts_when_patience_ends() -> None:
    with odd_csms(never_answers) as url, connected(url) as station:
        assert station.call("Heartbeat", {}).kind == "timeout"
