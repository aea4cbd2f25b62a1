from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import msgspec
import pytest

from evidence.run_folder import read_run
from evidence.run_model import LoadRun
from evidence.vocabulary import MEASURE
from loadtest.planning.forecast import Forecast, forecast
from loadtest.planning.machine_check import Machine, lacking, machine, needs
from loadtest.planning.rehearsal import frame_bytes, rehearse
from loadtest.workload.mix import messages_a_day
from loadtest.workload.profile import Profile, Sessions, load_profile, read_profile
from loadtest.workload.vendor import vendor_names
from ocppj.versions import Version

pytestmark = pytest.mark.waits(0.5)

ROOMY = Machine(
    descriptors=20_000, soft_descriptors=20_000, hard_descriptors=20_000, ports=28_000, memory_mb=8000.0, cores=2
)
IDLE = Profile(name="idle", title="nobody charges", models={"ac-single": 1.0}, heartbeat=10.0)


def expect(profile: Profile = IDLE, **changes: Any) -> Forecast:
    versions = changes.pop("versions", {Version.V16: 1})
    have = changes.pop("have", ROOMY)
    return forecast(profile, versions, have, **({"stations": 50, "spawn_rate": 10.0, "duration": 100.0} | changes))


def rates(seen: Forecast) -> dict[str, float]:
    return {row.action: row.calls_per_s for row in seen.actions}


def test_an_idle_fleet_beats_at_the_rate_of_its_profile() -> None:
    seen = expect()
    assert rates(seen) == {"Heartbeat": pytest.approx(5.0, rel=0.05)}
    assert seen.calls_per_s == pytest.approx(5.0, rel=0.05)


def test_connects_come_at_the_spawn_rate() -> None:
    seen = expect()
    ramp = seen.windows[0]
    assert ramp.name == "ramp"
    assert ramp.seconds == pytest.approx(5, abs=1.1)
    assert seen.connects_per_s == pytest.approx(10.0, rel=0.25)
    # BootNotification, and a StatusNotification of the station and of its connector.
    assert ramp.calls_per_s * ramp.seconds == pytest.approx(3 * 50, rel=0.1)


def test_a_large_fleet_is_a_small_one_scaled_up() -> None:
    small, large = expect(stations=300, spawn_rate=60.0), expect(stations=30_000, spawn_rate=6000.0)
    assert large.calls_per_s == pytest.approx(100 * small.calls_per_s, rel=0.02)
    assert "300 stations were rehearsed and scaled up to 30000" in large.assumptions


def test_the_interval_of_the_csms_counts_where_the_profile_has_none() -> None:
    profile = Profile(name="idle", title="nobody charges", models={"ac-single": 1.0})
    assert expect(profile, interval=20.0).calls_per_s == pytest.approx(2.5, rel=0.1)
    assert any("every 20 s" in sentence for sentence in expect(profile, interval=20.0).assumptions)


def test_a_mix_of_versions_keeps_its_weights() -> None:
    seen = expect(stations=200, spawn_rate=50.0, versions={Version.V16: 3, Version.V201: 1})
    by_version = {row.ocpp: row.calls_per_s for row in seen.actions}
    assert by_version["1.6"] == pytest.approx(3 * by_version["2.0.1"], rel=0.1)


def test_sessions_bring_their_messages() -> None:
    sessions = Sessions(duration=50.0, gap=10.0)
    profile = Profile(
        name="busy", title="cars", models={"ac-single": 1.0}, heartbeat=1000.0, meter=10.0, sessions=sessions
    )
    seen = rates(expect(profile, stations=60, spawn_rate=60.0, duration=600.0))
    # One car a station each minute, and four or five readings while it charges.
    assert seen["Authorize"] == pytest.approx(1.0, rel=0.1)
    assert seen["StartTransaction"] == pytest.approx(seen["StopTransaction"], rel=0.1)
    assert 3.5 < seen["MeterValues"] < 5.5


@pytest.mark.parametrize(("name", "model"), [("public_ac", "ac-dual"), ("dc_hub", "dc-150")])
def test_a_day_with_a_curve_is_forecast_to_its_end(name: str, model: str) -> None:
    profile = msgspec.structs.replace(load_profile(name), models={model: 1.0}, meter=600.0, heartbeat=1800.0)
    seen = expect(profile, stations=40, spawn_rate=40.0, duration=86_400.0)
    wanted = messages_a_day(profile, heartbeat=300.0, weekday=0)
    assert not any("were not rehearsed" in sentence for sentence in seen.assumptions)
    assert any("the day begins at Monday" in sentence for sentence in seen.assumptions)
    assert rates(seen)["Heartbeat"] == pytest.approx(40 * 48 / 86_400, rel=0.02)
    sessions = 40 * wanted["StartTransaction"]
    assert rates(seen)["StartTransaction"] * 86_400 == pytest.approx(sessions, abs=4 * sessions**0.5)
    assert rates(seen)["MeterValues"] * 86_400 == pytest.approx(40 * wanted["MeterValues"], rel=0.3)


def test_a_busy_day_is_rehearsed_by_fewer_stations_and_not_cut_short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("loadtest.planning.forecast.MOST_CALLS", 6000)
    monkeypatch.setattr("loadtest.planning.rehearsal.MOST_CALLS", 6000)
    seen = expect(load_profile("mixed_fleet"), stations=10_000, spawn_rate=1000.0, duration=6 * 3600.0)
    assert not any("were not rehearsed" in sentence for sentence in seen.assumptions)
    assert any("stations were rehearsed and scaled up to 10000" in sentence for sentence in seen.assumptions)
    assert rates(seen)["Heartbeat"] == pytest.approx(10_000 / 300, rel=0.02)


def test_what_a_replay_covers_is_said(tmp_path: Path) -> None:
    rows = "start,end\n" + "".join(f"{minute},{minute + 50}\n" for minute in range(0, 100, 10))
    (tmp_path / "rows.csv").write_text(rows, encoding="utf-8")
    path = tmp_path / "rows.yaml"
    path.write_text("title: rows\nmodels: {ac-single: 1}\nreplay: rows.csv\n", encoding="utf-8")
    profile = read_profile(path)
    assert any("3 of 6 recorded stations" in one for one in expect(profile, stations=3).assumptions)
    assert rates(expect(profile, stations=6, spawn_rate=6.0, warm_up=0.0))["StopTransaction"] > 0


@pytest.mark.parametrize("vendor", vendor_names())
def test_every_vendor_can_be_rehearsed(vendor: str) -> None:
    profile = Profile(name="x", title="x", models={"ac-single": 1.0}, vendors={vendor: 1.0})
    seen = expect(profile, versions={Version.V201: 1})
    ramp = seen.windows[0]
    assert ramp.calls_per_s * ramp.seconds >= 50, "each station boots"


def test_the_same_seed_gives_the_same_forecast() -> None:
    profile = Profile(
        name="busy", title="cars", models={"ac-single": 1.0, "ac-dual": 1.0}, sessions=Sessions(duration=(5, 9), gap=3)
    )
    assert expect(profile, seed=7) == expect(profile, seed=7)
    assert expect(profile, seed=7) != expect(profile, seed=8)


def test_a_long_run_is_not_rehearsed_to_its_end() -> None:
    profile = Profile(name="beats", title="beats", models={"ac-single": 1.0}, heartbeat=0.5)
    played = rehearse(profile, {Version.V16: 1}, stations=300, ramp=5.0, duration=36_000.0)
    assert played.cut_short
    assert played.seconds < 1000
    seen = expect(profile, stations=300, spawn_rate=60.0, duration=36_000.0)
    assert seen.calls_total == pytest.approx(600 * 36_000, rel=0.02)
    assert any("were not rehearsed" in sentence for sentence in seen.assumptions)


def test_a_ramp_of_more_than_half_of_the_run_is_told() -> None:
    slow, fast = (expect(stations=300, spawn_rate=rate, duration=60.0).assumptions for rate in (5.0, 10.0))
    said = "the stations need 60 s to start, and measuring begins after half of the run, 30 s, with a part of them"
    assert any(sentence.startswith(said) and "--duration 120s" in sentence for sentence in slow)
    assert not any("measuring begins" in sentence for sentence in fast)


def test_a_run_that_is_all_ramp_says_that_nothing_is_measured() -> None:
    seen = expect(duration=1.0)
    assert seen.calls_per_s == 0
    assert any("nothing would be measured" in sentence for sentence in seen.assumptions)


@pytest.mark.parametrize(
    ("payload", "client", "server"), [(0, 6, 2), (125, 131, 127), (126, 134, 130), (65_535, 65_543, 65_539)]
)
def test_headers_of_frames_count(payload: int, client: int, server: int) -> None:
    assert (frame_bytes(payload, masked=True), frame_bytes(payload, masked=False)) == (client, server)


# -- what the machine must have ----------------------------------------------------------------------------------------


def shortages(stations: int, have: Machine = ROOMY, **more: Any) -> dict[str, tuple[bool, str]]:
    return {found.what: (found.certain, found.sentence) for found in lacking(needs(stations, **more), have)}


def test_a_run_that_fits_lacks_nothing() -> None:
    assert shortages(15_000) == {}
    assert shortages(50_000, workers=3, sources=2) == {}


def test_too_many_files_in_a_worker_are_told_with_both_ways_out() -> None:
    have = Machine(
        descriptors=10_000, soft_descriptors=1024, hard_descriptors=50_000, ports=28_000, memory_mb=8000, cores=2
    )
    certain, sentence = shortages(20_000, have)["files"]
    assert certain
    assert "ulimit -n 20064" in sentence
    assert "--workers 3" in sentence
    assert "files" not in shortages(20_000, have, workers=3)


def test_a_hard_limit_cannot_be_raised() -> None:
    _, sentence = shortages(25_000)["files"]
    assert "ulimit -n" not in sentence
    assert "--workers 2" in sentence


def test_too_few_ports_are_mended_by_more_source_addresses() -> None:
    certain, sentence = shortages(60_000, workers=4)["ports"]
    assert certain
    assert "127.0.0.2-127.0.0.4" in sentence
    assert "ports" not in shortages(60_000, workers=4, sources=3)


def test_stations_that_share_connections_need_few_files_and_ports() -> None:
    assert shortages(50_000, connections=4) == {}
    assert needs(50_000, connections=4, tls=True).memory_mb < needs(50_000, tls=True).memory_mb / 2


def test_the_practice_csms_needs_files_of_its_own() -> None:
    have = Machine(
        descriptors=10_000, soft_descriptors=1024, hard_descriptors=1024, ports=28_000, memory_mb=1e6, cores=2
    )
    assert list(shortages(1000, have, own_csms=True)) == ["csms-files"]
    assert shortages(1000, have) == {}


def test_memory_is_a_warning() -> None:
    have = Machine(
        descriptors=99_999, soft_descriptors=99_999, hard_descriptors=99_999, ports=28_000, memory_mb=300, cores=2
    )
    certain, sentence = shortages(20_000, have)["memory"]
    assert not certain
    assert "300 MB are free" in sentence
    assert needs(10_000, tls=True).memory_mb > 1.5 * needs(10_000).memory_mb


def test_this_machine_has_something() -> None:
    here = machine()
    assert min(here.descriptors, here.ports, here.memory_mb, here.cores) > 0


# -- against a real run ------------------------------------------------------------------------------------------------


def test_a_real_run_does_what_was_forecast(tmp_path: Path) -> None:
    path = tmp_path / "busy.yaml"
    path.write_text(
        "title: busy\nmodels: {ac-single: 1}\nheartbeat: 1\nmeter: 0.5\nsessions: {duration: [2, 3], gap: [0.5, 1]}\n"
    )
    words = ["--stations", "30", "--spawn-rate", "30", "--duration", "8s", "--profile", str(path), "--out", "run"]
    done = subprocess.run(
        [sys.executable, "-m", "plugstorm", "load", "--ocpp", "1.6", "--ocpp", "2.0.1", *words],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    run = read_run(tmp_path / "run")
    assert isinstance(run, LoadRun), done.stderr
    seen = forecast(
        read_profile(path), {Version.V16: 1, Version.V201: 1}, ROOMY, stations=30, spawn_rate=30.0, duration=8.0
    )
    measured = next(window for window in run.windows if window.name == MEASURE)
    assert run.throughput["calls_per_s"] == pytest.approx(seen.calls_per_s, rel=0.2)
    count = sum(call.count for call in measured.calls if call.action == "Heartbeat")
    assert count / measured.seconds == pytest.approx(rates_of_both(seen)["Heartbeat"], rel=0.2)


def rates_of_both(seen: Forecast) -> dict[str, float]:
    total: dict[str, float] = {}
    for row in seen.actions:
        total[row.action] = total.get(row.action, 0.0) + row.calls_per_s
    return total
