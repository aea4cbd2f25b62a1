"""What every charging profile must be like, whoever thought it out, and whom it is for: one text for logs and cases."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from enum import StrEnum
from typing import Any, Final, NamedTuple

from analysis.message_values import schedule_starts
from analysis.meter_readings import instant
from ocppj.versions import Version

__all__ = ["Fault", "ProfileFault", "is_over_by", "lacking_for_mode", "profile_faults"]


class Fault(StrEnum):
    """What can be wrong with a charging profile."""

    WHOLE_PLACE = "whole-place"
    """It limits the whole station, and goes to one connector or EVSE."""
    SESSION_PLACE = "session-place"
    """It is for a transaction, and goes to the whole station."""
    TRANSACTION = "transaction"
    """It names no transaction although it is for one, or one that is yet to begin."""
    PURPOSE = "purpose"
    """It comes with a start, and is not for a transaction."""
    START = "start"
    """Its kind needs a startSchedule that it does not have."""
    RELATIVE_START = "relative-start"
    """It is Relative, and has a startSchedule."""
    RECURRENCY = "recurrency"
    """It is Recurring, and does not say how."""
    RECURRENCY_UNUSED = "recurrency-unused"
    """It says how it recurs, and is of another kind."""
    RELATIVE_MAXIMUM = "relative-maximum"
    """It limits the whole station, and is Relative."""
    FIRST_PERIOD = "first-period"
    PERIOD_ORDER = "period-order"
    PHASE = "phase"
    """phaseToUse stands beside more than one phase."""


class ProfileFault(NamedTuple):
    """One thing that is wrong with a profile."""

    fault: Fault
    words: str


class _Names(NamedTuple):
    """What 1.6 and 2.x call the parts of a profile, and how they are spoken of."""

    set_member: str
    """The member of SetChargingProfile that holds the profile."""
    place: str
    whole: str
    """The purpose that limits the whole station."""
    is_terse: bool


_V16: Final = _Names("csChargingProfiles", "connectorId", "ChargePointMaxProfile", is_terse=True)
_V2X: Final = _Names("chargingProfile", "evseId", "ChargingStationMaxProfile", is_terse=False)
_NAMES: Final[Mapping[Version, _Names]] = {Version.V16: _V16, Version.V201: _V2X, Version.V21: _V2X}
_STARTS: Final = frozenset({"RemoteStartTransaction", "RequestStartTransaction"})
_TX: Final = "TxProfile"


def profile_faults(version: Version, action: str, payload: Any) -> list[ProfileFault]:
    """List what is wrong with the profile that a CALL of a CSMS carries, as far as it fits its schema."""
    names = _NAMES[version]
    if not isinstance(payload, Mapping):
        return []
    profile = payload.get(names.set_member if action == "SetChargingProfile" else "chargingProfile")
    if not isinstance(profile, Mapping):
        return []
    schedules = profile.get("chargingSchedule")
    listed = [each for each in (schedules if isinstance(schedules, list) else [schedules]) if isinstance(each, Mapping)]
    return [
        *_recurrency_unused(version, profile),
        *(_of_a_start(names, action, profile) if action in _STARTS else _purpose(names, profile, payload)),
        *_kind(names, profile, listed),
        *_periods(profile, listed),
    ]


def _recurrency_unused(version: Version, profile: Mapping[str, Any]) -> Iterator[ProfileFault]:
    kind, recurrency = profile.get("chargingProfileKind"), profile.get("recurrencyKind")
    # 2.x does not forbid it.
    if version is Version.V16 and recurrency is not None and kind != "Recurring":
        yield ProfileFault(Fault.RECURRENCY_UNUSED, f"recurrencyKind {recurrency!r} in one that is {kind}")


def _purpose(names: _Names, profile: Mapping[str, Any], payload: Mapping[str, Any]) -> Iterator[ProfileFault]:
    purpose, place = profile.get("chargingProfilePurpose"), payload.get(names.place)
    if purpose == names.whole and place != 0:
        terse = f"{purpose} for {place!r} instead of 0"
        yield ProfileFault(Fault.WHOLE_PLACE, terse if names.is_terse else f"a {purpose} is for {names.place} {place}")
    if purpose != _TX:
        return
    if place == 0:
        terse = "TxProfile for 0, where no transaction runs"
        yield ProfileFault(Fault.SESSION_PLACE, terse if names.is_terse else f"a TxProfile is for {names.place} 0")
    if profile.get("transactionId") is None:
        terse = "TxProfile without transactionId"
        yield ProfileFault(Fault.TRANSACTION, terse if names.is_terse else "a TxProfile names no transaction")


def _of_a_start(names: _Names, action: str, profile: Mapping[str, Any]) -> Iterator[ProfileFault]:
    purpose = profile.get("chargingProfilePurpose")
    if purpose not in (None, _TX):
        terse = f"{purpose} with a start instead of TxProfile"
        yield ProfileFault(Fault.PURPOSE, terse if names.is_terse else f"{action} carries a {purpose}")
    if profile.get("transactionId") is not None:
        terse = "transactionId of a session that has not begun"
        full = f"{action} names the transaction that it is to start"
        yield ProfileFault(Fault.TRANSACTION, terse if names.is_terse else full)


def _kind(names: _Names, profile: Mapping[str, Any], schedules: list[Mapping[str, Any]]) -> Iterator[ProfileFault]:
    kind = profile.get("chargingProfileKind")
    if kind in ("Absolute", "Recurring") and not all("startSchedule" in each for each in schedules):
        yield ProfileFault(Fault.START, f"a schedule of kind {kind} has no startSchedule")
    if kind == "Recurring" and "recurrencyKind" not in profile:
        yield ProfileFault(Fault.RECURRENCY, "a Recurring profile has no recurrencyKind")
    if kind == "Relative":
        if profile.get("chargingProfilePurpose") == names.whole and not names.is_terse:
            yield ProfileFault(Fault.RELATIVE_MAXIMUM, f"a {names.whole} is Relative")
        if any("startSchedule" in each for each in schedules):
            yield ProfileFault(Fault.RELATIVE_START, "a Relative profile has a startSchedule")


def _periods(profile: Mapping[str, Any], schedules: list[Mapping[str, Any]]) -> Iterator[ProfileFault]:
    for starts in schedule_starts(profile):
        if starts[0] != 0:
            yield ProfileFault(Fault.FIRST_PERIOD, f"the first period begins at {starts[0]} instead of 0")
        if sorted(set(starts)) != starts:
            yield ProfileFault(Fault.PERIOD_ORDER, f"the periods begin at {starts}, which is not in order")
    for schedule in schedules:
        periods = schedule.get("chargingSchedulePeriod")
        for period in periods if isinstance(periods, list) else ():
            if isinstance(period, Mapping) and "phaseToUse" in period and period.get("numberPhases") != 1:
                yield ProfileFault(Fault.PHASE, "phaseToUse stands beside numberPhases other than 1")
                break


_ONLY_CHARGING: Final = "ChargingOnly"
_NEEDED: Final[Mapping[Version, Mapping[str, tuple[str, ...]]]] = {
    Version.V21: {
        _ONLY_CHARGING: ("limit",),
        "CentralSetpoint": ("setpoint",),
        "CentralFrequency": ("v2xSignalWattCurve", "setpoint"),
        "LocalFrequency": ("v2xFreqWattCurve",),
    }
}
"""By version and mode of operation: the fields of which a period holds at least one."""


def lacking_for_mode(version: Version, payload: Any) -> str:
    """Say what a period of a profile of 2.1 lacks for its mode; a Dynamic profile gets its values later."""
    profile = payload.get("chargingProfile") if isinstance(payload, Mapping) else None
    modes = _NEEDED.get(version, {})
    if not modes or not isinstance(profile, Mapping) or profile["chargingProfileKind"] == "Dynamic":
        return ""
    for schedule in profile["chargingSchedule"]:
        for period in schedule["chargingSchedulePeriod"]:
            mode = period.get("operationMode", _ONLY_CHARGING)
            needed = modes.get(mode, ())
            if needed and not any(name in period for name in needed):
                return f"a period of mode {mode} has no {' and no '.join(needed)}"
    return ""


def is_over_by(version: Version, action: str, payload: Any) -> float | None:
    """Return when a profile that fits its schema ends for good, in seconds since 1970; None where it does not."""
    names = _NAMES[version]
    profile = payload.get(names.set_member if action == "SetChargingProfile" else "chargingProfile")
    if profile is None:
        return None
    schedules = profile["chargingSchedule"]
    ends = [instant(profile.get("validTo"))]
    if profile["chargingProfileKind"] == "Absolute":
        parts = [_end(each) for each in (schedules if isinstance(schedules, list) else [schedules])]
        known = [part for part in parts if part is not None]
        if len(known) == len(parts):
            ends.append(max(known))
    return min((end for end in ends if end is not None), default=None)


def _end(schedule: Mapping[str, Any]) -> float | None:
    start, duration = instant(schedule.get("startSchedule")), schedule.get("duration")
    return None if start is None or duration is None else start + duration
