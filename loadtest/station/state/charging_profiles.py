"""What charging profiles allow at a moment: pure functions over the profiles of one station.

OCPP 1.6 §3.13 and §7.8-§7.14, OCPP 2.x K01-K09. Times are seconds of one clock, limits are A per phase or W.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from enum import StrEnum
from math import floor, inf
from types import MappingProxyType
from typing import Any, Final, NamedTuple

__all__ = [
    "ChargingProfile",
    "CompositePeriod",
    "Kind",
    "Occupancy",
    "Offer",
    "Period",
    "Purpose",
    "Supply",
    "Wiring",
    "changes_after",
    "composite",
    "offer",
    "read_profile",
]

_EPSILON: Final = 1e-6
"""Seconds by which sums of times may miss each other."""
_DAY: Final = 86_400.0
_RECURRENCES: Mapping[str, float] = MappingProxyType({"Daily": _DAY, "Weekly": 7 * _DAY})


class Purpose(StrEnum):
    """What a profile is for, in the words of no version."""

    STATION = "station"
    DEFAULT = "default"
    TRANSACTION = "transaction"
    PRIORITY = "priority"
    """Takes the address of the others while a driver has priority (2.1)."""
    OTHER = "other"
    """Kept and shown, without an effect here: external constraints, local generation."""


PURPOSES: Mapping[str, Purpose] = MappingProxyType(
    {
        "ChargePointMaxProfile": Purpose.STATION,
        "ChargingStationMaxProfile": Purpose.STATION,
        "ChargingStationExternalConstraints": Purpose.OTHER,
        "LocalGeneration": Purpose.OTHER,
        "PriorityCharging": Purpose.PRIORITY,
        "TxDefaultProfile": Purpose.DEFAULT,
        "TxProfile": Purpose.TRANSACTION,
    }
)


class Kind(StrEnum):
    """From when a schedule counts."""

    ABSOLUTE = "Absolute"
    RECURRING = "Recurring"
    RELATIVE = "Relative"
    DYNAMIC = "Dynamic"


class Period(NamedTuple):
    """A part of a schedule; `limit` is None where 2.1 sets none, `phases` None where nothing is said."""

    start: float
    limit: float | None
    phases: int | None = None


class ChargingProfile(NamedTuple):
    """An installed profile; times of its own are moments, None where left out."""

    profile_id: int
    address: int
    """As the CSMS names it: connector (1.6) or EVSE (2.x); 0 for all."""
    purpose: Purpose
    kind: Kind
    stack_level: int
    unit: str
    periods: tuple[Period, ...]
    recurrence: float
    start: float | None
    duration: float | None
    valid_from: float
    valid_to: float
    transaction_id: int | str | None
    installed_at: float
    raw: dict[str, Any]
    """As it came, to be shown again."""


class Wiring(NamedTuple):
    """How amperes become watts at a connector."""

    phases: int
    volts: float


class Occupancy(NamedTuple):
    """An EVSE at which somebody charges or could."""

    address: int
    began: float
    """When its transaction began; of an EVSE without one, the moment asked about."""
    charging: bool
    priority: bool = False


class Offer(NamedTuple):
    """What a car may draw: the least of both, on so many phases; infinite where nothing is said."""

    amperes: float
    watts: float
    phases: int


class CompositePeriod(NamedTuple):
    """A part of a composite schedule; seconds from its beginning."""

    start: int
    limit: float


def read_profile(
    raw: dict[str, Any],
    schedule: dict[str, Any],
    *,
    profile_id: int,
    address: int,
    moment: Callable[[str], float | None],
    now: float,
) -> ChargingProfile | None:
    """Read a profile of any version; None for one that contradicts itself."""
    periods = tuple(
        Period(float(part["startPeriod"]), part.get("limit"), part.get("numberPhases"))
        for part in schedule["chargingSchedulePeriod"]
    )
    starts = [period.start for period in periods]
    # The first one begins with the schedule (OCPP 1.6 §7.14), and they come in order.
    if not starts or starts[0] != 0 or sorted(starts) != starts:
        return None
    times = {name: raw.get(name) or schedule.get(name) for name in ("startSchedule", "validFrom", "validTo")}
    read = {name: None if text is None else moment(text) for name, text in times.items()}
    if any(read[name] is None for name, text in times.items() if text is not None):
        return None
    kind = Kind(raw["chargingProfileKind"])
    recurrence = _RECURRENCES.get(raw.get("recurrencyKind", "")) if kind is Kind.RECURRING else 0.0
    if recurrence is None:
        return None
    valid_from, valid_to = read["validFrom"], read["validTo"]
    duration = schedule.get("duration")
    return ChargingProfile(
        profile_id=profile_id,
        address=address,
        purpose=PURPOSES[raw["chargingProfilePurpose"]],
        kind=kind,
        stack_level=raw["stackLevel"],
        unit=schedule["chargingRateUnit"],
        periods=periods,
        recurrence=recurrence,
        start=read["startSchedule"],
        duration=None if duration is None else float(duration),
        valid_from=-inf if valid_from is None else valid_from,
        valid_to=inf if valid_to is None else valid_to,
        transaction_id=raw.get("transactionId"),
        installed_at=now,
        raw=raw,
    )


# -- one profile -------------------------------------------------------------------------------------------------------


def _anchor(profile: ChargingProfile, at: float, began: float) -> float:
    """Find the moment from which the periods count."""
    if profile.kind is Kind.DYNAMIC:
        return profile.installed_at
    if profile.kind is Kind.RELATIVE:
        return began
    if profile.start is None:
        return began if profile.purpose is Purpose.TRANSACTION else profile.installed_at
    if profile.kind is Kind.RECURRING and at > profile.start:
        return profile.start + floor((at - profile.start + _EPSILON) / profile.recurrence) * profile.recurrence
    return profile.start


def _in_force(profile: ChargingProfile, at: float, began: float) -> Period | None:
    if not profile.valid_from <= at + _EPSILON or at + _EPSILON >= profile.valid_to:
        return None
    elapsed = at - _anchor(profile, at, began) + _EPSILON
    if elapsed < 0 or (profile.duration is not None and elapsed >= profile.duration):
        return None
    found = None
    for period in profile.periods:
        if period.start > elapsed:
            break
        found = period
    return found if found is not None and found.limit is not None else None


def _changes(profile: ChargingProfile, after: float, began: float) -> Iterator[float]:
    """Yield moments at which the profile may say something else; the next one after `after` is among them."""
    yield profile.valid_from
    yield profile.valid_to
    anchor = _anchor(profile, after, began)
    yield anchor
    if profile.duration is not None:
        yield anchor + profile.duration
    if profile.recurrence:
        yield anchor + profile.recurrence
    for period in profile.periods:
        yield anchor + period.start


def changes_after(profiles: Iterable[ChargingProfile], after: float, began: float) -> float:
    """Find the next moment at which any of the profiles may say something else; infinite when there is none."""
    moments = (moment for profile in profiles for moment in _changes(profile, after, began))
    return min((moment for moment in moments if moment > after + _EPSILON), default=inf)


# -- all profiles of a station -----------------------------------------------------------------------------------------


def _leading(
    profiles: Iterable[ChargingProfile], at: float, began: float
) -> tuple[ChargingProfile, Period] | tuple[None, None]:
    """Find the profile with the highest stack level that says something at a moment (OCPP 1.6 §3.13.2)."""
    best: tuple[ChargingProfile, Period] | tuple[None, None] = (None, None)
    for profile in profiles:
        if best[0] is None or profile.stack_level > best[0].stack_level:
            period = _in_force(profile, at, began)
            if period is not None:
                best = (profile, period)
    return best


def _of_session(
    profiles: Sequence[ChargingProfile], at: float, occupancy: Occupancy
) -> tuple[ChargingProfile, Period] | tuple[None, None]:
    """Find what counts for a transaction: its own profile before a default, that of the EVSE before that of all."""
    ranks: list[tuple[Purpose, int]] = [(Purpose.DEFAULT, occupancy.address), (Purpose.DEFAULT, 0)]
    if occupancy.charging:
        ranks.insert(0, (Purpose.TRANSACTION, occupancy.address))
    if occupancy.priority:
        ranks[:0] = [(Purpose.PRIORITY, occupancy.address), (Purpose.PRIORITY, 0)]
    for purpose, address in ranks:
        mine = (profile for profile in profiles if profile.purpose is purpose and profile.address == address)
        profile, period = _leading(mine, at, occupancy.began)
        if profile is not None and period is not None:
            return profile, period
    return None, None


def _of_station(
    profiles: Sequence[ChargingProfile], at: float, began: float
) -> tuple[ChargingProfile, Period] | tuple[None, None]:
    return _leading((profile for profile in profiles if profile.purpose is Purpose.STATION), at, began)


def offer(profiles: Sequence[ChargingProfile], at: float, occupancy: Occupancy, phases: int, sharers: int) -> Offer:
    """Return what one car may draw at a moment, on at most `phases` phases.

    The limit of the whole station is shared evenly among the `sharers` transactions.
    """
    amperes = watts = inf
    for (profile, period), share in (
        (_of_session(profiles, at, occupancy), 1),
        (_of_station(profiles, at, occupancy.began), max(1, sharers)),
    ):
        if profile is None or period is None or period.limit is None:
            continue
        limit = max(0.0, period.limit) / share
        if profile.unit == "A":
            amperes = min(amperes, limit)
        else:
            watts = min(watts, limit)
        if period.phases:
            phases = min(phases, max(1, period.phases))
    return Offer(amperes, watts, phases)


def _in_unit(profile: ChargingProfile, period: Period, unit: str, wiring: Wiring) -> float:
    assert period.limit is not None
    limit = max(0.0, period.limit)
    if profile.unit == unit:
        return limit
    watts_per_ampere = wiring.volts * max(1, min(wiring.phases, period.phases or wiring.phases))
    return limit * watts_per_ampere if unit == "W" else limit / watts_per_ampere


class Supply(NamedTuple):
    """An EVSE whose composite is asked for, with what its hardware allows, in the unit asked for."""

    occupancy: Occupancy
    wiring: Wiring
    most: float


_MOST_STEPS: Final = 400
"""How many changes are looked at for one composite, however long it is to be."""


def composite(
    profiles: Sequence[ChargingProfile],
    supplies: Sequence[Supply],
    now: float,
    duration: float,
    *,
    unit: str,
    most: int,
) -> list[CompositePeriod]:
    """Reckon what some EVSEs together may draw from now on, in at most `most` periods (OCPP 1.6 §5.7, 2.x K08)."""
    periods: list[CompositePeriod] = []
    at, end = now, now + duration
    for _ in range(_MOST_STEPS):
        start, limit = round(at - now), round(_together(profiles, supplies, at, unit), 1)
        if periods and periods[-1].start == start:
            periods.pop()
        if not periods or periods[-1].limit != limit:
            if len(periods) == most:
                break
            periods.append(CompositePeriod(start, limit))
        at = min(changes_after(profiles, at, supply.occupancy.began) for supply in supplies)
        if at >= end - _EPSILON:
            break
    return periods


def _together(profiles: Sequence[ChargingProfile], supplies: Sequence[Supply], at: float, unit: str) -> float:
    total = 0.0
    for supply in supplies:
        profile, period = _of_session(profiles, at, supply.occupancy)
        limit = inf if profile is None or period is None else _in_unit(profile, period, unit, supply.wiring)
        total += min(supply.most, limit)
    profile, period = _of_station(profiles, at, supplies[0].occupancy.began)
    if profile is not None and period is not None:
        total = min(total, _in_unit(profile, period, unit, supplies[0].wiring))
    return total
