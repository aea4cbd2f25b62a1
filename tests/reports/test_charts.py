from __future__ import annotations

import math
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markupsafe import Markup

from evidence.histogram import Histogram
from evidence.sequence import Role, read_diagram
from ocppj.trace import Kind
from reports.charts import HEIGHT, WIDTH, Figure, Part, Period, Series, share_bar, thin_out, time_chart
from reports.frames import gaps
from reports.histograms import curve
from reports.latency_charts import MAXIMUM, Band, latency_overview, percentile_curves
from reports.sequence import focused, sequence_svg
from reports.svg import el, linear_ticks, log_ticks
from tests.reports.report_builders import Tape, charging_tape

positive = st.floats(1e-6, 1e12)


def parse(svg: Markup) -> ET.Element:
    return ET.fromstring(svg)


def texts(svg: Markup) -> list[str]:
    return [element.text or "" for element in parse(svg).iter("text")]


@given(positive, st.integers(2, 8))
def test_linear_ticks_start_at_zero_are_round_and_reach_the_top(high: float, most: int) -> None:
    ticks = linear_ticks(high, most)
    assert ticks[0] == 0
    assert ticks[-1] >= high * (1 - 1e-9)
    assert len(ticks) <= most + 1
    step = f"{ticks[1]:.6e}"
    assert step[0] in "125"


@given(st.lists(positive, min_size=1))
def test_log_ticks_are_powers_of_ten_around_all_values(values: list[float]) -> None:
    ticks = log_ticks(values)
    assert len(ticks) >= 2
    assert all(math.log10(tick) == pytest.approx(round(math.log10(tick))) for tick in ticks)
    assert ticks[0] <= min(values) * (1 + 1e-6)
    assert ticks[-1] >= max(values) * (1 - 1e-6)


@pytest.mark.parametrize("values", [[], [0], [-1, float("nan"), float("-inf")]])
def test_values_without_a_logarithm_still_give_an_axis(values: list[float]) -> None:
    assert log_ticks(values) == [1.0, 10.0]


@given(st.lists(st.tuples(st.floats(0, 100), st.floats(0, 100)), max_size=300), st.integers(1, 60))
def test_thinned_line_keeps_its_mean_weight_and_is_short(points: list[tuple[float, float]], most: int) -> None:
    thinned = thin_out(points, most)
    assert len(thinned) <= most
    assert bool(thinned) == bool(points)
    if points:
        assert min(y for _, y in points) - 1e-9 <= min(y for _, y in thinned)
        assert max(y for _, y in thinned) <= max(y for _, y in points) + 1e-9


def test_attribute_and_text_of_a_stranger_are_escaped() -> None:
    written = el("text", "<b>\u202e", class_='"><script>', data_x=1.0)
    assert written == '<text class="&#34;&gt;&lt;script&gt;" data-x="1">&lt;b&gt;\\u202e</text>'


def line(values: list[float], name: str = "calls") -> Series:
    return Series(name, "s1", tuple((float(t), value) for t, value in enumerate(values)), filled=True)


def test_time_chart_stays_inside_its_frame_and_names_itself() -> None:
    figure = time_chart(
        "Throughput", "Calls a second.", [line([0, 30, 10])], unit="1/s", periods=[Period("ramp", 0, 1.5)]
    )
    root = parse(figure.svg)
    assert root.get("role") == "img"
    assert root.get("aria-label") == "Throughput. Calls a second."
    xs = [float(element.get("x", 0)) + float(element.get("width", 0)) for element in root.iter("rect")]
    assert max(xs) <= WIDTH
    d = next(element.get("d", "") for element in root.iter("path") if "line" in element.get("class", ""))
    points = [tuple(map(float, pair.split())) for pair in d[1:].split("L")]
    assert len(points) == 3
    assert all(0 <= x <= WIDTH and 0 <= y <= HEIGHT for x, y in points)
    assert points[1][1] < points[2][1] < points[0][1]
    assert "ramp" in texts(figure.svg)


def test_time_chart_has_a_table_with_every_second() -> None:
    series = [line([1, 2]), Series("errors", "bad", ((0.0, 0.5),))]
    figure = time_chart("T", "", series, unit="")
    assert figure.table.columns == ("time", "calls", "errors")
    assert figure.table.rows == (("0 s", "1", "0.5"), ("1 s", "2", "–"))


def test_chart_of_a_long_run_stays_small() -> None:
    figure = time_chart("T", "", [line([float(n % 7) for n in range(7200)])], unit="1/s")
    assert len(figure.svg) < 30_000
    assert len(figure.table.rows) <= 60


@pytest.mark.parametrize("values", [[], [5.0], [0.0, 0.0]])
def test_chart_of_next_to_nothing_is_drawn(values: list[float]) -> None:
    assert parse(time_chart("T", "", [line(values)], unit="").svg).tag == "svg"


def band(name: str, values: list[int]) -> Band:
    histogram = Histogram()
    for value in values:
        histogram.record(value)
    measured = curve(histogram)
    return Band(name=name, detail="OCPP 1.6", count=len(values), service=measured, response=measured)


def test_curve_keeps_only_percentiles_that_rest_on_a_value() -> None:
    assert curve(Histogram()) == {}
    few = band("A", [1000] * 10).service
    assert 90 in few
    assert 99 not in few
    assert few[MAXIMUM] == pytest.approx(1.0, rel=1e-2)
    assert 99.9 in band("A", [1000] * 1000).service


def test_overview_shows_both_clocks_of_each_action_and_their_p99() -> None:
    figure = latency_overview([band("Heartbeat", [2000] * 200), band("Authorize", [50_000] * 200)])
    shown = texts(figure.svg)
    assert shown.count("2 ms") == 2
    assert shown.count("50 ms") == 2
    assert [row[0] for row in figure.table.rows] == [
        "Heartbeat OCPP 1.6, service",
        "Heartbeat OCPP 1.6, response",
        "Authorize OCPP 1.6, service",
        "Authorize OCPP 1.6, response",
    ]


def test_curves_draw_a_line_a_clock_on_the_shared_scale() -> None:
    figure: Figure = percentile_curves(band("Heartbeat", list(range(1000, 3000))), [1.0, 10.0])
    drawn = [element.get("class", "") for element in parse(figure.svg).iter("path")]
    assert drawn == ["line s1", "line s2 dashed"]
    assert figure.table.columns == ("percentile", "service", "response")
    assert ("max", "3 ms", "3 ms") in figure.table.rows


def test_action_with_one_clock_only_is_drawn_with_one_line() -> None:
    one = Band(name="A", detail="", count=1, service={}, response={50: 1.0, MAXIMUM: 2.0})
    assert len(list(parse(percentile_curves(one, [1.0, 10.0]).svg).iter("path"))) == 1
    assert len(latency_overview([one]).table.rows) == 1


def test_share_bar_fills_its_width_and_shows_the_smallest_part() -> None:
    root = parse(share_bar("Outcomes", [Part("accepted", "a", 999_999), Part("lost", "b", 1), Part("late", "c", 0)]))
    widths = [float(element.get("width", 0)) for element in root.iter("rect")]
    assert len(widths) == 2
    assert sum(widths) == pytest.approx(1000, abs=0.2)
    assert widths[1] > 1
    assert root.get("aria-label") == "Outcomes: accepted 999,999, lost 1"


def test_share_bar_of_nothing_is_empty() -> None:
    assert [element.get("class") for element in parse(share_bar("Outcomes", [])).iter("rect")] == ["empty"]


def test_sequence_draws_each_step_once_and_marks_the_one_in_question() -> None:
    tape = charging_tape()
    diagram = read_diagram(tape.records)
    svg = sequence_svg(diagram, marked={6: "v-FAILED"}, links={6: "#x"})
    steps = [g for g in parse(svg).iter("g") if g.get("class", "").startswith("step ")]
    assert len(steps) == len(diagram.steps)
    assert [g.get("class") for g in steps if "marked" in g.get("class", "")] == ["step result marked v-FAILED"]
    assert [(a.get("href"), a.get("tabindex")) for a in parse(svg).iter("a")] == [("#x", "-1")]
    assert "Authorize · Accepted" in texts(svg)


def test_preparation_is_folded_into_one_step() -> None:
    whole = read_diagram(charging_tape().records)
    assert sum(step.prepared for step in whole.steps) == 4
    short = focused(whole)
    assert [step.label for step in short.steps][:3] == ["preparation, 4 records, not judged", "the case", "Authorize"]
    assert "left out" not in "".join(texts(sequence_svg(short)))
    assert "BootNotification" in [step.label for step in focused(whole, marked={2}).steps]


def test_lane_that_only_the_preparation_used_is_left_out() -> None:
    tape = Tape()
    tape.add(Kind.NOTE, info={"phase": "prepare"})
    tape.driver("Reset")
    tape.add(Kind.NOTE, info={"phase": "script"})
    tape.exchange("Heartbeat", {}, {})
    assert [lane.role for lane in focused(read_diagram(tape.records)).lanes] == [Role.STATION, Role.CSMS]


def test_trace_of_nothing_but_preparation_stays_whole() -> None:
    whole = read_diagram(Tape().open().records[:3])
    assert focused(whole) == whole


def test_sequence_says_what_it_leaves_out() -> None:
    whole = read_diagram(charging_tape(20).records)
    kept = type(whole)(whole.lanes, (*whole.steps[:5], *whole.steps[-5:]))
    missing = gaps([step.line for step in kept.steps])
    assert f"… {next(iter(missing.values()))} lines left out …" in texts(sequence_svg(kept))


def test_sequence_of_many_stations_gives_each_a_lane() -> None:
    tape = Tape()
    for number in range(8):
        tape.add(tape.open().records[1].kind, station=f"CP-{number}", info={"status": 101})
    svg = sequence_svg(read_diagram(tape.records))
    assert len([e for e in parse(svg).iter("line") if e.get("class") == "lane"]) == 10
    assert "<" not in "".join(texts(svg))
