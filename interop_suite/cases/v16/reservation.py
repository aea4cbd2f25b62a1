"""Reservation: used, expired, refused for each reason, cancelled, and shared by a parent tag."""

from __future__ import annotations

import itertools
from typing import Any

from drivers.base import token_need, trigger_need
from interop_suite.catalogue import case
from interop_suite.claims.checks import answered, asked, noted, still_serves
from interop_suite.claims.claim import Level
from interop_suite.claims.clauses import Clause
from interop_suite.claims.expected import one_of, present
from interop_suite.drive.probe import Probe
from interop_suite.steps import v16 as steps
from interop_suite.steps.connections import heartbeat
from interop_suite.steps.v16 import ACCEPTED, CONNECTOR, STARTED, every_status_is_answered

BLOCK = "Reservation"
RESERVE = (token_need("Accepted"), trigger_need("ReserveNow"))
RESERVE_FIELDS = {
    "connectorId": one_of(CONNECTOR),
    "expiryDate": present(),
    "idTag": present(),
    "reservationId": present(),
}
WHOLE_STATION = 0

_reservation_ids = itertools.count(4711)


def _reserve(
    probe: Probe, token: str, answer: str = "Accepted", *, connector: int = CONNECTOR, parent: str | None = None
) -> int:
    """Have the CSMS reserve and return the reservationId that it used."""
    station = probe.station
    station.reply("ReserveNow", {"status": answer})
    request: dict[str, Any] = {
        "connectorId": connector,
        "expiryDate": steps.ago(minutes=-30),
        "idTag": token,
        "reservationId": next(_reservation_ids),
    }
    if parent is not None:
        request["parentIdTag"] = parent
    probe.command("ReserveNow", request)
    sent = station.expect("ReserveNow") or {}
    value = sent.get("reservationId")
    return value if isinstance(value, int) else int(request["reservationId"])


@case(
    id="TC_046_CSMS",
    ocpp="1.6",
    title="A reserved connector is used by the tag that reserved it",
    block=BLOCK,
    initiator="csms",
    needs=RESERVE,
    sends="Accepted to ReserveNow, StatusNotification Reserved, Authorize, StartTransaction with the reservationId.",
    expects="The CSMS SHALL send ReserveNow with connector, tag, expiry and id, and accept the session that uses it.",
    clause=Clause("1.6", "5.13"),
    defect="reserve-without-expiry",
    also=("start-with-reservation-refused",),
    checks=(
        asked("ReserveNow", RESERVE_FIELDS),
        every_status_is_answered,
        answered("Authorize", ACCEPTED),
        answered("StartTransaction", STARTED),
    ),
)
def reservation_used(probe: Probe) -> None:
    station, token = probe.station, probe.token()
    reservation = _reserve(probe, token)
    steps.status(station, "Reserved")
    steps.authorize(station, token)
    steps.status(station, "Preparing")
    steps.start_transaction(station, token, reservation_id=reservation)
    steps.status(station, "Charging")


@case(
    id="TC_047_CSMS",
    ocpp="1.6",
    title="A reservation runs out unused",
    block=BLOCK,
    initiator="csms",
    needs=RESERVE,
    sends="Accepted to ReserveNow, StatusNotification Reserved, and Available when its time is over.",
    expects="The CSMS SHALL send ReserveNow and answer both statuses.",
    clause=Clause("1.6", "5.13"),
    defect="available-after-reserved-refused",
    checks=(asked("ReserveNow", RESERVE_FIELDS), every_status_is_answered),
)
def reservation_expires(probe: Probe) -> None:
    _reserve(probe, probe.token())
    steps.status(probe.station, "Reserved")
    steps.status(probe.station, "Available")


def _refused(probe: Probe, answer: str) -> None:
    _reserve(probe, probe.token(), answer)
    heartbeat(probe.station)


@case(
    id="TC_048_1_CSMS",
    ocpp="1.6",
    title="A reservation is answered Faulted",
    block=BLOCK,
    initiator="csms",
    needs=RESERVE,
    sends="StatusNotification Faulted, the answer Faulted to ReserveNow, then a Heartbeat.",
    expects="The CSMS SHALL send ReserveNow, take the answer and go on serving.",
    clause=Clause("1.6", "5.13"),
    defect="closes-after-reservation-faulted",
    also=("connector-fault-refused",),
    checks=(asked("ReserveNow", RESERVE_FIELDS), every_status_is_answered, still_serves()),
)
def reservation_faulted(probe: Probe) -> None:
    steps.status(probe.station, "Faulted", error_code="GroundFailure")
    _refused(probe, "Faulted")


@case(
    id="TC_048_2_CSMS",
    ocpp="1.6",
    title="A reservation is answered Occupied",
    block=BLOCK,
    initiator="csms",
    needs=RESERVE,
    sends="StatusNotification Preparing, the answer Occupied to ReserveNow, then a Heartbeat.",
    expects="The CSMS SHALL send ReserveNow, take the answer and go on serving.",
    clause=Clause("1.6", "5.13"),
    defect="closes-after-reservation-occupied",
    checks=(asked("ReserveNow", RESERVE_FIELDS), every_status_is_answered, still_serves()),
)
def reservation_occupied(probe: Probe) -> None:
    steps.status(probe.station, "Preparing")
    _refused(probe, "Occupied")


@case(
    id="TC_048_3_CSMS",
    ocpp="1.6",
    title="A reservation is answered Unavailable after the CSMS took the connector out of service",
    block=BLOCK,
    initiator="csms",
    needs=(*RESERVE, trigger_need("ChangeAvailability")),
    sends="Accepted to ChangeAvailability, StatusNotification Unavailable, the answer Unavailable to ReserveNow.",
    expects="The CSMS SHALL send ChangeAvailability Inoperative and ReserveNow, and go on serving.",
    clause=Clause("1.6", "5.2"),
    defect="inoperative-sent-as-operative",
    checks=(
        asked("ChangeAvailability", {"connectorId": one_of(CONNECTOR), "type": one_of("Inoperative")}),
        asked("ReserveNow", RESERVE_FIELDS),
        every_status_is_answered,
        still_serves(),
    ),
)
def reservation_unavailable(probe: Probe) -> None:
    station = probe.station
    station.reply("ChangeAvailability", {"status": "Accepted"})
    probe.command("ChangeAvailability", {"connectorId": CONNECTOR, "type": "Inoperative"})
    steps.status(station, "Unavailable")
    _refused(probe, "Unavailable")


@case(
    id="TC_048_4_CSMS",
    ocpp="1.6",
    title="A reservation is answered Rejected",
    block=BLOCK,
    initiator="csms",
    needs=RESERVE,
    sends="The answer Rejected to ReserveNow, then a Heartbeat.",
    expects="The CSMS SHALL send ReserveNow, take the answer and go on serving.",
    clause=Clause("1.6", "5.13"),
    defect="closes-after-reservation-rejected",
    checks=(asked("ReserveNow", RESERVE_FIELDS), still_serves()),
)
def reservation_rejected(probe: Probe) -> None:
    _refused(probe, "Rejected")


@case(
    id="TC_049_CSMS",
    ocpp="1.6",
    title="The whole charge point is reserved, then used",
    block=BLOCK,
    initiator="csms",
    needs=RESERVE,
    sends="Accepted to ReserveNow for connector 0, StatusNotification Reserved, Authorize, StartTransaction.",
    expects="The CSMS SHALL send ReserveNow with connectorId 0 and accept the session that uses the reservation.",
    clause=Clause("1.6", "3.11"),
    defect="reserve-now-for-connector-one",
    also=("start-with-reservation-refused",),
    checks=(
        asked("ReserveNow", {**RESERVE_FIELDS, "connectorId": one_of(WHOLE_STATION)}),
        every_status_is_answered,
        answered("Authorize", ACCEPTED),
        answered("StartTransaction", STARTED),
    ),
)
def reservation_of_station(probe: Probe) -> None:
    station, token = probe.station, probe.token()
    reservation = _reserve(probe, token, connector=WHOLE_STATION)
    steps.status(station, "Reserved")
    steps.authorize(station, token)
    steps.start_transaction(station, token, reservation_id=reservation)
    steps.status(station, "Charging")


@case(
    id="TC_051_CSMS",
    ocpp="1.6",
    title="The operator cancels a reservation",
    block=BLOCK,
    initiator="csms",
    needs=(*RESERVE, trigger_need("CancelReservation")),
    sends="Accepted to ReserveNow, Reserved, Accepted to CancelReservation, Available.",
    expects="The CSMS SHALL send CancelReservation with the id of its reservation, and answer both statuses.",
    clause=Clause("1.6", "5.1"),
    defect="cancel-of-another-reservation",
    also=("available-after-reserved-refused",),
    checks=(
        asked("ReserveNow", RESERVE_FIELDS),
        asked("CancelReservation", {"reservationId": present()}),
        steps.same_reservation,
        every_status_is_answered,
    ),
)
def reservation_cancelled(probe: Probe) -> None:
    station = probe.station
    reservation = _reserve(probe, probe.token())
    steps.status(station, "Reserved")
    station.reply("CancelReservation", {"status": "Accepted"})
    probe.command("CancelReservation", {"reservationId": reservation})
    steps.status(station, "Available")


@case(
    id="TC_052_CSMS",
    ocpp="1.6",
    title="The station refuses to cancel a reservation",
    block=BLOCK,
    initiator="csms",
    needs=(*RESERVE, trigger_need("CancelReservation")),
    sends="Accepted to ReserveNow, Reserved, the answer Rejected to CancelReservation, then a Heartbeat.",
    expects="The CSMS SHALL send CancelReservation, take the answer and go on serving.",
    clause=Clause("1.6", "5.1"),
    defect="closes-after-cancel-rejected",
    checks=(
        asked("ReserveNow", RESERVE_FIELDS),
        asked("CancelReservation", {"reservationId": present()}),
        every_status_is_answered,
        still_serves(),
    ),
)
def cancel_refused(probe: Probe) -> None:
    station = probe.station
    reservation = _reserve(probe, probe.token())
    steps.status(station, "Reserved")
    station.reply("CancelReservation", {"status": "Rejected"})
    probe.command("CancelReservation", {"reservationId": reservation})
    heartbeat(station)


@case(
    id="TC_053_CSMS",
    ocpp="1.6",
    title="A reserved connector is used by another tag of the same parent",
    block=BLOCK,
    initiator="csms",
    needs=(*RESERVE, token_need("parent")),
    sends="Accepted to ReserveNow with a parentIdTag, Reserved, Authorize and StartTransaction with a sibling tag.",
    expects="The CSMS SHALL send the parentIdTag and accept the session; it should name it in the sibling's idTagInfo.",
    clause=Clause("1.6", "3.10"),
    defect="reserve-now-drops-parent",
    also=("start-with-reservation-refused",),
    checks=(
        asked("ReserveNow", {**RESERVE_FIELDS, "parentIdTag": present()}),
        answered("Authorize", ACCEPTED),
        answered(
            "Authorize",
            {"idTagInfo.parentIdTag": present()},
            level=Level.RECOMMENDED,
            claim="The CSMS names the parent of the sibling, so that the station can match it with the reservation",
        ),
        answered("StartTransaction", STARTED),
        every_status_is_answered,
    ),
)
def reservation_of_parent(probe: Probe) -> None:
    station = probe.station
    parent = probe.made_up_token()
    token, sibling = probe.token(parent=parent), probe.token(parent=parent)
    reservation = _reserve(probe, token, parent=parent)
    steps.status(station, "Reserved")
    steps.authorize(station, sibling)
    steps.status(station, "Preparing")
    steps.start_transaction(station, sibling, reservation_id=reservation)
    steps.status(station, "Charging")


@case(
    id="FLD_66",
    ocpp="1.6",
    title="The earlier of two reservations is cancelled",
    block="Field",
    profile=BLOCK,
    initiator="csms",
    needs=(*RESERVE, trigger_need("CancelReservation")),
    sends="Accepted to two reservations, at two connectors for two tags, and to the order to cancel the first.",
    expects="The CSMS SHALL name the reservation that its operator means, and not the latest.",
    clause=Clause("1.6", "5.1"),
    defect="cancel-of-newest-reservation",
    also=("cancel-of-another-reservation",),
    checks=(
        asked("ReserveNow"),
        asked("CancelReservation", {"reservationId": present()}),
        noted("cancelled", "The reservation that is cancelled is the one that was named"),
    ),
)
def earlier_reservation_cancelled(probe: Probe) -> None:
    station = probe.station
    for action in ("ReserveNow", "CancelReservation"):
        station.reply(action, {"status": "Accepted"})
    before = len(station.received("ReserveNow"))
    for number, token in enumerate((probe.token(), probe.another_token()), 1):
        order = {"connectorId": number, "expiryDate": steps.ago(minutes=-30), "idTag": token}
        probe.command("ReserveNow", {**order, "reservationId": 700 + number})
    numbers = [call.payload.get("reservationId") for call in station.received("ReserveNow")[before:]]
    if len(set(numbers)) < 2:  # noqa: PLR2004  # two reservations, which FLD_57 is about
        return
    probe.command("CancelReservation", {"reservationId": numbers[0]})
    # The one that fits the order best: a CSMS may tidy up older reservations of its own accord.
    cancelled = station.expect("CancelReservation")
    if cancelled is not None:
        told = cancelled.get("reservationId")
        station.note(cancelled=[told == numbers[0], f"{told}, where {numbers} were reserved"])
