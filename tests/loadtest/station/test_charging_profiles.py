from __future__ import annotations

from math import inf
from typing import Any

import pytest

from loadtest.station.state.charging_profiles import (
    ChargingProfile,
    CompositePeriod,
    Occupancy,
    Supply,
    Wiring,
    changes_after,
    composite,
    offer,
    read_profile,
)

NOW = 1_000_000.0
OCCUPANCY = Occupancy(address=1, began=NOW, charging=True)


def profile(
    *periods: tuple[float, float],
    purpose: str = "TxDefaultProfile",
    kind: str = "Absolute",
    address: int = 0,
    **more: Any,
) -> ChargingProfile:
    schedule: dict[str, Any] = {
        "chargingRateUnit": more.pop("unit", "A"),
        "chargingSchedulePeriod": [{"startPeriod": start, "limit": limit} for start, limit in periods],
    }
    for name in ("startSchedule", "duration"):
        if name in more:
            schedule[name] = more.pop(name)
    raw = {"chargingProfilePurpose": purpose, "chargingProfileKind": kind, "stackLevel": 0} | more
    found = read_profile(raw, schedule, profile_id=1, address=address, moment=float, now=NOW)
    assert found is not None
    return found


def amperes(profiles: list[ChargingProfile], at: float, occupancy: Occupancy = OCCUPANCY, sharers: int = 1) -> float:
    return offer(profiles, NOW + at, occupancy, 3, sharers).amperes


def test_periods_follow_each_other_until_the_duration_ends() -> None:
    mine = [profile((0, 16.0), (60, 10.0), startSchedule=str(NOW), duration=120)]
    assert [amperes(mine, at) for at in (-1.0, 0.0, 59.0, 60.0, 119.0, 120.0)] == [inf, 16.0, 16.0, 10.0, 10.0, inf]


def test_the_last_period_goes_on_without_a_duration() -> None:
    assert amperes([profile((0, 16.0), (60, 10.0))], 1e6) == 10.0


def test_a_relative_schedule_counts_from_the_begin_of_the_transaction() -> None:
    mine = [profile((0, 16.0), (60, 10.0), kind="Relative")]
    later = OCCUPANCY._replace(began=NOW + 100.0)
    assert [amperes(mine, at, later) for at in (100.0, 159.0, 160.0)] == [16.0, 16.0, 10.0]


def test_a_recurring_schedule_begins_anew_each_day_or_week() -> None:
    day, begin = 86_400.0, str(NOW - 10 * 86_400.0)
    daily = [profile((0, 16.0), (3600, 10.0), kind="Recurring", recurrencyKind="Daily", startSchedule=begin)]
    weekly = [profile((0, 16.0), (3600, 10.0), kind="Recurring", recurrencyKind="Weekly", startSchedule=begin)]
    assert [amperes(daily, at) for at in (0.0, 3599.0, 3600.0, day - 1.0, day)] == [16.0, 16.0, 10.0, 10.0, 16.0]
    assert [amperes(weekly, at) for at in (0.0, 4 * day, 4 * day + 3600.0)] == [10.0, 16.0, 10.0]
    assert changes_after(daily, NOW + 4000.0, NOW) == NOW + day


def test_a_profile_counts_only_while_it_is_valid() -> None:
    mine = [profile((0, 16.0), validFrom=str(NOW + 10.0), validTo=str(NOW + 20.0))]
    assert [amperes(mine, at) for at in (9.0, 10.0, 19.0, 20.0)] == [inf, 16.0, 16.0, inf]


def test_the_highest_stack_level_counts_and_lower_ones_fill_its_gaps() -> None:
    mine = [profile((0, 16.0)), profile((0, 8.0), startSchedule=str(NOW), duration=60, stackLevel=3)]
    assert [amperes(mine, at) for at in (0.0, 59.0, 60.0)] == [8.0, 8.0, 16.0]


def test_the_own_profile_of_a_transaction_comes_before_any_default() -> None:
    default, here, own = (
        profile((0, 10.0), stackLevel=8),
        profile((0, 12.0), address=1),
        profile((0, 20.0), purpose="TxProfile", address=1),
    )
    assert amperes([default], 0.0) == 10.0
    assert amperes([default, here], 0.0) == 12.0
    assert amperes([default, here, own], 0.0) == 20.0
    assert amperes([default, here, own], 0.0, OCCUPANCY._replace(charging=False)) == 12.0
    assert amperes([default, here, own], 0.0, OCCUPANCY._replace(address=2)) == 10.0


def test_the_limit_of_the_station_is_shared_and_only_lowers() -> None:
    most = profile((0, 30.0), purpose="ChargePointMaxProfile")
    assert [amperes([most, profile((0, 16.0))], 0.0, sharers=n) for n in (1, 2, 3)] == [16.0, 15.0, 10.0]


def test_watts_and_phases_are_kept_apart_from_amperes() -> None:
    schedule = {
        "chargingRateUnit": "W",
        "chargingSchedulePeriod": [{"startPeriod": 0, "limit": 3680.0, "numberPhases": 1}],
    }
    raw = {"chargingProfilePurpose": "TxDefaultProfile", "chargingProfileKind": "Absolute", "stackLevel": 0}
    mine = read_profile(raw, schedule, profile_id=1, address=0, moment=float, now=NOW)
    assert mine is not None
    assert offer([mine], NOW, OCCUPANCY, 3, 1) == (inf, 3680.0, 1)


@pytest.mark.parametrize(
    ("periods", "more"),
    [
        ([], {}),
        ([(5, 1.0)], {}),
        ([(0, 1.0), (20, 1.0), (10, 1.0)], {}),
        ([(0, 1.0)], {"chargingProfileKind": "Recurring"}),
        ([(0, 1.0)], {"validFrom": "never"}),
    ],
)
def test_what_contradicts_itself_is_no_profile(periods: list[tuple[int, float]], more: dict[str, Any]) -> None:
    schedule = {
        "chargingRateUnit": "A",
        "chargingSchedulePeriod": [{"startPeriod": start, "limit": limit} for start, limit in periods],
    }
    raw = {"chargingProfilePurpose": "TxProfile", "chargingProfileKind": "Absolute", "stackLevel": 0} | more

    def moment(text: str) -> float | None:
        return None if text == "never" else float(text)

    assert read_profile(raw, schedule, profile_id=1, address=0, moment=moment, now=NOW) is None


# -- composite ---------------------------------------------------------------------------------------------------------

WIRING = Wiring(3, 230.0)
SUPPLY = Supply(OCCUPANCY, WIRING, 32.0)


def test_a_composite_joins_all_profiles_and_the_hardware() -> None:
    mine = [
        profile((0, 16.0), (100, 40.0), startSchedule=str(NOW)),
        profile((0, 20.0), (50, 6.0), startSchedule=str(NOW), duration=60, purpose="ChargePointMaxProfile"),
    ]
    assert composite(mine, [SUPPLY], NOW, 300.0, unit="A", most=24) == [(0, 16.0), (50, 6.0), (60, 16.0), (100, 32.0)]
    assert composite(mine, [SUPPLY], NOW, 100.0, unit="A", most=24)[-1] == CompositePeriod(60, 16.0)
    assert composite(mine, [SUPPLY], NOW, 300.0, unit="A", most=2) == [(0, 16.0), (50, 6.0)]


def test_a_composite_speaks_the_unit_that_was_asked_for() -> None:
    watts, in_watts = [profile((0, 6900.0), unit="W")], SUPPLY._replace(most=22_080.0)
    assert composite(watts, [SUPPLY], NOW, 60.0, unit="A", most=24) == [(0, 10.0)]
    assert composite([profile((0, 10.0))], [in_watts], NOW, 60.0, unit="W", most=24) == [(0, 6900.0)]


def test_the_composite_of_a_station_adds_its_evses_up() -> None:
    supplies = [SUPPLY, SUPPLY._replace(occupancy=OCCUPANCY._replace(address=2))]
    mine = [profile((0, 10.0), address=1), profile((0, 35.0), purpose="ChargePointMaxProfile")]
    assert composite(mine[:1], supplies, NOW, 60.0, unit="A", most=24) == [(0, 42.0)]
    assert composite(mine, supplies, NOW, 60.0, unit="A", most=24) == [(0, 35.0)]


def test_a_composite_of_a_thousand_years_ends() -> None:
    daily = profile((0, 16.0), (3600, 16.0), kind="Recurring", recurrencyKind="Daily", startSchedule=str(NOW), unit="A")
    assert composite([daily], [SUPPLY], NOW, 1e12, unit="A", most=24) == [(0, 16.0)]
