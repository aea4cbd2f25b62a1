from __future__ import annotations

from typing import Any

import pytest

from interop_suite.claims.expected import one_of, other_than

HASH = "463b452f828d2e72a2c1ac4857d7653b03b2dab12f65842e49a235c0ddb837af"
START = "'463b452f828d2e72'… (64 characters)"


@pytest.mark.parametrize(
    ("value", "wanted", "said"),
    [
        ("Blocked", "Accepted", "is 'Blocked' instead of 'Accepted'"),
        (None, "Accepted", "is missing instead of 'Accepted'"),
        (3, HASH, f"is 3 instead of {HASH!r}"),
        ("ff" + HASH[2:], HASH, "is 'ff3b452f828d2e72'… (64 characters) instead of " + START),
        (HASH[:-1] + "e", HASH, "is …'0ddb837ae' (64 characters) instead of …'0ddb837af' (64 characters)"),
        ("none", HASH, "is 'none' instead of " + START),
        (HASH + "0", HASH, "is …'ddb837af0' (65 characters) instead of …'ddb837af' (64 characters)"),
    ],
)
def test_long_texts_are_cut_around_the_place_where_they_part(value: Any, wanted: Any, said: str) -> None:
    assert other_than(value, wanted) == said


def test_one_wanted_value_is_compared_and_several_are_listed() -> None:
    assert one_of(HASH)(HASH[:-1] + "e") == other_than(HASH[:-1] + "e", HASH)
    assert one_of("A", "B")("C") == "is 'C' instead of 'A' or 'B'"
