"""The nearest known word, and NAME=VALUE."""

from __future__ import annotations

import pytest

from config.assignments import assignment, assignments, split_assignment
from config.errors import ConfigError
from config.words import hint, nearest


@pytest.mark.parametrize(("word", "near"), [("quik", "quick"), ("QUICK", "quick"), ("steady", "steady"), ("zz", None)])
def test_the_nearest_word_is_found_whatever_its_case(word: str, near: str | None) -> None:
    assert nearest(word, ["quick", "steady"]) == near


def test_a_hint_names_the_nearest_word_or_what_is_known() -> None:
    assert hint("quik", ["quick", "steady"]) == "did you mean 'quick'?"
    assert hint("zz", ["quick", "steady"]) == "known are quick, steady"
    assert hint("zz", ["quick"], "name a file") == "name a file"
    assert hint("zz", []) == "there are none"
    assert hint("zz", map(str, range(30))).endswith("18, 19, …")


def test_a_value_may_hold_the_sign_itself() -> None:
    assert assignment("url=http://h/?a=b", "url=…") == ("url", "http://h/?a=b")
    assert split_assignment("1.6") == ("1.6", None)
    assert split_assignment("1.6=3") == ("1.6", "3")
    assert assignments(["a=1", "b=2"], "a=1") == {"a": "1", "b": "2"}


@pytest.mark.parametrize(
    ("texts", "why"),
    [
        (["a"], r"expected NAME=VALUE, as in url=x, but 'a' has no '='"),
        (["=1"], "has no name"),
        (["a="], "has no value"),
        (["a=1", "a=2"], "expected each name once, but 'a' is given twice"),
    ],
)
def test_what_is_not_an_assignment_says_so(texts: list[str], why: str) -> None:
    with pytest.raises(ConfigError, match=why):
        assignments(texts, "url=x")
