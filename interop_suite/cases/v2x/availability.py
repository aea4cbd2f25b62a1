"""Availability: connectors, EVSEs and the station go out of service and come back, and sessions end first."""

from __future__ import annotations

from typing import Any

import msgspec

from drivers.base import token_need, trigger_need
from interop_suite.catalogue import case
from interop_suite.claims.checks import answered, asked, still_serves
from interop_suite.claims.clauses import Clause
from interop_suite.claims.expected import Expected, one_of
from interop_suite.drive.probe import Probe
from interop_suite.steps.charging import Charging
from interop_suite.steps.connections import heartbeat
from interop_suite.steps.courses import EVSE_OF_TWO, defects_of
from interop_suite.steps.transaction_events import AVAILABLE, ENDED_UNPLUGGED, POWER_OFF, STOP_SHOWN, answers_all
from interop_suite.steps.v2x import VERSIONS, notify_event, part6, starts_with_token, status, status_answered

BLOCK = "Availability"
PROFILE = "Core"
CONNECTORS = ((1, 1), (EVSE_OF_TWO, 1), (EVSE_OF_TWO, 2))
"""EVSE and connector of each connector of the station."""
EVSE_PLACE = {"id": EVSE_OF_TWO}
CONNECTOR_PLACE = {"id": EVSE_OF_TWO, "connectorId": 1}
SESSION_PLACE = (EVSE_OF_TWO, 1)
REPORTED = {"Inoperative": "Unavailable", "Operative": "Available"}
"""What a station reports of a connector once its availability has changed."""


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """One change of availability that the operator wants."""

    id: str
    title: str
    wanted: str
    place: dict[str, int] = {}
    """The EVSE, and maybe the connector; empty for the whole station."""
    busy: bool = False
    """Whether a session runs there, which ends first."""
    defect: str
    also: tuple[str, ...] = ()

    @property
    def connectors(self) -> list[tuple[int, int]]:
        """The connectors that it is about."""
        evse, connector = self.place.get("id"), self.place.get("connectorId")
        return [each for each in CONNECTORS if evse in (None, each[0]) and connector in (None, each[1])]


CHANGES = (
    Change(
        id="TC_G_03_CSMS",
        title="An EVSE goes out of service",
        wanted="Inoperative",
        place=EVSE_PLACE,
        defect="availability-drops-evse",
        also=("availability-of-first-connector",),
    ),
    Change(
        id="TC_G_04_CSMS",
        title="An EVSE comes back into service",
        wanted="Operative",
        place=EVSE_PLACE,
        defect="availability-always-inoperative",
        also=("availability-of-first-connector",),
    ),
    Change(
        id="TC_G_05_CSMS",
        title="The whole station goes out of service",
        wanted="Inoperative",
        defect="availability-of-first-evse",
    ),
    Change(
        id="TC_G_06_CSMS",
        title="The whole station comes back into service",
        wanted="Operative",
        defect="change-availability-lower-case",
        also=("availability-of-first-evse",),
    ),
    Change(
        id="TC_G_07_CSMS",
        title="A connector goes out of service",
        wanted="Inoperative",
        place=CONNECTOR_PLACE,
        defect="availability-swaps-evse-and-connector",
    ),
    Change(
        id="TC_G_08_CSMS",
        title="A connector comes back into service",
        wanted="Operative",
        place=CONNECTOR_PLACE,
        defect="availability-drops-connector",
    ),
    Change(
        id="TC_G_11_CSMS",
        title="An EVSE goes out of service when its session has ended",
        wanted="Inoperative",
        place=EVSE_PLACE,
        busy=True,
        defect="event-while-scheduled-refused",
        also=("availability-of-first-connector",),
    ),
    Change(
        id="TC_G_14_CSMS",
        title="The whole station goes out of service when the session has ended",
        wanted="Inoperative",
        busy=True,
        defect="event-while-scheduled-refused",
        also=("availability-of-first-evse",),
    ),
    Change(
        id="TC_G_17_CSMS",
        title="A connector goes out of service when its session has ended",
        wanted="Inoperative",
        place=CONNECTOR_PLACE,
        busy=True,
        defect="event-while-scheduled-refused",
    ),
)


def _expected(change: Change) -> dict[str, Expected]:
    place: dict[str, Expected] = {"evse": one_of(None)}
    if change.place:
        place = {"evse.id": one_of(EVSE_OF_TWO), "evse.connectorId": one_of(change.place.get("connectorId"))}
    return {"operationalStatus": one_of(change.wanted), **place}


def _report(probe: Probe, connectors: list[tuple[int, int]], value: str) -> None:
    for evse, connector in connectors:
        status(probe.station, value, evse=evse, connector=connector)


def _add(change: Change) -> None:
    order: dict[str, Any] = {"operationalStatus": change.wanted, **({"evse": change.place} if change.place else {})}
    answer, after = ("Scheduled", ", the end of the session") if change.busy else ("Accepted", "")
    session = (answers_all, starts_with_token("Accepted")) if change.busy else ()
    tokens = (token_need("Accepted"),) if change.busy else ()
    events = defects_of((STOP_SHOWN, POWER_OFF, ENDED_UNPLUGGED)) if change.busy else ()

    @case(
        id=change.id,
        ocpp=VERSIONS,
        title=change.title,
        block=BLOCK,
        profile=PROFILE,
        initiator="csms",
        needs=(trigger_need("ChangeAvailability"), *tokens),
        sends=f"{answer} to ChangeAvailability{after}, and the new status of each connector; then a Heartbeat.",
        expects="The CSMS SHALL send ChangeAvailability for what its operator named, and answer what comes of it.",
        clause=part6(change.id),
        defect=change.defect,
        also=(*change.also, *events),
        checks=(asked("ChangeAvailability", _expected(change)), *session, status_answered, still_serves()),
    )
    def script(probe: Probe) -> None:
        station = probe.station
        if change.wanted == "Operative":
            _report(probe, change.connectors, "Unavailable")
        evse, connector = SESSION_PLACE
        charging = Charging(station, probe.token() if change.busy else "", connector=evse, plug=connector)
        if change.busy:
            status(station, "Occupied", evse=evse, connector=connector)
            charging.begin()
        station.reply("ChangeAvailability", {"status": answer})
        probe.command("ChangeAvailability", order)
        if change.busy:
            _report(probe, [] if change.place else [each for each in CONNECTORS if each[0] != evse], "Unavailable")
            for step in (STOP_SHOWN, POWER_OFF, AVAILABLE, ENDED_UNPLUGGED):
                step.send(charging)
        _report(probe, change.connectors, REPORTED[change.wanted])
        heartbeat(station)


for _change in CHANGES:
    _add(_change)


@case(
    id="TC_G_01_CSMS",
    ocpp="2.1",
    title="The status of every connector is answered",
    block=BLOCK,
    profile=PROFILE,
    sends="StatusNotification Occupied, Available, Unavailable and Faulted of each connector of both EVSEs.",
    expects="The CSMS SHALL answer every StatusNotification.",
    clause=Clause("201-6", "G01.FR.01"),
    defect="second-connector-refused",
    checks=(status_answered,),
)
def connector_status(probe: Probe) -> None:
    for value in ("Occupied", "Available", "Unavailable", "Faulted", "Available"):
        _report(probe, list(CONNECTORS), value)


@case(
    id="TC_G_20_CSMS",
    ocpp=VERSIONS,
    title="A lock that fails is reported and acknowledged",
    block=BLOCK,
    profile=PROFILE,
    sends="NotifyEvent for the problem of a connector's lock.",
    expects="The CSMS SHALL answer it.",
    clause=part6("G05.FR.03"),
    defect="notify-event-refused",
    checks=(answered("NotifyEvent"),),
)
def lock_failure(probe: Probe) -> None:
    notify_event(probe.station, "ConnectorPlugRetentionLock", "Problem", "true", trigger="Delta")
