from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evidence.vocabulary import MEASURE
from loadtest.locust_edge.request import LoadRequest
from loadtest.locust_edge.run_settings import profile_of
from loadtest.planning.rehearsal import rehearse
from loadtest.workload.arrival_rate import arrival_rate, with_arrival_rate
from loadtest.workload.profile import Sessions, bounds, load_profile
from ocppj.errors import UsageError
from ocppj.versions import Version

QUICK = load_profile("quick")


@given(st.floats(0.1, 300), st.integers(50, 5000))
def test_a_profile_begins_as_many_sessions_as_were_asked_for(per_second: float, stations: int) -> None:
    assert arrival_rate(with_arrival_rate(QUICK, per_second, stations), stations) == pytest.approx(per_second)


def test_rarer_sessions_have_longer_gaps_and_stay_as_long() -> None:
    sessions, own = with_arrival_rate(QUICK, 1, 100).sessions, QUICK.sessions
    assert sessions is not None
    assert own is not None
    assert (sessions.duration, sessions.unplug) == (own.duration, own.unplug)
    assert bounds(sessions.gap)[0] > bounds(own.gap)[1]


def test_more_frequent_sessions_have_stays_and_gaps_that_are_shortened_alike() -> None:
    sessions, own = with_arrival_rate(QUICK, 60, 100).sessions, QUICK.sessions
    assert sessions is not None
    assert own is not None
    shares = {
        round(part / whole, 9)
        for name in ("duration", "gap", "unplug")
        for part, whole in zip(bounds(getattr(sessions, name)), bounds(getattr(own, name)), strict=True)
    }
    (share,) = shares
    assert share < 1


def test_stations_begin_as_many_sessions_as_were_asked_for(tmp_path: Path) -> None:
    path = tmp_path / "fast.yaml"
    path.write_text(
        "title: fast\nmodels: {ac-dual: 1}\nmeter: 0\narrival_rate: 4/s\nsessions: {duration: [5, 10], gap: [2, 4]}\n"
    )
    profile = profile_of(LoadRequest(profile=str(path), stations=10))
    seen = rehearse(profile, {Version.V16: 1}, stations=10, ramp=1.0, duration=61.0, warm_up=0.0)
    part = seen.parts[MEASURE]
    assert part.traffic["1.6", "StartTransaction"].calls == pytest.approx(part.seconds * 4, rel=0.1)


def test_the_command_line_has_the_last_word(tmp_path: Path) -> None:
    path = tmp_path / "fast.yaml"
    path.write_text("title: fast\narrival_rate: 4/s\nsessions: {duration: 5, gap: 2}\n")
    profile = profile_of(LoadRequest(profile=str(path), stations=10, arrival_rate=2.0))
    assert arrival_rate(profile, 10) == pytest.approx(2.0)


def test_more_than_a_fleet_can_do_says_how_many_stations_it_takes() -> None:
    with pytest.raises(UsageError, match="take at least 601 stations"):
        with_arrival_rate(QUICK, 6000, 100)
    assert arrival_rate(with_arrival_rate(QUICK, 6000, 601), 601) == pytest.approx(6000)


def test_a_profile_without_sessions_is_refused() -> None:
    with pytest.raises(UsageError, match="needs a profile with `sessions`"):
        with_arrival_rate(load_profile("public_ac"), 5, 100)


def test_a_share_is_no_rate_of_a_fleet(tmp_path: Path) -> None:
    path = tmp_path / "fast.yaml"
    path.write_text("title: fast\narrival_rate: 4%/s\nsessions: {duration: 5, gap: 2}\n")
    with pytest.raises(UsageError, match="that of all stations together"):
        load_profile(str(path))


def test_sessions_know_their_own_cycle() -> None:
    assert Sessions(duration=(10.0, 20.0), gap=(5.0, 10.0)).cycle == 22.5
