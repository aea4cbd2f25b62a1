"""Settings that keep what the CSMS set: configuration keys of 1.6 (§9) and variables of 2.x (B05-B07).

The values of a station that nobody changed are those of `fixtures.device`; a store begins with the first change.
"""

from __future__ import annotations

from functools import partial
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from fixtures.device import find_key, find_variable
from fixtures.payloads.sampled_values import MEASURANDS
from loadtest.station.commands.common import Reaction, Request
from loadtest.station.state.store import store_of
from ocppj.versions import Version

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from fixtures.device import Variable
    from loadtest.station.station import Station

__all__ = [
    "Settings",
    "change_configuration",
    "flag",
    "get_configuration",
    "get_variables",
    "set_network_profile",
    "set_variables",
    "text_setting",
    "value_of",
]

Key = tuple[str | int, ...]
"""Of 1.6 the name; of 2.x component, variable, instance, EVSE and connector; in lower case."""


class Settings:
    """What was changed at one station."""

    __slots__ = ("measurands", "pending", "values")

    def __init__(self) -> None:
        """Start as delivered."""
        self.values: dict[Key, str] = {}
        self.pending: dict[Key, str] = {}
        """What counts after the next boot (RebootRequired)."""
        self.measurands: tuple[str, ...] | None = None

    def rebooted(self) -> None:
        """Let everything count that waited for this."""
        self.values |= self.pending
        self.pending.clear()


def _key(variable: Variable) -> Key:
    return (
        variable.component.lower(),
        variable.name.lower(),
        (variable.instance or "").lower(),
        variable.evse_id or 0,
        variable.connector_id or 0,
    )


def _settings(station: Station) -> Settings:
    store = store_of(station)
    if store.settings is None:
        store.settings = Settings()
    return store.settings


# -- what a station itself goes by -------------------------------------------------------------------------------------


class _Named(NamedTuple):
    """A setting that a station goes by, with its place in each version; None where the version has none."""

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
        "organization": _Named("Plugstorm Operator", "CpoName", ("SecurityCtrlr", "OrganizationName")),
        "reservations": _Named("true", None, ("ReservationCtrlr", "Enabled")),
        "smart_charging": _Named("true", None, ("SmartChargingCtrlr", "Enabled")),
    }
)


def _place_16(named: _Named) -> Key | None:
    return None if named.in_16 is None else (named.in_16.lower(),)


def _place_2x(named: _Named) -> Key | None:
    return None if named.in_2x is None else (named.in_2x[0].lower(), named.in_2x[1].lower(), "", 0, 0)


_PLACES: Mapping[Version, Callable[[_Named], Key | None]] = MappingProxyType(
    {Version.V16: _place_16, Version.V201: _place_2x, Version.V21: _place_2x}
)


def text_setting(station: Station, name: str) -> str:
    """Return what a setting is now, by the name that all versions share here."""
    named, kept = _NAMED[name], station.store and station.store.settings
    if not kept:
        return named.default
    place = _PLACES[station.version](named)
    return named.default if place is None else kept.values.get(place, named.default)


def flag(station: Station, name: str) -> bool:
    """Tell whether a setting is on."""
    return text_setting(station, name).lower() == "true"


# -- 1.6 ---------------------------------------------------------------------------------------------------------------

_SAMPLED_16: Final = "MeterValuesSampledData"
_MEASURAND_KEYS: Final = frozenset(
    {"MeterValuesAlignedData", _SAMPLED_16, "StopTxnAlignedData", "StopTxnSampledData"},
)


def get_configuration(station: Station, _: Request, answer: Request) -> Reaction:
    """Show what was set, and what the station goes by now."""
    kept = station.store and station.store.settings
    for entry in answer["configurationKey"]:
        live = _LIVE_16.get(entry["key"])
        if live is not None:
            entry["value"] = live(station)
        elif kept:
            entry["value"] = kept.values.get((entry["key"].lower(),), entry["value"])
    return Reaction()


def change_configuration(station: Station, request: Request, answer: Request) -> Reaction:
    """Keep a value that the station takes."""
    found = find_key(station.individual, request["key"])
    assert found is not None
    name, value = found[0], request["value"]
    if name in _MEASURAND_KEYS and not _measurable(value, empty=name != _SAMPLED_16):
        return Reaction("Rejected")
    if found[1].hidden:
        return Reaction(then=partial(_new_password, station, value)) if value else Reaction("Rejected")
    return Reaction(then=partial(_keep_16, station, name, value, later=answer["status"] == "RebootRequired"))


def _measurable(value: str, *, empty: bool) -> bool:
    if not value:
        return empty
    return all(word.strip() in MEASURANDS for word in value.split(","))


def _keep_16(station: Station, name: str, value: str, *, later: bool) -> None:
    settings = _settings(station)
    (settings.pending if later else settings.values)[name.lower(),] = value
    if name == _SAMPLED_16:
        settings.measurands = _words(value)
    _follow(station, (name,), value)


def _words(value: str) -> tuple[str, ...]:
    return tuple(word.strip() for word in value.split(","))


# -- 2.x ---------------------------------------------------------------------------------------------------------------

_SAMPLED_2X: Final = ("sampleddatactrlr", "txupdatedmeasurands")


def value_of(station: Station, variable: Variable) -> str | None:
    """Return what a variable is now; None for one that cannot be read."""
    live = _LIVE_2X.get((variable.component, variable.name))
    if live is not None:
        return live(station, variable)
    kept = station.store and station.store.settings
    if kept and variable.value is not None:
        return kept.values.get(_key(variable), variable.value)
    return variable.value


def get_variables(station: Station, request: Request, answer: Request) -> Reaction:
    """Show what was set, and what is so now."""
    for part, result in zip(request["getVariableData"], answer["getVariableResult"], strict=True):
        _, found = find_variable(station.individual, part)
        if found is not None and result["attributeStatus"] == "Accepted":
            result["attributeValue"] = value_of(station, found)
    return Reaction()


def set_variables(station: Station, request: Request, answer: Request) -> Reaction:
    """Keep the values that the station takes."""
    changes: list[tuple[Variable, str, bool]] = []
    for part, result in zip(request["setVariableData"], answer["setVariableResult"], strict=True):
        _, found = find_variable(station.individual, part)
        status, value = result["attributeStatus"], part["attributeValue"]
        if found is None or status not in ("Accepted", "RebootRequired"):
            continue
        if found.value is None and not value:
            result["attributeStatus"] = "Rejected"
            continue
        changes.append((found, value, status == "RebootRequired"))
    return Reaction(then=partial(_keep_2x, station, changes))


def _keep_2x(station: Station, changes: list[tuple[Variable, str, bool]]) -> None:
    for variable, value, later in changes:
        if variable.value is None:
            _new_password(station, value)
            continue
        settings, key = _settings(station), _key(variable)
        (settings.pending if later else settings.values)[key] = value
        if key[:2] == _SAMPLED_2X:
            settings.measurands = _words(value)
        _follow(station, (variable.component, variable.name), value)


def set_network_profile(station: Station, request: Request, _: Request) -> Reaction:
    """Keep a way to a CSMS in one of the slots; it is not taken (OCPP 2.x B09)."""
    slot, data = request["configurationSlot"], request["connectionData"]
    # The schemas know slots that no station here has, and transports that nobody speaks any more.
    if slot not in _SLOTS or data["ocppTransport"] != "JSON" or not 0 <= data["securityProfile"] <= _MOST_SECURE:
        return Reaction("Rejected")
    return Reaction(then=partial(_keep_profile, station, slot, data))


_SLOTS: Final = (1, 2)
"""As NetworkConfigurationPriority lists them."""
_MOST_SECURE: Final = 3


def _keep_profile(station: Station, slot: int, data: dict[str, Any]) -> None:
    store = store_of(station)
    store.network_profiles = (store.network_profiles or {}) | {slot: data}


# -- what follows from a setting ---------------------------------------------------------------------------------------


def _follow(station: Station, place: tuple[str, ...], value: str) -> None:
    """Go by a new setting, where a station here does; it was found to be a count already."""
    name = tuple(part.lower() for part in place)
    if name == tuple(part.lower() for part in station.dialect.heartbeat_setting):
        station.beat_every(float(value))
    elif name == tuple(part.lower() for part in station.dialect.meter_setting):
        station.meter_interval = float(value)


def _new_password(station: Station, value: str) -> None:
    """Come back with the new password, where the station has one at all (A01)."""
    if station.context.headers(station.lease, station.version):
        store_of(station).password = value
        station.reconnect()


def _heartbeat(station: Station) -> str:
    return str(round(station.heartbeat_interval))


def _meter(station: Station) -> str:
    return str(round(station.meter_interval))


def _availability(station: Station, variable: Variable) -> str:
    """Say how a connector stands, or what the best one of an EVSE or of the station does."""
    words = [
        station.dialect.status_words[connector.status]
        for connector in station.connectors
        if variable.evse_id in (None, connector.model.evse_id)
        and variable.connector_id in (None, connector.model.connector_id)
    ]
    return next((word for word in ("Available", "Occupied", "Reserved", "Unavailable") if word in words), "Unavailable")


def _list_entries(station: Station, _: Variable) -> str:
    kept = station.store and station.store.local_list
    return str(len(kept.entries) if kept else 0)


def _profile_entries(station: Station, _: Variable) -> str:
    kept = station.store and station.store.limits
    return str(len(kept.profiles) if kept else 0)


def _certificate_entries(station: Station, variable: Variable) -> str:
    kept = None if station.store is None else station.store.certificates
    return str(variable.value) if kept is None else str(len(kept))


_LIVE_16: Mapping[str, Callable[[Station], str]] = MappingProxyType(
    {"HeartbeatInterval": _heartbeat, "MeterValueSampleInterval": _meter}
)
_LIVE_2X: Mapping[tuple[str, str], Callable[[Station, Variable], str]] = MappingProxyType(
    {
        ("ChargingStation", "AvailabilityState"): _availability,
        ("Connector", "AvailabilityState"): _availability,
        ("EVSE", "AvailabilityState"): _availability,
        ("LocalAuthListCtrlr", "Entries"): _list_entries,
        ("OCPPCommCtrlr", "HeartbeatInterval"): lambda station, _: _heartbeat(station),
        ("SampledDataCtrlr", "TxUpdatedInterval"): lambda station, _: _meter(station),
        ("SecurityCtrlr", "CertificateEntries"): _certificate_entries,
        ("SmartChargingCtrlr", "Entries"): _profile_entries,
    }
)
