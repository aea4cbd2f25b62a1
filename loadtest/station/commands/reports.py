"""Reports of 2.x that come in parts: the device model (B07, B08) and what is known of a customer (N09, N10)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from types import MappingProxyType

from fixtures.device import REPORT_PART, Variable, device_model
from fixtures.payloads.v2x import notify_customer_information, notify_report, report_item
from loadtest.station.commands.common import Reaction, Request, parts_of
from loadtest.station.commands.settings import value_of
from loadtest.station.contract import Controls
from loadtest.station.state.connectors import token_2x
from loadtest.station.state.local_list import LocalList
from loadtest.station.state.store import peek

__all__ = ["customer_information", "get_base_report", "get_report", "is_asked_for"]

_SUMMARY = frozenset({"AvailabilityState", "Available", "Enabled", "Problem", "Tripped", "Overload", "Fallback"})
_BASES: Mapping[str, Callable[[Variable], bool]] = MappingProxyType(
    {
        "ConfigurationInventory": lambda variable: variable.mutability != "ReadOnly",
        "FullInventory": lambda _: True,
        "SummaryInventory": lambda variable: variable.name in _SUMMARY,
    }
)


def get_base_report(station: Controls, request: Request, _: Request) -> Reaction:
    """Report one of the three inventories (B07)."""
    wanted = _BASES[request["reportBase"]]
    return _report(station, request["requestId"], [v for v in device_model(station.individual) if wanted(v)])


def get_report(station: Controls, request: Request, _: Request) -> Reaction:
    """Report what fits the components, variables and criteria that are named (B08)."""
    model = device_model(station.individual)
    criteria, named = request.get("componentCriteria"), request.get("componentVariable")
    if criteria:
        model = tuple(variable for variable in model if _meets(station, model, variable, criteria))
    found = [variable for variable in model if not named or any(is_asked_for(variable, part) for part in named)]
    return _report(station, request["requestId"], found)


def is_asked_for(variable: Variable, part: Request) -> bool:
    """Return whether a ComponentVariableType means a variable; what it leaves out may be anything."""
    component, wanted = part["component"], part.get("variable")
    evse = component.get("evse")
    if component["name"].lower() != variable.component.lower() or "instance" in component:
        return False
    if evse is not None and (
        evse["id"] != variable.evse_id or evse.get("connectorId") not in (None, variable.connector_id)
    ):
        return False
    if wanted is None:
        return True
    return wanted["name"].lower() == variable.name.lower() and wanted.get("instance", "").lower() in (
        "",
        (variable.instance or "").lower(),
    )


def _meets(station: Controls, model: tuple[Variable, ...], variable: Variable, criteria: list[str]) -> bool:
    """Return whether a component is in one of the states; one that does not say so has no problem and works."""
    owner = variable.component, variable.evse_id, variable.connector_id
    states = {
        other.name: value_of(station, other)
        for other in model
        if other.name in criteria and (other.component, other.evse_id, other.connector_id) == owner
    }
    return any(states.get(word, "false" if word == "Problem" else "true") == "true" for word in criteria)


def _report(station: Controls, request_id: int, variables: list[Variable]) -> Reaction:
    if not variables:
        return Reaction("EmptyResultSet")
    return Reaction(then=partial(_send, station, request_id, variables))


def _send(station: Controls, request_id: int, variables: list[Variable]) -> None:
    now = station.context.clock()
    timestamp = station.context.timestamp(now)
    parts = parts_of([report_item(variable, value_of(station, variable)) for variable in variables], REPORT_PART)
    for number, part in enumerate(parts):
        more = True if number < len(parts) - 1 else None
        station.call("NotifyReport", notify_report(request_id, number, timestamp, part, tbc=more), now, triggered=True)


# -- customers ---------------------------------------------------------------------------------------------------------

_LONGEST_DATA = 512


def customer_information(station: Controls, request: Request, _: Request) -> Reaction:
    """Report or clear what the station keeps of one customer, which is at most an entry of its list (N09, N10)."""
    named = [name for name in ("idToken", "customerCertificate", "customerIdentifier") if name in request]
    if len(named) != 1:
        # OCPP 2.0.1 errata 2023-12, N09.FR.09.
        return Reaction("Invalid")
    if not request["report"] and not request["clear"]:
        return Reaction("Rejected")
    return Reaction(then=partial(_inform, station, request))


def _inform(station: Controls, request: Request) -> None:
    text = "No customer data found."
    kept, id_token = peek(station, LocalList), request.get("idToken", {})
    entry = kept.entries.get(token_2x(id_token)) if kept and id_token else None
    if entry is not None:
        text = f"Local authorization list: {id_token['idToken']}, {entry.status}, group {entry.parent or 'none'}."
    if not request["report"]:
        # Even then the CSMS hears that it is done (N10.FR.05).
        text = ""
    now = station.context.clock()
    timestamp = station.context.timestamp(now)
    parts = parts_of(text, _LONGEST_DATA)
    for number, part in enumerate(parts):
        more = True if number < len(parts) - 1 else None
        payload = notify_customer_information(request["requestId"], number, timestamp, str(part), tbc=more)
        station.call("NotifyCustomerInformation", payload, now, triggered=True)
