"""Meter readings: numbers, registers, and whether power is voltage times current."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Final, NamedTuple

__all__ = ["Sample", "instant", "names_phases", "power_mismatch", "register_of", "samples_of"]

_REGISTER: Final = "Energy.Active.Import.Register"
_RELATIVE: Final = 0.01
_ABSOLUTE_W: Final = 10.0
"""Readings are rounded: each of voltage, current and power to a tenth."""
_KILO: Final = frozenset({"kWh", "kW", "kVA", "kvar"})


class Sample(NamedTuple):
    """One sampled value of either version, in its base unit."""

    measurand: str
    phase: str
    value: float | None
    """None where the text is not a number."""


def samples_of(meter_value: dict[str, Any]) -> list[Sample]:
    """Read the sampled values of a MeterValue; signed ones hold no number and are left out."""
    return [
        Sample(part.get("measurand", _REGISTER), part.get("phase", ""), _value(part))
        for part in meter_value.get("sampledValue", ())
        if part.get("format") != "SignedData"
    ]


def _value(part: dict[str, Any]) -> float | None:
    try:
        value = float(part["value"])
    except (KeyError, TypeError, ValueError):
        return None
    unit_of_measure = part.get("unitOfMeasure") or {}
    if part.get("unit", unit_of_measure.get("unit")) in _KILO:
        value *= 1000.0
    return value * 10.0 ** int(unit_of_measure.get("multiplier", 0))


def register_of(samples: list[Sample]) -> float | None:
    """Return what the energy register shows in Wh, where it was read."""
    return next((sample.value for sample in samples if sample.measurand == _REGISTER and not sample.phase), None)


def power_mismatch(samples: list[Sample], *, relative: float = _RELATIVE, absolute: float = _ABSOLUTE_W) -> str:
    """Say how power differs from voltage times current; empty where it does not, or one of them was not read."""
    power = next(
        (sample.value for sample in samples if sample.measurand == "Power.Active.Import" and not sample.phase), None
    )
    volts, amperes = _by_phase(samples, "Voltage"), _by_phase(samples, "Current.Import")
    if power is None or not volts or volts.keys() != amperes.keys():
        return ""
    product = sum(volts[phase] * amperes[phase] for phase in volts)
    if abs(power - product) <= absolute + relative * abs(product):
        return ""
    return f"power {power:g} W, voltage times current {product:.1f} W"


def names_phases(samples: list[Sample]) -> bool:
    """Return whether every voltage is that of a phase: one of the whole may stand between two of them."""
    return all(sample.phase for sample in samples if sample.measurand == "Voltage")


def _by_phase(samples: list[Sample], measurand: str) -> dict[str, float]:
    return {
        sample.phase.removesuffix("-N"): sample.value
        for sample in samples
        if sample.measurand == measurand and sample.value is not None
    }


def instant(text: Any) -> float | None:
    """Read a time stamp as seconds since 1970, without a zone as UTC; None for anything else."""
    try:
        moment = datetime.fromisoformat(text.upper())
    except (AttributeError, ValueError):
        return None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
