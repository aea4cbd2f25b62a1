"""The silence of a CSMS counts only when it has nothing more to say."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import pytest
from websockets.asyncio.server import ServerConnection

from fixtures.models import station as make_station
from interop_suite.drive.offer import Offer
from interop_suite.drive.station import ScriptedStation
from ocppj.identity import basic_authorization
from ocppj.trace import TraceRecord
from ocppj.versions import RULES, Version
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
def connected(
    url: str, *, slow: SlowCsms | None = None, beside: Sequence[ScriptedStation] = ()
) -> Iterator[ScriptedStation]:
    records: list[TraceRecord] = []
    station = ScriptedStation(
        make_station("ac-dual", "CP1"),
        Version.V16,
        Offer(url=f"{url}/CP1", subprotocols=("ocpp1.6",), identity="CP1"),
        records.append,
        timeout=PATIENCE,
        settle=slow.settle if slow else None,
        beside=lambda: beside,
    )
    station.connect()
    yield station
    station.drop()
    station.put_away()


class PingingCsms:
    """Pings every station as soon as it comes, and drops one whose pong is late."""

    def __init__(self) -> None:
        self.ponged: list[str] = []

    async def serve(self, connection: ServerConnection) -> None:
        assert connection.request is not None
        await (await connection.ping())
        self.ponged.append(connection.request.path)
        await connection.wait_closed()


def test_station_answers_pings_while_its_case_is_busy_with_another_one_no_false_alarm(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("interop_suite.drive.station.LULL", 0.01)
    csms = PingingCsms()
    with odd_csms(csms.serve) as url, connected(url) as other, connected(f"{url}/busy", beside=[other]) as station:
        assert station.pump(lambda: len(csms.ponged) == 2, 5.0)


def test_answer_of_a_csms_that_had_not_come_to_it_yet_counts() -> None:
    slow = SlowCsms()
    with odd_csms(slow.serve) as url, connected(url, slow=slow) as station:
        assert station.call("Heartbeat", {}).kind == "result"


def test_silence_of_a_csms_that_nobody_can_ask_counts_when_patience_ends() -> None:
    with odd_csms(never_answers) as url, connected(url) as station:
        assert station.call("Heartbeat", {}).kind == "timeout"


class KeyGivingCsms:
    """Gives each station a key when it connects, and asks for it from then on."""

    def __init__(self, command: str) -> None:
        self._command = command
        self.credentials: list[str | None] = []

    async def serve(self, connection: ServerConnection) -> None:
        assert connection.request is not None
        self.credentials.append(connection.request.headers.get("Authorization"))
        await connection.send(self._command)
        await connection.wait_closed()


KEY = "000102030405060708090A0B0C0D0E0F"
SECRET = "P0123456789012345678"
BY_KEY = f'[2,"k","ChangeConfiguration",{{"key":"AuthorizationKey","value":"{KEY}"}}]'
BY_VARIABLE = (
    '[2,"k","SetVariables",{"setVariableData":[{"component":{"name":"SecurityCtrlr"},'
    f'"variable":{{"name":"BasicAuthPassword"}},"attributeValue":"{SECRET}"}}]}}]'
)


@pytest.mark.parametrize(
    ("version", "command", "password"),
    [
        (Version.V16, BY_KEY, bytes.fromhex(KEY)),
        (Version.V201, BY_VARIABLE, SECRET.encode()),
        (Version.V21, BY_VARIABLE, SECRET.encode()),
    ],
)
def test_station_uses_a_password_that_the_csms_gives_it_unasked_no_false_alarm(
    version: Version, command: str, password: bytes
) -> None:
    csms = KeyGivingCsms(command)
    with odd_csms(csms.serve, subprotocols=(RULES[version].subprotocol,)) as url:
        offer = Offer(url=f"{url}/CP1", subprotocols=(RULES[version].subprotocol,), identity="CP1")
        station = ScriptedStation(make_station("ac-dual", "CP1"), version, offer, lambda _: None, timeout=5)
        station.connect()
        station.expect(json.loads(command)[2])
        station.connect()
        station.put_away()
    assert csms.credentials == [None, basic_authorization("CP1", password)]


def test_station_that_refuses_a_password_keeps_its_own() -> None:
    csms = KeyGivingCsms(BY_KEY)
    with odd_csms(csms.serve) as url, connected(url) as station:
        station.reply("ChangeConfiguration", {"status": "Rejected"})
        station.expect("ChangeConfiguration", timeout=5)
        station.connect()
    assert csms.credentials == [None, None]
