"""Reading and changing settings: configuration keys of 1.6 (§5.3, §5.8) and variables of 2.x (B05-B07, B09)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from types import MappingProxyType
from typing import Any, Final

from fixtures.device import Variable, find_key, find_variable
from fixtures.payloads.sampled_values import MEASURANDS
from loadtest.station.commands.common import Reaction, Request
from loadtest.station.contract import Controls, Host
from loadtest.station.state.certificates import CertificateStore
from loadtest.station.state.charging_limits import ChargingLimits
from loadtest.station.state.local_list import LocalList
from loadtest.station.state.settings import Key, Settings
from loadtest.station.state.store import need, peek
from ocppj.versions import Version

__all__ = [
    "change_configuration",
    "get_configuration",
    "get_variables",
    "set_network_profile",
    "set_variables",
    "value_of",
]


def _key(variable: Variable) -> Key:
    return (
        variable.component.lower(),
        variable.name.lower(),
        (variable.instance or "").lower(),
        variable.evse_id or 0,
        variable.connector_id or 0,
    )


# -- 1.6 ---------------------------------------------------------------------------------------------------------------

_SAMPLED_16: Final = "MeterValuesSampledData"
_MEASURAND_KEYS: Final = frozenset(
    {"MeterValuesAlignedData", _SAMPLED_16, "StopTxnAlignedData", "StopTxnSampledData"},
)


def get_configuration(station: Controls, _: Request, answer: Request) -> Reaction:
    """Show what was set, and what the station goes by now."""
    kept = peek(station, Settings)
    for entry in answer["configurationKey"]:
        live = _LIVE_16.get(entry["key"])
        if live is not None:
            entry["value"] = live(station)
        elif kept is not None:
            entry["value"] = kept.values.get((entry["key"].lower(),), entry["value"])
    return Reaction()


def change_configuration(station: Controls, request: Request, answer: Request) -> Reaction:
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


def _keep_16(station: Controls, name: str, value: str, *, later: bool) -> None:
    settings = need(station, Settings)
    (settings.pending if later else settings.values)[name.lower(),] = value
    if name == _SAMPLED_16:
        settings.measurands = _words(value)
    _overwrite(station, value)
    _follow(station, (name,), value)


def _overwrite(station: Controls, value: str) -> None:
    """Let a value that is too long for the firmware's memory run into its neighbour: a number that is read as text."""
    memory = station.context.vendor.quirks.memory
    if memory and len(value) > memory:
        number = int.from_bytes(value[memory:][:_INTEGER].encode(), "little") & _LARGEST
        need(station, Settings).values[_NEIGHBOURS[station.version]] = str(number)
        station.context.recorder.injected("setting overwrote its neighbour")


_INTEGER: Final = 4
_LARGEST: Final = 0x7FFF_FFFF
_NEIGHBOUR_2X: Final = ("devicedatactrlr", "itemspermessage", "getvariables", 0, 0)
_NEIGHBOURS: Mapping[Version, Key] = MappingProxyType(
    {Version.V16: ("numberofconnectors",), Version.V201: _NEIGHBOUR_2X, Version.V21: _NEIGHBOUR_2X}
)
"""What lies behind a setting: a number that many a CSMS allocates by."""


def _words(value: str) -> tuple[str, ...]:
    return tuple(word.strip() for word in value.split(","))


# -- 2.x ---------------------------------------------------------------------------------------------------------------

_SAMPLED_2X: Final = ("sampleddatactrlr", "txupdatedmeasurands")


def value_of(station: Host, variable: Variable) -> str | None:
    """Return what a variable is now; None for one that cannot be read."""
    live = _LIVE_2X.get((variable.component, variable.name))
    if live is not None:
        return live(station, variable)
    kept = peek(station, Settings)
    if kept is not None and variable.value is not None:
        return kept.values.get(_key(variable), variable.value)
    return variable.value


def get_variables(station: Controls, request: Request, answer: Request) -> Reaction:
    """Show what was set, and the current state."""
    for part, result in zip(request["getVariableData"], answer["getVariableResult"], strict=True):
        _, found = find_variable(station.individual, part)
        if found is not None and result["attributeStatus"] == "Accepted":
            result["attributeValue"] = value_of(station, found)
    return Reaction()


def set_variables(station: Controls, request: Request, answer: Request) -> Reaction:
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


def _keep_2x(station: Controls, changes: list[tuple[Variable, str, bool]]) -> None:
    for variable, value, later in changes:
        if variable.value is None:
            _new_password(station, value)
            continue
        settings, key = need(station, Settings), _key(variable)
        (settings.pending if later else settings.values)[key] = value
        if key[:2] == _SAMPLED_2X:
            settings.measurands = _words(value)
        _overwrite(station, value)
        _follow(station, (variable.component, variable.name), value)


def set_network_profile(station: Controls, request: Request, _: Request) -> Reaction:
    """Keep a way to a CSMS in one of the slots; it is not taken (OCPP 2.x B09)."""
    slot, data = request["configurationSlot"], request["connectionData"]
    # The schemas know slots that no station here has, and transports that nobody speaks any more.
    if slot not in _SLOTS or data["ocppTransport"] != "JSON" or not 0 <= data["securityProfile"] <= _MOST_SECURE:
        return Reaction("Rejected")
    return Reaction(then=partial(_keep_profile, station, slot, data))


_SLOTS: Final = (1, 2)
"""As NetworkConfigurationPriority lists them."""
_MOST_SECURE: Final = 3


def _keep_profile(station: Controls, slot: int, data: dict[str, Any]) -> None:
    need(station, Settings).network_profiles[slot] = data


# -- what follows from a setting ---------------------------------------------------------------------------------------


def _follow(station: Controls, changed: tuple[str, ...], value: str) -> None:
    """Go by a new setting, where a station here does; it was found to be a count already."""
    name = tuple(part.lower() for part in changed)
    if name == tuple(part.lower() for part in station.dialect.heartbeat_setting):
        station.beat_every(float(value))
    elif name == tuple(part.lower() for part in station.dialect.meter_setting):
        station.meter_interval = float(value)


def _new_password(station: Controls, value: str) -> None:
    """Come back with the new password, where the station has one at all (A01)."""
    if station.context.headers(station.lease, station.version):
        need(station, Settings).password = value
        station.reconnect()


def _heartbeat(station: Host) -> str:
    return str(round(station.heartbeat_interval))


def _meter(station: Host) -> str:
    return str(round(station.meter_interval))


def _availability(station: Host, variable: Variable) -> str:
    """Say how a connector stands, or what the best one of an EVSE or of the station does."""
    words = [
        station.dialect.status_words[connector.status]
        for connector in station.connectors
        if variable.evse_id in (None, connector.model.evse_id)
        and variable.connector_id in (None, connector.model.connector_id)
    ]
    return next((word for word in ("Available", "Occupied", "Reserved", "Unavailable") if word in words), "Unavailable")


def _list_entries(station: Host, _: Variable) -> str:
    kept = peek(station, LocalList)
    return str(len(kept.entries) if kept else 0)


def _profile_entries(station: Host, _: Variable) -> str:
    kept = peek(station, ChargingLimits)
    return str(len(kept.profiles) if kept else 0)


def _certificate_entries(station: Host, variable: Variable) -> str:
    kept = peek(station, CertificateStore)
    return str(variable.value) if kept is None else str(len(kept))


def _power(station: Host, variable: Variable) -> str:
    """Say what flows at an EVSE now, in W."""
    mine = [one.reading.power for one in station.connectors if one.model.evse_id == variable.evse_id]
    return f"{sum(mine):g}"


_LIVE_16: Mapping[str, Callable[[Host], str]] = MappingProxyType(
    {"HeartbeatInterval": _heartbeat, "MeterValueSampleInterval": _meter}
)
_LIVE_2X: Mapping[tuple[str, str], Callable[[Host, Variable], str]] = MappingProxyType(
    {
        ("ChargingStation", "AvailabilityState"): _availability,
        ("Connector", "AvailabilityState"): _availability,
        ("EVSE", "AvailabilityState"): _availability,
        ("EVSE", "Power"): _power,
        ("LocalAuthListCtrlr", "Entries"): _list_entries,
        ("OCPPCommCtrlr", "HeartbeatInterval"): lambda station, _: _heartbeat(station),
        ("SampledDataCtrlr", "TxUpdatedInterval"): lambda station, _: _meter(station),
        ("SecurityCtrlr", "CertificateEntries"): _certificate_entries,
        ("SmartChargingCtrlr", "Entries"): _profile_entries,
    }
)
