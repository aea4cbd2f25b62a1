"""Tariffs of 2.1 as operators write them."""

from __future__ import annotations

from typing import Any

__all__ = ["CURRENCY", "energy_prices", "minute_prices", "price", "tariff", "times"]

CURRENCY = "EUR"


def price(amount: float, **conditions: Any) -> dict[str, Any]:
    """Write one price, of a kWh or of a minute, and when it holds."""
    return {"amount": amount, **({"conditions": conditions} if conditions else {})}


def energy_prices(*prices: dict[str, Any]) -> dict[str, Any]:
    """Write prices of a kWh."""
    return _prices("priceKwh", prices)


def minute_prices(*prices: dict[str, Any]) -> dict[str, Any]:
    """Write prices of a minute."""
    return _prices("priceMinute", prices)


def _prices(name: str, prices: tuple[dict[str, Any], ...]) -> dict[str, Any]:
    return {"prices": [{name: entry["amount"]} | {k: v for k, v in entry.items() if k != "amount"} for entry in prices]}


def times(start: str, end: str) -> dict[str, str]:
    """Write the condition of a time of day, `HH:MM` each."""
    return {"startTimeOfDay": start, "endTimeOfDay": end}


def tariff(name: str, **parts: Any) -> dict[str, Any]:
    """Write a TariffType; `parts` are its elements, such as `energy`, and `validFrom`."""
    return {"tariffId": name, "currency": CURRENCY, **parts}
