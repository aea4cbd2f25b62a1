"""Errors of other rooms become errors of usage at one place."""

from __future__ import annotations

import pytest

from ocppj.errors import UsageError, as_usage_error


class OtherError(ValueError):
    """Something that another room raises."""


@as_usage_error(OtherError)
def read(text: str) -> int:
    if text == "other":
        raise OtherError("slo.yaml:3: expected a number")
    return int(text)


def test_an_error_of_the_named_kind_is_a_usage_error_with_the_same_words() -> None:
    with pytest.raises(UsageError, match=r"^slo\.yaml:3: expected a number$") as error:
        read("other")
    assert error.value.__cause__ is None


def test_any_other_error_stays_what_it_is() -> None:
    assert read("5") == 5
    with pytest.raises(ValueError, match="invalid literal"):
        read("five")


def test_the_words_of_an_option_go_before() -> None:
    with pytest.raises(UsageError, match=r"^--slo: no$"), as_usage_error(OtherError, prefix="--slo: "):
        raise OtherError("no")
