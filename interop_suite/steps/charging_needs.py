"""What a car needs and chooses (ISO 15118), as its station tells it."""

from __future__ import annotations

import time
from typing import Any

from fixtures.payloads import v2x
from interop_suite.claims.charging_needs import TAKEN
from interop_suite.drive.probe import Probe, now
from interop_suite.steps.smart_charging import EVSE_2
from ocppj.errors import InconclusiveError
from ocppj.trace import wall_clock

__all__ = ["ac_needs", "ask", "bpt_needs", "choose", "dynamic_needs"]

Payload = dict[str, Any]
_STAY = 6 * 3600
"""Seconds until the car leaves."""
_TUPLES = 12
_OVER = 6.5
"""By how much a schedule goes over the limits, in A or in 100 W."""


def ac_needs(energy: int, current: int, **more: Any) -> Payload:
    """Write the needs of a car at AC: Wh, and A at most."""
    return {
        "requestedEnergyTransfer": "AC_three_phase",
        "departureTime": wall_clock(time.time() + _STAY),
        "acChargingParameters": {
            "energyAmount": energy,
            "evMinCurrent": 6,
            "evMaxCurrent": current,
            "evMaxVoltage": 400,
        },
        **more,
    }


def bpt_needs(target: int, charge: int, discharge: int, *, mode: str = "AC_BPT", **more: Any) -> Payload:
    """Write the needs of a car that can discharge: Wh, and W at most each way."""
    return {
        "requestedEnergyTransfer": mode,
        "departureTime": wall_clock(time.time() + _STAY),
        "v2xChargingParameters": {
            "maxChargePower": charge,
            "maxDischargePower": discharge,
            "evTargetEnergyRequest": target,
            "evMinEnergyRequest": -target,
        },
        **more,
    }


def dynamic_needs(target: int) -> Payload:
    """Write the needs of a car that leaves its schedule to the station; target in Wh."""
    return bpt_needs(target, 9200, 4600, controlMode="DynamicControl", mobilityNeedsMode="EVCC_SECC")


def ask(probe: Probe, needs: Payload, *, evse: int = EVSE_2) -> Payload | None:
    """Tell what a car needs, and wait for the SetChargingProfile that the CSMS promises; None where none comes."""
    station = probe.station
    before = len(station.received("SetChargingProfile"))
    payload = v2x.notify_ev_charging_needs(evse, needs, max_schedule_tuples=_TUPLES)
    if station.call("NotifyEVChargingNeeds", payload).get("status") not in TAKEN:
        return None
    return station.expect("SetChargingProfile", after=before, timeout=probe.command_patience)


def choose(
    probe: Probe, request: Payload | None, *, over: bool = False, evse: int = EVSE_2, selects: bool = False
) -> None:
    """Tell the schedule that a car chose of what it was given: within the limits, or over them."""
    if request is None:
        return
    given = request["chargingProfile"]["chargingSchedule"][0]
    limits = [(p["startPeriod"], p["limit"]) for p in given["chargingSchedulePeriod"] if "limit" in p]
    if not limits:
        raise InconclusiveError("The charging profile of the CSMS has no limits that a car could choose within.")
    extra = _OVER * (100 if given["chargingRateUnit"] == "W" else 1)
    chosen = [(start, _halves(limit + extra if over else limit * 0.75)) for start, limit in limits]
    schedule = v2x.charging_schedule(given["id"], chosen, unit=given["chargingRateUnit"])
    selected = {"selectedChargingScheduleId": given["id"], "powerToleranceAcceptance": True} if selects else {}
    payload = v2x.notify_ev_charging_schedule(evse, now(), schedule)
    probe.station.call("NotifyEVChargingSchedule", {**payload, **selected})


def _halves(value: float) -> float:
    """Round to a half, which binary fractions hold exactly: PAY_07 asks whether other decimals are understood."""
    return round(value * 2) / 2
