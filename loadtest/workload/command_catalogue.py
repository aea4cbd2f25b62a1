"""What is known of commands before anybody writes a file: per version a payload, whom it suits, and what must follow.

Texts in braces are filled in for the station that is chosen: see `PLACEHOLDERS`.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Any, Final

import msgspec

from ocppj.actions import csms_actions
from ocppj.versions import Version

__all__ = ["ALIASES", "EXAMPLES", "KEYS", "PLACEHOLDERS", "Candidates", "Effect", "Recipe", "known_words", "recipe_of"]


class Candidates(StrEnum):
    """Which stations a command is for; all of them are connected and accepted."""

    IDLE = "idle"
    """No car is at any connector."""
    CHARGING = "charging"
    """A transaction is under way, and the CSMS has given it an id."""
    ANY = "any"


class Effect(StrEnum):
    """What a station that took a command does next, and the CSMS learns."""

    NONE = "none"
    METERED = "first meter value"
    """The CSMS has answered the first meter value of the transaction that was asked for."""
    ENDED = "transaction ended"
    """The CSMS has answered the end of the transaction."""
    BOOTED = "booted again"
    TRIGGERED = "triggered message"
    """The CSMS has answered the message that was asked for."""
    LIMITED = "meter value within the limit"
    """The CSMS has answered a meter value, read after the command, at or under the limit."""


class Recipe(msgspec.Struct, frozen=True, kw_only=True):
    """One command in one version."""

    action: str
    payload: dict[str, Any]
    target: Candidates = Candidates.ANY
    effect: Effect = Effect.NONE
    disturbs: bool = False
    """Whether it changes what other commands count on, such as a reset; it waits until the station has no other."""


PLACEHOLDERS: Final[Mapping[str, Any]] = MappingProxyType(
    {
        "token": "04504C47000000",
        "tokenType": "ISO14443",
        "connector": 1,
        "evse": 1,
        "transactionId": 1,
        "number": 1,
        "limit": 10.0,
        "now": "2026-01-01T00:00:00Z",
    }
)
"""What may stand in braces, with an example: `number` is another one for each command, as ids have to be."""
_TEXT_ID: Final = MappingProxyType({**PLACEHOLDERS, "transactionId": "1"})
EXAMPLES: Final[Mapping[Version, Mapping[str, Any]]] = MappingProxyType(
    {Version.V16: PLACEHOLDERS, Version.V201: _TEXT_ID, Version.V21: _TEXT_ID}
)
"""The examples of each version: a transactionId is a number in 1.6, a text in 2.x."""

_CLEAR_PURPOSE: Final = "TxProfile"


def _start(**more: Any) -> dict[str, Any]:
    return {"target": Candidates.IDLE, "effect": Effect.METERED, "disturbs": True} | more


def _stop(**more: Any) -> dict[str, Any]:
    return {"target": Candidates.CHARGING, "effect": Effect.ENDED, "disturbs": True} | more


_SCHEDULE: Final = {
    "chargingRateUnit": "A",
    "chargingSchedulePeriod": [{"startPeriod": 0, "limit": "{limit}"}],
}
_V16: Final = (
    Recipe(
        action="RemoteStartTransaction",
        payload={"connectorId": "{connector}", "idTag": "{token}"},
        **_start(),
    ),
    Recipe(action="RemoteStopTransaction", payload={"transactionId": "{transactionId}"}, **_stop()),
    Recipe(action="Reset", payload={"type": "Soft"}, effect=Effect.BOOTED, disturbs=True),
    Recipe(
        action="TriggerMessage",
        payload={"requestedMessage": "StatusNotification", "connectorId": "{connector}"},
        effect=Effect.TRIGGERED,
    ),
    Recipe(
        action="ExtendedTriggerMessage",
        payload={"requestedMessage": "StatusNotification", "connectorId": "{connector}"},
        effect=Effect.TRIGGERED,
    ),
    Recipe(action="GetConfiguration", payload={}),
    Recipe(action="ChangeConfiguration", payload={"key": "HeartbeatInterval", "value": "300"}),
    Recipe(
        action="SetChargingProfile",
        payload={
            "connectorId": "{connector}",
            "csChargingProfiles": {
                "chargingProfileId": "{number}",
                "transactionId": "{transactionId}",
                "stackLevel": 0,
                "chargingProfilePurpose": "TxProfile",
                "chargingProfileKind": "Relative",
                "chargingSchedule": _SCHEDULE,
            },
        },
        target=Candidates.CHARGING,
        effect=Effect.LIMITED,
    ),
    Recipe(
        action="ClearChargingProfile",
        payload={"connectorId": "{connector}", "chargingProfilePurpose": _CLEAR_PURPOSE},
    ),
    Recipe(action="GetCompositeSchedule", payload={"connectorId": "{connector}", "duration": 3600}),
    Recipe(
        action="ChangeAvailability", payload={"connectorId": "{connector}", "type": "Operative"}, target=Candidates.IDLE
    ),
    Recipe(action="UnlockConnector", payload={"connectorId": "{connector}"}, target=Candidates.IDLE, disturbs=True),
    Recipe(action="ClearCache", payload={}),
    Recipe(action="GetLocalListVersion", payload={}),
    Recipe(action="DataTransfer", payload={"vendorId": "plugstorm"}),
)

_V2X: Final = (
    Recipe(
        action="RequestStartTransaction",
        payload={
            "evseId": "{evse}",
            "remoteStartId": "{number}",
            "idToken": {"idToken": "{token}", "type": "{tokenType}"},
        },
        **_start(),
    ),
    Recipe(action="RequestStopTransaction", payload={"transactionId": "{transactionId}"}, **_stop()),
    Recipe(action="Reset", payload={"type": "Immediate"}, effect=Effect.BOOTED, disturbs=True),
    Recipe(
        action="TriggerMessage",
        payload={"requestedMessage": "StatusNotification", "evse": {"id": "{evse}", "connectorId": "{connector}"}},
        effect=Effect.TRIGGERED,
    ),
    Recipe(
        action="GetVariables",
        payload={
            "getVariableData": [
                {"component": {"name": "OCPPCommCtrlr"}, "variable": {"name": "HeartbeatInterval"}},
            ]
        },
    ),
    Recipe(
        action="SetVariables",
        payload={
            "setVariableData": [
                {
                    "component": {"name": "OCPPCommCtrlr"},
                    "variable": {"name": "HeartbeatInterval"},
                    "attributeValue": "300",
                },
            ]
        },
    ),
    Recipe(action="GetBaseReport", payload={"requestId": "{number}", "reportBase": "SummaryInventory"}),
    Recipe(
        action="SetChargingProfile",
        payload={
            "evseId": "{evse}",
            "chargingProfile": {
                "id": "{number}",
                "transactionId": "{transactionId}",
                "stackLevel": 0,
                "chargingProfilePurpose": "TxProfile",
                "chargingProfileKind": "Relative",
                "chargingSchedule": [{"id": "{number}", **_SCHEDULE}],
            },
        },
        target=Candidates.CHARGING,
        effect=Effect.LIMITED,
    ),
    Recipe(
        action="ClearChargingProfile",
        payload={"chargingProfileCriteria": {"evseId": "{evse}", "chargingProfilePurpose": _CLEAR_PURPOSE}},
    ),
    Recipe(action="GetCompositeSchedule", payload={"evseId": "{evse}", "duration": 3600}),
    Recipe(
        action="ChangeAvailability",
        payload={"evse": {"id": "{evse}"}, "operationalStatus": "Operative"},
        target=Candidates.IDLE,
    ),
    Recipe(
        action="UnlockConnector",
        payload={"evseId": "{evse}", "connectorId": "{connector}"},
        target=Candidates.IDLE,
        disturbs=True,
    ),
    Recipe(action="GetTransactionStatus", payload={}),
    Recipe(action="ClearCache", payload={}),
    Recipe(action="GetLocalListVersion", payload={}),
    Recipe(action="DataTransfer", payload={"vendorId": "plugstorm"}),
)
_RECIPES: Final[Mapping[Version, Mapping[str, Recipe]]] = MappingProxyType(
    {
        version: MappingProxyType({recipe.action: recipe for recipe in table})
        for version, table in ((Version.V16, _V16), (Version.V201, _V2X), (Version.V21, _V2X))
    }
)

_V2X_NAMES: Final = {
    "remote-start": "RequestStartTransaction",
    "remote-stop": "RequestStopTransaction",
    "reset": "Reset",
    "trigger-status": "TriggerMessage",
    "get-configuration": "GetVariables",
    "set-limit": "SetChargingProfile",
}
ALIASES: Final[Mapping[str, Mapping[Version, str]]] = MappingProxyType(
    {
        alias: MappingProxyType({Version.V16: name, Version.V201: _V2X_NAMES[alias], Version.V21: _V2X_NAMES[alias]})
        for alias, name in {
            "remote-start": "RemoteStartTransaction",
            "remote-stop": "RemoteStopTransaction",
            "reset": "Reset",
            "trigger-status": "TriggerMessage",
            "get-configuration": "GetConfiguration",
            "set-limit": "SetChargingProfile",
        }.items()
    }
)
"""Words that mean the same in every version."""

KEYS: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {
        "RemoteStartTransaction": ("idTag",),
        "RequestStartTransaction": ("idToken", "idToken"),
        "RemoteStopTransaction": ("transactionId",),
        "RequestStopTransaction": ("transactionId",),
        "SetChargingProfile": ("csChargingProfiles", "chargingProfileId"),
        "TriggerMessage": ("requestedMessage",),
        "ExtendedTriggerMessage": ("requestedMessage",),
    }
)
"""Where a payload says which of several commands it is; 2.x says it elsewhere only in SetChargingProfile."""


def known_words() -> list[str]:
    """List everything that may stand as an action, aliases first."""
    actions = {action for version in Version for action in csms_actions(version)}
    return [*ALIASES, *sorted(actions)]


def recipe_of(version: Version, word: str) -> Recipe | None:
    """Find a command by its alias or action; None where the version has none of that name."""
    action = ALIASES[word].get(version) if word in ALIASES else word
    if action is None or action not in csms_actions(version):
        return None
    known = _RECIPES[version].get(action)
    return known if known is not None else Recipe(action=action, payload={})
