"""Defects that fill in what an operator left out, which show in whichever case an operator leaves it out."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from fixtures.csms.defects.v2x_filled_in import ITEMS
from interop_suite.claims.history import History
from interop_suite.selftest.general_defects import Shows, orders

__all__ = ["FILLED_IN_DEFECTS"]

Payload = Mapping[str, Any]


def _any(*several: Shows) -> Shows:
    return lambda history: any(shows(history) for shows in several)


def _profile(named: Payload) -> Payload:
    profile: Payload = named.get("chargingProfile") or {}
    return profile


def _lacks_criteria(history: History) -> bool:
    read = orders("GetChargingProfiles", lambda named: "evseId" not in named or "stackLevel" not in _profile(named))
    clear = orders("ClearChargingProfile", lambda named: "chargingProfileCriteria" not in named)
    return read(history) or clear(history)


def _lacks_evse(action: str) -> Shows:
    items = ITEMS[action]
    return orders(action, lambda named: any("evse" not in entry["component"] for entry in named.get(items, ())))


FILLED_IN_DEFECTS: Mapping[str, Shows] = MappingProxyType(
    {
        # 1.6
        "clear-profile-zeros": orders(
            "ClearChargingProfile", lambda named: not {"id", "connectorId", "stackLevel"} <= set(named)
        ),
        # 2.x
        "profile-criteria-filled-with-zeros": _lacks_criteria,
        "variables-of-first-evse-by-default": _any(*map(_lacks_evse, ITEMS)),
        "monitor-id-zero-by-default": orders(
            "SetVariableMonitoring",
            lambda named: any("id" not in entry for entry in named.get("setMonitoringData", ())),
        ),
        "display-message-while-idle-by-default": orders(
            "SetDisplayMessage", lambda named: "state" not in named.get("message", {})
        ),
        "customer-named-twice": orders("CustomerInformation", lambda named: "customerIdentifier" not in named),
        "default-profile-with-transaction": orders(
            "SetChargingProfile",
            lambda named: (
                _profile(named).get("chargingProfilePurpose") != "TxProfile" and "transactionId" not in _profile(named)
            ),
        ),
        "reserve-first-connector-type": orders("ReserveNow", lambda named: "connectorType" not in named),
        "reserve-first-evse": orders("ReserveNow", lambda named: "evseId" not in named),
        "clears-one-monitor-more": orders("ClearVariableMonitoring"),
        "get-profiles-of-the-station-only": orders("GetChargingProfiles", lambda named: "evseId" not in named),
        "get-display-messages-in-front-only": orders("GetDisplayMessages", lambda named: "priority" not in named),
    }
)
