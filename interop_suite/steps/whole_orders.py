"""Orders with the fields that others leave out, at other places, of other tokens, and several of each action.

Between two orders of an action no value is the same, so that what a CSMS mixes up or makes constant shows.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from typing import Any

from fixtures.tokens import TokenKind
from interop_suite.drive.probe import Probe
from interop_suite.steps.charging import Charging
from interop_suite.steps.rich_orders import BEGIN, END, PLACE, SINCE
from interop_suite.steps.smart_charging import EVSE_1, EVSE_2, profile, schedule, set_profile, two_sessions
from interop_suite.steps.tariffs import energy_prices, minute_prices, price, tariff, times

__all__ = [
    "NOT_WRITTEN",
    "NO_SUCH_VARIABLES",
    "components_with_instances",
    "customers_of_all_kinds",
    "default_and_named_controls",
    "default_and_named_controls_cleared",
    "der_controls_of_every_kind",
    "list_of_other_tokens",
    "monitors_of_instances",
    "network_behind_an_apn",
    "priced_profiles",
    "prices_by_every_condition",
    "profiles_of_other_units",
    "reads_of_instances",
    "reservations_of_other_tokens",
    "session_prices_by_every_condition",
    "starts_with_whole_profiles",
    "swaps_by_other_tokens",
    "updates_of_each_phase",
    "writes_of_instances",
]

Payload = dict[str, Any]
Orders = Sequence[Payload]
LATER = "2031-05-09T18:15:00Z"
_MORE = (
    {"additionalIdToken": "DE-PLG-R00731-4", "type": "contract"},
    {"additionalIdToken": "FR-PLG-19", "type": "fleet"},
)


def _key_code(probe: Probe) -> Payload:
    """Make the CSMS know a token that is no card."""
    token = str(10**7 + secrets.randbelow(9 * 10**7))
    probe.give_token(token, "Accepted", type=TokenKind.KEY_CODE)
    return {"idToken": token, "type": TokenKind.KEY_CODE.value}


def _contract(probe: Probe) -> Payload:
    return {"idToken": probe.contract_id(), "type": TokenKind.EMAID.value, "additionalInfo": list(_MORE)}


def _group(probe: Probe) -> Payload:
    return {"idToken": probe.made_up_token(), "type": "ISO14443", "additionalInfo": [_MORE[1]]}


def reservations_of_other_tokens(probe: Probe) -> Orders:
    """Reserve for a contract at one EVSE, and for a code at any."""
    contract = {"id": 8201, "expiryDateTime": BEGIN, "connectorType": "sType2", "evseId": EVSE_1}
    code = {"id": 8202, "expiryDateTime": END, "connectorType": "cCCS2"}
    return (
        {**contract, "idToken": _contract(probe), "groupIdToken": _group(probe)},
        {**code, "idToken": _key_code(probe)},
    )


def start_anywhere(probe: Probe) -> Sequence[Payload]:
    """Start a session at whichever EVSE the station chooses."""
    return ({"remoteStartId": 8157, "idToken": {"idToken": probe.token(), "type": "ISO14443"}},)


def starts_with_whole_profiles(probe: Probe) -> Orders:
    """Start with profiles that have all that a profile for a transaction can have."""
    periods = [
        {"startPeriod": 0, "limit": 14.5, "numberPhases": 1, "phaseToUse": 3},
        {"startPeriod": 2100, "limit": 9.5, "numberPhases": 1, "phaseToUse": 2},
    ]
    first = {**schedule(181, (0, 1.0), duration=6600, minChargingRate=6.2), "chargingSchedulePeriod": periods}
    power = schedule(182, (0, 10_500.0), (1200, 7_300.0), unit="W", duration=4200, minChargingRate=1380.0)
    power["chargingSchedulePeriod"] = [{**each, "numberPhases": 3} for each in power["chargingSchedulePeriod"]]
    own = (
        profile(81, "TxProfile", "Absolute", 2, first, validFrom=SINCE, validTo=END),
        profile(82, "TxProfile", "Relative", 4, power, validTo=LATER),
    )
    return (
        {
            "evseId": EVSE_2,
            "remoteStartId": 8211,
            "idToken": _contract(probe),
            "groupIdToken": _group(probe),
            "chargingProfile": own[0],
        },
        {"evseId": EVSE_1, "remoteStartId": 8212, "idToken": _key_code(probe), "chargingProfile": own[1]},
    )


def _cost(kind: str, amount: int, multiplier: int) -> Payload:
    return {"costKind": kind, "amount": amount, "amountMultiplier": multiplier}


def _sales_tariff(number: int) -> Payload:
    costs = (
        [_cost("RelativePricePercentage", 70, 0), _cost("CarbonDioxideEmission", 31, 1)],
        [_cost("RenewableGenerationPercentage", 64, 0), _cost("RelativePricePercentage", 12, 1)],
    )
    return {
        "id": number,
        "salesTariffDescription": f"Night {number}",
        "numEPriceLevels": 3,
        "salesTariffEntry": [
            {
                "relativeTimeInterval": {"start": 1800 * index, "duration": 1800 + 60 * index},
                "ePriceLevel": index + 1,
                "consumptionCost": [
                    {"startValue": 2.5 * (index + part), "cost": each} for part, each in enumerate(costs)
                ],
            }
            for index in range(2)
        ],
    }


def profiles_of_other_units(probe: Probe) -> Orders:
    """Set a profile of a session in W with a sales tariff, and a weekly one in W for the EVSE beside it."""
    charging = Charging(probe.station, probe.token(), connector=EVSE_1)
    charging.begin(2_300)
    own = schedule(183, (0, 10_800.0), (1500, 6_400.0), unit="W", duration=3900, minChargingRate=1400.0)
    own["chargingSchedulePeriod"] = [{**each, "numberPhases": 3} for each in own["chargingSchedulePeriod"]]
    own["salesTariff"] = _sales_tariff(63)
    weekly = schedule(184, (0, 9_100.0), (3600, 4_700.0), unit="W", duration=18_000)
    recurring = profile(
        84, "TxDefaultProfile", "Recurring", 3, weekly, recurrencyKind="Weekly", validFrom=SINCE, validTo=LATER
    )
    recurring["chargingSchedule"] = [{**each, "startSchedule": END} for each in recurring["chargingSchedule"]]
    return (
        set_profile(EVSE_1, profile(83, "TxProfile", "Absolute", 2, own), str(charging.id)),
        set_profile(EVSE_2, recurring),
    )


def _rational(value: int, exponent: int) -> Payload:
    return {"value": value, "exponent": exponent}


def _price_schedule() -> Payload:
    rules = [
        {
            "energyFee": _rational(31 + number, -2),
            "powerRangeStart": _rational(4 * number, 3),
            "parkingFee": _rational(5 + number, -1),
            "parkingFeePeriod": 3600 + number,
            "carbonDioxideEmission": 210 + number,
            "renewableGenerationPercentage": 44 + number,
        }
        for number in range(2)
    ]
    tax = {
        "taxRuleID": 7,
        "taxRuleName": "VAT",
        "taxIncludedInPrice": True,
        "appliesToEnergyFee": True,
        "appliesToParkingFee": False,
        "appliesToOverstayFee": True,
        "appliesToMinimumMaximumCost": False,
        "taxRate": _rational(19, 0),
    }
    overstay = {
        "overstayTimeThreshold": 900,
        "overstayPowerThreshold": _rational(14, 2),
        "overstayRule": [
            {
                "overstayRuleDescription": "first hour",
                "startTime": 0,
                "overstayFeePeriod": 600,
                "overstayFee": _rational(12, -1),
            }
        ],
    }
    return {
        "timeAnchor": BEGIN,
        "priceScheduleID": 511,
        "priceScheduleDescription": "By night",
        "currency": "EUR",
        "language": "de",
        "priceAlgorithm": "urn:iso:std:iso:15118:-20:PriceAlgorithm:1-Power",
        "minimumCost": _rational(15, -1),
        "maximumCost": _rational(62, 0),
        "priceRuleStacks": [{"duration": 1800, "priceRule": rules}, {"duration": 5400, "priceRule": rules[:1]}],
        "taxRules": [tax, {**tax, "taxRuleID": 8, "taxRuleName": "City", "taxRate": _rational(25, -1)}],
        "overstayRuleList": overstay,
        "additionalSelectedServices": [{"serviceName": "Car wash", "serviceFee": _rational(95, -1)}],
    }


def _level_schedule() -> Payload:
    return {
        "timeAnchor": END,
        "priceScheduleId": 512,
        "priceScheduleDescription": "In levels",
        "numberOfPriceLevels": 4,
        "priceLevelScheduleEntries": [{"duration": 2700, "priceLevel": 2}, {"duration": 900, "priceLevel": 4}],
    }


def priced_profiles(probe: Probe) -> Orders:
    """Set profiles of two sessions of ISO 15118-20, one with prices and one with levels, both with limits by phase."""
    older, newer = two_sessions(probe)
    whole = schedule(
        185, (0, 12.5), (2400, 8.5), duration=7500, signatureId=3, digestValue="uJ4kWx0p", useLocalTime=True
    )
    whole["absolutePriceSchedule"] = _price_schedule()
    levels = schedule(186, (0, 9_400.0), unit="W", duration=3300)
    levels["priceLevelSchedule"] = _level_schedule()
    levels["chargingSchedulePeriod"] = [
        {
            "startPeriod": 0,
            "operationMode": "CentralSetpoint",
            "limit": 9_400.0,
            "setpoint": 5_100.0,
            "setpoint_L2": 4_900.0,
            "setpoint_L3": 4_700.0,
            "setpointReactive": 310.0,
            "setpointReactive_L2": 290.0,
            "setpointReactive_L3": 270.0,
            "dischargeLimit": -6_100.0,
            "dischargeLimit_L2": -5_900.0,
            "dischargeLimit_L3": -5_700.0,
        }
    ]
    return (
        set_profile(EVSE_1, profile(85, "TxProfile", "Absolute", 1, whole), str(older.id)),
        set_profile(EVSE_2, profile(86, "TxProfile", "Absolute", 2, levels), str(newer.id)),
    )


_LEFT: Mapping[str, Any] = {"name": "Connector", "instance": "left", "evse": {"id": EVSE_1, "connectorId": 1}}
_RIGHT: Mapping[str, Any] = {"name": "Connector", "instance": "right", "evse": PLACE}
_INLET: Mapping[str, Any] = {"name": "Temperature", "instance": "inlet"}
_PHASE: Mapping[str, Any] = {"name": "Voltage", "instance": "L3"}
_PAIRS = ((_LEFT, _INLET), (_RIGHT, _PHASE))


def _pairs(**more: Any) -> list[Payload]:
    return [{"component": {**place}, "variable": {**variable}, **more} for place, variable in _PAIRS]


def components_with_instances(_probe: Probe) -> Orders:
    """Report two variables of which there are several, at two places."""
    return ({"requestId": 8221, "componentVariable": _pairs()},)


def monitors_of_instances(_probe: Probe) -> Orders:
    """Report their monitors."""
    return ({"requestId": 8222, "componentVariable": _pairs()},)


def reads_of_instances(_probe: Probe) -> Orders:
    """Read them."""
    return ({"getVariableData": _pairs()},)


def writes_of_instances(_probe: Probe) -> Orders:
    """Write them."""
    return (
        {
            "setVariableData": [
                {**pair, "attributeValue": value} for pair, value in zip(_pairs(), ("61.5", "229"), strict=True)
            ]
        },
    )


NO_SUCH_VARIABLES = {"getVariableResult": _pairs(attributeStatus="UnknownVariable")}
NOT_WRITTEN = {"setVariableResult": _pairs(attributeStatus="UnknownVariable")}


def network_behind_an_apn(_probe: Probe) -> Orders:
    """Describe a mobile network, with what its card needs."""
    apn = {
        "apn": "stations.example",
        "apnUserName": "depot-7",
        "apnPassword": "apn-Q2x",
        "simPin": 4711,
        "preferredNetwork": "26202",
        "useOnlyPreferredNetwork": True,
        "apnAuthentication": "PAP",
    }
    vpn = {"server": "vpn2.example.invalid", "user": "depot", "password": "Vp-31", "key": "shared-31", "type": "L2TP"}
    connection = {
        "ocppVersion": "OCPP20",
        "ocppTransport": "JSON",
        "ocppCsmsUrl": "wss://fifth.csms.example.invalid/depot/ocpp",
        "messageTimeout": 57,
        "securityProfile": 3,
        "ocppInterface": "Wireless1",
        "apn": apn,
        "vpn": vpn,
    }
    return ({"configurationSlot": 6, "connectionData": connection},)


def list_of_other_tokens(probe: Probe) -> Orders:
    """List tokens that are no cards."""
    accepted = {"idTokenInfo": {"status": "Accepted"}}
    tokens = (_contract(probe), _key_code(probe))
    entries = [{"idToken": token, **accepted} for token in tokens]
    return ({"versionNumber": 61, "updateType": "Full", "localAuthorizationList": entries},)


def customers_of_all_kinds(probe: Probe) -> Orders:
    """Ask for what is kept of the holders of a contract, of a certificate, and of a code."""
    certificate = {
        "hashAlgorithm": "SHA512",
        "issuerNameHash": "1f" * 32,
        "issuerKeyHash": "2e" * 32,
        "serialNumber": "5c03d1a7",
    }
    return (
        {"requestId": 8231, "report": True, "clear": False, "idToken": _contract(probe)},
        {"requestId": 8232, "report": False, "clear": True, "customerCertificate": certificate},
        {"requestId": 8233, "report": True, "clear": True, "idToken": _key_code(probe)},
    )


def swaps_by_other_tokens(probe: Probe) -> Orders:
    """Swap batteries for a contract and for a code."""
    return (
        {"requestId": 8241, "idToken": _contract(probe)},
        {"requestId": 8242, "idToken": _key_code(probe)},
    )


def _der(number: int, kind: str, name: str, control: Payload, *, is_default: bool = False) -> Payload:
    return {"isDefault": is_default, "controlId": f"der-{number}", "controlType": kind, name: control}


def der_controls_of_every_kind(_probe: Probe) -> Orders:
    """Set one control of each kind that is no curve."""
    power_factor = {"displacement": 0.94, "excitation": True, "startTime": BEGIN, "duration": 3000.0}
    trip = {"priority": 5, "yUnit": "Not_Applicable", "curveData": [{"x": 108.5, "y": 3.2}, {"x": 117.0, "y": 0.4}]}
    tripping = {"hv10MinMeanValue": 109.5, "hv10MinMeanTripDelay": 3.5, "powerDuringCessation": "Reactive"}
    return (
        _der(
            41,
            "EnterService",
            "enterService",
            {
                "priority": 1,
                "highVoltage": 106.5,
                "lowVoltage": 91.5,
                "highFreq": 50.3,
                "lowFreq": 49.6,
                "delay": 290.0,
                "randomDelay": 25.0,
                "rampRate": 0.3,
            },
            is_default=True,
        ),
        _der(42, "FixedPFAbsorb", "fixedPFAbsorb", {"priority": 2, **power_factor}),
        _der(
            43,
            "FixedPFInject",
            "fixedPFInject",
            {"priority": 3, "displacement": 0.91, "excitation": False, "startTime": END, "duration": 1700.0},
        ),
        _der(
            44,
            "FreqDroop",
            "freqDroop",
            {
                "priority": 4,
                "overFreq": 50.2,
                "underFreq": 49.7,
                "overDroop": 0.05,
                "underDroop": 0.04,
                "responseTime": 4.5,
                "startTime": LATER,
                "duration": 2600.0,
            },
        ),
        _der(45, "Gradients", "gradient", {"priority": 6, "gradient": 0.8, "softGradient": 0.35}, is_default=True),
        _der(46, "HVMustTrip", "curve", {**trip, "voltageParams": tripping}, is_default=True),
        _der(
            47,
            "LimitMaxDischarge",
            "limitMaxDischarge",
            {
                "priority": 7,
                "pctMaxDischargePower": 62.5,
                "powerMonitoringMustTrip": {**trip, "priority": 8},
                "startTime": BEGIN,
                "duration": 5200.0,
            },
        ),
    )


def default_and_named_controls(_probe: Probe) -> Orders:
    """Read default controls of one kind, and one by its id."""
    return (
        {"requestId": 8251, "isDefault": True, "controlType": "FreqDroop"},
        {"requestId": 8252, "controlId": "der-47"},
    )


def default_and_named_controls_cleared(_probe: Probe) -> Orders:
    """Clear them."""
    return ({"isDefault": True, "controlType": "HVMustTrip"}, {"isDefault": False, "controlId": "der-44"})


def updates_of_each_phase(_probe: Probe) -> Orders:
    """Update a dynamic profile phase by phase, and another one by one limit."""
    by_phase = {
        f"{name}{phase}": value + step
        for name, value in (
            ("limit", 8_100.0),
            ("dischargeLimit", -3_700.0),
            ("setpoint", -2_100.0),
            ("setpointReactive", 150.0),
        )
        for phase, step in (("", 0.0), ("_L2", -200.0), ("_L3", -400.0))
    }
    return (
        {"chargingProfileId": 91, "scheduleUpdate": by_phase},
        {"chargingProfileId": 92, "scheduleUpdate": {"limit": 4_300.0}},
    )


_BOUNDS: Mapping[str, Any] = {
    "dayOfWeek": ["Monday", "Saturday"],
    "validFromDate": "2031-03-02",
    "validToDate": "2031-10-31",
    "evseKind": "AC",
    "minEnergy": 1500.0,
    "maxEnergy": 41_000.0,
    "minCurrent": 6.5,
    "maxCurrent": 31.5,
    "minPower": 1400.0,
    "maxPower": 21_500.0,
    "minTime": 120,
    "maxTime": 28_000,
    "minChargingTime": 180,
    "maxChargingTime": 25_000,
}


def _by_every_condition(name: str, cents: int) -> Payload:
    bounded = price((cents + 4) / 100, **times("21:00", "05:30"), **_BOUNDS)
    taxes = [{"type": "vat", "tax": 21.0, "stack": 1}, {"type": "city", "tax": 3.5, "stack": 0}]
    fixed = {"priceFixed": (cents + 50) / 100, "conditions": {"dayOfWeek": ["Sunday"], "paymentBrand": "VISA"}}
    return tariff(
        name,
        energy={**energy_prices(bounded, price(cents / 100)), "taxRates": taxes},
        idleTime=minute_prices(price(0.12, minIdleTime=900, maxIdleTime=7200), price(0.03)),
        fixedFee={"prices": [fixed]},
    )


def prices_by_every_condition(_probe: Probe) -> Orders:
    """Set tariffs of two EVSEs whose prices hold under every condition that there is."""
    return (
        {"evseId": EVSE_2, "tariff": _by_every_condition("conditions-2", 33)},
        {"evseId": EVSE_1, "tariff": _by_every_condition("conditions-1", 41)},
    )


def session_prices_by_every_condition(probe: Probe) -> Orders:
    """Change the tariffs of two sessions to such ones."""
    older, newer = two_sessions(probe)
    return tuple(
        {"transactionId": str(each.id), "tariff": _by_every_condition(f"conditions-{cents}", cents)}
        for each, cents in ((older, 36), (newer, 44))
    )
