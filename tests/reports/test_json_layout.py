from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reports.json_layout import lay_out

json_values: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=30), inner, max_size=4),
    max_leaves=30,
)


@settings(max_examples=50)
@given(json_values, st.booleans())
def test_laid_out_text_means_the_same(value: Any, ascii_only: bool) -> None:  # noqa: FBT001 - drawn by hypothesis
    text = json.dumps(value, separators=(",", ":"), ensure_ascii=ascii_only)
    assert json.loads(lay_out(text)) == value


def test_short_frame_stays_on_one_line() -> None:
    assert lay_out('[3,"1",{"status":"Accepted","list":[],"map":{}}]') == (
        '[3, "1", {"status": "Accepted", "list": [], "map": {}}]'
    )


def test_long_payload_is_indented_below_the_head_of_the_frame() -> None:
    payload = json.dumps({"chargePointVendor": "V" * 60, "chargePointModel": "M" * 60, "meter": {"type": "x"}})
    assert lay_out(f'[2,"1","BootNotification",{payload}]').splitlines() == [
        '[2, "1", "BootNotification", {',
        f'  "chargePointVendor": "{"V" * 60}",',
        f'  "chargePointModel": "{"M" * 60}",',
        '  "meter": {"type": "x"}',
        "}]",
    ]


def test_spelling_order_and_duplicate_keys_stay() -> None:
    assert lay_out('{"b":1.0,"a":1E2,"a":"\\u00e9"}') == '{"b": 1.0, "a": 1E2, "a": "\\u00e9"}'


@pytest.mark.parametrize("text", ['[2,"1","M",{"a":"x', '[2,"1","M",{"a":[1,2', "]]}}", "[", "", '"\\'])
def test_text_that_was_cut_off_is_laid_out_as_far_as_it_goes(text: str) -> None:
    assert lay_out(text).replace(" ", "").replace("\n", "") == text


def test_deeply_nested_text_stays_as_it_is() -> None:
    text = "[" * 100_000 + "]" * 100_000
    assert lay_out(text) is text
