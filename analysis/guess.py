"""What a log does not say and the frames themselves tell: the OCPP version, and which way a frame went."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from analysis.model import Direction
from ocppj.actions import ACTIONS
from ocppj.versions import Version

__all__ = ["ANY_ACTION", "direction_of_action", "guess_version", "head_of"]

_STATION_ONLY: Final = {name for table in ACTIONS.values() for name, action in table.items() if action.by_station} - {
    name for table in ACTIONS.values() for name, action in table.items() if action.by_csms
}
_CSMS_ONLY: Final = {name for table in ACTIONS.values() for name, action in table.items() if action.by_csms} - {
    name for table in ACTIONS.values() for name, action in table.items() if action.by_station
}
ANY_ACTION: Final = frozenset(name for table in ACTIONS.values() for name in table)
"""The actions of all versions."""
_ONLY: Final[Mapping[str, Version]] = {
    **{name: Version.V16 for name in ACTIONS[Version.V16] if name not in ACTIONS[Version.V21]},
    **{name: Version.V201 for name in ACTIONS[Version.V201] if name not in ACTIONS[Version.V16]},
    **{name: Version.V21 for name in ACTIONS[Version.V21] if name not in ACTIONS[Version.V201]},
}
"""Actions by which a version is known; those of 2.0.1 may be of 2.1 as well."""
# Fields of a CALL that only one of the families has, by action; of the 2.x versions the older is taken.
_FIELDS: Final[Mapping[str, Mapping[str, Version]]] = {
    "BootNotification": {"chargePointModel": Version.V16, "chargePointVendor": Version.V16,
                         "chargingStation": Version.V201, "reason": Version.V201},
    "Authorize": {"idTag": Version.V16, "idToken": Version.V201},
    "StatusNotification": {"errorCode": Version.V16, "connectorStatus": Version.V201, "evseId": Version.V201},
    "MeterValues": {"connectorId": Version.V16, "evseId": Version.V201},
    "ChangeAvailability": {"type": Version.V16, "operationalStatus": Version.V201},
    "SendLocalList": {"listVersion": Version.V16, "versionNumber": Version.V201},
    "ReserveNow": {"connectorId": Version.V16, "idTag": Version.V16, "id": Version.V201},
    "SetChargingProfile": {"csChargingProfiles": Version.V16, "connectorId": Version.V16,
                           "chargingProfile": Version.V201},
    "UpdateFirmware": {"location": Version.V16, "firmware": Version.V201},
}  # fmt: skip
_RESETS: Final = {"Hard": Version.V16, "Soft": Version.V16, "Immediate": Version.V201, "OnIdle": Version.V201}
_CALL_LENGTH: Final = 4
_HEAD: Final = re.compile(r'\s*\[\s*([2-6])\s*,\s*"([^"\\]{0,255})"\s*(?:,\s*"([^"\\]{1,60})")?')


def direction_of_action(action: object) -> Direction | None:
    """Return the way of a CALL whose action only one side sends."""
    if action in _STATION_ONLY:
        return Direction.TO_CSMS
    return Direction.TO_STATION if action in _CSMS_ONLY else None


def head_of(text: str) -> tuple[int, str, str | None]:
    """Read number, id and action off the beginning of a frame; 0 for the number where there is nothing to read."""
    match = _HEAD.match(text)
    return (int(match[1]), match[2], match[3]) if match else (0, "", None)


def guess_version(value: Any) -> Version | None:
    """Return the version that a frame shows; None where it may be of several."""
    if type(value) is not list or not value:
        return None
    if value[0] in (5, 6) and type(value[0]) is int:
        return Version.V21
    if value[0] != 2 or len(value) != _CALL_LENGTH or not isinstance(value[2], str):  # noqa: PLR2004 - a CALL
        return None
    action, payload = value[2], value[3]
    if action in _ONLY:
        return _ONLY[action]
    if not isinstance(payload, dict):
        return None
    if action == "Reset":
        return _RESETS.get(str(payload.get("type")))
    return next((version for field, version in _FIELDS.get(action, {}).items() if field in payload), None)
