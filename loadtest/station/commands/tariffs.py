"""Tariffs of 2.1: defaults by EVSE, and those of running transactions (I07-I11)."""

from __future__ import annotations

from functools import partial
from typing import Any, Final

from loadtest.station.commands.common import Reaction, Request
from loadtest.station.contract import Controls, Host, State
from loadtest.station.dialect.contract import Trigger
from loadtest.station.state.connectors import charging, ongoing
from loadtest.station.state.store import need, peek
from loadtest.station.views import ChargingSessionView

__all__ = ["Tariffs", "change_transaction_tariff", "clear_tariffs", "get_tariffs", "set_default_tariff"]

_MOST_PRICES: Final = 20
"""Prices in one part of a tariff (TariffCostCtrlr.MaxElements)."""


class Tariffs(State):
    """The tariffs of one station."""

    __slots__ = ("by_evse", "by_transaction")

    def __init__(self, station: Host) -> None:
        """Start without any."""
        super().__init__(station)
        self.by_evse: dict[int, Request] = {}
        self.by_transaction: dict[Any, Request] = {}


def _evses(station: Controls, evse_id: int | None) -> list[int]:
    known = sorted({connector.model.evse_id for connector in station.connectors})
    return [evse for evse in known if evse_id in (None, 0, evse)]


def _too_long(tariff: Request) -> bool:
    parts = [part for part in tariff.values() if isinstance(part, dict)]
    return any(len(part.get("prices", ())) > _MOST_PRICES for part in parts)


def set_default_tariff(station: Controls, request: Request, _: Request) -> Reaction:
    """Charge by this tariff at an EVSE, or at all of them, from now on (I07)."""
    tariff, evses = request["tariff"], _evses(station, request["evseId"])
    kept = peek(station, Tariffs)
    if _too_long(tariff):
        return Reaction("TooManyElements")
    others = [other for evse, other in kept.by_evse.items() if evse not in evses] if kept else []
    if any(other["tariffId"] == tariff["tariffId"] and other != tariff for other in others):
        return Reaction("DuplicateTariffId")
    return Reaction(then=partial(_set, station, evses, tariff))


def _set(station: Controls, evses: list[int], tariff: Request) -> None:
    need(station, Tariffs).by_evse |= dict.fromkeys(evses, tariff)


def get_tariffs(station: Controls, request: Request, answer: Request) -> Reaction:
    """List the default tariffs, each with the EVSEs that it counts for (I08)."""
    kept, evses = peek(station, Tariffs), _evses(station, request["evseId"])
    if not evses:
        return Reaction("Rejected")
    assignments: dict[str, Request] = {}
    for evse, tariff in sorted(kept.by_evse.items()) if kept else ():
        if evse in evses:
            shown = assignments.setdefault(
                tariff["tariffId"], {"tariffId": tariff["tariffId"], "tariffKind": "DefaultTariff", "evseIds": []}
            )
            shown["evseIds"].append(evse)
            if "validFrom" in tariff:
                shown["validFrom"] = tariff["validFrom"]
    if not assignments:
        return Reaction("NoTariff")
    answer["tariffAssignments"] = list(assignments.values())
    return Reaction("Accepted")


def clear_tariffs(station: Controls, request: Request, answer: Request) -> Reaction:
    """Remove default tariffs by id, or all of them (I09)."""
    kept, evses = peek(station, Tariffs), _evses(station, request.get("evseId"))
    by_evse = {evse: tariff["tariffId"] for evse, tariff in kept.by_evse.items() if evse in evses} if kept else {}
    wanted = request.get("tariffIds") or sorted(set(by_evse.values()))
    answer["clearTariffsResult"] = [
        {"tariffId": tariff, "status": "Accepted" if tariff in by_evse.values() else "NoTariff"} for tariff in wanted
    ] or [{"status": "NoTariff"}]
    return Reaction(then=partial(_clear, station, [evse for evse, tariff in by_evse.items() if tariff in wanted]))


def _clear(station: Controls, evses: list[int]) -> None:
    for evse in evses:
        need(station, Tariffs).by_evse.pop(evse, None)


def change_transaction_tariff(station: Controls, request: Request, _: Request) -> Reaction:
    """Charge a running transaction by another tariff in the same currency (I11)."""
    tariff, charging_session = request["tariff"], ongoing(station, request["transactionId"])
    kept = peek(station, Tariffs)
    if charging_session is None:
        return Reaction("TxNotFound")
    if _too_long(tariff):
        return Reaction("TooManyElements")
    before = (
        (kept.by_transaction.get(charging_session.transaction_id) or kept.by_evse.get(charging_session.model.evse_id))
        if kept
        else None
    )
    if before is not None and before["currency"] != tariff["currency"]:
        return Reaction("NoCurrencyChange")
    return Reaction(then=partial(_change, station, charging_session, tariff))


def _change(station: Controls, charging_session: ChargingSessionView, tariff: Request) -> None:
    tariffs = need(station, Tariffs)
    running = {other.transaction_id for other in charging(station)}
    tariffs.by_transaction = {number: kept for number, kept in tariffs.by_transaction.items() if number in running}
    tariffs.by_transaction[charging_session.transaction_id] = tariff
    charging_session.report(station.context.clock(), Trigger.TARIFF)
