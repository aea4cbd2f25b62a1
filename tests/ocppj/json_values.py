"""Hypothesis strategies for JSON values as they cross an OCPP-J connection."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

__all__ = ["MESSAGE_IDS", "OBJECTS", "TEXTS", "VALUES"]

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
_SCALARS = st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats(allow_nan=False, allow_infinity=False)
VALUES: st.SearchStrategy[Any] = st.recursive(
    _SCALARS | TEXTS,
    lambda children: st.lists(children, max_size=4) | st.dictionaries(TEXTS, children, max_size=4),
    max_leaves=12,
)
OBJECTS = st.dictionaries(TEXTS, VALUES, max_size=4)
MESSAGE_IDS = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
