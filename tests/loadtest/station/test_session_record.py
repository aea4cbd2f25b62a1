from __future__ import annotations

from typing import Any

import pytest

from evidence.vocabulary import RAMP
from loadtest.measuring.session_row import NOTE, Row, row_of
from loadtest.station.dialect.contract import Ending
from loadtest.station.transaction_queue import RETRY_INTERVAL
from ocppj.versions import Version
from tests.loadtest.fleet_harness import SILENT, FleetHarness, charging

every_version = pytest.mark.parametrize("version", list(Version))
NO = {"status": "Invalid"}
REFUSED = {
    Version.V16: {"StartTransaction": {"transactionId": 4711, "idTagInfo": NO}},
    Version.V201: {"TransactionEvent": lambda event: {"idTokenInfo": NO} if event["eventType"] == "Started" else {}},
}
START = {Version.V16: "StartTransaction", Version.V201: "TransactionEvent", Version.V21: "TransactionEvent"}


def rows(harness: FleetHarness) -> list[Row]:
    return [row_of(note) for note in harness.recorder.take(final=True)["notes"] if note[0] == NOTE]


def one(harness: FleetHarness) -> Row:
    (row,) = rows(harness)
    return row


def charging_session(version: Version = Version.V16, **more: Any) -> FleetHarness:
    """Let one car come and charge for 35 s."""
    return FleetHarness(version, charging(duration=35.0, gap=10_000.0), **more)


def charging_now(harness: FleetHarness) -> FleetHarness:
    """Let time pass until the car charges."""
    for _ in range(9000):
        if harness.sent(START[harness.version]):
            return harness.run(1.0)
        harness.run(2.0)
    pytest.fail("nobody came")


@every_version
def test_a_charging_session_leaves_one_row_with_what_was_said(version: Version) -> None:
    harness = charging_now(charging_session(version).start())
    assert rows(harness) == []
    harness.run(60.0)
    row = one(harness)
    assert (row.station, row.ocpp, row.window) == ("PS000001", version, RAMP)
    assert (row.authorize, row.start, row.stop) == ("accepted", "accepted", "accepted")
    assert (row.start_sends, row.stop_sends, row.once) == (1, 1, True)
    assert (row.connector, row.evse) == (1, None if version is Version.V16 else 1)
    assert row.metered
    assert not row.cut
    assert not row.offline
    assert row.ending == "local"
    assert row.seconds == pytest.approx(35.0)
    assert row.to_start == pytest.approx(0.0)
    assert row.energy is not None
    assert row.energy > 0
    first, last = harness.sent(START[version])[0].payload, harness.sent(START[version])[-1].payload
    if version is Version.V16:
        last = harness.sent("StopTransaction")[0].payload
        assert (row.id, row.stop_id) == (4711, 4711)
        assert (row.meter_start, row.meter_stop) == (first["meterStart"], last["meterStop"])
        assert row.token == first["idTag"]
    else:
        assert row.id == first["transactionInfo"]["transactionId"]
        registers = [
            value["value"] for value in last["meterValue"][0]["sampledValue"] if "Energy" in value["measurand"]
        ]
        assert [row.meter_stop] == registers
    assert (row.start_time, row.stop_time) == (first["timestamp"], last["timestamp"])


def test_a_refused_token_leaves_a_row_without_a_transaction() -> None:
    harness = charging_session(answers={"Authorize": {"idTagInfo": NO}}).start()
    harness.run(11_000.0)
    row = rows(harness)[0]
    assert (row.authorize, row.start, row.stop, row.is_transaction, row.cut) == ("rejected", "", "", False, False)


@pytest.mark.parametrize("version", REFUSED)
def test_a_refused_start_is_ended_and_says_so(version: Version) -> None:
    harness = charging_now(charging_session(version, answers=REFUSED[version]).start()).run(60.0)
    row = one(harness)
    assert (row.start, row.stop, row.ending) == ("rejected", "accepted", "de-authorized")
    assert row.to_start is None


def test_every_sending_counts_and_the_id_is_the_one_of_the_last_answer() -> None:
    answers = iter([SILENT, {"transactionId": 12, "idTagInfo": {"status": "Accepted"}}])
    harness = charging_now(charging_session(answers={"StartTransaction": lambda _: next(answers)}).start())
    harness.run(30.0 + RETRY_INTERVAL + 60.0)
    row = one(harness)
    assert (row.start, row.start_sends, row.once, row.id, row.stop_id) == ("accepted", 2, False, 12, 12)


def test_an_answer_that_is_lost_counts_as_a_sending_and_what_was_never_sent_does_not() -> None:
    harness = charging_now(charging_session(answers={"StopTransaction": SILENT}).start())
    harness.run(40.0)
    harness.lose()
    harness.station.abort()
    row = one(harness)
    assert (row.stop, row.stop_sends) == ("lost", 1)
    assert row.id == 4711

    harness = charging_now(charging_session().start())
    harness.lose(refuse_with="refused")
    harness.run(60.0)
    harness.station.abort()
    row = one(harness)
    assert (row.stop, row.stop_sends, row.stop_time) == ("never-sent", 0, None)


def test_a_message_that_is_given_up_while_it_is_on_its_way_was_sent() -> None:
    harness = charging_now(charging_session(answers={"StopTransaction": SILENT}).start()).run(35.0)
    assert harness.sent("StopTransaction")
    harness.station.transaction_queue.close()
    row = one(harness.run(5.0))
    assert (row.stop, row.stop_sends) == ("lost", 1)


def test_a_transaction_that_begins_without_a_connection_says_so() -> None:
    harness = charging_session().start()
    harness.lose(refuse_with="refused")
    harness.run(11_000.0)
    harness.refuse_with = None
    harness.run(60.0)
    row = rows(harness)[0]
    assert (row.offline, row.authorize, row.start, row.stop) == (True, "", "accepted", "accepted")
    assert row.to_start is not None


@every_version
def test_a_charging_session_that_a_crash_ends_is_cut_and_open(version: Version) -> None:
    harness = charging_now(charging_session(version).start())
    harness.station.on_crash(RuntimeError("a mistake of ours"))
    row = one(harness)
    assert (row.start, row.stop, row.cut) == ("accepted", "", True)


def test_a_hard_reset_ends_the_transaction_and_its_row_comes_with_the_answer_after_it() -> None:
    harness = charging_now(charging_session().start())
    harness.station.reboot(Ending.HARD_RESET)
    assert rows(harness) == []
    harness.run(60.0)
    row = one(harness)
    assert (row.stop, row.ending, row.cut) == ("accepted", "hard-reset", True)


@every_version
def test_a_run_that_ends_leaves_a_row_for_whoever_is_there(version: Version) -> None:
    harness = charging_now(charging_session(version).start())
    harness.station.stop(lambda: None, 5.0)
    harness.run(10.0)
    row = one(harness)
    assert (row.start, row.stop, row.cut) == ("accepted", "accepted", True)
    harness.run(100.0)
    assert rows(harness) == []


@pytest.mark.parametrize("version", [Version.V16, Version.V201])
def test_a_start_by_the_csms_is_told_as_one(version: Version) -> None:
    harness = FleetHarness(version, charging(duration=35.0, gap=10_000.0)).start()
    if version is Version.V16:
        harness.command("RemoteStartTransaction", {"connectorId": 1, "idTag": "REMOTE1"})
    else:
        token = {"idToken": "REMOTE1", "type": "Central"}
        harness.command("RequestStartTransaction", {"evseId": 1, "idToken": token, "remoteStartId": 5})
    row = one(harness.run(60.0))
    assert (row.remote, row.token, row.authorize, row.start, row.metered) == (True, "REMOTE1", "", "accepted", True)
    assert row.to_start == pytest.approx(0.0)


class Weather:
    """A storm that does nothing but to come between station and CSMS, or not even that."""

    def __init__(self, *, comes_between: bool = True) -> None:
        self.comes_between = comes_between

    def __getattr__(self, name: str) -> Any:
        return lambda *_: None


def test_a_charging_session_is_in_a_storm_when_one_is_there_while_something_of_it_ends() -> None:
    harness = charging_now(charging_session().start())
    harness.station.storm = Weather()
    harness.run(5.0)
    harness.station.storm = None
    harness.run(60.0)
    assert not one(harness).storm
    for comes_between in (True, False):
        harness = charging_now(charging_session().start())
        harness.station.storm = Weather(comes_between=comes_between)
        harness.run(60.0)
        assert one(harness).storm is comes_between
