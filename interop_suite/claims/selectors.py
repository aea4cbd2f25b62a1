"""What makes another order of a command although its operator did not name it: another place, fewer things, or more.

A CSMS fills in much that nobody named. What chooses for which EVSE, profile, message, variable or person a command is
must come from its operator: whoever clears profiles of every stack level does not mean level 0.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any

from interop_suite.claims.orders import differences

__all__ = ["unnamed"]

_VARIABLE = (
    "component.instance",
    "component.evse",
    "component.evse.connectorId",
    "variable.instance",
)


def _of_variables(holder: str, *more: str) -> frozenset[str]:
    return frozenset({holder, *more, *(f"{holder}.{path}" for path in _VARIABLE)})


_SELECTORS: Mapping[str, frozenset[str]] = MappingProxyType(
    {
        "ChangeAvailability": frozenset({"evse", "evse.connectorId"}),
        "ClearChargingProfile": frozenset(
            {
                # 1.6
                "id",
                "connectorId",
                "chargingProfilePurpose",
                "stackLevel",
                # 2.x
                "chargingProfileId",
                "chargingProfileCriteria",
                "chargingProfileCriteria.evseId",
                "chargingProfileCriteria.chargingProfilePurpose",
                "chargingProfileCriteria.stackLevel",
            }
        ),
        "ClearTariffs": frozenset({"evseId", "tariffIds"}),
        "ClearVariableMonitoring": frozenset({"id"}),
        "CustomerInformation": frozenset({"idToken", "customerIdentifier", "customerCertificate"}),
        "GetChargingProfiles": frozenset(
            {
                "evseId",
                "chargingProfile.chargingProfilePurpose",
                "chargingProfile.stackLevel",
                "chargingProfile.chargingProfileId",
                "chargingProfile.chargingLimitSource",
            }
        ),
        "GetConfiguration": frozenset({"key"}),
        "GetDisplayMessages": frozenset({"id", "priority", "state"}),
        # Who names no criterion of monitors may name them all instead: that is looked at where it is asked for.
        "GetMonitoringReport": _of_variables("componentVariable"),
        "GetReport": _of_variables("componentVariable", "componentCriteria"),
        "GetTransactionStatus": frozenset({"transactionId"}),
        # To read more than was asked for harms nobody.
        "GetVariables": _of_variables("getVariableData") - {"getVariableData"},
        "ReserveNow": frozenset({"evseId", "connectorType"}),
        "Reset": frozenset({"evseId"}),
        "SetChargingProfile": frozenset({"chargingProfile.transactionId", "csChargingProfiles.transactionId"}),
        "SetDisplayMessage": frozenset({"message.display", "message.state", "message.transactionId"}),
        "SetVariableMonitoring": _of_variables(
            "setMonitoringData", "setMonitoringData.id", "setMonitoringData.transaction"
        ),
        "SetVariables": _of_variables("setVariableData"),
    }
)
"""By action: fields that an operator who means them names, and lists whose entries all come from the operator.

GetInstalledCertificateIds is not among them: whoever looks for a certificate may list its type (Part 6 TC_M_20_CSMS).
"""
_SAME_AS_NOTHING: Mapping[str, object] = MappingProxyType({"setMonitoringData.transaction": False})
"""What a field means that is left out."""


def unnamed(action: str, named: Mapping[str, Any], sent: object) -> list[str]:
    """List what a CALL selects by although its operator did not, each in words."""
    selectors = _SELECTORS.get(action, frozenset())
    return [f"{path} is {value!r}, which nobody named" for path, value in _walk(selectors, named, sent, "")]


def _walk(selectors: frozenset[str], named: Any, sent: Any, path: str) -> Iterator[tuple[str, Any]]:
    if isinstance(named, Mapping) and isinstance(sent, Mapping):
        for name, value in sent.items():
            here = f"{path}.{name}" if path else str(name)
            if name in named:
                yield from _walk(selectors, named[name], value, here)
            elif here in selectors and not _is_nothing(here, value):
                yield here, value
    elif isinstance(named, list | tuple) and isinstance(sent, list | tuple):
        rest = list(sent)
        for wanted in named:
            nearest = min(range(len(rest)), key=lambda index: len(_apart(wanted, rest[index])), default=None)
            if nearest is not None:
                yield from _walk(selectors, wanted, rest.pop(nearest), path)
        # An entry that is there twice is a matter of its own.
        yield from ((path, entry) for entry in rest if path in selectors and all(_apart(w, entry) for w in named))


def _is_nothing(path: str, value: Any) -> bool:
    # An empty list of keys asks for all, as none does (1.6 §5.8); other empty lists are a matter of the schema.
    return value in ([], _SAME_AS_NOTHING.get(path, ...))


def _apart(wanted: Any, entry: Any) -> list[str]:
    return differences("", {"entry": wanted}, {"entry": entry})
