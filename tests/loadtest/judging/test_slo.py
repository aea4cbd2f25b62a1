from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evidence.histogram import Histogram
from evidence.run_model import Generator
from evidence.vocabulary import FROM_CSMS, MEASURE, RAMP, TO_CSMS
from loadtest.judging.slo import Figures, SloWatch, Threshold, judge, measure, read_abort, read_slo, threshold
from loadtest.judging.slo_expression import parse
from loadtest.measuring.merged import Latencies, Merged
from loadtest.measuring.recorder import Recorder
from loadtest.plugins.quantities import QUANTITIES
from ocppj.errors import UsageError


def latencies(*milliseconds: float, extra_ms: float = 0.0) -> Latencies:
    """Make both histograms from service times; each response is `extra_ms` longer."""
    service, response = Histogram(), Histogram()
    for value in milliseconds:
        service.record(int(value * 1000))
        response.record(int((value + extra_ms) * 1000))
    return Latencies(service, response)


MEASURED: Mapping[Any, Latencies] = {
    ("1.6", "Authorize", TO_CSMS, "accepted"): latencies(*range(1, 91), extra_ms=100),
    ("1.6", "Authorize", TO_CSMS, "rejected"): latencies(*[1.0] * 6),
    ("2.0.1", "Authorize", TO_CSMS, "callerror:InternalError"): latencies(*[1.0] * 3),
    ("2.0.1", "Authorize", TO_CSMS, "timeout"): latencies(30_000),
    ("1.6", "Heartbeat", TO_CSMS, "accepted"): latencies(*[2.0] * 100),
    ("1.6", "Reset", FROM_CSMS, "accepted"): latencies(7.0),
}


def figures(**changes: Any) -> Figures:
    known: dict[str, Any] = {
        "window": lambda name: MEASURED if name == MEASURE else {},
        "seconds": {MEASURE: 20.0},
        "requested": 200,
        "connected": 199,
        "booted": 190,
        "lost": 3,
        "calls": 1000,
        "faults": {"late": 5},
        "connections": {"opened": 198, "http-503": 2},
        "generator": Generator(verdict="VALID", reasons=[], lag_ms_p99=4.0, cpu=0.5, rss_kb_per_station=12.5),
    }
    return Figures(**(known | changes))


@pytest.mark.parametrize(
    ("line", "value", "passed"),
    [
        ("Authorize response p50 < 200 ms", 141.0, True),
        ("1.6 Authorize service p95 < 0.09 s", 0.085, True),
        ("Authorize service max < 10 s", 30.0, False),
        ("Heartbeat service mean < 2500 us", 2000.0, True),
        ("Heartbeat response min >= 2 ms", 2.0, True),
        ("Reset from-csms service max < 7.01 ms", 7.0, True),
        ("Authorize errors < 4 %", 4.0, False),
        ("Authorize errors <= 4 %", 4.0, True),
        ("errors == 4", 4.0, True),
        ("timeout == 0", 1.0, False),
        ("Authorize rejected < 10 %", 6.0, True),
        ("callerror == 3", 3.0, True),
        ("callerror:InternalError != 3", 3.0, False),
        ("lost == 0", 0.0, True),
        ("calls >= 200", 200.0, True),
        ("2.0.1 Authorize errors < 1 %", 100.0, False),
        ("throughput > 9 /s", 10.0, True),
        ("Authorize goodput >= 270 /min", 270.0, True),
        ("stations booted >= 99 %", 95.0, False),
        ("stations connected >= 199", 199.0, True),
        ("stations lost <= 2", 3.0, False),
        ("connections failed <= 1 %", 1.0, True),
        ("connections http-503 == 0", 2.0, False),
        ("connections http-401 == 0", 0.0, True),
        ("connections connack-not-authorized == 0", 0.0, True),
        ("faults mqtt-retained-delivery == 0", 0.0, True),
        ("connections refused == 0", 0.0, True),
        ("faults late < 0.1 %", 0.5, False),
        ("faults unsolicited == 0", 0.0, True),
        ("generator lag < 20 ms", 4.0, True),
        ("generator cpu < 40 %", 50.0, False),
        ("generator memory < 16 KB", 12.5, True),
    ],
)
def test_a_line_is_held_against_the_merged_figures(line: str, value: float, passed: bool) -> None:  # noqa: FBT001 - a table
    result = judge([threshold(line)], figures())[0]
    assert result.value == pytest.approx(value, rel=0.002)
    assert (result.expr, result.passed, result.reason) == (line, passed, "")


@pytest.mark.parametrize(
    ("line", "changes", "why"),
    [
        ("MeterValues service p99 < 1 s", {}, "no MeterValues was measured in the window measure"),
        ("MeterValues timeout == 0", {}, "no MeterValues was measured"),
        ("MeterValues throughput < 100 /s", {}, "no MeterValues was measured"),
        ("2.1 errors == 0", {}, "no 2.1 CALL was measured"),
        ("throughput < 100 /s", {"seconds": {}}, "no CALL was measured"),
        ("stations lost == 0", {"connected": 0}, "no station was ever connected"),
        ("stations booted >= 0 %", {"requested": 0}, "no station was asked for"),
        ("connections failed == 0", {"connections": {}}, "no connection was tried"),
        ("faults late == 0", {"calls": 0}, "no CALL was made"),
        ("generator stall < 1 s", {}, "the generator did not measure its stall"),
        ("generator lag < 1 s", {"generator": None}, "the generator did not measure its lag"),
    ],
)
def test_what_was_never_measured_does_not_pass(line: str, changes: dict[str, Any], why: str) -> None:
    result = judge([threshold(line)], figures(**changes))[0]
    assert (result.value, result.passed) == (None, False)
    assert why in result.reason


def test_another_window_is_part_of_the_name() -> None:
    result = judge([threshold("errors == 0", window=RAMP)], figures())[0]
    assert result.expr == "errors == 0 (ramp)"
    assert "window ramp" in result.reason


@pytest.mark.parametrize(
    ("line", "hint"),
    [
        ("Authorise response p99 < 500 ms", "did you mean 'Authorize'?"),
        ("authorize response p99 < 500 ms", "did you mean 'Authorize'?"),
        ("Authorize respons p99 < 500 ms", "did you mean 'response'?"),
        ("Authorize response q99 < 500 ms", "did you mean 'p99'?"),
        ("Authorize p99 < 500 ms", "'service p99' or 'response p99'"),
        ("Authorize response p99 < 500", "p99 needs a unit; write us"),
        ("Authorize response p99 < 500 %", "'%' is not a unit of p99"),
        ("Authorize response p99 => 500 ms", "=> is not a comparison"),
        ("Authorize response p99 < x ms", "there is no number"),
        ("Authorize response p99 <", "no number behind the comparison"),
        ("Authorize response p99", "it compares nothing"),
        ("Authorize response < 5 ms", "response takes one word of p50"),
        ("Authorize < 5 ms", "say what of it"),
        ("< 5 ms", "does not say what is compared"),
        ("error < 1 %", "did you mean 'errors'?"),
        ("errors < 1 ms", "'ms' is not a unit of errors"),
        ("errors < -1 %", "expected a number of 0 or more, but it is '-1'"),
        ("errors < nan %", "there is no number"),
        ("errors Authorize < 1 %", "'Authorize' is unknown"),
        ("throughput > 5", "needs a unit; write /s"),
        ("calls > 5 %", "is not a unit of calls"),
        ("stations bootet == 3", "did you mean 'booted'?"),
        ("stations == 3", "stations takes one word of booted"),
        ("connections http-5 == 3", "'http-5' is unknown"),
        ("generator ram < 3 KB", "'ram' is unknown; known are lag"),
        ("late == 0", "write 'faults late'"),
        ("", "it compares nothing"),
    ],
)
def test_a_mistake_is_one_line_with_the_way_out(line: str, hint: str) -> None:
    with pytest.raises(UsageError, match="The objective ") as error:
        parse(line, QUANTITIES)
    assert hint in str(error.value)


@given(st.text(max_size=80) | st.text(alphabet="p9.%< =ms/errosvcAuthize-:16", max_size=60))
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        expression = parse(text, QUANTITIES)
    except UsageError:
        return
    assert parse(expression.text, QUANTITIES) == expression


# -- the file --------------------------------------------------------------------------------------------------------


def read(tmp_path: Path, text: str) -> list[Threshold]:
    path = tmp_path / "slo.yaml"
    path.write_text(text)
    return read_slo(path, QUANTITIES)


def test_a_file_holds_lines_and_lines_with_more(tmp_path: Path) -> None:
    plain, rich = read(
        tmp_path,
        """
        title: ours
        window: warm-up
        thresholds:
          - errors<0.1%
          - {expr: timeout == 0, window: measure, abort: true, delay: 1m}
        """,
    )
    assert (plain.text, plain.window, plain.abort) == ("errors<0.1% (warm-up)", "warm-up", False)
    assert (rich.text, rich.window, rich.abort, rich.delay) == ("timeout == 0", MEASURE, True, 60.0)


def test_a_file_may_be_nothing_but_a_list(tmp_path: Path) -> None:
    assert [one.text for one in read(tmp_path, "- errors == 0\n- timeout == 0\n")] == ["errors == 0", "timeout == 0"]


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("threshold: [errors == 0]", "did you mean 'thresholds'?"),
        (
            "thresholds: [{expr: errors == 0, abbort: true}]",
            "thresholds[0].abbort: the key 'abbort' is unknown",
        ),
        ("thresholds: [errors == 0, erors == 0]", "slo.yaml:1: thresholds[1]: The objective 'erors == 0'"),
        ("thresholds: [{expr: errors == 0, window: meassure}]", "did you mean 'measure'?"),
        ("thresholds: [{expr: stations lost == 0, window: ramp}]", "leave window out"),
        ("thresholds: [{expr: generator lag < 1 ms, abort: true}]", "leave abort out"),
        ("thresholds: [{expr: errors == 0, delay: soon}]", "thresholds[0].delay: expected a time such as"),
        ("thresholds: [errors == 0, errors == 0]", "stands there twice"),
        ("thresholds: []", "there are no thresholds"),
        (
            "thresholds: [7]",
            "thresholds[0]: expected a mapping with expr, window, abort, delay, min, but it is 7",
        ),
        ("7", "expected a mapping with thresholds, window, title, objectives, but it is 7"),
        ("thresholds: [", "slo.yaml:1: expected YAML"),
    ],
)
def test_a_mistake_in_a_file_names_the_file_and_the_mend(tmp_path: Path, text: str, hint: str) -> None:
    with pytest.raises(UsageError, match=r"slo\.yaml:1: ") as error:
        read(tmp_path, text)
    assert hint in str(error.value)


def test_a_missing_file_is_said_to_be_missing(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="No such file"):
        read_slo(tmp_path / "none.yaml", QUANTITIES)


# -- ending a run early ----------------------------------------------------------------------------------------------


def aborting(line: str, delay: float, window: str = MEASURE) -> Threshold:
    return Threshold(expression=parse(line), window=window, abort=True, delay=delay)


def test_a_broken_objective_ends_the_run_after_its_delay_and_names_itself() -> None:
    watch = SloWatch([threshold("errors == 0"), aborting("timeout == 0", delay=5.0)])
    assert watch
    assert watch.check(figures(seconds={MEASURE: 4.9}), 30.0) is None
    broken = watch.check(figures(seconds={MEASURE: 5.0}), 30.0)
    assert broken is not None
    assert broken.reason == "stopped after 30 s: timeout == 0 was broken with 1"


def test_an_objective_that_ended_the_run_stays_missed() -> None:
    one = aborting("Heartbeat service p50 < 10 ms", delay=0.0)
    slow = figures(window=lambda _: {("1.6", "Heartbeat", TO_CSMS, "accepted"): latencies(500.0)})
    broken = SloWatch([one]).check(slow, 12.0)
    result = judge([one], figures(), broken)[0]
    assert result.value == pytest.approx(500, rel=0.001)
    assert not result.passed
    assert "stopped after 12 s" in result.reason


def test_nothing_ends_a_run_before_it_is_measured() -> None:
    watch = SloWatch([aborting("errors == 0", delay=0.0), aborting("MeterValues timeout == 0", delay=0.0, window=RAMP)])
    assert watch.check(figures(seconds={}), 30.0) is None
    assert watch.check(figures(seconds={RAMP: 10.0}), 30.0) is None


def test_the_delay_of_what_has_no_window_counts_from_the_start() -> None:
    watch = SloWatch([aborting("stations lost <= 2", delay=8.0)])
    assert watch.check(figures(seconds={}), 7.0) is None
    assert watch.check(figures(seconds={}), 8.0) is not None


def test_nothing_is_watched_without_abort() -> None:
    assert not SloWatch([threshold("timeout == 0")])


def test_only_the_generator_knows_its_stalls() -> None:
    generator = Generator(verdict="VALID", reasons=[], details={"workers": [{"longest_stall_ms": 120.0}]})
    assert measure(threshold("generator stall < 1 s"), figures(generator=generator)).value == 120.0


def test_a_look_at_a_running_window_holds_everything_so_far_and_changes_nothing() -> None:
    now = [0.0]
    recorder, merged = Recorder(clock=lambda: now[0], wall=0.0), Merged(interval=2.0)
    for second in range(5):
        now[0] = float(second)
        recorder.call("1.6", "Heartbeat", TO_CSMS, "accepted", 0.001, 0.001, now[0] + 0.001)
        merged.add(recorder.take(), now[0])
        for _ in range(2):
            (latencies,) = merged.window(RAMP).values()
            assert (latencies.service.count, latencies.response.count) == (second + 1, second + 1)
        latencies.service.record(7)
    assert merged.recent()
    assert merged.window(MEASURE) == {}
    assert sum(pair.service.count for pair in merged.windows[RAMP].values()) == merged.calls == 5


def test_an_objective_with_patience_ends_a_run_only_when_it_is_missed_without_a_break() -> None:
    one = read_abort("connections failed <= 2 for 10s", QUANTITIES)
    watch = SloWatch([one])
    verdicts = [
        watch.check(figures(connections={"opened": 5, "reset": resets}), elapsed)
        for elapsed, resets in ((1.0, 3), (9.0, 3), (10.0, 0), (11.0, 3), (20.0, 3), (21.0, 3))
    ]
    assert verdicts[:5] == [None] * 5
    assert verdicts[5] is not None
    assert verdicts[5].reason == (
        "stopped after 21 s: connections failed <= 2 was broken with 3, for 10 s without a break"
    )


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("errors < many", "--abort-when 'errors < many'"),
        ("errors < 5 % for ever", "--abort-when 'errors < 5 % for ever'"),
        ("generator cpu < 80 % for 5s", "the generator is judged at the end"),
    ],
)
def test_a_wrong_word_after_abort_when_is_named(text: str, complaint: str) -> None:
    with pytest.raises(UsageError, match=complaint):
        read_abort(text, QUANTITIES)


@pytest.mark.parametrize(
    ("line", "calls", "passed", "undecided"),
    [
        ("Heartbeat response p99 < 500 ms", 4, False, True),
        ("Heartbeat response p99 < 500 ms", 99, False, True),
        ("Heartbeat response p99 < 500 ms", 100, True, False),
        ("Heartbeat response p99.9 < 500 ms", 999, False, True),
        ("Heartbeat response p50 < 500 ms", 2, True, False),
        ("Heartbeat response max < 500 ms", 1, True, False),
        ("Heartbeat response p99 < 1 ms", 4, False, False),
    ],
)
def test_few_calls_keep_no_percentile_but_may_miss_it(line: str, calls: int, passed: bool, undecided: bool) -> None:  # noqa: FBT001 - a table
    series = {("1.6", "Heartbeat", TO_CSMS, "accepted"): latencies(*[5.0] * calls)}
    (result,) = judge([threshold(line)], figures(window=lambda _: series))
    assert (result.passed, result.undecided, result.n) == (passed, undecided, calls)
    assert undecided == ("too few to decide" in result.reason)


def test_a_file_says_how_many_calls_it_takes(tmp_path: Path) -> None:
    (one,) = read(tmp_path, "- {expr: errors < 50 %, min: 201}")
    (result,) = judge([one], figures())
    assert (result.n, result.undecided, result.reason) == (
        200,
        True,
        "200 CALLs are too few to decide that; it takes 201",
    )
    with pytest.raises(UsageError, match="expected a number of CALLs above 0"):
        read(tmp_path, "- {expr: stations lost == 0, min: 5}")
