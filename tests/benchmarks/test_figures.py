from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any
from xml.etree import ElementTree as ET

import msgspec
import pytest
from rich.console import Console

from benchmarks.figures import EngineRow, Goal, Opening, Result, Sample, ScaleRow, engine_rows, goals, with_fleets
from benchmarks.picture import curve_svg, page, speed_svg
from benchmarks.scale import busiest, pace, without_canary
from benchmarks.show import grids, markdown, print_result
from benchmarks.truth import Checked, least_disturbed, within

TITLES = {"plugstorm": "Plugstorm", "websocket-client": "Locust", "ceiling": "Ceiling"}


def sample(engine: str, us: float, repetition: int = 1, message: str = "Heartbeat", **changes: Any) -> Sample:
    values = {
        "engine": engine,
        "message": message,
        "repetition": repetition,
        "calls": 1000,
        "seconds": us / 1000,
        "cpu_s": us / 1000,
        "errors": 0,
        "counted": None,
        "sink_calls": 1000,
        "sink_cpu_s": us / 2000,
        "rss_kb": 1,
    }
    return msgspec.convert(values | changes, Sample)


def rows_of(*samples: Sample) -> dict[str, EngineRow]:
    return {row.engine: row for row in engine_rows(TITLES, samples, [], {})}


def test_ratio_is_taken_within_a_repetition_and_then_the_median() -> None:
    # A machine that is three times slower in the second repetition must not move the ratio.
    rows = rows_of(
        sample("plugstorm", 20, 1),
        sample("ceiling", 10, 1),
        sample("plugstorm", 60, 2),
        sample("ceiling", 30, 2),
        sample("plugstorm", 22, 3),
        sample("ceiling", 10, 3),
    )
    assert rows["plugstorm"].ratio_to_ceiling == pytest.approx(0.5)
    assert rows["ceiling"].ratio_to_ceiling == 1.0
    assert rows["plugstorm"].cpu_us_per_call == pytest.approx(22)
    assert rows["plugstorm"].messages[0].ratios["ceiling"] == pytest.approx(0.5)


def test_figures_on_top_are_those_of_the_headline_message() -> None:
    rows = rows_of(sample("plugstorm", 40, message="MeterValues"), sample("plugstorm", 20))
    assert rows["plugstorm"].cpu_us_per_call == pytest.approx(20)
    assert [row.message for row in rows["plugstorm"].messages] == ["MeterValues", "Heartbeat"]


def test_row_says_who_set_the_pace() -> None:
    busy_sink: dict[str, Any] = {"cpu_s": 0.01, "sink_cpu_s": 0.0198}
    rows = rows_of(
        sample("plugstorm", 20),
        sample("ceiling", 20, **busy_sink),
        sample("websocket-client", 20, cpu_s=0.005, sink_cpu_s=0.001),
    )
    assert {name: row.messages[0].limited_by for name, row in rows.items()} == {
        "plugstorm": "engine",
        "ceiling": "sink",
        "websocket-client": "others",
    }


@pytest.mark.parametrize("wrong", [{"sink_calls": 999}, {"counted": 1001}])
def test_one_call_that_differs_makes_a_row_inexact(wrong: dict[str, Any]) -> None:
    assert rows_of(sample("plugstorm", 20, counted=1000))["plugstorm"].messages[0].exact
    assert not rows_of(sample("plugstorm", 20), sample("plugstorm", 20, 2, **wrong))["plugstorm"].messages[0].exact


def test_engine_that_is_missing_keeps_its_row_and_its_reason() -> None:
    (ours, theirs, _) = engine_rows(TITLES, [sample("plugstorm", 20)], [], {"websocket-client": "no network"})
    assert theirs.skipped == "no network"
    assert theirs.calls_per_s is None
    assert "websocket-client" not in ours.messages[0].ratios
    result = Result(machine={}, method={}, engines=[ours, theirs])
    assert any("no network" in note for grid in grids(result) for note in grid.notes)


def test_memory_and_connects_stand_in_the_engine_row() -> None:
    opening = Opening(engine="plugstorm", stations=10, connects_per_s=99, cpu_ms_per_connect=0.4, kb_per_station=12)
    (row, _, _) = engine_rows(TITLES, [], [opening], {})
    assert (row.connects_per_s, row.kb_per_station, row.cpu_ms_per_connect) == (99, 12, 0.4)


@pytest.mark.parametrize(("ours", "reached"), [(14.0, True), (15.0, False)])
def test_speed_goal_needs_70_percent_of_the_ceiling(ours: float, *, reached: bool) -> None:
    rows = engine_rows(TITLES, [sample("plugstorm", ours), sample("ceiling", 10)], [], {})
    (goal,) = goals(rows, [], [])
    assert (goal.reached, goal.measured) == (reached, f"{10 / ours:.2f} ×")


@pytest.mark.parametrize(("theirs", "reached"), [(50, True), (49, False)])
def test_k6_needs_ten_times_the_memory_and_a_quarter_of_the_calls_count(theirs: float, *, reached: bool) -> None:
    openings = [
        Opening(engine=name, stations=10, connects_per_s=99, cpu_ms_per_connect=0.4, kb_per_station=kb)
        for name, kb in (("plugstorm", 5.0), ("k6", theirs))
    ]
    samples = [sample("plugstorm", 10), sample("k6", 41)]
    rows = engine_rows({"plugstorm": "Plugstorm", "k6": "k6"}, samples, openings, {})
    speed, memory = goals(rows, [], [])
    assert (speed.measured, speed.reached) == ("4.10 ×", True)
    assert memory.reached is reached


def test_mqtt_is_held_against_paho_and_against_our_own_websocket() -> None:
    titles = TITLES | {"plugstorm-mqtt": "Plugstorm over MQTT", "paho-mqtt": "Locust + paho-mqtt"}
    samples = [sample("plugstorm", 20), sample("plugstorm-mqtt", 30), sample("paho-mqtt", 110)]
    found = [goal for goal in goals(engine_rows(titles, samples, [], {}), [], []) if "over MQTT" in goal.text]
    assert [(goal.wanted, goal.measured, goal.reached) for goal in found] == [
        ("≥ 4 ×", "3.67 ×", False),
        ("≥ 0.7 ×", "0.67 ×", False),
    ]
    scale = [
        ScaleRow(name="idle", stations=10, over="MQTT", kb_per_station=15.0, connects_per_s=1.0),
        ScaleRow(name="idle", stations=20, over="MQTT, shared", kb_per_station=4.1, connects_per_s=1.0),
    ]
    assert [(goal.wanted, goal.reached) for goal in goals([], scale, [])] == [("≤ 16 KB", True), ("≤ 4 KB", False)]


@pytest.mark.parametrize(("ours", "reached"), [(0.28, True), (0.30, False)])
def test_a_connect_may_cost_15_percent_more_than_the_ceilings(ours: float, *, reached: bool) -> None:
    # Of several turns the median counts, and the ratio is that of one turn.
    openings = [
        Opening(
            engine=engine,
            repetition=repetition,
            stations=10,
            connects_per_s=99,
            cpu_ms_per_connect=cost * slow,
            kb_per_station=12,
        )
        for engine, cost in (("plugstorm", ours), ("ceiling", 0.25))
        for repetition, slow in ((1, 1.0), (2, 1.0), (3, 2.0))
    ]
    (goal,) = goals(engine_rows(TITLES, [], openings, {}), [], [])
    assert (goal.reached, goal.measured) == (reached, f"{ours / 0.25:.2f} ×")


def test_scale_goals_follow_from_the_rows() -> None:
    scale = [
        ScaleRow(name="idle", stations=10_000, kb_per_station=9.9, connects_per_s=1400),
        ScaleRow(name="idle", stations=4000, tls=True, kb_per_station=46.0, connects_per_s=600),
        ScaleRow(name="paced", stations=100, busiest_100ms=2.1, note="1,000 connects/s asked for"),
        ScaleRow(name="curve", stations=100, cpu_us_per_call=10.0),
        ScaleRow(name="curve", stations=15_000, cpu_us_per_call=14.0),
        ScaleRow(name="one worker", stations=15_000, connected=15_000),
        ScaleRow(name="many workers", stations=50_000, workers=3, connected=49_999),
    ]
    reached = {goal.text: goal.reached for goal in goals([], scale, [])}
    assert list(reached.values()) == [True, False, False, True, False, True, True, False]
    assert any(goal.measured.endswith("± 17%") for goal in goals([], scale, []))


def test_tls_is_held_against_a_bare_handshake() -> None:
    scale = [
        ScaleRow(name="idle", stations=10, cpu_ms_per_connect=0.4),
        ScaleRow(name="idle", stations=10, tls=True, cpu_ms_per_connect=1.5),
        ScaleRow(name="bare", stations=10, tls=True, cpu_ms_per_connect=1.0),
    ]
    found = [goal for goal in goals([], scale, []) if "handshake" in goal.text]
    assert [(goal.measured, goal.reached) for goal in found] == [("1.50 ×", False), ("1.10 ×", True)]
    assert not [goal for goal in goals([], scale[:2], []) if "handshake" in goal.text]


@pytest.mark.parametrize(("verdict", "reached"), [("VALID", True), ("DEGRADED", False)])
def test_a_fleet_over_many_workers_must_be_valid(verdict: str, *, reached: bool) -> None:
    row = ScaleRow(name="many workers", stations=60_000, workers=4, connected=60_000, verdict=verdict)
    (goal,) = goals([], [row], [])
    assert (goal.measured, goal.reached) == (f"60,000 connected, {verdict}", reached)


@pytest.mark.parametrize(
    ("counted", "lost", "reached"), [(500, 0, True), (499, 0, False), (501, 0, False), (503, 3, True), (503, 2, False)]
)
def test_a_fleet_over_many_workers_must_count_what_the_sink_counts(counted: int, lost: int, *, reached: bool) -> None:
    """A CALL whose connection ended before its answer may have reached the sink or not."""
    row = ScaleRow(name="many workers", stations=5, connected=5, verdict="VALID", counted=counted, lost=lost)
    assert row.exact is None
    row.sink_calls = 500
    (_, goal) = goals([], [row], [])
    assert (goal.wanted, goal.reached) == ("500", reached)


def test_why_the_generator_of_a_fleet_was_not_valid_stands_below_the_table() -> None:
    row = ScaleRow(name="many workers", stations=5, workers=2, verdict="INVALID", reasons=["Worker 1 was late."])
    (grid,) = grids(Result(machine={}, method={}, engines=[], scale=[row]))
    assert grid.notes == ("plugstorm load, 2 workers: Worker 1 was late.",)


def test_a_fleet_stands_with_its_engine_whether_that_ran_beside_others_or_not() -> None:
    rows = engine_rows(TITLES, [sample("plugstorm", 20)], [], {})
    fleets = [ScaleRow(name="idle", stations=5), ScaleRow(name="idle", stations=5, over="MQTT")]
    hung = {row.engine: row for row in with_fleets(rows, fleets)}
    assert [hung[name].fleets for name in ("plugstorm", "plugstorm-mqtt")] == [[fleets[0]], [fleets[1]]]
    assert hung["plugstorm"].cpu_us_per_call == pytest.approx(20)
    assert hung["ceiling"].fleets == []
    assert rows[0].fleets == []


@pytest.mark.parametrize(("core", "reached"), [(0.33, True), (0.5, False)])
def test_a_master_may_take_half_a_core(core: float, *, reached: bool) -> None:
    (goal,) = goals([], [ScaleRow(name="master", stations=0, workers=256, master_core=core)], [])
    assert (goal.measured, goal.reached) == (f"{core:.0%}", reached)


def test_what_could_not_be_measured_is_named() -> None:
    result = Result(machine={}, method={}, engines=[], failed=["bare TLS: ended"])
    output = io.StringIO()
    print_result(result, Console(file=output, width=120))
    assert "Not measured: bare TLS: ended" in output.getvalue()
    assert "- bare TLS: ended" in markdown(result)


def checked(**changes: Any) -> Checked:
    values = {
        "name": "stall",
        "latency": "stall:2,1000,20",
        "injected_ms": [2.0, 2.1, 900.0],
        "service_ms": [2.4, 2.9, 930.0],
        "response_ms": [2.4, 800.0, 990.0],
        "sink_calls": 500,
        "counted": 500,
        "exit_code": 0,
    }
    return msgspec.convert(values | changes, Checked)


def test_truth_goals_need_true_percentiles_exact_counts_and_a_visible_stall() -> None:
    assert [goal.reached for goal in goals([], [], [checked()])] == [True, True, True]
    assert [goal.reached for goal in goals([], [], [checked(service_ms=[2.4, 3.2, 930.0])])] == [False, True, True]
    assert [goal.reached for goal in goals([], [], [checked(counted=499)])] == [True, False, True]
    assert [goal.reached for goal in goals([], [], [checked(response_ms=[2.4, 3.0, 990.0])])] == [True, True, False]


def test_percentile_is_true_within_a_millisecond_or_five_percent() -> None:
    assert within(2.9, 2.0)
    assert not within(3.1, 2.0)
    assert within(104.9, 100.0)
    assert not within(94.9, 100.0)
    assert within(4.4, 2.0, 3.5)
    assert not within(4.6, 2.0, 3.5)
    assert not within(0.9, 2.0, 3.5)


def test_a_goal_of_truth_names_between_what_times_the_truth_lies() -> None:
    """A CALL that the sink had not read yet has waited, too, and only its station can know for how long."""
    run = checked(service_ms=[2.4, 3.6, 930.0], injected_most_ms=[2.0, 2.9, 900.0])
    (goal, *_) = goals([], [], [run])
    assert (goal.wanted, goal.reached) == ("within max(1 ms, 5 %) of 2.0, 2.1–2.9, 900.0", True)


def test_a_goal_of_truth_tells_what_others_took_where_that_is_much() -> None:
    (goal, *_) = goals([], [], [checked(disturbed=0.02)])
    assert goal.measured == "2.4, 2.9, 930.0 ms (others took 2.0% of its time)"
    (goal, *_) = goals([], [], [checked(disturbed=0.001)])
    assert goal.measured == "2.4, 2.9, 930.0 ms"


@pytest.mark.parametrize(
    ("shares", "taken", "chosen"),
    [((0.001,), 1, 0.001), ((0.02, 0.001), 2, 0.001), ((0.02, 0.01, 0.03), 3, 0.01)],
)
def test_a_disturbed_run_of_the_truth_is_measured_again(shares: tuple[float, ...], taken: int, chosen: float) -> None:
    left = [checked(disturbed=share) for share in shares]
    assert least_disturbed(3, lambda: left.pop(0)).disturbed == chosen
    assert len(left) == len(shares) - taken


def test_a_run_that_counted_wrong_is_not_measured_again() -> None:
    left = [checked(disturbed=0.02, counted=499), checked()]
    assert not least_disturbed(3, lambda: left.pop(0)).exact
    assert len(left) == 1


def test_evenness_compares_the_busiest_whole_bucket_with_the_mean() -> None:
    assert busiest({10: 900, 11: 10, 12: 30, 13: 20, 14: 900}) == pytest.approx(1.5)
    assert busiest({10: 5, 12: 30, 14: 5}) == pytest.approx(3.0)
    assert busiest({10: 5, 11: 5}) is None
    assert busiest({}) is None


def test_canary_is_no_part_of_the_fleet() -> None:
    assert without_canary({5: 1, 9: 3}) == {9: 3}
    assert without_canary({5: 2, 9: 3}) == {5: 1, 9: 3}
    assert pace(without_canary({5: 1, 10: 100, 19: 100})) == pytest.approx(200)


@pytest.fixture
def result() -> Result:
    samples = [
        sample(engine, us) for engine, us in (("plugstorm", 20.0), ("websocket-client", 90.0), ("ceiling", 10.0))
    ]
    scale = [ScaleRow(name="curve", stations=n, cpu_us_per_call=20.0 + n / 10_000) for n in (100, 1000, 15_000)]
    return Result(
        machine={"processor": "<fast> & cheap"},
        method={"ratios": "medians"},
        engines=engine_rows(TITLES, samples, [], {}),
        scale=scale,
        goals=[Goal(text="Speed", wanted="≥ 1", measured="2", reached=True)],
    )


def test_tables_leave_out_columns_that_hold_nothing(result: Result) -> None:
    curve = next(grid for grid in grids(result) if "grows" in grid.title)
    assert "KB/station" not in curve.columns
    assert "µs CPU/CALL" in curve.columns
    assert all(len(row) == len(grid.columns) for grid in grids(result) for row in grid.rows)


def test_terminal_and_markdown_show_the_ratio(result: Result) -> None:
    output = io.StringIO()
    print_result(result, Console(file=output, width=120))
    assert "4.50 ×" in output.getvalue()
    assert "| Plugstorm | 50,000 | 20.0 | 0.50 | – | 100% | 50% |" in markdown(result)


@pytest.mark.parametrize("draw", [speed_svg, lambda result: curve_svg(result.scale)], ids=["speed", "curve"])
def test_picture_is_one_well_formed_file_that_loads_nothing(draw: Callable[[Result], str], result: Result) -> None:
    text = str(draw(result))
    root = ET.fromstring(text)
    assert root.tag == "{http://www.w3.org/2000/svg}svg"
    assert "href" not in text
    assert "url(" not in text


def test_page_escapes_what_it_shows(result: Result) -> None:
    text = page(result)
    assert "&lt;fast&gt; &amp; cheap" in text
    assert "<fast>" not in text
    assert "src=" not in text
