"""Smart charging: profiles are kept, obeyed by the meters, shown and cleared (OCPP 1.6 §5.4, §5.7, §5.16; 2.x K)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from types import MappingProxyType
from typing import NamedTuple

from fixtures.device import MAX_PROFILES, MAX_SCHEDULE_PERIODS, MAX_STACK_LEVEL
from fixtures.payloads.v2x import report_charging_profiles
from loadtest.station.commands.bidirectional import follow_setpoint
from loadtest.station.commands.common import Reaction, Request
from loadtest.station.contract import Controls
from loadtest.station.state.charging_limits import ChargingLimits, replaces
from loadtest.station.state.charging_profiles import (
    ChargingProfile,
    Kind,
    Occupancy,
    Purpose,
    Supply,
    Wiring,
    composite,
    read_profile,
)
from loadtest.station.state.connectors import charging, moment, ongoing
from loadtest.station.state.settings import flag
from loadtest.station.state.store import need, peek
from loadtest.station.views import ConnectorView
from ocppj.versions import Version

__all__ = [
    "clear_charging_profile_2x",
    "clear_charging_profile_16",
    "get_charging_profiles",
    "get_composite_schedule_2x",
    "get_composite_schedule_16",
    "install_for_start",
    "readable",
    "set_charging_profile_2x",
    "set_charging_profile_16",
    "update_dynamic_schedule",
    "use_priority_charging",
]


# -- SetChargingProfile, and profiles that come with a remote start ----------------------------------------------------


class _Words(NamedTuple):
    profile_id: str
    schedule: Callable[[Request], Request]


_WORDS_2X = _Words("id", lambda raw: raw["chargingSchedule"][0])
_WORDS: Mapping[Version, _Words] = MappingProxyType(
    {
        Version.V16: _Words("chargingProfileId", lambda raw: raw["chargingSchedule"]),
        Version.V201: _WORDS_2X,
        Version.V21: _WORDS_2X,
    }
)


def _read(station: Controls, raw: Request, address: int) -> ChargingProfile | None:
    """Read a profile that this station could keep; None for any other."""
    words = _WORDS[station.version]
    schedule = words.schedule(raw)
    if not 0 <= raw["stackLevel"] <= MAX_STACK_LEVEL or len(schedule["chargingSchedulePeriod"]) > MAX_SCHEDULE_PERIODS:
        return None
    now = station.context.clock()
    return read_profile(
        raw,
        schedule,
        profile_id=raw[words.profile_id],
        address=address,
        moment=partial(moment, station.context),
        now=now,
    )


def readable(station: Controls, raw: Request) -> bool:
    """Return whether a profile may come with a remote start: one for a transaction, and for no other one."""
    return (
        raw["chargingProfilePurpose"] == "TxProfile"
        and "transactionId" not in raw
        and flag(station, "smart_charging")
        and _read(station, raw, 1) is not None
    )


def install_for_start(station: Controls, connector: ConnectorView, raw: Request) -> None:
    """Install the profile of a transaction that begins now."""
    profile = _read(station, raw, station.dialect.address(connector.model))
    if profile is not None:
        need(station, ChargingLimits).install(profile)


def set_charging_profile_16(station: Controls, request: Request, _: Request) -> Reaction:
    """Keep and obey a profile (OCPP 1.6 §5.16)."""
    return _set(station, request["csChargingProfiles"], request["connectorId"])


def set_charging_profile_2x(station: Controls, request: Request, _: Request) -> Reaction:
    """Keep and obey a profile (OCPP 2.x K01)."""
    return _set(station, request["chargingProfile"], request["evseId"])


def _set(station: Controls, raw: Request, address: int) -> Reaction:
    profile = _read(station, raw, address)
    kept = peek(station, ChargingLimits)
    if profile is None or not flag(station, "smart_charging") or not _FITS[profile.purpose](station, profile):
        return Reaction("Rejected")
    if kept and sum(1 for other in kept.profiles if not replaces(profile, other)) >= MAX_PROFILES:
        return Reaction("Rejected")
    return Reaction(then=partial(_install, station, profile))


def _install(station: Controls, profile: ChargingProfile) -> None:
    limits = need(station, ChargingLimits)
    limits.change(partial(limits.install, profile))
    schedules = profile.raw.get("chargingSchedule")
    first = schedules[0]["chargingSchedulePeriod"][0] if isinstance(schedules, list) else {}
    if "setpoint" in first:
        follow_setpoint(station, profile.address, first["setpoint"], profile.unit)


def _fits_transaction(station: Controls, profile: ChargingProfile) -> bool:
    """Return whether the transaction runs for which a profile is, which 1.6 may leave unnamed."""
    charging_session = next(
        (one for one in charging(station) if station.dialect.address(one.model) == profile.address), None
    )
    if charging_session is None:
        return False
    unnamed = profile.transaction_id is None and station.dialect.may_leave_transaction_unnamed
    return unnamed or profile.transaction_id == charging_session.transaction_id


_FITS: Mapping[Purpose, Callable[[Controls, ChargingProfile], bool]] = MappingProxyType(
    {
        Purpose.STATION: lambda _, profile: profile.address == 0,
        Purpose.DEFAULT: lambda _, __: True,
        Purpose.TRANSACTION: _fits_transaction,
        Purpose.PRIORITY: lambda _, __: True,
        # No CSMS may set what comes from elsewhere (K01.FR.22).
        Purpose.OTHER: lambda _, profile: profile.raw["chargingProfilePurpose"] != "ChargingStationExternalConstraints",
    }
)


# -- ClearChargingProfile and GetChargingProfiles ----------------------------------------------------------------------


def _matches(profile: ChargingProfile, address: int | None, criteria: Request) -> bool:
    return (
        address in (None, profile.address)
        and criteria.get("chargingProfilePurpose") in (None, profile.raw["chargingProfilePurpose"])
        and criteria.get("stackLevel") in (None, profile.stack_level)
    )


def clear_charging_profile_16(station: Controls, request: Request, _: Request) -> Reaction:
    """Take out one profile by its id, or all that fit (OCPP 1.6 §5.4)."""
    return _clear(station, request.get("id"), request.get("connectorId"), request)


def clear_charging_profile_2x(station: Controls, request: Request, _: Request) -> Reaction:
    """Take out one profile by its id, or all that fit (OCPP 2.x K10)."""
    criteria = request.get("chargingProfileCriteria", {})
    return _clear(station, request.get("chargingProfileId"), criteria.get("evseId"), criteria)


def _clear(station: Controls, profile_id: int | None, address: int | None, criteria: Request) -> Reaction:
    kept = peek(station, ChargingLimits)
    found = [
        profile
        for profile in (kept.profiles if kept else ())
        if profile_id in (None, profile.profile_id) and (profile_id is not None or _matches(profile, address, criteria))
    ]
    if not kept or not found:
        return Reaction("Unknown")
    return Reaction(then=partial(kept.change, partial(kept.remove, found)))


def get_charging_profiles(station: Controls, request: Request, _: Request) -> Reaction:
    """Report the profiles that fit, a message for each EVSE (OCPP 2.x K09)."""
    kept, criteria = peek(station, ChargingLimits), request["chargingProfile"]
    ids, sources = criteria.get("chargingProfileId"), criteria.get("chargingLimitSource")
    by_address: dict[int, list[Request]] = {}
    for profile in kept.profiles if kept else ():
        mine = profile.profile_id in ids if ids else _matches(profile, None, criteria)
        if mine and request.get("evseId") in (None, profile.address) and (not sources or "CSO" in sources):
            by_address.setdefault(profile.address, []).append(profile.raw)
    if not by_address:
        return Reaction("NoProfiles")
    return Reaction("Accepted", partial(_report, station, request["requestId"], by_address))


def _report(station: Controls, request_id: int, by_address: dict[int, list[Request]]) -> None:
    for left, (address, profiles) in zip(range(len(by_address) - 1, -1, -1), sorted(by_address.items()), strict=True):
        payload = report_charging_profiles(request_id, address, profiles, tbc=True if left else None)
        station.call("ReportChargingProfiles", payload, station.context.clock(), triggered=True)


# -- GetCompositeSchedule ----------------------------------------------------------------------------------------------


def get_composite_schedule_16(station: Controls, request: Request, answer: Request) -> Reaction:
    """Answer with what counts from now on (OCPP 1.6 §5.7)."""
    return _compose(station, request["connectorId"], request["duration"], answer["chargingSchedule"])


def get_composite_schedule_2x(station: Controls, request: Request, answer: Request) -> Reaction:
    """Answer with what counts from now on (OCPP 2.x K08)."""
    return _compose(station, request["evseId"], request["duration"], answer["schedule"])


def _compose(station: Controls, number: int, duration: float, schedule: Request) -> Reaction:
    kept = peek(station, ChargingLimits)
    if duration < 0:
        return Reaction("Rejected")
    if kept and kept.profiles:
        now, unit = station.context.clock(), schedule["chargingRateUnit"]
        supplies = [_supply(station, connector, now, unit, kept) for connector in _connectors(station, number)]
        periods = composite(kept.profiles, supplies, now, duration, unit=unit, most=MAX_SCHEDULE_PERIODS)
        schedule["chargingSchedulePeriod"] = [
            {"startPeriod": period.start, "limit": period.limit} for period in periods
        ]
    return Reaction()


def _connectors(station: Controls, number: int) -> list[ConnectorView]:
    """List one connector of each EVSE that a number means; the one in use, where there is one."""
    by_evse: dict[int, ConnectorView] = {}
    for connector in station.connectors:
        if number in (0, station.dialect.address(connector.model)) and (
            connector.model.evse_id not in by_evse or connector.charging_session is not None
        ):
            by_evse[connector.model.evse_id] = connector
    return list(by_evse.values())


def _supply(station: Controls, connector: ConnectorView, now: float, unit: str, kept: ChargingLimits) -> Supply:
    evse, charging_session = connector.model.evse, connector.charging_session
    runs = charging_session is not None and charging_session in charging(station)
    occupancy = Occupancy(
        station.dialect.address(connector.model),
        charging_session.started_at if runs and charging_session is not None else now,
        charging=runs,
        priority=charging_session is not None and charging_session.transaction_id in kept.priority,
    )
    return Supply(occupancy, Wiring(evse.phases, evse.voltage), float(evse.current if unit == "A" else evse.power))


# -- 2.1 ---------------------------------------------------------------------------------------------------------------


def update_dynamic_schedule(station: Controls, request: Request, _: Request) -> Reaction:
    """Set the present limit of a dynamic profile (OCPP 2.1 K28)."""
    kept = peek(station, ChargingLimits)
    wanted = request["chargingProfileId"]
    dynamic = [profile for profile in kept.profiles if profile.kind is Kind.DYNAMIC] if kept else []
    found = next((profile for profile in dynamic if profile.profile_id == wanted), None)
    limit, setpoint = (request["scheduleUpdate"].get(name) for name in ("limit", "setpoint"))
    if not kept or found is None:
        return Reaction("Rejected")
    if setpoint is not None:
        return Reaction(then=partial(follow_setpoint, station, found.address, setpoint, found.unit))
    if limit is None:
        return Reaction()
    periods = (found.periods[0]._replace(limit=limit), *found.periods[1:])
    return Reaction(then=partial(kept.change, partial(_exchange, kept, found, found._replace(periods=periods))))


def _exchange(kept: ChargingLimits, old: ChargingProfile, new: ChargingProfile) -> None:
    kept.profiles = [new if profile is old else profile for profile in kept.profiles]


def use_priority_charging(station: Controls, request: Request, _: Request) -> Reaction:
    """Give a transaction the priority profile, or take it back (OCPP 2.1 K21 and K22)."""
    kept, transaction_id = peek(station, ChargingLimits), request["transactionId"]
    if ongoing(station, transaction_id) is None:
        return Reaction("Rejected")
    if not kept or not any(profile.purpose is Purpose.PRIORITY for profile in kept.profiles):
        return Reaction("NoProfile")
    change = kept.priority.add if request["activate"] else kept.priority.discard
    return Reaction(then=partial(kept.change, partial(change, transaction_id)))
