"""One grammar for times, rates, shares and numbers."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from config.errors import ConfigError
from config.quantities import SECONDS, Rate, number, rate, seconds, share, whole


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("90", 90.0),
        (90, 90.0),
        (1.5, 1.5),
        ("0", 0.0),
        ("90s", 90.0),
        (" 5 s ", 5.0),
        ("250ms", 0.25),
        ("2m", 120.0),
        ("2min", 120.0),
        ("1h30m", 5400.0),
        ("1h 30min", 5400.0),
        ("1.5h", 5400.0),
        ("1m500ms", 60.5),
        ("2d12h", 216_000.0),
        (".5s", 0.5),
    ],
)
def test_a_time_has_units_from_long_to_short(text: float | str, expected: float) -> None:
    assert seconds(text) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "it is empty"),
        ("soon", "'soon' is not a time"),
        ("5x", "'5x' is not a time"),
        ("5mins", "'5mins' is not a time"),
        ("1h30", "a number in '1h30' has no unit"),
        ("4 hours", "'4 hours' is not a time"),
        ("30 1h", "a number in '30 1h' has no unit"),
        ("5s1h", "the units of '5s1h' do not go from long to short"),
        ("5m5min", "the units of '5m5min' do not go from long to short"),
        ("-5s", "'-5s' is negative"),
        (-5, "-5 is negative"),
        ("nan", "'nan' is not a time"),
        (math.nan, "nan is not a number"),
        (math.inf, "inf is longer than ten years"),
        ("1e3", "'1e3' is not a time"),
        ("9999999999999h", "'9999999999999h' is longer than ten years"),
        pytest.param(10**400, "is not a number", id="huge"),
        (True, "True is not a number"),
    ],
)
def test_what_is_not_a_time_says_so(text: float | str, why: str) -> None:
    with pytest.raises(ConfigError) as error:
        seconds(text)
    assert str(error.value).startswith("expected a time such as 90s, 250ms, 2m or 1h30m, but ")
    assert why in str(error.value)


@given(st.integers(0, 10**6), st.sampled_from(sorted(SECONDS)))
def test_every_unit_counts_its_seconds(count: int, unit: str) -> None:
    whole_seconds = count * SECONDS[unit]
    if whole_seconds <= 3650 * SECONDS["d"]:
        assert seconds(f"{count}{unit}") == pytest.approx(whole_seconds)


@given(st.text(max_size=12))
def test_any_text_is_a_time_or_refused_in_one_line(text: str) -> None:
    try:
        assert seconds(text) >= 0
    except ConfigError as error:
        assert "\n" not in str(error)  # noqa: PT017 - either is right


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("10/s", Rate(10.0, of_each=False)),
        ("30 / min", Rate(0.5, of_each=False)),
        ("600/h", Rate(1 / 6, of_each=False)),
        ("0.5/m", Rate(0.5 / 60, of_each=False)),
        ("36%/h", Rate(0.0001, of_each=True)),
    ],
)
def test_a_rate_is_a_number_or_a_share_per_unit_of_time(text: str, expected: Rate) -> None:
    found = rate(text)
    assert found.per_second == pytest.approx(expected.per_second)
    assert found.of_each is expected.of_each


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "is not a rate"),
        ("10", "'10' has no unit"),
        ("-1/s", "'-1/s' is not a rate"),
        ("0/s", "'0/s' is zero"),
        ("nan/s", "is not a rate"),
        ("10/fortnight", "is not a rate"),
        (f"{'9' * 400}/s", "is too large"),
    ],
)
def test_what_is_not_a_rate_says_so(text: str, why: str) -> None:
    with pytest.raises(ConfigError, match="expected a rate such as 10/s, 30/min, 600/h or 20%/h, but ") as error:
        rate(text)
    assert why in str(error.value)


@pytest.mark.parametrize(("text", "expected"), [("5%", 0.05), (0.05, 0.05), ("1", 1.0), ("100 %", 1.0), (0, 0.0)])
def test_a_share_is_a_number_or_in_percent(text: float | str, expected: float) -> None:
    assert share(text) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (1.5, "expected a number from 0 to 1, but it is 1.5"),
        (-0.1, "expected a number from 0 to 1, but it is -0.1"),
        ("nan", "expected a number from 0 to 1, but it is 'nan'"),
        ("101%", "expected a number from 0% to 100%, but it is '101'%"),
        ("half", "expected a number from 0 to 1, but 'half' is not a number"),
        ("", "expected a number from 0 to 1, but it is empty"),
    ],
)
def test_what_is_not_a_share_says_so(text: float | str, message: str) -> None:
    with pytest.raises(ConfigError) as error:
        share(text)
    assert str(error.value) == message


def test_a_number_stays_within_its_bounds() -> None:
    assert number("2.5") == 2.5
    with pytest.raises(ConfigError, match="expected a number of 0 or more, but it is 'inf'"):
        number("inf")
    with pytest.raises(ConfigError, match="expected a number above 0, but it is 0"):
        number(0, above=True)


def test_a_whole_number_keeps_all_its_digits() -> None:
    assert whole("9007199254740993") == 9007199254740993
    assert whole(3.0) == 3
    for wrong in ("1.5", "-1", "nan", "inf", "x"):
        with pytest.raises(ConfigError, match="expected a whole number of 0 or more, but "):
            whole(wrong)
