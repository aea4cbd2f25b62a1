"""Orders in which a number is 0 or a text is empty, and says so: what is nothing to a programmer is something here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

from interop_suite.drive.probe import Probe
from interop_suite.steps.smart_charging import EVSE_1, EVSE_2, profile, schedule, set_profile
from interop_suite.steps.tariffs import energy_prices, minute_prices, price, tariff, times
from ocppj.versions import Version

__all__ = [
    "BLANK_WRITTEN",
    "MONITORED",
    "free_prices",
    "levels_cleared",
    "levels_read",
    "logs_without_retries",
    "monitors_at_zero",
    "paused_profiles",
    "publications_without_retries",
    "starts_that_wait",
    "updates_to_zero",
    "values_of_nothing",
]

Payload = dict[str, Any]
Orders = Sequence[Payload]
_ONCE: Mapping[str, int] = MappingProxyType({"retries": 0, "retryInterval": 0})
_STATION = "ChargingStationMaxProfile"


def logs_without_retries(_probe: Probe) -> Orders:
    """Upload a log, and try once."""
    log = {"remoteLocation": "ftp://logs.example.invalid/Once", "oldestTimestamp": "2026-03-04T05:06:07Z"}
    return ({"logType": "SecurityLog", "requestId": 8301, **_ONCE, "log": log},)


def publications_without_retries(_probe: Probe) -> Orders:
    """Publish firmware, and try once."""
    image = "https://firmware.example.invalid/Station-7.6.bin"
    return ({"location": image, "checksum": "0f" * 16, "requestId": 8302, **_ONCE},)


_PERIODS_21: Mapping[str, Any] = MappingProxyType(
    {"operationMode": "CentralSetpoint", "setpoint": 0.0, "setpointReactive": 0.0, "dischargeLimit": 0.0}
)
_MORE: Mapping[Version, Mapping[str, Any]] = MappingProxyType({Version.V201: {}, Version.V21: _PERIODS_21})


def paused_profiles(probe: Probe) -> Orders:
    """Set profiles that pause: at first, and for the whole of the time."""
    power = schedule(191, (0, 0.0), (1800, 7_500.0), unit="W", duration=5700)
    power["chargingSchedulePeriod"] = [{**each, **_MORE[probe.version]} for each in power["chargingSchedulePeriod"]]
    return (
        set_profile(EVSE_2, profile(94, "TxDefaultProfile", "Absolute", 1, power)),
        set_profile(0, profile(95, _STATION, "Absolute", 0, schedule(192, (0, 0.0), duration=2800))),
    )


def starts_that_wait(probe: Probe) -> Orders:
    """Start with a profile that begins with a pause."""
    waiting = schedule(193, (0, 0.0), (900, 9.5), duration=4600)
    own = profile(96, "TxProfile", "Relative", 0, waiting)
    token = {"idToken": probe.token(), "type": "ISO14443"}
    return ({"evseId": EVSE_1, "remoteStartId": 8303, "idToken": token, "chargingProfile": own},)


def levels_read(_probe: Probe) -> Orders:
    """List the profiles of the lowest level of the whole station."""
    wanted = {"stackLevel": 0, "chargingProfilePurpose": _STATION}
    return ({"requestId": 8304, "evseId": 0, "chargingProfile": wanted},)


def levels_cleared(_probe: Probe) -> Orders:
    """Clear them."""
    return ({"chargingProfileCriteria": {"evseId": 0, "stackLevel": 0, "chargingProfilePurpose": _STATION}},)


def updates_to_zero(_probe: Probe) -> Orders:
    """Update dynamic profiles to a pause, one limit at a time."""
    return (
        {"chargingProfileId": 97, "scheduleUpdate": {"limit": 0.0, "setpointReactive": 130.5}},
        {"chargingProfileId": 98, "scheduleUpdate": {"setpoint": 0.0, "dischargeLimit": -2_250.5}},
    )


def _variable(component: str, name: str, value: str) -> Payload:
    return {"component": {"name": component}, "variable": {"name": name}, "attributeValue": value}


def values_of_nothing(_probe: Probe) -> Orders:
    """Write an empty text, and a 0."""
    return (
        {
            "setVariableData": [
                _variable("TariffCostCtrlr", "TariffFallbackMessage", ""),
                _variable("SampledDataCtrlr", "TxUpdatedInterval", "0"),
            ]
        },
    )


BLANK_WRITTEN = {
    "setVariableResult": [
        {"attributeStatus": "Rejected", "component": {"name": component}, "variable": {"name": name}}
        for component, name in (
            ("TariffCostCtrlr", "TariffFallbackMessage"),
            ("SampledDataCtrlr", "TxUpdatedInterval"),
        )
    ]
}


def monitors_at_zero(_probe: Probe) -> Orders:
    """Set a monitor at 0 of the highest severity."""
    monitor = {
        "transaction": False,
        "value": 0.0,
        "type": "LowerThreshold",
        "severity": 0,
        "component": {"name": "ChargingStation"},
        "variable": {"name": "ACCurrent"},
    }
    return ({"setMonitoringData": [monitor]},)


MONITORED = {
    "setMonitoringResult": [
        {
            "id": 4410,
            "status": "Accepted",
            "type": "LowerThreshold",
            "severity": 0,
            "component": {"name": "ChargingStation"},
            "variable": {"name": "ACCurrent"},
        }
    ]
}


def free_prices(_probe: Probe) -> Orders:
    """Set a tariff that is free by night, and asks nothing for the first minutes."""
    free = tariff(
        "free-by-night",
        energy=energy_prices(price(0.0, **times("22:00", "06:00")), price(0.435)),
        idleTime=minute_prices(price(0.0, maxIdleTime=600), price(0.125)),
        minCost={"exclTax": 0.0, "inclTax": 0.0},
        maxCost={"exclTax": 31.25, "inclTax": 37.5},
    )
    return ({"evseId": EVSE_1, "tariff": free},)
