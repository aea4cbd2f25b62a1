"""Tariffs of 2.1: default tariffs set, listed and cleared, tariffs of running sessions, and costs of stations."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from drivers.base import trigger_need
from interop_suite.catalogue import case
from interop_suite.claims.checks import still_serves
from interop_suite.claims.claim import Check
from interop_suite.claims.clauses import Clause
from interop_suite.claims.expected import Expected, field, one_of
from interop_suite.drive.probe import Probe, now
from interop_suite.steps.charging import Charging, meter_value
from interop_suite.steps.connections import heartbeat
from interop_suite.steps.operator_orders import lies_ahead, new_tokens, ordered
from interop_suite.steps.tariffs import CURRENCY, energy_prices, minute_prices, price, tariff, times
from interop_suite.steps.transaction_events import answers_all

BLOCK = "Tariff and Cost"
PROFILE = "Advanced UI"
VERSION = "2.1"
CLAUSE = Clause("21-4", "4.1.7")
SET, CLEAR, CHANGE, LIST = "SetDefaultTariff", "ClearTariffs", "ChangeTransactionTariff", "GetTariffs"
ELEMENTS_MAX = 3
"""Prices that the station takes in each element of a tariff (TariffCostCtrlr.MaxElements)."""
LATER = "2031-05-06T07:08:09Z"
BY_TIME = tariff(
    "by-time-of-day",
    energy=energy_prices(price(0.28, **times("07:30", "21:15")), price(0.19, **times("21:15", "07:30"))),
)
FULL = tariff(
    "as-many-as-there-may-be",
    energy=energy_prices(
        price(0.35, dayOfWeek=["Monday", "Friday"]),
        price(0.27, dayOfWeek=["Saturday"]),
        price(0.22, dayOfWeek=["Sunday"]),
    ),
    idleTime=minute_prices(price(0.07, minIdleTime=1_800), price(0.11, minIdleTime=7_200)),
)
PLAIN = tariff("plain", energy=energy_prices(price(0.33)), chargingTime=minute_prices(price(0.02)))
AHEAD = tariff("from-next-year", energy=energy_prices(price(0.41)), validFrom=LATER)
CLEARED = tariff("to-be-cleared", energy=energy_prices(price(0.39)))

TIMES = "tariff-times-with-seconds"
FIRST_PRICE = "tariff-with-first-price-only"
REORDERED = "tariff-prices-in-another-order"
NO_CONDITIONS = "tariff-conditions-dropped"
EMPTY_CONDITIONS = "tariff-conditions-empty"


def _elements(of: Mapping[str, Any]) -> Iterable[list[Any]]:
    """List the prices of each element of a tariff."""
    for element in of.values():
        if isinstance(element, Mapping) and isinstance(element.get("prices"), list):
            yield element["prices"]


def _within(value: Any) -> str | None:
    most = max((len(prices) for prices in _elements(value)), default=0) if isinstance(value, Mapping) else 0
    return None if 0 < most <= ELEMENTS_MAX else f"has {most} prices in an element instead of 1 to {ELEMENTS_MAX}"


def _without_conditions(value: Any) -> str | None:
    entries = [entry for prices in _elements(value) for entry in prices] if isinstance(value, Mapping) else []
    named = [entry for entry in entries if isinstance(entry, Mapping) and "conditions" in entry]
    return f"has conditions in {named[0]}" if named else None


def _is_named(wanted: Mapping[str, Any]) -> dict[str, Expected]:
    return {"tariff.tariffId": one_of(wanted["tariffId"]), "tariff.currency": one_of(CURRENCY)}


def _tell_limits(probe: Probe, *, conditions: bool = True) -> None:
    """Let the station say of itself what tariffs it takes, to a CSMS that asks."""
    known = {"MaxElements": str(ELEMENTS_MAX), "ConditionsSupported": str(conditions).lower()}

    def answer(request: dict[str, Any]) -> dict[str, Any]:
        results = []
        for asked in request.get("getVariableData") or []:
            of_tariffs = field(asked, "component.name") == "TariffCostCtrlr"
            value = known.get(str(field(asked, "variable.name"))) if of_tariffs else None
            status = {"attributeStatus": "UnknownVariable" if value is None else "Accepted"}
            told = {} if value is None else {"attributeValue": value}
            about = {name: field(asked, name) for name in ("component", "variable")}
            results.append({**about, **status, **told})
        return {"getVariableResult": results}

    probe.station.reply("GetVariables", answer)


# -- default tariffs --------------------------------------------------------------------------------------------------


class Default(msgspec.Struct, frozen=True, kw_only=True):
    """One default tariff that the operator sets for an EVSE."""

    id: str
    title: str
    evse: int
    tariff: dict[str, Any]
    expects: str
    checks: tuple[Check, ...] = ()
    conditions: bool = True
    """Whether the station supports conditions."""
    defect: str
    also: tuple[str, ...] = ()


DEFAULTS = (
    Default(
        id="TC_I_101_CSMS",
        title="Set a default tariff with prices by time of day",
        evse=0,
        tariff=BY_TIME,
        expects="with the times of each price as HH:MM",
        defect=TIMES,
        also=(FIRST_PRICE, REORDERED, NO_CONDITIONS),
    ),
    Default(
        id="TC_I_102_CSMS",
        title="Set a default tariff with as many prices as the station takes",
        evse=2,
        tariff=FULL,
        expects="with no more prices in an element than the station takes",
        checks=(ordered(SET, {"tariff": _within}, claim="No element has more prices than the station takes"),),
        defect=FIRST_PRICE,
        also=(REORDERED, NO_CONDITIONS, "tariff-conditions-of-time-alone"),
    ),
    Default(
        id="TC_I_105_CSMS",
        title="Set a default tariff at a station that knows no conditions",
        evse=2,
        tariff=PLAIN,
        expects="with prices that have no conditions",
        checks=(ordered(SET, {"tariff": _without_conditions}, claim="No price has conditions"),),
        conditions=False,
        defect=EMPTY_CONDITIONS,
    ),
)


def _add_default(default: Default) -> None:
    @case(
        id=default.id,
        ocpp=VERSION,
        title=default.title,
        block=BLOCK,
        profile=PROFILE,
        initiator="csms",
        needs=(trigger_need(SET),),
        sends="Accepted to SetDefaultTariff, then a Heartbeat.",
        expects=f"The CSMS SHALL send SetDefaultTariff for the EVSE that was named, {default.expects}.",
        clause=CLAUSE,
        defect=default.defect,
        also=default.also,
        checks=(
            ordered(SET, {"evseId": one_of(default.evse), **_is_named(default.tariff)}),
            *default.checks,
            still_serves(),
        ),
    )
    def script(probe: Probe) -> None:
        _tell_limits(probe, conditions=default.conditions)
        probe.station.reply(SET, {"status": "Accepted"})
        probe.command(SET, {"evseId": default.evse, "tariff": default.tariff})
        heartbeat(probe.station)


for _default in DEFAULTS:
    _add_default(_default)


@case(
    id="TC_I_106_CSMS",
    ocpp=VERSION,
    title="Set a default tariff that holds from a later day, and list the tariffs",
    block=BLOCK,
    profile=PROFILE,
    initiator="csms",
    needs=(trigger_need(SET), trigger_need(LIST)),
    sends="Accepted to two SetDefaultTariff, the second from a later day; both in the answer to GetTariffs.",
    expects="The CSMS SHALL send the later tariff with validFrom in the future, and GetTariffs for its EVSE.",
    clause=CLAUSE,
    defect="tariff-without-valid-from",
    also=("get-tariffs-of-whole-station", "tariff-of-energy-and-time"),
    checks=(
        ordered(SET, {"evseId": one_of(2), **_is_named(AHEAD)}, claim="The later tariff is sent"),
        lies_ahead(SET, "tariff.validFrom"),
        ordered(LIST, {"evseId": one_of(2)}),
        still_serves(),
    ),
)
def valid_later(probe: Probe) -> None:
    station = probe.station
    _tell_limits(probe)
    station.reply(SET, {"status": "Accepted"})
    for each in (PLAIN, AHEAD):
        probe.command(SET, {"evseId": 2, "tariff": each})
    assigned = [
        {"tariffId": each["tariffId"], "tariffKind": "DefaultTariff", "evseIds": [2]}
        | {name: each[name] for name in ("validFrom",) if name in each}
        for each in (PLAIN, AHEAD)
    ]
    station.reply(LIST, {"status": "Accepted", "tariffAssignments": assigned})
    probe.command(LIST, {"evseId": 2})
    heartbeat(station)


@case(
    id="TC_I_110_CSMS",
    ocpp=VERSION,
    title="Clear one of two default tariffs",
    block=BLOCK,
    profile=PROFILE,
    initiator="csms",
    needs=(trigger_need(SET), trigger_need(CLEAR)),
    sends="Accepted to SetDefaultTariff for two EVSEs and to ClearTariffs, then a Heartbeat.",
    expects="The CSMS SHALL send ClearTariffs with the id of the tariff and the EVSE that were named.",
    clause=CLAUSE,
    defect="clear-tariffs-without-ids",
    also=("clear-tariffs-of-every-evse",),
    checks=(
        ordered(CLEAR, {"tariffIds": one_of([CLEARED["tariffId"]]), "evseId": one_of(2)}),
        still_serves(),
    ),
)
def cleared(probe: Probe) -> None:
    station = probe.station
    _tell_limits(probe)
    station.reply(SET, {"status": "Accepted"})
    for evse, each in ((1, PLAIN), (2, CLEARED)):
        probe.command(SET, {"evseId": evse, "tariff": each})
    station.reply(CLEAR, {"clearTariffsResult": [{"tariffId": CLEARED["tariffId"], "status": "Accepted"}]})
    probe.command(CLEAR, {"tariffIds": [CLEARED["tariffId"]], "evseId": 2})
    heartbeat(station)


# -- tariffs of running sessions --------------------------------------------------------------------------------------


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """One tariff that the operator gives to the older of two sessions."""

    id: str
    title: str
    tariff: dict[str, Any]
    checks: tuple[Check, ...] = ()
    conditions: bool = True
    defect: str
    also: tuple[str, ...] = ()


NEWEST = "tariff-of-newest-transaction"
CHANGES = (
    Change(
        id="TC_I_113_CSMS",
        title="Change the tariff of a session to one with as many prices as the station takes",
        tariff=FULL,
        checks=(ordered(CHANGE, {"tariff": _within}, claim="No element has more prices than the station takes"),),
        defect=NEWEST,
        also=(FIRST_PRICE, REORDERED, NO_CONDITIONS, "session-tariff-conditions-of-time-alone"),
    ),
    Change(
        id="TC_I_114_CSMS",
        title="Change the tariff of a session at a station that knows no conditions",
        tariff=PLAIN,
        checks=(ordered(CHANGE, {"tariff": _without_conditions}, claim="No price has conditions"),),
        conditions=False,
        defect=EMPTY_CONDITIONS,
        also=(NEWEST,),
    ),
    Change(
        id="TC_I_115_CSMS",
        title="Change the tariff of a session to one with prices by time of day",
        tariff=BY_TIME,
        defect=NO_CONDITIONS,
        also=(NEWEST, TIMES, FIRST_PRICE, REORDERED),
    ),
)


def _add_change(change: Change) -> None:
    @case(
        id=change.id,
        ocpp=VERSION,
        title=change.title,
        block=BLOCK,
        profile=PROFILE,
        initiator="csms",
        needs=(trigger_need(CHANGE),),
        sends="Two sessions at two EVSEs, Accepted to ChangeTransactionTariff for the older one, then a Heartbeat.",
        expects="The CSMS SHALL send ChangeTransactionTariff with the transactionId and the tariff that were named.",
        clause=CLAUSE,
        defect=change.defect,
        also=change.also,
        checks=(ordered(CHANGE, _is_named(change.tariff)), *change.checks, answers_all, still_serves()),
    )
    def script(probe: Probe) -> None:
        _tell_limits(probe, conditions=change.conditions)
        older, _ = _two_sessions(probe)
        probe.station.reply(CHANGE, {"status": "Accepted"})
        probe.command(CHANGE, {"transactionId": str(older.id), "tariff": change.tariff})
        heartbeat(probe.station)


def _two_sessions(probe: Probe) -> tuple[Charging, Charging]:
    first, second = new_tokens(probe, 2)
    older, newer = Charging(probe.station, first), Charging(probe.station, second, connector=2)
    older.begin(2_000)
    newer.begin(70_000)
    return older, newer


for _change in CHANGES:
    _add_change(_change)


# -- costs that the station works out ---------------------------------------------------------------------------------


def _cost_details(energy: float, minutes: int, *, periods: bool) -> dict[str, Any]:
    """Write what a session has cost by the plain tariff: kWh and minutes, with or without each period of it."""
    by_energy, by_time = round(0.33 * energy, 2), round(0.02 * minutes, 2)
    dimensions = [{"type": "Energy", "volume": energy}, {"type": "ChargingTime", "volume": minutes * 60}]
    period = {"startPeriod": now(), "tariffId": PLAIN["tariffId"], "dimensions": dimensions}
    return {
        "totalCost": {
            "currency": CURRENCY,
            "typeOfCost": "NormalCost",
            "energy": {"exclTax": by_energy},
            "chargingTime": {"exclTax": by_time},
            "total": {"exclTax": round(by_energy + by_time, 2)},
        },
        "totalUsage": {"energy": energy, "chargingTime": minutes * 60, "idleTime": 0},
        **({"chargingPeriods": [period]} if periods else {}),
    }


@case(
    id="TC_I_122_CSMS",
    ocpp=VERSION,
    title="Cost details of a session are taken",
    block=BLOCK,
    profile=PROFILE,
    initiator="csms",
    needs=(trigger_need(SET),),
    sends="Accepted to SetDefaultTariff; a session with costDetails in Updated (no periods) and in Ended (one).",
    expects="The CSMS SHALL send SetDefaultTariff, and answer every TransactionEvent.",
    clause=CLAUSE,
    defect="cost-details-need-periods",
    also=(EMPTY_CONDITIONS,),
    checks=(
        ordered(SET, {"evseId": one_of(1), **_is_named(PLAIN), "tariff": _without_conditions}),
        answers_all,
        still_serves(),
    ),
)
def cost_details(probe: Probe) -> None:
    station = probe.station
    _tell_limits(probe, conditions=False)
    station.reply(SET, {"status": "Accepted"})
    probe.command(SET, {"evseId": 1, "tariff": PLAIN})
    charging = Charging(station, *new_tokens(probe, 1))
    charging.begin(1_000)
    reading = [meter_value(5_000, "Sample.Periodic")]
    charging.event("Updated", "RunningCost", meter_value=reading, cost_details=_cost_details(4.0, 12, periods=False))
    charging.end(9_000, cost_details=_cost_details(8.0, 25, periods=True))
    heartbeat(station)
