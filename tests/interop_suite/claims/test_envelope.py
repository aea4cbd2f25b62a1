from __future__ import annotations

import pytest

from interop_suite.claims.envelope import describe_fault
from ocppj.messages import Call, CallError, CallResult, Message, review
from ocppj.versions import RULES, Version


@pytest.mark.parametrize(
    ("version", "message", "words"),
    [
        (
            Version.V16,
            CallError("1", "FormatViolation"),
            "error code 'FormatViolation' is one of OCPP 2.0.1, 2.1, not of 1.6",
        ),
        (Version.V201, CallError("1", "Oops"), "error code 'Oops' is one of no version of OCPP"),
        (
            Version.V201,
            CallError("1", "InternalError", "x" * 294),
            "errorDescription has 294 characters, and 255 is the most",
        ),
        (Version.V16, Call("i" * 37, "Heartbeat", {}), "the message id has 37 characters, and 36 is the most"),
        (Version.V201, Call("", "Heartbeat", {}), "the message id is empty"),
        (Version.V201, CallResult("1", None), "the payload is null instead of an object"),
    ],
)
def test_fault_of_an_envelope_says_what_is_there_and_what_may_be(
    version: Version, message: Message, words: str
) -> None:
    rules = RULES[version]
    assert [describe_fault(fault, message, rules) for fault in review(message, rules)] == [words]
