"""What real CSMSs taught: one that is gone has refused nobody, and one that needs a moment gets it."""

from __future__ import annotations

import socket
import time

import pytest

from evidence.verdicts import Verdict
from fixtures.models import station as make_station
from interop_suite.claims.checks import connection, refused_upgrade
from interop_suite.drive.offer import Offer
from interop_suite.drive.station import ScriptedStation
from ocppj.identity import station_url
from ocppj.trace import Kind, TraceRecord
from ocppj.versions import Version
from tests.interop_suite.recording import Recording

GONE = {"status": None, "error": "TCP: Connection refused", "unreachable": True}
RESET = {"status": None, "error": "TCP: Connection reset by peer"}


def attempt(**info: object) -> Recording:
    return Recording().script().add(Kind.HANDSHAKE, info=dict(info))


def station_of(port: int, records: list[TraceRecord]) -> ScriptedStation:
    offer = Offer(url=station_url(f"ws://127.0.0.1:{port}", "CP1"), subprotocols=("ocpp1.6",), identity="CP1")
    return ScriptedStation(make_station("ac-dual", "CP1", seed=0), Version.V16, offer, records.append, timeout=2)


def test_csms_that_is_gone_has_broken_no_rule_of_the_handshake_no_false_alarm() -> None:
    check = connection("A mixed offer is answered", lambda attempt, _: (attempt.opened, attempt.describe()))
    assert [finding.verdict for finding in check.judge(attempt(**GONE).history())] == [Verdict.INCONCLUSIVE]


def test_csms_that_is_gone_has_refused_nobody() -> None:
    check = refused_upgrade("A connection without credentials is refused")
    assert [finding.verdict for finding in check.judge(attempt(**GONE).history())] == [Verdict.INCONCLUSIVE]


def test_csms_that_hangs_up_during_the_upgrade_has_refused() -> None:
    check = refused_upgrade("A connection without credentials is refused")
    assert [finding.verdict for finding in check.judge(attempt(**RESET).history())] == [Verdict.OK]


def test_attempt_without_any_tcp_connection_is_recorded_as_unreachable() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound and not listening: nobody else gets the port, and nobody answers
        records: list[TraceRecord] = []
        handshake = station_of(taken.getsockname()[1], records).connect()
    assert handshake.unreachable
    assert [record.info.get("unreachable") for record in records if record.kind is Kind.HANDSHAKE] == [True]


def test_station_stays_away_as_long_as_the_driver_says_before_it_connects_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    away: list[float] = []
    monkeypatch.setattr(time, "sleep", away.append)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        station = station_of(taken.getsockname()[1], [])
        station.reconnect_pause = 30.0
        station.connect()
        assert away == []
        station.connect()
    assert away == [30.0]
