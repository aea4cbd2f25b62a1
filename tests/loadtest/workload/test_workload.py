"""The schedules have the shape that their profiles say, and the same seed gives the same schedule bit for bit."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from functools import cache
from itertools import pairwise, takewhile
from statistics import NormalDist, median

import msgspec
import pytest

from fixtures.models import ConnectorModel, station
from loadtest.timing.pacing import Draws
from loadtest.workload.car import circuit_for
from loadtest.workload.curve import DAY, WEEK, Curve, Rates, clock_text, seconds_of_day
from loadtest.workload.mix import messages_a_day, sessions_a_day
from loadtest.workload.profile import Profile, load_profile
from loadtest.workload.sessions import PlannedSession, Schedule, Workload, rates_of
from loadtest.workload.spread import Lognormal, Normal, Shape, Spread, draw, mean, quantile

WITH_A_DAY = ["public_ac", "dc_hub", "home", "depot"]
SATURDAY = 5 * DAY
CHI_SQUARE_23 = 49.7
"""The value that chi-square with 23 degrees of freedom stays below in 999 of 1000 cases."""


@cache
def workload_of(name: str) -> Workload:
    workload = load_profile(name).workload
    assert workload is not None
    return workload


def day(
    workload: Workload, number: int, *, start: float = 0.0, days: float = 1.0, seed: int = 11
) -> list[PlannedSession]:
    """List the sessions of one EVSE that begin within so many days."""
    schedule = Schedule(workload, seed=seed, identity=f"CP{number:06d}", evse=1, start=start)
    return [session for session in takewhile(lambda session: session.at < days * DAY, schedule) if session.at >= 0]


@cache
def sample(name: str, start: float = 0.0) -> list[PlannedSession]:
    """List the sessions of four weekdays, or of one weekend, at as many places as bring about four thousand of them."""
    workload = workload_of(name)
    places = places_of(name)
    return [session for number in range(places) for session in day(workload, number, start=start, days=days(start))]


def days(start: float) -> int:
    return 2 if start == SATURDAY else 4


def places_of(name: str) -> int:
    return round(1000 / workload_of(name).per_day)


# -- how a quantity varies ---------------------------------------------------------------------------------------------

LOGNORMAL = Shape(lognormal=Lognormal(median="4h", p90="11h"))


def drawn(spread: Spread, count: int = 8_000) -> list[float]:
    draws = Draws(5, "spread")
    return sorted(draw(spread, draws) for _ in range(count))


def test_half_of_a_lognormal_is_below_its_median_and_nine_in_ten_below_its_p90() -> None:
    values = drawn(LOGNORMAL)
    assert values[4_000] == pytest.approx(4 * 3600, rel=0.03)
    assert values[7_200] == pytest.approx(11 * 3600, rel=0.03)


def test_bounds_leave_median_and_p90_alone() -> None:
    values = drawn(Shape(lognormal=Lognormal(median=4, p90=11), min=1, max=20))
    assert values[4_000] == pytest.approx(4, rel=0.03)
    assert values[7_200] == pytest.approx(11, rel=0.03)
    assert (values[0], values[-1]) == (1, 20)


@pytest.mark.parametrize(
    "spread",
    [
        LOGNORMAL,
        Shape(normals=(Normal(mean=3, sd=1, weight=2), Normal(mean=9, sd=2)), min=0),
        ("10min", "20min"),
        "90s",
        7.5,
    ],
    ids=str,
)
def test_draws_follow_the_quantiles_and_the_mean(spread: Spread) -> None:
    values = drawn(spread)
    # Kolmogorov and Smirnov: with 8,000 draws the distance stays below 0.0218 in 999 of 1000 cases.
    for share in (0.05, 0.25, 0.5, 0.75, 0.95):
        edge = quantile(spread, share)
        below = sum(value <= edge for value in values) / len(values)
        above = sum(value >= edge for value in values) / len(values)
        assert below >= share - 0.0218
        assert above >= 1 - share - 0.0218
    assert sum(values) / len(values) == pytest.approx(mean(spread), rel=0.03)


# -- the curve of a day ------------------------------------------------------------------------------------------------


def test_the_time_of_an_arrival_is_the_inverse_of_the_expected_number() -> None:
    rates = rates_of(workload_of("public_ac"))
    for moment in (-DAY, 0.0, 1234.5, 3 * DAY + 7, WEEK - 1, WEEK, 2.5 * WEEK):
        assert rates.when(rates.expected(moment)) == pytest.approx(moment, abs=1e-3)
    assert rates.expected(WEEK) - rates.expected(0) == pytest.approx(
        rates.expected(3 * WEEK) - rates.expected(2 * WEEK)
    )


def test_a_quarter_of_an_hour_without_a_rate_has_no_arrivals() -> None:
    curve = Curve(weekday=(0.0,) * 12 + (1.0,) * 12)
    rates = Rates(curve, 3.0, (600.0,))
    assert rates.expected(DAY / 2) == rates.expected(0.0)
    assert rates.when(1e-9) == pytest.approx(DAY / 2, abs=1)


@pytest.mark.parametrize("name", WITH_A_DAY)
@pytest.mark.parametrize("start", [0.0, SATURDAY], ids=["weekday", "weekend"])
def test_arrivals_by_the_hour_follow_the_curve_of_the_profile(name: str, start: float) -> None:
    workload = workload_of(name)
    # Places that are taken turn cars away, and still those that are served follow the curve.
    found = Counter(int(session.at % DAY // 3600) for session in sample(name, start))
    rates = workload.curve.day(int(start // DAY))
    served = sessions_a_day(workload, int(start // DAY)) * places_of(name) * days(start)
    expected = [served * rate / sum(rates) for rate in rates]
    distance = sum((found[hour] - wanted) ** 2 / wanted for hour, wanted in enumerate(expected))
    assert distance < CHI_SQUARE_23 + 3
    assert sum(found.values()) == pytest.approx(served, rel=4 / served**0.5)


def test_another_curve_is_told_apart() -> None:
    found = Counter(int(session.at % DAY // 3600) for session in sample("public_ac"))
    rates = workload_of("dc_hub").curve.weekday
    wanted = [sum(found.values()) * rate / sum(rates) for rate in rates]
    assert sum((found[hour] - wanted[hour]) ** 2 / wanted[hour] for hour in range(24)) > 5 * CHI_SQUARE_23


@pytest.mark.parametrize("name", WITH_A_DAY)
def test_a_place_has_one_car_at_a_time(name: str) -> None:
    sessions = day(workload_of(name), 1, days=60.0)
    assert all(before.until + before.unplug <= after.at + 0.002 for before, after in pairwise(sessions))
    assert [session.number for session in sessions] == list(
        range(sessions[0].number, sessions[0].number + len(sessions))
    )


def test_more_sessions_than_fit_are_refused() -> None:
    with pytest.raises(ValueError, match="`per_day` 3 does not fit: a place would be taken"):
        msgspec.structs.replace(workload_of("home"), per_day=3.0)


@pytest.mark.parametrize(("text", "seconds"), [("17:00", 61_200.0), (1020, 61_200.0), ("00:15", 900.0), (0, 0.0)])
def test_a_time_of_the_day_is_read_also_where_yaml_made_a_number_of_it(text: str | int, seconds: float) -> None:
    assert seconds_of_day(text) == seconds


def test_moments_are_written_for_people() -> None:
    assert clock_text(61_200.0) == "Monday 17:00"
    assert clock_text(WEEK - 60) == "Sunday 23:59"


# -- durations and energies --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "middle", "p90"), [("public_ac", 4 * 3600, 11 * 3600), ("dc_hub", 32 * 60, 82 * 60)])
def test_durations_have_the_published_median_and_p90(name: str, middle: float, p90: float) -> None:
    lengths = sorted(session.until - session.at for session in sample(name))
    assert median(lengths) == pytest.approx(middle, rel=0.04)
    assert lengths[int(0.9 * len(lengths))] == pytest.approx(p90, rel=0.06)


@pytest.mark.parametrize(
    ("name", "middle", "p90"), [("public_ac", 7.0, 15.2), ("dc_hub", 18, 40), ("home", 8, 16.5), ("depot", 30, 60)]
)
def test_energies_have_their_median_and_p90(name: str, middle: float, p90: float) -> None:
    energies = sorted((session.energy_wh or 0) / 1000 for session in sample(name))
    assert median(energies) == pytest.approx(middle, rel=0.05)
    assert energies[int(0.9 * len(energies))] == pytest.approx(p90, rel=0.06)


def test_the_means_are_those_that_were_published() -> None:
    fast, home = workload_of("dc_hub"), workload_of("home")
    assert fast.energy_kwh is not None
    assert home.energy_kwh is not None
    assert mean(fast.duration) == pytest.approx(42 * 60, rel=0.03)
    assert mean(fast.energy_kwh) == pytest.approx(22, rel=0.03)
    assert 200 < mean(home.energy_kwh) * sessions_a_day(home) * 365 / 12 < 250


def connectors_of(profile: Profile) -> list[ConnectorModel]:
    return [
        connector
        for model, weight in profile.models.items()
        for connector in station(model, "x").connectors * round(weight)
    ]


def test_public_cars_idle_and_take_what_was_published() -> None:
    profile = load_profile("public_ac")
    connectors = connectors_of(profile)
    connected = idle = taken = 0.0
    sessions = sample("public_ac")
    for place, session in enumerate(sessions):
        circuit = circuit_for(connectors[place % len(connectors)], session)
        power, stay = circuit.voltage * circuit.current * circuit.phases, session.until - session.at
        assert session.energy_wh is not None
        charging = min(stay, session.energy_wh * 3600 / power)
        connected, idle, taken = connected + stay, idle + stay - charging, taken + power * charging / 3_600_000
    # 61.4 % of the time plugged in (1.8 million Dutch sessions), 8.4 kWh (EVnetNL, 2015).
    assert idle / connected == pytest.approx(0.614, abs=0.02)
    assert taken / len(sessions) == pytest.approx(8.4, rel=0.05)


@pytest.mark.parametrize(("name", "least", "most"), [("public_ac", 0.4, 1.0), ("dc_hub", 4, 9), ("home", 0.6, 1.0)])
def test_sessions_a_day_are_within_what_was_published(name: str, least: float, most: float) -> None:
    workload = workload_of(name)
    assert least <= sessions_a_day(workload, 0) <= most
    week = sum(len(day(workload, number, days=7.0)) for number in range(60))
    expected = 60 * 7 * sessions_a_day(workload)
    assert week == pytest.approx(expected, abs=3.3 * expected**0.5)


def test_dc_is_used_as_much_of_the_day_as_was_published() -> None:
    stays = [session.until - session.at for session in sample("dc_hub")]
    assert 0.15 < sum(stays) / (places_of("dc_hub") * 4 * DAY) < 0.25


def test_waiting_cars_begin_together_when_the_tariff_changes() -> None:
    sessions = sample("depot")
    waiting = [session for session in sessions if session.power_from > session.at]
    assert len(waiting) / len(sessions) > 0.6
    assert all((session.power_from % DAY) <= 20 for session in waiting)
    assert all(session.power_from < session.until for session in waiting)


# -- the mix of messages -----------------------------------------------------------------------------------------------


def shares(day: dict[str, float]) -> dict[str, float]:
    total = sum(day.values())
    return {action: round(100 * calls / total, 1) for action, calls in day.items()}


def test_a_day_of_a_public_station_has_the_derived_mix_of_messages() -> None:
    profile = msgspec.structs.replace(load_profile("public_ac"), models={"ac-dual": 1.0})
    mix = messages_a_day(profile, heartbeat=300.0, weekday=0, clock_aligned=900.0)
    share = shares(mix)
    assert share["MeterValues"] == pytest.approx(69, abs=1.5)
    assert share["Heartbeat"] == pytest.approx(30, abs=1.5)
    assert share["StatusNotification"] == pytest.approx(1, abs=0.5)
    assert share["Authorize"] + share["StartTransaction"] + share["StopTransaction"] == pytest.approx(0.6, abs=0.2)
    # 113 messages a second from 10,000 stations.
    assert sum(mix.values()) * 10_000 / DAY == pytest.approx(113, rel=0.05)


@pytest.mark.parametrize("name", WITH_A_DAY)
def test_the_mix_is_that_of_the_schedule(name: str) -> None:
    profile = load_profile(name)
    model = max(profile.models, key=lambda name: profile.models[name])
    profile = msgspec.structs.replace(profile, models={model: 1.0})
    evses = len(station(model, "x").model.evses)
    mix = messages_a_day(profile, heartbeat=300.0, weekday=0)
    sessions, places = sample(name), 4 * places_of(name)
    assert profile.meter is not None
    readings = sum(int((session.until - session.at) / profile.meter) for session in sessions)
    assert mix["StartTransaction"] == pytest.approx(len(sessions) / places * evses, rel=0.06)
    assert mix["MeterValues"] == pytest.approx(readings / places * evses, rel=0.06)


def test_compression_brings_more_sessions_and_leaves_the_intervals_alone() -> None:
    profile = load_profile("dc_hub")
    fast = messages_a_day(msgspec.structs.replace(profile, compression=10.0), heartbeat=300.0)
    slow = messages_a_day(profile, heartbeat=300.0)
    assert fast["StartTransaction"] == pytest.approx(10 * slow["StartTransaction"])
    assert fast["Heartbeat"] == slow["Heartbeat"]
    assert fast["MeterValues"] < slow["MeterValues"]
    scaled = msgspec.structs.replace(profile, compression=10.0, compress_intervals=True)
    assert messages_a_day(scaled, heartbeat=300.0) == pytest.approx({name: 10 * calls for name, calls in slow.items()})


# -- the same seed, the same day ---------------------------------------------------------------------------------------


def printed(order: Iterator[int]) -> str:
    """Hash the first sessions of some stations of all profiles, whatever order they were made in."""
    parts = {
        (name, number): [
            next(schedule)
            for schedule in [Schedule(workload_of(name), seed=42, identity=f"CP{number:06d}", evse=2, start=61_200.0)]
            for _ in range(40)
        ]
        for number in order
        for name in WITH_A_DAY
    }
    text = "\n".join(repr((key, tuple(tuple(session) for session in parts[key]))) for key in sorted(parts))
    return hashlib.sha256(text.encode()).hexdigest()


GOLDEN = "a0880784a375d7863c6872df78ca8c86479e8fa4b107dc4c43218df9b623efec"


def test_the_same_seed_gives_the_same_schedule_bit_for_bit() -> None:
    assert printed(iter(range(1, 21))) == GOLDEN


def test_neither_the_order_of_the_stations_nor_the_process_has_a_part_in_it() -> None:
    assert printed(iter(range(20, 0, -1))) == GOLDEN
    program = (
        "from tests.loadtest.workload.test_workload import printed; "
        "print(printed(iter([7, 3, *range(8, 21), 1, 2, 4, 5, 6])))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == GOLDEN


def test_seeds_stations_and_places_have_days_of_their_own() -> None:
    workload = workload_of("public_ac")
    days = {
        tuple(tuple(next(schedule)) for _ in range(5))
        for seed in (1, 2)
        for identity in ("A", "B")
        for evse in (1, 2)
        for schedule in [Schedule(workload, seed=seed, identity=identity, evse=evse, start=0.0)]
    }
    assert len(days) == 8


def test_neighbours_do_not_move_together() -> None:
    workload = workload_of("dc_hub")
    firsts = [
        next(Schedule(workload, seed=3, identity=f"CP{number:06d}", evse=1, start=0.0)).at for number in range(500)
    ]
    middle = sum(firsts) / len(firsts)
    pairs = sum((a - middle) * (b - middle) for a, b in pairwise(firsts))
    spread = sum((a - middle) ** 2 for a in firsts)
    assert abs(pairs / spread) < NormalDist().inv_cdf(0.9995) / len(firsts) ** 0.5


# -- a mix -------------------------------------------------------------------------------------------------------------


def test_every_part_of_a_mix_has_its_share_of_any_first_stations() -> None:
    context = load_profile("mixed_fleet")
    for stations in (50, 500):
        found = Counter(context.member(number).name for number in range(1, stations + 1))
        for part, weight in context.members:
            assert found[part.name] == pytest.approx(stations * weight / 10, abs=3)


def test_the_parts_of_a_mix_live_in_the_same_day() -> None:
    context = load_profile("mixed_fleet")
    assert {part.start for part, _ in context.members} == {context.start}
