from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadtest.timing.backoff import SHORTEST_WAIT, SPEC, Backoff, parse_backoff, reconnect_wait, retry_delay
from ocppj.errors import UsageError


@pytest.mark.parametrize(
    ("failures", "least"), [(0, 3.0), (1, 6.0), (2, 12.0), (3, 24.0), (4, 24.0), (50, 24.0), (10**9, 24.0)]
)
def test_the_wait_doubles_as_often_as_it_may_and_then_stays(failures: int, least: float) -> None:
    assert reconnect_wait(SPEC, failures, 0.0) == least
    assert reconnect_wait(SPEC, failures, 0.5) == least + 5.0


@given(st.integers(0, 100), st.floats(0, 1, exclude_max=True))
def test_the_random_part_never_leaves_its_range(failures: int, draw: float) -> None:
    wait = reconnect_wait(Backoff("spec", 15.0, 5.0, 3), failures, draw)
    assert 15.0 <= wait <= 15.0 * 8 + 5.0


def test_a_fixed_wait_never_grows() -> None:
    fixed = parse_backoff("fixed:60")
    assert {reconnect_wait(fixed, failures, 0.9) for failures in range(10)} == {60.0}


def test_no_back_off_still_leaves_the_process_alive() -> None:
    assert reconnect_wait(parse_backoff("none"), 7, 0.9) == SHORTEST_WAIT
    assert reconnect_wait(parse_backoff("fixed:0"), 7, 0.9) == SHORTEST_WAIT


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("spec", Backoff("spec", 3.0, 10.0, 3)),
        ("spec:15/5", Backoff("spec", 15.0, 5.0, 3)),
        ("spec:15/5/2", Backoff("spec", 15.0, 5.0, 2)),
        ("fixed:10", Backoff("fixed", 10.0, 0.0, 0)),
        ("fixed:10/30", Backoff("fixed", 10.0, 30.0, 0)),
        ("none", Backoff("none", 0.0, 0.0, 0)),
    ],
)
def test_what_people_write_is_read_and_written_back(text: str, expected: Backoff) -> None:
    assert parse_backoff(text) == expected
    assert parse_backoff(str(expected)) == expected


@pytest.mark.parametrize(
    "text", ["", "fast", "spec:-1", "spec:1/2/3/4", "spec:1/2/2.5", "fixed:x", "none:3", "fixed:nan", "fixed:inf"]
)
def test_a_back_off_that_cannot_work_is_explained(text: str) -> None:
    with pytest.raises(UsageError, match="fixed:10"):
        parse_backoff(text)


def test_transaction_messages_wait_longer_each_time_and_are_dropped_after_the_last() -> None:
    # OCPP 1.6 §3.7.1: interval 60 and 3 attempts mean waits of 60 and 120 seconds.
    assert [retry_delay(60.0, sends, 3) for sends in (1, 2, 3, 4)] == [60.0, 120.0, None, None]
