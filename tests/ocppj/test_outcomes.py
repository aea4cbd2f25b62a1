from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ocppj.outcomes import Outcome, as_seen, injected, is_accepted
from tests.ocppj.json_values import OBJECTS, VALUES


@pytest.mark.parametrize(
    "payload",
    [
        None,
        {},
        {"currentTime": "2024-01-01T00:00:00Z"},
        {"status": "Accepted"},
        {"status": "Unlocked"},
        {"status": "RebootRequired"},
        {"idTagInfo": {"status": "Accepted"}, "transactionId": 1},
        {"idTokenInfo": {"status": "Accepted"}},
        {"transactionId": 1, "idTagInfo": {}},
        {"idTagInfo": "no object"},
    ],
)
def test_answer_that_says_yes_or_nothing_is_accepted(payload: dict[str, Any] | None) -> None:
    assert is_accepted(payload)


@pytest.mark.parametrize(
    "payload",
    [
        {"status": "Rejected"},
        {"status": "accepted"},
        {"status": "Pending"},
        {"status": "UnknownVendorId"},
        {"idTagInfo": {"status": "Blocked"}},
        {"idTokenInfo": {"status": "Unknown"}},
        {"idTagInfo": {"status": "ConcurrentTx"}, "transactionId": 7},
        {"status": {}},
        {"status": ["Accepted"]},
        {"status": 1},
    ],
)
def test_answer_that_says_anything_else_is_not_accepted(payload: dict[str, Any]) -> None:
    assert not is_accepted(payload)


@given(OBJECTS, st.sampled_from(["status", "idTagInfo", "idTokenInfo"]), VALUES)
def test_any_answer_has_an_outcome(payload: dict[str, Any], key: str, value: object) -> None:
    assert is_accepted(payload | {key: value}) in (True, False)
    assert is_accepted({"idTagInfo": {"status": value}}) in (True, False)


@pytest.mark.parametrize("outcome", [Outcome.TIMEOUT, Outcome.LOST, f"{Outcome.CALLERROR}:InternalError"])
def test_call_that_the_run_has_spoilt_ends_for_its_station_as_any_other(outcome: str) -> None:
    assert injected(outcome) == f"injected:{outcome}"
    assert as_seen(injected(outcome)) == as_seen(outcome) == outcome
