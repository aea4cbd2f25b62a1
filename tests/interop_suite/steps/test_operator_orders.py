"""Orders judged with what the driver could hand over: a CSMS answers for what it was told."""

from __future__ import annotations

import json
from typing import Any

import pytest

from evidence.verdicts import Verdict
from interop_suite.claims.expected import one_of, present
from interop_suite.steps.operator_orders import lies_ahead, ordered, same_text
from ocppj.trace import Kind
from ocppj.versions import Version
from tests.interop_suite.recording import Recording, begun

ACTION = "UpdateFirmware"
STARTED = "2026-01-01T00:00:00Z"
FIELDS = {"requestId": present(), "firmware.location": one_of("a"), "firmware.signature": present()}
SIGNED = ordered(ACTION, FIELDS)


def order(sent: dict[str, Any] | None, handed_over: list[str] | None = None) -> Recording:
    told = {} if handed_over is None else {"handed_over": handed_over}
    recording = begun(Version.V201).add(Kind.NOTE, info={"started": STARTED})
    recording.driver(operation="trigger", action=ACTION, payload={}, **told)
    if sent is not None:
        recording.got(json.dumps([2, "u", ACTION, sent])).sent('[3,"u",{"status":"Accepted"}]')
    return recording.driver(operation="outcome", action=ACTION, result={"status": "answered"})


def verdicts(check: Any, recording: Recording) -> list[Verdict]:
    return [finding.verdict for finding in check.judge(recording.history())]


@pytest.mark.parametrize(
    ("sent", "handed_over", "verdict"),
    [
        ({"requestId": 1, "firmware": {"location": "a", "signature": "s"}}, None, Verdict.OK),
        ({"requestId": 1, "firmware": {"location": "a"}}, None, Verdict.FAILED),
        ({"requestId": 1, "firmware": {"location": "a"}}, ["firmware"], Verdict.FAILED),
        ({"requestId": 1, "firmware": {"location": "a"}}, ["firmware.signature", "firmware.location"], Verdict.FAILED),
        ({"requestId": 1, "firmware": {"location": "a"}}, ["firmware.location"], Verdict.NOT_APPLICABLE),
        ({"requestId": 1, "firmware": {"location": "b"}}, ["firmware.location"], Verdict.FAILED),
        ({"requestId": 1, "firmware": {"location": "a", "signature": "s"}}, ["firmware.location"], Verdict.OK),
        (None, ["firmware.location"], Verdict.FAILED),
    ],
)
def test_only_what_no_driver_can_tell_is_excused_no_false_alarm(
    sent: dict[str, Any] | None, handed_over: list[str] | None, verdict: Verdict
) -> None:
    assert verdicts(SIGNED, order(sent, handed_over)) == [verdict]


@pytest.mark.parametrize(
    ("date", "handed_over", "verdict"),
    [
        ("2026-01-02T00:00:00Z", None, Verdict.OK),
        ("2026-01-01T00:00:00.5Z", None, Verdict.FAILED),
        ("2025-12-31T00:00:00Z", None, Verdict.FAILED),
        (None, None, Verdict.FAILED),
        ("2025-12-31T00:00:00Z", ["firmware.location"], Verdict.NOT_APPLICABLE),
        (None, ["firmware.location"], Verdict.NOT_APPLICABLE),
        ("some day", None, Verdict.INCONCLUSIVE),
    ],
)
def test_date_must_lie_ahead_where_it_could_be_named(
    date: str | None, handed_over: list[str] | None, verdict: Verdict
) -> None:
    firmware = {"location": "a"} | ({} if date is None else {"retrieveDateTime": date})
    recording = order({"requestId": 1, "firmware": firmware}, handed_over)
    assert verdicts(lies_ahead(ACTION, "firmware.retrieveDateTime"), recording) == [verdict]


@pytest.mark.parametrize(
    ("value", "right"), [("ab0C", True), ("AB0c", True), ("ab0", False), (None, False), (7, False)]
)
def test_same_text_knows_no_case(value: object, right: bool) -> None:  # noqa: FBT001  # a parameter of the table
    assert (same_text("Ab0c")(value) is None) is right
