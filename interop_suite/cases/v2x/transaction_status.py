"""GetTransactionStatus: the operator asks what became of a session, and what is still queued."""

from __future__ import annotations

from typing import Any

from drivers.base import token_need, trigger_need
from interop_suite.catalogue import case
from interop_suite.claims.checks import asked, noted, still_serves
from interop_suite.claims.claim import Check
from interop_suite.claims.expected import one_of, present
from interop_suite.drive.probe import Probe
from interop_suite.steps.charging import Charging, meter_value
from interop_suite.steps.connections import heartbeat
from interop_suite.steps.courses import EVSE_OF_TWO
from interop_suite.steps.transaction_events import answers_all
from interop_suite.steps.v2x import EVSE, VERSIONS, part6, starts_with_token

BLOCK = "Transactions"
PROFILE = "Core"
ACTION = "GetTransactionStatus"
NEEDS = (token_need("Accepted"), trigger_need(ACTION))
names_it: tuple[Check, ...] = (
    asked(ACTION, {"transactionId": present()}),
    noted("status_of", f"{ACTION} names the session that the operator named"),
)
names_none = (asked(ACTION, {"transactionId": one_of(None)}),)
TOKEN_DEFECTS = ("event-without-token-info",)
session = (answers_all, starts_with_token("Accepted"))


def _sessions(probe: Probe) -> tuple[Charging, Charging]:
    """Begin two sessions; the cases ask for the older one."""
    older = Charging(probe.station, probe.token(), connector=EVSE_OF_TWO)
    newer = Charging(probe.station, probe.another_token(), connector=EVSE)
    older.begin(1000)
    newer.begin(5000, **_token_of(newer, older))
    return older, newer


def _token_of(newer: Charging, older: Charging) -> dict[str, Any]:
    """Leave out the token of a session that there is no second token for: a CSMS may refuse it (ConcurrentTx)."""
    return {"token": None} if newer.token == older.token else {}


def _ask(probe: Probe, about: Charging | None, *, queued: bool, ongoing: bool = True) -> None:
    """Have the operator ask for one session, or for the station as a whole."""
    station = probe.station
    answer: dict[str, Any] = {"messagesInQueue": queued}
    station.reply(ACTION, answer if about is None else {**answer, "ongoingIndicator": ongoing})
    probe.command(ACTION, {} if about is None else {"transactionId": str(about.id)})
    request = station.expect(ACTION)
    if request is not None and about is not None:
        named = request.get("transactionId")
        station.note(status_of=[named == about.id, named])


def _away(probe: Probe) -> None:
    """Lose the connection for a moment."""
    probe.station.drop()
    probe.reconnect(probe.station)


def _late_reading(charging: Charging) -> None:
    reading = [meter_value(1700, "Sample.Periodic")]
    charging.event("Updated", "MeterValuePeriodic", charging_state="Charging", offline=True, meter_value=reading)


@case(
    id="TC_E_29_CSMS",
    ocpp=VERSIONS,
    title="The status of a session that runs, with events queued",
    block=BLOCK,
    profile=PROFILE,
    initiator="csms",
    needs=NEEDS,
    sends="After a lost connection: ongoing and queued to GetTransactionStatus, and the event that was queued.",
    expects="The CSMS SHALL send GetTransactionStatus with the id of the session, and answer the late event.",
    clause=part6("E14.FR.04"),
    defect="transaction-status-of-newest",
    also=(*TOKEN_DEFECTS, "offline-event-refused"),
    checks=(*names_it, *session),
)
def running_with_queue(probe: Probe) -> None:
    older, _ = _sessions(probe)
    _away(probe)
    _ask(probe, older, queued=True)
    _late_reading(older)


@case(
    id="TC_E_30_CSMS",
    ocpp=VERSIONS,
    title="The status of a session that runs, with nothing queued",
    block=BLOCK,
    profile=PROFILE,
    initiator="csms",
    needs=NEEDS,
    sends="Two sessions, and ongoing and not queued to GetTransactionStatus for each; then a Heartbeat.",
    expects="The CSMS SHALL send GetTransactionStatus with the id of the session, take the answer and go on.",
    clause=part6("E14.FR.05"),
    defect="transaction-status-without-id",
    also=(*TOKEN_DEFECTS, "transaction-status-of-newest", "transaction-status-of-oldest"),
    checks=(*names_it, *session, still_serves()),
)
def running(probe: Probe) -> None:
    for charging in _sessions(probe):
        _ask(probe, charging, queued=False)
    heartbeat(probe.station)


@case(
    id="TC_E_31_CSMS",
    ocpp=VERSIONS,
    title="The status of a session that has ended, with events queued that are older than its end",
    block=BLOCK,
    profile=PROFILE,
    initiator="csms",
    needs=NEEDS,
    sends="After a lost connection: the end, ended and queued to GetTransactionStatus, and two events before the end.",
    expects="The CSMS SHALL send GetTransactionStatus with the id of the session, and answer the late events.",
    clause=part6("E14.FR.03"),
    defect="event-after-end-refused",
    also=(
        *TOKEN_DEFECTS,
        "token-info-only-when-authorized",
        "transaction-status-of-newest",
        "offline-event-refused",
        "event-out-of-order-refused",
    ),
    checks=(*names_it, *session),
)
def ended_with_queue(probe: Probe) -> None:
    older, _ = _sessions(probe)
    _away(probe)
    first = older.events
    older.end(2500, seq_no=first + 2, offline=True, charging_state="Idle")
    _ask(probe, older, queued=True, ongoing=False)
    token = older.identified()
    older.event("Updated", "StopAuthorized", seq_no=first, offline=True, token=token)
    older.event("Updated", "ChargingStateChanged", seq_no=first + 1, offline=True, charging_state="EVConnected")


@case(
    id="TC_E_33_CSMS",
    ocpp=VERSIONS,
    title="The status of the station as a whole, with events queued",
    block=BLOCK,
    profile=PROFILE,
    initiator="csms",
    needs=NEEDS,
    sends="After a lost connection: queued to GetTransactionStatus, and the event that was queued.",
    expects="The CSMS SHALL send GetTransactionStatus without an id, and answer the late event.",
    clause=part6("E14.FR.07"),
    defect="transaction-status-always-with-id",
    also=(*TOKEN_DEFECTS, "offline-event-refused"),
    checks=(*names_none, *session),
)
def whole_station_with_queue(probe: Probe) -> None:
    older, _ = _sessions(probe)
    _away(probe)
    _ask(probe, None, queued=True)
    _late_reading(older)


@case(
    id="TC_E_34_CSMS",
    ocpp=VERSIONS,
    title="The status of the station as a whole, with nothing queued",
    block=BLOCK,
    profile=PROFILE,
    initiator="csms",
    needs=NEEDS,
    sends="Two sessions that end, and not queued to GetTransactionStatus; then a Heartbeat.",
    expects="The CSMS SHALL send GetTransactionStatus without an id, take the answer and go on.",
    clause=part6("E14.FR.08"),
    defect="transaction-status-always-with-id",
    also=(*TOKEN_DEFECTS, "token-info-only-when-authorized"),
    checks=(*names_none, *session, still_serves()),
)
def whole_station(probe: Probe) -> None:
    older, newer = _sessions(probe)
    newer.end(**_token_of(newer, older))
    older.end()
    _ask(probe, None, queued=False)
    heartbeat(probe.station)
