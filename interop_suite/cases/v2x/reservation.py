"""Reservations: each reaches the station as the operator made it, is used, cancelled, or comes to nothing."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from drivers.base import token_need, trigger_need
from fixtures.payloads import v2x
from interop_suite.catalogue import case
from interop_suite.claims.checks import answered, asked, noted, still_serves
from interop_suite.claims.claim import Check
from interop_suite.claims.clauses import Clause
from interop_suite.claims.expected import Expected, one_of, present
from interop_suite.drive.probe import Probe
from interop_suite.steps.charging import Charging, authorize
from interop_suite.steps.connections import heartbeat
from interop_suite.steps.courses import EVSE_OF_TWO
from interop_suite.steps.transaction_events import CHARGING, answers_all
from interop_suite.steps.v2x import ACCEPTED, EVSE, VERSIONS, starts_with_token, status, status_answered

BLOCK = "Reservation"
PROFILE = "Reservation"
RESERVE = (token_need("Accepted"), trigger_need("ReserveNow"))
CABLE = "cType2"
"""The type of the one connector that is a cable: the second of the second EVSE."""
TOKEN_FIELDS: dict[str, Expected] = {
    "id": present(),
    "expiryDateTime": present(),
    "idToken.idToken": present(),
    "idToken.type": present(),
}
update_answered = answered("ReservationStatusUpdate", claim="The CSMS answers ReservationStatusUpdate")
accepts_token = answered("Authorize", ACCEPTED)


def errata(number: str) -> Clause:
    """Cite a requirement of block H that the errata of OCPP 2.0.1 repeat."""
    return Clause("201-E", number)


def _asked(**fields: Expected) -> Check:
    return asked("ReserveNow", {**TOKEN_FIELDS, **fields})


def _reserve(probe: Probe, token: str, number: int, *, answer: str = "Accepted", **more: Any) -> int | None:
    """Have the operator reserve; gives the id that the CSMS chose, None where it sent nothing."""
    station = probe.station
    earlier = len(station.received("ReserveNow"))
    until = datetime.now(UTC) + timedelta(minutes=90 + number)
    order = {
        "id": number,
        "expiryDateTime": until.isoformat(timespec="seconds").replace("+00:00", "Z"),
        "idToken": {"idToken": token, "type": "ISO14443"},
        **more,
    }
    station.reply("ReserveNow", {"status": answer})
    probe.command("ReserveNow", order)
    request = station.expect("ReserveNow", after=earlier)
    found = None if request is None else request.get("id")
    return found if isinstance(found, int) else None


def _report(probe: Probe, value: str, *evses: int) -> None:
    """Tell the status of every connector of some EVSEs: a reservation takes all of them (H01.FR.23)."""
    for connector in probe.station.model.connectors:
        if connector.evse_id in evses:
            status(probe.station, value, evse=connector.evse_id, connector=connector.connector_id)


def _use(probe: Probe, token: str, reservation: int, *, evse: int, plug: int = 1) -> None:
    """Charge on a reservation."""
    authorize(probe.station, token)
    charging = Charging(probe.station, token, connector=evse, plug=plug)
    charging.begin(reservation_id=reservation)
    CHARGING.send(charging)


USED = (accepts_token, answers_all, starts_with_token("Accepted"))


@case(
    id="TC_H_01_CSMS",
    ocpp=VERSIONS,
    title="One EVSE is reserved and used",
    block=BLOCK,
    profile=PROFILE,
    initiator="csms",
    needs=RESERVE,
    sends="Accepted to ReserveNow, Reserved for each connector of the EVSE, and a session with the reservationId.",
    expects="The CSMS SHALL send ReserveNow with EVSE, token and expiry, and answer what comes of it.",
    clause=errata("H01.FR.23"),
    defect="reserve-another-evse",
    also=("event-without-token-info",),
    checks=(_asked(evseId=one_of(EVSE_OF_TWO), connectorType=one_of(None)), status_answered, *USED),
)
def one_evse(probe: Probe) -> None:
    token = probe.token()
    reservation = _reserve(probe, token, 31, evseId=EVSE_OF_TWO)
    if reservation is not None:
        _report(probe, "Reserved", EVSE_OF_TWO)
        _use(probe, token, reservation, evse=EVSE_OF_TWO)


@case(
    id="TC_H_07_CSMS",
    ocpp=VERSIONS,
    title="A reservation expires unused",
    block=BLOCK,
    profile=PROFILE,
    initiator="csms",
    needs=RESERVE,
    sends="Accepted to ReserveNow, Reserved, ReservationStatusUpdate Expired, Available.",
    expects="The CSMS SHALL send ReserveNow with a time of expiry, and answer the update and every status.",
    clause=errata("H01.FR.23"),
    defect="expired-reservation-refused",
    also=("reserve-another-evse", "own-feature-not-supported"),
    checks=(_asked(evseId=one_of(EVSE_OF_TWO)), status_answered, update_answered),
)
def expired(probe: Probe) -> None:
    _lost(probe, "Expired", "Available", 32)


@case(
    id="TC_H_20_CSMS",
    ocpp=VERSIONS,
    title="The station drops a reservation when the EVSE has a fault",
    block=BLOCK,
    profile=PROFILE,
    initiator="csms",
    needs=RESERVE,
    sends="Accepted to ReserveNow, Reserved, Faulted, ReservationStatusUpdate Removed.",
    expects="The CSMS SHALL send ReserveNow, and answer the update and every status.",
    clause=errata("H01.FR.23"),
    defect="removed-reservation-refused",
    also=("reserve-another-evse", "own-feature-not-supported"),
    checks=(_asked(evseId=one_of(EVSE_OF_TWO)), status_answered, update_answered),
)
def faulted(probe: Probe) -> None:
    _lost(probe, "Removed", "Faulted", 33)


def _lost(probe: Probe, update: str, becomes: str, number: int) -> None:
    """Reserve an EVSE, and tell that it came to nothing."""
    reservation = _reserve(probe, probe.token(), number, evseId=EVSE_OF_TWO)
    if reservation is not None:
        _report(probe, "Reserved", EVSE_OF_TWO)
        probe.station.call("ReservationStatusUpdate", v2x.reservation_status_update(reservation, update))
        _report(probe, becomes, EVSE_OF_TWO)


@case(
    id="TC_H_08_CSMS",
    ocpp=VERSIONS,
    title="Any EVSE is reserved and used",
    block=BLOCK,
    profile=PROFILE,
    initiator="csms",
    needs=RESERVE,
    sends="Accepted to ReserveNow without an EVSE, and a session with the reservationId.",
    expects="The CSMS SHALL send ReserveNow without evseId, and answer what comes of it.",
    clause=errata("H01.FR.04"),
    defect="reserve-first-evse",
    also=("event-without-token-info",),
    checks=(_asked(evseId=one_of(None)), *USED),
)
def any_evse(probe: Probe) -> None:
    token = probe.token()
    reservation = _reserve(probe, token, 34)
    if reservation is not None:
        _use(probe, token, reservation, evse=EVSE)


@case(
    id="TC_H_14_CSMS",
    ocpp=VERSIONS,
    title="As many EVSEs are reserved as there are",
    block=BLOCK,
    profile=PROFILE,
    initiator="csms",
    needs=RESERVE,
    sends="Accepted to two ReserveNow without an EVSE, then Reserved for every connector.",
    expects="The CSMS SHALL send both, each with an id of its own, and answer every status.",
    clause=errata("H01.FR.20"),
    defect="reserve-with-one-id",
    also=("reserve-first-evse", "reservation-id-constant"),
    checks=(
        _asked(evseId=one_of(None)),
        noted("reservation_ids", "Two reservations of one station have different ids"),
        status_answered,
    ),
)
def every_evse(probe: Probe) -> None:
    first = _reserve(probe, probe.token(), 35)
    second = _reserve(probe, probe.another_token(), 36)
    if first is not None and second is not None:
        probe.station.note(reservation_ids=[first != second, [first, second]])
        _report(probe, "Reserved", EVSE, EVSE_OF_TWO)


@case(
    id="TC_H_15_CSMS",
    ocpp=VERSIONS,
    title="A connector of some type is reserved and used",
    block=BLOCK,
    profile=PROFILE,
    initiator="csms",
    needs=RESERVE,
    sends="Accepted to ReserveNow for a type of connector, Reserved, and a session with the reservationId.",
    expects="The CSMS SHALL send ReserveNow with connectorType and without evseId, and answer what comes of it.",
    clause=errata("H01.FR.06"),
    defect="reserve-drops-connector-type",
    also=("reserve-first-evse", "event-without-token-info"),
    checks=(_asked(evseId=one_of(None), connectorType=one_of(CABLE)), status_answered, *USED),
)
def connector_type(probe: Probe) -> None:
    token = probe.token()
    reservation = _reserve(probe, token, 37, connectorType=CABLE)
    if reservation is not None:
        _report(probe, "Reserved", EVSE_OF_TWO)
        _use(probe, token, reservation, evse=EVSE_OF_TWO, plug=2)


@case(
    id="TC_H_17_CSMS",
    ocpp=VERSIONS,
    title="One of two reservations is cancelled",
    block=BLOCK,
    profile=PROFILE,
    initiator="csms",
    needs=(*RESERVE, trigger_need("CancelReservation")),
    sends="Accepted to ReserveNow for both EVSEs and to CancelReservation for the first, and Available.",
    expects="The CSMS SHALL send CancelReservation with the id of the reservation that its operator named.",
    clause=errata("H01.FR.23"),
    defect="cancel-of-newest-reservation",
    also=("reserve-another-evse", "reserve-with-one-id", "reservation-id-constant"),
    checks=(
        _asked(evseId=one_of(EVSE_OF_TWO)),
        asked("CancelReservation", {"reservationId": present()}),
        noted("cancelled", "CancelReservation names the reservation that the operator named"),
        status_answered,
    ),
)
def cancelled(probe: Probe) -> None:
    station = probe.station
    first = _reserve(probe, probe.token(), 38, evseId=EVSE_OF_TWO)
    second = _reserve(probe, probe.another_token(), 39, evseId=EVSE)
    if first is None or second is None:
        return
    _report(probe, "Reserved", EVSE, EVSE_OF_TWO)
    station.reply("CancelReservation", {"status": "Accepted"})
    probe.command("CancelReservation", {"reservationId": first})
    request = station.expect("CancelReservation")
    if request is not None:
        named = request.get("reservationId")
        station.note(cancelled=[named == first != second, [first, second, named]])
        _report(probe, "Available", EVSE_OF_TWO)


@case(
    id="TC_H_19_CSMS",
    ocpp=VERSIONS,
    title="An EVSE is reserved for a group, and another token of the group uses it",
    block=BLOCK,
    profile=PROFILE,
    initiator="csms",
    needs=(*RESERVE, token_need("parent")),
    sends="Accepted to ReserveNow with a group, Reserved, and a session of another token of that group.",
    expects="The CSMS SHALL send ReserveNow with the token and its group, and answer what comes of it.",
    clause=errata("H03.FR.07"),
    defect="reserve-drops-group",
    also=("reserve-another-evse", "event-without-token-info"),
    checks=(
        _asked(**{"evseId": one_of(EVSE_OF_TWO), "groupIdToken.idToken": present()}),
        status_answered,
        *USED,
    ),
)
def group(probe: Probe) -> None:
    parent = probe.made_up_token()
    token, sibling = probe.token(parent=parent), probe.token(parent=parent)
    members = {"idToken": parent, "type": "ISO14443"}
    reservation = _reserve(probe, token, 40, evseId=EVSE_OF_TWO, groupIdToken=members)
    if reservation is not None:
        _report(probe, "Reserved", EVSE_OF_TWO)
        _use(probe, sibling, reservation, evse=EVSE_OF_TWO)


@case(
    id="TC_H_22_CSMS",
    ocpp=VERSIONS,
    title="The station takes no reservations",
    block=BLOCK,
    profile=PROFILE,
    initiator="csms",
    needs=RESERVE,
    sends="Rejected to ReserveNow, then a Heartbeat.",
    expects="The CSMS SHALL send ReserveNow, take the answer and go on.",
    clause=errata("H01.FR.23"),
    defect="closes-after-reserve-rejected",
    also=("reserve-another-evse",),
    checks=(_asked(evseId=one_of(EVSE_OF_TWO)), still_serves()),
)
def rejected(probe: Probe) -> None:
    _reserve(probe, probe.token(), 41, answer="Rejected", evseId=EVSE_OF_TWO)
    heartbeat(probe.station)
