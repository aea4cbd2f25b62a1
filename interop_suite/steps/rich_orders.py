"""Orders with all the fields that an action has, and with values that are nowhere the first or the only ones."""

from __future__ import annotations

from typing import Any

from interop_suite.drive.probe import Probe
from interop_suite.steps.charging import Charging
from interop_suite.steps.smart_charging import EVSE_2, profile, schedule, set_profile
from interop_suite.steps.tariffs import energy_prices, minute_prices, price, tariff, times

__all__ = [
    "MONITORS",
    "READ",
    "WRITTEN",
    "cleared_controls_of_one_kind",
    "connector_out_of_service",
    "controls_of_one_kind",
    "default_tariff",
    "der_curve",
    "dynamic_profile",
    "message_in_three_languages",
    "message_with_all",
    "monitors_to_replace",
    "private_network",
    "profile_of_each_phase",
    "profile_of_one_phase",
    "profile_of_three_schedules",
    "reads_of_a_connector",
    "session_tariff",
    "start_with_all_known",
    "two_tariffs",
    "unlock_second",
    "update_of_every_limit",
    "writes_of_a_connector",
]

Payload = dict[str, Any]
BEGIN, END = "2031-03-02T05:30:00Z", "2031-04-07T21:45:00Z"
# A CSMS may send no profile whose time has not come yet: it can send that one later.
SINCE = "2024-05-02T05:30:00Z"
PLACE = {"id": EVSE_2, "connectorId": 2}


def start_with_all_known(probe: Probe) -> Payload:
    """Name a token with what else is known of it."""
    more = [
        {"additionalIdToken": "DE-PLG-C00417-8", "type": "contract"},
        {"additionalIdToken": "NL-PLG-77", "type": "fleet"},
    ]
    token = {"idToken": probe.token(), "type": "ISO14443", "additionalInfo": more}
    return {"evseId": EVSE_2, "remoteStartId": 8154, "idToken": token}


def profile_of_one_phase(_probe: Probe) -> Payload:
    """Set the phase of each period, a validity and a least rate."""
    periods = [
        {"startPeriod": 0, "limit": 13.5, "numberPhases": 1, "phaseToUse": 2},
        {"startPeriod": 2700, "limit": 8.5, "numberPhases": 1, "phaseToUse": 3},
    ]
    own = {**schedule(171, (0, 1.0), duration=7200, minChargingRate=6.4), "chargingSchedulePeriod": periods}
    return set_profile(EVSE_2, profile(71, "TxDefaultProfile", "Absolute", 2, own, validFrom=SINCE, validTo=END))


def profile_of_each_phase(_probe: Probe) -> Payload:
    """Set the limit of each phase."""
    periods = [
        {
            "startPeriod": 0,
            "limit": 11.5,
            "limit_L2": 12.5,
            "limit_L3": 13.5,
            "preconditioningRequest": True,
            "evseSleep": False,
        },
        {
            "startPeriod": 1500,
            "limit": 6.5,
            "limit_L2": 7.5,
            "limit_L3": 8.5,
            "preconditioningRequest": False,
            "evseSleep": True,
        },
    ]
    own = {**schedule(172, (0, 1.0), duration=5400, powerTolerance=350.0), "chargingSchedulePeriod": periods}
    return set_profile(EVSE_2, profile(72, "TxDefaultProfile", "Absolute", 3, own))


def dynamic_profile(_probe: Probe) -> Payload:
    """Set every limit of a dynamic profile."""
    limits = {"limit": 9600.0, "dischargeLimit": -4200.0, "setpoint": 3300.0, "setpointReactive": 250.0}
    own = {**schedule(173, (0, 1.0), unit="W"), "chargingSchedulePeriod": [{"startPeriod": 0, **limits}]}
    own["chargingSchedulePeriod"][0]["operationMode"] = "CentralSetpoint"
    dynamic = {"dynUpdateInterval": 45, "dynUpdateTime": BEGIN}
    return set_profile(EVSE_2, profile(73, "TxDefaultProfile", "Dynamic", 4, own, **dynamic))


def profile_of_three_schedules(probe: Probe) -> Payload:
    """Offer three schedules to the car of a session that begins here."""
    charging = Charging(probe.station, probe.token(), connector=EVSE_2)
    charging.begin(1900)
    schedules = [schedule(number, (0, 7.5 + number), (1800, 6.0 + number), duration=3600) for number in (1, 2, 3)]
    for number, each in enumerate(schedules, start=51):
        interval = {"start": 0, "duration": 60 * number}
        each["salesTariff"] = {"id": number, "salesTariffEntry": [{"relativeTimeInterval": interval, "ePriceLevel": 2}]}
    return set_profile(EVSE_2, profile(74, "TxProfile", "Absolute", 1, *schedules), str(charging.id))


def _attribute(kind: str, variable: str, **more: Any) -> Payload:
    place = {"name": "Connector", "evse": PLACE}
    return {"component": place, "variable": {"name": variable}, "attributeType": kind, **more}


def reads_of_a_connector(_probe: Probe) -> Payload:
    """Read attributes that are not the actual value."""
    return {
        "getVariableData": [
            _attribute("Target", "AvailabilityState"),
            _attribute("MaxSet", "SupplyPhases"),
        ]
    }


def writes_of_a_connector(_probe: Probe) -> Payload:
    """Write attributes that are not the actual value."""
    return {
        "setVariableData": [
            _attribute("Target", "SupplyPhases", attributeValue="1"),
            _attribute("MinSet", "SupplyPhases", attributeValue="3"),
        ]
    }


def private_network(_probe: Probe) -> Payload:
    """Describe a private network."""
    vpn = {
        "server": "vpn.example.invalid",
        "user": "plugstorm",
        "group": "stations",
        "password": "Kx4-vpn",
        "key": "shared-9",
        "type": "IKEv2",
    }
    connection = {
        "ocppVersion": "OCPP20",
        "ocppTransport": "JSON",
        "ocppCsmsUrl": "wss://fourth.csms.example.invalid/ocpp",
        "messageTimeout": 41,
        "securityProfile": 2,
        "ocppInterface": "Wired1",
        "vpn": vpn,
    }
    return {"configurationSlot": 5, "connectionData": connection}


def connector_out_of_service(_probe: Probe) -> Payload:
    """Take the second connector of the second EVSE out of service."""
    return {"operationalStatus": "Inoperative", "evse": PLACE}


def unlock_second(_probe: Probe) -> Payload:
    """Unlock the second connector of the second EVSE."""
    return {"evseId": EVSE_2, "connectorId": 2}


def _all_parts(name: str) -> Payload:
    taxes = [{"type": "vat", "tax": 19.0}, {"type": "city", "tax": 2.5}]
    fee = {"prices": [{"priceFixed": 0.85}, {"priceFixed": 0.45, "conditions": {"evseKind": "AC"}}], "taxRates": taxes}
    return tariff(
        name,
        description=[
            {"format": "UTF8", "language": "en", "content": "By night 0.31"},
            {"format": "UTF8", "language": "de", "content": "Nachts 0,31"},
        ],
        validFrom=BEGIN,
        energy={**energy_prices(price(0.31, **times("22:00", "06:00")), price(0.47)), "taxRates": taxes},
        chargingTime={**minute_prices(price(0.021)), "taxRates": taxes},
        idleTime=minute_prices(price(0.11, minIdleTime=600)),
        fixedFee=fee,
        reservationTime=minute_prices(price(0.013)),
        reservationFixed={"prices": [{"priceFixed": 1.15}]},
        minCost={"exclTax": 1.25, "inclTax": 1.5},
        maxCost={"exclTax": 60.0, "inclTax": 72.0},
    )


def default_tariff(_probe: Probe) -> Payload:
    """Set a tariff with all of its parts."""
    return {"evseId": EVSE_2, "tariff": _all_parts("all-parts")}


def session_tariff(probe: Probe) -> Payload:
    """Change the tariff of a session that begins here."""
    charging = Charging(probe.station, probe.token(), connector=EVSE_2)
    charging.begin(2100)
    return {"transactionId": str(charging.id), "tariff": _all_parts("all-parts-now")}


def two_tariffs(_probe: Probe) -> Payload:
    """Clear two tariffs."""
    return {"tariffIds": ["night-2031", "day-2031"], "evseId": EVSE_2}


def monitors_to_replace(_probe: Probe) -> Payload:
    """Replace two monitors."""
    place = {"component": {"name": "Connector", "instance": "left", "evse": PLACE}}
    return {
        "setMonitoringData": [
            {
                "id": 4401,
                "transaction": True,
                "value": 13.5,
                "type": "UpperThreshold",
                "severity": 4,
                **place,
                "variable": {"name": "Temperature", "instance": "inlet"},
            },
            {
                "id": 4402,
                "transaction": False,
                "value": 2.5,
                "type": "Delta",
                "severity": 7,
                **place,
                "variable": {"name": "Voltage", "instance": "L2"},
            },
        ]
    }


def message_with_all(_probe: Probe) -> Payload:
    """Show a message on one of several displays, for a while."""
    return {
        "message": {
            "id": 361,
            "priority": "InFront",
            "state": "Charging",
            "startDateTime": BEGIN,
            "endDateTime": END,
            "display": {"name": "Display", "instance": "second", "evse": PLACE},
            "message": {"format": "UTF8", "language": "nl", "content": "Kabel links"},
        }
    }


def message_in_three_languages(probe: Probe) -> Payload:
    """Show it in three languages."""
    more = [
        {"format": "UTF8", "language": "en", "content": "Cable on the left"},
        {"format": "UTF8", "language": "fr", "content": "Cable a gauche"},
    ]
    (message,) = message_with_all(probe).values()
    return {"message": {**message, "id": 362, "messageExtra": more}}


def der_curve(_probe: Probe) -> Payload:
    """Set a curve with all of its parameters."""
    points = [{"x": 92.5, "y": 30.5}, {"x": 98.0, "y": 0.0}, {"x": 104.5, "y": -41.5}]
    curve = {
        "priority": 3,
        "yUnit": "PctMaxVar",
        "curveData": points,
        "hysteresis": {"hysteresisHigh": 1.5, "hysteresisLow": 0.5, "hysteresisDelay": 12.0, "hysteresisGradient": 2.0},
        "reactivePowerParams": {"vRef": 101.5, "autonomousVRefEnable": True, "autonomousVRefTimeConstant": 300.0},
        "responseTime": 7.0,
        "startTime": BEGIN,
        "duration": 4500.0,
    }
    return {"isDefault": False, "controlId": "der-curve-31", "controlType": "VoltVar", "curve": curve}


def controls_of_one_kind(_probe: Probe) -> Payload:
    """Read the controls of one kind."""
    return {"requestId": 8107, "isDefault": False, "controlType": "VoltVar"}


def cleared_controls_of_one_kind(_probe: Probe) -> Payload:
    """Clear the controls of one kind."""
    return {"isDefault": False, "controlType": "VoltVar"}


def update_of_every_limit(_probe: Probe) -> Payload:
    """Update every limit of a dynamic profile."""
    update = {"limit": 8800.0, "dischargeLimit": -3900.0, "setpoint": -2700.0, "setpointReactive": 310.0}
    return {"chargingProfileId": 73, "scheduleUpdate": update}


READ = {
    "getVariableResult": [
        _attribute("Target", "AvailabilityState", attributeStatus="Accepted", attributeValue="1"),
        _attribute("MaxSet", "SupplyPhases", attributeStatus="Accepted", attributeValue="3"),
    ]
}
WRITTEN = {
    "setVariableResult": [_attribute(kind, "SupplyPhases", attributeStatus="Accepted") for kind in ("Target", "MinSet")]
}
MONITORS = {
    "setMonitoringResult": [
        {
            "id": 4401 + number,
            "status": "Accepted",
            "type": kind,
            "severity": severity,
            "component": {"name": "Connector", "instance": "left", "evse": PLACE},
            "variable": {"name": name, "instance": instance},
        }
        for number, (kind, severity, name, instance) in enumerate(
            [("UpperThreshold", 4, "Temperature", "inlet"), ("Delta", 7, "Voltage", "L2")]
        )
    ]
}
