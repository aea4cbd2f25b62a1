"""What a CSMS can make a station do: the answer of a good station, and where the station really acts, its deeds.

The answer is written before the deed begins, as TriggerMessage demands (OCPP 1.6 §5.17, 2.x F06).
"""

from __future__ import annotations

from functools import partial
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple

from fixtures.answers import answer as plausible_answer
from loadtest.station.dialect import Ending, Trigger
from loadtest.station.visit import Phase, Visit
from ocppj.actions import csms_actions
from ocppj.errors import Fault, RemoteProtocolError
from ocppj.outcomes import Outcome, is_accepted
from ocppj.registration import REGISTRATION
from ocppj.schemas import validator
from ocppj.versions import ErrorMeaning, Version

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from loadtest.station.station import Station
    from loadtest.station.visit import Outlet
    from ocppj.messages import Call

__all__ = ["Reply", "respond"]

Request = dict[str, Any]


class Reply(NamedTuple):
    """What to say, and what to do once it is said; `payload` None means a CALLERROR."""

    outcome: str
    payload: Request | None = None
    code: str = ""
    description: str = ""
    then: Callable[[], object] | None = None


class _Deed(NamedTuple):
    """What changes in the plausible answer, and what is to be done; None: nothing."""

    status: str | None = None
    then: Callable[[], object] | None = None


_ERRORS = MappingProxyType({Fault.BAD_ACTION: ErrorMeaning.UNKNOWN_ACTION, Fault.BAD_PAYLOAD: ErrorMeaning.FORMAT})
# What a schema says was wrong, as the error that a receiver names; anything else is an invalid value.
_KEYWORDS = MappingProxyType(
    {
        "additionalProperties": ErrorMeaning.FORMAT,
        "maxItems": ErrorMeaning.OCCURRENCE,
        "minItems": ErrorMeaning.OCCURRENCE,
        "required": ErrorMeaning.OCCURRENCE,
        "type": ErrorMeaning.TYPE,
    }
)
_COMMANDS = MappingProxyType({version: frozenset(csms_actions(version)) for version in Version})


def respond(station: Station, call: Call) -> Reply:
    """Answer a CALL of the CSMS; never raises for what is in it."""
    rules = station.dialect.rules
    permission = REGISTRATION[station.version][station.registration]
    if permission.csms_forbidden is None:
        # OCPP 2.0.1 errata 2023-12, B03.FR.08.
        return _refusal(rules.code(ErrorMeaning.SECURITY), "The station is not registered.")
    request = call.payload or {}
    if call.action in _COMMANDS[station.version]:
        errors = validator(station.version, call.action, "request").errors(request)
        if errors:
            meaning = _KEYWORDS.get(errors[0].keyword, ErrorMeaning.PROPERTY)
            return _refusal(rules.code(meaning), f"{errors[0].path or '/'}: {errors[0].message}")
    now = station.fleet.timestamp(station.fleet.clock())
    try:
        payload = plausible_answer(station.version, call.action, request, station.individual, now=now)
    except RemoteProtocolError as error:
        return _refusal(rules.code(_ERRORS.get(error.fault, ErrorMeaning.GENERIC)), error.reason)
    if call.action in permission.csms_forbidden:
        return Reply(Outcome.REJECTED, payload | {"status": "Rejected"})
    maker = _DEEDS[station.version].get(call.action)
    deed = maker(station, request, payload) if maker is not None and is_accepted(payload) else _Deed()
    if deed.status is not None:
        payload = payload | {"status": deed.status}
    return Reply(Outcome.ACCEPTED if is_accepted(payload) else Outcome.REJECTED, payload, then=deed.then)


def _refusal(code: str, description: str) -> Reply:
    return Reply(f"{Outcome.CALLERROR}:{code}", code=code, description=description[:255])


# -- transactions ------------------------------------------------------------------------------------------------------


def _free_outlet(outlets: Iterable[Outlet]) -> Outlet | None:
    for outlet in outlets:
        evse = outlet.place.evse_id
        others = (other for other in outlet.station.outlets if other.place.evse_id == evse)
        if outlet.operative and not any(other.visit for other in others):
            return outlet
    return None


def _start(station: Station, outlets: Iterable[Outlet], token: str, kind: str, number: int | None) -> _Deed:
    outlet = _free_outlet(outlets)
    if outlet is None:
        return _Deed("Rejected")
    return _Deed(then=partial(_begin, station, outlet, token, kind, number))


def _begin(station: Station, outlet: Outlet, token: str, kind: str, number: int | None) -> None:
    now = station.fleet.clock()
    until = now + (station.profile.stay(station.draws) or _ENDLESS)
    if outlet.visit is None:
        Visit(outlet, token, kind).begin_remote(now, until, number)


_ENDLESS = 24 * 3600.0
"""Seconds until a driver leaves for whom no profile sets a time."""


def _remote_start_16(station: Station, request: Request, _: Request) -> _Deed:
    wanted = request.get("connectorId")
    outlets = [outlet for outlet in station.outlets if wanted is None or outlet.place.number == wanted]
    return _start(station, outlets, request["idTag"], "ISO14443", None)


def _request_start(station: Station, request: Request, _: Request) -> _Deed:
    wanted, id_token = request.get("evseId"), request["idToken"]
    outlets = [outlet for outlet in station.outlets if wanted is None or outlet.place.evse_id == wanted]
    return _start(station, outlets, id_token["idToken"], id_token["type"], request["remoteStartId"])


def _remote_stop(station: Station, request: Request, _: Request) -> _Deed:
    for visit in _charging(station):
        if visit.transaction_id == request["transactionId"]:
            return _Deed(then=partial(_stop, visit, Ending.REMOTE))
    return _Deed("Rejected")


def _stop(visit: Visit, ending: Ending) -> None:
    visit.stop(ending, visit.fleet.clock())


def _charging(station: Station) -> list[Visit]:
    visits = [outlet.visit for outlet in station.outlets]
    return [visit for visit in visits if visit is not None and visit.phase is Phase.CHARGING]


def _transaction_status(station: Station, request: Request, answer: Request) -> _Deed:
    answer["messagesInQueue"] = station.messages_waiting > 0
    if "ongoingIndicator" in answer:
        wanted = request["transactionId"]
        answer["ongoingIndicator"] = any(visit.transaction_id == wanted for visit in _charging(station))
    return _Deed()


def _unlock_16(station: Station, request: Request, _: Request) -> _Deed:
    outlet = next(outlet for outlet in station.outlets if outlet.place.number == request["connectorId"])
    if outlet.visit is None:
        return _Deed()
    return _Deed(then=partial(_stop, outlet.visit, Ending.UNLOCKED))


def _unlock_2x(station: Station, request: Request, _: Request) -> _Deed:
    place = request["evseId"], request["connectorId"]
    busy = any((visit.place.evse_id, visit.place.connector_id) == place for visit in _charging(station))
    return _Deed("OngoingAuthorizedTransaction" if busy else None)


# -- the station itself ------------------------------------------------------------------------------------------------


def _reset_16(station: Station, request: Request, _: Request) -> _Deed:
    ending = Ending.HARD_RESET if request["type"] == "Hard" else Ending.SOFT_RESET
    return _Deed(then=partial(station.reboot, ending))


def _reset_2x(station: Station, request: Request, _: Request) -> _Deed:
    if "evseId" in request:
        # These stations cannot restart one EVSE alone (AllowReset is absent from their device model).
        return _Deed("Rejected")
    if request["type"] == "OnIdle" and _charging(station):
        return _Deed("Scheduled", partial(setattr, station, "reset_when_idle", True))
    return _Deed(then=partial(station.reboot, Ending.SOFT_RESET))


def _availability_16(station: Station, request: Request, _: Request) -> _Deed:
    number = request["connectorId"]
    outlets = [outlet for outlet in station.outlets if number in (0, outlet.place.number)]
    return _availability(outlets, operative=request["type"] == "Operative")


def _availability_2x(station: Station, request: Request, _: Request) -> _Deed:
    evse = request.get("evse", {})
    evse_id, connector_id = evse.get("id"), evse.get("connectorId")
    outlets = [
        outlet
        for outlet in station.outlets
        if evse_id in (None, 0, outlet.place.evse_id) and connector_id in (None, outlet.place.connector_id)
    ]
    return _availability(outlets, operative=request["operationalStatus"] == "Operative")


def _availability(outlets: list[Outlet], *, operative: bool) -> _Deed:
    waits = not operative and any(outlet.visit for outlet in outlets)
    return _Deed("Scheduled" if waits else None, partial(_switch, outlets, operative=operative))


def _switch(outlets: list[Outlet], *, operative: bool) -> None:
    for outlet in outlets:
        outlet.operative = operative
        if outlet.visit is None:
            outlet.rest(outlet.station.fleet.clock())


def _change_configuration(station: Station, request: Request, _: Request) -> _Deed:
    return _Deed(then=partial(_set, station, (request["key"],), request["value"]))


def _set_variables(station: Station, request: Request, answer: Request) -> _Deed:
    changes: list[tuple[tuple[str, ...], str]] = [
        ((part["component"]["name"], part["variable"]["name"]), part["attributeValue"])
        for part, result in zip(request["setVariableData"], answer["setVariableResult"], strict=True)
        if result["attributeStatus"] == "Accepted"
    ]
    return _Deed(then=partial(_set_all, station, changes))


def _set_all(station: Station, changes: list[tuple[tuple[str, ...], str]]) -> None:
    for place, value in changes:
        _set(station, place, value)


def _set(station: Station, place: tuple[str, ...], value: str) -> None:
    """Follow a new setting, where a station here does; it was found to be a count already."""
    name = tuple(part.lower() for part in place)
    if name == tuple(part.lower() for part in station.dialect.heartbeat_setting):
        station.beat_every(float(value))
    elif name == tuple(part.lower() for part in station.dialect.meter_setting):
        station.meter_interval = float(value)


# -- triggers ----------------------------------------------------------------------------------------------------------


def _trigger(station: Station, request: Request, _: Request) -> _Deed:
    wanted = request["requestedMessage"]
    outlets = _triggered_outlets(station, request)
    if wanted == "BootNotification":
        return _Deed(then=station.boot_now)
    if wanted == "Heartbeat":
        return _Deed(then=station.beat_now)
    if wanted == "StatusNotification":
        return _Deed(then=partial(_tell, outlets))
    if wanted == "MeterValues":
        return _Deed(then=partial(_read_meters, outlets))
    if wanted == "TransactionEvent":
        return _Deed(then=partial(_report, outlets))
    action = station.dialect.trigger_action.get(wanted)
    if action is None:
        return _Deed("NotImplemented")
    return _Deed(then=partial(_say_idle, station, action))


def _triggered_outlets(station: Station, request: Request) -> list[Outlet]:
    evse = request.get("evse", {})
    number, evse_id, connector_id = request.get("connectorId"), evse.get("id"), evse.get("connectorId")
    return [
        outlet
        for outlet in station.outlets
        if number in (None, 0, outlet.place.number)
        and evse_id in (None, 0, outlet.place.evse_id)
        and connector_id in (None, outlet.place.connector_id)
    ]


def _tell(outlets: list[Outlet]) -> None:
    for outlet in outlets:
        outlet.tell(outlet.station.fleet.clock(), triggered=True)


def _report(outlets: list[Outlet]) -> None:
    for outlet in outlets:
        if outlet.visit is not None and outlet.visit.phase is Phase.CHARGING:
            outlet.visit.report(outlet.station.fleet.clock(), Trigger.ASKED)


def _read_meters(outlets: list[Outlet]) -> None:
    for outlet in outlets:
        station, now = outlet.station, outlet.station.fleet.clock()
        if station.dialect.meter_values_in_transaction and outlet.visit in _charging(station):
            _report([outlet])
        else:
            payload = station.dialect.meter_values(outlet.place, outlet.reading, station.fleet.timestamp(now))
            station.call("MeterValues", payload, now, triggered=True)


def _say_idle(station: Station, action: str) -> None:
    station.call(action, {"status": "Idle"}, station.fleet.clock(), triggered=True)


_DEEDS_2X: Mapping[str, Any] = MappingProxyType(
    {
        "ChangeAvailability": _availability_2x,
        "GetTransactionStatus": _transaction_status,
        "RequestStartTransaction": _request_start,
        "RequestStopTransaction": _remote_stop,
        "Reset": _reset_2x,
        "SetVariables": _set_variables,
        "TriggerMessage": _trigger,
        "UnlockConnector": _unlock_2x,
    }
)
_DEEDS: Mapping[Version, Mapping[str, Any]] = MappingProxyType(
    {
        Version.V16: MappingProxyType(
            {
                "ChangeAvailability": _availability_16,
                "ChangeConfiguration": _change_configuration,
                "ExtendedTriggerMessage": _trigger,
                "RemoteStartTransaction": _remote_start_16,
                "RemoteStopTransaction": _remote_stop,
                "Reset": _reset_16,
                "TriggerMessage": _trigger,
                "UnlockConnector": _unlock_16,
            }
        ),
        Version.V201: _DEEDS_2X,
        Version.V21: _DEEDS_2X,
    }
)
