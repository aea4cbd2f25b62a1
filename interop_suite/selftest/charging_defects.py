"""Defects of charging profiles that show in whichever case has such a profile in its judged part."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType
from typing import Any

from interop_suite.claims.history import History
from interop_suite.selftest.general_defects import Shows, orders

__all__ = ["CHARGING_DEFECTS"]

Payload = Mapping[str, Any]
Holds = Callable[[Payload], Any]


def commanded(action: str, holds: Holds) -> Shows:
    """Return whether the CSMS sends an action with some payload in the judged part, asked for or not."""
    return lambda history: any(holds(call.payload or {}) for call in history.commands(action))


def _profile(payload: Payload) -> Payload:
    profile: Payload = payload.get("chargingProfile", {})
    return profile


def _schedules(payload: Payload) -> list[Payload]:
    schedules: list[Payload] = _profile(payload).get("chargingSchedule", [])
    return schedules


def _periods(payload: Payload) -> Iterator[Payload]:
    for schedule in _schedules(payload):
        yield from schedule["chargingSchedulePeriod"]


def _in_periods(name: str) -> Holds:
    return lambda payload: any(name in period for period in _periods(payload))


def _has_several_periods(payload: Payload) -> bool:
    return any(len(schedule["chargingSchedulePeriod"]) > 1 for schedule in _schedules(payload))


def _is_of_a_later_transaction(history: History) -> bool:
    started = [
        (call.payload.get("transactionInfo") or {}).get("transactionId")
        for call in history.calls("TransactionEvent")
        if call.payload and call.payload.get("eventType") == "Started"
    ]
    named = [_profile(call.payload or {}).get("transactionId") for call in history.commands("SetChargingProfile")]
    return any(number in started[1:] for number in named)


def _sets(holds: Holds) -> Shows:
    return orders("SetChargingProfile", holds)


CHARGING_DEFECTS: Mapping[str, Shows] = MappingProxyType(
    {
        "profile-on-first-evse": commanded("SetChargingProfile", lambda payload: payload.get("evseId", 0) > 1),
        "station-profile-on-evse-1": _sets(lambda payload: payload.get("evseId") == 0),
        "profile-evse-zero-left-out": _sets(lambda payload: payload.get("evseId") == 0),
        "profile-periods-reversed": commanded("SetChargingProfile", _has_several_periods),
        "profile-first-period-only": _sets(_has_several_periods),
        "profile-limits-rounded": _sets(lambda payload: any(p.get("limit", 0) % 1 for p in _periods(payload))),
        "profile-amperes-as-watts": _sets(
            lambda payload: any(each["chargingRateUnit"] == "A" for each in _schedules(payload))
        ),
        "profile-stack-level-zero": _sets(lambda payload: _profile(payload).get("stackLevel", 0) > 0),
        "profile-always-relative": _sets(
            lambda payload: _profile(payload).get("chargingProfileKind", "Relative") != "Relative"
        ),
        "profile-without-validity": _sets(
            lambda payload: (
                {"validFrom", "validTo"} & set(_profile(payload))
                or any("minChargingRate" in each for each in _schedules(payload))
            )
        ),
        "profile-without-phases": _sets(_in_periods("numberPhases")),
        "profile-without-duration": _sets(lambda payload: any("duration" in each for each in _schedules(payload))),
        "profile-without-recurrency-kind": _sets(lambda payload: "recurrencyKind" in _profile(payload)),
        "profile-without-start-schedule": commanded(
            "SetChargingProfile", lambda payload: any("startSchedule" in each for each in _schedules(payload))
        ),
        "tx-profile-of-no-transaction": commanded(
            "SetChargingProfile", lambda payload: "transactionId" in _profile(payload)
        ),
        "tx-profile-of-first-transaction": _is_of_a_later_transaction,
        "profile-without-max-offline-duration": _sets(lambda payload: "maxOfflineDuration" in _profile(payload)),
        "profile-without-limit-at-soc": _sets(lambda payload: any("limitAtSoC" in s for s in _schedules(payload))),
        "profile-without-randomized-delay": _sets(
            lambda payload: any("randomizedDelay" in each for each in _schedules(payload))
        ),
        "profile-without-update-interval": _sets(lambda payload: "dynUpdateInterval" in _profile(payload)),
        "profile-without-operation-mode": _sets(_in_periods("operationMode")),
        "profile-without-setpoint": _sets(_in_periods("setpoint")),
        "profile-without-frequency-curve": _sets(_in_periods("v2xFreqWattCurve")),
        "profile-without-signal-curve": _sets(_in_periods("v2xSignalWattCurve")),
        "profile-curve-backwards": _sets(
            lambda payload: any(
                len(p.get(name, ())) > 1
                for p in _periods(payload)
                for name in ("v2xFreqWattCurve", "v2xSignalWattCurve")
            )
        ),
        "discharge-above-zero": _sets(
            lambda payload: any(min(p.get("dischargeLimit", 0), p.get("setpoint", 0)) < 0 for p in _periods(payload))
        ),
        "priority-profile-as-default": _sets(
            lambda payload: _profile(payload).get("chargingProfilePurpose") == "PriorityCharging"
        ),
        "remote-start-without-profile": orders("RequestStartTransaction", _profile),
        "remote-start-with-default-profile": orders("RequestStartTransaction", _profile),
        "get-profiles-evse-zero-left-out": orders("GetChargingProfiles", lambda payload: payload.get("evseId") == 0),
        "get-profiles-of-evse-1": orders("GetChargingProfiles", lambda payload: payload.get("evseId", 0) > 1),
        "get-profiles-first-id-only": orders(
            "GetChargingProfiles", lambda payload: len(_profile(payload).get("chargingProfileId", [])) > 1
        ),
        "get-profiles-without-stack-level": orders(
            "GetChargingProfiles", lambda payload: "stackLevel" in _profile(payload)
        ),
        "get-profiles-source-as-text": orders(
            "GetChargingProfiles", lambda payload: "chargingLimitSource" in _profile(payload)
        ),
        "get-profiles-of-another-purpose": orders(
            "GetChargingProfiles",
            lambda payload: _profile(payload).get("chargingProfilePurpose", "TxProfile") != "TxProfile",
        ),
        "get-profiles-by-one-criterion": orders(
            "GetChargingProfiles",
            lambda payload: {"stackLevel", "chargingProfilePurpose"} <= set(_profile(payload)),
        ),
        "clear-profile-without-id": orders("ClearChargingProfile", lambda payload: "chargingProfileId" in payload),
        "clear-profiles-of-every-level": orders(
            "ClearChargingProfile", lambda payload: "stackLevel" in payload.get("chargingProfileCriteria", {})
        ),
        "allowed-transfers-as-text": lambda history: any(
            "allowedEnergyTransfer" in call.result for call in history.calls("Authorize")
        ),
        "composite-schedule-of-evse-1": orders("GetCompositeSchedule", lambda payload: payload.get("evseId", 1) != 1),
        "composite-schedule-in-minutes": orders("GetCompositeSchedule"),
    }
)
