"""The settings that the CSMS has changed: configuration keys of 1.6 (§9) and variables of 2.x (B05-B07).

The values of a station that nobody changed are those of `fixtures.device`; `Settings` begin with the first change.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final, NamedTuple

from fixtures.models import OPERATOR
from loadtest.station.contract import Host, State
from loadtest.station.dialect.contract import Payload
from loadtest.station.state.store import peek
from ocppj.versions import Version

__all__ = ["Key", "Settings", "flag", "text_setting"]

Key = tuple[str | int, ...]
"""Of 1.6 the name; of 2.x component, variable, instance, EVSE and connector; in lower case."""


class Settings(State):
    """What was changed at one station."""

    __slots__ = ("measurands", "network_profiles", "password", "pending", "values")

    def __init__(self, station: Host) -> None:
        """Start as delivered."""
        super().__init__(station)
        self.values: dict[Key, str] = {}
        self.pending: dict[Key, str] = {}
        """What counts after the next boot (RebootRequired)."""
        self.measurands: tuple[str, ...] | None = None
        """What the meter reports; None for what it came with."""
        self.network_profiles: dict[int, Payload] = {}
        """Ways to a CSMS by their slots (OCPP 2.x B09)."""
        self.password: str | None = None
        """The password of the next connections."""

    def back(self, now: float, *, booted: bool) -> None:  # noqa: ARG002 - whenever that is
        """Let everything count that waited for a boot."""
        if booted:
            self.values |= self.pending
            self.pending.clear()


# -- what a station itself goes by -------------------------------------------------------------------------------------


class _Named(NamedTuple):
    """A setting that a station goes by, with its name in each version; None where the version has none."""

    default: str
    in_16: str | None
    in_2x: tuple[str, str] | None


_NAMED: Final[Mapping[str, _Named]] = MappingProxyType(
    {
        "authorize_remote": _Named("false", "AuthorizeRemoteTxRequests", ("AuthCtrlr", "AuthorizeRemoteStart")),
        "cache": _Named("true", "AuthorizationCacheEnabled", ("AuthCacheCtrlr", "Enabled")),
        "local_list": _Named("true", "LocalAuthListEnabled", ("LocalAuthListCtrlr", "Enabled")),
        "local_offline": _Named("true", "LocalAuthorizeOffline", ("AuthCtrlr", "LocalAuthorizeOffline")),
        "local_pre": _Named("false", "LocalPreAuthorize", ("AuthCtrlr", "LocalPreAuthorize")),
        "organization": _Named(OPERATOR, "CpoName", ("SecurityCtrlr", "OrganizationName")),
        "reservations": _Named("true", None, ("ReservationCtrlr", "Enabled")),
        "smart_charging": _Named("true", None, ("SmartChargingCtrlr", "Enabled")),
    }
)


def _key_16(named: _Named) -> Key | None:
    return None if named.in_16 is None else (named.in_16.lower(),)


def _key_2x(named: _Named) -> Key | None:
    return None if named.in_2x is None else (named.in_2x[0].lower(), named.in_2x[1].lower(), "", 0, 0)


_KEYS: Mapping[Version, Callable[[_Named], Key | None]] = MappingProxyType(
    {Version.V16: _key_16, Version.V201: _key_2x, Version.V21: _key_2x}
)


def text_setting(station: Host, name: str) -> str:
    """Return what a setting is now, by the name that all versions share here."""
    named, kept = _NAMED[name], peek(station, Settings)
    if kept is None:
        return named.default
    key = _KEYS[station.version](named)
    return named.default if key is None else kept.values.get(key, named.default)


def flag(station: Host, name: str) -> bool:
    """Return whether a setting is on."""
    return text_setting(station, name).lower() == "true"
