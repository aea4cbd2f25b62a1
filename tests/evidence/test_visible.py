from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evidence.visible import one_line, visible

LEGAL_CONTROLS = "\t\n"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain text, Ümläute, 充电 and 🔌", "plain text, Ümläute, 充电 and 🔌"),
        ("a\u202eb", "a\\u202eb"),
        ("a\x00b\x1b[31m", "a\\u0000b\\u001b[31m"),
        ("zero\u200bwidth", "zero\\u200bwidth"),
        ("lone \ud800", "lone \\ud800"),
        ("tag \U000e0041", "tag \\U000e0041"),
        ("tab\tand\nline", "tab\tand\nline"),
    ],
)
def test_hidden_characters_are_spelled_out(text: str, shown: str) -> None:
    assert visible(text) == shown


@given(st.text(st.characters()))
def test_visible_text_can_be_written_anywhere(text: str) -> None:
    shown = visible(text)
    assert shown.encode().decode() == shown
    assert all(character in LEGAL_CONTROLS or character >= " " for character in shown)
    assert visible(shown) == shown


@given(st.text(st.characters()), st.integers(1, 30))
def test_one_line_is_one_line_within_its_limit(text: str, limit: int) -> None:
    line = one_line(text, limit)
    assert len(line) <= limit
    assert not set(line) & set("\n\t\r")


def test_longer_line_ends_in_an_ellipsis() -> None:
    assert one_line("a  b\n\nc") == "a b c"
    assert one_line("abcdef", 6) == "abcdef"
    assert one_line("abcdefg", 6) == "abcde…"
    assert one_line("a" + " " * 1_000_000, 6) == "a…"
