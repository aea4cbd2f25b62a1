"""What 2.x stations do in more than one case, in the words of the charger."""

from __future__ import annotations

import itertools
from typing import Any

from fixtures.device import Variable
from fixtures.payloads import v2x
from interop_suite.claims.checks import answered
from interop_suite.claims.claim import Check
from interop_suite.claims.clauses import Clause
from interop_suite.claims.exchange import Exchange
from interop_suite.claims.expected import Expected, one_of, present
from interop_suite.drive.answers import Answer
from interop_suite.drive.probe import now
from interop_suite.drive.station import ScriptedStation
from interop_suite.steps.charging import meter_value

__all__ = [
    "ACCEPTED",
    "EVSE",
    "VERSIONS",
    "event_answered",
    "event_id",
    "meter_values",
    "notify_event",
    "part6",
    "report_connector",
    "starts_with_token",
    "status",
    "status_answered",
]

VERSIONS = ("2.0.1", "2.1")
EVSE = 1
_EVENT_IDS = itertools.count(10_001)
ACCEPTED: dict[str, Expected] = {"idTokenInfo.status": one_of("Accepted")}

status_answered = answered("StatusNotification", claim="The CSMS answers every StatusNotification")
event_answered = answered("NotifyEvent", claim="The CSMS answers every NotifyEvent")


def part6(number: str) -> Clause:
    """Cite a requirement or a test case of OCPP 2.0.1 Part 6."""
    return Clause("201-6", number)


def status(station: ScriptedStation, value: str, *, evse: int = EVSE, connector: int = 1) -> Answer:
    """Send StatusNotification."""
    return station.call("StatusNotification", v2x.status_notification(evse, connector, value, now()))


def meter_values(station: ScriptedStation, *, evse: int = EVSE) -> Answer:
    """Send MeterValues outside any transaction."""
    return station.call("MeterValues", v2x.meter_values(evse, [meter_value(1000, "Sample.Clock")]))


def event_id() -> int:
    """Get the number of a new event; a CSMS may keep the events of a station by it, so no two are the same."""
    return next(_EVENT_IDS)


def notify_event(station: ScriptedStation, component: str, variable: str, value: str, **more: Any) -> Answer:
    """Send NotifyEvent about one variable of the EVSE."""
    about = Variable(component, variable, value, evse_id=EVSE, connector_id=1)
    event = v2x.event_data(event_id(), now(), about, value, **more)
    return station.call("NotifyEvent", v2x.notify_event(0, now(), [event]))


def report_connector(station: ScriptedStation, value: str, *, evse: int, connector: int = 1) -> None:
    """Send a connector's status in both ways that 2.x has: StatusNotification, and NotifyEvent of AvailabilityState."""
    status(station, value, evse=evse, connector=connector)
    about = Variable("Connector", "AvailabilityState", value, evse_id=evse, connector_id=connector)
    event = v2x.event_data(event_id(), now(), about, value, trigger="Delta")
    station.call("NotifyEvent", v2x.notify_event(0, now(), [event]))


def _has_token(call: Exchange) -> bool:
    return "idToken" in call.payload


WORTH = Clause("201-E", "2.14.2")
"""Whoever sends a token in a TransactionEvent is told what it is worth."""


def starts_with_token(*statuses: str) -> Check:
    """Claim that the answer to each TransactionEvent with a token says what the token is worth."""
    fields = {"idTokenInfo.status": one_of(*statuses) if statuses else present()}
    claim = "The answer to an event with a token says what the token is worth"
    return answered("TransactionEvent", fields, when=_has_token, claim=claim, clause=WORTH)
