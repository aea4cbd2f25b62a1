"""Who may say what before and after the CSMS has accepted a station, as data.

Sources: OCPP 1.6 §4.2 and OCPP-J 1.6 errata §3.8; OCPP 2.0.1 Part 2 B01-B03 (B02.FR.01-09, B03.FR.01-08).
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType

import msgspec

from ocppj.versions import Version

__all__ = ["REGISTRATION", "Permission", "Registration", "may_send"]


class Registration(StrEnum):
    """How a station stands with the CSMS."""

    UNKNOWN = "Unknown"
    """No BootNotification was answered yet on any connection."""
    ACCEPTED = "Accepted"
    PENDING = "Pending"
    REJECTED = "Rejected"


class Permission(msgspec.Struct, frozen=True, kw_only=True):
    """What may be sent in one registration state; None means every action."""

    station: frozenset[str] | None
    station_when_triggered: frozenset[str] | None
    """What TriggerMessage, GetBaseReport or GetReport may ask for on top."""
    csms_forbidden: frozenset[str] | None
    """What the CSMS must not send; None means everything."""
    refuse_others: bool | None
    """Whether the CSMS SHALL (True) or is recommended to (None) answer another CALL with SecurityError."""


_BOOT = frozenset({"BootNotification"})
_NOTHING: frozenset[str] = frozenset()
_ANYTHING = Permission(station=None, station_when_triggered=None, csms_forbidden=_NOTHING, refuse_others=False)

_UNKNOWN = Permission(station=_BOOT, station_when_triggered=_NOTHING, csms_forbidden=_NOTHING, refuse_others=False)
_2X: Mapping[Registration, Permission] = MappingProxyType(
    {
        Registration.UNKNOWN: _UNKNOWN,
        Registration.ACCEPTED: _ANYTHING,
        Registration.PENDING: Permission(
            station=_BOOT,
            station_when_triggered=None,
            csms_forbidden=frozenset({"RequestStartTransaction", "RequestStopTransaction"}),
            refuse_others=True,
        ),
        Registration.REJECTED: Permission(
            station=_BOOT, station_when_triggered=_NOTHING, csms_forbidden=None, refuse_others=True
        ),
    }
)

REGISTRATION: Mapping[Version, Mapping[Registration, Permission]] = MappingProxyType(
    {
        Version.V16: MappingProxyType(
            {
                Registration.UNKNOWN: _UNKNOWN,
                Registration.ACCEPTED: _ANYTHING,
                Registration.PENDING: Permission(
                    station=_BOOT,
                    station_when_triggered=None,
                    csms_forbidden=frozenset({"RemoteStartTransaction", "RemoteStopTransaction"}),
                    refuse_others=None,
                ),
                Registration.REJECTED: Permission(
                    station=_BOOT, station_when_triggered=_NOTHING, csms_forbidden=_NOTHING, refuse_others=None
                ),
            }
        ),
        Version.V201: _2X,
        Version.V21: _2X,
    }
)


def may_send(version: Version, state: Registration, action: str, *, triggered: bool = False) -> bool:
    """Tell whether a station in this state may send the action, on its own or because the CSMS asked for it."""
    permission = REGISTRATION[version][state]
    if permission.station is None or action in permission.station:
        return True
    asked = permission.station_when_triggered
    return triggered and (asked is None or action in asked)
