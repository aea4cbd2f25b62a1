from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping
from typing import Any

import msgpack  # type: ignore[import-untyped]  # ships no types
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evidence.histogram import Histogram
from evidence.vocabulary import COOL_DOWN, FROM_CSMS, MEASURE, OPENED, RAMP, TO_CSMS, WARM_UP, is_failure
from loadtest.measuring.recorder import Delta, Recorder
from ocppj.outcomes import Outcome


class Clock:
    def __init__(self, now: float = 1000.0) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def recorder(clock: Clock) -> Recorder:
    return Recorder(clock=clock, wall=1_700_000_000.0)


def counts(delta: Delta, window: str = RAMP) -> dict[str, tuple[int, int]]:
    """Map each outcome to how many service and response times were recorded."""
    return {
        outcome: (sum(service.values()), sum(response.values()))
        for _, _, _, outcome, service, response in delta["windows"].get(window, [])
    }


def test_both_latencies_are_kept_apart_to_three_digits(recorder: Recorder) -> None:
    recorder.call("1.6", "Authorize", TO_CSMS, Outcome.ACCEPTED, 0.010, 2.5)
    [(ocpp, action, direction, outcome, service, response)] = recorder.take()["windows"][RAMP]
    assert (ocpp, action, direction, outcome) == ("1.6", "Authorize", TO_CSMS, "accepted")
    assert Histogram(service).percentile(50) == pytest.approx(10_000, rel=0.001)
    assert Histogram(response).percentile(50) == pytest.approx(2_500_000, rel=0.001)


@given(st.lists(st.floats(0, 90_000), max_size=50))
def test_latencies_land_in_the_buckets_of_the_histogram(latencies: list[float]) -> None:
    recorder, expected = Recorder(), Histogram()
    for latency in latencies:
        recorder.call("1.6", "Heartbeat", TO_CSMS, "accepted", latency, latency)
        expected.record(int(latency * 1e6 + 0.5))
    for *_, service, response in recorder.take()["windows"].get(RAMP, []):
        assert service == response == expected.counts


def test_a_timeout_is_recorded_at_no_less_than_the_timeout(recorder: Recorder) -> None:
    recorder.call("1.6", "Heartbeat", TO_CSMS, Outcome.TIMEOUT, 30.0, 30.0)
    [(*_, service, _)] = recorder.take()["windows"][RAMP]
    assert Histogram(service).percentile(50) >= 30_000_000


def test_a_call_that_was_never_sent_has_only_a_response_time(recorder: Recorder) -> None:
    recorder.call("1.6", "MeterValues", TO_CSMS, Outcome.NEVER_SENT, None, 4.0)
    assert counts(recorder.take()) == {"never-sent": (0, 1)}


def test_a_negative_latency_of_a_broken_clock_counts_as_zero(recorder: Recorder) -> None:
    recorder.call("1.6", "Heartbeat", TO_CSMS, "accepted", -1.0, -1.0)
    [(*_, service, response)] = recorder.take()["windows"][RAMP]
    assert service == response == {0: 1}


def test_a_call_belongs_to_the_window_of_its_intended_time(recorder: Recorder, clock: Clock) -> None:
    clock.now = 1010.0
    recorder.window(WARM_UP)
    clock.now = 1020.0
    recorder.window(MEASURE)
    recorder.call("1.6", "Heartbeat", TO_CSMS, "in-ramp", 1.0, 15.0, 1021.0)
    recorder.call("1.6", "Heartbeat", TO_CSMS, "in-warm-up", 1.0, 5.0, 1021.0)
    recorder.call("1.6", "Heartbeat", TO_CSMS, "in-measure", 1.0, 1.0, 1021.0)
    clock.now = 1030.0
    recorder.window(COOL_DOWN)
    recorder.call("1.6", "Heartbeat", TO_CSMS, "late-in-measure", 1.0, 5.0, 1031.0)
    delta = recorder.take()
    assert {window: list(counts(delta, window)) for window in delta["windows"]} == {
        RAMP: ["in-ramp"],
        WARM_UP: ["in-warm-up"],
        MEASURE: ["in-measure", "late-in-measure"],
    }


def test_entering_the_present_window_again_changes_nothing(recorder: Recorder, clock: Clock) -> None:
    recorder.window(MEASURE)
    clock.now += 5
    recorder.window(MEASURE)
    recorder.call("1.6", "Heartbeat", TO_CSMS, "accepted", 1.0, 4.0)
    assert list(recorder.take()["windows"]) == [MEASURE]


def test_taking_neither_loses_nor_repeats(recorder: Recorder) -> None:
    total = 0
    for round_ in range(5):
        for _ in range(round_):
            recorder.call("1.6", "Heartbeat", TO_CSMS, "accepted", 0.001, 0.001)
        total += counts(recorder.take()).get("accepted", (0, 0))[1]
    assert total == 0 + 1 + 2 + 3 + 4
    assert recorder.take()["windows"] == {}


def test_every_second_has_one_row_with_what_happened_in_it(recorder: Recorder, clock: Clock) -> None:
    clock.now = 1000.5
    recorder.connection(OPENED)
    recorder.connected(+1)
    recorder.booted(+1)
    recorder.offered(6)
    recorder.call("1.6", "BootNotification", TO_CSMS, "accepted", 0.1, 0.1)
    recorder.call("1.6", "Heartbeat", TO_CSMS, "timeout", 0.1, 0.1)
    recorder.call("1.6", "Reset", FROM_CSMS, "accepted", 0.1, 0.1)
    clock.now = 1003.2
    recorder.connected(-1)
    recorder.booted(-1)
    first = 1_700_000_000
    assert recorder.take()["rows"] == [
        (first, 3, 1, 1, 1, 1, 4),
        (first + 1, 0, 0, 1, 1, 0, 4),
        (first + 2, 0, 0, 1, 1, 0, 4),
    ]
    recorder.call("1.6", "Heartbeat", TO_CSMS, "accepted", 0.1, 0.1)
    assert recorder.take(final=True)["rows"] == [(first + 3, 1, 0, 1, 1, 0, 3)]


def test_the_running_second_is_reported_only_at_the_end(recorder: Recorder, clock: Clock) -> None:
    clock.now = 1000.5
    recorder.call("1.6", "Heartbeat", TO_CSMS, "accepted", 0.1, 0.1)
    assert recorder.take()["rows"] == []
    assert [row[1] for row in recorder.take(final=True)["rows"]] == [1]


def test_check_sum_equals_the_histograms_once_all_seconds_are_over(recorder: Recorder, clock: Clock) -> None:
    merged = 0
    for step in range(40):
        clock.now = 1000 + step * 0.37
        recorder.call("1.6", "Heartbeat", TO_CSMS, "accepted", 0.1, 0.1)
        if step % 7 == 0:
            merged += counts(recorder.take())["accepted"][1]
    merged += counts(recorder.take(final=True))["accepted"][1]
    assert recorder.total == merged == 40


def test_faults_connections_losses_and_offered_calls_are_counted(recorder: Recorder) -> None:
    recorder.fault("unsolicited")
    recorder.fault("unsolicited")
    recorder.connection("refused 401")
    for open_call in ("Heartbeat", "", "Heartbeat"):
        recorder.lost("closed-by-csms", 1011, "out of memory", open_call)
    recorder.offered(3)
    recorder.window(MEASURE)
    recorder.offered(4)
    recorder.offered(2, intended_at=999.0)
    delta = recorder.take()
    assert delta["faults"] == {"unsolicited": 2}
    assert delta["connections"] == {"refused 401": 1}
    second = delta["lost"][0][-1]
    assert delta["lost"] == [
        ("closed-by-csms", 1011, "out of memory", "Heartbeat", 2, second, second),
        ("closed-by-csms", 1011, "out of memory", "", 1, second, second),
    ]
    assert delta["offered"] == {RAMP: 5, MEASURE: 4}
    assert recorder.take()["lost"] == []


def test_names_invented_by_a_peer_cannot_fill_the_memory(recorder: Recorder) -> None:
    for n in range(5000):
        recorder.call("1.6", "Heartbeat", TO_CSMS, f"callerror:Invented{n}", 0.001, 0.001)
        recorder.fault(f"fault {n}")
    recorder.call("1.6", "Heartbeat", TO_CSMS, "callerror:" + "x" * 1000, 0.001, 0.001)
    delta = recorder.take()
    seen = counts(delta)
    assert len(seen) < 300
    assert sum(response for _, response in seen.values()) == 5001
    assert seen["callerror:(other)"][1] > 4000
    assert sum(delta["faults"].values()) == 5000
    assert len(delta["faults"]) < 300


def test_what_is_sent_to_the_master_survives_msgpack(recorder: Recorder) -> None:
    recorder.call("2.0.1", "Heartbeat", TO_CSMS, Outcome.ACCEPTED, 0.5, 0.5)
    delta = recorder.take(final=True)
    received = msgpack.loads(msgpack.dumps(delta), strict_map_key=False)
    assert [list(entry) for entry in delta["windows"][RAMP]] == received["windows"][RAMP]


def test_a_restart_forgets_the_run_but_not_the_open_connections(recorder: Recorder) -> None:
    recorder.connected(+2)
    recorder.window(MEASURE)
    recorder.call("1.6", "Heartbeat", TO_CSMS, "accepted", 0.5, 0.5)
    recorder.restart()
    assert recorder.current_window == RAMP
    assert recorder.take(final=True)["windows"] == {}
    assert recorder.connected_now == 2


class Listener:
    """A view that takes each CALL, or sums."""

    def __init__(self, *, alone: bool) -> None:
        self.heard: list[dict[str, Any]] = []
        self.sums: list[tuple[str, str, str | None, int]] = []
        self.alone = alone

    def fire(self, **event: Any) -> None:
        self.heard.append(event)

    def add(self, request_type: str, name: str, exception: str | None, counts: Mapping[int, int]) -> None:
        self.sums.append((request_type, name, exception, sum(counts.values())))


def test_a_view_that_nobody_else_watches_gets_sums_and_each_call_once() -> None:
    ear = Listener(alone=True)
    recorder = Recorder(ear)
    for _ in range(3):
        recorder.call("1.6", "Authorize", TO_CSMS, Outcome.ACCEPTED, 0.001, 0.002)
    recorder.take()
    ear.alone = False  # somebody listens from now on; what is counted already was no event
    recorder.call("1.6", "Authorize", TO_CSMS, Outcome.TIMEOUT, 0.001, 0.002)
    recorder.take()
    recorder.call("1.6", "Authorize", TO_CSMS, Outcome.TIMEOUT, 0.001, 0.002)
    recorder.take(final=True)
    assert ear.sums == [("OCPP 1.6", "Authorize", None, 3), ("OCPP 1.6", "Authorize", "timeout", 1)]
    assert [event["exception"] for event in ear.heard] == ["timeout"]


def test_locust_hears_of_each_call_and_gets_no_ids_in_errors() -> None:
    ear = Listener(alone=False)
    heard, recorder = ear.heard, Recorder(ear)
    recorder.call("1.6", "Authorize", TO_CSMS, Outcome.REJECTED, 0.001, 0.002)
    recorder.call("1.6", "Authorize", TO_CSMS, "callerror:InternalError", 0.001, 0.002)
    recorder.call("1.6", "Reset", "csms-to-station", Outcome.ACCEPTED, 0.001, 0.001)
    assert [(e["request_type"], e["name"], e["exception"]) for e in heard] == [
        ("OCPP 1.6", "Authorize", None),
        ("OCPP 1.6", "Authorize", "callerror:InternalError"),
        ("OCPP 1.6 from CSMS", "Reset", None),
    ]
    assert heard[0]["response_time"] == pytest.approx(2.0)


@pytest.mark.parametrize(
    ("outcome", "failure"), [("accepted", False), ("rejected", False), ("timeout", True), ("callerror:X", True)]
)
def test_a_rejection_is_an_answer_and_no_failure(outcome: str, *, failure: bool) -> None:
    assert is_failure(outcome) is failure


def test_importing_the_measuring_parts_patches_nothing() -> None:
    rooms = {
        "measuring": ("recorder", "merged", "sampler", "windows"),
        "judging": ("generator", "result", "settings"),
        "cluster": ("delivery", "leases", "live"),
    }
    modules = ", ".join(f"loadtest.{room}.{name}" for room, names in rooms.items() for name in names)
    code = f"import sys, {modules}; sys.exit(bool({{'locust', 'gevent'}} & sys.modules.keys()))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_what_callerrors_said_is_kept_with_its_time_and_numbers_make_no_new_text(
    recorder: Recorder, clock: Clock
) -> None:
    for number in (17, 18):
        recorder.callerror("1.6", "StartTransaction", TO_CSMS, "InternalError", f"deadlock in session {number}")
        clock.now += 5
    recorder.callerror("1.6", "StartTransaction", TO_CSMS, "InternalError", "out of disk")
    first = ("1.6", "StartTransaction", TO_CSMS, "InternalError")
    assert recorder.take()["callerrors"] == [
        (*first, "deadlock in session 17", 2, 1_700_000_000, 1_700_000_005),
        (*first, "out of disk", 1, 1_700_000_010, 1_700_000_010),
    ]
    assert recorder.take()["callerrors"] == []


def test_a_csms_that_invents_texts_fills_no_memory(recorder: Recorder) -> None:
    words = [f"{chr(97 + n % 26)}{chr(97 + n // 26)}" for n in range(500)]
    for word in words:
        recorder.callerror("1.6", "Authorize", TO_CSMS, "GenericError", word * 100)
    rows = recorder.take()["callerrors"]
    assert len(rows) == 101
    assert sum(row[5] for row in rows) == 500
    assert max(len(row[4]) for row in rows) == 160
